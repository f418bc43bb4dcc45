"""The rules of a certificate's tree (format page, section 5), independent of the arithmetic that bounds."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol

from hybrid_ai.checker.decode import (
    CUT_DENOMINATOR,
    TIGHTEN_ALL,
    Close,
    Closing,
    Cut,
    Leaf,
    Reader,
    Scope,
    Slopes,
    Split,
    SplitForm,
    Tighten,
)
from hybrid_ai.checker.grid import Box, Grid, make_grid
from hybrid_ai.checker.rejected import Rejected
from hybrid_ai.checker.vnnlib_reader import Atom, Polytope

MAX_DEPTH = 2_000
WINDOW = 4096
WINDOW_WORKS = 100_000
MAX_WORKS = 1_000_000
BATCH = 256


@dataclass(frozen=True, eq=False)
class Form:
    """A linear form over inputs, outputs and neurons' pre-activations; <= 0 (or < 0) on unsafe points."""

    inputs: dict[int, Fraction]
    outputs: dict[int, Fraction]
    neurons: dict[int, Fraction]
    constant: Fraction
    strict: bool


@dataclass(frozen=True)
class TightenWork:
    """Bounds of the named neurons (None: all) to recompute on a box, with lower slopes in 128ths."""

    box: Box
    step: Tighten


@dataclass(frozen=True)
class CloseWork:
    """A form to show positive (non-negative when strict) on a box; `byte` is where the step begins."""

    box: Box
    form: Form
    slopes: Slopes
    byte: int


_Work = TightenWork | CloseWork


class Engine(Protocol):
    """What bounds: neuron bounds of a node are an opaque state that only the engine reads."""

    def root(self) -> Any:
        """State without any bound."""

    def tighten(self, works: list[tuple[Any, TightenWork]]) -> list[Any]:
        """States after TIGHTEN, section 6."""

    def hold(self, works: list[tuple[Any, CloseWork]]) -> list[bool]:
        """Whether each closing was shown; False never claims anything."""

    def restrict(self, state: Any, neuron: int, at: Fraction, upper: bool) -> Any:
        """State with `at` as one more upper (or lower) bound of a neuron."""


@dataclass
class _Node:
    number: int
    depth: int
    parent: "_Node | None"
    upper_child: bool
    box: Box
    open: tuple[int, ...]
    assumptions: tuple[Form, ...]
    level: int = 0
    works: list[_Work] = field(default_factory=list)
    split: Split | SplitForm | None = None
    state: Any = None


@dataclass(frozen=True)
class Tally:
    """Nodes and leaves of a tree; `used_rows` is False when no closing needed a row of a disjunct."""

    nodes: int
    leaves: int
    used_rows: bool


def check_tree(
    reader: Reader, tighten_first: bool, polytope: Polytope, neurons: int, engine: Engine
) -> Tally:
    """Judge one tree; its polytope is not empty.

    Args:
        reader: the bytes of this tree.
        tighten_first: flag 1 of the header.
        polytope: input polytope and disjuncts to exclude.
        neurons: number of neurons of the network.
        engine: bounds over this polytope's grid.

    Raises:
        Rejected: naming the rule, the tree, the node and the byte.

    Sound because: on every node each disjunct was closed on it or above, or is closed by the leaf; cuts take
    off only slabs on which all open disjuncts are closed; the children of a split cover their parent
    (docs/theory/rule-leaf-and-tree.md).
    """
    walk = _Walk(reader, tighten_first, polytope, neurons)
    for window in _windows(walk.nodes()):
        first = window[0].number
        levels: list[list[_Node]] = []
        for node in window:
            if node.parent is not None and node.parent.number >= first:
                node.level = node.parent.level + 1
            if node.level == len(levels):
                levels.append([])
            levels[node.level].append(node)
        for level in levels:
            for start in range(0, len(level), BATCH):
                _judge(level[start : start + BATCH], engine, walk.context)
    if reader.position != reader.end:
        raise Rejected(
            "tree-length", reader.context, f"{reader.end - reader.position} bytes after the last node"
        )
    return Tally(walk.count, walk.leaves, walk.used_rows)


def _windows(nodes: Iterator[_Node]) -> Iterator[list[_Node]]:
    """Consecutive nodes in lists that fit into memory, whatever the tree."""
    window: list[_Node] = []
    works = 0
    for node in nodes:
        window.append(node)
        works += len(node.works)
        if len(window) >= WINDOW or works >= WINDOW_WORKS:
            yield window
            window, works = [], 0
    if window:
        yield window


def _judge(batch: list[_Node], engine: Engine, tree: str) -> None:
    """Run the works of nodes whose parents were judged: alternately one TIGHTEN each, then the closings."""
    for node in batch:
        node.state = _inherited(node, engine)
        node.parent = None
    pending = [(node, works, next(works, None)) for node in batch for works in (iter(node.works),)]
    while pending:
        tighten = [(node, work) for node, _, work in pending if isinstance(work, TightenWork)]
        states = engine.tighten([(node.state, work) for node, work in tighten])
        for (node, _), state in zip(tighten, states, strict=True):
            node.state = state
        closings: list[tuple[_Node, CloseWork]] = []
        later: list[tuple[_Node, Iterator[_Work], _Work | None]] = []
        for node, works, work in pending:
            work = next(works, None) if isinstance(work, TightenWork) else work
            while isinstance(work, CloseWork):
                closings.append((node, work))
                work = next(works, None)
            if work is not None:
                later.append((node, works, work))
        held = engine.hold([(node.state, work) for node, work in closings])
        for (node, work), holds in zip(closings, held, strict=True):
            if not holds:
                raise Rejected(
                    "closing",
                    f"{tree}, node {node.number}, byte 0x{work.byte:x}",
                    "the closing was not shown to hold",
                )
        pending = later
    for node in batch:
        if node.split is None:
            node.state = None


def _inherited(node: _Node, engine: Engine) -> Any:
    if node.parent is None:
        return engine.root()
    split, state = node.parent.split, node.parent.state
    if isinstance(split, SplitForm) and split.minus is None:
        return engine.restrict(state, split.neuron, split.at, not node.upper_child)
    return state


class _Walk:
    """Reads the nodes of a tree in preorder and checks everything that needs no bounds."""

    def __init__(self, reader: Reader, tighten_first: bool, polytope: Polytope, neurons: int) -> None:
        self.reader, self.context, self.tighten_first = reader, reader.context, tighten_first
        self.grid: Grid = make_grid(polytope.lower, polytope.upper)
        self.rows = [[_atom_form(atom) for atom in disjunct] for disjunct in polytope.disjuncts]
        self.constraints = [_atom_form(atom) for atom in polytope.constraints]
        counts = tuple(len(rows) for rows in self.rows)
        self.scope = Scope(len(self.grid.exponents), neurons, counts, len(self.constraints))
        self.count = self.leaves = 0
        self.used_rows = False

    def nodes(self) -> Iterator[_Node]:
        """Nodes in preorder, first child first; stops after the last node of the tree."""
        stack = [_Node(0, 0, None, False, self.grid.root(), tuple(range(len(self.rows))), ())]
        while stack:
            node = stack.pop()
            node.number = self.count
            self.count += 1
            self.reader.context = f"{self.context}, node {node.number}"
            self._read(node)
            if node.split is not None:
                if node.depth == MAX_DEPTH:
                    raise self.reader.fail("depth", f"the tree is deeper than {MAX_DEPTH}")
                stack.extend(reversed(self._children(node, node.split)))
            else:
                self.leaves += 1
            yield node
        self.reader.context = self.context

    def _read(self, node: _Node) -> None:
        """Steps of one node: fills its works, box, open disjuncts and split."""
        if self.tighten_first:
            node.works.append(TightenWork(node.box, TIGHTEN_ALL))
        left = dict.fromkeys(node.open)
        while True:
            step = self.reader.step(left, len(node.assumptions), self.scope)
            if len(node.works) > MAX_WORKS:
                raise self.reader.fail("steps", f"more than {MAX_WORKS} bounds are asked for in one node")
            if isinstance(step, Tighten):
                node.works.append(TightenWork(node.box, step))
            elif isinstance(step, Close):
                if step.disjunct not in left:
                    raise self.reader.fail("open", f"disjunct {step.disjunct} is already closed")
                self._close(node, node.box, (step.disjunct,), (step.closing,))
                del left[step.disjunct]
            elif isinstance(step, Cut):
                kept, slab = self._cut(node.box, step)
                self._close(node, slab, left, step.closings)
                node.box = kept
            elif isinstance(step, Leaf):
                self._close(node, node.box, left, step.closings)
                return
            else:
                node.split, node.open = step, tuple(left)
                return

    def _close(
        self, node: _Node, box: Box, disjuncts: Collection[int], closings: tuple[Closing, ...]
    ) -> None:
        for disjunct, closing in zip(disjuncts, closings, strict=True):
            self.used_rows = self.used_rows or bool(closing.rows)
            form = self._form(disjunct, closing, node.assumptions)
            node.works.append(CloseWork(box, form, closing.slopes, self.reader.step_start))

    def _form(self, disjunct: int, closing: Closing, assumptions: tuple[Form, ...]) -> Form:
        """The multiplied sum F of a closing; a lone row stands for any positive multiple of itself."""
        rows = self.rows[disjunct]
        if not closing.constraints and not closing.assumptions and len(closing.rows) == 1:
            return rows[closing.rows[0][0]]
        parts = [(rows[i], factor) for i, factor in closing.rows]
        parts += [(self.constraints[i], factor) for i, factor in closing.constraints]
        parts += [(assumptions[i], factor) for i, factor in closing.assumptions]
        return _multiplied_sum(parts)

    def _splittable(self, axis: int, rule: str) -> None:
        if self.grid.exponents[axis] is None:
            raise self.reader.fail(rule, f"axis {axis} is pinned")

    def _cut(self, box: Box, cut: Cut) -> tuple[Box, Box]:
        """The kept box and the slab of a CUT."""
        self._splittable(cut.axis, "cut")
        a, b = box[cut.axis]
        kept = -(-cut.q * (b - a) // CUT_DENOMINATOR)
        if kept >= b - a:
            raise self.reader.fail("cut", f"the kept part of axis {cut.axis} is not smaller")
        if cut.side == 1:
            return _with_axis(box, cut.axis, a, a + kept), _with_axis(box, cut.axis, a + kept, b)
        return _with_axis(box, cut.axis, b - kept, b), _with_axis(box, cut.axis, a, b - kept)

    def _children(self, node: _Node, split: Split | SplitForm) -> tuple[_Node, _Node]:
        boxes = (node.box, node.box)
        extra: tuple[tuple[Form, ...], tuple[Form, ...]] = ((), ())
        if isinstance(split, Split):
            boxes = self._halves(node.box, split)
        else:
            extra = self._assumptions(split)
        first, second = (
            _Node(
                0, node.depth + 1, node, child == 1, boxes[child], node.open, node.assumptions + extra[child]
            )
            for child in (0, 1)
        )
        return first, second

    def _halves(self, box: Box, split: Split) -> tuple[Box, Box]:
        self._splittable(split.axis, "split-axis")
        a, b = box[split.axis]
        middle = (a + b) // 2 if split.at is None else split.at
        if not a < middle < b:
            raise self.reader.fail("split-axis", f"the split point of axis {split.axis} is not inside")
        return _with_axis(box, split.axis, a, middle), _with_axis(box, split.axis, middle, b)

    def _assumptions(self, split: SplitForm) -> tuple[tuple[Form], tuple[Form]]:
        """The forms that are <= 0 in the first and in the second child."""
        neurons = {split.neuron: Fraction(1)}
        if split.minus is not None:
            if split.minus == split.neuron:
                raise self.reader.fail("split-difference", f"neuron {split.neuron} is split against itself")
            neurons[split.minus] = Fraction(-1)
        first = Form({}, {}, neurons, -split.at, False)
        return (first,), (_multiplied_sum([(first, Fraction(-1))]),)


def _with_axis(box: Box, axis: int, a: int, b: int) -> Box:
    return box[:axis] + ((a, b),) + box[axis + 1 :]


def _atom_form(atom: Atom) -> Form:
    return Form(dict(atom.inputs), dict(atom.outputs), {}, atom.constant, atom.strict)


def _multiplied_sum(parts: list[tuple[Form, Fraction]]) -> Form:
    """Sum of factor times form, without zero coefficients; strict when one of the forms is."""
    inputs: dict[int, Fraction] = {}
    outputs: dict[int, Fraction] = {}
    neurons: dict[int, Fraction] = {}
    constant = Fraction(0)
    for form, factor in parts:
        for target, source in ((inputs, form.inputs), (outputs, form.outputs), (neurons, form.neurons)):
            for index, value in source.items():
                target[index] = target.get(index, Fraction(0)) + factor * value
        constant += factor * form.constant
    inputs, outputs, neurons = ({i: v for i, v in d.items() if v} for d in (inputs, outputs, neurons))
    return Form(inputs, outputs, neurons, constant, any(form.strict for form, _ in parts))
