"""Changes of VNN-LIB texts at the level of expressions."""

from __future__ import annotations

import re
from random import Random

_TOKEN = re.compile(r'[()\[\]]|"[^"]*"|\|[^|]*\||;[^\n]*|[^\s()\[\]";|]+')
_ATOMS = (
    "X_0 X_1 Y_0 Y_1 X_01 X_7 Z_0 X Y X[0] X[0,1] Y[1] X[-1] X[] 0 1 -1 .5 -.5 1. 1e3 1E-400 1e4000 1e99999 "
    "0.1 +1 1/3 - + * / and or not => ite let forall <= < >= > = == != true false nan inf assert "
    "declare-const declare-fun check-sat exit get-model set-logic set-info set-option push define-fun Real "
    "Int Bool float32 float64 real vnnlib-version <2.0> <1.0> declare-network declare-input declare-output "
    "declare-hidden isomorphic-to equal-to f g h [ ] [2] [1,2] [2,2] [0] [-1] [1099511627776] () (or) (and) "
    "[1048576,1048576,1048576] (-) (/ 1 3) (/ X_0 0) (* X_0 Y_0) (* 2 X_0) (- X_0) (+ X_0 1 Y_0) ; \r | "
    '"a" |X_0| \x00 é int8 uint8 bfloat16 string bool'
).split(" ")
_DEEPEST = 300
_MOST_TOKENS = 2000


def mutated(data: bytes, rng: Random) -> bytes:
    """One to four changes: an expression left out, doubled, moved, replaced, wrapped."""
    tokens = _TOKEN.findall(data.decode("utf-8", "surrogateescape"))
    for _ in range(rng.choice((1, 1, 2, 4))):
        tokens = _changed(tokens, rng) if tokens else ["(", "assert", "true", ")"]
    text = "".join(f"{token}\n" if token.startswith((";", ")")) else f"{token} " for token in tokens)
    text = re.sub(r" (?=[\[\],)])|(?<=[(\[]) ", "", text)
    return text.encode("utf-8", "surrogateescape")


def _changed(tokens: list[str], rng: Random) -> list[str]:
    start, end = _span(tokens, rng)
    part = tokens[start:end]
    other_start, other_end = _span(tokens, rng)
    other = tokens[other_start:other_end]
    change = rng.randrange(9) if len(tokens) < _MOST_TOKENS else 0
    if change == 0:
        part = []
    elif change == 1:
        part = part * rng.choice((2, 2, 3, 40))
    elif change == 2:
        part = other
    elif change == 3:
        part = [*part, *other]
    elif change in (4, 5):
        part = [rng.choice(_ATOMS)]
    elif change == 6:
        part = [*part, rng.choice(_ATOMS)]
    elif change == 7:
        head = rng.choice(("not", "and", "or", "-", "+", "assert", "and true", "/ 1", "* 2"))
        depth = rng.choice((1, 1, 1, 2, _DEEPEST))
        part = ["(", *head.split()] * depth + part + [")"] * depth
    else:
        part = [_altered(token, rng) if rng.random() < 0.3 else token for token in part]
    return [*tokens[:start], *part, *tokens[end:]]


def _span(tokens: list[str], rng: Random) -> tuple[int, int]:
    """Where a token is, or the expression that it opens."""
    start = rng.randrange(len(tokens))
    depth = 0
    for end in range(start, len(tokens)):
        depth += (tokens[end] in "([") - (tokens[end] in ")]")
        if depth <= 0:
            return start, end + 1
    return start, start + 1


def _altered(token: str, rng: Random) -> str:
    if token in "()[]":
        return rng.choice(("(", ")", "", "()", "[", "]"))
    place = rng.randrange(len(token) + 1)
    return token[:place] + rng.choice("0189-+.eE_XY/ \t") + token[place + rng.randrange(2) :]
