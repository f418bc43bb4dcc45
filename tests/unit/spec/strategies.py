"""Random small formulas over two inputs and two outputs."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import strategies as st

from hybrid_ai.spec import And, Atom, Formula, Or

_numbers = st.one_of(
    st.integers(-3, 3).map(Fraction),
    st.builds(Fraction, st.integers(-7, 7), st.sampled_from([2, 3, 8, 10, 7])),
)


def _terms() -> st.SearchStrategy[tuple[tuple[int, Fraction], ...]]:
    pair = st.tuples(_numbers, _numbers)
    return pair.map(lambda values: tuple((i, value) for i, value in enumerate(values) if value != 0))


def atoms() -> st.SearchStrategy[Atom]:
    """Atoms of every kind: bounds, input constraints, rows, constants."""
    terms = st.one_of(st.just(()), _terms())
    return st.builds(Atom, terms, terms, _numbers, st.booleans())


def formulas() -> st.SearchStrategy[Formula]:
    """Formulas, not flattened: single children and empty And and Or occur."""

    def larger(children: st.SearchStrategy[Formula]) -> st.SearchStrategy[Formula]:
        several = st.lists(children, max_size=3).map(tuple)
        return st.one_of(st.builds(And, several), st.builds(Or, several))

    base: st.SearchStrategy[Formula] = atoms()
    return st.recursive(base, larger, max_leaves=8)
