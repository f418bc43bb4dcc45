"""Reader of VNN-LIB 2.0 queries; docs/formats/vnnlib.md says what of the format is read."""

from __future__ import annotations

import re

from .property import And, Formula, Property
from .sexpr import Node, SourceText, commands
from .vnnlib2_formula import QueryFormulas
from .vnnlib2_networks import Networks

_SKIPPED = r"(?:[ \t\r\n]++|;[^\n]*+)*+"
_START = re.compile(rf"{_SKIPPED}\({_SKIPPED}vnnlib-version(?![A-Za-z0-9_-])", re.ASCII)
_VERSION = re.compile(r"<([0-9]+)\.[0-9]+>", re.ASCII)


def is_version_2(source: SourceText) -> bool:
    """Tell whether the first command of the text is `vnnlib-version`, which VNN-LIB 1.0 lacks."""
    return _START.match(source.text) is not None


def read_query(source: SourceText, given: bytes) -> Property:
    """Read a VNN-LIB 2.0 query, which states the unsafe condition.

    Arguments: source: a text for which is_version_2 holds; given: the bytes of the file.
    Raises SpecError for malformed text, UnsupportedSpec for text beyond what is supported. Both name
    line and column.
    """
    forms = commands(source, with_brackets=True)
    _check_version(source, next(forms))
    reader = _QueryReader(source)
    for form in forms:
        reader.take(form)
    return reader.finish(given)


def _check_version(source: SourceText, form: Node) -> None:
    version = form.arguments[0] if len(form.arguments) == 1 else None
    match = None if version is None else _VERSION.fullmatch(version.text)
    if form.head != "vnnlib-version" or version is None or match is None:
        raise source.error(form.offset, "wrong version: write (vnnlib-version <2.0>)")
    if match[1] != "2":
        raise source.unsupported(
            version.offset, f"version {version.shown()} is not supported: write VNN-LIB <2.0>"
        )


class _QueryReader:
    """Takes the forms after the version in order and gathers what they declare and assert."""

    def __init__(self, source: SourceText) -> None:
        self._source = source
        self._networks = Networks(source)
        self._formulas: QueryFormulas | None = None  # set by the first assert
        self._unsafe: list[Formula] = []
        self._certain: list[Formula] = []

    def take(self, form: Node) -> None:
        """Take one form."""
        head = form.head
        if head == "declare-network":
            if self._unsafe:
                raise self._source.error(form.offset, "'declare-network' after an assert: move it before")
            self._networks.take(form)
        elif head == "assert":
            self._assert(form)
        elif head == "vnnlib-version":
            raise self._source.error(form.offset, "a second 'vnnlib-version': remove it")
        elif head is None:
            raise self._source.error(form.offset, "'(' is not followed by a command: write (assert ...)")
        else:
            shown = Node(form.offset, head).shown()
            raise self._source.error(
                form.offset,
                f"{shown} is no command of VNN-LIB 2.0: write (declare-network ...) or (assert ...)",
            )

    def _assert(self, form: Node) -> None:
        if len(form.arguments) != 1:
            raise self._source.error(
                form.offset, f"'assert' of {len(form.arguments)} formulas: give exactly one"
            )
        if self._formulas is None:
            if self._networks.element is None:
                raise self._no_network(form.offset)
            self._formulas = QueryFormulas(self._source, self._networks.tensors, self._networks.element)
        unsafe, certain = self._formulas.formula(form.arguments[0])
        self._unsafe.append(unsafe)
        self._certain.append(certain)

    def _no_network(self, offset: int) -> Exception:
        return self._source.error(offset, "no network is declared: add (declare-network ...) before")

    def finish(self, given: bytes) -> Property:
        """Return the property of all forms taken; given: the bytes of the file."""
        end = len(self._source.text)
        if self._networks.element is None:
            raise self._no_network(end)
        if not self._unsafe:
            raise self._source.error(end, "nothing is asserted: add the unsafe condition as (assert ...)")
        unsafe, certain = And(tuple(self._unsafe)), And(tuple(self._certain))
        return Property(
            self._networks.n_inputs,
            self._networks.n_outputs,
            unsafe,
            given,
            self._source.file,
            self._networks.instances,
            self._networks.element,
            None if self._networks.element == "real" else certain,
        )
