"""Every term of the bound is needed: without it some evaluation leaves the bound."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from tests.soundness.float32.block_error import (
    Block,
    Contraction,
    NothingShown,
    Operation,
    Part,
    block_form,
    error_bound,
)
from tests.soundness.float32.blocks import Case, carries, product_of_errors, single, worst
from tests.soundness.float32.enumeration import Freedom, block_values

PLAIN = Freedom(fused=False, flush=False, folded=False)
FOLDED = Freedom(fused=False, flush=False, folded=True)
FLUSHED = Freedom(fused=False, flush=True, folded=False)
TINY = 2.0**-24 * (1 + 2.0**-10)


def _needed(case: Case, part: Part, freedom: Freedom) -> None:
    whole, reduced = worst(case, freedom), worst(case, freedom, part)
    assert whole.error <= whole.bound
    assert reduced.error > reduced.bound, f"{reduced.share} of the bound without '{part}'"


def _mul(number: float, kind: str = "mul") -> Operation:
    return Operation("div" if kind == "div" else "mul", (number,))


def test_sums_of_any_order_need_the_number_of_terms() -> None:
    case = Case(Block((), Contraction(carries(6))), (1.0,) * 6)
    _needed(case, "sum", PLAIN)


def test_a_chain_needs_its_own_roundings() -> None:
    x, w, *others = product_of_errors(6)
    case = Case(Block((), Contraction((w,)), tuple(_mul(c) for c in others)), (x,))
    _needed(case, "chain", PLAIN)


def test_sums_after_a_contraction_need_a_rounding_each() -> None:
    steps = tuple(Operation("add", (TINY,)) for _ in range(5))
    _needed(Case(Block((), Contraction((1.0,)), steps), (1.0,)), "addition", PLAIN)


def test_a_contraction_of_one_term_needs_its_product() -> None:
    x, w = product_of_errors(2)
    _needed(Case(Block((), Contraction((w,))), (x,)), "product", PLAIN)


def _divisor(running: float) -> float:
    """A divisor just below one: its reciprocal is rounded up, and then the running value times that."""
    divisors = (1 - np.arange(1, 4096, 2) * 2.0**-24).astype(np.float32)
    inverses = np.float32(1) / divisors
    products = (np.float32(running) * inverses).astype(np.float64)
    return float(divisors[np.argmax(products * divisors.astype(np.float64))])


def test_a_reciprocal_ahead_of_time_needs_its_own_rounding() -> None:
    x, w = product_of_errors(2)
    divisor = _divisor(single(x * w))
    case = Case(Block((), Contraction((w,)), (_mul(divisor, "div"),)), (x,))
    _needed(case, "division", FOLDED)
    assert worst(case, PLAIN, "division").share <= 1  # divided directly, it rounds once


def test_folded_factors_need_the_roundings_of_the_chain() -> None:
    """Folded from the right: the constants are multiplied into the weight, the input comes last."""
    w, *others, x = product_of_errors(6)
    case = Case(Block((), Contraction((w,)), tuple(_mul(c) for c in others)), (x,))
    exact = block_form(case.block).value([Fraction(x)])
    unfolded, folded = (block_values(case.block, case.inputs, f) for f in (PLAIN, FOLDED))
    errors = [abs(Fraction(float(v)) - exact) for v in (unfolded[0], folded[0], folded[-1])]
    assert max(errors[1:]) > errors[0]
    _needed(case, "chain", FOLDED)


def test_constants_added_before_a_contraction_need_another_sum_each() -> None:
    """(x + c) W becomes x W + c W: the folded sum's roundings come on top of those of the sum it enters."""
    for additions, n in ((1, 6), (2, 7)):
        others = [Operation("add", (TINY,) * n)] * (additions - 1)
        before = (*others, Operation("add", carries(n)))
        _needed(Case(Block(before, Contraction((1.0,) * n)), (TINY,) * n), "folded sum", FOLDED)


def test_subtracted_constants_need_differences_as_sums() -> None:
    """Of (x + 1) - 1 the form is x, but what rounds is x + 1."""
    steps = (Operation("add", (1.0,)), Operation("sub", (1.0,)))
    _needed(Case(Block((), Contraction((1.0,)), steps), (TINY,)), "differences", PLAIN)


def test_a_large_bias_needs_its_own_term() -> None:
    _needed(Case(Block((), Contraction((1.0,), bias=1.0)), (TINY,)), "bias", PLAIN)


@pytest.mark.parametrize("freedom", [PLAIN, FLUSHED], ids=["kept", "flushed"])
def test_underflow_needs_an_absolute_term(freedom: Freedom) -> None:
    """Kept, a subnormal product loses bits; flushed, it loses all."""
    case = Case(Block((), Contraction((single(1.1 * 2.0**-70),))), (single(1.1 * 2.0**-76),))
    _needed(case, "eta", freedom)


def test_flushed_operands_need_an_absolute_term() -> None:
    case = Case(Block((), Contraction((1.0,), bias=-1.0)), (2.0**-127,))
    assert worst(case, PLAIN).error == 2**-127 * Fraction(1)  # lost beside the bias in any case
    _needed(Case(Block((), Contraction((1.0,))), (2.0**-127,)), "eta", FLUSHED)


def test_flushed_operands_need_the_gain() -> None:
    _needed(Case(Block((), Contraction((2.0**40,))), (2.0**-127,)), "gain", FLUSHED)


def test_the_rounding_of_the_input_is_no_part_of_the_bound() -> None:
    """At x = 1/10 a network reads fl(x): only the widened input set covers the difference."""
    x = Fraction(1, 10)
    read = single(0.1)
    form = block_form(Block((), Contraction((1.0,))))
    moved = replace(form, terms=1, degree=1, gain=1)  # data movement
    assert abs(Fraction(read) - x) > error_bound(moved, [x])
    assert abs(Fraction(read) - form.value([Fraction(read)])) <= error_bound(moved, [Fraction(read)])


def test_fused_operations_give_other_values_inside_the_bound() -> None:
    weights, inputs = (1 + 2.0**-12, -1.0, 2.0**-26), (1 + 2.0**-12, 1 + 2.0**-11, 1.5)
    case = Case(Block((), Contraction(weights, bias=2.0**-30)), inputs)
    fused, plain = Freedom(True, False, False), PLAIN
    there = set(block_values(case.block, case.inputs, fused).tolist())
    assert there > set(block_values(case.block, case.inputs, plain).tolist())
    found = worst(case, fused)
    assert found.error <= found.bound


def test_a_reciprocal_ahead_of_time_is_one_more_rounding() -> None:
    """x / 3 as x fl(1/3) differs from the rounded quotient, and stays inside."""
    case = Case(Block((), Contraction((1.0,)), (_mul(3.0, "div"),)), (single(5.0),))
    assert (
        block_values(case.block, case.inputs, FOLDED).size > block_values(case.block, case.inputs, PLAIN).size
    )
    found = worst(case, FOLDED)
    assert found.error <= found.bound


def test_nothing_is_shown_where_a_sum_may_overflow() -> None:
    form = block_form(Block((), Contraction((2.0**60,) * 4)))
    with pytest.raises(NothingShown):
        error_bound(form, [Fraction(2**60)] * 4)
