"""Lines of keys in TOML texts that make it hard to tell them."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_ai.pipeline.plans.positions import Path, find_positions

TRICKY = '''\
# [no] table = 1
title = "a # b = [c]" # comment = 3

[ "quoted.key" . 'other' ]  # [[x]]
a . "b\\u0063" = 1_0
text = """
[fake]
fake = 1 \\""" ] """""
lines = \'\'\'
[[fake]]
x = 1'\'\'\'
"" = \'\'
list = [ # [
  1, # 1, 2
  "]", [ 2.5e3
    , [] ],
  { k = "}", "l m".n = 0xFF },

]
day = 1979-05-27 07:32:00
[[array]]
one = true
[[array]]
[array.inner]
two = { a = { b = [ {c = 1}, {c = 2} ] } }
[[array.more]]
[[array.more]]
three = -inf
[late.early]
[late]
four = \'C:\\\'
'''


def test_a_tricky_text() -> None:
    tomllib.loads(TRICKY)
    found = find_positions(TRICKY)
    expected: dict[Path, int] = {
        ("title",): 2,
        ("quoted.key",): 4,
        ("quoted.key", "other"): 4,
        ("quoted.key", "other", "a", "bc"): 5,
        ("quoted.key", "other", "text"): 6,
        ("quoted.key", "other", "lines"): 9,
        ("quoted.key", "other", ""): 12,
        ("quoted.key", "other", "list"): 13,
        ("quoted.key", "other", "list", 0): 14,
        ("quoted.key", "other", "list", 1): 15,
        ("quoted.key", "other", "list", 2): 15,
        ("quoted.key", "other", "list", 2, 0): 15,
        ("quoted.key", "other", "list", 2, 1): 16,
        ("quoted.key", "other", "list", 3, "l m", "n"): 17,
        ("quoted.key", "other", "day"): 20,
        ("array", 0): 21,
        ("array", 0, "one"): 22,
        ("array", 1): 23,
        ("array", 1, "inner"): 24,
        ("array", 1, "inner", "two", "a", "b", 1, "c"): 25,
        ("array", 1, "more", 0): 26,
        ("array", 1, "more", 1): 27,
        ("array", 1, "more", 1, "three"): 28,
        ("late", "early"): 29,
        ("late",): 30,
        ("late", "four"): 31,
    }
    assert {path: found.lines.get(path) for path in expected} == expected
    assert found.literals[("quoted.key", "other", "a", "bc")] == "1_0"
    assert found.literals[("quoted.key", "other", "list", 2, 0)] == "2.5e3"
    assert found.literals[("quoted.key", "other", "list", 3, "l m", "n")] == "0xFF"
    assert found.literals[("quoted.key", "other", "day")] == "1979-05-27 07:32:00"


def test_every_place_of_the_data_has_a_line_and_no_other_place_has() -> None:
    places = set(_places(tomllib.loads(TRICKY)))
    assert set(find_positions(TRICKY).lines) == places


def test_line_ends_of_windows_count_once() -> None:
    found = find_positions(TRICKY.replace("\n", "\r\n"))
    assert found == find_positions(TRICKY)


def test_a_place_that_is_not_written_is_that_of_what_is_around_it() -> None:
    found = find_positions("a = 1\n[t]\n[[t.u]]\nx = 1\n[[t.u]]\n")
    assert found.line(("t", "u", 1, "missing", "deeper")) == 5
    assert found.line(("t", "none")) == 2
    assert found.line(("none",)) == 1


def _places(value: Any, path: Path = ()) -> list[Path]:
    if isinstance(value, dict):
        inner = [(*path, key) for key in value]
    else:
        inner = [(*path, index) for index in range(len(value))] if isinstance(value, list) else []
    below = [place for each in inner for place in _places(value[each[-1]], each)]
    return [*inner, *below]


VALUES = st.recursive(
    st.sampled_from(
        ['"a"', "1", "0.5", "'b'", '"""c\n# d = [\n"""', "'''\ne\\'''", "true", "07:32:00", "-inf"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda each: "[ # [\n" + ",\n".join(each) + "\n]")
        | st.lists(inner, max_size=3).map(
            lambda each: "{" + ", ".join(f"'k.{n}' = {value}" for n, value in enumerate(each)) + "}"
        )
    ),
    max_leaves=8,
)
HEADERS = st.sampled_from(["", "[t{0}]", "[[u]]", "[[ u . 'v.w' ]]", '[u."x{0}"]', "# [n]", "[t{0}.q]"])


@given(st.lists(st.tuples(HEADERS, VALUES), max_size=6))
def test_generated_texts(parts: list[tuple[str, str]]) -> None:
    text = "\n".join(f"{head.format(n)}\nk{n} = {value}" for n, (head, value) in enumerate(parts))
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return  # a line end in an inline table, or a table that is no list
    found = find_positions(text)
    assert set(found.lines) == set(_places(data))
    lines = text.split("\n")
    for path, line in found.lines.items():
        if re.fullmatch("k[0-9]+", str(path[-1])):
            assert lines[line - 1].startswith(f"{path[-1]} = ")


@pytest.mark.parametrize("text", ["", "\n\n", "# only\n", "\r\n"])
def test_nothing(text: str) -> None:
    assert find_positions(text).lines == {}
