"""The examples of docs/formats/vnnlib.md are read as the page says."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

from hybrid_ai.spec import And, Atom, read_vnnlib

PAGE = Path(__file__).parents[3] / "docs" / "formats" / "vnnlib.md"
ONE = Fraction(1)


def test_the_examples_are_read() -> None:
    texts = re.findall(r"^```vnnlib\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    two_instances, single = (read_vnnlib(text.encode()) for text in texts)
    assert (two_instances.instances, two_instances.n_inputs, two_instances.n_outputs) == (2, 4, 2)
    assert isinstance(two_instances.unsafe, And)
    assert two_instances.unsafe.children[-1] == Atom((), ((0, -ONE), (1, ONE)), Fraction(0), True)
    assert isinstance(single.unsafe, And) and isinstance(single.certain, And)
    rounded = Fraction(13_421_773, 2**27)
    assert single.unsafe.children[1] == Atom(((0, ONE),), (), -rounded, False)
    assert single.certain.children[1] == Atom(((0, ONE),), (), Fraction(-1, 10), False)
