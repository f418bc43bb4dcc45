"""The shipped example: a braking-distance network with two properties that hold and one that fails."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from hybrid_ai.pipeline.checking import Checker
from hybrid_ai.pipeline.files import make_folder, write_atomically
from hybrid_ai.pipeline.limits import Limits
from hybrid_ai.pipeline.result import Result, Verdict
from hybrid_ai.pipeline.verify import Observer, Task, run

MODEL, PLAN = "braking.onnx", "braking.toml"


@dataclass(frozen=True, slots=True)
class Claim:
    """A shipped property: its file, what it says, and how it is known to end."""

    file: str
    says: str
    expected: Verdict


CLAIMS = (
    Claim("braking_limit.vnnlib", "wet or dry runway: predicted distance below 1400 m", "proved"),
    Claim("braking_envelope.vnnlib", "whole domain: prediction between 113 m and 2969 m", "proved"),
    Claim("braking_short_runway.vnnlib", "wet or dry runway: predicted distance below 1206 m", "refuted"),
)


@dataclass(frozen=True, slots=True)
class Demonstrated:
    """A claim, its result and its evidence file."""

    claim: Claim
    result: Result
    evidence: Path

    @property
    def as_expected(self) -> bool:
        """Whether it ended as it is known to."""
        return self.result.verdict == self.claim.expected


def run_demo(
    folder: Path, limits: Limits, observer: Observer, on_result: Callable[[Demonstrated], None]
) -> list[Demonstrated]:
    """Verify the shipped example and leave its files, the evidence and `results.json` in a folder.

    Raises:
        BadInput: the folder cannot be written.
    """
    make_folder(folder, "-o")
    shipped = files("hybrid_ai") / "demo"
    for name in (MODEL, PLAN, *(claim.file for claim in CLAIMS)):
        write_atomically(folder / name, (shipped / name).read_bytes())
    shown = []
    with Checker(compiled=True) as checker:
        for claim in CLAIMS:
            suffix = ".certificate" if claim.expected == "proved" else ".counterexample.json"
            evidence = folder / (Path(claim.file).stem + suffix)
            result = run(folder / MODEL, folder / claim.file, Task(limits, evidence), checker, observer)
            shown.append(Demonstrated(claim, result, evidence))
            on_result(shown[-1])
    rows = [{"onnx": MODEL, "vnnlib": each.claim.file, **each.result.fields()} for each in shown]
    write_atomically(folder / "results.json", json.dumps(rows, indent=1, allow_nan=False).encode() + b"\n")
    return shown


def check_command(folder: Path, shown: Demonstrated) -> str:
    """The command that re-proves a result."""
    return shlex.join(
        ["hybrid-ai", "check", str(folder / MODEL), str(folder / shown.claim.file), str(shown.evidence)]
    )
