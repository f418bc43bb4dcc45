"""Verify several instances, one after the other or several at a time in processes of their own."""

from __future__ import annotations

import builtins
import json
import os
import selectors
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from hybrid_ai.audit.additions import portable_name
from hybrid_ai.audit.results import statement_path
from hybrid_ai.audit.verification.canonical import encode
from hybrid_ai.pipeline.checking import Checker, child_environment
from hybrid_ai.pipeline.errors import BadInput, CheckerFailure
from hybrid_ai.pipeline.inputs import read_model
from hybrid_ai.pipeline.isolation import python_command
from hybrid_ai.pipeline.limits import Limits
from hybrid_ai.pipeline.result import INTERRUPTED
from hybrid_ai.pipeline.verify import Arithmetic, Observer, Task, run

COMMAND = (*python_command("hybrid_ai.cli.main"), "verify")
Content = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """A model, a property, the seconds that verifying it may take, and whether its input set may be empty."""

    model: Path
    property: Path
    timeout: float
    allow_vacuous: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be certified, and how.

    Attributes:
        cases: models and properties.
        limits: of each; the time limit is the case's own.
        arithmetic: what the verdicts are about, as in `verify`.
        allow_vacuous: prove properties of an empty input set, also where the case does not allow it.
        jobs: verifications at the same time, at least 1; each a process of its own where more than one.
        files: what else is put into the dossier as it is, by path there.
        reuse: folder of an older dossier, whose results that still stand are taken over; None without.
    """

    cases: Sequence[Case]
    limits: Limits
    arithmetic: Arithmetic | None = None
    allow_vacuous: bool = False
    jobs: int = 1
    files: Mapping[str, bytes] = field(default_factory=dict)
    reuse: Path | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One verification of a dossier: its number from 1, paths in the dossier, and the rest of its case."""

    number: int
    model: str
    property: str
    timeout: float
    allow_vacuous: bool = False

    @builtins.property  # `property` is a field here
    def evidence(self) -> str:
        """Name of the evidence until it is known what it is."""
        return f"{self.number:04}.evidence"

    @builtins.property  # `property` is a field here
    def statement(self) -> str:
        """Path of the signed result."""
        return statement_path(self.number)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything that a request names will be in the dossier.

    Attributes:
        jobs: one for each case.
        sources: files to be copied, by path in the dossier; equal ones once.
        digests: SHA-256 of all files that are given, hexadecimal, by path in the dossier.
        parameters: what was asked for all jobs.
    """

    jobs: tuple[Job, ...]
    sources: Mapping[str, Path | bytes]
    digests: Mapping[str, str]
    parameters: Content

    @property
    def request(self) -> str:
        """SHA-256 of all that was asked for, hexadecimal."""
        names = [[job.model, job.property, job.timeout, job.allow_vacuous] for job in self.jobs]
        return sha256(encode([self.parameters, names, dict(self.digests)])).hexdigest()


def laid_out(request: Request) -> Layout:
    """Give each file of a request its path in the dossier.

    Raises:
        OSError: one cannot be read.
    """
    names: dict[tuple[str, str], str] = {}
    sources: dict[str, Path | bytes] = dict(request.files)
    taken: set[str] = set()

    def placed(folder: str, source: Path) -> str:
        key = folder, sha256(source.read_bytes()).hexdigest()
        if key not in names:
            path, number = f"{folder}/{portable_name(source.name)}", 2
            while path.lower() in taken:
                path = f"{folder}/{number}-{portable_name(source.name)[-100:].lstrip('.')}"
                number += 1
            names[key], sources[path] = path, source
            taken.add(path.lower())
        return names[key]

    jobs = tuple(
        Job(
            number,
            placed("models", case.model),
            placed("properties", case.property),
            case.timeout,
            request.allow_vacuous or case.allow_vacuous,
        )
        for number, case in enumerate(request.cases, start=1)
    )
    limits = request.limits
    parameters = {
        "arithmetic": request.arithmetic,
        "memory": limits.memory,
        "threads": limits.threads,
        "seed": limits.seed,
    }
    digests = {path: digest for (_, digest), path in names.items()}
    digests |= {path: sha256(data).hexdigest() for path, data in request.files.items()}
    return Layout(jobs, sources, digests, parameters)


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
        yield from _in_processes(jobs, folder, working, request)
        return
    reader = cache(read_model)
    with Checker() as checker:
        for job in jobs:
            limits = replace(request.limits, timeout=job.timeout)
            task = Task(limits, working / job.evidence, job.allow_vacuous, request.arithmetic)
            try:
                result = run(folder / job.model, folder / job.property, task, checker, observer, reader)
            except BadInput as error:
                raise BadInput(f"{job.property}: {error}") from error
            if result.reason is not None and result.reason.startswith(INTERRUPTED):
                raise KeyboardInterrupt
            yield job, result.fields()


@dataclass(eq=False)
class _Running:
    job: Job
    process: subprocess.Popen[bytes]
    said: IO[bytes]
    answer: bytes = b""


def _in_processes(
    jobs: Sequence[Job], folder: Path, working: Path, request: Request
) -> Iterator[tuple[Job, Content]]:
    waiting = list(reversed(jobs))
    threads = max(1, request.limits.used_threads // request.jobs)
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or selector.get_map():
                while waiting and len(selector.get_map()) < request.jobs:
                    started = _start(waiting.pop(), folder, working, request, threads)
                    assert started.process.stdout is not None
                    selector.register(started.process.stdout, selectors.EVENT_READ, started)
                for key, _ in selector.select():
                    running: _Running = key.data
                    part = os.read(key.fd, 1 << 16)
                    running.answer += part
                    if not part:
                        selector.unregister(key.fileobj)
                        yield running.job, _ended(running)
        finally:
            _kill_all([key.data for key in selector.get_map().values()])


def _start(job: Job, folder: Path, working: Path, request: Request, threads: int) -> _Running:
    limits = request.limits
    options = ["--timeout", repr(job.timeout), "--memory", str(limits.memory), "--seed", str(limits.seed)]
    options += ["--threads", str(threads), "--certificate", str(working / job.evidence), "--json"]
    if request.arithmetic is not None:
        options += ["--arithmetic", request.arithmetic]
    if job.allow_vacuous:
        options.append("--allow-vacuous")
    command = [*COMMAND, str(folder / job.model), str(folder / job.property), *options]
    said = tempfile.TemporaryFile()
    # A session of its own: Ctrl-C goes to us alone, and we end the child.
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=said,
        start_new_session=True,
        # It parses what strangers wrote, and signs nothing.
        env=child_environment(),
    )
    return _Running(job, process, said)


def _ended(running: _Running) -> Content:
    """The result of a process that has closed its output."""
    code = running.process.wait()
    assert running.process.stdout is not None
    running.process.stdout.close()
    running.said.seek(0)
    said = running.said.read().decode(errors="replace").strip().splitlines()
    running.said.close()
    reason = said[-1].removeprefix("hybrid-ai: ") if said else f"status {code}"
    try:
        content = json.loads(running.answer)
    except ValueError:
        content = None
    if isinstance(content, dict):
        return content
    if code == 2:
        raise BadInput(f"{running.job.property}: {reason}")
    raise CheckerFailure(f"the verification of {running.job.property} ended: {reason}")


def _kill_all(children: Sequence[_Running]) -> None:
    for running in children:
        running.process.kill()
        running.process.wait()
        assert running.process.stdout is not None
        running.process.stdout.close()
        running.said.close()
