"""Certificates read back to what was written; every defect is told with its offset."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_ai.certificate import (
    CertificateError,
    Close,
    Closing,
    Combination,
    Cut,
    Header,
    Leaf,
    PlacedStep,
    Row,
    Split,
    SplitDifference,
    SplitNeuron,
    Step,
    Tighten,
    decode_certificate,
    decode_header,
    encode_certificate,
    encode_step,
)
from hybrid_ai.checker import decode as checker

HEADER = Header(bytes(range(32)), bytes(range(32, 64)))
START = 75

small = st.integers(0, 300)
large = st.integers(1, 2**200)
multipliers = st.dictionaries(small, st.builds(Fraction, large, large), max_size=4).map(
    lambda d: tuple(sorted(d.items()))
)
slopes = st.dictionaries(small, st.integers(0, 128), max_size=4).map(lambda d: tuple(sorted(d.items())))
combinations = st.builds(Combination, multipliers, multipliers, multipliers, slopes).filter(
    lambda c: bool(c.rows or c.constraints or c.assumptions)
)


def closings(rows: int) -> st.SearchStrategy[Closing]:
    return st.one_of(combinations, st.builds(Row, st.integers(0, rows - 1))) if rows else combinations


named = st.sets(small, min_size=1, max_size=4).map(lambda s: tuple(sorted(s)))
dyadic = st.tuples(st.integers(-(2**70), 2**70), st.integers(0, 1000))
splits = st.one_of(
    st.builds(Split, st.integers(0, 62)),
    st.builds(Split, small, st.integers(-(2**60), 2**60)),
    st.builds(lambda n, t: SplitNeuron(n, *t), small, dyadic),
    st.builds(lambda a, b, t: SplitDifference(a, b, *t), small, small, dyadic),
)


@st.composite
def trees(draw: st.DrawFn) -> tuple[list[int], list[PlacedStep]]:
    """Rows of each disjunct and the steps of a tree of a few nodes (offsets are left at 0)."""
    rows = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    steps: list[PlacedStep] = []
    pending = [(0, tuple(range(len(rows))))]
    nodes = 0
    while pending:
        depth, opened = pending.pop()
        nodes += 1
        for kind in draw(st.lists(st.sampled_from(["tighten", "cut", "close"]), max_size=3)):
            step: Step
            if kind == "tighten":
                step = draw(st.one_of(st.just(Tighten()), st.builds(Tighten, named, slopes)))
            elif kind == "cut":
                held = tuple(draw(closings(rows[d])) for d in opened)
                step = Cut(draw(small), draw(st.integers(0, 1)), draw(st.integers(1, 63)), held)
            elif opened:
                disjunct = draw(st.sampled_from(opened))
                step = Close(disjunct, draw(closings(rows[disjunct])))
            else:
                continue
            steps.append(PlacedStep(step, 0, depth, opened))
            if isinstance(step, Close):
                opened = tuple(d for d in opened if d != step.disjunct)
        if nodes < 6 and draw(st.booleans()):
            steps.append(PlacedStep(draw(splits), 0, depth, opened))
            pending += [(depth + 1, opened)] * 2
        else:
            steps.append(PlacedStep(Leaf(tuple(draw(closings(rows[d])) for d in opened)), 0, depth, opened))
    return rows, steps


def encoded(rows: list[int], steps: list[PlacedStep]) -> bytes:
    return b"".join(encode_step(s.step, rows, s.open_disjuncts) for s in steps)


@settings(max_examples=30)
@given(st.lists(trees(), max_size=2), st.booleans())
def test_what_is_written_is_read_back(drawn: list[tuple[list[int], list[PlacedStep]]], flag: bool) -> None:
    header = Header(HEADER.model_sha256, HEADER.property_sha256, "real", flag)
    data = encode_certificate(header, [encoded(*tree) for tree in drawn])
    read_header, read = decode_certificate(data, [rows for rows, _ in drawn])
    assert read_header == header == decode_header(data)
    assert [[(s.step, s.depth, s.open_disjuncts) for s in tree] for tree in read] == [
        [(s.step, s.depth, s.open_disjuncts) for s in steps] for _, steps in drawn
    ]
    assert all(data[s.offset] in range(0x55) for tree in read for s in tree)


@settings(max_examples=60)
@given(trees(), st.data())
def test_damaged_bytes_are_refused_or_read(
    drawn: tuple[list[int], list[PlacedStep]], data: st.DataObject
) -> None:
    """Whatever the bytes: an error with an offset in the file, or steps that write the same."""
    rows, steps = drawn
    whole = bytearray(encode_certificate(HEADER, [encoded(rows, steps)]))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        header, (tree,) = decode_certificate(damaged, [rows])
    except CertificateError as error:
        assert 0 <= error.offset <= len(damaged)
        assert f"0x{error.offset:x}" in str(error)
        return
    assert encode_certificate(header, [encoded(rows, list(tree))]) == damaged


def _certificate(tree: bytes) -> bytes:
    return encode_certificate(HEADER, [tree])


LEAF = b"\x50\x00"
REFUSED = {
    "magic": (b"HYBRAICX" + bytes(80), 0),
    "truncated header": (b"HYBRAICE\x01\x01", 8),
    "version": (b"HYBRAICE\x02\x01\x01" + bytes(70), 8),
    "arithmetic": (b"HYBRAICE\x01\x04\x01" + bytes(70), 9),
    "flags": (b"HYBRAICE\x01\x01\x02" + bytes(70), 10),
    "number of trees": (encode_certificate(HEADER, [LEAF, LEAF]), START),
    "after the last tree": (_certificate(LEAF) + b"\x00", START + 4),
    "after the last node": (_certificate(LEAF + LEAF), START + 4),
    "reserved": (_certificate(b"\x42"), START + 2),
    "row": (_certificate(b"\x50\x02"), START + 3),
    "no multiplier": (_certificate(b"\x50\x01\x00\x00\x00\x00"), START + 3),
    "zero multiplier": (_certificate(b"\x50\x01\x01\x00\x00\x01\x00\x00\x00"), START + 6),
    "order": (_certificate(b"\x50\x01\x02\x01\x01\x01\x01\x01\x01\x00\x00\x00"), START + 8),
    "slope": (_certificate(b"\x50\x01\x01\x00\x01\x01\x00\x00\x01\x00\x81"), START + 12),
    "not minimal": (_certificate(b"\x50\x80\x00"), START + 3),
    "cut of nothing": (_certificate(b"\x52\x00\x00\x00"), START + 4),
    "cut of all": (_certificate(b"\x52\x00\x40\x00"), START + 4),
    "tighten nothing": (_certificate(b"\x54\x00\x00"), START + 3),
    "tighten twice": (_certificate(b"\x54\x02\x00\x00\x00"), START + 5),
    "close what is closed": (_certificate(b"\x51\x00\x00\x51\x00\x00"), START + 6),
    "exponent": (_certificate(b"\x40\x00\x00\xe9\x07"), START + 5),
    "no last step": (_certificate(b"\x53"), START + 3),
    "tree length": (encode_certificate(HEADER, [])[:-1] + b"\x01\x7f\x50\x00", START + 2),
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_defects_are_told_with_their_offset(name: str) -> None:
    data, offset = REFUSED[name]
    with pytest.raises(CertificateError) as caught:
        decode_certificate(data, [[1]])
    assert caught.value.offset == offset


def test_a_tree_deeper_than_the_recursion_limit_is_read() -> None:
    tree = b"\x00" * 5000 + LEAF * 5001
    _, ((*_, last),) = decode_certificate(_certificate(tree), [[1]])
    assert last.depth == 1
    assert last.offset == len(_certificate(tree)) - 2


def test_the_checker_reads_the_same_steps() -> None:
    """Two readers, written apart, agree on a certificate with every kind of step."""
    rows = (2, 1)
    both = (Row(1), Combination(((0, Fraction(2, 3)),), ((0, Fraction(5)),), (), ((0, 128), (3, 7))))
    steps: list[Step] = [
        Tighten((1, 3), ((1, 64),)), Cut(1, 0, 17, both), SplitNeuron(2, -5, 3), SplitDifference(1, 2, 1, 0),
        Split(1, -77), Split(0), Leaf(both),
    ]  # fmt: skip
    data = b"".join(encode_step(step, rows, (0, 1)) for step in steps)
    reader = checker.Reader(data, 0, len(data), "tree 0")
    scope = checker.Scope(axes=2, neurons=4, rows=rows, constraints=1)
    seen = [reader.step((0, 1), 2, scope) for _ in steps]
    assert reader.position == len(data)
    assert seen[0] == checker.Tighten(frozenset((1, 3)), ((1, 64),))
    closing = checker.Closing(both[1].rows, both[1].constraints, (), both[1].slopes)
    first = checker.Closing(((1, Fraction(1)),), (), (), ())
    assert seen[1] == checker.Cut(1, 0, 17, (first, closing))
    assert seen[2:] == [
        checker.SplitForm(2, None, Fraction(-5, 8)), checker.SplitForm(1, 2, Fraction(1)),
        checker.Split(1, -77), checker.Split(0, None), checker.Leaf((first, closing)),
    ]  # fmt: skip
