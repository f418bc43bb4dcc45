"""Every value that some allowed evaluation of one affine block computes.

A quantity is the sorted set of float32 values it may have. Sums go through all subsets of their terms: what a
subset can sum to is what two parts of it can, added. As float32 addition commutes, that is every binary tree
over every order of the terms.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tests.soundness.float32 import arithmetic
from tests.soundness.float32.arithmetic import SMALLEST_NORMAL, Doubles, Singles
from tests.soundness.float32.block_error import Block, Operation

MOST_VALUES = 200_000


@dataclass(frozen=True)
class Freedom:
    """What evaluations may do, each time independently, beside summing in any order."""

    fused: bool = True
    flush: bool = True
    folded: bool = True


@dataclass(frozen=True)
class Term:
    """A term of a sum: its values, and where it is a product the exact products for fused operations."""

    values: Singles
    products: Doubles | None = None


@dataclass(frozen=True)
class Folded:
    """A contraction with constants folded into it: sets of values of each weight, and of the bias."""

    weights: tuple[Singles, ...]
    bias: Singles | None


def settle(values: Iterable[Singles], freedom: Freedom) -> Singles:
    """Return the union of sets; a subnormal may also be zero."""
    union = np.unique(np.concatenate([np.ravel(part) for part in values]))
    if not np.all(np.isfinite(union)) or union.size > MOST_VALUES:
        raise ValueError("an overflow, or too many values to enumerate")
    if freedom.flush and np.any((union != 0) & (np.abs(union) < SMALLEST_NORMAL)):
        return np.unique(np.append(union, np.float32(0.0)))
    return union


def single(number: float, freedom: Freedom) -> Singles:
    value = np.float32(number)
    if float(value) != number:
        raise ValueError(f"{number!r} is no float32")
    return settle([np.array([value])], freedom)


def product(left: Singles, right: Singles, freedom: Freedom) -> Term:
    """Return the term left * right, rounded and exact."""
    exact = np.unique(arithmetic.exact_products(left[:, None], right[None, :]))
    return Term(settle([exact.astype(np.float32)], freedom), exact)


def tree_sums(terms: Sequence[Term], freedom: Freedom) -> Singles:
    """Return what any binary tree over the terms may sum to.

    A product that meets another operand directly may be fused with that addition.
    """
    reached: list[Singles] = [np.empty(0, np.float32)] * (1 << len(terms))
    for mask in range(1, 1 << len(terms)):
        lowest = mask & -mask
        if mask == lowest:
            reached[mask] = terms[mask.bit_length() - 1].values
            continue
        parts = [reached[a][:, None] + reached[mask ^ a][None, :] for a in _parts(mask, lowest)]
        if freedom.fused:
            for k, term in enumerate(terms):
                if mask >> k & 1 and term.products is not None:
                    parts.append(
                        arithmetic.fused_sum(term.products[:, None], reached[mask ^ 1 << k][None, :])
                    )
        reached[mask] = settle(parts, freedom)
    return reached[-1]


def _parts(mask: int, kept: int) -> Iterator[int]:
    """Yield the proper subsets of mask that contain the bit `kept`: one of each pair of complements."""
    rest = mask ^ kept
    subset = rest
    while subset:
        subset = (subset - 1) & rest
        yield subset | kept


def apply(values: Singles, kind: str, number: float, freedom: Freedom) -> Singles:
    """Return the values after one operation by a constant; a divisor's reciprocal may be folded ahead."""
    constant = single(number, freedom)
    if kind == "mul":
        return product(values, constant, freedom).values
    if kind == "div":
        constant = constant[constant != 0]
        ways = [values[:, None] / constant[None, :]]
        if freedom.folded:
            inverse = settle([np.float32(1.0) / constant], freedom)
            ways.append(product(values, inverse, freedom).values)
        return settle(ways, freedom)
    if kind == "rsub":
        return settle([constant[:, None] - values[None, :]], freedom)
    return settle([values[:, None] + (-constant if kind == "sub" else constant)[None, :]], freedom)


def block_values(block: Block, inputs: Sequence[float], freedom: Freedom) -> Singles:
    """Return every value that an allowed evaluation gives at the float32 inputs, sorted."""
    ways = [_unfolded(block, inputs, freedom)]
    if freedom.folded:
        for kept in range(len(block.before) + 1):
            for taken in range(len(block.after) + 1):
                ways += _folded(block, kept, taken, inputs, freedom)
    return settle(ways, freedom)


def _operands(steps: Sequence[Operation], inputs: Sequence[float], freedom: Freedom) -> list[Singles]:
    values = [single(x, freedom) for x in inputs]
    for step in steps:
        columns = zip(values, step.constants, strict=True)
        values = [apply(value, step.kind, number, freedom) for value, number in columns]
    return values


def _finished(value: Singles, steps: Sequence[Operation], freedom: Freedom) -> Singles:
    for step in steps:
        value = apply(value, step.kind, step.constants[0], freedom)
    return value


def _unfolded(block: Block, inputs: Sequence[float], freedom: Freedom) -> Singles:
    operands = _operands(block.before, inputs, freedom)
    weights = [single(w, freedom) for w in block.contraction.weights]
    terms = [product(w, x, freedom) for w, x in zip(weights, operands, strict=True)]
    alpha, beta, bias = block.contraction.alpha, block.contraction.beta, block.contraction.bias
    if alpha == 1.0 and bias is not None:
        result = tree_sums([*terms, product(single(beta, freedom), single(bias, freedom), freedom)], freedom)
    else:
        scaled = product(tree_sums(terms, freedom), single(alpha, freedom), freedom)
        others = [] if bias is None else [product(single(beta, freedom), single(bias, freedom), freedom)]
        result = tree_sums([scaled, *others], freedom)
    return _finished(result, block.after, freedom)


def _folded(
    block: Block, kept: int, taken: int, inputs: Sequence[float], freedom: Freedom
) -> Iterator[Singles]:
    """Yield the values with all operations before from number `kept` on and `taken` after folded."""
    contraction = block.contraction
    scaled = tuple(apply(single(w, freedom), "mul", contraction.alpha, freedom) for w in contraction.weights)
    bias = None
    if contraction.bias is not None:
        bias = apply(single(contraction.bias, freedom), "mul", contraction.beta, freedom)
    start = Folded(scaled, bias)
    operands = _operands(block.before[:kept], inputs, freedom)
    for first in ("before", "after"):
        state = start
        for side in ("before", "after") if first == "before" else ("after", "before"):
            if side == "before":
                for step in reversed(block.before[kept:]):
                    state = _fold_before(state, step, freedom)
            else:
                for step in block.after[:taken]:
                    state = _fold_after(state, step, freedom)
        terms = [product(w, x, freedom) for w, x in zip(state.weights, operands, strict=True)]
        terms += [] if state.bias is None else [Term(state.bias)]
        yield _finished(tree_sums(terms, freedom), block.after[taken:], freedom)


def _fold_before(state: Folded, step: Operation, freedom: Freedom) -> Folded:
    columns = list(zip(state.weights, step.constants, strict=True))
    if step.kind in ("mul", "div"):
        return Folded(tuple(apply(w, step.kind, c, freedom) for w, c in columns), state.bias)
    sign = -1.0 if step.kind == "sub" else 1.0
    terms = [product(w, single(sign * c, freedom), freedom) for w, c in columns]
    terms += [] if state.bias is None else [Term(state.bias)]
    weights = tuple(-w[::-1] for w in state.weights) if step.kind == "rsub" else state.weights
    return Folded(weights, tree_sums(terms, freedom))


def _fold_after(state: Folded, step: Operation, freedom: Freedom) -> Folded:
    number = step.constants[0]
    if step.kind in ("mul", "div"):
        bias = None if state.bias is None else apply(state.bias, step.kind, number, freedom)
        return Folded(tuple(apply(w, step.kind, number, freedom) for w in state.weights), bias)
    held = single(0.0, freedom) if state.bias is None else state.bias
    weights = tuple(-w[::-1] for w in state.weights) if step.kind == "rsub" else state.weights
    return Folded(weights, apply(held, step.kind, number, freedom))
