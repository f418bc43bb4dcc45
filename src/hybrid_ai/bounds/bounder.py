"""Bounds of boxes on the backend asked for, and on the processor when a device is missing or fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from hybrid_ai.bounds.arrays import Floats
from hybrid_ai.bounds.backends.reference import Method
from hybrid_ai.bounds.boxes import OutputBounds, bound_boxes
from hybrid_ai.bounds.dense import DenseNetwork, Precision, Slopes, pack
from hybrid_ai.bounds.device import DeviceError, TooWide, pack_for_device
from hybrid_ai.bounds.device_boxes import DeviceBoxes
from hybrid_ai.network import StagedNetwork

Backend = Literal["auto", "cpu", "cuda"]


class Bounder:
    """Bounds a network's boxes; what a device cannot do, or can do no more, the processor does.

    Attributes:
        backend: what bounds now, "cpu" or "cuda".
        reason: why it is not the device that was asked for, "" where it is what was asked for.
    """

    def __init__(
        self,
        staged: StagedNetwork,
        precision: Precision,
        backend: Backend = "auto",
        notice: Callable[[str], None] | None = None,
    ) -> None:
        """Choose a backend.

        Args:
            staged: a chain of fully connected stages.
            precision: what the kernels compute in.
            backend: "cpu"; "cuda"; or "auto", a device where there is one that can hold the network.
            notice: called with one line when the processor takes over from the device that was asked for, or
                that failed.

        Raises:
            NotDense, NoFusedMultiplyAdd: neither can bound boxes of the network.
        """
        self._staged, self._precision, self._notice = staged, precision, notice
        self._packed: DenseNetwork | None = None
        self._device: DeviceBoxes | None = None
        self.reason = ""
        if backend != "cpu":
            self._begin(told=backend == "cuda")
        if self._device is None:
            self._packed = pack(staged, precision)

    @property
    def backend(self) -> Literal["cpu", "cuda"]:
        """What bounds now."""
        return "cpu" if self._device is None else "cuda"

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

        Raises:
            ValueError: as `boxes.bound_boxes`.

        Sound because: boxes that a device leaves behind are bounded anew, all of them.
        """
        if self._device is not None:
            try:
                return self._device(lower, upper, method, slopes=slopes, intersect=intersect)
            except DeviceError as error:
                self._leave(error, told=True)
        if self._packed is None:
            self._packed = pack(self._staged, self._precision)
        return bound_boxes(self._packed, lower, upper, method, slopes=slopes, intersect=intersect)

    def _begin(self, *, told: bool) -> None:
        try:
            self._device = DeviceBoxes(pack_for_device(self._staged, self._precision))
        except (DeviceError, TooWide) as error:
            self._leave(error, told=told)

    def _leave(self, error: DeviceError | TooWide, *, told: bool) -> None:
        self._device, self.reason = None, str(error)
        if told and self._notice is not None:
            self._notice(f"the processor bounds the boxes: {error}")
