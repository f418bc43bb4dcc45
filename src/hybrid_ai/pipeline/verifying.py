"""Verify several instances, one after the other or several at a time in processes of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from hybrid_ai.pipeline.instances import Content, Job, Request
from hybrid_ai.pipeline.verify import Observer
from hybrid_ai.pipeline.worker import Verifier
from hybrid_ai.pipeline.workers import verify_in_processes


def verify_all(
    jobs: Sequence[Job], folder: Path, working: Path, request: Request, observer: Observer
) -> Iterator[tuple[Job, Content]]:
    """Verify jobs and yield each result as it is there, as `verify --json` prints it.

    Args:
        jobs: what to verify.
        folder: in which their paths are.
        working: receives the evidence; a folder of this run alone, since a process that outlives it may
            still write.
        request: limits, arithmetic, and how many at the same time.
        observer: told how each search goes; of several at the same time, not.

    Raises:
        BadInput: an input set is empty, or a file is malformed.
        CheckerFailure: a process ended without a result.
        KeyboardInterrupt: interrupted.
    """
    if request.jobs > 1 and len(jobs) > 1:
        yield from verify_in_processes(jobs, folder, working, request)
        return
    with Verifier(folder, working, request.limits, request.arithmetic, observer) as verifier:
        for job in jobs:
            yield job, verifier.verify(job)
