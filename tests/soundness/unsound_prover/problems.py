"""False properties of random small networks, each with a point that shows that it is false."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

import numpy as np

from hybrid_ai.bounds import Arithmetic
from hybrid_ai.network import evaluate_exact, load_model, run_onnxruntime
from hybrid_ai.pipeline.counterexample import rounded as nearest_float32s
from hybrid_ai.pipeline.counterexample import violates_float32
from hybrid_ai.spec import read_vnnlib
from tests.differential.networks import RandomNetwork, random_network
from tests.differential.oracle import OracleTimeout
from tests.differential.questions import (
    Case,
    Form,
    Question,
    finite_decimal,
    optimum,
    random_question,
    to_text,
)

SEED = 20
MOST_NEURONS = 13
ORACLE_SECONDS = 2.0
# Relative distances of thresholds from the optimum.
GAPS = ("1e-2", "1e-3", "1e-4", "1e-6", "1e-9")
TINY_GAP = Fraction(1, 10**30)
LARGE = 10**7

Point = tuple[Fraction, ...]


@dataclass(frozen=True)
class Base:
    """A network, a question about it, and the exact optimum with a point where it is attained."""

    number: int
    network: RandomNetwork
    question: Question
    value: Fraction
    x: Point

    def text(self, t: Fraction, *, strict: bool = False) -> bytes:
        """The property with threshold t."""
        program = self.network.program
        return to_text(self.question, program.n_inputs, len(program.outputs), t, strict).encode()


@dataclass(frozen=True)
class Falsehood:
    """A property that is false in the arithmetic named.

    Attributes:
        name: says where it is from.
        model: ONNX file.
        text: VNN-LIB file.
        arithmetic: in which it is false; "both" where it is false in one of them.
        witness: a point of the input set that violates, in real arithmetic or in ONNX Runtime.
        twin: a VNN-LIB file that differs in the threshold alone and is true in real arithmetic, or None.
    """

    name: str
    model: bytes
    text: bytes
    arithmetic: Arithmetic
    witness: Point
    twin: bytes | None = None

    def neighbour(self, arithmetic: Arithmetic) -> Falsehood:
        """The twin, which is true in real arithmetic, in place of the property."""
        assert self.twin is not None, f"{self.name} has no twin"
        return replace(self, text=self.twin, arithmetic=arithmetic, twin=None)

    def show_false(self) -> None:
        """Raise AssertionError unless the witness violates, by exact comparison."""
        real, computed = violations(self.model, self.text, self.witness)
        shown = {"real": real, "float32": computed, "both": real or computed}
        assert shown[self.arithmetic], f"{self.name} is not known to be false in {self.arithmetic}"


def violations(model: bytes, text: bytes, x: Point) -> tuple[bool, bool]:
    """Whether the property is violated at x in real arithmetic, and by ONNX Runtime."""
    prop = read_vnnlib(text)
    real = prop.holds_unsafe(x, evaluate_exact(load_model(model).staged, x))
    read = nearest_float32s(x)
    if read is None:
        return real, False
    outputs, _ = run_onnxruntime(model, read, optimised=False)
    return real, violates_float32(prop, x, read, outputs)


@lru_cache(maxsize=512)
def base(number: int) -> Base | None:
    """The network and question with this number, or None where they are too large for the oracle."""
    rng = np.random.default_rng([SEED, number])
    network = random_network(rng)
    program = network.program
    if program.n_inputs < 2 or network.neurons > MOST_NEURONS:
        return None
    question = random_question(rng, program.n_inputs, len(program.outputs))
    try:
        found = optimum(program, question, ORACLE_SECONDS)
    except OracleTimeout:
        return None
    return None if found is None else Base(number, network, question, found.value, found.x)


def beyond(of: Base, gap: Fraction, *, up: bool) -> Fraction:
    """A short decimal that is off the optimum by the gap, relatively, and at most a hundredth of it more."""
    width = gap * (abs(of.value) or 1)
    unit = Fraction(1)
    while unit > width / 100:
        unit /= 10
    value = of.value + (width if up else -width)
    return unit * (-(-value // unit) if up else value // unit)


def false_by(gap: str, number: int) -> Falsehood | None:
    """A property whose threshold is on the false side of the optimum by a relative gap.

    It is about both arithmetics at once where the number is odd.
    """
    of = base(number)
    if of is None:
        return None
    width = Fraction(gap)
    strict = number % 3 == 0
    text = of.text(beyond(of, width, up=True), strict=strict)
    twin = of.text(beyond(of, width, up=False), strict=strict)
    arithmetic: Arithmetic = "both" if number % 2 else "real"
    return Falsehood(f"network {number}, {gap}", of.network.model, text, arithmetic, of.x, twin)


def false(number: int) -> Falsehood | None:
    """As `false_by` with every gap in turn, every fourth about float32 where ONNX Runtime violates too."""
    made = false_by(GAPS[number % len(GAPS)], number)
    if made is None or number % 4 or not violations(made.model, made.text, made.witness)[1]:
        return made
    return replace(made, arithmetic="float32")


def false_in_the_reals(gap: str, number: int) -> Falsehood | None:
    """As `false_by`, about real arithmetic alone: the gap is smaller than what float32 rounding changes."""
    made = false_by(gap, number)
    return None if made is None else replace(made, arithmetic="real")


def attained(number: int) -> Falsehood | None:
    """A property whose threshold is the optimum itself, which is not strict, so that it is false."""
    of = base(number)
    if of is None or not finite_decimal(of.value):
        return None
    return Falsehood(f"network {number}, 0", of.network.model, of.text(of.value), "real", of.x)


def cancelling(number: int) -> Falsehood | None:
    """A property false by less than any rounding: its row adds an output to inputs with huge coefficients."""
    of = base(number)
    if of is None:
        return None
    rng = np.random.default_rng([SEED, number, 5])
    program, case = of.network.program, of.question.cases[0]
    factors = [Fraction(int(v)) * LARGE for v in rng.integers(1, 1000, program.n_inputs)]
    signs = [int(v) for v in rng.choice([-1, 1], program.n_inputs)]
    steep = tuple((axis, c * s) for axis, (c, s) in enumerate(zip(factors, signs, strict=True)))
    form = Form(steep, ((int(rng.integers(len(program.outputs))), Fraction(1)),))
    question = Question((Case(case.lower, case.upper, None, ((form,),)),), number % 4)
    try:
        found = optimum(program, question, ORACLE_SECONDS)
    except OracleTimeout:
        return None
    if found is None:
        return None
    of = Base(number, of.network, question, found.value, found.x)
    text, twin = (of.text(beyond(of, TINY_GAP, up=up)) for up in (True, False))
    return Falsehood(f"network {number}, steep", of.network.model, text, "real", of.x, twin)
