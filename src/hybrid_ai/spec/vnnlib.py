"""Reader of VNN-LIB files: what is common to the versions, and version 1.0."""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import IO

from .errors import SpecError
from .property import And, Formula, Property
from .sexpr import Node, SourceText, commands
from .terms import Variable
from .vnnlib2 import is_version_2, read_query
from .vnnlib_formula import Declared, FormulaReader

# Of the text, after unpacking: a small gzip file may unpack to far more than memory holds.
MAX_BYTES = 2**28 - 1
# A text that unpacks to more times its packed size than this, and some, is there to fill memory.
MAX_RATIO = 100
_RATIO_FREE_BYTES = 2**20
_CHUNK = 2**20
_PACKED_CHUNK = 2**14  # deflate makes at most 1032 times as many bytes of it
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31  # a gzip container with the largest window

_WITH_OPERANDS = frozenset({"set-logic", "set-info"})
_IGNORED = _WITH_OPERANDS | {"check-sat", "get-model", "exit"}
_ENDING = frozenset({"check-sat", "exit"})
_VERSION_2 = frozenset(
    {"vnnlib-version", "declare-network", "declare-input", "declare-output", "declare-hidden"}
)
# Commands that SMT-LIB has and this reader lacks: such a file is well-formed.
_KNOWN_COMMANDS = frozenset(
    "set-option push pop reset reset-assertions define-fun define-fun-rec define-funs-rec define-const "
    "define-sort declare-sort declare-datatype declare-datatypes check-sat-assuming echo get-assertions "
    "get-assignment get-info get-option get-proof get-unsat-assumptions get-unsat-core get-value "
    "minimize maximize".split()
)
_NAME = re.compile(r"([XY])_(0|[1-9][0-9]*)", re.ASCII)
_MAX_INDEX_DIGITS = 9


def read_vnnlib(source: str | Path | bytes) -> Property:
    """Read a VNN-LIB 1.0 or 2.0 property, which states the unsafe condition.

    Arguments: source: the path of a file, or the bytes of one; either may be gzip-packed. A text whose
    first command is `vnnlib-version` is 2.0, any other 1.0.
    Raises SpecError for a file that is missing or malformed, UnsupportedSpec for one that is well-formed
    but beyond what docs/formats/vnnlib.md lists. Both name file, line and column.
    Sound because: literals become exact rationals, and a command that is not understood is refused.
    """
    given, file = (source, "<bytes>") if isinstance(source, bytes) else _read_file(source)
    text = SourceText(_decoded(_unpacked(given, file), file), file)
    if is_version_2(text):
        return read_query(text, given)
    reader = _PropertyReader(text)
    for command in commands(text):
        reader.take(command)
    return reader.finish(given)


def _read_file(path: str | Path) -> tuple[bytes, str]:
    file = str(path)
    try:
        with open(path, "rb") as stream:
            return _read_limited(stream, file), file
    except SpecError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise SpecError(f"cannot read the file: {reason}", file, 1, 1) from error


def _too_long(file: str) -> SpecError:
    return SpecError(f"the text is longer than {MAX_BYTES} bytes: split the property", file, 1, 1)


def _read_limited(stream: IO[bytes], file: str) -> bytes:
    parts = []
    total = 0
    while part := stream.read(_CHUNK):
        total += len(part)
        if total > MAX_BYTES:
            raise _too_long(file)
        parts.append(part)
    return b"".join(parts)


def _unpacked(data: bytes, file: str) -> bytes:
    if not data.startswith(_GZIP_MAGIC):
        return data
    stream = zlib.decompressobj(_GZIP_WINDOW)
    allowed = min(MAX_BYTES, MAX_RATIO * len(data) + _RATIO_FREE_BYTES)
    total = position = 0
    # A first pass only counts: what is refused must not fill the memory before.
    while position < len(data) and not stream.eof:
        try:
            total += len(stream.decompress(data[position : position + _PACKED_CHUNK]))
        except zlib.error as error:
            raise _damaged(str(error), file) from error
        position += _PACKED_CHUNK
        if total > allowed:
            reason = (
                f"the text is longer than {MAX_BYTES} bytes, or than {MAX_RATIO} times its packed size"
                " plus 1 MiB: split the property, or give it unpacked"
            )
            raise SpecError(reason, file, 1, 1)
    if not stream.eof or stream.unused_data or position < len(data):
        # A second member is refused as well: readers disagree on what follows the first.
        raise _damaged("truncated, or followed by other bytes", file)
    return zlib.decompress(data, _GZIP_WINDOW)


def _damaged(reason: str, file: str) -> SpecError:
    return SpecError(f"the gzip data is damaged ({reason}): pack the file again", file, 1, 1)


def _decoded(data: bytes, file: str) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = SourceText(data[: error.start].decode("utf-8"), file)
        raise before.error(len(before.text), "the bytes are not UTF-8: save the file as UTF-8") from error
    # A lone carriage return ends a comment for some readers and not for others.
    for pattern, message in (
        ("\0", "NUL byte: the file is damaged or binary, write it again as text"),
        (r"\A\ufeff", "byte order mark: save the file as UTF-8 without one"),
        ("\r(?!\n)", "carriage return without line feed: end lines with a line feed"),
    ):
        found = re.search(pattern, text)
        if found is not None:
            raise SourceText(text, file).error(found.start(), message)
    return text


class _PropertyReader:
    """Takes the commands of a file in order and gathers what they declare and assert."""

    def __init__(self, source: SourceText) -> None:
        self._source = source
        self._variables: dict[str, Declared] = {}
        self._formulas = FormulaReader(source, self._variables)
        self._asserts: list[Formula] = []
        self._ended_by: str | None = None
        self._is_empty = True

    def take(self, command: Node) -> None:
        """Take one command.

        Sound because: an assert after `check-sat` or `exit`, which SMT-LIB would not count, is refused.
        """
        self._is_empty = False
        head = command.head
        if head is None:
            raise self._source.error(command.offset, "'(' is not followed by a command: write (assert ...)")
        if head in _IGNORED:
            loose = head in _WITH_OPERANDS and all(node.children is None for node in command.arguments)
            if command.arguments and not loose:
                raise self._source.unsupported(
                    command.offset, f"operands of '{head}': close its parenthesis, or leave it out"
                )
            self._ended_by = self._ended_by or (head if head in _ENDING else None)
            return
        if head not in ("assert", "declare-const", "declare-fun"):
            raise self._other_command(command)
        if self._ended_by is not None:
            raise self._source.unsupported(
                command.offset, f"'{head}' after '{self._ended_by}': move it before"
            )
        if head == "assert":
            self._assert(command)
        else:
            self._declare(command)

    def _other_command(self, command: Node) -> Exception:
        shown = Node(command.offset, command.head or "").shown()
        if command.head in _VERSION_2:
            return self._source.unsupported(
                command.offset,
                f"{shown} belongs to VNN-LIB 2.0: begin the file with (vnnlib-version <2.0>)",
            )
        if command.head in _KNOWN_COMMANDS:
            return self._source.unsupported(
                command.offset, f"command {shown} is not supported: only declarations and asserts count"
            )
        return self._source.error(
            command.offset, f"{shown} is no command: write (declare-const ...) or (assert ...)"
        )

    def _assert(self, command: Node) -> None:
        if len(command.arguments) != 1:
            raise self._source.error(
                command.offset, f"'assert' of {len(command.arguments)} formulas: give exactly one"
            )
        self._asserts.append(self._formulas.formula(command.arguments[0]))

    def _declare(self, command: Node) -> None:
        arguments = command.arguments
        if command.head == "declare-fun" and len(arguments) == 3:
            parameters = arguments.pop(1)
            if parameters.children is None:
                raise self._source.error(parameters.offset, "the parameter list is missing: write ()")
            if parameters.children:
                raise self._source.unsupported(
                    parameters.offset, "functions with parameters are not supported: declare constants"
                )
        elif command.head == "declare-fun" or len(arguments) != 2:
            parameters_form = "() " if command.head == "declare-fun" else ""
            raise self._source.error(
                command.offset, f"wrong declaration: write ({command.head} X_0 {parameters_form}Real)"
            )
        name, sort = arguments
        match = _NAME.fullmatch(name.text)
        if match is None:
            raise self._source.error(
                name.offset, f"{name.shown()} is no VNN-LIB 1.0 variable: use X_0, X_1, ... and Y_0, Y_1, ..."
            )
        if len(match[2]) > _MAX_INDEX_DIGITS:
            raise self._source.unsupported(name.offset, "the index is too large: number from 0 without gaps")
        if sort.text != "Real":
            raise self._source.unsupported(
                sort.offset, f"element type {sort.shown()} is not supported: declare {name.text} as Real"
            )
        if name.text in self._variables:
            line = self._source.position(self._variables[name.text].offset)[0]
            raise self._source.error(
                name.offset, f"{name.text} is already declared in line {line}: remove one declaration"
            )
        self._variables[name.text] = Declared(Variable(match[1] == "Y", int(match[2])), name.offset)

    def finish(self, given: bytes) -> Property:
        """Return the property of all commands taken; given: the bytes of the file."""
        end = len(self._source.text)
        if self._is_empty:
            raise self._source.error(
                end, "the file is empty: declare variables and assert the unsafe condition"
            )
        n_inputs, n_outputs = self._count("X", False), self._count("Y", True)
        if not self._asserts:
            raise self._source.error(end, "nothing is asserted: add the unsafe condition as (assert ...)")
        return Property(n_inputs, n_outputs, And(tuple(self._asserts)), given, self._source.file)

    def _count(self, letter: str, is_output: bool) -> int:
        declared = [each for each in self._variables.values() if each.variable.is_output == is_output]
        if not declared:
            raise self._source.error(
                len(self._source.text), f"no {letter} is declared: add (declare-const {letter}_0 Real)"
            )
        indices = {each.variable.index for each in declared}
        missing = next(index for index in range(len(indices) + 1) if index not in indices)
        for each in declared:
            if each.variable.index > missing:
                raise self._source.error(
                    each.offset,
                    f"{letter}_{each.variable.index} is declared, {letter}_{missing} is not:"
                    " number without gaps",
                )
        return len(indices)
