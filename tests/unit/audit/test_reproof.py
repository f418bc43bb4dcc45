"""Re-proof: which answers of the checker count, and which results are not claimed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from hybrid_ai.audit.verification.dossier import Report
from hybrid_ai.audit.verification.rejected import Refused
from hybrid_ai.audit.verification.reproof import Reprover
from tests.audit_builder import (
    Writer,
    made_up_source,
)
from tests.unit.audit.dossiers import (
    pretender,
    reprover,
    sealed_writer,
    verified,
)


def proof(writer: Writer, folder: Path, how: Reprover) -> Report:
    return verified(writer.finish(), folder, "proof", reprover=how)


@pytest.mark.parametrize(
    ("by_kind", "reason"),
    [
        (
            {"certificate": {"status": "rejected", "rule": "r", "where": "w", "reason": "no"}},
            "rejected: r: w: no",
        ),
        ({"certificate": {"status": "not_reevaluated"}}, "not_reevaluated"),
        ({"certificate": {"kind": "counterexample"}}, "is no certificate"),
        ({"certificate": {"arithmetic": "real"}}, "in real arithmetic, not in"),
        ({"certificate": {"arithmetic": None}}, "arithmetic, not in"),
        ({"certificate": {"vacuous": True}}, "vacuous is True, not False"),
        ({"certificate": {"vacuous": 0}}, "vacuous is 0, not False"),
        ({"certificate": {"status": "fine"}}, "makes no sense"),
        ({"counterexample": {"status": "rejected", "reason": "no"}}, "rejected: no"),
        ({"counterexample": {"status": "not_reevaluated"}}, "not_reevaluated"),
        ({"counterexample": {"arithmetic": "float32"}}, "in float32 arithmetic, not in"),
    ],
)
def test_answers_that_do_not_show_the_claim(by_kind: dict[str, Any], reason: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=reason) as caught:
        proof(sealed_writer(), tmp_path, reprover(pretender(by_kind)))
    assert caught.value.level == "proof"


@pytest.mark.parametrize("output", ["valid", "[]", "{}", '"valid"', "{"])
def test_answers_of_garbage(output: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="makes no sense") as caught:
        proof(sealed_writer(), tmp_path, reprover((sys.executable, "-c", f"print({output!r})")))
    assert caught.value.level == "proof"


def test_checkers_that_end_without_an_answer(tmp_path: Path) -> None:
    report = proof(sealed_writer(), tmp_path, reprover((sys.executable, "-c", "raise SystemExit('killed')")))
    assert not report.established and report.proof is not None
    assert report.proof.reproved == () and len(report.proof.not_reproved) == 2
    assert "status 1 and no answer: killed" in report.proof.not_reproved[0][1]


def test_a_checker_that_fails_has_judged_nothing(tmp_path: Path) -> None:
    failed = pretender({"certificate": {"status": "failed", "reason": "MemoryError"}})
    report = proof(sealed_writer(), tmp_path, reprover(failed))
    assert not report.established and report.proof is not None
    assert report.proof.not_reproved == (("evidence/0001.dsse.json", "the checker failed: MemoryError"),)


@pytest.mark.parametrize("kind", ["certificate", "counterexample"])
@pytest.mark.parametrize("status", ["malformed", "unsupported"])
def test_a_checker_that_cannot_read_has_judged_nothing(status: str, kind: str, tmp_path: Path) -> None:
    answer = {"status": status, "rule": "request", "where": "request", "reason": "more than 2^30 bytes"}
    report = proof(sealed_writer(), tmp_path, reprover(pretender({kind: answer})))
    assert not report.established and report.proof is not None
    where = {"certificate": "evidence/0001.dsse.json", "counterexample": "evidence/0002.dsse.json"}[kind]
    reason = f"the checker says {status}: request: request: more than 2^30 bytes"
    assert report.proof.not_reproved == ((where, reason),)


@pytest.mark.parametrize(
    "reason",
    [
        "ModuleNotFoundError: No module named 'numpy'",
        "ImportError: libopenblas.so.0: cannot open shared object file",
        "RuntimeError: NumPy was built with baseline optimizations: (X86_V2)",
    ],
)
def test_exact_judges_where_fast_cannot_start(reason: str, tmp_path: Path) -> None:
    told: list[str] = []
    broken = pretender({}, {"fast": {"status": "failed", "reason": reason}})
    report = proof(sealed_writer(), tmp_path, Reprover(broken, "fast", None, told.append))
    assert report.established and report.proof is not None
    assert (len(report.proof.reproved), report.proof.fallback) == (2, reason)
    assert [line for line in told if reason in line] == [
        f"proof: exact judges, as fast cannot start: {reason}"
    ]
    well = proof(sealed_writer(), tmp_path, reprover())
    assert well.proof is not None and well.proof.fallback is None


def test_what_exact_then_rejects_is_refused(tmp_path: Path) -> None:
    answers = {"fast": {"status": "failed", "reason": "ImportError: numpy"}, "exact": {"status": "rejected"}}
    with pytest.raises(Refused, match="the checker says rejected"):
        proof(sealed_writer(), tmp_path, reprover(pretender({}, answers)))


def test_exact_is_not_asked_where_fast_accepts(tmp_path: Path) -> None:
    report = proof(sealed_writer(), tmp_path, reprover(pretender({}, {"exact": {"status": "rejected"}})))
    assert report.established


def test_exact_judges_what_fast_rejects(tmp_path: Path) -> None:
    rejected = {"status": "rejected", "reason": "by a hair"}
    report = proof(sealed_writer(), tmp_path, reprover(pretender({}, {"fast": rejected})))
    assert report.established
    with pytest.raises(Refused, match="rejected: by a hair"):
        proof(sealed_writer(), tmp_path, reprover(pretender({}, {"fast": rejected, "exact": rejected})))


@pytest.mark.timeout(60)
def test_a_budget(tmp_path: Path) -> None:
    endless = (sys.executable, "-c", "import time; time.sleep(1000)")
    report = proof(sealed_writer(), tmp_path, reprover(endless, budget=0.5))
    assert not report.established and report.proof is not None
    assert report.proof.not_reproved == (
        ("evidence/0001.dsse.json", "budget"),
        ("evidence/0002.dsse.json", "budget"),
    )


def test_the_smallest_evidence_comes_first(tmp_path: Path) -> None:
    writer = Writer()
    for size in (3, 1, 2):
        source = made_up_source(number=size)
        writer.result(
            type(source)(source.model, source.property, (source.evidence or b"") + b"x" * size, source.result)
        )
    writer.seal()
    told: list[str] = []
    proof(writer, tmp_path, Reprover(pretender(), "fast", None, told.append))
    assert [line.split(": ")[-1] for line in told] == [
        f"evidence/000{number}.dsse.json" for number in (2, 3, 1)
    ]


def test_float32_alone_is_listed(tmp_path: Path) -> None:
    source = made_up_source("refuted")
    result = {**source.result, "arithmetics": {"real": "unknown", "float32": "refuted"}}
    writer = Writer()
    writer.result(type(source)(source.model, source.property, source.evidence, result))
    writer.seal()
    how = reprover(pretender({"counterexample": {"status": "not_reevaluated"}}))
    report = proof(writer, tmp_path, how)
    assert report.proof is not None
    assert (report.proof.reproved, report.proof.not_reevaluated) == ((), ("evidence/0001.dsse.json",))
    with pytest.raises(Refused, match="is not in float32 alone"):
        proof(writer, tmp_path, reprover())


def test_a_file_that_changes_before_it_is_judged(tmp_path: Path) -> None:
    root = tmp_path / "dossier"

    def change(line: str) -> None:
        evidence = root / "evidence/0001.certificate"
        evidence.write_bytes(bytes(evidence.stat().st_size))

    how = Reprover(pretender(), "fast", None, change)
    with pytest.raises(Refused, match="changed while it was verified"):
        proof(sealed_writer(), tmp_path, how)
