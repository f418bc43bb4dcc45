"""Several instances to verify, and where everything about them is in a dossier."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from hybrid_ai.audit.additions import portable_name
from hybrid_ai.audit.results import statement_path
from hybrid_ai.audit.verification.canonical import encode
from hybrid_ai.pipeline.limits import Limits
from hybrid_ai.pipeline.verify import Arithmetic

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

    def asked(self, job: Job) -> Content:
        """The parameters of a job, as its result states them."""
        return {**self.parameters, "timeout": job.timeout, "allow_vacuous": job.allow_vacuous}


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
