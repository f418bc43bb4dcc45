"""The tree of decisions that the search records, and its translation into certificate steps."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from hybrid_ai.bounds.flat import FlatNetwork
from hybrid_ai.certificate import (
    Close,
    Closing,
    Combination,
    Cut,
    Leaf,
    Row,
    Split,
    SplitNeuron,
    Step,
    Tighten,
    encode_step,
)
from hybrid_ai.search.compiled.records import (
    BY_PAIR,
    BY_ROW,
    LOG_CLOSE,
    LOG_CUT,
    LOG_LEAF,
    LOG_TIGHTEN,
    PAIR_WEIGHTS,
)
from hybrid_ai.search.phases import PhaseTree
from hybrid_ai.search.problem import Problem


@dataclass(eq=False)
class Tree:
    """Logs, splits and children of the nodes of one polytope's tree; node 0 is the root.

    What was found by phases, or by hints at the root, is steps already and follows what stands in the logs.
    """

    logs: list[np.ndarray] = field(default_factory=list)
    splits: list[Split | SplitNeuron | None] = field(default_factory=list)
    children: list[tuple[int, int]] = field(default_factory=list)
    steps: dict[int, list[Step]] = field(default_factory=dict)

    def new_node(self) -> int:
        """Add a node that is still to be processed and return its number."""
        self.logs.append(np.empty(0, np.int32))
        self.splits.append(None)
        self.children.append((-1, -1))
        return len(self.logs) - 1

    def graft(self, number: int, phases: PhaseTree, flat: FlatNetwork) -> int:
        """Put a finished subtree below a node's own steps; returns its number of leaves."""
        self.steps[number] = [Tighten()]
        stack = [(number, phases)]
        leaves = 0
        while stack:
            node, tree = stack.pop()
            if tree.leaf is not None:
                self.steps.setdefault(node, []).append(tree.leaf)
                leaves += 1
            elif tree.off is not None and tree.on is not None:
                self.splits[node] = SplitNeuron(int(flat.neuron[tree.position]))
                self.children[node] = (self.new_node(), self.new_node())
                stack += zip(self.children[node], (tree.off, tree.on), strict=True)
        return leaves


class _LogReader:
    """Reads one node's log as certificate steps."""

    def __init__(self, problem: Problem, flat: FlatNetwork, log: np.ndarray) -> None:
        self._log = log.tolist()
        self._starts = problem.spec.row_start.tolist()
        self._own = problem.own_rows
        self._neuron = flat.neuron
        self._at = 0

    def _take(self) -> int:
        self._at += 1
        return int(self._log[self._at - 1])

    def _combination(
        self, disjunct: int, weights: Sequence[tuple[int, int]], slopes: tuple[tuple[int, int], ...]
    ) -> Combination:
        rows, constraints = [], []
        for row, weight in weights:
            local = row - self._starts[disjunct]
            if local < self._own[disjunct]:
                rows.append((local, Fraction(weight)))
            else:
                constraints.append((local - self._own[disjunct], Fraction(weight)))
        return Combination(tuple(rows), tuple(constraints), (), slopes)

    def _row(self, disjunct: int, row: int) -> Closing:
        local = row - self._starts[disjunct]
        return Row(local) if local < self._own[disjunct] else self._combination(disjunct, [(row, 1)], ())

    def _closing(self) -> tuple[int, Closing]:
        disjunct, kind = self._take(), self._take()
        if kind == BY_ROW:
            return disjunct, self._row(disjunct, self._take())
        if kind == BY_PAIR:
            first, second, weight = self._take(), self._take(), self._take()
            return disjunct, self._combination(
                disjunct, [(first, weight), (second, PAIR_WEIGHTS - weight)], ()
            )
        row, count = self._take(), self._take()
        slopes = tuple((int(self._neuron[self._take()]), self._take()) for _ in range(count))
        return disjunct, self._combination(disjunct, [(row, 1)], slopes)

    def steps(self, open_disjuncts: list[int]) -> list[tuple[Step, list[int]]]:
        """Steps of the node, each with the disjuncts open before it; ``open_disjuncts`` is updated."""
        out: list[tuple[Step, list[int]]] = []
        while self._at < len(self._log):
            kind = self._take()
            if kind == LOG_TIGHTEN:
                out.append((Tighten(), list(open_disjuncts)))
            elif kind == LOG_CUT:
                axis, side, kept = self._take(), self._take(), self._take()
                closings = tuple(self._row(d, self._take()) for d in open_disjuncts)
                out.append((Cut(axis, side, kept, closings), list(open_disjuncts)))
            elif kind == LOG_CLOSE:
                end = self._take() + self._at
                while self._at < end:
                    disjunct, closing = self._closing()
                    out.append((Close(disjunct, closing), list(open_disjuncts)))
                    open_disjuncts.remove(disjunct)
            elif kind == LOG_LEAF:
                found = dict(self._closing() for _ in open_disjuncts)
                out.append((Leaf(tuple(found[d] for d in open_disjuncts)), list(open_disjuncts)))
        return out


def root_tree(steps: Sequence[Step]) -> Tree:
    """The finished tree of a root alone."""
    tree = Tree()
    tree.steps[tree.new_node()] = list(steps)
    return tree


def log_steps(problem: Problem, flat: FlatNetwork, log: np.ndarray, is_open: np.ndarray) -> list[Step]:
    """The steps of one node's log, whose open disjuncts before it are given, (D,)."""
    open_disjuncts = [int(d) for d in np.flatnonzero(is_open)]
    return [step for step, _ in _LogReader(problem, flat, log).steps(open_disjuncts)]


def encode_tree(problem: Problem, flat: FlatNetwork, tree: Tree) -> bytes:
    """Nodes of a finished tree in preorder, as the certificate holds them."""
    out = bytearray()
    stack = [(0, list(range(len(problem.own_rows))))]
    while stack:
        node, open_disjuncts = stack.pop()
        for step, before in _LogReader(problem, flat, tree.logs[node]).steps(open_disjuncts):
            out += encode_step(step, problem.own_rows, before)
        for step in tree.steps.get(node, ()):
            out += encode_step(step, problem.own_rows, open_disjuncts)
            if isinstance(step, Close):
                open_disjuncts.remove(step.disjunct)
        split = tree.splits[node]
        if split is not None:
            out += encode_step(split, problem.own_rows, open_disjuncts)
            first, second = tree.children[node]
            stack.append((second, list(open_disjuncts)))
            stack.append((first, open_disjuncts))
    return bytes(out)
