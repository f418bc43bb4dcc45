"""Properties that hold in real arithmetic and that ONNX Runtime violates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from hybrid_ai.bounds import Arithmetic
from hybrid_ai.spec import nearest_float32
from tests.differential.questions import Case, Form, Question, to_text
from tests.soundness.unsound_prover.problems import SEED, Falsehood, Point, base

POINTS = 300
MOST_STEPS = 40  # floats beside the optimum
STEEP = Fraction(10**9)
WIDTH = 16
UNIT = Fraction(1, 2**24)

Singles = NDArray[np.float32]


class Runtime:
    """ONNX Runtime, one thread, no optimisation."""

    def __init__(self, model: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def at(self, x: Sequence[Fraction]) -> tuple[Point, Point]:
        """What is read for x, and the outputs."""
        read = np.array([[np.float32(nearest_float32(value)) for value in x]], np.float32)
        (outputs,) = self._session.run(None, {"X": read})
        return exact(read), exact(outputs)


def exact(values: Singles) -> Point:
    return tuple(Fraction(value) for value in values.ravel().tolist())


def arithmetic_of(number: int) -> Arithmetic:
    return "both" if number % 2 else "float32"


@lru_cache(maxsize=512)
def computed(number: int) -> Falsehood | None:
    """The least that ONNX Runtime computes beside the exact optimum is the threshold, if it is below it."""
    of = base(number)
    if of is None:
        return None
    runtime = Runtime(of.network.model)
    least, witness = of.value, None
    for x in _beside(of.x, np.random.default_rng([SEED, number, 1])):
        value = _computed_value(of.question, runtime, x)
        if value is not None and value < least:
            least, witness = value, x
    if witness is None:
        return None
    name = f"network {number}, computed"
    return Falsehood(name, of.network.model, of.text(least), arithmetic_of(number), witness)


def _beside(x: Point, rng: np.random.Generator) -> Iterator[Point]:
    """Points of float32 numbers within a few of their steps."""
    near = np.array([np.float32(nearest_float32(value)) for value in x])
    for k in range(POINTS):
        most = 1 + k * MOST_STEPS // POINTS
        yield exact(near + rng.integers(-most, most + 1, near.shape).astype(np.float32) * np.spacing(near))


def _computed_value(question: Question, runtime: Runtime, x: Point) -> Fraction | None:
    """The least threshold at which ONNX Runtime violates at x, None where x is no input."""
    values = []
    read, y = runtime.at(x)
    for case in question.cases:
        inside = all(low <= v <= high for low, v, high in zip(case.lower, x, case.upper, strict=True))
        if inside and (case.constraint is None or case.constraint.at(x, ()) <= 0):
            values += [max(form.at(read, y) for form in forms) for forms in case.disjuncts]
    return min(values, default=None)


def _model(matrices: Sequence[Singles]) -> bytes:
    """MatMul by each matrix (inputs, outputs), with Relu in between."""
    nodes, source = [], "X"
    for k in range(len(matrices)):
        last = k == len(matrices) - 1
        nodes.append(helper.make_node("MatMul", [source, f"w{k}"], ["Y" if last else f"z{k}"], f"MatMul{k}"))
        if not last:
            nodes.append(helper.make_node("Relu", [f"z{k}"], [f"h{k}"], f"Relu{k}"))
        source = f"h{k}"
    inputs, outputs = matrices[0].shape[0], matrices[-1].shape[1]
    graph = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [1, inputs])],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, [1, outputs])],
        [
            numpy_helper.from_array(np.asarray(matrix, np.float32), f"w{k}")
            for k, matrix in enumerate(matrices)
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString(deterministic=True))


def _falsehood(name: str, number: int, model: bytes, case: Case, t: Fraction, x: Point) -> Falsehood:
    text = to_text(Question((case,), 0), len(x), 1, t, False)
    return Falsehood(f"{name} {number}", model, text.encode(), arithmetic_of(number), x)


def drifting(number: int) -> Falsehood | None:
    """A sum of one and many terms just below half a step of it: every rounding is downwards."""
    rng = np.random.default_rng([SEED, number, 2])
    inputs = int(rng.integers(2, 5))
    hidden = np.zeros((inputs, WIDTH), np.float32)
    hidden[0, 0] = 1.0
    hidden[rng.integers(0, inputs, WIDTH - 1), np.arange(1, WIDTH)] = 1.0
    last = (float(UNIT) * rng.uniform(0.9, 0.999, (WIDTH, 1))).astype(np.float32)
    last[0] = 1.0
    model = _model([hidden, last])
    one, top = Fraction(1), 1 + Fraction(int(rng.integers(1, 100)), 10**7)
    case = Case((one,) * inputs, (top,) * inputs, None, ((Form((), ((0, one),)),),))
    x = (one,) * inputs
    _, (y,) = Runtime(model).at(x)
    return _falsehood("drift", number, model, case, y, x)


def underflowing(number: int) -> Falsehood | None:
    """Positive outputs that are too small for float32."""
    rng = np.random.default_rng([SEED, number, 3])
    inputs, outputs = int(rng.integers(2, 5)), 1
    widths = [inputs, int(rng.integers(4, 11)), int(rng.integers(4, 11)), outputs]
    matrices = [(rng.uniform(0.2, 1.0, shape) * 2.0**-60).astype(np.float32) for shape in pairwise(widths)]
    model = _model(matrices)
    lower = tuple(Fraction(int(rng.integers(1, 9)), 10) for _ in range(inputs))
    upper = tuple(low + Fraction(int(rng.integers(1, 9)), 10) for low in lower)
    case = Case(lower, upper, None, ((Form((), ((0, Fraction(1)),)),),))
    _, (y,) = Runtime(model).at(lower)
    return _falsehood("underflow", number, model, case, y, lower) if y == 0 else None


def rounded_outwards(number: int) -> Falsehood | None:
    """A row with a steep coefficient on an input, one end of which is rounded out of the box."""
    of = base(number)
    if of is None:
        return None
    case = of.question.cases[0]
    pairs = enumerate(zip(case.lower, case.upper, strict=True))
    outwards = [(low - nearest_float32(low), axis, low, STEEP) for axis, (low, _) in pairs]
    pairs = enumerate(zip(case.lower, case.upper, strict=True))
    outwards += [(nearest_float32(high) - high, axis, high, -STEEP) for axis, (_, high) in pairs]
    most, axis, end, factor = max(outwards)
    x = tuple(end if k == axis else low for k, low in enumerate(case.lower))
    if most <= 0 or (case.constraint is not None and case.constraint.at(x, ()) > 0):
        return None
    form = Form(((axis, factor),), ((0, Fraction(1)),))
    read, y = Runtime(of.network.model).at(x)
    return _of_one_row(
        number, "rounded outwards", Case(case.lower, case.upper, case.constraint, ((form,),)), read, y, x
    )


def _of_one_row(number: int, name: str, case: Case, read: Point, y: Point, x: Point) -> Falsehood | None:
    of = base(number)
    if of is None:
        return None
    t = case.disjuncts[0][0].at(read, y)
    text = to_text(Question((case,), number % 4), len(x), len(y), t, False)
    return Falsehood(f"{name} {number}", of.network.model, text.encode(), arithmetic_of(number), x)


def rounded_across(number: int) -> Falsehood | None:
    """A steep row along an input constraint, across which a point is rounded."""
    of = base(number)
    if of is None:
        return None
    rng = np.random.default_rng([SEED, number, 4])
    case = of.question.cases[0]
    share = [Fraction(int(rng.integers(2, 9)), 10) for _ in case.lower]
    x = tuple(low + s * (high - low) for s, low, high in zip(share, case.lower, case.upper, strict=True))
    factors = [STEEP * int(rng.integers(1, 30)) * int(rng.choice([-1, 1])) for _ in range(2)]
    terms = tuple(enumerate(factors))
    constraint = Form(terms, (), -sum((c * x[axis] for axis, c in terms), Fraction(0)))
    read, y = Runtime(of.network.model).at(x)
    if constraint.at(read, ()) <= 0:
        return None
    form = Form(tuple((axis, -c) for axis, c in terms), ((0, Fraction(1)),))
    return _of_one_row(
        number, "rounded across", Case(case.lower, case.upper, constraint, ((form,),)), read, y, x
    )
