"""What another verifier answers: the laboratory as files, its answers as a table.

`python -m tests.soundness.laboratory.peer write FOLDER` writes ONNX and VNN-LIB files and an instances.csv as
VNN-COMP has, without the cases that its VNN-LIB cannot say (strict comparisons, products). `... read FILE`
prints a table by family from JSON lines with "onnx" (the file's name), "answer" (verified, falsified, unknown
or error) and, where falsified, "x" (the numbers as text), which is judged leniently: as printed or as a point
of the input set that float32 reads so, in any of the laboratory's executions.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

from tests.soundness.laboratory.case import Case
from tests.soundness.laboratory.collection import all_cases
from tests.soundness.laboratory.executions import NAMES, execute, read_as, to_float32, violates
from tests.soundness.laboratory.prover import violates_exactly

WORDS = ("verified", "falsified", "unknown", "error")
HEADER = (
    "| family | cases | verified / falsified / unknown / error | false in real, of these verified | false in "
    "float32, of these verified | falsified, of these not at that point in real | nor in float32 "
    "| wrong in real | wrong in float32 | wrong in both |"
)


def portable_cases() -> list[Case]:
    return [c for c in all_cases() if not any(sign in c.property for sign in ("(< ", "(> ", "(* "))]


@dataclass(frozen=True)
class Judged:
    """An answer, and whether it is wrong over the reals and in float32."""

    case: Case
    word: str
    wrong: bool
    wrong32: bool


def stem(case: Case) -> str:
    """The name of the case's files, which depends on nothing but what is in them."""
    return f"{case.family}-{sha256(case.model + case.property.encode()).hexdigest()[:12]}"


def write(folder: Path, cases: Sequence[Case]) -> None:
    """Write all cases and the list of instances into an existing folder."""
    for case in cases:
        (folder / f"{stem(case)}.onnx").write_bytes(case.model)
        (folder / f"{stem(case)}.vnnlib").write_text(case.property, encoding="utf-8")
    lines = "".join(f"{stem(case)}.onnx,{stem(case)}.vnnlib,20\n" for case in cases)
    (folder / "instances.csv").write_text(lines, encoding="utf-8")


def read(text: str, cases: Sequence[Case]) -> list[Judged]:
    """Judge the answers; raises ValueError unless each case has exactly one."""
    by_name = {f"{stem(case)}.onnx": case for case in cases}
    answers = [json.loads(line) for line in text.splitlines()]
    if sorted(str(answer["onnx"]) for answer in answers) != sorted(by_name):
        raise ValueError("the answers are not one for each case: write the files again, ask again")
    return [judge(by_name[a["onnx"]], a["answer"], a.get("x", [])) for a in answers]


def judge(case: Case, word: str, x: Sequence[str]) -> Judged:
    """What is wrong with an answer; raises ValueError for an unknown word or not one number per input."""
    if word not in WORDS:
        raise ValueError(f"{word} is no answer, use one of {', '.join(WORDS)}")
    if word == "falsified":
        exact = [Fraction(value) for value in x]
        narrow = [to_float32(value) for value in exact]
        real = any(p and violates_exactly(case, p) for p in (exact, read_as(case.property, narrow)))
        in32 = any(violates(case.property, narrow, execute(case.model, narrow, name)) for name in NAMES)
        return Judged(case, word, not real, not in32)
    proved = word == "verified"
    return Judged(case, word, proved and case.real == "fails", proved and case.float32 == "fails")


def table(judged: Sequence[Judged]) -> str:
    """The answers by family, as a markdown table."""
    families = dict.fromkeys(one.case.family for one in judged)
    lines = [_line(family, [one for one in judged if one.case.family == family]) for family in families]
    return "\n".join([HEADER, "|---|" + "---:|" * 9, *lines, _line("all", judged)])


def _line(name: str, judged: Sequence[Judged]) -> str:
    words = [one.word for one in judged]
    verified, points = ([j for j in judged if j.word == word] for word in ("verified", "falsified"))
    both = [one for one in judged if one.wrong and one.wrong32]
    columns = [
        " / ".join(str(words.count(word)) for word in WORDS),
        f"{sum(one.case.witness is not None for one in judged)}, {sum(one.wrong for one in verified)}",
        f"{sum(one.case.witness32 is not None for one in judged)}, {sum(one.wrong32 for one in verified)}",
        f"{len(points)}, {sum(one.wrong for one in points)} | {sum(one in both for one in points)}",
        f"{sum(one.wrong for one in judged)} | {sum(one.wrong32 for one in judged)} | {len(both)}",
    ]
    return " | ".join([f"| {name}", str(len(judged)), *columns]) + " |"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("write", "read"))
    parser.add_argument("path", type=Path)
    arguments = parser.parse_args()
    if arguments.what == "write":
        write(arguments.path, portable_cases())
    else:
        print(table(read(arguments.path.read_text(encoding="utf-8"), portable_cases())))


if __name__ == "__main__":
    main()
