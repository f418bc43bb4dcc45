"""An unsound prover's certificates of false properties are refused, a sound one's of true ones accepted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from hybrid_ai.bounds import Arithmetic
from tests.soundness.unsound_prover import judge
from tests.soundness.unsound_prover.judge import ENGINES, judge_sound, judge_way
from tests.soundness.unsound_prover.problems import Falsehood, false
from tests.soundness.unsound_prover.prover import claim
from tests.soundness.unsound_prover.ways import WAYS, Way

A_WAY = 2
MOST_ASKED = 80
SOUND = 12
# Of the other files, bytes are missing or stand for other steps.
BROKEN = ("disjunct forgotten", "tree of another polytope")


def way_named(name: str) -> Way:
    return next(way for way in WAYS if way.name == name)


def test_there_are_twenty_ways_and_more() -> None:
    assert len({way.name for way in WAYS}) == len(WAYS) >= 20


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_no_certificate_of_a_false_property_is_accepted(way: Way, tmp_path: Path) -> None:
    """Well-formed ones are refused for a closing that does not hold, which is where the lie is."""
    tally = judge_way(way, A_WAY, tmp_path, most=MOST_ASKED)
    assert tally.accepted == []
    assert tally.claimed == A_WAY, "the prover does not claim what it should: the lie does not bite"
    for engine in ENGINES:
        assert tally.rules[engine].total() == A_WAY
        if way.name not in BROKEN:
            assert tally.rules[engine] == Counter({"closing": A_WAY})


@pytest.mark.parametrize(("arithmetic", "share"), [("real", 0.7), ("both", 0.4)])
def test_the_sound_prover_claims_true_neighbours_and_both_engines_accept(
    arithmetic: Arithmetic, share: float
) -> None:
    sound = judge_sound(SOUND, arithmetic)
    assert sound.accepted == sound.claimed
    assert sound.claimed >= share * sound.asked


def test_the_sound_prover_claims_none_of_the_false_properties() -> None:
    asked = [falsehood for falsehood in map(false, range(12)) if falsehood is not None]
    assert len(asked) > 4
    assert [claim(falsehood) for falsehood in asked] == [None] * len(asked)


def test_an_acceptance_is_noticed_and_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(judge, "check", lambda *_, **__: None)
    tally = judge_way(way_named("certificate of a true neighbour"), 1, tmp_path, most=MOST_ASKED)
    assert len(tally.accepted) == len(ENGINES)
    (kept,) = tmp_path.iterdir()
    assert str(kept) in tally.accepted[0]
    assert {file.name for file in kept.iterdir()} == {
        "certificate",
        "model.onnx",
        "property.vnnlib",
        "witness.txt",
    }


def test_what_is_not_false_is_noticed() -> None:
    falsehood = next(found for found in map(false, range(20)) if found is not None)
    falsehood.show_false()
    true: Falsehood = falsehood.neighbour("real")
    with pytest.raises(AssertionError, match="not known to be false"):
        true.show_false()
