"""A plan with everything in it, edits of it, and one with next to nothing in it."""

from __future__ import annotations

GOOD = """\
plan = 1

[system]
id = "system"
version = "1.0"
intended_use = "Tests."
exclusions = ["All else."]

[[model]]
id = "first"
path = "first.onnx"
inputs = [
    { name = "speed", unit = "kt", scale = 10.5, offset = -0.1 },
    { name = "pixel", unit = "1", count = 2 },
]
outputs = [
    { name = "left", unit = "1" },
    { name = "right", unit = "1" },
]

[[model]]
id = "second"
path = "models/second.onnx"
like = "first"

[odd]
description = "Everywhere."

[[odd.input]]
name = "speed"
unit = "kt"
minimum = 0
maximum = 1_000.50
source = "Envelope."

[[odd.input]]
name = "pixel"
unit = "1"
minimum = 0.0
maximum = 1e0

[[odd.constraint]]
formula = "pixel_0 <= pixel_1 + 0.5"

[[requirement]]
id = "ordered"
text = "The left one is not far to the right."
where = "speed < 500 and pixel_0 + pixel_1 <= 1.5"
require = "left <= right + 1000"
assumptions = ["smooth"]

[[requirement]]
id = "file"
text = "As the file says."
parent = "ordered"
models = ["first"]
property = "p.vnnlib"

[[requirement]]
id = "near"
text = "The greatest output stays."
samples = { file = "samples.csv", radius = { speed = 0.1, pixel = 0 } }

[[requirement]]
id = "mapped"
text = "Cell by cell."
where = "100 <= speed <= 200"
require = "left <= 7"
coverage = { inputs = ["speed", "pixel_1"], cells = [4, 3] }

[[assumption]]
id = "smooth"
text = "Nature makes no jumps."

[[objective]]
catalogue = "book"
id = "OBJ 1"
requirements = ["ordered", "near"]

[budget]
timeout = 2.5
seed = 3

[review]
statement = "I have read it."
roles = ["approver"]
"""
# An objective of a shipped catalogue instead of one that no catalogue has.
OBJECTIVE = ('catalogue = "book"\nid = "OBJ 1"', 'catalogue = "easa_concept_paper_issue_02"\nid = "DA-10"')
LEAST = """\
plan = 1
system = { id = "s", version = "1", intended_use = "Tests." }
[[model]]
id = "m"
path = "m.onnx"
inputs = [{ name = "x", unit = "1", count = 2 }]
outputs = [{ name = "y", unit = "1" }]
[[odd.input]]
name = "x"
unit = "1"
minimum = -1
maximum = 1
[[requirement]]
id = "r"
text = "It is bounded."
require = "y <= 3"
"""
SAMPLES = "pixel_1,label,speed,pixel_0\n0.5,left,10,0.25\n 1 ,right,+1e2,0\n"


def edited(*edits: tuple[str, str]) -> str:
    """The plan with texts replaced, each of which is there once or the first of which is meant."""
    text = GOOD
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def line_of(text: str, part: str) -> int:
    """Line of the first occurrence of a part of a text, from 1."""
    assert part in text, part
    return text[: text.index(part)].count("\n") + 1
