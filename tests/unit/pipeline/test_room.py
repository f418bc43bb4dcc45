"""Results that would not fit into a dossier are refused before hours are spent on them."""

from __future__ import annotations

import json
import random
from fractions import Fraction
from pathlib import Path

import pytest

from hybrid_ai.audit.verification import canonical
from hybrid_ai.audit.verification.canonical import VALUES_LIMIT, decode, encode
from hybrid_ai.audit.verification.evidence import RESULTS_LIMIT
from hybrid_ai.audit.verification.rejected import Refused
from hybrid_ai.pipeline import room
from hybrid_ai.pipeline.certification import MOST_CASES, certify
from hybrid_ai.pipeline.counterexample import exact_text
from hybrid_ai.pipeline.errors import BadInput
from hybrid_ai.pipeline.replay import replay
from hybrid_ai.pipeline.room import require_room
from hybrid_ai.pipeline.showing import contents, shown
from tests.audit_builder import demo_sources
from tests.certified import (
    QUIET,
    SIGNER,
    VERDICTS,
    Content,
    certified_copy,
    demo_request,
    ignore,
    verified,
)

CLAIM = Path("p.vnnlib")


def refuted(inputs: int, outputs: int) -> Content:
    """A result with a point that has as many digits as doubles have, and outputs likewise."""
    (found,) = [source.result for source in demo_sources() if source.result["verdict"] == "refuted"]
    result: Content = json.loads(json.dumps(dict(found)))
    chance = random.Random(3)
    numbers = [chance.uniform(-1, 1) * 10.0 ** chance.randint(-9, 5) for _ in range(inputs)]
    point = result["counterexample"]
    point["x"] = [exact_text(Fraction(number)) for number in numbers]
    values = [chance.uniform(-1, 1) * 10.0 ** chance.randint(-9, 5) for _ in range(outputs)]
    point["outputs"] = {"real": values, "float32": values}
    point["atom"] = " and ".join(f"(<= Y_{index} {value!r})" for index, value in enumerate(values))
    names = ("model", "property", "evidence")
    return {**result, **dict.fromkeys(names, "x" * 120), "reason": "x" * 1000, "entry": 10**6}


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (5, 5), (784, 10), (3072, 43), (20, 3000)])
def test_no_result_takes_more_room_than_is_counted(
    monkeypatch: pytest.MonkeyPatch, inputs: int, outputs: int
) -> None:
    result = refuted(inputs, outputs)
    monkeypatch.setattr(room, "RESULTS_LIMIT", len(encode(result)) - 1)
    with pytest.raises(BadInput, match="parts"):
        require_room([(CLAIM, inputs, outputs)])
    counted = room.VALUES + room.VALUES_OF_INPUT * inputs + room.VALUES_OF_OUTPUT * outputs
    bare = json.dumps(result["counterexample"])
    assert bare.count(",") + sum(map(bare.count, "[]{}")) + 100 < counted


def test_as_many_small_results_as_a_dossier_can_have_fit() -> None:
    """All of `acasxu` refuted 53 times over, or every result unknown."""
    require_room([(CLAIM, 5, 5)] * MOST_CASES)
    require_room([(CLAIM, 0, 0)] * MOST_CASES)


def test_what_does_not_fit_is_refused_with_a_remedy() -> None:
    limit = RESULTS_LIMIT // (room.BYTES + room.BYTES_OF_INPUT * 784 + room.BYTES_OF_OUTPUT * 10)
    require_room([(CLAIM, 784, 10)] * limit)
    with pytest.raises(BadInput, match=r"results may need .* certify in 2 parts"):
        require_room([(CLAIM, 784, 10)] * (limit + 1))
    require_room([(CLAIM, VALUES_LIMIT - room.VALUES - 2, 1)])
    with pytest.raises(BadInput, match=r"p\.vnnlib: 1047552 inputs and 1 outputs: .* verify it by itself"):
        require_room([(CLAIM, VALUES_LIMIT - room.VALUES, 1)])


def test_it_is_refused_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "RESULTS_LIMIT", 3 * room.BYTES)
    with pytest.raises(BadInput, match="certify in 2 parts"):
        certify(demo_request(), tmp_path / "d", SIGNER, QUIET, ignore)
    assert not list(tmp_path.iterdir())


def test_a_results_file_of_more_values_than_a_text_read_as_a_whole_verifies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is compared with the statements one by one, each of which is below the limit."""
    root = certified_copy(tmp_path / "d")
    monkeypatch.setattr(canonical, "VALUES_LIMIT", 150)
    with pytest.raises(Refused, match="more than 150 values"):
        decode((root / "results.json").read_bytes(), "results.json")
    assert [result.verdict for result in verified(root).results] == VERDICTS
    assert len(contents(root)["results"]) == 3 and "refuted" in shown(root)
    found = replay(root, engine="fast", search=False, observer=QUIET, on_result=lambda _: None)
    assert [each.agreement for each in found] == ["agrees"] * 3
