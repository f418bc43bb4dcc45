"""Properties as frozen data: a Boolean combination of linear atoms that describes the unsafe set."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from .errors import SpecError, UnsupportedSpec
from .literals import is_bounded

# Recursive functions over a formula are safe below this depth.
MAX_DEPTH = 100

Terms = tuple[tuple[int, Fraction], ...]


@dataclass(frozen=True, slots=True)
class Atom:
    """A linear inequality: inputs . X + outputs . Y + constant <= 0, or < 0 when strict.

    Arguments: inputs, outputs: pairs (index, coefficient), indices ascending, no coefficient zero;
    constant: exact; strict: whether equality is excluded; line: where the file states it, not compared.
    """

    inputs: Terms
    outputs: Terms
    constant: Fraction
    strict: bool
    line: int | None = field(compare=False, default=None)

    def negated(self) -> Atom:
        """Return the atom that holds exactly where this one does not."""
        return Atom(
            tuple((index, -value) for index, value in self.inputs),
            tuple((index, -value) for index, value in self.outputs),
            -self.constant,
            not self.strict,
            self.line,
        )

    def holds(self, x: Sequence[Fraction], y: Sequence[Fraction]) -> bool:
        """Tell whether the atom holds at inputs x and outputs y, exactly."""
        value = self.constant
        for index, coefficient in self.inputs:
            value += coefficient * x[index]
        for index, coefficient in self.outputs:
            value += coefficient * y[index]
        return value < 0 or (value == 0 and not self.strict)


@dataclass(frozen=True, slots=True)
class And:
    """The conjunction of its children; true without any."""

    children: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """The disjunction of its children; false without any."""

    children: tuple[Formula, ...]


Formula = Atom | And | Or


@dataclass(frozen=True, slots=True)
class Property:
    """The claim that no input x and output y = network(x) satisfy the unsafe condition.

    Arguments: n_inputs, n_outputs: at least 1; unsafe: the condition, stored flattened (an And has no And
    among its children, an Or no Or, neither has a single child; the order of the conjuncts of the
    disjunctive normal form is unchanged); source: the bytes of the file as given; file: its name;
    instances: how many instances of one network the inputs and outputs are of, concatenated, at least 1;
    element: what the values are, None where the property does not say; certain: a condition that implies
    `unsafe`, stored flattened, None when it is the same. They differ where a literal has two readings:
    `unsafe` holds in one of them and is for proving, `certain` holds in both and is for refuting.
    Raises SpecError for an atom that is not well-formed, for inputs or outputs that are no multiple of the
    instances and for other elements, UnsupportedSpec when And and Or alternate more than MAX_DEPTH times.
    """

    n_inputs: int
    n_outputs: int
    unsafe: Formula
    source: bytes | None = field(compare=False, default=None, repr=False)
    file: str | None = field(compare=False, default=None)
    instances: int = 1
    element: Literal["real", "float32"] | None = None
    certain: Formula | None = None

    def __post_init__(self) -> None:
        if self.n_inputs < 1 or self.n_outputs < 1:
            raise SpecError("a property needs at least one input and one output: declare them", self.file)
        if self.instances < 1 or self.n_inputs % self.instances or self.n_outputs % self.instances:
            raise SpecError(
                f"{self.n_inputs} inputs and {self.n_outputs} outputs are not those of {self.instances}"
                " instances: give a multiple",
                self.file,
            )
        if self.element not in (None, "real", "float32"):
            raise SpecError(f"element type {self.element!r} is not supported: use real or float32", self.file)
        object.__setattr__(self, "unsafe", _flattened(self.unsafe, self))
        if self.certain is not None:
            certain = _flattened(self.certain, self)
            object.__setattr__(self, "certain", None if certain == self.unsafe else certain)

    def input_name(self, index: int) -> str:
        """Return the input as a message calls it: X_3, or with several instances X_3 and whose it is."""
        if self.instances == 1:
            return f"X_{index}"
        instance, element = divmod(index, self.n_inputs // self.instances)
        return f"X_{index} (input {element} of instance {instance})"

    def holds_unsafe(self, x: Sequence[Fraction], y: Sequence[Fraction]) -> bool:
        """Tell whether the unsafe condition holds at x and y, in every reading of its literals.

        Arguments: x, y: n_inputs and n_outputs numbers, Fraction or int.
        Raises SpecError for wrong lengths and for floats, with which evaluation would round.
        Sound because: everything is evaluated in exact rationals.
        """
        return violated(self, x, y) is not None


def violated(prop: Property, x: Sequence[Fraction], y: Sequence[Fraction]) -> list[Atom] | None:
    """Return the first conjunct of the unsafe condition that holds at x and y, or None.

    Arguments: as Property.holds_unsafe. The atoms stand in the order of the property; the conjunct is the
    first satisfied one of the disjunctive normal form, of `certain` where the property has one.
    Sound because: `certain` implies the condition in every reading of its literals.
    """
    for name, values, count in (("input", x, prop.n_inputs), ("output", y, prop.n_outputs)):
        if len(values) != count:
            raise SpecError(f"{len(values)} {name} values for {count} {name}s: pass one each", prop.file)
        if not all(isinstance(value, (int, Fraction)) for value in values):
            raise SpecError(f"an {name} value is not exact: pass Fraction(value)", prop.file)
    return _satisfied(prop.unsafe if prop.certain is None else prop.certain, x, y)


def _satisfied(formula: Formula, x: Sequence[Fraction], y: Sequence[Fraction]) -> list[Atom] | None:
    if isinstance(formula, Atom):
        return [formula] if formula.holds(x, y) else None
    if isinstance(formula, Or):
        for child in formula.children:
            found = _satisfied(child, x, y)
            if found is not None:
                return found
        return None
    atoms: list[Atom] = []
    for child in formula.children:
        found = _satisfied(child, x, y)
        if found is None:
            return None
        atoms.extend(found)
    return atoms


@dataclass(slots=True)
class _Group:
    """An And or Or under construction; each belongs to one parent only, so that parents may reuse it."""

    kind: type[And] | type[Or]
    items: deque[Atom | _Group]
    depth: int


def _flattened(formula: Formula, prop: Property) -> Formula:
    """Flatten a formula of the property without recursion, so that any nesting of the input is handled."""
    order: list[Formula] = []
    todo: list[Formula] = [formula]
    while todo:
        node = todo.pop()
        order.append(node)
        if not isinstance(node, Atom):
            todo.extend(node.children)
    # Reversed, the list has the children of every node, first to last, before the node itself.
    values: list[Atom | _Group] = []
    for node in reversed(order):
        if isinstance(node, Atom):
            _check_atom(node, prop)
            values.append(node)
            continue
        first = len(values) - len(node.children)
        parts = values[first:]
        del values[first:]
        values.append(_joined(type(node), parts))
    root = values.pop()
    if isinstance(root, _Group) and root.depth > MAX_DEPTH:
        raise UnsupportedSpec(
            f"'and' and 'or' alternate over more than {MAX_DEPTH} levels: flatten the formula", prop.file
        )
    return _frozen(root)


def _joined(kind: type[And] | type[Or], parts: list[Atom | _Group]) -> Atom | _Group:
    same = [part for part in parts if isinstance(part, _Group) and part.kind is kind]
    # The largest group takes in its siblings: total work stays n log n however deep the nesting is.
    group = max(same, key=lambda candidate: len(candidate.items)) if same else _Group(kind, deque(), 1)
    position = next((index for index, part in enumerate(parts) if part is group), 0)
    for part in reversed(parts[:position]):
        group.items.extendleft(reversed(_items_within(kind, part)))
    for part in parts[position + 1 if same else 0 :]:
        group.items.extend(_items_within(kind, part))
    for part in parts:
        if isinstance(part, _Group):
            group.depth = max(group.depth, part.depth if part.kind is kind else part.depth + 1)
    return group.items[0] if len(group.items) == 1 else group


def _items_within(kind: type[And] | type[Or], part: Atom | _Group) -> Sequence[Atom | _Group]:
    return part.items if isinstance(part, _Group) and part.kind is kind else (part,)


def _check_atom(atom: Atom, prop: Property) -> None:
    for name, terms, count in (("X", atom.inputs, prop.n_inputs), ("Y", atom.outputs, prop.n_outputs)):
        previous = -1
        for index, coefficient in terms:
            if not previous < index < count:
                raise SpecError(
                    f"{name}_{index} is out of order or range: indices ascend and stay below {count}",
                    prop.file,
                    atom.line,
                )
            if coefficient == 0:
                raise SpecError(f"{name}_{index} has coefficient zero: leave it out", prop.file, atom.line)
            _check_number(coefficient, atom, prop)
            previous = index
    _check_number(atom.constant, atom, prop)


def _check_number(value: Fraction, atom: Atom, prop: Property) -> None:
    if not isinstance(value, Fraction):
        raise SpecError(f"{value!r} is not a Fraction: convert it exactly", prop.file, atom.line)
    if not is_bounded(value):
        raise UnsupportedSpec("a coefficient is too large: scale it down or round it", prop.file, atom.line)


def _frozen(part: Atom | _Group) -> Formula:
    if isinstance(part, Atom):
        return part
    return part.kind(tuple(_frozen(item) for item in part.items))
