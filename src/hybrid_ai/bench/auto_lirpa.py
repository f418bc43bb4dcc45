"""auto_LiRPA beside us: its bounds of our networks, and its optimised slopes.

Nothing of it is trusted. Its bounds are plain floating point, not sound to rounding: they are compared with
ours and decide nothing. Its slopes are hints (`bench.slope_hints`).
Source: K. Xu et al. 2020, arXiv:2002.12920 (the library); K. Xu et al. 2021, arXiv:2011.13824 (alpha-CROWN).
"""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cache
from io import StringIO
from types import MappingProxyType, ModuleType
from typing import Any, Literal

import numpy as np

from hybrid_ai.bounds.arrays import Floats
from hybrid_ai.bounds.dense import Precision
from hybrid_ai.network import StagedNetwork
from hybrid_ai.pipeline.errors import BadInput

PeerMethod = Literal["interval", "crown_interval", "crown", "alpha"]

LABEL = "not sound to rounding"
OLDEST = (0, 7)
REMEDY = (
    "pip install 'hybrid-ai[torch]' -c constraints.txt && "
    "pip install --no-deps -r requirements/auto_lirpa.txt (in a checkout of hybrid-ai)"
)

# Its names of the methods.
METHODS: Mapping[PeerMethod, str] = MappingProxyType(
    {"interval": "IBP", "crown_interval": "CROWN-IBP", "crown": "CROWN", "alpha": "CROWN-Optimized"}
)
# Full CROWN: a backward pass for every neuron, whatever intervals decide; the lower slope by area.
OPTIONS: Mapping[str, Any] = MappingProxyType(
    {
        "activation_bound_option": "adaptive",
        "sparse_intermediate_bounds": False,
        "sparse_features_alpha": False,
        "sparse_spec_alpha": False,
        "enable_opt_interm_bounds": True,
    }
)


class AutoLirpaMissing(BadInput):
    """auto_LiRPA or PyTorch is missing or too old; the message names the remedy."""


@dataclass(frozen=True)
class Libraries:
    """The modules `torch` and `auto_LiRPA`."""

    torch: ModuleType
    auto_lirpa: ModuleType


@dataclass(frozen=True, eq=False)
class PeerBounds:
    """Bounds of the outputs of each box in plain floating point, (boxes, n_outputs) float64.

    label: says that they are no bounds where the last digits matter.
    """

    lower: Floats
    upper: Floats
    label: str = LABEL


def require_auto_lirpa() -> Libraries:
    """The modules, imported at the first call.

    Raises:
        AutoLirpaMissing: one is missing, or older than what the adapter knows.
    """
    found = _libraries()
    text = str(getattr(found.auto_lirpa, "__version__", ""))
    version = re.match(r"(\d+)\.(\d+)", text)
    if version is None or (int(version[1]), int(version[2])) < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        raise AutoLirpaMissing(f"auto_LiRPA {text or 'of unknown version'}: {wanted} is needed: {REMEDY}")
    return found


@cache
def _libraries() -> Libraries:
    try:
        # Both warn on import about their own use of what is deprecated.
        with warnings.catch_warnings(record=True):
            return Libraries(importlib.import_module("torch"), importlib.import_module("auto_LiRPA"))
    except ImportError as error:
        raise AutoLirpaMissing(f"auto_LiRPA cannot be imported ({error}): {REMEDY}") from error


class PeerNetwork:
    """A network rebuilt as a torch module, bounded by auto_LiRPA on the CPU.

    Args:
        staged: the network; every stage is a sum of matrices, a bias, and a relu or nothing.
        precision: of its numbers; weights are rounded to it.
        options: of auto_LiRPA's optimisation of slopes, by its names.

    Raises:
        AutoLirpaMissing: auto_LiRPA or PyTorch is missing or too old.
    """

    def __init__(
        self, staged: StagedNetwork, precision: Precision, options: Mapping[str, Any] | None = None
    ) -> None:
        found = require_auto_lirpa()
        self._torch, self._auto_lirpa = found.torch, found.auto_lirpa
        self._dtype = found.torch.float32 if precision == "single" else found.torch.float64
        settings = {**OPTIONS, "optimize_bound_args": dict(options or {})}
        example = found.torch.zeros((1, staged.n_inputs), dtype=self._dtype)
        with self._set_up():
            module = _module(found.torch, staged, self._dtype)
            self.bounded = found.auto_lirpa.BoundedModule(module, example, bound_opts=settings, device="cpu")

    @contextmanager
    def _set_up(self) -> Iterator[None]:
        """One thread, as the networks are small; its precision; silence."""
        torch = self._torch
        threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
        # It prints what it does; our standard output carries results alone.
        with warnings.catch_warnings(record=True), redirect_stdout(StringIO()):
            try:
                torch.set_num_threads(1)
                # Parts of what it holds get the default's type, whatever the network's.
                torch.set_default_dtype(self._dtype)
                yield
            finally:
                torch.set_num_threads(threads)
                torch.set_default_dtype(dtype)

    def boxes(self, lower: Floats, upper: Floats) -> Any:
        """Boxes as auto_LiRPA takes them; ends (boxes, n_inputs) float64, rounded to the precision."""
        low, high = (self._torch.tensor(end, dtype=self._dtype) for end in (lower, upper))
        ball = self._auto_lirpa.PerturbationLpNorm(norm=np.inf, x_L=low, x_U=high)
        return self._auto_lirpa.BoundedTensor(0.5 * (low + high), ball)

    def run(self, boxes: Any, method: PeerMethod, *, upper: bool = True) -> tuple[Any, Any]:
        """Lower and upper bounds (None where not asked for) of the outputs as tensors."""
        # Only the optimisation needs gradients.
        with self._set_up(), self._torch.set_grad_enabled(method == "alpha"):
            below, above = self.bounded.compute_bounds(x=(boxes,), method=METHODS[method], bound_upper=upper)
        return below, above

    def bounds(self, lower: Floats, upper: Floats, method: PeerMethod) -> PeerBounds:
        """Bounds of the outputs over boxes, not sound to rounding.

        Args:
            lower: of the boxes, (boxes, n_inputs) float64.
            upper: likewise.
            method: "interval", "crown_interval", "crown" (backward passes for every neuron), "alpha" (with
                slopes optimised for the outputs).
        """
        below, above = self.run(self.boxes(lower, upper), method)
        return PeerBounds(_floats(below), _floats(above))


def _floats(tensor: Any) -> Floats:
    return np.asarray(tensor.detach().numpy(), np.float64)


def _module(torch: Any, staged: StagedNetwork, dtype: Any) -> Any:
    """The network as a torch module over (boxes, n_inputs)."""

    class Rebuilt(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.parts = torch.nn.ModuleList()
            self.reads: list[list[int]] = []
            for stage in staged.stages:
                blocks = [(block.source, block.weights) for block in stage.blocks]
                # A stage of constants alone reads the input times zero: a trace needs something to read.
                blocks = blocks or [(0, np.zeros((stage.size, staged.n_inputs)))]
                self.reads.append([source for source, _ in blocks])
                biases = [stage.bias, *(None for _ in blocks[1:])]
                for (_, weights), bias in zip(blocks, biases, strict=True):
                    self.parts.append(_linear(torch, weights, bias, dtype))

        def forward(self, x: Any) -> Any:
            groups, parts = [x], iter(self.parts)
            for stage, sources in zip(staged.stages, self.reads, strict=True):
                z = next(parts)(groups[sources[0]])
                for source in sources[1:]:
                    z = z + next(parts)(groups[source])
                groups.append(torch.relu(z) if stage.kind == "relu" else z)
            return groups[staged.output_group]

    return Rebuilt()


def _linear(torch: Any, weights: Floats, bias: Floats | None, dtype: Any) -> Any:
    rows, columns = weights.shape
    # Not initialised: nothing is drawn from the caller's random numbers.
    part = torch.nn.utils.skip_init(torch.nn.Linear, columns, rows, bias=bias is not None, dtype=dtype)
    part.weight = torch.nn.Parameter(torch.tensor(weights, dtype=dtype), requires_grad=False)
    if bias is not None:
        part.bias = torch.nn.Parameter(torch.tensor(bias, dtype=dtype), requires_grad=False)
    return part
