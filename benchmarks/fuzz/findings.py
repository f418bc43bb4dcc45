"""The folder of findings: one file of input for each kind and place, the smallest seen."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from time import monotonic

from benchmarks.fuzz.guard import Finding, Reader, observe


@dataclass(frozen=True)
class Kept:
    """A finding and the file that shows it."""

    finding: Finding
    file: Path


def keep(folder: Path, finding: Finding, data: bytes) -> Path:
    """Write a finding, unless a smaller input shows the same."""
    folder.mkdir(parents=True, exist_ok=True)
    # where time or memory runs out is chance
    place = "" if finding.kind in ("slow", "memory") else finding.place
    name = f"{finding.kind}-{sha256(place.encode()).hexdigest()[:8]}"
    file = folder / f"{name}.input"
    if not file.exists() or file.stat().st_size > len(data):
        file.write_bytes(data)
        file.with_suffix(".txt").write_text(f"{finding.place}\n{finding.detail}", encoding="utf-8")
    return file


def confirmed(folder: Path, reader: Reader, seconds: float) -> list[Kept]:
    """The findings that still are some, each input made small for at most that long; others are removed."""
    kept = []
    for file in sorted(folder.glob("*.input")):
        data = file.read_bytes()
        finding = observe(reader, data)
        if finding is None:
            file.unlink()
            file.with_suffix(".txt").unlink(missing_ok=True)
            continue
        small = smaller(data, partial(_shows, reader, finding.kind), seconds)
        file.write_bytes(small)
        kept.append(Kept(observe(reader, small) or finding, file))
    return kept


def _shows(reader: Reader, kind: str, data: bytes) -> bool:
    finding = observe(reader, data)
    return finding is not None and finding.kind == kind


def smaller(data: bytes, still: Callable[[bytes], bool], seconds: float) -> bytes:
    """Leave out halves, quarters, ... single bytes while the rest still shows it."""
    end, size = monotonic() + seconds, len(data) // 2
    while size >= 1 and monotonic() < end:
        start = 0
        while start < len(data) and monotonic() < end:
            shorter = data[:start] + data[start + size :]
            if still(shorter):
                data = shorter
            else:
                start += size
        size //= 2
    return data


def say(kept: Kept) -> None:
    """Print one finding."""
    print(f"FINDING {kept.finding.kind}: {kept.finding.place}: {kept.file}", file=sys.stderr)
