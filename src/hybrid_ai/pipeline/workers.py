"""Verify several instances at the same time, in processes that take one after the other."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO

from hybrid_ai.pipeline.checking import child_environment
from hybrid_ai.pipeline.errors import BadInput, CheckerFailure
from hybrid_ai.pipeline.instances import Content, Job, Request
from hybrid_ai.pipeline.isolation import python_command

COMMAND = python_command("hybrid_ai.pipeline.worker")


@dataclass(eq=False)
class _Worker:
    """A process, what it has written of its answer, and the job that this will be about."""

    process: subprocess.Popen[bytes]
    said: IO[bytes]
    job: Job
    answer: bytes = b""

    @property
    def input(self) -> IO[bytes]:
        assert self.process.stdin is not None
        return self.process.stdin

    @property
    def output(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def ask(self, job: Job) -> None:
        self.job, self.answer = job, b""
        try:
            self.input.write(json.dumps(asdict(job)).encode() + b"\n")
            self.input.flush()
        except BrokenPipeError:  # it has ended, which its output tells
            pass

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.output.close()
        try:
            self.input.close()
        except BrokenPipeError:
            pass
        self.said.close()


def verify_in_processes(
    jobs: Sequence[Job], folder: Path, working: Path, request: Request
) -> Iterator[tuple[Job, Content]]:
    """Verify as many jobs at the same time as the request says; arguments and errors as of `verify_all`."""
    waiting = list(reversed(jobs))
    workers: list[_Worker] = []
    with selectors.DefaultSelector() as selector:
        try:
            for _ in range(min(request.jobs, len(jobs))):
                worker = _start(waiting.pop(), folder, working, request)
                workers.append(worker)
                selector.register(worker.output, selectors.EVENT_READ, worker)
            while selector.get_map():
                for key, _ in selector.select():
                    worker = key.data
                    part = os.read(key.fd, 1 << 16)
                    if not part:
                        raise _ended(worker)
                    worker.answer += part
                    if not worker.answer.endswith(b"\n"):
                        continue
                    job, content = worker.job, _result(worker)
                    if waiting:
                        worker.ask(waiting.pop())
                    else:
                        selector.unregister(worker.output)
                    yield job, content
        finally:
            for worker in workers:
                worker.end()


def _start(job: Job, folder: Path, working: Path, request: Request) -> _Worker:
    threads = max(1, request.limits.used_threads // request.jobs)
    asked = {
        "folder": str(folder.absolute()),
        "working": str(working.absolute()),
        "limits": asdict(replace(request.limits, threads=threads)),
        "arithmetic": request.arithmetic,
    }
    said = tempfile.TemporaryFile()
    # A session of its own: Ctrl-C goes to us alone, and we end the child.
    process = subprocess.Popen(
        [*COMMAND, json.dumps(asked)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        start_new_session=True,
        # It parses what strangers wrote, and signs nothing.
        env=child_environment(),
    )
    worker = _Worker(process, said, job)
    worker.ask(job)
    return worker


def _result(worker: _Worker) -> Content:
    """The result that a worker answers.

    Raises:
        BadInput: the job was refused.
        CheckerFailure: the answer makes no sense.
    """
    try:
        answer = json.loads(worker.answer)
        if "refused" in answer:
            raise BadInput(answer["refused"])
        result: Content = answer["result"]
    except (ValueError, TypeError, KeyError) as error:
        said = f"the answer about {worker.job.property} makes no sense: {worker.answer[:200]!r}"
        raise CheckerFailure(said) from error
    return result


def _ended(worker: _Worker) -> CheckerFailure:
    """What became of a process that has closed its output before it answered."""
    code = worker.process.wait()
    worker.said.seek(0)
    said = worker.said.read().decode(errors="replace").strip().splitlines()
    reason = said[-1] if said else f"status {code}"
    remedy = "what was decided is kept: run it again, with fewer jobs where memory is short"
    return CheckerFailure(f"the verification of {worker.job.property} ended: {reason}; {remedy}")
