"""Small files that claim or unfold to something huge: prover and checker refuse them at once."""

from __future__ import annotations

import gc
import json
import os
import zlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks.fuzz.guard import forget_peak, peak, time_limit
from benchmarks.fuzz.problems import Problem, problems
from benchmarks.fuzz.protobuf_mutator import varint
from hybrid_ai.certificate import CertificateError, decode_certificate
from hybrid_ai.checker.check import check
from hybrid_ai.checker.onnx_reader import read_model
from hybrid_ai.checker.rejected import Malformed, Rejected, Unsupported
from hybrid_ai.checker.vnnlib_reader import read_property
from hybrid_ai.network import ModelError, UnsupportedModel, load_model
from hybrid_ai.spec import SpecError, UnsupportedSpec, normal_form, read_vnnlib
from tests.checker import build as b

pytestmark = pytest.mark.clock
SECONDS = 1.0  # of CPU time
ATTEMPTS = 3
MEMORY = 500_000_000  # bytes
FAR_TOO_LONG = 20.0
HUGE = 2**40
DEEP = 50_000  # what is only long may take time in proportion
Reading = tuple[Callable[[Any], object], tuple[type[Exception], ...]]


def cases(table: Mapping[str, Any], readers: Mapping[str, Any]) -> list[Any]:
    """Every case for every reader."""
    return [
        pytest.param(reading, case, id=f"{name}-{reader}")
        for name, case in table.items()
        for reader, reading in readers.items()
    ]


def refused(call: Callable[[], object], *errors: type[Exception]) -> Exception:
    """Assert that a call raises one of these errors, soon and without much memory; return the error."""
    gc.freeze()  # the collector's walks over what other tests left are none of the call's time
    try:
        measured = [_refused_once(call, errors)]
        # A busy machine can only add to what a call takes.
        while measured[-1][1] >= SECONDS and len(measured) < ATTEMPTS:
            measured.append(_refused_once(call, errors))
    finally:
        gc.unfreeze()
    error, seconds, memory = min(measured, key=lambda found: found[1])
    assert type(error) in errors
    assert "\n" not in str(error) and len(str(error)) < 2000
    assert seconds < SECONDS, f"{seconds:.1f} s"
    assert memory < MEMORY, f"{memory >> 20} MiB"
    return error


def _refused_once(
    call: Callable[[], object], errors: tuple[type[Exception], ...]
) -> tuple[Exception, float, int]:
    """The error of a call, its seconds and its memory in bytes."""
    forget_peak()
    memory, start = peak(), process_time()
    with time_limit(FAR_TOO_LONG), pytest.raises(errors) as caught:
        call()
    return caught.value, process_time() - start, peak() - memory


# ---- models

MODEL_READERS = {
    "prover": (load_model, (ModelError, UnsupportedModel)),
    "checker": (read_model, (Malformed, Unsupported)),
}


def model(
    nodes: list[Any], constants: list[Any] | None = None, shape: list[int] | None = None, **options: Any
) -> bytes:
    """A model from x to y."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape or [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        constants or [],
    )
    opset = [helper.make_opsetid("", 13)]
    return bytes(helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString())


def node(kind: str, inputs: str, output: str = "y", **attributes: Any) -> Any:
    return helper.make_node(kind, inputs.split(), [output], **attributes)


def numbers(name: str, *values: int) -> Any:
    return numpy_helper.from_array(np.array(values, np.int64), name)


def claimed(name: str, *dims: int, data: bytes = b"\0\0\0\0", **fields: Any) -> Any:
    """A tensor of float32 that says that it is larger than its data."""
    return TensorProto(name=name, data_type=1, dims=dims, raw_data=data, **fields)


def doubled(kind: str, times: int, *more: str, **attributes: Any) -> list[Any]:
    """An operation applied to its own result, twice over, again and again."""
    names = ["x", *(f"t{i}" for i in range(times - 1)), "y"]
    return [node(kind, " ".join([name, name, *more]), after, **attributes) for name, after in pairwise(names)]


def nested_attributes(depth: int) -> bytes:
    """A graph in an attribute of a node of a graph in an attribute, ... in a model."""
    lengths, inner = [0], 0
    for _ in range(depth):
        for _ in range(3):  # graph 6 of an attribute, attribute 5 of a node, node 1 of a graph
            inner += 1 + len(varint(inner))
            lengths.append(inner)
    tags = [58, *[10, 42, 50] * depth][: len(lengths)]
    return b"".join(bytes([tag]) + varint(n) for tag, n in zip(tags, reversed(lengths), strict=True))


RELU = [node("Relu", "x")]
ADD = [node("Add", "x c")]
MODELS = {
    "input of 2^40": lambda: model(RELU, shape=[1, HUGE]),
    "input of 2^120": lambda: model(RELU, shape=[1, HUGE, HUGE, HUGE]),
    "input of 2^63 - 1": lambda: model(RELU, shape=[1, 2**63 - 1]),
    "input of rank 100,000": lambda: model(RELU, shape=[1] * 100_000),
    "initialiser of 2^40": lambda: model(ADD, [claimed("c", HUGE)]),
    "initialiser of 2^126": lambda: model(ADD, [claimed("c", 2**63 - 1, 2**63 - 1)]),
    "initialiser of 2^40 by 0": lambda: model(ADD, [claimed("c", HUGE, 0, data=b"")]),
    "initialiser of rank 100,000": lambda: model(ADD, [claimed("c", *[2] * 100_000)]),
    "constant of 2^40": lambda: model([node("Constant", "", "c", value=claimed("", HUGE)), *ADD]),
    "reshape to 2^40": lambda: model([node("Reshape", "x s")], [numbers("s", HUGE, -1)]),
    "padding of 2^40": lambda: model([node("Pad", "x s")], [numbers("s", 0, 0, 0, HUGE)]),
    "padding of 2^20 by 2^20": lambda: model([node("Pad", "x s")], [numbers("s", 0, 0, 2**20, 2**20)]),
    "slice of 2^40": lambda: model(
        [node("Slice", "x s e a t")],
        [numbers(name, value) for name, value in (("s", -HUGE), ("e", HUGE), ("a", 0), ("t", HUGE))],
        shape=[1, 200_000],
    ),
    "gather of 300^4 elements": lambda: model(
        [node("Gather", "x i", "t", axis=1), node("Gather", "t i", axis=1)],
        [numpy_helper.from_array(np.zeros((300, 300), np.int64), "i")],
    ),
    "concatenated 40 times": lambda: model(doubled("Concat", 40, axis=1)),
    "axis 2^40": lambda: model([node("Concat", "x x", axis=HUGE)]),
    "100,000 new axes": lambda: model([node("Unsqueeze", "x a")], [numbers("a", *range(100_000))]),
    "multiplied 10,000 times": lambda: model(
        [node("Mul", f"{f't{i - 1}' if i else 'x'} c", f"t{i}") for i in range(10_000)]
        + [node("Relu", "t9999")],
        [numpy_helper.from_array(np.array([1.1], np.float32), "c")],
    ),
    "squared 60 times": lambda: model(
        [node("Mul", f"c{i} c{i}", f"c{i + 1}") for i in range(60)] + [node("Add", "x c60")],
        [numpy_helper.from_array(np.array([1.1], np.float32), "c0")],
    ),
    "sum of 10,000 fractions": lambda: model(
        [node("Div", "c d", "e"), node("MatMul", "e f", "g"), node("Add", "x g")],
        [
            numpy_helper.from_array(np.ones((1, 10_000), np.float32), "c"),
            numpy_helper.from_array(2**20 + 1 + 2 * np.arange(10_000, dtype=np.float32), "d"),
            numpy_helper.from_array(np.ones((10_000, 1), np.float32), "f"),
        ],
    ),
    "product of 2000 by 2000": lambda: model(
        [node("MatMul", "c d", "e"), node("MatMul", "x e")],
        [
            numpy_helper.from_array(np.ones((2000, 1), np.float32), "c"),
            numpy_helper.from_array(np.ones((1, 2000), np.float32), "d"),
        ],
    ),
    "broadcast to 2000 by 2000": lambda: model(
        [node("Add", "c d", "e"), node("Add", "x e")],
        [
            numpy_helper.from_array(np.ones((2000, 1), np.float32), "c"),
            numpy_helper.from_array(np.ones((1, 2000), np.float32), "d"),
        ],
    ),
    "graph of 2^60 bytes": lambda: b"\x3a" + varint(2**60) + b"\0" * 10,
    "raw data of 2^60 bytes": lambda: model(RELU)[:-9] + b"\x4a" + varint(2**60),
    "attributes nested 50,000 deep": lambda: nested_attributes(DEEP // 3),
    "groups nested 50,000 deep": lambda: b"\x3b" * DEEP,
    "a varint without end": lambda: b"\x08" + b"\xff" * DEEP,
    "opset 2^62": lambda: helper.make_model(
        onnx.load_model_from_string(model(RELU)).graph, opset_imports=[helper.make_opsetid("", 2**62)]
    ).SerializeToString(),
}


@pytest.mark.parametrize(("reader", "make"), cases(MODELS, MODEL_READERS))
def test_models(reader: Reading, make: Callable[[], bytes]) -> None:
    data = make()
    assert len(data) < 2**24
    refused(lambda: reader[0](data), *reader[1])


@pytest.mark.parametrize("reader", MODEL_READERS.values(), ids=MODEL_READERS)
@pytest.mark.parametrize("location", ["../secret", "secret", "/dev/zero", "a/../../secret", "pipe", ""])
def test_external_data(reader: Reading, tmp_path: Path, location: str) -> None:
    """Wherever it lies: a pipe that nobody writes to shows that no file is opened."""
    folder = tmp_path / "models"
    folder.mkdir()
    for place in (tmp_path, folder):
        (place / "secret").write_bytes(np.ones(4, np.float32).tobytes())
    os.mkfifo(folder / "pipe")
    tensor = TensorProto(name="c", data_type=1, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "0"), ("length", str(2**60))):
        tensor.external_data.add(key=key, value=value)
    file = folder / "m.onnx"
    file.write_bytes(model(ADD, [tensor]))
    for source in (file.read_bytes(), *([file] if reader[0] is load_model else [])):
        said = refused(lambda source=source: reader[0](source), *reader[1])
        assert "external data" in str(said)


# ---- properties

PROPERTY_READERS = {
    "prover": (lambda data: normal_form(read_vnnlib(data)), (SpecError, UnsupportedSpec)),
    "checker": (read_property, (Malformed, Unsupported)),
}
HEAD = "(declare-const X_0 Real)(declare-const Y_0 Real)(assert (<= 0 X_0 1))\n"
QUERY = "(vnnlib-version <2.0>)(declare-network f (declare-input X {0} {1})(declare-output Y {0} [1]))\n"
ASSERTED = "(assert (and (>= X[0] 0) (<= X[0] 1) (>= Y[0] 3)))"
PROPERTIES = {
    "input 10^9 - 1": "(declare-const X_999999999 Real)(declare-const Y_0 Real)(assert (<= Y_0 0))",
    "input 2^40": f"(declare-const X_{HUGE} Real)(declare-const Y_0 Real)(assert (<= Y_0 0))",
    "output 2^40": HEAD + f"(assert (<= Y_{HUGE} 0))",
    "60 disjunctions in a conjunction": HEAD + "(assert (or (<= Y_0 0) (>= Y_0 1)))" * 60,
    "disjunctions nested 60 deep": HEAD
    + "(assert "
    + "(and (or (<= Y_0 0) (>= Y_0 1)) " * 60
    + "true"
    + ")" * 61,
    "opened 50,000 times": HEAD + "(" * DEEP,
    "conjunctions opened 50,000 times": HEAD + "(assert " + "(and " * DEEP,
    "negations 50,000 deep around a term": HEAD + "(assert " + "(not " * DEEP + "1" + ")" * (DEEP + 1),
    "sums 50,000 deep around nothing": HEAD + "(assert (<= " + "(+ " * DEEP + ")" * DEEP,
    "declaration nested 50,000 deep": "(declare-const " + "(" * DEEP + ")" * DEEP + ")",
    "set-info nested 50,000 deep": "(set-info " + "(" * DEEP + ")" * DEEP + ")",
    "closed 50,000 times": HEAD + ")" * DEEP,
    "number of 50,000 digits": HEAD + f"(assert (<= Y_0 {'9' * DEEP}))",
    "exponent 10^9": HEAD + "(assert (<= Y_0 1e1000000000))",
    "exponent -10^9": HEAD + "(assert (<= Y_0 1e-1000000000))",
    "exponent of 50,000 digits": HEAD + f"(assert (<= Y_0 1e{'9' * DEEP}))",
    "product of 1,000 large numbers": HEAD + f"(assert (<= (* Y_0 {'1e4000 ' * 1000}) 0))",
    "sum of 10,000 fractions": HEAD
    + "(assert (<= (+ Y_0 "
    + " ".join(f"(/ 1 {2 * i + 10**9 + 1})" for i in range(10_000))
    + ") 0))",
    "name of 50,000 letters": HEAD + f"(assert (<= {'Y' * DEEP} 0))",
    "tensor of 2^40": QUERY.format("real", f"[{HUGE}]") + ASSERTED,
    "tensor of 2^120": QUERY.format("real", f"[{HUGE},{HUGE},{HUGE}]") + ASSERTED,
    "tensor of 10^8": QUERY.format("real", "[1,100000000]") + ASSERTED.replace("X[0]", "X[0,0]"),
    "tensor of rank 50,000": QUERY.format("real", f"[{','.join('2' * DEEP)}]") + ASSERTED,
    "index 2^40": QUERY.format("real", "[1]") + f"(assert (<= X[{HUGE}] 0))",
    "index of 50,000 digits": QUERY.format("real", "[1]") + f"(assert (<= X[{'9' * DEEP}] 0))",
    "index of rank 50,000": QUERY.format("real", "[1]") + f"(assert (<= X[{','.join('0' * DEEP)}] 0))",
    "query opened 50,000 times": QUERY.format("real", "[1]") + "(assert " + "(and " * DEEP,
    "negatives 50,000 deep": QUERY.format("float32", "[1]") + "(assert (<= " + "(- " * DEEP + ")" * DEEP,
    "60 inequalities": QUERY.format("real", "[1]") + ASSERTED + "(assert (!= Y[0] 1 ))" * 60,
    "version of 50,000 digits": f"(vnnlib-version <{'2' * DEEP}.0>)" + ASSERTED,
    "float32 number 1e4000": QUERY.format("float32", "[1]") + "(assert (<= X[0] 1e4000))",
}


@pytest.mark.parametrize(("reader", "text"), cases(PROPERTIES, PROPERTY_READERS))
def test_properties(reader: Reading, text: str) -> None:
    data = text.encode()
    refused(lambda: reader[0](data), *reader[1])


# ---- packed files


@lru_cache(maxsize=1)
def bomb(unit: bytes, size: int) -> bytes:
    """A gzip file of some MiB that unpacks to `unit` again and again, together `size` bytes.

    It is the same packed block again and again, and lacks its trailer, which no reader gets to see.
    """
    packer = zlib.compressobj(9, wbits=31)
    chunk = unit * (2**20 // len(unit))
    first = packer.compress(chunk) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(chunk) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + block * (size // len(chunk) - 1)


MODEL_BOMBS = {
    "2^31 zeros": (b"\0", 2**31),
    "2^31 bytes of fields": (b"\x0a\0", 2**31),
    "zeros within the limit": (b"\0", 2**30 - 2**21),
    "fields within the limit": (b"\x3a\0", 2**30 - 2**21),
}
PROPERTY_BOMBS = {
    "2^30 blanks": (b" ", 2**30),
    "zeros within the limit": (b"\0", 2**28 - 2**20),
    "blanks within the limit": (b" ", 2**28 - 2**20),
    "line ends within the limit": (b"\n", 2**28 - 2**20),
    "parentheses within the limit": (b"(", 2**28 - 2**20),
    "commands within the limit": (b"(exit)\n", 2**28 - 2**20),
}


@pytest.mark.parametrize(("reader", "contents"), cases(MODEL_BOMBS, MODEL_READERS))
def test_packed_models(reader: Reading, contents: tuple[bytes, int]) -> None:
    data = bomb(*contents)
    assert len(data) < 2**22
    assert " 100 times its " in str(refused(lambda: reader[0](data), *reader[1]))


@pytest.mark.parametrize(("reader", "contents"), cases(PROPERTY_BOMBS, PROPERTY_READERS))
def test_packed_properties(reader: Reading, contents: tuple[bytes, int]) -> None:
    data = bomb(*contents)
    assert len(data) < 2**22
    assert " 100 times its " in str(refused(lambda: reader[0](data), *reader[1]))


# ---- evidence


def tree_of(problem: Problem, tree: bytes) -> bytes:
    """The problem's certificate with another first tree."""
    others = [b"\x50\0"] * (len(problem.frame.rows) - 1)
    return b.certificate(problem.model, problem.claim, tree, *others)


def with_body(problem: Problem, body: bytes) -> bytes:
    return problem.frame.header + body


EVIDENCE = {
    "2^40 trees": lambda p: with_body(p, b.u(HUGE)),
    "2^60 trees": lambda p: with_body(p, b.u(2**60)),
    "tree of 2^40 bytes": lambda p: with_body(p, b.u(5) + b.u(HUGE)),
    "tree of 2^60 bytes": lambda p: with_body(p, b.u(5) + b.u(2**60)),
    "number of trees without end": lambda p: with_body(p, b"\xff" * DEEP),
    "closing of 2^40 rows": lambda p: tree_of(p, b"\x51\2" + b.u(2) + b.u(HUGE)),
    "closing of 2^60 constraints": lambda p: tree_of(p, b"\x51\2" + b.u(2) + b"\1\0\1\1" + b.u(2**60)),
    "closing of 2^60 slopes": lambda p: tree_of(p, b"\x51\2" + b.u(2) + b"\1\0\1\1\0\0" + b.u(2**60)),
    "tightening of 2^40 neurons": lambda p: tree_of(p, b"\x54" + b.u(HUGE)),
    "neuron 2^60": lambda p: tree_of(p, b"\x40" + b.u(2**60) + b"\0\0"),
    "axis 2^60": lambda p: tree_of(p, b"\x3f" + b.u(2**60) + b"\0"),
    "coordinate 2^60": lambda p: tree_of(p, b"\x3f\0" + b.s(2**60)),
    "dyadic of 2^-(2^40)": lambda p: tree_of(p, b"\x40\0\2" + b.u(HUGE)),
    "multiplier without end": lambda p: tree_of(p, b"\x51\2" + b.u(2) + b"\1\0" + b"\xff" * DEEP),
    "axis split 50,000 deep": lambda p: tree_of(p, b"\0" * DEEP),
    "neuron split 50,000 deep": lambda p: tree_of(p, b.split_neuron(0, b"\0\0") * DEEP),
    "difference split 50,000 deep": lambda p: tree_of(p, b.split_difference(0, 1, b"\0\0") * DEEP),
    "2^40 leaves in levels": lambda p: tree_of(p, b"\0" * 40 + b"\x50"),
    "tightened 50,000 times": lambda p: tree_of(p, b.TIGHTEN * DEEP),
    "cut 20,000 times": lambda p: tree_of(p, b.cut(0, 1, 63, b"\0", b"\0", b"\0") * 20_000),
    "JSON 50,000 deep": lambda p: b'{"x":' + b"[" * DEEP,
    "JSON objects 50,000 deep": lambda p: b'{"x":' * DEEP,
}


@pytest.mark.parametrize(("reader", "make"), cases(EVIDENCE, {n: n for n in ("prover", "fast", "exact")}))
def test_evidence(reader: Any, make: Callable[[Problem], bytes]) -> None:
    problem = problems()[0]
    data = make(problem)
    if reader == "prover":
        refused(lambda: decode_certificate(data, problem.frame.rows), CertificateError)
    else:
        check_warm(problem, reader)
        refused(lambda: check(problem.model, problem.claim, data, engine=reader), Rejected)


def check_warm(problem: Problem, engine: Any) -> None:
    """What an engine loads when it is first used is no part of what is measured."""
    check(problem.model, problem.claim, problem.evidence, engine=engine)


@pytest.mark.parametrize(
    "number", ["1e1000000000", "9" * DEEP, "1/" + "9" * DEEP, "1e-99999999", "0x" * DEEP]
)
def test_numbers_of_counterexamples(number: str) -> None:
    problem = problems()[1]
    content = json.loads(problem.evidence) | {"x": [number, "0", "1/4"]}
    refused(lambda: check(problem.model, problem.claim, json.dumps(content).encode()), Rejected)
