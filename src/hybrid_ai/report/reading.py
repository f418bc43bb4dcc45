"""Strict access to the dossier's JSON: each value is what its format says, and keeps its place."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from hybrid_ai.audit.verification.names import is_portable
from hybrid_ai.report.datum import Datum, Kind, ranged
from hybrid_ai.report.errors import ReportError

SIZE_LIMIT = 1 << 28
REMEDY = "verify the dossier, or make it again"

_DIGEST = re.compile("[0-9a-f]{64}")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z", re.ASCII)
_EXACT = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?|[+-]?\d+/0*[1-9]\d*", re.ASCII)
_EXACT_LENGTH = 4_000  # beyond 4300 digits Python converts no integer


@dataclass(frozen=True)
class Node:
    """A value in a JSON document.

    Attributes:
        document: path of the file in the dossier.
        pointer: JSON pointer to the value (RFC 6901).
        value: as `json` reads it.
    """

    document: str
    pointer: str
    value: object

    @property
    def source(self) -> str:
        """Where it stands, as a datum says it."""
        return f"{self.document}#{self.pointer}"

    def fail(self, reason: str) -> ReportError:
        """An error that names this place."""
        return ReportError(self.document, self.pointer, f"{reason}; {REMEDY}")

    def member(self, name: str) -> Node:
        """A member of an object, which must be there."""
        members = self._object()
        if name not in members:
            raise self.fail(f"lacks {name}")
        return self._below(name, members[name])

    def find(self, name: str) -> Node | None:
        """A member of an object; None where it is absent or null."""
        value = self._object().get(name)
        return None if value is None else self._below(name, value)

    def at(self, *names: str) -> Node:
        """A member of a member, each of which must be there."""
        node = self
        for name in names:
            node = node.member(name)
        return node

    def members(self) -> tuple[tuple[str, Node], ...]:
        """All members of an object, in the order of their names."""
        return tuple((name, self._below(name, value)) for name, value in sorted(self._object().items()))

    def items(self) -> tuple[Node, ...]:
        """The items of an array."""
        if not isinstance(self.value, list):
            raise self.fail("must be an array")
        return tuple(self._below(str(index), value) for index, value in enumerate(self.value))

    def text(self, kind: Kind = "text") -> Datum:
        """A string that UTF-8 can hold."""
        if not isinstance(self.value, str):
            raise self.fail("must be a string")
        try:
            self.value.encode()
        except UnicodeEncodeError as error:
            raise self.fail("has half of a surrogate pair") from error
        return Datum(self.value, self.source, kind)

    def word(self, allowed: Collection[str]) -> Datum:
        """One of some words."""
        found = self.text("word")
        if found.value not in allowed:
            raise self.fail(f"must be one of {', '.join(sorted(allowed))}")
        return found

    def digest(self) -> Datum:
        """A SHA-256 or a key id in hexadecimal."""
        return self._matching(_DIGEST, "digest", "64 hexadecimal digits")

    def time(self) -> Datum:
        """A time as the log writes it."""
        return self._matching(_TIME, "time", "a time like 2026-01-02T03:04:05.678Z")

    def path(self) -> Datum:
        """The path of a file in the dossier."""
        found = self.text("code")
        if not is_portable(found.value):
            raise self.fail("must be the path of a file in the dossier")
        return found

    def exact(self) -> Datum:
        """A number as text: a decimal or a quotient."""
        if len(self.text().value) > _EXACT_LENGTH:
            raise self.fail(f"has more than {_EXACT_LENGTH} characters")
        return self._matching(_EXACT, "exact", "a decimal or a quotient as a string")

    def fraction(self) -> Datum:
        """A part of a whole, from 0 to 1."""
        found = self.exact().as_kind("fraction")
        if not 0 <= Fraction(found.value) <= 1:
            raise self.fail("must be from 0 to 1")
        return found

    def integer(self) -> Datum:
        """A whole number, at least 0."""
        if not isinstance(self.value, int) or isinstance(self.value, bool) or self.value < 0:
            raise self.fail("must be a whole number, at least 0")
        return Datum(str(self.value), self.source, "integer")

    def number(self) -> Datum:
        """A number, whole or not."""
        if not isinstance(self.value, int | float) or isinstance(self.value, bool):
            raise self.fail("must be a number")
        return Datum(json.dumps(self.value), self.source, "double")

    def truth(self) -> bool:
        """A truth value."""
        if not isinstance(self.value, bool):
            raise self.fail("must be true or false")
        return self.value

    def length(self) -> Datum:
        """The number of items of an array."""
        return Datum(str(len(self.items())), self.source, "integer", "length")

    def numbers(self) -> Datum:
        """The whole numbers of an array, as ranges."""
        found = [int(item.integer().value) for item in self.items()]
        return Datum(ranged(found), self.source, "numbers", "numbers")

    def require(self, expected: object) -> None:
        """Require a value: text, number or truth value.

        Raises:
            ReportError: it is another one.
        """
        if self.value != expected or type(self.value) is not type(expected):
            raise self.fail(f"is not {expected!a:.100}")

    def _object(self) -> dict[str, object]:
        if not isinstance(self.value, dict):
            raise self.fail("must be an object")
        return self.value

    def _below(self, name: str, value: object) -> Node:
        escaped = name.replace("~", "~0").replace("/", "~1")
        return Node(self.document, f"{self.pointer}/{escaped}", value)

    def _matching(self, pattern: re.Pattern[str], kind: Kind, meant: str) -> Datum:
        found = self.text(kind)
        if not pattern.fullmatch(found.value):
            raise self.fail(f"must be {meant}")
        return found


def optional_text(node: Node | None, kind: Kind = "text") -> Datum | None:
    """The text of what `Node.find` found; None where that is None."""
    return None if node is None else node.text(kind)


def read_bytes(folder: Path, name: str) -> bytes:
    """The bytes of a file of a dossier.

    Raises:
        ReportError: it is missing or too large.
        OSError: it cannot be read.
    """
    try:
        with open(folder / name, "rb") as stream:
            data = stream.read(SIZE_LIMIT + 1)
    except FileNotFoundError as error:
        raise ReportError(name, "", f"is missing; {REMEDY}") from error
    if len(data) > SIZE_LIMIT:
        raise ReportError(name, "", f"has more than {SIZE_LIMIT} bytes")
    return data


def read_json(folder: Path, name: str) -> Node:
    """A JSON file of a dossier.

    Raises:
        ReportError: it is missing, too large or no JSON: also for duplicate members, NaN and infinities.
        OSError: it cannot be read.
    """
    return Node(name, "", _parsed(read_bytes(folder, name), name, ""))


def read_lines(folder: Path, name: str) -> Node:
    """A file of JSON lines as one array; errors as of `read_json`."""
    lines = read_bytes(folder, name).split(b"\n")
    if lines.pop():
        raise ReportError(name, f"line {len(lines) + 1}", f"does not end in a line feed; {REMEDY}")
    values = [_parsed(line, name, f"line {number}") for number, line in enumerate(lines, start=1)]
    return Node(name, "", values)


def _parsed(data: bytes, name: str, place: str) -> object:
    try:
        value: object = json.loads(
            data.decode(),
            object_pairs_hook=_without_duplicates,
            parse_float=_finite,
            parse_constant=_refuse_constant,
        )
    except RecursionError as error:
        raise ReportError(name, place, f"is nested too deep; {REMEDY}") from error
    except ValueError as error:
        raise ReportError(name, place, f"is no JSON: {error}; {REMEDY}") from error
    return value


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member appears twice in one object")
    return members


def _finite(token: str) -> float:
    value = float(token)
    if not math.isfinite(value):
        raise ValueError(f"the number {token:.40} is beyond the largest double")
    return value


def _refuse_constant(token: str) -> object:
    raise ValueError(f"{token} is no JSON number")
