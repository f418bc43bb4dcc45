"""Open a node of a finished tree again, because the checker did not see that it closes."""

from dataclasses import dataclass, replace

import numpy as np

from hybrid_ai.bounds.flat import FlatNetwork
from hybrid_ai.certificate import Close, Cut, Split, Tighten
from hybrid_ai.search.problem import Problem
from hybrid_ai.search.tree import Tree, log_steps

CUT_GRID = 64


@dataclass(frozen=True, eq=False)
class Place:
    """Where a node stands: its number, box in grid coordinates, open disjuncts and phases assumed."""

    number: int
    first: np.ndarray
    last: np.ndarray
    is_open: np.ndarray
    assumptions: tuple[tuple[int, bool], ...]


def _path(tree: Tree, preorder: int) -> list[tuple[int, int]]:
    """Numbers of the nodes from the root to the node with a preorder number, each with the child taken."""
    stack: list[tuple[int, tuple[tuple[int, int], ...]]] = [(0, ())]
    for _ in range(preorder):
        number, above = stack.pop()
        children = tree.children[number]
        if children[0] >= 0:
            stack += [(children[k], (*above, (number, k))) for k in (1, 0)]
    number, above = stack.pop()
    return [*above, (number, -1)]


def _cut(first: np.ndarray, last: np.ndarray, cut: Cut) -> None:
    width = int(last[cut.axis] - first[cut.axis])
    kept = -(-cut.kept * width // CUT_GRID)
    if cut.side == 1:
        last[cut.axis] = first[cut.axis] + kept
    else:
        first[cut.axis] = last[cut.axis] - kept


def find(problem: Problem, flat: FlatNetwork, tree: Tree, preorder: int) -> Place:
    """The node with a preorder number as the checker counts them; its own steps are left out.

    Raises:
        IndexError: there is no such node.
    """
    place = Place(0, problem.first.copy(), problem.last.copy(), np.ones(len(problem.own_rows), np.bool_), ())
    for number, child in _path(tree, preorder):
        place = replace(place, number=number)
        if child < 0:
            break
        first, last, is_open = place.first.copy(), place.last.copy(), place.is_open.copy()
        for step in log_steps(problem, flat, tree.logs[number], is_open):
            if isinstance(step, Cut):
                _cut(first, last, step)
            elif isinstance(step, Close):
                is_open[step.disjunct] = False
            elif not isinstance(step, Tighten):
                raise AssertionError("a node above another has no leaf")
        assumptions, split = place.assumptions, tree.splits[number]
        if isinstance(split, Split):
            middle = (int(first[split.axis]) + int(last[split.axis])) >> 1
            (last if child == 0 else first)[split.axis] = middle
        elif split is not None:
            position = int(np.flatnonzero(flat.neuron == split.neuron)[0])
            assumptions = (*assumptions, (position, child == 1))
        place = Place(number, first, last, is_open, assumptions)
    return place


def clear(tree: Tree, number: int) -> None:
    """Take what is known of a node and below it out of the tree."""
    tree.logs[number] = np.empty(0, np.int32)
    tree.splits[number] = None
    tree.children[number] = (-1, -1)
    tree.steps.pop(number, None)


def leaves(tree: Tree) -> int:
    """Leaves below the root."""
    count, stack = 0, [0]
    while stack:
        children = tree.children[stack.pop()]
        if children[0] < 0:
            count += 1
        else:
            stack += children
    return count
