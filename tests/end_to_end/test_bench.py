"""`hybrid-ai bench`: measures, says on what, and refuses what it cannot measure."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from hybrid_ai.bench import auto_lirpa
from hybrid_ai.bench.throughput import products
from hybrid_ai.network import load_model
from tests.architecture.sources import PACKAGE, python_files, shown
from tests.end_to_end.command import DEMO, MODELS, Command

MODEL = DEMO / "braking.onnx"
SHORT = ("--seconds", "0.1", "--batch", "3", "20")


def test_throughput_is_measured(command: Command) -> None:
    ended = command("bench", "throughput", MODEL, *SHORT, "--json")
    assert ended.code == 0, ended
    result = json.loads(ended.out)
    cases = product(("interval", "crown_interval", "crown"), ("single", "double"), (True, False), (3, 20))
    rows = result["rows"]
    found = [(row["method"], row["precision"], row["error_terms"], row["batch"]) for row in rows]
    assert found == list(cases)
    assert result["group_sizes"] == [5, 24, 24, 1]
    assert {"cpu", "cores", "numba", "numpy", "python"} <= set(result["machine"])
    assert result["plan"]["batches"] == [3, 20]
    assert min(result["peak_flops"].values()) > 1e8
    for row in rows:
        assert row["repeats"] >= 3 and row["boxes_per_cpu_second"] > 0.0
        assert 0.0 < row["peak_fraction"] < 1.1
        assert row["unknown"] == 0.0
    width = {(row["method"], row["precision"], row["error_terms"]): row["mean_width"] for row in rows}
    for precision in ("single", "double"):
        assert width["crown", precision, True] > width["crown", precision, False]
        assert width["interval", precision, True] > width["crown", precision, True] > 0.0


def test_the_table_names_machine_warm_up_and_what_is_left_out(command: Command) -> None:
    options = ("--seconds", "0.1", "--batch", "1", "900000")
    whole = command("bench", "throughput", MODEL, *options).out.splitlines()
    lines = whole[: next(k for k, line in enumerate(whole) if line.startswith("auto_LiRPA"))]
    assert "one core" in lines[0] and "load" in lines[0]
    assert lines[1].startswith("peak ") and "not counted below" in lines[2]
    assert len(lines) == 4 + 24
    assert sum("left out: more --seconds needed" in line for line in lines) == 12


@pytest.fixture
def fresh() -> Iterator[None]:
    """Forget what was imported, before and after."""
    auto_lirpa._libraries.cache_clear()
    yield
    auto_lirpa._libraries.cache_clear()


@pytest.mark.usefixtures("fresh")
def test_without_auto_lirpa_the_remedy_is_named(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "auto_LiRPA", None)
    remedy = "pip install --no-deps -r requirements/auto_lirpa.txt"
    ended = command("bench", "throughput", MODEL, *SHORT)
    last = ended.out.splitlines()[-1]
    assert ended.code == 0
    assert last.startswith("auto_LiRPA skipped: ") and remedy in last
    found = json.loads(command("bench", "throughput", MODEL, *SHORT, "--json").out)["auto_lirpa"]
    assert list(found) == ["skipped"] and remedy in found["skipped"]


def test_auto_lirpa_takes_turns_with_us(command: Command) -> None:
    try:
        auto_lirpa.require_auto_lirpa()
    except auto_lirpa.AutoLirpaMissing as error:
        pytest.skip(str(error))
    ended = command("bench", "throughput", MODEL, *SHORT)
    assert ended.code == 0 and "not sound to rounding" in ended.out
    found = json.loads(command("bench", "throughput", MODEL, *SHORT, "--json").out)["auto_lirpa"]
    assert found["label"] == "not sound to rounding" and found["version"] >= "0.7"
    methods, precisions = ("interval", "crown_interval", "crown"), ("single", "double")
    named = [(one["method"], one["precision"]) for one in found["compared"]]
    assert named == list(product(methods, precisions))
    measured = [one for one in found["turns"] if one["repeats"]]
    assert all(one["repeats"] >= 3 and one["ours"] > 0.0 and one["theirs"] > 0.0 for one in measured)
    for one in found["compared"]:
        kind = (one["method"], one["precision"])
        of_it = [turn for turn in measured if (turn["method"], turn["precision"]) == kind]
        assert one["theirs"] == max(turn["theirs"] for turn in of_it)
        assert one["ratio"] == pytest.approx(one["ours"] / one["theirs"])
        if one["precision"] == "double":
            assert one["rows_looser"] == 0 and one["looser"] < 1e-6


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--batch", "0"), "--batch: every size must be at least 1"),
        (("--seconds", "0"), "--seconds: must be above 0"),
        (("--range", "1", "0"), "LOW below HIGH"),
        (("--side", "0"), "--side: must be above 0"),
        (("--plot", "x.txt"), "--plot"),
    ],
)
def test_meaningless_options_are_refused(command: Command, options: tuple[str, ...], complaint: str) -> None:
    ended = command("bench", "throughput", MODEL, *SHORT, *options)
    assert ended.code == 2
    assert complaint in ended.err


@pytest.mark.parametrize("backend", ["auto", "cuda"])
def test_without_a_device_one_core_is_measured(
    command: Command, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    ended = command("bench", "throughput", MODEL, *SHORT, "--json", "--backend", backend)
    assert ended.code == 0, ended
    result = json.loads(ended.out)
    assert (result["backend"], result["device"], result["ended"]) == ("cpu", None, "")
    assert len(result["rows"]) == 24
    told = "hybrid-ai bench: one core is measured: no usable CUDA device: "
    assert (told in ended.err) == (backend == "cuda")


def test_a_missing_model_is_refused(command: Command, tmp_path: Path) -> None:
    ended = command("bench", "throughput", tmp_path / "none.onnx", *SHORT)
    assert (ended.code, ended.out) == (2, "")


def test_a_network_that_is_no_chain_is_unsupported(command: Command) -> None:
    ended = command("bench", "throughput", MODELS / "residual.onnx", *SHORT)
    assert ended.code == 20
    assert "reads the groups" in ended.out


def test_a_plot_without_matplotlib_names_the_remedy(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    ended = command("bench", "throughput", MODEL, *SHORT, "--plot", tmp_path / "x.png")
    assert ended.code == 2
    assert "pip install 'hybrid-ai[bench]'" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_a_plot_is_drawn(command: Command, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra `bench` is not installed")
    picture = tmp_path / "x.png"
    assert command("bench", "throughput", MODEL, *SHORT, "--plot", picture).code == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_products_are_counted() -> None:
    staged = load_model(MODEL.read_bytes()).staged
    weights = (5 * 24, 24 * 24, 24 * 1)
    assert products(staged, "interval") == 2 * sum(weights)
    assert products(staged, "crown_interval") == 2 * sum(weights[:2]) + 2 * sum(weights[:2])
    carried = 24 * weights[0] + sum(weights[:2])
    assert products(staged, "crown") == 2 * carried


def test_nothing_but_the_benchmark_reads_bounds_without_error_terms() -> None:
    """Packing without error terms is for timing; the search must not come near it."""
    users = {
        shown(path)
        for path in python_files(PACKAGE)
        if "without_errors" in (text := path.read_text("utf-8")) or "UnsoundDense" in text
    }
    assert users == {
        "src/hybrid_ai/bench/throughput.py",
        "src/hybrid_ai/bounds/boxes.py",
        "src/hybrid_ai/bounds/dense.py",
        "src/hybrid_ai/bounds/device.py",
        "src/hybrid_ai/bounds/device_boxes.py",
    }
