"""Devices that are absent, short of memory or lost: typed errors, a message, and the bounds all the same."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numba.cuda.cudadrv.driver import CudaAPIError
from numba.cuda.cudadrv.error import CudaSupportError, NvvmSupportError

from hybrid_ai.bounds.backends import numba_cuda_dense
from hybrid_ai.bounds.backends.cuda_geometry import WIDEST
from hybrid_ai.bounds.bounder import Backend, Bounder
from hybrid_ai.bounds.boxes import bound_boxes
from hybrid_ai.bounds.dense import NotDense, pack
from hybrid_ai.bounds.device import (
    DeviceLost,
    DeviceNet,
    DeviceWork,
    NoDevice,
    OutOfDeviceMemory,
    TooWide,
    describe_failure,
    pack_for_device,
)
from hybrid_ai.bounds.device_boxes import FEWEST_BOXES, MOST_BOXES
from hybrid_ai.network import StagedNetwork
from tests.architecture.sources import ROOT
from tests.soundness.random_networks import network, stage

MEMORY, LAUNCH, ILLEGAL = 2, 719, 700
MARK = 17.0  # what the device of these tests writes: no bound of the network


class CUDAError(Exception):
    """As cuda.core raises it."""


def chain(width: int = 3) -> StagedNetwork:
    rows = [[Fraction((3 * i + j) % 5 - 2) for j in range(2)] for i in range(width)]
    hidden = stage("relu", {0: rows}, [Fraction(1, 2)] * width)
    return network(2, hidden, stage("linear", {1: [[Fraction(1)] * width]}, [Fraction(0)]))


def boxes(count: int) -> tuple[np.ndarray, np.ndarray]:
    lower = np.random.default_rng(1).normal(size=(count, 2))
    return lower, lower + 0.5


Fault = Callable[[int, int], Exception | None]


class Device:
    """A device that marks every bound, unless a launch (its number, its boxes) is at fault."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fault: Fault) -> None:
        self.launches: list[int] = []
        self._fault = fault
        monkeypatch.setattr(numba_cuda_dense, "put", lambda net: net)
        monkeypatch.setattr(numba_cuda_dense, "make_work", self._make_work)
        monkeypatch.setattr(numba_cuda_dense, "bound_vectors", self._bound)

    def _make_work(self, net: DeviceNet, count: int) -> DeviceWork:
        return DeviceWork(np.empty((count, 1)), np.empty((count, 1)))

    def _bound(self, net: Any, work: DeviceWork, lower: np.ndarray, *rest: Any) -> None:
        assert work.lines.shape[0] >= len(lower)
        for part in (lower, rest[0], rest[-1]):  # as the kernels are compiled for
            assert part.flags.c_contiguous and 0 not in part.strides and part.shape[-1] == 1
        self.launches.append(len(lower))
        if (fault := self._fault(len(self.launches), len(lower))) is not None:
            raise fault
        rest[-1][:] = MARK


def told_by(backend: Backend = "cuda") -> tuple[Bounder, list[str]]:
    told: list[str] = []
    return Bounder(chain(), "double", backend, told.append), told


def assert_bounds_of_the_processor(bounder: Bounder) -> None:
    lower, upper = boxes(50)
    for mine, theirs in zip(
        bounder(lower, upper), bound_boxes(pack(chain(), "double"), lower, upper), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


def test_boxes_are_bounded_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device(monkeypatch, lambda launch, count: None)
    bounder, told = told_by()
    found = bounder(*boxes(MOST_BOXES + 5))
    assert bounder.backend == "cuda" and (told, bounder.reason) == ([], "")
    assert device.launches == [MOST_BOXES, 5]
    assert np.all(found.lower == MARK) and found.lower.shape == (MOST_BOXES + 5, 1)


def test_less_memory_means_smaller_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device(monkeypatch, lambda _, count: CudaAPIError(MEMORY, "memory") if count > 300 else None)
    bounder, told = told_by()
    found = bounder(*boxes(1000))
    assert np.all(found.lower == MARK) and np.all(found.upper == MARK)
    assert (bounder.backend, told) == ("cuda", [])
    assert device.launches == [1000, 500, 250, 250, 250, 250]
    bounder(*boxes(1000))
    assert device.launches[6:] == [250] * 4  # what failed once is not tried again


def test_without_any_memory_the_processor_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device(monkeypatch, lambda *_: CudaAPIError(MEMORY, "Call to cuMemAlloc results in ..."))
    bounder, told = told_by()
    assert_bounds_of_the_processor(bounder)
    assert bounder.backend == "cpu"
    assert told == [f"the processor bounds the boxes: {bounder.reason}"]
    assert "the device is out of memory: [2] Call to cuMemAlloc" in bounder.reason
    assert device.launches == [50]
    assert FEWEST_BOXES == 64


def test_a_lost_device_is_left_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it had bounded of the same call is thrown away with it."""
    device = Device(monkeypatch, lambda launch, _: CudaAPIError(LAUNCH, "gone") if launch == 3 else None)
    bounder, told = told_by()
    lower, upper = boxes(MOST_BOXES + 50)
    assert np.all(bounder(lower[:50], upper[:50]).lower == MARK)
    assert np.all(bounder(lower, upper).lower != MARK)
    assert device.launches == [50, MOST_BOXES, 50]
    assert_bounds_of_the_processor(bounder)
    assert len(device.launches) == 3 and len(told) == 1
    assert "the device failed: [719] gone" in told[0]


def test_a_bound_that_was_not_written_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    Device(monkeypatch, lambda *_: None)
    monkeypatch.setattr(numba_cuda_dense, "bound_vectors", lambda *_: None)
    found = told_by()[0](*boxes(3))
    assert np.all(found.lower == -np.inf) and np.all(found.upper == np.inf)


@pytest.mark.parametrize("backend", ["auto", "cuda"])
def test_an_absent_device_is_told_where_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, backend: Backend
) -> None:
    def put(net: DeviceNet) -> DeviceNet:
        raise CudaSupportError("CUDA driver library cannot be found.")

    monkeypatch.setattr(numba_cuda_dense, "put", put)
    bounder, told = told_by(backend)
    assert_bounds_of_the_processor(bounder)
    assert "hybrid-ai[cuda12]" in bounder.reason and "driver library cannot be found" in bounder.reason
    assert told == ([f"the processor bounds the boxes: {bounder.reason}"] if backend == "cuda" else [])


def test_the_processor_asks_no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba_cuda_dense, "put", lambda net: pytest.fail("asked"))
    bounder, told = told_by("cpu")
    assert_bounds_of_the_processor(bounder)
    assert (told, bounder.reason) == ([], "")


def test_a_group_too_wide_for_the_device_goes_to_the_processor() -> None:
    wide = chain(WIDEST + 1)
    with pytest.raises(TooWide, match=f"a group of {WIDEST + 1} elements: the CUDA kernels hold {WIDEST}"):
        pack_for_device(wide, "single")
    bounder = Bounder(wide, "single", "cuda")
    assert bounder.backend == "cpu" and f"hold {WIDEST}" in bounder.reason
    assert np.all(np.isfinite(bounder(*boxes(3)).lower))


def test_an_output_may_be_wider_than_what_is_read() -> None:
    rows = [[Fraction(1), Fraction(2)]] * (WIDEST + 9)
    net = pack_for_device(network(2, stage("linear", {0: rows}, [Fraction(0)] * (WIDEST + 9))), "single").net
    assert net.weights.shape == (WIDEST + 9, 4)


def test_what_no_backend_can_bound_is_refused() -> None:
    one = [[Fraction(1)]]
    skip = network(
        1, stage("relu", {0: one}, [Fraction(0)]), stage("linear", {0: one, 1: one}, [Fraction(0)])
    )
    with pytest.raises(NotDense, match="reads the groups"):
        Bounder(skip, "double", "cuda")


def test_boxes_that_do_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    Device(monkeypatch, lambda *_: None)
    bounder = told_by()[0]
    with pytest.raises(ValueError, match="expected"):
        bounder(np.zeros((2, 3)), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="above its upper end"):
        bounder(np.ones((2, 2)), np.zeros((2, 2)))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (CudaAPIError(MEMORY, "no memory"), OutOfDeviceMemory),
        (CUDAError("CUDA_ERROR_OUT_OF_MEMORY: The API call failed"), OutOfDeviceMemory),
        (CudaAPIError(ILLEGAL, "illegal address"), DeviceLost),
        (CUDAError("CUDA_ERROR_LAUNCH_FAILED"), DeviceLost),
        (CudaSupportError("no driver"), NoDevice),
        (NvvmSupportError("libNVVM cannot be found"), NoDevice),
        (ModuleNotFoundError("No module named 'numba.cuda'"), NoDevice),
    ],
)
def test_failures_are_told_apart(error: Exception, kind: type[Exception]) -> None:
    assert type(describe_failure(error)) is kind


@pytest.mark.parametrize("error", [ValueError("x"), MemoryError(), ZeroDivisionError(), SimpleNamespace()])
def test_other_errors_are_ours(error: Any) -> None:
    assert describe_failure(error) is None


def test_our_own_errors_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    Device(monkeypatch, lambda *_: ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        told_by()[0](*boxes(3))


NO_DEVICE = """
from hybrid_ai.bounds.device_boxes import DeviceBoxes
from hybrid_ai.bounds.device import NoDevice
from hybrid_ai.bounds.device import pack_for_device
from tests.unit.bounds.test_bounder import chain
try:
    DeviceBoxes(pack_for_device(chain(), "single"))
except NoDevice as error:
    print(error)
"""


def test_a_machine_whose_devices_are_hidden_has_none() -> None:
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-c", NO_DEVICE], capture_output=True, text=True, check=False, env=environment
    )
    assert done.stdout.startswith("no usable CUDA device: "), done
