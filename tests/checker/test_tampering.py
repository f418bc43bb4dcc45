"""A valid model, property and certificate; one thing changed at a time is refused by its own rule.

After every change the hashes in the header are those of the changed files: the change itself is judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from hybrid_ai.checker.check import check
from hybrid_ai.checker.rejected import Malformed, Rejected
from tests.checker import build as b

np = pytest.importorskip("numpy")
onnx = pytest.importorskip("onnx")

# z0 = x0 + x1, z1 = x0 - x1, z2 = x0 + x2 - 1/4 (x2 is 1/4); y0 = max(z0, 0) + max(z1, 0), y1 = max(z2, 0).
FIRST = [[1, 1, 1], [1, -1, 0], [0, 0, 1]]
FIRST_BIAS = [0, 0, -0.25]
SECOND = [[1, 0], [1, 0], [0, 1]]
SECOND_BIAS = [0, 0]


def make_model(
    first: Any = FIRST,
    first_bias: Any = FIRST_BIAS,
    second: Any = SECOND,
    second_bias: Any = SECOND_BIAS,
    activation: str = "Relu",
    add: str = "Add",
    permuted: bool = False,
) -> bytes:
    helper, shapes = onnx.helper, {"x": 3, "y": 2}
    arrays = {"W": first, "b": first_bias, "V": second, "c": second_bias, "P": [[0, 1], [1, 0]]}
    constants = [
        onnx.numpy_helper.from_array(np.array(array, dtype=np.float32), name)
        for name, array in arrays.items()
    ]
    attributes = {"alpha": 0.5} if activation == "LeakyRelu" else {}
    nodes = [
        helper.make_node("MatMul", ["x", "W"], ["m"]),
        helper.make_node(add, ["m", "b"], ["z"]),
        helper.make_node(activation, ["z"], ["h"], **attributes),
        helper.make_node("MatMul", ["h", "V"], ["n"]),
        helper.make_node("Add", ["n", "c"], ["p" if permuted else "y"]),
    ]
    if permuted:
        nodes.append(helper.make_node("MatMul", ["p", "P"], ["y"]))
    else:
        del constants[-1]
    infos = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, size])
        for name, size in shapes.items()
    ]
    graph = helper.make_graph(nodes, "g", infos[:1], infos[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    return bytes(model.SerializeToString())


# One line a conjunct: the first three share the whole box, the others are input polytopes of their own.
CONJUNCTS = (
    "(>= Y_0 3.5)",
    "(>= Y_0 2.25)",
    "(and (>= Y_1 0.5) (<= (* 2.0 Y_1) 0.5))",
    "(and (<= (- X_0 (* 0.015625 X_1)) 0.25) (>= Y_0 2.25))",
    "(and (<= (+ X_0 X_1) 0.375) (>= (+ X_0 X_1) 0.5625) (>= Y_0 0.0))",
    "(and (<= (+ (* 2.0 X_1) (* 0.015625 X_0)) 0.25) "
    "(<= (- (* 0.015625 X_0) (* 2.0 X_1)) -0.6875) (>= Y_0 0.0))",
    "(and (<= X_0 0.9) (<= (- Y_1 (* 0.5 X_0)) -0.0009765625))",
)
BOX = {0: ("-1.0", "1.0"), 1: ("-1.0", "1.0"), 2: ("0.25", "0.25")}


def make_property(conjuncts: Sequence[str] = CONJUNCTS, box: dict[int, tuple[str, str]] = BOX) -> bytes:
    lines = [f"(declare-const {name} Real)" for name in ("X_0", "X_1", "X_2", "Y_0", "Y_1")]
    for axis, (low, high) in box.items():
        lines += [f"(assert (>= X_{axis} {low}))", f"(assert (<= X_{axis} {high}))"]
    return "\n".join([*lines, "(assert (or", *conjuncts, "))"]).encode()


def with_conjunct(number: int, old: str, new: str) -> bytes:
    assert old in CONJUNCTS[number]
    return make_property(
        [text.replace(old, new) if i == number else text for i, text in enumerate(CONJUNCTS)]
    )


# ---- the trees

ROW = b"\0"
LEAF = b.leaf(ROW)
ZERO, HALF, EIGHTH = b.dyadic(0, 0), b.dyadic(1, 1), b.dyadic(1, 3)
TWO_ROWS = b.closing(2, b.terms((0, 2), (1, 1)))
OFF = b.closing(1, constraints=b.terms((0, 1)))
NAMED = b.tighten([0, 2], b.slopes((0, 7)))


def phases(
    first: bytes = b.close(0, ROW),
    second: bytes = b.close(2, TWO_ROWS),
    third: bytes = NAMED,
    split: bytes = b.split_neuron(0, ZERO),
    inactive: bytes = LEAF,
    active: bytes = b.split_neuron(1, ZERO) + LEAF * 2,
) -> bytes:
    """Tree 0: two disjuncts closed at the root, the third by the phases of both neurons."""
    return first + second + third + split + inactive + active


def slabs(
    high: bytes = b.cut(0, 1, 41, OFF),
    low: bytes = b.cut(0, 0, 32, ROW),
    rest: bytes = b.TIGHTEN + b.split(1) + LEAF * 2,
) -> bytes:
    """Tree 1: a slab off either side, bounds anew, then halves."""
    return high + low + rest


def assumed(
    constraint: int, factor: b.Number = 1, assumption: int = 0, weight: b.Number = 1, listed: bytes = b"\0"
) -> bytes:
    """A leaf without rows: one input constraint and one assumption."""
    parts = b.terms((constraint, weight)), b.terms((assumption, factor))
    return b.leaf(b.closing(1, constraints=parts[0], assumptions=parts[1], listed=listed))


def neuron(
    split: bytes = b.split_neuron(0, HALF), first: bytes = assumed(1), second: bytes = assumed(0)
) -> bytes:
    """Tree 2: z0 on either side of 1/2 contradicts one of the input constraints."""
    return split + first + second


def difference(
    split: bytes = b.split_difference(0, 1, HALF), first: bytes = assumed(1), second: bytes = assumed(0)
) -> bytes:
    """Tree 3: z0 - z1 on either side of 1/2 contradicts one of the input constraints."""
    return split + first + second


def sloped(value: int = 64, listed: int = 2) -> bytes:
    return b.leaf(b.closing(1, b.terms((0, 1)), listed=b.slopes((listed, value))))


def slopes(split: bytes = b.split_at(1, 3), first: bytes = sloped(), second: bytes = sloped()) -> bytes:
    """Tree 4: only the lower slope 64/128 of neuron 2 shows the row."""
    return split + first + second


MODEL, PROPERTY = make_model(), make_property()
TREES = (phases(), slabs(), neuron(), difference(), slopes())


def with_tree(number: int, tree: bytes) -> bytes:
    return b.certificate(MODEL, PROPERTY, *TREES[:number], tree, *TREES[number + 1 :])


@pytest.mark.parametrize("engine", b.ENGINES)
def test_the_original_is_accepted(engine: Any) -> None:
    found = check(MODEL, PROPERTY, b.certificate(MODEL, PROPERTY, *TREES), engine=engine)
    assert (found.polytopes, found.nodes, found.leaves, found.vacuous) == (5, 17, 11, False)


CERTIFICATES: list[tuple[str, int, bytes, str, str]] = [
    # ---- tree 0: CLOSE, general closings, TIGHTEN, SPLIT_NEURON
    ("close left out", 0, phases(first=b""), "index", "node 1"),
    ("close of a closed disjunct", 0, phases(first=b.close(0, ROW) * 2), "open", "node 0"),
    ("close of no disjunct", 0, phases(first=b.close(3, ROW)), "index", "node 0"),
    ("close by another row", 0, phases(first=b.close(0, b"\2")), "index", "node 0"),
    ("close of what is reached here", 0, phases(first=b.close(1, ROW)), "closing", "node 0"),
    (
        "first multiplier",
        0,
        phases(second=b.close(2, b.closing(2, b.terms((0, 1), (1, 1))))),
        "closing",
        "node 0",
    ),
    (
        "second multiplier",
        0,
        phases(second=b.close(2, b.closing(2, b.terms((0, 2), (1, 4))))),
        "closing",
        "node 0",
    ),
    (
        "a multiplier left out",
        0,
        phases(second=b.close(2, b.closing(2, b.terms((0, 2))))),
        "closing",
        "node 0",
    ),
    ("one row instead of two", 0, phases(second=b.close(2, b"\1")), "closing", "node 0"),
    (
        "rows in the wrong order",
        0,
        phases(second=b.close(2, b.closing(2, b.terms((1, 1), (0, 2))))),
        "order",
        "node 0",
    ),
    ("a row twice", 0, phases(second=b.close(2, b.closing(2, b.terms((0, 2), (0, 1))))), "order", "node 0"),
    ("no multiplier", 0, phases(second=b.close(2, b.closing(2))), "multipliers", "node 0"),
    (
        "zero multiplier",
        0,
        phases(second=b.close(2, b.closing(2, b.u(1) + b.u(0) + b.u(0) + b.u(1)))),
        "rational",
        "node 0",
    ),
    (
        "zero denominator",
        0,
        phases(second=b.close(2, b.closing(2, b.u(1) + b.u(0) + b.u(1) + b.u(0)))),
        "rational",
        "node 0",
    ),
    ("a constraint that is not there", 0, phases(first=b.close(0, OFF)), "index", "node 0"),
    ("tighten of no neuron", 0, phases(third=b"\x54\x00\x00"), "tighten", "node 0"),
    ("tighten of a neuron that is not there", 0, phases(third=b.tighten([0, 3])), "index", "node 0"),
    ("tighten of a neuron twice", 0, phases(third=b.tighten([2, 2])), "order", "node 0"),
    ("tighten slope", 0, phases(third=b.tighten([0], b.slopes((0, 129)))), "slopes", "node 0"),
    ("tighten slopes twice", 0, phases(third=b.tighten([0], b.slopes((0, 7), (0, 7)))), "order", "node 0"),
    ("reserved step", 0, phases(third=b"\x55"), "step", "node 0"),
    ("split of a neuron that is not there", 0, phases(split=b.split_neuron(3, ZERO)), "index", "node 0"),
    ("split of another neuron", 0, phases(split=b.split_neuron(2, ZERO)), "closing", "node 1"),
    ("split above the phase", 0, phases(split=b.split_neuron(0, b.dyadic(1, 0))), "closing", "node 1"),
    ("split below the phase", 0, phases(split=b.split_neuron(0, b.dyadic(-1, 0))), "closing", "node 4"),
    ("split exponent", 0, phases(split=b.split_neuron(0, b.dyadic(0, 1001))), "dyadic", "node 0"),
    ("padded integer", 0, phases(split=b"\x40\x80\x00" + ZERO), "varint", "node 0"),
    ("second phase not split", 0, phases(active=LEAF), "closing", "node 2"),
    ("the same phase twice", 0, phases(active=b.split_neuron(0, ZERO) + LEAF * 2), "closing", "node 3"),
    (
        "children exchanged",
        0,
        phases(inactive=phases(b"", b"", b"", b.split_neuron(1, ZERO), LEAF, LEAF), active=LEAF),
        "closing",
        "node 4",
    ),
    ("a child left out", 0, phases(active=b.split_neuron(1, ZERO) + LEAF), "truncated", "node 4"),
    ("a closing too many", 0, phases(inactive=b.leaf(ROW, ROW)), "truncated", "node 6"),
    (
        "a closing left out",
        0,
        phases(active=b.split_neuron(1, ZERO) + LEAF + b.leaf()),
        "truncated",
        "node 4",
    ),
    ("bytes after the last node", 0, phases() + b"\0", "tree-length", ""),
    # ---- tree 1: CUT, SPLIT
    ("cut left out", 1, slabs(high=b""), "closing", "node 1"),
    ("cut too deep", 1, slabs(high=b.cut(0, 1, 39, OFF)), "closing", "node 0"),
    ("cut at the other side", 1, slabs(high=b.cut(0, 0, 41, OFF)), "closing", "node 0"),
    ("cut of another axis", 1, slabs(high=b.cut(1, 1, 41, OFF)), "closing", "node 0"),
    ("cut of a pinned axis", 1, slabs(high=b.cut(2, 1, 41, OFF)), "cut", "node 0"),
    ("cut of an axis that is not there", 1, slabs(high=b.cut(3, 0, 41, OFF)), "index", "node 0"),
    ("cut of nothing", 1, slabs(high=b.cut(0, 1, 0, OFF)), "cut", "node 0"),
    ("cut of all", 1, slabs(high=b.cut(0, 1, 64, OFF)), "cut", "node 0"),
    ("slab by the wrong row", 1, slabs(high=b.cut(0, 1, 41, ROW)), "closing", "node 0"),
    ("slab without a closing", 1, slabs(high=b.cut(0, 1, 41)), "index", "node 0"),
    ("bounds not computed anew", 1, slabs(rest=LEAF), "closing", "node 0"),
    ("split of a pinned axis", 1, slabs(rest=b.TIGHTEN + b.split(2) + LEAF * 2), "split-axis", "node 0"),
    (
        "split of an axis that is not there",
        1,
        slabs(rest=b.TIGHTEN + b.split(3) + LEAF * 2),
        "index",
        "node 0",
    ),
    # ---- tree 2: assumptions of SPLIT_NEURON
    ("assumptions exchanged", 2, neuron(first=assumed(0), second=assumed(1)), "closing", "node 1"),
    ("constraint of the other child", 2, neuron(second=assumed(1)), "closing", "node 2"),
    ("assumption multiplied", 2, neuron(first=assumed(1, 2)), "closing", "node 1"),
    ("assumption divided", 2, neuron(second=assumed(0, "1/2")), "closing", "node 2"),
    ("constraint multiplied", 2, neuron(second=assumed(0, weight=2)), "closing", "node 2"),
    ("assumption that is not there", 2, neuron(first=assumed(1, assumption=1)), "index", "node 1"),
    ("constraint that is not there", 2, neuron(first=assumed(2)), "index", "node 1"),
    ("threshold above the gap", 2, neuron(split=b.split_neuron(0, b.dyadic(9, 4))), "closing", "node 1"),
    ("threshold below the gap", 2, neuron(split=b.split_neuron(0, b.dyadic(3, 3))), "closing", "node 2"),
    ("threshold of another neuron", 2, neuron(split=b.split_neuron(1, HALF)), "closing", "node 1"),
    ("assumption without its split", 2, assumed(1), "index", "node 0"),
    # ---- tree 3: SPLIT_DIFFERENCE
    (
        "difference with itself",
        3,
        difference(split=b.split_difference(1, 1, HALF)),
        "split-difference",
        "node 0",
    ),
    ("difference the other way", 3, difference(split=b.split_difference(1, 0, HALF)), "closing", "node 1"),
    (
        "difference with another neuron",
        3,
        difference(split=b.split_difference(0, 2, HALF)),
        "closing",
        "node 1",
    ),
    ("difference that is not there", 3, difference(split=b.split_difference(0, 3, HALF)), "index", "node 0"),
    (
        "difference too large",
        3,
        difference(split=b.split_difference(0, 1, b.dyadic(1, 0))),
        "closing",
        "node 1",
    ),
    (
        "difference too small",
        3,
        difference(split=b.split_difference(0, 1, b.dyadic(1, 3))),
        "closing",
        "node 2",
    ),
    ("one neuron instead", 3, difference(split=b.split_neuron(0, HALF)), "closing", "node 1"),
    # ---- tree 4: SPLIT_AT, slopes
    ("slope of an input out of range", 4, slopes(first=sloped(129)), "slopes", "node 1"),
    ("slope too small", 4, slopes(first=sloped(63)), "closing", "node 1"),
    ("slope too large", 4, slopes(second=sloped(65)), "closing", "node 2"),
    ("slope of another neuron", 4, slopes(second=sloped(listed=1)), "closing", "node 2"),
    ("slope of a neuron that is not there", 4, slopes(second=sloped(listed=3)), "index", "node 2"),
    ("slope left out", 4, slopes(second=LEAF), "closing", "node 2"),
    ("split at the lower end", 4, slopes(split=b.split_at(1, -(2**39))), "split-axis", "node 0"),
    ("split at the upper end", 4, slopes(split=b.split_at(1, 2**39)), "split-axis", "node 0"),
    ("split outside", 4, slopes(split=b.split_at(1, 2**40)), "split-axis", "node 0"),
    ("split at a pinned axis", 4, slopes(split=b.split_at(2, 0)), "split-axis", "node 0"),
]


@pytest.mark.parametrize("engine", b.ENGINES)
@pytest.mark.parametrize(
    ("number", "tree", "rule", "node"),
    [row[1:] for row in CERTIFICATES],
    ids=[row[0] for row in CERTIFICATES],
)
def test_tampered_tree_is_refused(engine: Any, number: int, tree: bytes, rule: str, node: str) -> None:
    with pytest.raises(Rejected) as caught:
        check(MODEL, PROPERTY, with_tree(number, tree), engine=engine)
    place = f"tree {number}, {node}, byte 0x" if node else f"tree {number}"
    assert (caught.value.rule, caught.value.where[: len(place)]) == (rule, place)


def header(data: bytes, position: int, value: int) -> bytes:
    return data[:position] + bytes([value]) + data[position + 1 :]


WHOLE = b.certificate(MODEL, PROPERTY, *TREES)
START = 76  # the length of tree 0


@pytest.mark.parametrize("engine", b.ENGINES)
@pytest.mark.parametrize(
    ("evidence", "rule", "place"),
    [
        (header(WHOLE, 0, 0x49), "header", "byte 0x0"),
        (header(WHOLE, 8, 2), "version", "byte 0x8"),
        (header(WHOLE, 8, 0), "version", "byte 0x8"),
        *((header(WHOLE, 9, number), "arithmetic", "byte 0x9") for number in (0, 4, 255)),
        (header(WHOLE, 10, 2), "flags", "byte 0xa"),
        (header(WHOLE, 10, 0), "closing", "tree 0, node 0, byte 0x"),
        (header(WHOLE, 11, WHOLE[11] ^ 1), "model-hash", "byte 0xb"),
        (header(WHOLE, 43, WHOLE[43] ^ 1), "property-hash", "byte 0x2b"),
        (header(WHOLE, 75, 4), "trees", "header"),
        (header(WHOLE, 75, 6), "trees", "header"),
        (header(WHOLE, START, WHOLE[START] + 1), "tree-length", "tree 0"),
        (header(WHOLE, START, WHOLE[START] - 1), "truncated", "tree 0, node 4, byte 0x"),
        (WHOLE + b"\0", "trailing", f"byte 0x{len(WHOLE):x}"),
        (WHOLE[:-1], "truncated", "tree 4, byte 0x"),
        (b.certificate(MODEL, PROPERTY, *TREES[::-1]), "index", "tree 0, node 1, byte 0x"),
        (
            b.certificate(MODEL, PROPERTY, *TREES[:2], TREES[3], TREES[2], TREES[4]),
            "closing",
            "tree 2, node 1",
        ),
        (b.certificate(MODEL, PROPERTY, *TREES[:4]), "trees", "header"),
    ],
)
def test_tampered_header_is_refused(engine: Any, evidence: bytes, rule: str, place: str) -> None:
    with pytest.raises(Rejected) as caught:
        check(MODEL, PROPERTY, evidence, engine=engine)
    assert (caught.value.rule, caught.value.where[: len(place)]) == (rule, place)


def changed(matrix: Any, row: int, column: int, value: float) -> Any:
    return [
        [value if (i, j) == (row, column) else entry for j, entry in enumerate(line)]
        for i, line in enumerate(matrix)
    ]


MODELS = [
    ("first weight", make_model(first=changed(FIRST, 0, 0, 2)), "tree 0, node 0"),
    ("weight of the pinned input", make_model(first=changed(FIRST, 2, 0, 4)), "tree 0, node 0"),
    ("weight slightly larger", make_model(first=changed(FIRST, 0, 0, 1.3125)), "tree 0, node 3"),
    ("weight of the third neuron", make_model(first=changed(FIRST, 0, 2, 1.125)), "tree 4, node 1"),
    ("first bias", make_model(first_bias=[0.5, 0, -0.25]), "tree 0, node 0"),
    ("third bias", make_model(first_bias=[0, 0, -0.25 - 2**-8]), "tree 4, node 1"),
    ("output weight", make_model(second=changed(SECOND, 0, 0, 1.25)), "tree 0, node 0"),
    ("output sign", make_model(second=changed(SECOND, 2, 1, -1)), "tree 4, node 1"),
    ("output bias", make_model(second_bias=[1, 0]), "tree 0, node 0"),
    ("output bias just beyond the margin", make_model(second_bias=[0.25 + 2**-20, 0]), "tree 0, node 1"),
    ("third output bias", make_model(second_bias=[0, -(2.0**-9)]), "tree 4, node 1"),
    ("leaky", make_model(activation="LeakyRelu"), "tree 4, node 1"),
    ("no activation", make_model(activation="Identity"), "tree 0, node 0"),
    ("subtraction", make_model(first_bias=[0.5, 0, 0.25], add="Sub"), "tree 2, node 1"),
    ("outputs permuted", make_model(permuted=True), "tree 4, node 1"),
]


@pytest.mark.parametrize("engine", b.ENGINES)
@pytest.mark.parametrize(("model", "place"), [row[1:] for row in MODELS], ids=[row[0] for row in MODELS])
def test_tampered_model_is_refused(engine: Any, model: bytes, place: str) -> None:
    with pytest.raises(Rejected) as caught:
        check(model, PROPERTY, b.certificate(model, PROPERTY, *TREES), engine=engine)
    # Without the activation there are no neurons for the certificate to name.
    rule = "index" if b"Identity" in model else "closing"
    assert (caught.value.rule, caught.value.where[: len(place)]) == (rule, place)


PROPERTIES = [
    ("upper bound widened", make_property(box=BOX | {0: ("-1.0", "1.25")}), "closing", "tree 0, node 1"),
    ("lower bound widened", make_property(box=BOX | {1: ("-1.5", "1.0")}), "closing", "tree 0, node 1"),
    ("pinned input freed", make_property(box=BOX | {2: ("0.0", "0.25")}), "closing", "tree 4, node 1"),
    (
        "first threshold just below the bound",
        with_conjunct(0, "3.5", "2.999999"),
        "closing",
        "tree 0, node 0",
    ),
    (
        "second threshold just below the maximum",
        with_conjunct(1, "2.25", "1.999999"),
        "closing",
        "tree 0, node 1",
    ),
    ("atom flipped", with_conjunct(1, ">=", "<="), "closing", "tree 0, node 1"),
    (
        "atoms no longer apart",
        with_conjunct(2, "(* 2.0 Y_1) 0.5", "(* 2.0 Y_1) 1.0"),
        "closing",
        "tree 0, node 0",
    ),
    ("an atom left out", with_conjunct(2, " (<= (* 2.0 Y_1) 0.5)", ""), "index", "tree 0, node 0"),
    ("constraint moved", with_conjunct(3, "0.25", "0.3125"), "closing", "tree 1, node 0"),
    ("constraint flipped", with_conjunct(3, "<=", ">="), "closing", "tree 1, node 0"),
    ("constraint left out", make_property((*CONJUNCTS[:3], CONJUNCTS[1], *CONJUNCTS[4:])), "trees", "header"),
    ("row just below the bound", with_conjunct(3, "Y_0 2.25", "Y_0 1.25"), "closing", "tree 1, node 0"),
    ("constraints touch", with_conjunct(4, "0.375", "0.5"), "closing", "tree 2, node 2"),
    ("gap beside the threshold", with_conjunct(4, "0.5625", "0.4375"), "closing", "tree 2, node 1"),
    ("constraint of the difference", with_conjunct(5, "0.25", "0.75"), "closing", "tree 3, node 2"),
    ("other constraint of the difference", with_conjunct(5, "-0.6875", "-0.25"), "closing", "tree 3, node 1"),
    ("margin gone", with_conjunct(6, "-0.0009765625", "0.0"), "closing", "tree 4, node 1"),
    ("margin gone, rounded", with_conjunct(6, "-0.0009765625", "1e-30"), "closing", "tree 4, node 1"),
    ("disjunct added", make_property((*CONJUNCTS, "(>= Y_0 1.0)")), "index", "tree 0, node 1"),
    ("disjunct left out", make_property(CONJUNCTS[:2] + CONJUNCTS[3:]), "index", "tree 0, node 0"),
    (
        "disjuncts exchanged",
        make_property((CONJUNCTS[1], CONJUNCTS[0], *CONJUNCTS[2:])),
        "closing",
        "tree 0, node 0",
    ),
    ("polytope added", make_property((*CONJUNCTS, "(and (<= X_1 0.5) (>= Y_0 9.0))")), "trees", "header"),
    ("polytope left out", make_property(CONJUNCTS[:-1]), "trees", "header"),
    ("bound of a polytope left out", with_conjunct(6, "(<= X_0 0.9)", "(<= X_2 0.9)"), "trees", "header"),
]


@pytest.mark.parametrize("engine", b.ENGINES)
@pytest.mark.parametrize(
    ("claim", "rule", "place"), [row[1:] for row in PROPERTIES], ids=[row[0] for row in PROPERTIES]
)
def test_tampered_property_is_refused(engine: Any, claim: bytes, rule: str, place: str) -> None:
    with pytest.raises(Rejected) as caught:
        check(MODEL, claim, b.certificate(MODEL, claim, *TREES), engine=engine)
    assert (caught.value.rule, caught.value.where[: len(place)]) == (rule, place)


def test_strictness_decides_where_the_bound_is_exactly_zero() -> None:
    tree = b.split_neuron(0, ZERO) + LEAF + b.split_neuron(1, ZERO) + LEAF * 2
    strict, loose = make_property(["(> Y_0 2.0)"]), make_property(["(>= Y_0 2.0)"])
    assert check(MODEL, strict, b.certificate(MODEL, strict, tree), engine="exact").leaves == 3
    for engine in b.ENGINES:
        with pytest.raises(Rejected) as caught:
            check(MODEL, loose, b.certificate(MODEL, loose, tree), engine=engine)
        assert (caught.value.rule, caught.value.where[:14]) == ("closing", "tree 0, node 1")


def test_another_number_of_inputs_is_refused() -> None:
    claim = PROPERTY.replace(b"(declare-const Y_1 Real)", b"(declare-const Y_1 Real)(declare-const Y_2 Real)")
    with pytest.raises(Malformed, match="3 outputs are declared"):
        check(MODEL, claim, b.certificate(MODEL, claim, *TREES))
