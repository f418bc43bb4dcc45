"""A dossier written by hand, from the words of the formats alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

from tests.unit.report.plans import INPUTS, MODELS, Json, assess, plan, sha256

Change = Callable[["Story"], None]

REAL = (
    "arithmetic real: the network over the real numbers, its weights the exact values of the stored floats; "
    "rounding where it is executed is not covered"
)
FLOAT32 = (
    "arithmetic float32: every + - x / is binary32 rounded to nearest, or more precise; sums in any order, "
    "fused or not; constants folded within one affine block; subnormals kept or flushed; no TF32, half "
    "precision, Winograd, FFT or Strassen"
)
ASKED = {
    "allow_vacuous": False,
    "arithmetic": None,
    "memory": 2147483648,
    "seed": 0,
    "threads": None,
    "timeout": 600,
}


@dataclass
class Story:
    """A dossier in the making: what its JSON files say, and its other files by path."""

    plan: Json
    assessment: Json
    results: Json
    bom: Json
    entries: list[Json]
    files: dict[str, bytes] = field(default_factory=dict)
    planned: bool = True

    def write(self, folder: Path, *, ascii: bool = False) -> Path:
        """Write it below a folder; with escapes for all that is not ASCII, where asked for."""
        files = dict(self.files)
        if self.planned:
            files["plan/plan.json"] = json.dumps(self.plan).encode() if ascii else _json(self.plan)
            files["assessment.json"] = _json(self.assessment)
        files["results.json"] = _json(self.results)
        files["bom.cdx.json"] = _json(self.bom)
        files["trace/entries.jsonl"] = b"".join(_json(entry) + b"\n" for entry in self.entries)
        for path, data in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        return folder


@dataclass(frozen=True)
class Wanted:
    """A verification: what it is about, and what came of it."""

    model: str
    verdict: str
    claim: str = "holds"
    cell: tuple[int, ...] | None = None
    sample: int | None = None
    where: dict[str, tuple[str, str]] = field(default_factory=dict)
    by: tuple[str, str] | None = None  # verdicts in real and float32, where they differ
    reason: str | None = None
    point: tuple[str, ...] | None = None
    boxed: bool = True


def written(folder: Path, *changes: Change) -> Path:
    """The dossier, changed, below a new folder."""
    story = planned_story()
    for change in changes:
        change(story)
    return story.write(folder)


def with_disposition(story: Story) -> None:
    """What became of an item: `sealed.with_disposition` tells who signed it."""
    said = {"item": "R-4", "kind": "restricted", "rationale": "Not <near> & slow.", "role": "reviewer"}
    content = {"format": "hybrid-ai-disposition", "version": 1, **said}
    story.files["attachments/0001/disposition.json"] = _json(content)


def with_reused(story: Story) -> None:
    """The first result was taken over from an older dossier."""
    story.results["results"][0]["reused_from"] = "e5" * 32


def planned_story() -> Story:
    requirements = _requirements()
    wanted = [(index, each) for index, (_, runs) in enumerate(requirements) for each in runs]
    files = {path: f"model {name}".encode() for name, path in MODELS.items() if path}
    files["plan/files/encounters.csv"] = b"rho,label\n"
    results, verifications = [], []
    for number, (index, each) in enumerate(wanted, start=1):
        path = f"properties/{number:04}.vnnlib"
        files[path] = f"; property {number}\n(assert (>= Y_0 1500.0)) ; <unsafe> & 'quoted'\n".encode()
        verifications.append(_verification(number, requirements[index][0]["id"], each, path))
        results.append(_result(number, each, path, files))
    for index, (requirement, _) in enumerate(requirements):
        requirement["verifications"] = [n for n, (of, _) in enumerate(wanted, start=1) if of == index]
    planned = plan([requirement for requirement, _ in requirements], verifications)
    return Story(
        plan=planned,
        assessment=assess(planned, results),
        results={"format": "hybrid-ai-results", "version": 1, "results": results},
        bom=_bom(),
        entries=_entries(len(results)),
        files=files,
    )


def _requirements() -> list[tuple[Json, list[Wanted]]]:
    far = {"rho": ("55947.691", "60760"), "v_own": ("1145", "1200"), "v_int": ("0", "60")}
    ahead = {"rho": ("1500", "1800"), "theta": ("-0.06", "0.06"), "psi": ("3.1", "3.141592")}
    point = ("-0.3", "0.0015", "0.4999", "0.20833333333333334", "1/3")
    distant = _requirement(
        "R-1",
        "If the intruder is distant and much slower, clear of conflict scores at most 1500.",
        where="rho >= 55947.691 and v_own >= 1145 and v_int <= 60",
        require="COC <= 1500",
        rationale="A distant intruder needs no advisory.",
        assumptions=["A-1"],
        source="https://example.org/spec#R-1",
        criticality="major",
    )
    close = _requirement(
        "R-2",
        "If the intruder is straight ahead and close, clear of conflict is not the lowest score.",
        where="1500 <= rho <= 1800 and abs(theta) <= 0.06 and psi >= 3.1",
        require="COC > min(WL, WR, SL, SR)",
        parent="R-1",
        acceptance="proved in both arithmetics",
    )
    bounded = _requirement("R-3", "No score ever exceeds 2000.", require="max(COC, WL, WR, SL, SR) <= 2000")
    near = _requirement(
        "R-4",
        "Near and slow, the advice is not to turn left.",
        where="rho <= 6000 and v_own <= 400",
        require="WL > COC",
        coverage={"inputs": ["rho", "theta"], "cells": [6, 4]},
    )
    strong = _requirement(
        "R-5",
        "Strong advice is never given to a distant aircraft.",
        require="SL >= COC and SR >= COC",
        coverage={"inputs": ["rho", "theta", "psi"], "cells": [3, 3, 2]},
    )
    recorded = _requirement(
        "R-6",
        "Around each recorded encounter the advice does not change.",
        samples={"path": "plan/files/encounters.csv", "radius": {"rho": "25", "theta": "0.01"}},
    )
    around = [{"rho": (str(row * 1000), str(row * 1000 + 50))} for row in range(1, 5)]
    return [
        (distant, [Wanted("clear", "proved", where=far), Wanted("left", "proved", where=far)]),
        (
            close,
            [Wanted("clear", "refuted", where=ahead, point=point), Wanted("left", "proved", where=ahead)],
        ),
        (
            bounded,
            [
                Wanted("clear", "unknown", by=("proved", "unknown"), reason="timeout"),
                Wanted("left", "unknown", by=("unknown", "unknown"), reason="timeout"),
            ],
        ),
        (near, [*_cells("clear", (6, 4)), *_cells("left", (6, 4))]),
        (strong, [*_cells("clear", (3, 3, 2))]),
        (
            recorded,
            [Wanted("clear", "proved", sample=row, where=box) for row, box in enumerate(around, start=1)],
        ),
        (
            _requirement("R-7", "The legacy property of the supplier holds."),
            [Wanted("left", "proved", claim="file", boxed=False)],
        ),
        (
            _requirement("R-8", "An objective is missing here.", require="COC <= 9"),
            [Wanted("left", "proved")],
        ),
    ]


def _requirement(identifier: str, text: str, **more: Any) -> Json:
    names = (
        "rationale",
        "source",
        "parent",
        "criticality",
        "acceptance",
        "method",
        "where",
        "require",
        "coverage",
    )
    return {
        "id": identifier,
        "text": text,
        **dict.fromkeys(names),
        "assumptions": [],
        **more,
        "verifications": [],
    }


def _cells(model: str, counts: tuple[int, ...]) -> Iterable[Wanted]:
    """Cells that are proved far from one corner, refuted close to it, and unknown between."""
    for cell in product(*map(range, counts)):
        distance = sum(number / count for number, count in zip(cell, counts, strict=True)) / len(counts)
        distance += 0.08 if model == "left" else 0
        verdicts = ("proved", "refuted") if distance > 0.42 else ("refuted", "proved")
        if 0.25 < distance <= 0.42:
            verdicts = ("unknown", "refuted") if sum(cell) % 3 else ("refuted", "refuted")
        ranges = dict(zip(("rho", "theta", "psi"), zip(cell, counts, strict=True), strict=False))
        where = {name: _part(name, number, count) for name, (number, count) in ranges.items()}
        if model == "clear" and cell == (5, 3):  # a cell that the domain's constraints leave empty
            verdicts = ("proved", "proved")
        for claim, verdict in zip(("holds", "never"), verdicts, strict=True):
            reason = "timeout" if verdict == "unknown" else None
            point = _middle(where) if verdict == "refuted" else None
            yield Wanted(model, verdict, claim, cell=cell, where=where, reason=reason, point=point)


def _part(name: str, number: int, count: int) -> tuple[str, str]:
    low, high = next((Fraction(row[4]), Fraction(row[5])) for row in INPUTS if row[0] == name)
    ends = (low + (high - low) * place / count for place in (number, number + 1))
    low_text, high_text = (f"{float(end):.4f}".rstrip("0").rstrip(".") for end in ends)
    return low_text, high_text


def _middle(where: dict[str, tuple[str, str]]) -> tuple[str, ...]:
    """The middle of a box, in the network's values."""
    coordinates = []
    for name, _, offset, scale, *ends in INPUTS:
        low, high = map(Fraction, where.get(name, (ends[0], ends[1])))
        coordinates.append(str(Decimal(float(((low + high) / 2 - Fraction(offset)) / Fraction(scale)))))
    return tuple(coordinates)


def _verification(number: int, requirement: str, wanted: Wanted, path: str) -> Json:
    return {
        "number": number,
        "requirement": requirement,
        "model": wanted.model,
        "path": path,
        "claim": wanted.claim,
        "sample": wanted.sample,
        "cell": None if wanted.cell is None else list(wanted.cell),
        "box": [_side(row, wanted.where) for row in INPUTS] if wanted.boxed else None,
    }


def _side(row: Sequence[str], where: dict[str, tuple[str, str]]) -> Json:
    name, _, offset, scale, *ends = row
    low, high = where.get(name, (ends[0], ends[1]))
    network = []
    for end, rounding in ((low, ROUND_FLOOR), (high, ROUND_CEILING)):
        exact = (Fraction(end) - Fraction(offset)) / Fraction(scale)
        context = Context(prec=30, rounding=rounding)
        network.append(f"{context.divide(Decimal(exact.numerator), Decimal(exact.denominator)):f}")
    return {"name": name, "minimum": low, "maximum": high, "network": network}


def _result(number: int, wanted: Wanted, path: str, files: dict[str, bytes]) -> Json:
    model = MODELS[wanted.model]
    real, float32 = wanted.by or (wanted.verdict, wanted.verdict)
    stem = f"evidence/{number:04}"
    certificate = point = None
    if real == "proved":
        files[f"{stem}.certificate"] = b"certificate " * number
        certificate = _described(f"{stem}.certificate", files)
    if wanted.point:
        files[f"{stem}.counterexample.json"] = _json({"x": wanted.point})
        point = {
            "x": list(wanted.point),
            "outputs": {
                "real": [1511.25, 20.5, 18.03125, 19.75, 22.000001],
                "float32": [1511.25, 20.5, 18.0, 19.75, 22.0],
            },
            "violates": {"real": True, "float32": True},
            "atom": "(<= Y_0 Y_1)",
            "runtime": {"version": "1.31.1", "provider": "CPUExecutionProvider", "error": None},
            "file": _described(f"{stem}.counterexample.json", files),
        }
    seconds = 0.1 + (number * 37 % 101) / 7
    return {
        "arithmetics": {"real": real, "float32": float32},
        "assumptions": [REAL, FLOAT32],
        "bounded": number * 131 % 977,
        "certificate": certificate,
        "checked_by": "fast 0.1.0" if certificate or point else None,
        "counterexample": point,
        "entry": number + 1,
        "evidence": (certificate or (point or {}).get("file") or {}).get("path"),
        "failed": False,
        "leaves": number * 13 % 211,
        "margin": 0.125 if certificate else None,
        "model": model,
        "model_sha256": sha256(files[model]),
        "parameters": ASKED,
        "property": path,
        "property_sha256": sha256(files[path]),
        "reason": wanted.reason,
        "reasons": {"float32": wanted.reason} if wanted.reason else {},
        "repairs": number % 2,
        "seconds": {"search": seconds * 0.8, "check": seconds * 0.1, "total": seconds},
        "vacuous": False,
        "verdict": wanted.verdict,
        "version": "0.1.0",
    }


def _described(path: str, files: dict[str, bytes]) -> Json:
    return {"path": path, "sha256": sha256(files[path]), "bytes": len(files[path])}


def _bom() -> Json:
    software = [
        ("hybrid-ai", "0.1.0", "library"),
        ("numpy", "2.4.6", "library"),
        ("python", "3.11.7", "platform"),
    ]
    components = [{"type": kind, "name": name, "version": version} for name, version, kind in software]
    return {
        "bomFormat": "CycloneDX",
        "components": [{"type": "file", "name": "models/clear.onnx"}, *components],
    }


def _entries(verifications: int) -> list[Json]:
    opening = {"format": "hybrid-ai-trace", "version": 1, "log": "0123456789abcdef" * 2}
    actions = [("log/open", opening), ("certify/start", {}), *[("verify", {})] * verifications]
    return [
        {
            "sequence": number,
            "time": f"2026-11-20T22:{number // 60 % 60:02}:{number % 60:02}.007Z",
            "run": "ab" * 16,
            "action": action,
            "parameters": parameters,
        }
        for number, (action, parameters) in enumerate(actions)
    ]


def without_plan(story: Story) -> None:
    """Few results, and nothing that was planned."""
    story.planned = False
    del story.results["results"][7:]


def with_checkpoint(story: Story) -> None:
    """Two checkpoints; the later one is the head."""
    roots = {"000000000003": "AAAA", "000000000300": "8qmdCTituGyEPq2cSy/iQ8MxxO4a72bvXaHil6C3MAQ="}
    for size, root in roots.items():
        note = f"hybrid-ai.log/x\n{int(size)}\n{root}\n\n\u2014 x AAAA\n"
        story.files[f"trace/checkpoints/{size}.note"] = note.encode()


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
