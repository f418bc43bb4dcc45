"""Bounds of many boxes at once on a CUDA device."""

from __future__ import annotations

import numpy as np

from hybrid_ai.bounds.arrays import Floats
from hybrid_ai.bounds.backends.reference import Method
from hybrid_ai.bounds.boxes import OutputBounds, require_boxes, round_outward, shown
from hybrid_ai.bounds.dense import METHODS, Slopes
from hybrid_ai.bounds.device import (
    DeviceNet,
    DeviceNetwork,
    DeviceWork,
    OutOfDeviceMemory,
    UnsoundDenseDeviceNetwork,
    device_errors,
)

MOST_BOXES = 32768  # in one launch: beside them launching and copying cost little
FEWEST_BOXES = 64  # with less memory than for these a device is of no use


class _Boxes:
    """A network on the device, and work space for its boxes."""

    def __init__(self, net: DeviceNet) -> None:
        self._host = net
        with device_errors():
            from hybrid_ai.bounds.backends import numba_cuda_dense

            self._kernels = numba_cuda_dense
            self._net: DeviceNet = numba_cuda_dense.put(net)
        self._work: DeviceWork | None = None
        self._most = MOST_BOXES

    def __call__(
        self,
        lower: Floats,
        upper: Floats,
        method: Method = "crown",
        *,
        slopes: Slopes = "format",
        intersect: bool = True,
    ) -> OutputBounds:
        """Bounds of the outputs over boxes, as `boxes.bound_boxes` gives them.

        Args:
            lower: of the boxes, (boxes, n_inputs) float64.
            upper: of the boxes, at least lower, (boxes, n_inputs) float64.
            method: what bounds the neurons.
            slopes: which lower slopes.
            intersect: whether backward bounds are intersected with intervals.

        Raises:
            ValueError: as `boxes.bound_boxes`.
            DeviceError: the device fails, or has no memory even for FEWEST_BOXES at once.
        """
        net = self._host
        require_boxes(lower, upper, int(net.size[0]))
        # One lane, by reshaping: an axis added by None has no stride, and numba then compiles anew.
        ends = [end.reshape(*end.shape, 1) for end in round_outward(lower, upper, net.bias.dtype)]
        out = np.full((lower.shape[0], 2, int(net.size[-1]), 1), np.nan, net.bias.dtype)
        done = 0
        while done < len(out):
            part = slice(done, min(done + self._most, len(out)))
            if self._fits(ends[0][part], ends[1][part], out[part], method, slopes, intersect):
                done = part.stop
        return shown(out[..., 0])

    def _fits(
        self,
        lower: np.ndarray,
        upper: np.ndarray,
        out: np.ndarray,
        method: Method,
        slopes: Slopes,
        intersect: bool,
    ) -> bool:
        """Bound these boxes; false when memory is short, and fewer at once are to be tried."""
        try:
            with device_errors():
                if self._work is None or self._work.lines.shape[0] < len(out):
                    self._work = None  # freed before more is asked for
                    self._work = self._kernels.make_work(self._net, len(out))
                self._kernels.bound_vectors(
                    self._net,
                    self._work,
                    lower,
                    upper,
                    METHODS.index(method),
                    intersect,
                    slopes == "area",
                    out,
                )
        except OutOfDeviceMemory:
            self._work = None
            if len(out) <= FEWEST_BOXES:
                raise
            self._most = max(FEWEST_BOXES, len(out) // 2)
            return False
        return True


class DeviceBoxes(_Boxes):
    """Bounds of a network's boxes on a device, in real arithmetic.

    Sound because: boxes are rounded outward, the kernels add what they may lose by rounding, and a bound that
    the device did not write is NaN, which becomes infinite (docs/theory/rounding-on-a-device.md).
    """

    def __init__(self, network: DeviceNetwork) -> None:
        """Bring a network to the device.

        Raises:
            DeviceError: there is no device, or it fails.
        """
        super().__init__(network.net)


class UnsoundDenseDeviceBoxes(_Boxes):
    """What `DeviceBoxes` computes, less the error terms: not bounds, but what these cost."""

    def __init__(self, network: UnsoundDenseDeviceNetwork) -> None:
        """Bring a network to the device.

        Raises:
            DeviceError: as `DeviceBoxes`.
        """
        super().__init__(network.net)
