"""A case: a network and a property with a known truth, built to fool verifiers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

Truth = Literal["holds", "fails"]
Truth32 = Literal["holds", "fails", "either"]
Number = int | str | float | Fraction


@dataclass(frozen=True)
class Witness32:
    """A violation in float32: the float32 numbers that the network reads, and the name of an execution."""

    x: tuple[float, ...]
    execution: str


@dataclass(frozen=True)
class Case:
    """One network with one property.

    Attributes:
        model: ONNX file.
        property: VNN-LIB 1.0 text, the unsafe condition.
        real: the truth over the reals.
        float32: the truth over all float32 executions; "either" where nobody knows.
        why: what it is about, and why the truth is what it is.
        witness: a point of the input set that violates over the reals, exactly where `real` is "fails".
        witness32: a violating float32 execution, exactly where `float32` is "fails".
    """

    name: str
    family: str
    model: bytes
    property: str
    real: Truth
    float32: Truth32
    why: str
    witness: tuple[Fraction, ...] | None = None
    witness32: Witness32 | None = None

    def __post_init__(self) -> None:
        if (self.witness is not None) != (self.real == "fails"):
            raise ValueError(f"{self.name}: a witness belongs to what fails over the reals")
        if (self.witness32 is not None) != (self.float32 == "fails"):
            raise ValueError(f"{self.name}: a float32 witness belongs to what fails in float32")


def make(
    name: str,
    family: str,
    model: bytes,
    text: str,
    why: str,
    *,
    at: Sequence[Number] | None = None,
    at32: tuple[Sequence[float], str] | None = None,
    safe32: bool = False,
) -> Case:
    """A case whose truths are said by its witnesses: `at` over the reals, `at32` in float32.

    Without `at` it holds over the reals; without `at32` it is unknown in float32, or holds if `safe32`.
    """
    return Case(
        name,
        family,
        model,
        text,
        "holds" if at is None else "fails",
        "fails" if at32 is not None else "holds" if safe32 else "either",
        why,
        None if at is None else tuple(Fraction(value) for value in at),
        None if at32 is None else Witness32(tuple(at32[0]), at32[1]),
    )


def prop(box: Sequence[tuple[Number, Number]], *unsafe: str, outputs: int = 1) -> str:
    """VNN-LIB text of a box (bounds as text are decimals, numbers are exact) and unsafe conditions."""
    lines = [f"(declare-const X_{i} Real)" for i in range(len(box))]
    lines += [f"(declare-const Y_{i} Real)" for i in range(outputs)]
    for i, (low, high) in enumerate(box):
        lines += [f"(assert (>= X_{i} {decimal(low)}))", f"(assert (<= X_{i} {decimal(high)}))"]
    return "\n".join([*lines, *(f"(assert {line})" for line in unsafe)]) + "\n"


def decimal(value: Number) -> str:
    """The exact decimal of a number; raises ValueError where it has none that is finite."""
    exact = Fraction(value)
    places = exact.denominator.bit_length()  # enough for powers of two and of five
    scaled = exact * 10**places
    if scaled.denominator != 1:
        raise ValueError(f"{value} is no finite decimal")
    digits = str(abs(scaled.numerator)).rjust(places + 1, "0")
    text = f"{digits[:-places]}.{digits[-places:].rstrip('0') or '0'}"
    return "-" + text if scaled < 0 else text
