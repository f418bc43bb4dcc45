"""auto_LiRPA beside our kernels on the same card, where it is installed."""

from __future__ import annotations

import time
from importlib.util import find_spec
from statistics import median
from typing import Any

import numpy as np

from hybrid_ai.network import StagedNetwork


def measure_auto_lirpa(staged: StagedNetwork, lower: np.ndarray, upper: np.ndarray) -> dict[str, Any]:
    """Boxes that auto_LiRPA bounds in a second by CROWN in single precision, and how wide its bounds are.

    Its bounds are not cleared of rounding; its lower slopes are 1 where U > -L, as our "area".
    """
    if find_spec("auto_LiRPA") is None or find_spec("torch") is None:
        return {
            "measured": False,
            "why": "auto_LiRPA or torch is not installed (requirements/auto_lirpa.txt)",
        }
    import torch
    from auto_LiRPA import BoundedModule, BoundedTensor
    from auto_LiRPA.perturbations import PerturbationLpNorm

    if not torch.cuda.is_available():
        return {"measured": False, "why": "torch sees no CUDA device"}
    torch.backends.cuda.matmul.allow_tf32 = False
    ends = [torch.tensor(end, dtype=torch.float32, device="cuda") for end in (lower, upper)]
    middle = 0.5 * (ends[0] + ends[1])
    model = BoundedModule(_torch_chain(staged).cuda(), middle, device="cuda")
    boxes = BoundedTensor(middle, PerturbationLpNorm(norm=np.inf, x_L=ends[0], x_U=ends[1]))
    turns, found = [], None
    for _ in range(6):
        torch.cuda.synchronize()
        began = time.perf_counter()
        with torch.no_grad():
            found = model.compute_bounds(x=(boxes,), method="backward")
        torch.cuda.synchronize()
        turns.append(time.perf_counter() - began)
    assert found is not None
    width = float((found[1] - found[0]).mean())
    return {
        "measured": True,
        "torch": torch.__version__,
        "batch": len(lower),
        "boxes_per_second": round(len(lower) / median(turns[1:])),
        "mean_width": width,
    }


def _torch_chain(staged: StagedNetwork) -> Any:
    import torch

    layers: list[Any] = []
    for stage in staged.stages:
        weights = stage.blocks[0].weights
        layer = torch.nn.Linear(weights.shape[1], weights.shape[0])
        with torch.no_grad():
            layer.weight.copy_(torch.tensor(weights, dtype=torch.float32))
            layer.bias.copy_(torch.tensor(stage.bias, dtype=torch.float32))
        layers += [layer, torch.nn.ReLU()] if stage.kind == "relu" else [layer]
    return torch.nn.Sequential(*layers)
