"""Text of a VNN-LIB file as a sequence of nested lists, with the place of each token."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

from .errors import SpecError, UnsupportedSpec

_SKIPPED = r"[ \t\r\n]+ | ;[^\n]*"
_COMMON = r"(?P<parenthesis>[()]) | (?P<symbol>[A-Za-z0-9~!@$%^&*_+=<>.?/:\#-]+)"  # or number
_OTHER = r"(?P<other>.)"  # is an error
_FLAGS = re.VERBOSE | re.ASCII | re.DOTALL
_TOKEN_1 = re.compile(rf"""{_SKIPPED} | {_COMMON} | (?P<quoted>"[^"]*" | \|[^|\\]*\|) | {_OTHER}""", _FLAGS)
# Possessive (+): text without a closing bracket must not be tried in every split.
_TOKEN_2 = re.compile(
    rf"""{_SKIPPED} | {_COMMON}
      | (?P<quoted>"(?:[^"\\]++ | \\.)*+")
      | (?P<bracket>\[(?:[^\[\]();"]++ | ;[^\n]*+\n)*+\])
      | {_OTHER}""",
    _FLAGS,
)


def shortened(text: str) -> str:
    """Return text as messages quote it, of at most 40 characters."""
    return text if len(text) <= 40 else text[:37] + "..."


class SourceText:
    """The text of a file; turns offsets into places and errors."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def position(self, offset: int) -> tuple[int, int]:
        """Return line and column, from 1, in characters."""
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def error(self, offset: int, message: str) -> SpecError:
        """Return the error that says the text is malformed at this offset."""
        return SpecError(message, self.file, *self.position(offset))

    def unsupported(self, offset: int, message: str) -> UnsupportedSpec:
        """Return the error that says the text at this offset is not supported."""
        return UnsupportedSpec(message, self.file, *self.position(offset))


class Node:
    """A token, or a list of nodes (`children` is then not None).

    `offset` is where it starts. In VNN-LIB 2.0, brackets belong to the token before them: `text` is then
    that of both, so that it equals no keyword, and `bracket` is where they start.
    """

    __slots__ = ("bracket", "children", "offset", "text")

    def __init__(self, offset: int, text: str, children: list[Node] | None = None) -> None:
        self.offset = offset
        self.text = text
        self.children = children
        self.bracket: int | None = None

    @property
    def head(self) -> str | None:
        """The first token of a list; None for a token, an empty list, or a list that starts with a list."""
        if not self.children or self.children[0].children is not None:
            return None
        return self.children[0].text

    @property
    def arguments(self) -> list[Node]:
        """The nodes of a list after the first."""
        return self.children[1:] if self.children else []

    def shown(self) -> str:
        """The node as it is quoted in a message, on one line and short."""
        if self.children is not None:
            return f"({repr(shortened(self.head or ''))[1:-1]} ...)"
        return repr(shortened(self.text))


def commands(source: SourceText, with_brackets: bool = False) -> Iterator[Node]:
    """Yield the top-level lists of the text, one after the other.

    Arguments: with_brackets: whether to read the tokens of VNN-LIB 2.0 instead of 1.0.
    Raises SpecError for unbalanced parentheses, stray tokens and characters. Nesting depth is unlimited.
    """
    open_lists: list[Node] = []
    for match in (_TOKEN_2 if with_brackets else _TOKEN_1).finditer(source.text):
        kind = match.lastgroup
        if kind is None:
            continue
        offset, token = match.start(), match.group()
        if kind == "other":
            raise source.error(offset, _unexpected(token, with_brackets))
        if kind == "bracket":
            _append_bracket(source, open_lists, offset, token)
            continue
        if token == "(":
            open_lists.append(Node(offset, "", []))
            continue
        if token == ")":
            if not open_lists:
                raise source.error(offset, "')' without '(': remove it")
            node = open_lists.pop()
        elif open_lists:
            node = Node(offset, token)
        else:
            raise source.error(offset, f"{Node(offset, token).shown()} outside parentheses: start with '('")
        if open_lists:
            parent = open_lists[-1].children
            assert parent is not None  # open_lists holds lists only
            parent.append(node)
        else:
            yield node
    if open_lists:
        raise source.error(open_lists[0].offset, "'(' is never closed: add the missing ')'")


def _append_bracket(source: SourceText, open_lists: list[Node], offset: int, token: str) -> None:
    siblings = open_lists[-1].children if open_lists else None
    last = siblings[-1] if siblings else None
    if last is None or last.children is not None or last.bracket is not None:
        raise source.error(offset, "'[' does not follow a name: write for example X[0]")
    last.text += token
    last.bracket = offset


def _unexpected(character: str, with_brackets: bool) -> str:
    if character == '"' or (character == "|" and not with_brackets):
        return f"{character} is never closed: add the second {character}"
    if character == "[" and with_brackets:
        return "[ is never closed: add the missing ]"
    return f"unexpected character {character!a}: only comments may hold it"
