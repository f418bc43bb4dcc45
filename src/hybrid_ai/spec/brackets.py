"""Bracketed numbers of VNN-LIB 2.0: shapes such as `[1,5]` and indices such as `X[0,4]`."""

from __future__ import annotations

import re

from .sexpr import Node, SourceText

# Each number is kept below this; larger ones are read as this, which no index and no shape may reach.
LIMIT = 10**9
_MAX_DIGITS = 9

_PART = re.compile(r"(?:[ \t\r\n]++|;[^\n]*+\n)*+([,\]]|[^ \t\r\n;,\]]++)", re.ASCII)
_DIGITS = re.compile(r"[0-9]+", re.ASCII)


def name_before(node: Node) -> str:
    """Return the token without the brackets that follow it."""
    return node.text.partition("[")[0] if node.bracket is not None else node.text


def bracketed_numbers(source: SourceText, node: Node) -> list[tuple[int, int]]:
    """Return the numbers in the brackets after a token, each with its offset; none for `[]`.

    Arguments: node: a token with brackets. Numbers of LIMIT or more are returned as LIMIT.
    Raises SpecError where something else than numbers separated by commas stands there.
    """
    assert node.bracket is not None  # callers ask only about tokens with brackets
    found: list[tuple[int, int]] = []
    position = node.bracket + 1
    after_comma = False
    while True:
        part = _PART.match(source.text, position)
        assert part is not None  # the tokens are cut so that the bracket is closed
        offset, token = part.start(1), part.group(1)
        if token == "]" and not found and not after_comma:
            return found
        if _DIGITS.fullmatch(token) is None:
            shown = Node(offset, token).shown()
            raise source.error(offset, f"{shown} where a number is expected: write for example [0,4]")
        digits = token.lstrip("0")
        found.append((int(digits or "0") if len(digits) <= _MAX_DIGITS else LIMIT, offset))
        part = _PART.match(source.text, part.end())
        assert part is not None
        if part.group(1) == "]":
            return found
        if part.group(1) != ",":
            raise source.error(part.start(1), "a comma is missing: write for example [0,4]")
        position = part.end()
        after_comma = True


def shown_shape(shape: tuple[int, ...]) -> str:
    """Return the shape as a message quotes it."""
    text = f"[{','.join(map(str, shape[:8]))}]"
    return text if len(shape) <= 8 else text[:-1] + ",...]"
