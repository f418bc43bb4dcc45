"""What a report shows: a value, and where in the dossier's JSON it stands.

Every datum is shown with an attribute `data-source` that names its origin, so that a program can compare the
page with the dossier: `results.json#/results/3/seconds/total` is a file and a JSON pointer (RFC 6901) into
it. The lines of `trace/entries.jsonl` count as one array. `verification` stands for what the verification of
the sealed dossier reported, `files` for the SHA-256 of all files but the log's. A file without `#` is read as
text.

What is derived says how, in `data-rule`. NUMBERS are like `1-3,7`, count from 1, and mean all where they are
left out:

    length                         number of items of the array
    ordinal                        last number of the pointer, counted from 1
    key                            last name of the pointer
    index TEXT                     TEXT, followed by the last number of the pointer
    numbers                        whole numbers of the array, as NUMBERS
    some                           likewise, of some of them
    count POINTER VALUE [NUMBERS]  items of the array whose POINTER has the text VALUE
    present POINTER [NUMBERS]      items of the array whose POINTER is not null
    sum POINTER [NUMBERS]          over the items of the array, the sum of the numbers at POINTER; null is 0
    percent                        the fraction, times 100
    physical FILE#POINTER          the number, times `scale` plus `offset` of the quantity at FILE#POINTER,
                                   rounded to 17 digits
    line N                         line N of the text, from 1
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

# text: in words, of any language.       code: a formula, path, id or version.
# word: one of the tool's own words, which a catalogue translates.
# phrase: a sentence of the tool's own; a catalogue translates those it knows, others stay English.
# integer, numbers (as `ranged` writes them), exact, fraction: shown as they are.
# double, seconds, percent: rounded when shown.
Kind = Literal[
    "text",
    "code",
    "digest",
    "word",
    "phrase",
    "time",
    "integer",
    "numbers",
    "exact",
    "double",
    "seconds",
    "fraction",
    "percent",
]


@dataclass(frozen=True)
class Datum:
    """A value with its origin.

    Attributes:
        value: the text, or the number in full.
        source: where it stands.
        kind: what it is, and so how it is shown.
        rule: how it follows from what stands there; empty when it is just that.
    """

    value: str
    source: str
    kind: Kind
    rule: str = ""

    def as_kind(self, kind: Kind) -> Datum:
        """The same, shown as another kind."""
        return replace(self, kind=kind)


def ranged(numbers: Iterable[int]) -> str:
    """Whole numbers as text: `1-3,7` for 1, 2, 3 and 7.

    Args:
        numbers: in any order.
    """
    runs: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if runs and runs[-1][1] == number - 1:
            runs[-1] = runs[-1][0], number
        else:
            runs.append((number, number))
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def over(rule: str, numbers: Sequence[int] | None) -> str:
    """A rule restricted to some items of its array; None for all."""
    return rule if numbers is None else f"{rule} {ranged(numbers)}"
