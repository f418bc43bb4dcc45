"""The checker's VNN-LIB 2.0 reader: what it accepts and means, what it refuses and where."""

from __future__ import annotations

import gzip
import operator
import random
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import reduce

import pytest

from hybrid_ai.checker.property_form import Atom, Polytope, Property, violates
from hybrid_ai.checker.vnnlib2_reader import nearest_float32
from hybrid_ai.checker.vnnlib_reader import read_property
from hybrid_ai.checker.vnnlib_terms import Linear, TermReader
from tests.checker.queries import FLOAT32, SAMPLE, VERSION, atom, network, read, rows


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(<= Y[0] 2)", atom({}, {0: 1}, -2)),
        ("(>= Y[0] 2)", atom({}, {0: -1}, 2)),
        ("(< Y[0] 2)", atom({}, {0: 1}, -2, True)),
        ("(> Y[0] 2)", atom({}, {0: -1}, 2, True)),
        ("(<= Y [ 0 ] Y[\n01])", atom({}, {0: 1, 1: -1}, 0)),
        ("(<= (* 2 Y[0]) (+ X[1] (* X[0] 3) 0.5))", atom({0: -3, 1: -1}, {0: 2}, "-1/2")),
        ("(<= (- Y[0]) (- Y[1] 1 X[0]))", atom({0: 1}, {0: -1, 1: -1}, 1)),
        ("(<= (- 10 Y[0] 1 2) (- (- 3)))", atom({}, {0: -1}, 4)),
        ("(<= (* 2 3 (- Y[0] 1) 0.5) 0)", atom({}, {0: 3}, -3)),
        ("(<= (+ Y[0] Y[1] (- Y[1])) 0)", atom({}, {0: 1}, 0)),
        ("(<= (* 0 (+ X[0] Y[1])) Y[0])", atom({}, {0: -1}, 0)),
        ("(<= (* (- X[0] X[0] 2) Y[0]) 0)", atom({}, {0: -2}, 0)),
        ("(<= (+ Y[0]) (* 1))", atom({}, {0: 1}, -1)),
        ("(<= Y[0] 1e-3)", atom({}, {0: 1}, "-1/1000")),
        ("(<= Y[0] +1.5E+1)", atom({}, {0: 1}, -15)),
        ("(<= Y[0] -.5)", atom({}, {0: 1}, "1/2")),
        ("(<= Y[0] 0.1)", atom({}, {0: 1}, "-1/10")),
        ("(<= (* 1e-3900 Y[0]) (* 1e3000 Y[1]))", atom({}, {0: "1e-3900", 1: "-1e3000"}, 0)),
        ("(and (<= 1 2) (<= Y[0] 2))", atom({}, {0: 1}, -2)),
        ("(or (!= 2 2) (< 2 2) (and (<= Y[0] 2)))", atom({}, {0: 1}, -2)),
    ],
)
def test_one_row(text: str, expected: Atom) -> None:
    assert rows(text) == ((expected,),)


def test_order_of_equality_and_difference() -> None:
    below, above = atom({}, {0: 1, 1: -1}, 0), atom({}, {0: -1, 1: 1}, 0)
    assert rows("(== Y[0] Y[1])") == ((below, above),)
    below, above = atom({}, {0: 1, 1: -1}, 0, True), atom({}, {0: -1, 1: 1}, 0, True)
    assert rows("(!= Y[0] Y[1])") == ((below,), (above,))


def test_distribution_and_assertions_in_file_order() -> None:
    a, b, c, d = (f"(<= Y[{j}] {k})" for k in (0, 1) for j in (0, 1))
    forms = {text: rows(text)[0][0] for text in (a, b, c, d)}
    found = rows(f"(and (or {a} (and {b} {c})) (or {c} {d})))(assert {d}")
    expected = [[a, c, d], [a, d], [b, c, d], [b, c, d]]
    assert found == tuple(dict.fromkeys(tuple(forms[t] for t in conjunct) for conjunct in expected))


def test_elements_are_numbered_in_c_order() -> None:
    text = f"""; comment (with parenthesis
    {VERSION} (declare-network n_1 (declare-input in real [2,3]) ; another
      (declare-output out real []))
    (assert (<= out (+ in[0,0] (* 2 in[0,2]) (* 3 in[1,0]) (* 4 in[1,2]))))
    (assert (and {" ".join(f"(>= in[{i},{j}] 0) (<= in[{i},{j}] 1)" for i in (0, 1) for j in (0, 1, 2))}))"""
    prop = read(text)
    assert (prop.n_inputs, prop.n_outputs, prop.instances, prop.element) == (6, 1, 1, "real")
    assert prop.polytopes[0].disjuncts == ((atom({0: -1, 2: -2, 3: -3, 5: -4}, {0: 1}, 0),),)
    assert read_property(gzip.compress(text.encode())) == prop
    assert read(text.replace("\n", "\r\n")) == prop
    assert read(text.replace("<2.0>", "<2.17>")) == prop


def test_instances_are_concatenated() -> None:
    networks = network() + network("g", "A", "B", equal="(equal-to f)")
    networks += network("h", "C", "D", equal="(equal-to f)")
    bounds = " ".join(f"(>= {v}[{i}] {i}) (<= {v}[{i}] 2)" for v in "XAC" for i in (0, 1))
    claim = "(<= (+ Y[1] (* 2 B[0]) (* 3 B[1])) (+ D[1] X[0] (* 4 A[1]) C[0]))"
    prop = read(f"{VERSION}{networks}(assert (and {bounds} {claim}))")
    assert (prop.n_inputs, prop.n_outputs, prop.instances) == (6, 6, 3)
    (polytope,) = prop.polytopes
    assert polytope.lower == (0, 1) * 3
    expected = atom({0: -1, 3: -4, 4: -1}, {1: 1, 2: 2, 3: 3, 5: -1}, 0)
    assert polytope.disjuncts == ((expected,),)


def test_version_one_has_one_instance_and_no_element_type() -> None:
    prop = read("(declare-const X_0 Real)(declare-const Y_0 Real)(assert (<= 0 X_0 1))")
    assert (prop.instances, prop.element) == (1, None)


TENTH, ROUNDED = Fraction(1, 10), Fraction(13421773, 2**27)


@pytest.mark.parametrize(
    ("text", "wide", "narrow"),
    [
        ("(<= Y[0] 0.1)", [atom({}, {0: 1}, -ROUNDED)], [atom({}, {0: 1}, -TENTH)]),
        ("(>= 0.1 Y[0])", [atom({}, {0: 1}, -ROUNDED)], [atom({}, {0: 1}, -TENTH)]),
        ("(< Y[0] 0.1)", [atom({}, {0: 1}, -ROUNDED, True)], [atom({}, {0: 1}, -TENTH, True)]),
        ("(>= Y[0] 0.1)", [atom({}, {0: -1}, TENTH)], [atom({}, {0: -1}, ROUNDED)]),
        ("(> Y[0] 0.1)", [atom({}, {0: -1}, TENTH, True)], [atom({}, {0: -1}, ROUNDED, True)]),
        ("(<= Y[0] (- 0.1))", [atom({}, {0: 1}, TENTH)], [atom({}, {0: 1}, ROUNDED)]),
        ("(<= Y[0] -0.1)", [atom({}, {0: 1}, TENTH)], [atom({}, {0: 1}, ROUNDED)]),
        ("(<= (- Y[0]) 0.1)", [atom({}, {0: -1}, -ROUNDED)], [atom({}, {0: -1}, -TENTH)]),
        (
            "(== Y[0] 0.1)",
            [atom({}, {0: 1}, -ROUNDED), atom({}, {0: -1}, TENTH)],
            [atom({}, {0: 1}, -TENTH), atom({}, {0: -1}, ROUNDED)],
        ),
        (
            "(!= Y[0] 0.1)",
            [atom({}, {0: 1}, -ROUNDED, True), atom({}, {0: -1}, TENTH, True)],
            [atom({}, {0: 1}, -TENTH, True), atom({}, {0: -1}, ROUNDED, True)],
        ),
        ("(<= Y[0] 0.5)", [atom({}, {0: 1}, "-0.5")], [atom({}, {0: 1}, "-0.5")]),
        ("(<= (- Y[0]) X[1])", [atom({1: -1}, {0: -1}, 0)], [atom({1: -1}, {0: -1}, 0)]),
        ("(<= Y[0] 1e-46)", [atom({}, {0: 1}, -Fraction(1, 10**46))], [atom({}, {0: 1}, 0)]),
    ],
)
def test_literals_of_a_float32_query(text: str, wide: list[Atom], narrow: list[Atom]) -> None:
    disjuncts = rows(text, FLOAT32)
    assert [item for disjunct in disjuncts for item in disjunct] == wide
    prop = read(f"{FLOAT32}(assert {text})")
    assert prop.element == "float32"
    # the first four atoms and their connective are the box
    assert [step for step in prop.formula[5:] if isinstance(step, Atom)] == narrow


def test_box_of_a_float32_query_contains_both_readings() -> None:
    text = f"{VERSION}{network(element='float32')}(assert (and {{}}))"
    bounds = "(>= X[0] 0.1) (<= X[0] 0.7) (<= 0.7 X[1]) (> 0.9 X[1])"
    (polytope,) = read(text.format(bounds)).polytopes
    low, high = nearest_float32(Fraction("0.7")), nearest_float32(Fraction("0.9"))
    assert low < Fraction("0.7") and high < Fraction("0.9")
    assert polytope.lower == (TENTH, low) and polytope.upper == (Fraction("0.7"), Fraction("0.9"))


def packed(value: Fraction) -> Fraction:
    """The nearest float32 by way of a double that is exact."""
    assert Fraction(float(value)) == value
    return Fraction(struct.unpack("f", struct.pack("f", float(value)))[0])


def test_rounding_to_float32() -> None:
    source = random.Random(5)
    values = [Fraction(source.randrange(2**28) * 2, 1) * Fraction(2) ** e for e in range(-180, 100)]
    ties = [
        Fraction(2 * k + 1) * Fraction(2) ** e for k in (2**23, 2**23 + 1, 2**24 - 1) for e in (-149, 0, 90)
    ]
    subnormal = [Fraction(k, 2**152) for k in range(64)]
    for value in (*values, *ties, *subnormal, Fraction(2**128 - 2**103 - 2**75)):
        assert nearest_float32(value) == packed(value)
        assert nearest_float32(-value) == -packed(value)
    assert nearest_float32(Fraction(1, 3)) == Fraction(11184811, 2**25)
    assert nearest_float32(Fraction(1, 2**150)) == 0
    assert nearest_float32(Fraction(1, 2**150) + Fraction(1, 10**400)) == Fraction(1, 2**149)


def test_large_float32_literals_below_the_limit() -> None:
    largest = 2**128 - 2**104
    assert rows(f"(<= Y[0] {2**128 - 2**103 - 1})", FLOAT32) == ((atom({}, {0: 1}, 1 + 2**103 - 2**128),),)
    assert rows(f"(>= Y[0] {2**128 - 2**103 - 1})", FLOAT32) == ((atom({}, {0: -1}, largest),),)


# An evaluator of the text that shares nothing with the reader.
Point = Mapping[str, Sequence[Fraction]]
COMPARISONS: dict[str, Callable[[Fraction, Fraction], bool]] = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
    ">": operator.gt,
    "==": operator.eq,
    "!=": operator.ne,
}


def evaluate(text: str, point: Point, literal: Callable[[str], Fraction]) -> bool:
    """Whether the formula holds, for a reading of literals."""
    tokens = re.findall(r"[()]|[^\s()]+", text)[::-1]

    def value() -> object:
        token = tokens.pop()
        if token != "(":
            variable = re.fullmatch(r"(\w)\[(\d)\]", token)
            return point[variable[1]][int(variable[2])] if variable else literal(token)
        head, operands = tokens.pop(), []
        while tokens[-1] != ")":
            operands.append(value())
        tokens.pop()
        if head in ("and", "or"):
            return all(operands) if head == "and" else any(operands)
        if head in COMPARISONS:
            return COMPARISONS[head](*operands)  # type: ignore[arg-type]
        if head == "-" and len(operands) == 1:
            operands.insert(0, Fraction(0))
        operation = {"+": operator.add, "-": operator.sub, "*": operator.mul}[head]
        return reduce(operation, operands)

    return bool(value())


def rounded(token: str) -> Fraction:
    """The float32 a literal of few digits rounds to (no double is near a tie of float32)."""
    return Fraction(struct.unpack("f", struct.pack("f", float(token)))[0])


def contains(polytope: Polytope, x: Sequence[Fraction], y: Sequence[Fraction]) -> bool:
    def true(item: Atom) -> bool:
        value = item.constant + sum(c * x[i] for i, c in item.inputs) + sum(c * y[i] for i, c in item.outputs)
        return value < 0 if item.strict else value <= 0

    box = all(a <= v <= b for a, v, b in zip(polytope.lower, x, polytope.upper, strict=True))
    return box and all(map(true, polytope.constraints)) and any(all(map(true, d)) for d in polytope.disjuncts)


def inside(prop: Property, x: Sequence[Fraction], y: Sequence[Fraction]) -> bool:
    return any(contains(polytope, x, y) for polytope in prop.polytopes)


VARIABLES = [f"{letter}[{i}]" for letter in "XYAB" for i in (0, 1)]
TWICE = "(assert (and " + " ".join(f"(>= {v} 0) (<= {v} 1)" for v in VARIABLES if v[0] in "XA") + "))"


def term(source: random.Random, depth: int) -> str:
    if depth == 0 or source.random() < 0.3:
        return source.choice([*VARIABLES, "0.5", "-1", "+1.5", "1e0"])
    head = source.choice(["+", "-", "*"])
    if head == "*":
        return f"(* {source.choice(['2', '-1', '0'])} {term(source, depth - 1)} (- 1 0.5))"
    return f"({head} {' '.join(term(source, depth - 1) for _ in range(source.randrange(1, 4)))})"


def formula(source: random.Random, depth: int, operand: Callable[[], str]) -> str:
    if depth == 0:
        return f"({source.choice(list(COMPARISONS))} {operand()} {operand()})"
    children = (formula(source, source.randrange(depth), operand) for _ in range(source.randrange(1, 4)))
    return f"({source.choice(['and', 'or'])} {' '.join(children)})"


def test_real_queries_mean_what_an_evaluator_of_the_text_says() -> None:
    source = random.Random(17)
    start = VERSION + network() + network("g", "A", "B", equal="(equal-to f)") + TWICE
    unsafe = {False: 0, True: 0}
    for _ in range(150):
        text = formula(source, 3, lambda: term(source, source.randrange(3)))
        prop = read(f"{start}(assert {text})")
        for trial in range(20):
            # thirds stay off the bounds, which the normal form closes; halves hit them
            steps = [Fraction(k, 2 if trial % 2 else 24) for k in ((0, 1, 2) if trial % 2 else (1, 5, 7, 23))]
            x = [source.choice(steps) for _ in range(4)]
            y = [Fraction(source.randrange(-4, 5), 2) for _ in range(4)]
            point = {"X": x[:2], "A": x[2:], "Y": y[:2], "B": y[2:]}
            expected = evaluate(text, point, Fraction)
            assert violates(prop, x, y) == expected
            found = inside(prop, x, y)
            assert found == expected or (trial % 2 and found)
            unsafe[expected] += 1
    assert min(unsafe.values()) > 500


NEAR = ["0.1", "-0.1", "0.3", "0.7", "16777217", "0.5", "1e-3", "3.3e7"]


def float32_operands(source: random.Random) -> tuple[str, str]:
    """A variable and what it may be compared with, in any order."""
    left, right = source.choice(VARIABLES), source.choice([*NEAR, *VARIABLES])
    pair = [source.choice([text, f"(- {text})"]) for text in (left, right)]
    source.shuffle(pair)
    return pair[0], pair[1]


def near(source: random.Random, text: str) -> Fraction:
    """A float32 at or beside a literal's, preferably one of the text."""
    value = rounded(source.choice([token for token in NEAR if token in text] or NEAR))
    bits = struct.unpack("i", struct.pack("f", float(value)))[0] + source.randrange(-1, 2)
    return source.choice([-1, 1]) * Fraction(struct.unpack("f", struct.pack("i", bits))[0])


def test_float32_queries_lie_between_the_readings() -> None:
    source = random.Random(23)
    bounds = TWICE.replace(" 0)", " -1e8)").replace(" 1)", " 1e8)")
    start = VERSION + network(element="float32") + network("g", "A", "B", "float32", "(equal-to f)") + bounds
    seen = {(False, False): 0, (True, True): 0, (True, False): 0, (False, True): 0}
    for trial in range(200):
        operands: list[str] = []

        def operand(operands: list[str] = operands) -> str:
            if not operands:
                operands.extend(float32_operands(source))
            return operands.pop()

        single = trial % 2 == 0
        text = formula(source, 0 if single else 2, operand)
        prop = read(f"{start}(assert {text})")
        for _ in range(20):
            values = [near(source, text) for _ in range(8)]
            x, y = values[:4], values[4:]
            point = {"X": x[:2], "A": x[2:], "Y": y[:2], "B": y[2:]}
            exact, other = evaluate(text, point, Fraction), evaluate(text, point, rounded)
            found, claimed = inside(prop, x, y), violates(prop, x, y)
            assert found or not (exact or other)
            assert (exact and other) or not claimed
            assert claimed == (exact and other) or not single
            over_outputs = "Y" in text or "B" in text
            # bounds of one input are closed
            assert found == (exact or other) or not (single and over_outputs)
            seen[exact, other] += 1
    assert min(seen.values()) > 20


@pytest.mark.clock
@pytest.mark.parametrize("head", ["and", "or", "+", "-", "*"])
def test_depth_ten_thousand(head: str) -> None:
    depth, a = 10_000, "(<= Y[0] 0)"
    opening = {"and": f"(and {a} ", "or": f"(or {a} ", "+": "(+ 1 ", "-": "(- 1 ", "*": "(* -1 "}[head]
    nested = opening * depth + (a if head in ("and", "or") else "Y[0]") + ")" * depth
    found = rows(nested if head in ("and", "or") else f"(<= {nested} 0)")
    constant = {"+": depth, "-": 0, "*": 0}.get(head, 0)
    assert found == ((atom({}, {0: 1}, constant),),)


WIDE = 2000
FORMS = {
    "flat sum": "(+ " + " ".join(f"X[{i}]" for i in range(WIDE)) + ")",
    "flat difference": "(- 0 " + " ".join(f"X[{i}]" for i in range(WIDE)) + ")",
    "right": "".join(f"(+ X[{i}] " for i in range(WIDE)) + "1" + ")" * WIDE,
    "left": "(+ " * WIDE + "1" + "".join(f" X[{i}])" for i in range(WIDE)),
    "signs": "".join(f"(- X[{i}] (* 2 (* 0.5 " for i in range(WIDE)) + "1" + ")))" * WIDE,
}


@pytest.mark.parametrize("name", FORMS)
def test_sums_take_steps_in_proportion_to_their_length(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 0
    sized = TermReader._sized

    def counted(reader: TermReader, number: Fraction, factor: int = 1) -> Fraction:
        nonlocal steps
        steps += 1
        return sized(reader, number, factor)

    monkeypatch.setattr(TermReader, "_sized", counted)
    text = f"{VERSION}(declare-network f (declare-input X real [{WIDE}])(declare-output Y real []))"
    bounds = " ".join(f"(>= X[{i}] 0) (<= X[{i}] 1)" for i in range(WIDE))
    ones = read(f"{text}(assert (and {bounds}))")
    before, steps = steps, 0
    prop = read(f"{text}(assert (and {bounds}))(assert (<= Y {FORMS[name]}))")
    assert steps - before < 20 * WIDE
    ((row,),) = prop.polytopes[0].disjuncts
    signs = {"flat difference": [1] * WIDE, "signs": [(-1) ** (i + 1) for i in range(WIDE)]}
    assert [c for _, c in row.inputs] == signs.get(name, [-1] * WIDE)
    assert ones.polytopes[0].lower == prop.polytopes[0].lower


def test_sums_of_scaled_terms_are_exact() -> None:
    """What is merged into a scaled sum is divided by its scale."""
    reader, source = TermReader(), random.Random(29)
    for _ in range(200):
        total, expected = Linear({}, Fraction(0)), [Fraction(0)] * 5
        for _ in range(source.randrange(1, 12)):
            factor, other = Fraction(source.randrange(-3, 4), source.randrange(1, 4)), source.randrange(4)
            added = [Fraction(source.randrange(-2, 3)) for _ in range(5)]
            terms = {("X", i): c for i, c in enumerate(added[:4]) if c and i <= other}
            values = [added[i] if i <= other else Fraction(0) for i in range(4)] + [added[4]]
            scaled = reader.arithmetic("*", [Linear({}, factor), total])
            total = reader.arithmetic("-", [Linear(terms, added[4]), scaled])
            expected = [v - factor * e for v, e in zip(values, expected, strict=True)]
        form = reader.difference(total, Linear({}, Fraction(0)))
        assert [form.terms.get(("X", i), 0) for i in range(4)] + [form.constant] == expected
        assert all(form.terms.values()) and form.scale == 1


def test_equal_queries_give_equal_data() -> None:
    first, second = read(SAMPLE.format(*["real"] * 4)), read(SAMPLE.format(*["real"] * 4).replace("g", "h"))
    assert first == second and hash(first) == hash(second)
    assert first != read(SAMPLE.format(*["float32"] * 4))


def test_a_point_is_of_the_input_set_only_under_both_readings() -> None:
    """0.1 is below its float32: between the two, the box to be proved safe holds more than the set."""
    prop = read(f"{VERSION}{network(element='float32')}(assert (and (>= X[0] 0) (<= X[0] 0.1) (== X[1] 0)))")
    (polytope,) = prop.polytopes
    assert polytope.upper == (ROUNDED, 0)
    below = ROUNDED - Fraction(1, 2**27)
    assert violates(prop, [below, Fraction(0)], None)
    assert not violates(prop, [ROUNDED, Fraction(0)], None)
