"""Lines of the keys, tables and array elements of a TOML text, which tomllib does not tell."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

# A place in a document: keys of tables and indices of arrays, from the top.
Path = tuple[str | int, ...]

_SPACE = re.compile(r"[ \t]*")
# White space, line ends and comments.
_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BASIC = re.compile(r'"(?:\\.|[^"\\])*"')
_LITERAL = re.compile(r"'[^']*'")
# Up to two quotes may stand before the three that end a text of several lines.
_BASIC_LINES = re.compile(r'"""(?:\\.|[^\\])*?"{3,5}', re.DOTALL)
_LITERAL_LINES = re.compile(r"'''.*?'{3,5}", re.DOTALL)
# Numbers, truth values and dates end where what follows a value begins.
_BARE_VALUE = re.compile(r"[^,\]}#\n]*")


@dataclass(frozen=True)
class Positions:
    """Where things are in a TOML text.

    Attributes:
        lines: line, from 1, of each key, table header and array element.
        literals: text of each value that is neither quoted nor an array or a table.
    """

    lines: Mapping[Path, int]
    literals: Mapping[Path, str]

    def line(self, path: Path) -> int:
        """The line of a place, or of the nearest one around it that is written, from 1."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines[path] if path else 1


def find_positions(text: str) -> Positions:
    """Scan a TOML text.

    Args:
        text: valid TOML 1.0: what tomllib refuses may raise anything here.
    """
    scanner = _Scanner(text.replace("\r\n", "\n"))
    scanner.document()
    return Positions(scanner.lines, scanner.literals)


class _Scanner:
    """Walks over a valid text once and notes where keys and elements begin."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self.literals: dict[Path, str] = {}
        self._text = text
        self._at = 0
        self._line_ends = [match.start() for match in re.finditer("\n", text)]
        # How many tables each array of tables has so far.
        self._sizes: dict[Path, int] = {}

    def document(self) -> None:
        table: Path = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._key_and_value(table)
            self._skip(_BLANK)

    def _header(self) -> Path:
        start = self._at
        brackets = 2 if self._text.startswith("[[", start) else 1
        self._at += brackets
        parts = self._key()
        self._at += brackets
        path: Path = ()
        for number, part in enumerate(parts, start=1):
            path = (*path, part)
            self._note(path, start)
            if brackets == 2 and number == len(parts):
                self._sizes[path] = self._sizes.get(path, 0) + 1
            if path in self._sizes:
                path = (*path, self._sizes[path] - 1)
                self._note(path, start)
        # A table may be opened by the header of a table in it: its own header is the better place.
        self.lines[path] = self._line(start)
        return path

    def _key_and_value(self, table: Path) -> None:
        start = self._at
        path = table
        for part in self._key():
            path = (*path, part)
            self._note(path, start)
        self._at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(path)

    def _key(self) -> tuple[str, ...]:
        """The parts of a key, dots and white space around it passed over."""
        parts = []
        while True:
            self._skip(_SPACE)
            parts.append(self._key_part())
            self._skip(_SPACE)
            if self._text[self._at] != ".":
                return tuple(parts)
            self._at += 1

    def _key_part(self) -> str:
        first = self._text[self._at]
        if first not in "\"'":
            return self._skip(_BARE_KEY)
        quoted = self._skip(_BASIC if first == '"' else _LITERAL)
        unquoted: str = tomllib.loads(f"key = {quoted}")["key"]
        return unquoted

    def _value(self, path: Path) -> None:
        first = self._text[self._at]
        if first == "[":
            self._array(path)
        elif first == "{":
            self._inline_table(path)
        elif first == '"':
            self._skip(_BASIC_LINES if self._text.startswith('"""', self._at) else _BASIC)
        elif first == "'":
            self._skip(_LITERAL_LINES if self._text.startswith("'''", self._at) else _LITERAL)
        else:
            self.literals[path] = self._skip(_BARE_VALUE).rstrip()

    def _array(self, path: Path) -> None:
        index = 0
        while self._next_or_end("]"):
            self._note((*path, index), self._at)
            self._value((*path, index))
            index += 1

    def _inline_table(self, path: Path) -> None:
        while self._next_or_end("}"):
            self._key_and_value(path)

    def _next_or_end(self, end: str) -> bool:
        """Tell whether an element follows, and pass over the bracket or comma before it, or over the end."""
        self._skip(_BLANK)
        if self._text[self._at] != end:
            self._at += 1
            self._skip(_BLANK)
        if self._text[self._at] != end:
            return True
        self._at += 1
        return False

    def _skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        assert match is not None, "tomllib accepted the text"
        self._at = match.end()
        return match[0]

    def _note(self, path: Path, start: int) -> None:
        self.lines.setdefault(path, self._line(start))

    def _line(self, start: int) -> int:
        return bisect_right(self._line_ends, start - 1) + 1
