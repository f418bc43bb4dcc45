"""Hints from outside: malformed ones are refused, none at all is told and changes nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hybrid_ai.pipeline.errors import BadInput
from hybrid_ai.pipeline.verify import verify
from hybrid_ai.search.hints import Hints, NoHints, RootQuestion
from tests.unit.search.problems import Asked, dense, vnnlib

OPEN = Asked(  # a root that is open after the first attacks
    dense([3, 12, 12, 2], 2),
    vnnlib(3, 2, "(<= Y_0 -1)", bounds=[("-1", "1")] * 3),
)


def constant(question: RootQuestion) -> Hints:
    n = question.staged.neuron_count
    return Hints(np.full((n, 2, n), 0.5), np.full((question.offsets.size, n), 0.5))


def nan(question: RootQuestion) -> Hints:
    hints = constant(question)
    hints.rows[:] = np.nan
    return hints


def nothing(question: RootQuestion) -> Hints:
    raise NoHints("the source is empty")


def test_malformed_hints_are_bad_input(tmp_path: Path) -> None:
    kept = tmp_path / "evidence"
    with pytest.raises(BadInput, match="hints for rows hold a slope that is no number of 0 to 1"):
        verify(OPEN.model, OPEN.text, hints=nan, certificate=kept)
    assert not kept.exists()


def test_a_source_without_hints_is_told() -> None:
    told: list[str] = []
    result = verify(OPEN.model, OPEN.text, hints=nothing, notice=told.append)
    assert told[-1] == "no hints: the source is empty; searching without"
    assert result.verdict == verify(OPEN.model, OPEN.text).verdict == "proved"


def test_hints_are_checked_like_all_else() -> None:
    assert verify(OPEN.model, OPEN.text, hints=constant).verdict == "proved"
