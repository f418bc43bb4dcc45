"""What becomes of a claim: only the checker's "valid" makes a verdict of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

import hybrid_ai.search
from hybrid_ai.network import RuntimeFailure
from hybrid_ai.pipeline.checking import Checker, CheckResult, parse_answer
from hybrid_ai.pipeline.errors import BadInput, CheckerFailure, CheckTimedOut
from hybrid_ai.pipeline.limits import Limits
from hybrid_ai.pipeline.result import Result
from hybrid_ai.pipeline.verify import Arithmetic, Observer, Task, run, verify
from hybrid_ai.search import Claimed, Effort, Refuted, Unknown

DEMO = Path(__file__).resolve().parents[3] / "src" / "hybrid_ai" / "demo"
MODEL, CLAIM = DEMO / "braking.onnx", DEMO / "braking_limit.vnnlib"
EFFORT = Effort(bounded=9, leaves=5, decided=1.0, seconds=0.1)
VALID = CheckResult("valid", "certificate", "real", "fast", 9, 5)
REJECTED = CheckResult("rejected", rule="leaf", where="node 3", reason="not shown")


class Answers(Checker):
    """Stands for the checker's process: gives prepared answers, or raises them."""

    def __init__(self, *answers: CheckResult | BaseException) -> None:
        self.answers = list(answers)
        self.engines: list[str] = []

    def ask(self, model: Path, claim: Path, evidence: Path, engine: Any, deadline: float) -> CheckResult:
        assert (model.read_bytes(), claim.read_bytes()) == (MODEL.read_bytes(), CLAIM.read_bytes())
        self.engines.append(engine)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


Judge = Callable[..., Result]


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Judge:
    """Runs a verification whose search gives a prepared outcome; what it keeps goes to the test's folder."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def judged(
        checker: Checker,
        outcome: object = None,
        target: Path | None = None,
        vacuous: bool = False,
        arithmetic: Arithmetic = "real",
    ) -> Result:
        given = outcome or Claimed(b"no certificate", EFFORT)
        monkeypatch.setattr(hybrid_ai.search, "run_search", lambda *arguments, **options: given)
        return run(MODEL, CLAIM, Task(Limits(60.0), target, vacuous, arithmetic), checker, Observer())

    return judged


def test_valid_is_proved(judge: Judge) -> None:
    result = judge(Answers(VALID))
    assert (result.verdict, result.exit_code, result.leaves, result.bounded) == ("proved", 0, 5, 9)
    assert result.checked_by is not None
    assert result.checked_by.startswith("fast ")
    assert result.reason is None


def test_what_the_checker_really_says_of_nonsense(judge: Judge, tmp_path: Path) -> None:
    with Checker() as checker:
        result = judge(checker, target=tmp_path / "c")
    assert (result.verdict, result.exit_code, result.checked_by) == ("unknown", 1, None)
    assert result.reason is not None
    assert result.reason.startswith("certificate rejected: ")
    assert (tmp_path / "c").read_bytes() == b"no certificate"


def test_exact_may_accept_what_fast_rejects_and_the_result_says_so(judge: Judge) -> None:
    checker = Answers(REJECTED, replace(VALID, engine="exact"))
    result = judge(checker)
    assert checker.engines == ["fast", "exact"]
    assert (result.verdict, result.exit_code) == ("proved", 0)
    assert result.checked_by is not None
    assert result.checked_by.startswith("exact ")
    assert result.reason == "engine fast rejected it (leaf at node 3), engine exact accepted it"


def test_a_large_certificate_is_not_given_to_exact(judge: Judge) -> None:
    checker = Answers(REJECTED)
    result = judge(checker, Claimed(b"", replace(EFFORT, leaves=300)))
    assert checker.engines == ["fast"]
    assert (result.verdict, result.failed) == ("unknown", True)


def test_a_rejected_certificate_is_kept_without_being_asked_for(judge: Judge) -> None:
    result = judge(Answers(REJECTED, REJECTED))
    assert result.certificate is not None
    assert Path(result.certificate.path).read_bytes() == b"no certificate"


PLACED = replace(REJECTED, where="tree 2, node 13, byte 0x7b")


def _repairing(again: object, asked: list[tuple[int, int]], leaves: int = 5) -> Claimed:
    def repair(tree: int, node: int) -> Any:
        asked.append((tree, node))
        return again

    return Claimed(b"first", replace(EFFORT, leaves=leaves), repair=repair)


def test_a_rejected_node_goes_back_to_the_search_once(judge: Judge, tmp_path: Path) -> None:
    asked: list[tuple[int, int]] = []
    effort = replace(EFFORT, bounded=12, leaves=400)
    claimed = _repairing(Claimed(b"second", effort), asked, leaves=300)
    result = judge(Answers(PLACED, VALID), claimed, target=tmp_path / "c")
    assert asked == [(2, 13)]
    assert (result.verdict, result.repairs, result.leaves, result.bounded) == ("proved", 1, 400, 12)
    assert (tmp_path / "c").read_bytes() == b"second"


def test_a_repair_that_is_rejected_again_is_our_failure(judge: Judge) -> None:
    asked: list[tuple[int, int]] = []
    claimed = _repairing(_repairing(None, asked, leaves=300), asked, leaves=300)
    result = judge(Answers(PLACED, PLACED), claimed)
    assert (asked, result.repairs, result.exit_code) == ([(2, 13)], 1, 1)


def test_a_repair_may_refute(judge: Judge) -> None:
    """Then the search had been wrong, and the counterexample is what counts."""
    point = tuple(Fraction(value) for value in (120, 50, 0, 0, "0.3"))
    found = Refuted(point, (Fraction(2000),), EFFORT)
    result = judge(Answers(PLACED, VALID), _repairing(found, [], leaves=300))
    assert (result.verdict, result.repairs, result.failed) == ("refuted", 1, False)


def test_a_repair_may_be_interrupted(judge: Judge) -> None:
    outcome = Unknown("interrupted", EFFORT, limited=True)
    result = judge(Answers(PLACED), _repairing(outcome, [], leaves=300))
    assert (result.verdict, result.reason, result.failed) == ("unknown", "interrupted", False)


@pytest.mark.parametrize("answer", [REJECTED, PLACED])
def test_without_a_repair_the_rejection_stands(judge: Judge, answer: CheckResult) -> None:
    asked: list[tuple[int, int]] = []
    result = judge(Answers(answer), _repairing(Unknown("timeout", EFFORT), asked, leaves=300))
    assert len(asked) == (answer is PLACED)
    assert (result.verdict, result.repairs, result.failed) == ("unknown", 0, True)


@pytest.mark.parametrize(
    ("answer", "reason", "code"),
    [
        (CheckTimedOut(), "claimed, check timed out", 20),
        (KeyboardInterrupt(), "interrupted; claimed, not checked", 20),
        (CheckerFailure("it died"), "it died", 1),
        (
            CheckResult("malformed", rule="property", where="line 3", reason="r"),
            "the checker refuses the input",
            1,
        ),
        (CheckResult("unsupported", where="w", reason="r"), "unsupported by the checker: w: r", 20),
    ],
)
def test_other_answers_are_unknown(judge: Judge, answer: Any, reason: str, code: int) -> None:
    result = judge(Answers(answer))
    assert (result.verdict, result.exit_code) == ("unknown", code)
    assert result.reason is not None
    assert result.reason.startswith(reason)


def test_vacuous_proofs_need_permission(judge: Judge) -> None:
    answer = replace(VALID, vacuous=True)
    with pytest.raises(BadInput, match="input set is empty"):
        judge(Answers(answer))
    assert judge(Answers(answer), vacuous=True).vacuous


def test_a_counterexample_that_the_checker_rejects_is_our_failure(judge: Judge) -> None:
    point = tuple(Fraction(value) for value in (120, 50, 0, 0, "0.3"))
    with Checker() as checker:
        result = judge(checker, Refuted(point, (Fraction(2000),), EFFORT))
    assert (result.verdict, result.exit_code, result.counterexample) == ("unknown", 1, None)
    assert result.reason is not None
    assert result.reason.startswith("counterexample rejected")


def test_a_counterexample_whose_check_times_out_refutes_nothing(judge: Judge) -> None:
    point = tuple(Fraction(value) for value in (120, 50, 0, 0, "0.3"))
    result = judge(Answers(CheckTimedOut()), Refuted(point, (Fraction(2000),), EFFORT))
    assert (result.verdict, result.reason) == ("unknown", "counterexample found, check timed out")
    assert result.counterexample is None


MARGIN = "float32: the margin is small"
MISSED = Claimed(b"no certificate", EFFORT, missed=MARGIN)
BOTH = replace(VALID, arithmetic="both")


@pytest.mark.parametrize(
    ("outcome", "answers", "reason", "reasons"),
    [
        (
            Unknown("timeout", EFFORT, limited=True),
            (),
            "timeout",
            {"real": "timeout; searched together with float32, not alone", "float32": "timeout"},
        ),
        (
            Unknown("timeout", EFFORT, limited=True, missed=MARGIN),
            (),
            f"timeout (real arithmetic alone); {MARGIN}",
            {"real": "timeout", "float32": MARGIN},
        ),
        (
            MISSED,
            (CheckTimedOut(),),
            "claimed, check timed out",
            {"real": "claimed, check timed out", "float32": MARGIN},
        ),
        (MISSED, (VALID,), f"proved in real arithmetic alone; {MARGIN}", {"float32": MARGIN}),
        (Claimed(b"", EFFORT), (BOTH,), None, {}),
        (
            Claimed(b"", EFFORT),
            (CheckerFailure("it died"),),
            "it died",
            {"real": "it died", "float32": "it died"},
        ),
    ],
)
def test_each_arithmetic_has_its_own_reason(
    judge: Judge, outcome: object, answers: tuple[Any, ...], reason: str | None, reasons: dict[str, str]
) -> None:
    result = judge(Answers(*answers), outcome, arithmetic="both")
    assert (result.reason, result.reasons) == (reason, reasons)
    assert set(reasons) == {name for name, said in result.arithmetics.items() if said == "unknown"}


def test_what_a_counterexample_leaves_open_has_a_reason(
    judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime fails at the point: nothing is known of float32."""

    def fails(*arguments: object, **options: object) -> None:
        raise RuntimeFailure("it fails")

    monkeypatch.setattr("hybrid_ai.pipeline.counterexample.run_onnxruntime", fails)
    point = tuple(Fraction(value) for value in (120, 50, 0, 0, "0.3"))
    result = judge(Answers(VALID), Refuted(point, (Fraction(2000),), EFFORT), arithmetic="both")
    assert result.arithmetics == {"real": "refuted", "float32": "unknown"}
    assert result.reasons == {
        "float32": "the counterexample was not evaluated in it, and the search ended there"
    }


def test_an_interrupted_repair_keeps_why_float32_was_missed(judge: Judge) -> None:
    claimed = replace(_repairing(Unknown("interrupted", EFFORT, limited=True), [], leaves=300), missed=MARGIN)
    result = judge(Answers(PLACED), claimed, arithmetic="both")
    assert result.reasons == {"real": "interrupted", "float32": MARGIN}
    assert result.reason == f"interrupted (real arithmetic alone); {MARGIN}"


@pytest.mark.parametrize("options", [{"arithmetic": "float16"}, {"backend": "cuda"}])
def test_options_without_an_engine_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=r"float16|no engine"):
        verify(MODEL, CLAIM, **options)


def test_an_answer_that_is_late_ends_the_process_and_the_next_is_its_own(tmp_path: Path) -> None:
    evidence = tmp_path / "e"
    evidence.write_bytes(b"{}")
    with Checker() as checker:
        with pytest.raises(CheckTimedOut):
            checker.ask(MODEL, CLAIM, evidence, "fast", monotonic() - 1)
        assert checker.ask(MODEL, CLAIM, evidence, "fast", monotonic() + 60).rule == "counterexample"


@pytest.mark.parametrize(
    "text", ["", "nonsense", "[]", "{}", '{"status": "failed", "reason": "broken"}', "{"]
)
def test_answers_without_sense_are_failures(text: str) -> None:
    with pytest.raises(CheckerFailure):
        parse_answer(text)


@pytest.fixture
def dying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("hybrid_ai.pipeline.checking.COMMAND", ("false",))
    yield


def test_a_process_that_ends_is_a_failure(dying: None, tmp_path: Path) -> None:
    with Checker() as checker, pytest.raises(CheckerFailure, match="status 1"):
        checker.ask(MODEL, CLAIM, MODEL, "fast", monotonic() + 60)
