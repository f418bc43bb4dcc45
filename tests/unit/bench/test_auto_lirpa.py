"""The adapter of auto_LiRPA: without it a remedy is named; with it, its bounds are ours to many digits."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from hybrid_ai.bench import auto_lirpa, slope_hints
from hybrid_ai.bench.auto_lirpa import AutoLirpaMissing, PeerNetwork, require_auto_lirpa
from hybrid_ai.bench.slope_hints import propose_slopes
from hybrid_ai.bounds import flatten
from hybrid_ai.bounds.backends import reference
from hybrid_ai.bounds.boxes import bound_boxes
from hybrid_ai.bounds.dense import pack
from hybrid_ai.network import StagedNetwork, evaluate_exact, load_model
from hybrid_ai.pipeline.errors import BadInput
from hybrid_ai.search.hints import NoHints, RootQuestion, on_grid
from tests.architecture.sources import ROOT
from tests.end_to_end.command import DEMO, MODELS
from tests.unit.network.builder import model, node
from tests.unit.search.problems import dense

ACASXU = "acasxu/onnx/ACASXU_run2a_1_1_batch_2000.onnx"
REQUIREMENTS = ROOT / "requirements" / "auto_lirpa.txt"
FORMS = {
    "dense": dense([4, 12, 12, 3], 0),
    "deep": dense([3, 8, 8, 8, 8, 2], 1),
    "demo": (DEMO / "braking.onnx").read_bytes(),
    "constant": model(
        [node("MatMul", "x w", "z"), node("Relu", "z", "h"), node("MatMul", "h v", "y")],
        {"w": np.eye(3, 4), "v": np.zeros((4, 2))},
        x=(1, 3),
        y=(1, 2),
    ),
    "residual": (MODELS / "residual.onnx").read_bytes(),
}


@pytest.fixture
def fresh() -> Iterator[None]:
    """Forget what was imported, before and after."""
    auto_lirpa._libraries.cache_clear()
    yield
    auto_lirpa._libraries.cache_clear()


@pytest.fixture
def installed() -> None:
    try:
        require_auto_lirpa()
    except AutoLirpaMissing as error:
        pytest.skip(str(error))


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("module", ["torch", "auto_LiRPA"])
def test_what_is_missing_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace())
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(BadInput, match=r"pip install --no-deps -r requirements/auto_lirpa\.txt") as refused:
        require_auto_lirpa()
    assert f"import of {module} halted" in str(refused.value)


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("version", ["0.3", "0.6.9", "", "new"])
def test_an_old_one_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "auto_LiRPA", SimpleNamespace(__version__=version))
    with pytest.raises(AutoLirpaMissing, match=r"0\.7 is needed: .*requirements/auto_lirpa.txt"):
        require_auto_lirpa()
    monkeypatch.setitem(sys.modules, "auto_LiRPA", SimpleNamespace(__version__="0.10.1"))
    auto_lirpa._libraries.cache_clear()
    require_auto_lirpa()


def test_the_requirements_pin_a_commit() -> None:
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    (pinned,) = [line for line in lines if line.startswith("auto_LiRPA")]
    source, _, commit = pinned.rpartition("@")
    assert source == "auto_LiRPA @ git+https://github.com/Verified-Intelligence/auto_LiRPA"
    assert len(commit) == 40 and set(commit) <= set("0123456789abcdef")


def some_boxes(staged: StagedNetwork, side: float) -> tuple[np.ndarray, np.ndarray]:
    lower = np.random.default_rng(0).uniform(-0.5, 0.5, (20, staged.n_inputs))
    return lower, lower + side


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("form", FORMS)
def test_the_rebuilt_network_computes_the_same(form: str) -> None:
    staged = load_model(FORMS[form]).staged
    points, _ = some_boxes(staged, 0.0)
    found = PeerNetwork(staged, "double").bounds(points, points, "interval")
    exact = [
        [float(value) for value in evaluate_exact(staged, [Fraction(x) for x in point])] for point in points
    ]
    np.testing.assert_allclose(found.lower, exact, rtol=1e-9, atol=1e-9)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method", ["interval", "crown_interval", "crown"])
@pytest.mark.parametrize("side", [0.02, 0.3])
def test_our_bounds_are_no_looser_than_its_own(form: str, method: auto_lirpa.PeerMethod, side: float) -> None:
    """Same slopes, same bounds of neurons, per row: within 1e-6 (1 + |bound|) of its double precision."""
    assert method != "alpha"
    staged = load_model(FORMS[form]).staged
    lower, upper = some_boxes(staged, side)
    theirs = PeerNetwork(staged, "double").bounds(lower, upper, method)
    assert theirs.label == "not sound to rounding"
    ours = reference.bound_boxes(flatten(staged).net, lower, upper, method, True, False)
    assert np.all(ours[0] >= theirs.lower - 1e-6 * (1.0 + np.abs(theirs.lower)))
    assert np.all(ours[1] <= theirs.upper + 1e-6 * (1.0 + np.abs(theirs.upper)))
    # And no tighter than what it leaves out: rounding.
    np.testing.assert_allclose(ours[0], theirs.lower, rtol=1e-6, atol=1e-6)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("side", [0.02, 0.05, 0.3])
@pytest.mark.parametrize("form", ["dense", "deep", "demo", "acasxu"])
def test_the_dense_kernels_are_no_looser(form: str, side: float, request: pytest.FixtureRequest) -> None:
    """What the benchmark compares: full CROWN in double precision, per row."""
    source = request.getfixturevalue("data") / ACASXU if form == "acasxu" else FORMS[form]
    staged = load_model(source).staged
    lower, upper = some_boxes(staged, side)
    theirs = PeerNetwork(staged, "double").bounds(lower, upper, "crown")
    ours = bound_boxes(pack(staged, "double"), lower, upper, "crown", slopes="area", intersect=False)
    assert np.all(ours.lower >= theirs.lower - 1e-6 * (1.0 + np.abs(theirs.lower)))
    assert np.all(ours.upper <= theirs.upper + 1e-6 * (1.0 + np.abs(theirs.upper)))


@pytest.mark.usefixtures("installed")
def test_optimised_slopes_tighten() -> None:
    staged = load_model(FORMS["deep"]).staged
    lower, upper = some_boxes(staged, 0.5)
    for precision in ("single", "double"):
        network = PeerNetwork(staged, precision, {"iteration": 5})
        plain, better = (network.bounds(lower, upper, method) for method in ("crown", "alpha"))
        width = (plain.upper - plain.lower).mean()
        assert (better.upper - better.lower).mean() < 0.99 * width


def asked(data: bytes, side: float) -> RootQuestion:
    staged = load_model(data).staged
    lower, upper = some_boxes(staged, side)
    rows = np.zeros((2, sum(staged.group_sizes)))
    rows[:, -1], rows[1, 0] = 1.0, -0.5  # an output, and with an input beside it
    return RootQuestion(staged, lower[0], upper[0], rows, np.array([0.0, 0.25]), 20.0)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("form", [form for form in FORMS if form != "constant"])
def test_slopes_are_proposed_for_rows_and_neurons(form: str) -> None:
    question = asked(FORMS[form], 0.5)
    count = question.staged.neuron_count
    hints = propose_slopes(question)
    assert hints.neurons.shape == (count, 2, count) and hints.rows.shape == (2, count)
    slopes = on_grid(hints, question)
    assert len(np.unique(slopes.rows)) > 2  # not 0 and 1 alone: they were optimised


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("seed", range(5))
def test_each_slope_belongs_to_its_neuron(seed: int) -> None:
    """A neuron's bounds by its slopes are those that auto_LiRPA has found with them."""
    question = asked(dense([3, 10, 10, 10, 1], seed), 0.6)
    flat = flatten(question.staged)
    network = PeerNetwork(slope_hints._with_rows(question), "double", slope_hints.OPTIONS)
    boxes = network.boxes(question.lower[None], question.upper[None])
    network.run(boxes, "alpha", upper=False)
    # The bound of the slopes that it has kept: what it returns may stem from the best of many passes.
    with network._set_up():
        lower, _ = network.bounded.compute_bounds(
            x=(boxes,), method="backward", reuse_alpha=True, bound_upper=False
        )
    hints = slope_hints._read(network.bounded, question)
    held = np.stack([np.full(flat.total, end) for end in (-np.inf, np.inf)])
    places = np.flatnonzero(flat.neuron >= 0)

    def bounded(slopes: np.ndarray, named: np.ndarray) -> list[reference.Group]:
        values = np.full(flat.total, np.nan)
        values[places] = slopes
        values[(held[0] >= 0.0) | (held[1] <= 0.0)] = np.nan  # a stable neuron has no choice
        found = reference.tighten(flat.net, question.lower, question.upper, held, values, named)
        assert found is not None
        return found[0]

    for place, by_side in zip(places, hints.neurons, strict=True):
        for slopes in by_side:
            groups = bounded(slopes, np.arange(flat.total) == place)
            held = np.stack([np.concatenate([group[end] for group in groups]) for end in (0, 1)])
    theirs = lower[0].detach().numpy()
    for k, slopes in enumerate(hints.rows):
        groups = bounded(slopes, np.zeros(flat.total, np.bool_))
        row, offset = question.rows[[k]], question.offsets[[k]]
        ours = float(reference.bound_rows(flat.net, groups, row, offset).value[0])
        assert ours >= theirs[k] - 1e-6 * (1.0 + abs(theirs[k]))


def test_large_networks_get_no_hints() -> None:
    with pytest.raises(NoHints, match="more than 2048 neurons"):
        propose_slopes(asked(dense([2, 2049, 1], 0), 0.1))


@pytest.mark.usefixtures("installed")
def test_what_auto_lirpa_fails_by_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError("/23")

    monkeypatch.setattr(PeerNetwork, "run", fail)
    with pytest.raises(NoHints, match="auto_LiRPA: KeyError: '/23'"):
        propose_slopes(asked(FORMS["dense"], 0.5))
