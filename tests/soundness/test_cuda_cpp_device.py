"""What is handed to a device: to a driver that runs the host's kernels, and to a device if there is one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from hybrid_ai.bounds.backends.cuda_cpp import (
    CompilerMissing,
    Phase,
    Request,
    compile_kernels,
    nvrtc_compiler,
)
from hybrid_ai.bounds.backends.cuda_cpp_device import (
    DeviceFailed,
    Loaded,
    NoDevice,
    bound_boxes,
    bound_nodes,
    loaded,
    open_device,
)
from hybrid_ai.bounds.backends.cuda_cpp_layout import NODE_PANEL, PANEL, BlockedNetwork, pack_blocked
from hybrid_ai.bounds.dense import METHODS, Precision
from tests.soundness.fake_driver import FakeDriver
from tests.soundness.host_kernels import HostKernels
from tests.soundness.test_cuda_cpp import wide
from tests.soundness.test_cuda_cpp_nodes import unknown
from tests.soundness.test_dense import PRECISIONS, generic_ends

WIDTH = 20
PANELS: dict[Phase, int] = {"dense": PANEL, "nodes": NODE_PANEL}


@pytest.fixture
def driver(kernels: HostKernels, monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    fake = FakeDriver(kernels, WIDTH)
    for name in ("cuda", "cuda.bindings"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "cuda.bindings.driver", fake)  # type: ignore[arg-type]
    return fake


def network_of(phase: Phase, precision: Precision, *sizes: int) -> BlockedNetwork:
    staged = wide(np.random.default_rng(71), *sizes)
    return pack_blocked(staged, precision, WIDTH, panel=PANELS[phase])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_boxes_reach_the_kernel_and_bounds_come_back(
    driver: FakeDriver, kernels: HostKernels, precision: Precision
) -> None:
    network, device = network_of("dense", precision, 3, 20, 9, 2), open_device()
    assert (device.capability, device.processors) == ((7, 0), 80)
    boxes = generic_ends(np.random.default_rng(72), 3, 8)
    with loaded(device, network, "dense", b"cubin") as kernel:
        for method in METHODS:
            for slopes, intersect in (("format", True), ("area", False)):
                found = bound_boxes(kernel, *boxes, method, slopes=slopes, intersect=intersect)
                wanted = kernels.bound(network, *boxes, method, slopes=slopes, intersect=intersect)
                np.testing.assert_array_equal(np.stack(found), np.stack(wanted))
        held = len(driver.memory)
    assert (held, driver.memory, driver.modules) == (5, {}, [])
    shared = kernels.geometry(WIDTH, precision, 4).shared_bytes
    assert set(driver.launches) == {(f"bound_boxes_{precision}", 3, 1, 1, 60, 1, 1, shared)}


@pytest.mark.parametrize("precision", PRECISIONS)
def test_nodes_reach_the_kernel_and_bounds_come_back(
    driver: FakeDriver, kernels: HostKernels, precision: Precision
) -> None:
    network = network_of("nodes", precision, 3, 20, 9, 2)
    boxes, held = generic_ends(np.random.default_rng(73), 3, 5), unknown(network, 5)
    held[:, 1, 1, 4] = 0.1
    with loaded(open_device(), network, "nodes", b"cubin") as kernel:
        found = bound_nodes(kernel, *boxes, held, slopes="area")
    wanted = kernels.bound_nodes(network, *boxes, held, slopes="area")
    written = ~np.isnan(wanted)
    np.testing.assert_array_equal(found[written], wanted[written])
    np.testing.assert_array_equal(found[~written], held[~written])
    shared = kernels.node_geometry(WIDTH, precision, 4).shared_bytes
    assert driver.launches == [(f"bound_nodes_{precision}", 5, 1, 1, 256, 1, 1, shared)]
    assert (driver.memory, driver.modules) == ({}, [])


def test_no_more_blocks_than_the_device_holds_take_nodes(driver: FakeDriver) -> None:
    network = network_of("nodes", "single", 1, 2, 1)
    with loaded(open_device(), network, "nodes", b"cubin") as kernel:
        bound_nodes(kernel, np.zeros((400, 1)), np.ones((400, 1)), unknown(network, 400))
    assert driver.launches[0][1] == 160


def test_more_shared_memory_is_asked_for_or_refused(driver: FakeDriver) -> None:
    deep = network_of("dense", "double", 2, *([4] * 30), 1)
    with loaded(open_device(), deep, "dense", b"cubin") as kernel:
        assert driver.asked == [kernel.shape.shared_bytes] and kernel.shape.shared_bytes > 48 * 1024
        assert np.isfinite(bound_boxes(kernel, np.zeros((1, 2)), np.ones((1, 2))).lower).all()
    driver.most_shared = 48 * 1024
    with (
        pytest.raises(
            DeviceFailed, match=r"a network of 32 groups needs .* the device has 49152 for a block"
        ),
        loaded(open_device(), deep, "dense", b"cubin"),
    ):
        pytest.fail("a network that does not fit was loaded")


def test_what_fails_frees_what_it_holds(driver: FakeDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    network = network_of("dense", "single", 2, 3, 1)
    with loaded(open_device(), network, "dense", b"cubin") as kernel:
        monkeypatch.setattr(driver, "width", 8)
        with pytest.raises(DeviceFailed, match="cuLaunchKernel: CUDA_ERROR_INVALID_VALUE"):
            bound_boxes(kernel, np.zeros((1, 2)), np.ones((1, 2)))
        assert len(driver.memory) == 5
    assert (driver.memory, driver.modules) == ({}, [])


def test_what_a_device_does_not_write_shows_nothing(
    driver: FakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = network_of("dense", "single", 2, 3, 1)
    monkeypatch.setattr(driver, "cuLaunchKernel", lambda *arguments: ("CUDA_SUCCESS",))
    monkeypatch.setattr(driver, "cuMemAlloc", partial(_zeroed, driver.cuMemAlloc, driver))
    with loaded(open_device(), network, "dense", b"cubin") as kernel:
        found = bound_boxes(kernel, np.zeros((3, 2)), np.ones((3, 2)))
    assert np.isneginf(found.lower).all() and np.isposinf(found.upper).all()


def _zeroed(reserve: Callable[[int], tuple[Any, ...]], driver: FakeDriver, size: int) -> tuple[Any, ...]:
    status, place = reserve(size)
    driver.memory[place][:] = 0  # memory that others used may hold anything
    return status, place


def test_boxes_that_do_not_fit_are_refused(driver: FakeDriver) -> None:
    network = network_of("nodes", "single", 2, 3, 1)
    with loaded(open_device(), network, "nodes", b"cubin") as kernel:
        with pytest.raises(ValueError, match="expected"):
            bound_nodes(kernel, np.zeros((2, 1)), np.zeros((2, 1)), unknown(network, 2))
        with pytest.raises(ValueError, match="above its upper end"):
            bound_nodes(kernel, np.ones((2, 2)), np.zeros((2, 2)), unknown(network, 2))
        with pytest.raises(ValueError, match="known bounds of shape"):
            bound_nodes(kernel, np.zeros((2, 2)), np.zeros((2, 2)), unknown(network, 3))
        assert bound_nodes(kernel, np.zeros((0, 2)), np.zeros((0, 2)), unknown(network, 0)).shape[0] == 0


def test_without_a_device_the_remedy_is_named(driver: FakeDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoDevice, match=r"cuDeviceGet: CUDA_ERROR_INVALID_VALUE.*install NVIDIA's driver"):
        open_device(1)
    monkeypatch.setitem(sys.modules, "cuda.bindings.driver", None)
    with pytest.raises(NoDevice, match=r"install NVIDIA's driver and hybrid-ai\[cuda12\]"):
        open_device()


@pytest.fixture(params=[(phase, precision) for phase in PANELS for precision in PRECISIONS])
def on_device(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Loaded]:
    phase, precision = request.param
    try:
        device, compiler = open_device(), nvrtc_compiler()
    except (NoDevice, CompilerMissing) as error:
        pytest.skip(str(error))
    network = network_of(phase, precision, 3, 20, 20, 17, 2)
    cubin = compile_kernels(Request(phase, WIDTH, device.capability), compiler, tmp_path)
    with loaded(device, network, phase, cubin) as kernel:
        yield kernel


@pytest.mark.gpu
def test_a_device_gives_the_bits_of_the_host(on_device: Loaded, kernels: HostKernels) -> None:
    network, boxes = on_device.network, generic_ends(np.random.default_rng(74), 3, 1000)
    if on_device.shape.threads == 256:
        held = unknown(network, 1000)
        wanted = kernels.bound_nodes(network, *boxes, held)
        written = ~np.isnan(wanted)
        np.testing.assert_array_equal(bound_nodes(on_device, *boxes, held)[written], wanted[written])
        return
    for method in METHODS:
        found, wanted_bounds = bound_boxes(on_device, *boxes, method), kernels.bound(network, *boxes, method)
        np.testing.assert_array_equal(np.stack(found), np.stack(wanted_bounds))
