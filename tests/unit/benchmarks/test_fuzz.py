"""The fuzzer's machinery: limits, findings, mutators, targets, coverage."""

from __future__ import annotations

import gzip
import json
from fractions import Fraction
from pathlib import Path
from random import Random

import onnx
import pytest

from benchmarks.fuzz import __main__ as program
from benchmarks.fuzz import protobuf_mutator, seeds, text_mutator
from benchmarks.fuzz.certificate_mutator import CertificateMutator
from benchmarks.fuzz.findings import confirmed, keep, smaller
from benchmarks.fuzz.guard import Finding, Reader, observe
from benchmarks.fuzz.lines import measure, module_names, ranges
from benchmarks.fuzz.problems import named, problems
from benchmarks.fuzz.targets import TARGETS
from benchmarks.lab_items import fuzz as item
from benchmarks.lab_items.base import Bench, LabError
from hybrid_ai.certificate import CertificateError, decode_certificate
from hybrid_ai.checker.check import check
from hybrid_ai.checker.onnx_reader import evaluate, read_model
from hybrid_ai.checker.vnnlib_reader import read_property, violates


class Refused(Exception):
    pass


def misread(data: bytes) -> None:
    """A reader with every kind of fault."""
    if data == b"refused":
        raise Refused("in one line")
    if data == b"lines":
        raise Refused("in two\nlines")
    if data == b"memory":
        bytearray(b"x") * (300 << 20)
    while data == b"slow":
        sum(range(1000))
    if b"(" in data:
        raise KeyError("(")


FAULTY = Reader(misread, (Refused,))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"read", None),
        (b"refused", None),
        (b"lines", "message"),
        (b"memory", "memory"),
        (b"slow", "slow"),
        (b"(", "KeyError"),
    ],
)
def test_what_is_a_finding(data: bytes, kind: str | None) -> None:
    finding = observe(FAULTY, data, seconds=0.2, memory=200 << 20)
    assert (finding and finding.kind) == kind


def test_findings_are_kept_once_and_made_small(tmp_path: Path) -> None:
    for data in (b"a long one ( here", b"short (", b"longer than that ("):
        finding = observe(FAULTY, data)
        assert finding is not None
        file = keep(tmp_path, finding, data)
    assert file.read_bytes() == b"short ("
    (kept,) = confirmed(tmp_path, FAULTY, 5.0)
    assert kept.file.read_bytes() == b"("
    assert (kept.finding.kind, kept.finding.place) == ("KeyError", "outside of the reader")


def test_findings_that_are_mended_are_removed(tmp_path: Path) -> None:
    keep(tmp_path, Finding("KeyError", "", ""), b"harmless")
    assert confirmed(tmp_path, FAULTY, 1.0) == []
    assert list(tmp_path.iterdir()) == []


def test_smaller_stops_when_its_time_is_over() -> None:
    assert smaller(b"abcdefgh", lambda data: b"c" in data and b"g" in data, 5.0) == b"cg"
    assert smaller(b"abcdefgh", lambda data: True, 0.0) == b"abcdefgh"


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_no_findings_and_run_much_of_a_reader(name: str) -> None:
    inputs = list(TARGETS[name].seeds())
    assert len(inputs) > 8
    reader = TARGETS[name].load()
    assert [observe(reader, data) for data in inputs] == [None] * len(inputs)
    few = measure(TARGETS[name], inputs[:1])
    many = measure(TARGETS[name], inputs)
    assert 20.0 < few.percent < many.percent < 100.0
    assert many.percent > 60.0
    assert all(file.startswith("hybrid_ai/") for file in many.missing)


@pytest.mark.parametrize("name", TARGETS)
def test_modules_and_functions_of_targets_exist(name: str) -> None:
    target = TARGETS[name]
    modules = module_names(target.modules)
    for pattern in target.modules:
        assert "*" in pattern or pattern in modules, pattern
    assert {function.partition(":")[0] for function in target.beyond} <= set(modules)


def test_what_false_problems_claim_is_false() -> None:
    true, *false = problems()
    network = read_model(true.model)
    assert check(true.model, true.claim, true.evidence).kind == "certificate"
    for problem in false:
        point = [Fraction(text) for text in problem.unsafe or ()]
        assert violates(read_property(problem.claim), point, evaluate(network, point))
        assert named(problem.evidence, problems()) == named(problem.wrong, problems()) == problem
        assert check(problem.model, problem.claim, problem.evidence).status == "valid"


@pytest.mark.parametrize("number", [1, 2])
def test_accepted_falsehoods_are_findings(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checker that takes the property for the one that holds."""
    problem, holds = problems()[number], problems()[0]
    monkeypatch.setattr(
        "hybrid_ai.checker.check.check",
        lambda model, claim, evidence, engine: check(model, holds.claim, holds.evidence, engine=engine),
    )
    finding = observe(TARGETS["checker-check"].load(), problem.wrong)
    assert finding is not None and finding.kind == "Unsound"


def test_changed_texts_remain_texts_of_expressions() -> None:
    rng, data = Random(1), next(iter(seeds.properties()))
    changed = {text_mutator.mutated(data, rng) for _ in range(50)}
    assert len(changed) > 40
    balanced = [text for text in changed if text.count(b"(") == text.count(b")")]
    assert len(balanced) > 25
    assert text_mutator.mutated(b"", rng)


def test_protobuf_is_written_as_it_was_read() -> None:
    for data in seeds.models():
        if data.startswith(b"\x1f\x8b"):
            data = gzip.decompress(data)
        entries = protobuf_mutator.parsed(data)
        assert entries is not None
        assert protobuf_mutator.written(entries) == data


def test_changed_models_are_mostly_protobuf_still() -> None:
    rng, data = Random(1), next(iter(seeds.models()))
    read = 0
    for _ in range(100):
        try:
            onnx.load_model_from_string(protobuf_mutator.mutated(data, rng))
            read += 1
        except Exception:  # whatever protobuf raises
            continue
    assert read > 60
    assert protobuf_mutator.parsed(b"\xff") is None
    assert protobuf_mutator.mutated(b"\xff", rng)


def test_changed_certificates_keep_their_header_and_lengths() -> None:
    known = problems()
    mutator, rng, data = CertificateMutator([p.frame for p in known]), Random(1), known[0].evidence
    read = 0
    for _ in range(100):
        changed = mutator.mutated(data, rng)
        assert changed[:75] == data[:75]
        try:
            decode_certificate(changed, known[0].frame.rows)
            read += changed != data
        except CertificateError:
            continue
    assert read > 20
    broken = b"\0" * 75 + data[75:]
    mended = [mutator.mended(broken, rng) for _ in range(100)]
    assert sum(one[:8] == b"HYBRAICE" for one in mended) > 90


def test_changed_counterexamples_are_mostly_json_still() -> None:
    problem = problems()[1]
    mutator, rng = CertificateMutator([problem.frame]), Random(1)
    changed = [mutator.mutated(problem.evidence, rng) for _ in range(60)]
    assert len(set(changed)) > 30
    assert all(isinstance(json.loads(one), dict) for one in changed)
    assert mutator.mutated(b"{", rng) == b"{}"
    assert mutator.mutated(b"{}", rng) == b"{}"


def test_ranges() -> None:
    assert ranges([3, 4, 5, 9, 11, 12]) == "3-5, 9, 11-12"


def test_without_atheris_the_remedy_is_named(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "has_atheris", lambda: False)
    assert program.main(["checker-vnnlib"]) == 2
    assert "pip install -r requirements/fuzz.txt" in capsys.readouterr().err
    monkeypatch.setattr(item, "has_atheris", lambda: False)
    with pytest.raises(LabError, match=r"requirements/fuzz\.txt"):
        item.run(bench)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, tmp_path, small=True, everything=False)


def test_nothing_is_run_in_no_seconds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["prover-certificate", "--seconds", "0", "--folder", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("prover-certificate: 0 executions")
    assert "not run: hybrid_ai/certificate/decode.py" in said.out


def test_fuzzing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("atheris", reason="atheris is not installed: pip install -r requirements/fuzz.txt")
    assert program.main(["checker-vnnlib", "--seconds", "2", "--folder", str(tmp_path)]) == 0
    seeds_there = len(list(seeds.properties()))
    assert len(list((tmp_path / "corpus").iterdir())) > seeds_there
    assert "checker-vnnlib: 0 executions" not in capsys.readouterr().out


def test_figures_of_the_item() -> None:
    content = {"executions": 5, "cpu_seconds": 1.0, "coverage": 89.0, "findings": [{}]}
    for small, lines in ((False, False), (True, None)):
        found = list(item.figures({"prover-onnx": content}, small))
        assert [figure.met for figure in found] == [None, None, lines, False]
