"""How one evaluation sums: an order or tree, fused or not, with subnormals kept or flushed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tests.soundness.float32 import arithmetic
from tests.soundness.float32.arithmetic import Doubles, Singles

Order = Literal["left", "right", "pairwise", "blocked", "ascending", "descending", "random", "directed"]
ORDERS: tuple[Order, ...] = ("left", "right", "pairwise", "blocked", "ascending", "descending", "random")
LANES = 8  # of `blocked`: partial sums over every eighth term, then added in pairs


@dataclass(frozen=True)
class Execution:
    """One way to evaluate a network.

    folding: constants around a contraction are folded into it ("earlier": those between two contractions into
    the first of them, "later": into the second). bias_first: the bias starts the sum, else it ends it. seed:
    of random trees. directed: each neuron's terms are taken in the order that pushes its sum up or down.
    """

    order: Order = "left"
    fused: bool = False
    flush: bool = False
    folding: Literal["none", "earlier", "later"] = "none"
    bias_first: bool = True
    seed: int = 0


def total(terms: Doubles, execution: Execution, directions: NDArray[np.int64] | None = None) -> Singles:
    """Return the float32 sum over the first axis.

    terms: shape (n, ...), exact products of two float32, or float32. directions: of "directed", shape (...),
    1 up and -1 down.
    """
    rounded = arithmetic.kept_or_flushed(terms.astype(np.float32), execution.flush)
    if execution.order == "directed":
        if directions is None:
            raise ValueError("a directed sum without directions")
        return _directed(terms, rounded, directions, execution)
    if execution.order in ("ascending", "descending"):
        places = np.argsort(np.abs(rounded), axis=0, kind="stable")
        places = places if execution.order == "ascending" else places[::-1]
        terms, rounded = np.take_along_axis(terms, places, 0), np.take_along_axis(rounded, places, 0)
    slots: list[Singles] = list(rounded)
    whole = [True] * len(slots)  # still a single term
    merges = _merges(execution.order, len(slots), execution.seed)
    for i, j in merges:
        if execution.fused and whole[j]:
            slots[i] = arithmetic.kept_or_flushed(arithmetic.fused_sum(terms[j], slots[i]), execution.flush)
        else:
            slots[i] = arithmetic.add(slots[i], slots[j], execution.flush)
        whole[i] = False
    return slots[merges[-1][0] if merges else 0]


def _merges(order: Order, count: int, seed: int) -> list[tuple[int, int]]:
    """Return pairs (i, j): slot i becomes slot i + slot j."""
    if order == "right":
        return [(count - 1, j) for j in reversed(range(count - 1))]
    if order == "pairwise":
        return _pairs(list(range(count)))
    if order == "blocked":
        lanes = [list(range(lane, count, LANES)) for lane in range(min(LANES, count))]
        return [(lane[0], j) for lane in lanes for j in lane[1:]] + _pairs([lane[0] for lane in lanes])
    if order == "random":
        rng, left, merges = np.random.default_rng(seed), list(range(count)), []
        while len(left) > 1:
            i, j = (int(k) for k in rng.choice(len(left), 2, replace=False))
            merges.append((left[i], left[j]))
            left.pop(j)
        return merges
    return [(0, j) for j in range(1, count)]


def _pairs(slots: list[int]) -> list[tuple[int, int]]:
    if len(slots) < 2:
        return []
    half = len(slots) // 2
    left, right = slots[:half], slots[half:]
    return [*_pairs(left), *_pairs(right), (left[0], right[0])]


def _directed(
    terms: Doubles, rounded: Singles, directions: NDArray[np.int64], execution: Execution
) -> Singles:
    """Start with the largest term, then always take the one whose rounding pushes the sum furthest."""
    first = np.argmax(np.abs(rounded), axis=0)[None]
    running: Singles = np.take_along_axis(rounded, first, 0)[0]
    left = np.ones(terms.shape, bool)
    np.put_along_axis(left, first, False, 0)
    for _ in range(len(terms) - 1):
        wide = np.broadcast_to(running, terms.shape)
        if execution.fused:
            sums = arithmetic.kept_or_flushed(arithmetic.fused_sum(terms, wide), execution.flush)
        else:
            sums = arithmetic.add(rounded, wide, execution.flush)
        pushed = (sums.astype(np.float64) - (wide.astype(np.float64) + terms)) * directions
        chosen = np.argmax(np.where(left, pushed, -np.inf), axis=0)[None]
        running = np.take_along_axis(sums, chosen, 0)[0]
        np.put_along_axis(left, chosen, False, 0)
    return running
