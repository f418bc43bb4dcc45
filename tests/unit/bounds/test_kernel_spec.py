"""Each kernel has an entry in kernels/spec, and does what the reference named there does."""

from __future__ import annotations

import importlib
import inspect
import tomllib
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from types import FunctionType
from typing import Any

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher

from hybrid_ai.bounds import flatten
from hybrid_ai.bounds.arrays import Net
from hybrid_ai.bounds.backends import numba_cpu, reference
from hybrid_ai.bounds.boxes import bound_boxes
from hybrid_ai.bounds.dense import METHODS, pack
from tests.architecture.sources import PACKAGE, ROOT
from tests.gpu.simulator import Case, NodeCase, Nodes, Simulator, simulating
from tests.soundness.backends import BACKENDS, unbounded
from tests.soundness.random_networks import WEIGHTS, Drawn, draw

BACKEND_FOLDER = PACKAGE / "bounds" / "backends"
FIELDS = {"name", "summary", "reference", "contract", "backends", "argument"}
OPTIONAL = {"theory", "parts", "sources"}
TOLERANCE = {"rtol": 1e-9, "atol": 1e-9}
ON_A_DEVICE = "numba_cuda"  # its modules hold functions that launch kernels, and make these for a layout


def entries() -> dict[str, dict[str, Any]]:
    files = sorted((ROOT / "kernels" / "spec").iterdir())
    return {file.stem: tomllib.loads(file.read_text("utf-8")) for file in files}


ENTRIES = entries()
CUDA_DENSE = ("make_kernels", "put", "make_work", "bound_vectors")
PAIRS = [(name, backend) for name, entry in ENTRIES.items() for backend in entry["backends"]]


def kernel(place: str) -> Any:
    module, name = place.split(".")
    return getattr(importlib.import_module(f"hybrid_ai.bounds.backends.{module}"), name, None)


def named(found: Mapping[str, dict[str, Any]]) -> Iterator[str]:
    """Every function that the entries name, as module.function."""
    for entry in found.values():
        yield from entry["backends"].values()
        for parts in entry.get("parts", {}).values():
            yield from parts


def is_kernel(module: str, value: Any) -> bool:
    """Whether a value of a backend's module is a kernel, or launches one."""
    if module.startswith(ON_A_DEVICE):
        return callable(value) and isinstance(inspect.unwrap(value), FunctionType)
    return isinstance(value, Dispatcher)


def missing(found: Mapping[str, dict[str, Any]]) -> list[str]:
    """Kernels of the backends that no entry names."""
    taken = set(named(found))
    return [
        f"{path.stem}.{name} has no entry in kernels/spec"
        for path in sorted(BACKEND_FOLDER.glob("numba_*.py"))
        for name, value in vars(importlib.import_module(f"hybrid_ai.bounds.backends.{path.stem}")).items()
        if is_kernel(path.stem, value)
        and value.__module__.endswith(f".{path.stem}")
        and not name.startswith("_")
        and f"{path.stem}.{name}" not in taken
    ]


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_an_entry_is_complete(name: str) -> None:
    entry = ENTRIES[name]
    assert FIELDS <= set(entry) <= FIELDS | OPTIONAL
    assert entry["name"] == name
    assert callable(getattr(reference, entry["reference"], None)), f"no {entry['reference']} in the reference"
    assert "theory" not in entry or (ROOT / "docs" / "theory" / f"{entry['theory']}.md").is_file()
    for argument in entry["argument"]:
        assert set(argument) == {"name", "shape", "dtype", "meaning"}


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_the_arguments_are_those_of_each_backend(name: str) -> None:
    wanted = [argument["name"] for argument in ENTRIES[name]["argument"]]
    for place in ENTRIES[name]["backends"].values():
        function = kernel(place)
        assert list(inspect.signature(getattr(function, "py_func", function)).parameters) == wanted, place


def test_every_function_named_exists_and_is_named_once() -> None:
    places = list(named(ENTRIES))
    assert [place for place in places if not is_kernel(place, kernel(place))] == []
    assert len(places) == len(set(places))


def test_every_kernel_has_an_entry() -> None:
    assert missing(ENTRIES) == []


def test_a_kernel_without_an_entry_is_named() -> None:
    rest = {name: entry for name, entry in ENTRIES.items() if name != "bound_boxes"}
    assert missing(rest) == [
        *(f"numba_cuda_dense.{name} has no entry in kernels/spec" for name in CUDA_DENSE),
        "numba_dense.bound_vectors has no entry in kernels/spec",
    ]


def cases(*, chain: bool) -> Iterator[tuple[np.random.Generator, Drawn, np.ndarray, np.ndarray]]:
    """Networks and boxes without symmetry, of which rounding decides nothing."""
    rng = np.random.default_rng(77)
    for _ in range(15):
        drawn = draw(rng, WEIGHTS["normal"], 5, 9, chain=chain)
        lower = rng.normal(size=(6, drawn.staged.n_inputs))
        yield rng, drawn, lower, lower + rng.uniform(0.01, 1.0, size=lower.shape)


def compare_tighten(backend: str) -> None:
    for _, drawn, lower, upper in cases(chain=False):
        net = flatten(drawn.staged).net
        mine, theirs = (
            BACKENDS[b].bound(net, lower[0], upper[0], unbounded(net)) for b in (backend, "reference")
        )
        assert mine is not None and theirs is not None
        for column, other in zip(mine[:5], theirs[:5], strict=True):
            np.testing.assert_allclose(column, other, **TOLERANCE)


def compare_backward(backend: str) -> None:
    for rng, drawn, lower, upper in cases(chain=False):
        net = flatten(drawn.staged).net
        table, offsets = rng.normal(size=(4, net.bias.shape[0])), rng.normal(size=4)
        mine, theirs = (
            BACKENDS[b].rows(net, lower[0], upper[0], unbounded(net), table, offsets)
            for b in (backend, "reference")
        )
        np.testing.assert_allclose(mine.value, theirs.value, **TOLERANCE)


def compare_forward_point(backend: str) -> None:
    assert backend == "numba_cpu"
    for _, drawn, lower, _ in cases(chain=False):
        net = flatten(drawn.staged).net
        values = np.empty(net.bias.shape[0])
        numba_cpu.forward_point(net, lower[0], values)
        np.testing.assert_allclose(values, reference.forward_point(net, lower[0]), **TOLERANCE)


def compare_bound_boxes(backend: str) -> None:
    assert backend == "numba_dense"
    for _, drawn, lower, upper in cases(chain=True):
        net, packed = flatten(drawn.staged).net, pack(drawn.staged, "double")
        for method in METHODS:
            mine = bound_boxes(packed, lower, upper, method)
            theirs = reference.bound_boxes(net, lower, upper, method, False, True)
            for found, wanted in zip(mine, theirs, strict=True):
                np.testing.assert_allclose(found, wanted, **TOLERANCE)


def simulate_bound_boxes(simulator: Simulator) -> None:
    for _, drawn, lower, upper in islice(cases(chain=True), 4):
        net = flatten(drawn.staged).net
        for method in METHODS:
            case = Case(drawn.staged, "double", lower[:2], upper[:2], method)
            theirs = reference.bound_boxes(net, lower[:2], upper[:2], method, False, True)
            for found, wanted in zip(simulator([case])[0], theirs, strict=True):
                np.testing.assert_allclose(found, wanted, **TOLERANCE)


def simulated_nodes(simulator: Simulator) -> Iterator[tuple[NodeCase, Net, Nodes]]:
    for rng, drawn, lower, upper in islice(cases(chain=False), 8):
        net = flatten(drawn.staged).net
        held, table = np.stack([unbounded(net)] * 2), rng.normal(size=(4, net.bias.shape[0]))
        case = NodeCase(drawn.staged, lower[:2], upper[:2], held, table, rng.normal(size=4))
        yield case, net, simulator([case])[0]


def simulate_tighten(simulator: Simulator) -> None:
    for case, net, found in simulated_nodes(simulator):
        assert found.bounded.all()
        for b in range(2):
            theirs = BACKENDS["reference"].bound(net, case.lower[b], case.upper[b], case.held[b])
            assert theirs is not None
            for name in ("lower", "upper", "low_slope", "high_slope", "intercept", "magnitude", "step_error"):
                first = 0 if name in ("lower", "upper", "magnitude") else net.size[0]
                mine, wanted = getattr(found.node, name)[b], getattr(theirs, name)
                np.testing.assert_allclose(mine[first:], wanted[first:], **TOLERANCE)


def simulate_backward(simulator: Simulator) -> None:
    for case, net, found in simulated_nodes(simulator):
        for b in range(2):
            bound = BACKENDS["reference"].rows
            theirs = bound(net, case.lower[b], case.upper[b], case.held[b], case.table, case.offsets)
            np.testing.assert_allclose(found.value[b], theirs.value, **TOLERANCE)


def simulate_forward_point(simulator: Simulator) -> None:
    for case, net, found in simulated_nodes(simulator):
        for b in range(2):
            np.testing.assert_allclose(
                found.outputs[b], reference.forward_point(net, case.lower[b]), **TOLERANCE
            )


COMPARISONS: Mapping[str, Callable[[str], None]] = {
    "tighten": compare_tighten,
    "backward": compare_backward,
    "forward_point": compare_forward_point,
    "bound_boxes": compare_bound_boxes,
}


SIMULATIONS: Mapping[str, Callable[[Simulator], None]] = {
    "tighten": simulate_tighten,
    "backward": simulate_backward,
    "forward_point": simulate_forward_point,
    "bound_boxes": simulate_bound_boxes,
}


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with simulating() as running:
        yield running


@pytest.mark.parametrize(("name", "backend"), PAIRS)
def test_a_backend_gives_what_the_reference_gives(
    name: str, backend: str, request: pytest.FixtureRequest
) -> None:
    known = SIMULATIONS if backend == ON_A_DEVICE else COMPARISONS
    assert name in known, f"{name}: say how {backend} is compared with the reference"
    if backend == ON_A_DEVICE:
        SIMULATIONS[name](request.getfixturevalue("simulator"))
    else:
        COMPARISONS[name](backend)
