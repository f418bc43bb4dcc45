"""The machinery of the experiments: refusals, resumption, records."""

from __future__ import annotations

import json
import re
import signal
import sys
from pathlib import Path

import pytest

from benchmarks import lab
from benchmarks.lab_items import equivalents, suites
from benchmarks.lab_items.base import Bench, Figure, Item, LabError, Report, at_most, count, plain
from benchmarks.lab_items.mutation import parse_totals
from benchmarks.lab_items.processes import measure, succeed
from benchmarks.lab_items.suites import SuiteRun
from hybrid_ai.bench.machine import describe_machine


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, tmp_path, small=False, everything=False)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(lab, "ROOT", tmp_path)
    monkeypatch.setattr(lab, "LAB", tmp_path / "lab")
    monkeypatch.setattr(lab, "RESULTS", tmp_path / "results")
    monkeypatch.setenv(lab.VARIABLE, str(tmp_path))
    return tmp_path


def test_every_item_has_a_name_and_a_duration(capsys: pytest.CaptureFixture[str]) -> None:
    assert lab.main([]) == 0
    printed = capsys.readouterr().out
    for name in lab.NAMES:
        item = lab.load_item(name)
        assert item.name == name
        assert f"{name} " in printed and item.duration in printed


def test_every_item_has_its_row_on_the_page() -> None:
    page = (lab.ROOT / "docs" / "benchmarks.md").read_text()
    table = page.split("| item | measures | held against |")[1].split("\n\n")[0]
    cells = [row.split("|")[1] for row in table.splitlines() if "|" in row]
    named = [name for cell in cells for name in re.findall("`(\\w+)`", cell)]
    assert sorted(named) == sorted(lab.NAMES)


def test_an_item_without_data_names_the_remedy(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(lab.VARIABLE)
    assert lab.main(["tiny"]) == 2
    assert "HYBRID_AI_DATA is not set: set it to the folder" in capsys.readouterr().err


def test_two_items_at_once_are_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with lab.alone(lab.LAB / "lock"):
        assert lab.main(["tiny"]) == 2
    assert "is running an item" in capsys.readouterr().err


def test_the_lock_is_free_again(tmp_path: Path) -> None:
    for _ in range(2):
        with lab.alone(tmp_path / "lock"):
            assert (tmp_path / "lock").read_text().strip().isdigit()


def test_a_step_is_computed_once(bench: Bench) -> None:
    values = iter([1, 2])
    assert [bench.once("step", lambda: next(values)) for _ in range(2)] == [1, 1]


def test_a_step_that_was_cut_off_is_computed_again(bench: Bench) -> None:
    bench.keep("first", 1)
    with open(bench.folder / "steps.jsonl", "a") as stream:
        stream.write('["second", 2')
    assert bench.kept("second") is None
    assert bench.once("second", lambda: 3) == 3
    assert (bench.kept("first"), bench.kept("second")) == (1, 3)


def test_parts_are_kept_only_while_nothing_changes(home: Path) -> None:
    for state, is_kept in (("one", False), ("one", True), ("two", False)):
        folder = lab.open_folder("item", state)
        assert (folder / "part").exists() == is_kept
        (folder / "part").touch()


def test_a_finished_run_is_recorded_and_its_parts_are_put_aside(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(bench: Bench) -> Report:
        (bench.folder / "part").touch()
        return Report((at_most("seconds", 3.0, 2.0, "s"),), {"file": f"{bench.data}/a/b"})

    monkeypatch.setattr(lab, "load_item", lambda name: Item(name, "what", "a second", run))
    monkeypatch.setattr(lab, "require_tool", lambda: None)
    assert [lab.main(["tiny"]) for _ in range(2)] == [1, 1]
    first, second = (json.loads(line) for line in (home / "results/tiny.jsonl").read_text().splitlines())
    assert first["figures"] == second["figures"]
    assert first["figures"] == [{"name": "seconds", "value": 3.0, "unit": "s", "bar": "<= 2", "met": False}]
    assert first["details"] == {"file": "a/b"}
    assert (first["passed"], first["resumed"], first["command"]) == (
        False,
        False,
        "python benchmarks/lab.py tiny",
    )
    assert {"commit", "dirty", "date"} <= first.keys()
    assert (home / "lab/tiny.last/part").exists() and not (home / "lab/tiny").exists()
    printed = capsys.readouterr()
    assert "NOT MET" in printed.out
    assert "tiny: expected to take a second" in printed.err


def test_the_small_form_records_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    item = Item("tiny", "what", "a second", lambda bench: Report((count("rows", 1, 1),), {}))
    monkeypatch.setattr(lab, "load_item", lambda name: item)
    monkeypatch.setattr(lab, "require_tool", lambda: None)
    assert lab.main(["tiny", "--small"]) == 0
    assert not (home / "results").exists()


def test_the_machine_is_described_without_its_name() -> None:
    described = describe_machine()
    assert set(described) == {"cpu", "cores", "memory_gib", "system", "python", "numpy", "numba"}
    assert described["cores"] >= 1


def test_a_process_is_measured() -> None:
    program = "import sys; print(sys.stdin.read(), end=''); print('no', file=sys.stderr); sys.exit(3)"
    measured = measure([sys.executable, "-c", program], request="text")
    assert (measured.code, measured.output, measured.errors.strip()) == (3, "text", "no")
    assert 0 < measured.cpu and 0 < measured.wall
    assert measured.after_signal is None
    with pytest.raises(LabError, match="exit status 3: no"):
        succeed(measured, ["program"])


def test_a_signal_is_sent_and_timed() -> None:
    program = "import time; time.sleep(60)"
    measured = measure([sys.executable, "-c", program], signal_after=(0.3, signal.SIGTERM))
    assert measured.code == -signal.SIGTERM
    assert measured.after_signal is not None and 0 <= measured.after_signal < measured.wall < 60


def test_totals_of_the_mutation_test_are_read() -> None:
    table = "module   mutants  killed\ngrid  4  3\ntotal  5  4\n"
    assert parse_totals(table) == {"mutants": 5, "killed": 4}
    with pytest.raises(LabError, match="no table"):
        parse_totals("4 mutants were not run")


def test_figures_state_whether_they_meet_their_bar() -> None:
    assert at_most("a", 2.0, 2.0, "s").met is True
    assert count("b", 1, 2) == Figure("b", 1, "", "= 2", False)
    assert plain("c", 1.23456).value == 1.235
    assert plain("c", 1.0).met is None


def suite_run(*verdicts: tuple[str, str, int]) -> SuiteRun:
    """A run from (known verdict, found verdict, boxes)."""
    rows = [{"onnx": f"{k}.onnx", "vnnlib": "p.vnnlib", "verdict": row[0]} for k, row in enumerate(verdicts)]
    contents = [
        {"verdict": found, "bounded": boxes, "reason": None, "seconds": {"total": 2.0}}
        for _, found, boxes in verdicts
    ]
    return SuiteRun(rows, contents, 1.0, False)


def test_a_copy_is_compared_row_by_row() -> None:
    original = suite_run(("unsat", "proved", 10), ("sat", "refuted", 10), ("unsat", "proved", 0))
    copy = suite_run(("unsat", "proved", 31), ("sat", "unknown", 30), ("unsat", "proved", 1))
    assert equivalents.changed(original, copy) == [["1 p", "refuted", "unknown", None]]
    assert equivalents.slower(original, copy) == [["0 p", 10, 31]]
    verdicts, times = equivalents.figures_of(original, copy, "neurons")
    assert (verdicts.value, verdicts.met) == (2, False)
    assert (times.value, times.met) == (1.0, True)


def test_only_what_holds_is_asked_on_smaller_boxes() -> None:
    kept = equivalents.only_proved(suite_run(("unsat", "proved", 1), ("sat", "refuted", 2)))
    assert [row["onnx"] for row in kept.rows] == ["0.onnx"]
    assert [content["bounded"] for content in kept.contents] == [1]


FAKE_TOOL = """
import csv, json, sys
options = sys.argv[1:]
value = lambda name: options[options.index(name) + 1]
out = value("--json-lines")
with open(value("--suite"), newline="") as stream, open(out, "a") as lines:
    for row in csv.DictReader(stream):
        names = {"onnx": row["onnx"], "vnnlib": row["vnnlib"]}
        print(json.dumps({**names, "verdict": "proved", "seconds": {"total": 7.0}}), file=lines)
"""


@pytest.mark.parametrize("interrupted", [False, True])
def test_seconds_of_an_interrupted_suite_are_those_of_its_rows(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, interrupted: bool
) -> None:
    tool = bench.folder / "tool"
    tool.write_text(f"#!{sys.executable}\n{FAKE_TOOL}")
    tool.chmod(0o755)
    monkeypatch.setattr(suites, "TOOL", str(tool))
    rows = [{"onnx": name, "vnnlib": "p", "timeout_s": "1", "verdict": "unsat"} for name in ("a", "b")]
    if interrupted:
        (bench.folder / "name.jsonl").touch()
    for _ in range(2):  # the second finds the suite finished
        run = suites.run_suite(bench, "name", bench.data, rows)
        assert [content["verdict"] for content in run.contents] == ["proved", "proved"]
        assert run.outcomes == ["agrees", "agrees"]
        assert run.resumed == interrupted
        assert (run.wall == 14.0) == interrupted
