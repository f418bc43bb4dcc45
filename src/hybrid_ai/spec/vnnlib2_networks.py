"""The network declarations of a VNN-LIB 2.0 query."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from .brackets import LIMIT, bracketed_numbers, name_before, shown_shape
from .sexpr import Node, SourceText, shortened

Element = Literal["real", "float32"]

_ELEMENTS: dict[str, Element] = {"real": "real", "float32": "float32"}
# Of ONNX; `Real` is how early drafts of the format wrote real.
_OTHER_ELEMENTS = frozenset(
    "Real float64 float16 bfloat16 float8e4m3fn float8e4m3fnuz float8e5m2 float8e5m2fnuz float8e8m0 "
    "float4e2m1 int64 int32 int16 int8 int4 int2 uint64 uint32 uint16 uint8 uint4 uint2 bool string "
    "complex64 complex128".split()
)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)
_RESERVED = frozenset({"and", "assert", "initialized", "or"})
# Parts of a network declaration, and in which order they stand.
_RANKS = {"equal-to": 0, "isomorphic-to": 0, "declare-input": 1, "declare-hidden": 2, "declare-output": 3}


@dataclass(frozen=True, slots=True)
class Tensor:
    """A declared input or output.

    Arguments: shape: empty for a scalar; size: how many elements; first: index of its first element
    among the inputs or outputs of the property.
    """

    is_output: bool
    shape: tuple[int, ...]
    size: int
    first: int


class Networks:
    """Takes network declarations in order; all are instances of the first network."""

    def __init__(self, source: SourceText) -> None:
        self._source = source
        self._names: dict[str, int] = {}  # networks and tensors, with where they are declared
        self._first_name = ""
        self._others: set[str] = set()
        self._shapes: dict[bool, Tensor] = {}  # of the first network, by is_output
        self.tensors: dict[str, Tensor] = {}
        self.element: Element | None = None
        self.instances = 0

    @property
    def n_inputs(self) -> int:
        """Number of input elements of all instances."""
        return self.instances * self._shapes[False].size

    @property
    def n_outputs(self) -> int:
        """Number of output elements of all instances."""
        return self.instances * self._shapes[True].size

    def take(self, form: Node) -> None:
        """Take one (declare-network ...).

        Raises SpecError for a malformed declaration, UnsupportedSpec for hidden tensors, several inputs
        or outputs, a second network that is not equal to the first, other element types, initializers.
        """
        if not form.arguments:
            raise self._source.error(form.offset, "the network has no name: write (declare-network f ...)")
        name, *parts = form.arguments
        self._declare_name(name)
        found = self._parts(parts)
        if "equal-to" in found:
            self._check_equal(found["equal-to"])
        elif self.instances:
            raise self._source.unsupported(
                form.offset,
                f"two different networks: only (equal-to {shortened(self._first_name)}) is supported",
            )
        for part in ("declare-input", "declare-output"):
            if part not in found:
                example = "X" if part == "declare-input" else "Y"
                raise self._source.error(
                    form.offset, f"the network has no {part}: add ({part} {example} real [1])"
                )
            self._tensor(found[part], part == "declare-output")
        if self.instances:
            self._others.add(name.text)
        else:
            self._first_name = name.text
        self.instances += 1
        if max(self.n_inputs, self.n_outputs) >= LIMIT:
            raise self._source.unsupported(form.offset, f"{LIMIT} elements or more in all: split the query")

    def _parts(self, parts: list[Node]) -> dict[str, Node]:
        """Return the parts of a network by what they declare."""
        found: dict[str, Node] = {}
        previous = 0
        for part in parts:
            head = part.head
            if head is None or head not in _RANKS:
                raise self._source.error(
                    part.offset,
                    f"{part.shown()} is no part of a network: write (declare-input ...) or"
                    " (declare-output ...), close other parentheses",
                )
            if head in ("isomorphic-to", "declare-hidden"):
                raise self._source.unsupported(
                    part.offset, f"'{head}' is not supported: use inputs and outputs of equal networks"
                )
            if _RANKS[head] < previous:
                raise self._source.error(
                    part.offset, f"'{head}' too late: the order is equal-to, declare-input, declare-output"
                )
            if head in found and head == "equal-to":
                raise self._source.error(part.offset, "a second 'equal-to': leave it out")
            if head in found:
                raise self._source.unsupported(
                    part.offset, f"a second '{head}' in a network is not supported: join the tensors to one"
                )
            found[head] = part
            previous = _RANKS[head]
        return found

    def _check_equal(self, part: Node) -> None:
        if len(part.arguments) != 1 or part.arguments[0].children is not None:
            raise self._source.error(part.offset, "wrong equivalence: write (equal-to NAME)")
        target = part.arguments[0]
        if target.text in self._others:
            raise self._source.error(
                target.offset,
                f"{target.shown()} itself says equal-to: name {shortened(self._first_name)}",
            )
        if not self.instances or target.text != self._first_name:
            raise self._source.error(
                target.offset, f"{target.shown()} is no network declared before: declare it first"
            )

    def _tensor(self, part: Node, is_output: bool) -> None:
        arguments = part.arguments
        if len(arguments) == 3 and not is_output and arguments[2].text == "initialized":
            raise self._source.unsupported(
                arguments[2].offset, "'initialized' is not supported: assert the values of the input"
            )
        if len(arguments) != 2 or arguments[1].bracket is None:
            raise self._source.error(part.offset, f"wrong declaration: write ({part.head} NAME real [1,5])")
        name, kind = arguments
        self._declare_name(name)
        self._check_element(kind)
        shape, size = self._shape(kind)
        first = self._shapes.setdefault(is_output, Tensor(is_output, shape, size, 0))
        if first.shape != shape:
            raise self._source.error(
                kind.bracket or kind.offset,
                f"shape {shown_shape(shape)} differs from {shown_shape(first.shape)} of"
                f" {shortened(self._first_name)}: equal networks have equal shapes",
            )
        self.tensors[name.text] = Tensor(is_output, shape, size, self.instances * size)

    def _declare_name(self, name: Node) -> None:
        if name.children is not None or _NAME.fullmatch(name.text) is None:
            raise self._source.error(
                name.offset,
                f"{name.shown()} is no name: begin with a letter, go on with letters, digits and underscores",
            )
        if name.text in _RESERVED:
            raise self._source.error(name.offset, f"'{name.text}' is a reserved word: choose another name")
        if name.text in self._names:
            line = self._source.position(self._names[name.text])[0]
            raise self._source.error(
                name.offset, f"{name.shown()} is already declared in line {line}: choose another name"
            )
        self._names[name.text] = name.offset

    def _check_element(self, kind: Node) -> None:
        name = name_before(kind)
        known = name in _ELEMENTS or name in _OTHER_ELEMENTS
        shown = Node(kind.offset, name).shown()
        if not known:
            raise self._source.error(kind.offset, f"{shown} is no element type: write real or float32")
        if self.element is not None and name != self.element and "real" in (name, self.element):
            raise self._source.error(
                kind.offset, f"element types {self.element} and {name} are mixed: use one for all tensors"
            )
        if name not in _ELEMENTS:
            raise self._source.unsupported(
                kind.offset, f"element type {shown} is not supported: write real or float32"
            )
        self.element = _ELEMENTS[name]

    def _shape(self, kind: Node) -> tuple[tuple[int, ...], int]:
        """Return the shape after the element type, and its number of elements."""
        numbers = bracketed_numbers(self._source, kind)
        size = 1
        for number, offset in numbers:
            if number == 0:
                raise self._source.error(offset, "a dimension of zero has no elements: write at least 1")
            size *= number
            if size >= LIMIT:
                raise self._source.unsupported(offset, f"a tensor has {LIMIT} elements or more: split it")
        return tuple(number for number, _ in numbers), size
