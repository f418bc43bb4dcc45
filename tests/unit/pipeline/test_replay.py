"""Replay: what a dossier says is judged again, whoever has signed it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hybrid_ai.audit.verification.canonical import encode
from hybrid_ai.pipeline.checking import Checker, CheckResult
from hybrid_ai.pipeline.dossiers import attach, unpacked, zip_dossier
from hybrid_ai.pipeline.errors import BadInput
from hybrid_ai.pipeline.replay import Replayed, judged, replay
from hybrid_ai.pipeline.verify import Observer, Task
from tests.audit_builder import sha256
from tests.certified import OTHER, QUIET, SIGNER, Content, certified_copy, resealed, results_of, verified

Change = Callable[[int, Content, Path], None]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certified_copy(tmp_path_factory.mktemp("replay") / "d")


def replayed(path: Path, *, search: bool = False, engine: Any = "fast", **more: Any) -> list[Replayed]:
    told: list[Replayed] = []
    options: dict[str, Any] = {"observer": QUIET, **more}
    found = replay(path, engine=engine, search=search, on_result=told.append, **options)
    assert told == found
    return found


def agreements(path: Path, *, search: bool = False, engine: Any = "fast") -> list[str]:
    return [each.agreement for each in replayed(path, search=search, engine=engine)]


def unknown(result: Content) -> None:
    result |= {"verdict": "unknown", "evidence": None, "certificate": None, "counterexample": None}
    result |= {"arithmetics": dict.fromkeys(result["arithmetics"], "unknown"), "reason": "timeout"}


def test_what_fast_rejects_goes_to_exact(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(checker: Checker, *files: Any) -> CheckResult:
        if files[3] == "fast":
            return CheckResult("rejected", rule="close", where="tree 0", reason="not shown")
        return asked(checker, *files)

    asked = Checker.ask
    monkeypatch.setattr(Checker, "ask", ask)
    found = replayed(root)
    assert found[0].agreement == "agrees" and "engine exact" in found[0].detail


@pytest.mark.parametrize("engine", ["fast", "exact"])
def test_what_was_certified_agrees(root: Path, engine: str) -> None:
    found = replayed(root, engine=engine)
    assert [each.agreement for each in found] == ["agrees"] * 3
    assert f"engine {engine}" in found[0].detail
    assert found[2].detail == "the point violates in real and float32 arithmetic"
    assert (
        found[2]
        .line()
        .startswith("models/braking.onnx properties/braking_short_runway.vnnlib: refuted, agrees")
    )


def test_what_hides_that_nothing_was_shown_contradicts(root: Path, tmp_path: Path) -> None:
    """And the other way round: a certificate about inputs is not about none."""
    told = results_of(root)[0]
    for vacuous in (True, False):
        answer = CheckResult("valid", "certificate", "both", "fast", vacuous=vacuous)
        for says in (True, False):
            found = judged(root, {**told, "vacuous": says}, "fast", lambda *_, answer=answer: answer)
            assert found.agreement == ("agrees" if says is vacuous else "contradicts")


def test_searches_agree(root: Path) -> None:
    found = replayed(root, search=True)
    assert [each.agreement for each in found] == ["agrees"] * 3
    assert all("; searched again: " in each.detail for each in found)


def test_a_zip_is_replayed(root: Path, tmp_path: Path) -> None:
    zip_dossier(root, tmp_path / "d.zip")
    with unpacked(tmp_path / "d.zip") as folder:
        assert folder != root and agreements(folder) == ["agrees"] * 3
    assert not folder.exists()


def cut_certificate(index: int, result: Content, target: Path) -> None:
    if index == 0:
        path = target / result["evidence"]
        path.write_bytes(path.read_bytes()[:-4])


def swapped_certificate(index: int, result: Content, target: Path) -> None:
    """The body of the second's certificate under the first's name."""
    if index == 0:
        first, second = target / "evidence/0001.certificate", target / "evidence/0002.certificate"
        first.write_bytes(first.read_bytes()[:75] + second.read_bytes()[75:])


def moved_point(index: int, result: Content, target: Path) -> None:
    if index == 2:
        path = target / result["evidence"]
        content = json.loads(path.read_bytes())
        content["x"] = result["counterexample"]["x"] = ["100"] + ["0"] * 4
        path.write_bytes(json.dumps(content).encode())


def proved_after_all(index: int, result: Content, target: Path) -> None:
    """The refuted property called proved, by another's certificate with this one's digests."""
    if index != 2:
        return
    data = (target / "evidence/0001.certificate").read_bytes()
    head = data[:11] + bytes.fromhex(result["model_sha256"]) + bytes.fromhex(result["property_sha256"])
    (target / "evidence/0003.counterexample.json").unlink()
    (target / "evidence/0003.certificate").write_bytes(head + data[75:])
    result |= {"verdict": "proved", "counterexample": None, "evidence": "evidence/0003.certificate"}
    result["arithmetics"] = dict.fromkeys(result["arithmetics"], "proved")


def real_alone(index: int, result: Content, target: Path) -> None:
    """Proved in real arithmetic alone by a certificate that proves nothing: the verdict is unknown."""
    if index == 0:
        result |= {"verdict": "unknown", "arithmetics": {"float32": "unknown", "real": "proved"}}
        swapped_certificate(index, result, target)


def less_claimed(index: int, result: Content, target: Path) -> None:
    """The point is said to violate in real arithmetic alone, although it does in float32 as well."""
    if index == 2:
        path = target / result["evidence"]
        content = json.loads(path.read_bytes())
        content["arithmetic"]["float32"] = result["counterexample"]["violates"]["float32"] = False
        path.write_bytes(json.dumps(content).encode())
        result["arithmetics"]["float32"] = "unknown"


def less_told(index: int, result: Content, target: Path) -> None:
    """The result says that its point does not violate in real arithmetic; its file says that it does."""
    if index == 2:
        result["counterexample"]["violates"]["real"] = False
        result["arithmetics"]["real"] = "unknown"


@pytest.mark.parametrize(
    ("change", "index"),
    [
        (cut_certificate, 0),
        (swapped_certificate, 0),
        (moved_point, 2),
        (proved_after_all, 2),
        (real_alone, 0),
        (less_claimed, 2),
        (less_told, 2),
    ],
)
def test_what_is_signed_but_not_so_contradicts(
    root: Path, tmp_path: Path, change: Change, index: int
) -> None:
    forged = resealed(root, tmp_path / "d", change, OTHER)
    verified(forged, OTHER)  # whoever signs can sign anything: integrity says nothing about truth
    expected = ["agrees"] * 3
    expected[index] = "contradicts"
    assert agreements(forged) == expected


def test_what_was_not_changed_agrees_when_sealed_by_another(root: Path, tmp_path: Path) -> None:
    copy = resealed(root, tmp_path / "d", lambda *_: None, OTHER)
    verified(copy, OTHER)
    assert agreements(copy) == ["agrees"] * 3


def test_what_was_unknown_and_is_decided_now_differs(root: Path, tmp_path: Path) -> None:
    def change(index: int, result: Content, target: Path) -> None:
        if index != 1:
            (target / result["evidence"]).unlink()
            unknown(result)

    copy = resealed(root, tmp_path / "d", change, OTHER)
    verified(copy, OTHER)
    assert agreements(copy) == ["nothing to replay", "agrees", "nothing to replay"]
    found = replayed(copy, search=True)
    assert [each.agreement for each in found] == ["differs", "agrees", "differs"]
    assert "searched again: proved" in found[0].detail and "searched again: refuted" in found[2].detail


def test_a_search_that_finds_the_opposite_contradicts(root: Path, tmp_path: Path) -> None:
    """The evidence holds, but the signed result asks about another arithmetic's verdict than it has."""

    def change(index: int, result: Content, target: Path) -> None:
        if index == 0:
            result["arithmetics"] = {"float32": "proved", "real": "proved"}

    copy = resealed(root, tmp_path / "d", change, OTHER)
    from hybrid_ai.pipeline import replay as module

    inner = module.run

    def lying(model: Path, claim: Path, *more: Any) -> Any:
        return inner(model, claim.with_name("braking_short_runway.vnnlib"), *more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "run", lying)
        found = replayed(copy, search=True)
    assert [each.agreement for each in found] == ["contradicts", "contradicts", "agrees"]
    assert "searched again: refuted" in found[0].detail


def test_recorded_limits_are_those_of_the_search(root: Path, tmp_path: Path) -> None:
    def change(index: int, result: Content, target: Path) -> None:
        result["parameters"] |= {"timeout": 0.001, "arithmetic": "real"}

    copy = resealed(root, tmp_path / "d", change, OTHER)
    found = replayed(copy, search=True)
    # Told were both arithmetics; searched is real alone, for no time at all.
    assert [each.agreement for each in found] == ["differs"] * 3

    def nonsense(index: int, result: Content, target: Path) -> None:
        result["parameters"]["timeout"] = -1

    with pytest.raises(BadInput, match="time limit -1"):
        replayed(resealed(root, tmp_path / "e", nonsense, OTHER), search=True)


def test_searches_take_no_longer_than_is_allowed(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dossier may have been made to keep its verifiers busy for years; that is said before it begins."""
    from hybrid_ai.pipeline import replay as module

    def change(index: int, result: Content, target: Path) -> None:
        result["parameters"]["timeout"] = (1e8, 1e8, 2.5)[index]

    copy, asked, told = resealed(root, tmp_path / "d", change, OTHER), [], []
    inner = module.run

    def timed(model: Path, claim: Path, task: Task, *more: Any) -> Any:
        assert told  # how long it may take was said before
        asked.append(task.limits.timeout)
        return inner(model, claim, replace(task, limits=replace(task.limits, timeout=60.0)), *more)

    monkeypatch.setattr(module, "run", timed)
    observer = Observer(None, told.append)
    for timeout, limits, said in (
        (None, [1e8, 1e8, 2.5], "200,000,002.5 s"),
        (30.0, [30.0, 30.0, 2.5], "62.5 s"),
    ):
        found = replayed(copy, search=True, timeout=timeout, observer=observer)
        assert [each.agreement for each in found] == ["agrees"] * 3
        assert asked == limits
        assert [line for line in told if "repeating" in line] == [
            f"repeating at most 3 searches, {said} in all at most"
        ]
        asked.clear()
        told.clear()
    replayed(copy, observer=observer)
    assert told == []
    for wrong in (0, -1, float("nan")):
        with pytest.raises(BadInput, match="time limit"):
            replayed(copy, search=True, timeout=wrong)


def test_an_interrupted_search_ends_the_replay(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr("hybrid_ai.pipeline.verify.read_inputs", interrupted)
    told: list[Replayed] = []
    with pytest.raises(KeyboardInterrupt):
        replay(root, engine="fast", search=True, observer=QUIET, on_result=told.append)
    assert told == []


def test_a_foreign_folder_has_nothing_to_replay(tmp_path: Path) -> None:
    root = tmp_path / "d"
    root.mkdir()
    (root / "results.json").write_bytes(encode({"results": [1]}))
    attach(root, root / "results.json", SIGNER, "")
    assert agreements(root) == []


def test_results_are_those_of_the_file(root: Path) -> None:
    assert [each.result for each in replayed(root)] == results_of(root)
    assert len({sha256(encode(each.result)) for each in replayed(root)}) == 3
