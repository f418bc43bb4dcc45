"""Compares the rows that `hybrid-ai verify --suite` wrote with the known verdicts of a suite.

    python benchmarks/compare_verdicts.py OUT.jsonl INSTANCES.csv

`unsat` in the suite means proved, `sat` refuted; other words (`disputed`) are no known verdict.
Exit status: 0 when nothing contradicts, 1 when a verdict contradicts, 2 when a file cannot be read.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections import Counter
from pathlib import Path

KNOWN = {"unsat": "proved", "sat": "refuted"}
Pair = tuple[str, str]


def known_verdicts(instances: Path) -> dict[Pair, str]:
    with open(instances, newline="", encoding="utf-8") as stream:
        return {(row["onnx"], row["vnnlib"]): row["verdict"] for row in csv.DictReader(stream)}


def found_verdicts(rows: Path) -> dict[Pair, str]:
    lines = [json.loads(line) for line in rows.read_text(encoding="utf-8").splitlines()]
    return {(line["onnx"], line["vnnlib"]): line["verdict"] for line in lines}


def judge(known: str, found: str | None) -> str:
    """One of: agrees, contradicts, open (no known verdict), undecided (no verdict found), missing."""
    if found is None:
        return "missing"
    if found not in KNOWN.values():
        return "undecided"
    if known not in KNOWN:
        return "open"
    return "agrees" if KNOWN[known] == found else "contradicts"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Compare verdicts with known ones.")
    parser.add_argument("rows", type=Path, metavar="OUT.jsonl")
    parser.add_argument("instances", type=Path, metavar="INSTANCES.csv")
    options = parser.parse_args(arguments)
    try:
        known, found = known_verdicts(options.instances), found_verdicts(options.rows)
    except (OSError, ValueError, KeyError) as error:
        print(f"cannot be read: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    counts: Counter[str] = Counter()
    for pair, verdict in known.items():
        outcome = judge(verdict, found.get(pair))
        counts[outcome] += 1
        if outcome not in ("agrees", "open"):
            print(f"{outcome}: {pair[0]} {pair[1]}: known {verdict}, found {found.get(pair)}")
    print(", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())) or "no instances")
    return 1 if counts["contradicts"] else 0


if __name__ == "__main__":
    sys.exit(main())
