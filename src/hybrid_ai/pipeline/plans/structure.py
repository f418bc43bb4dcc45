"""Check the data of a plan against the description of its tables, key by key."""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from hybrid_ai.pipeline.plans.defects import Findings, closest, nearest, shown
from hybrid_ai.pipeline.plans.numbers import Number, read_number
from hybrid_ai.pipeline.plans.positions import Path
from hybrid_ai.pipeline.plans.tables import (
    CONTROL,
    LONGEST_TEXT,
    RESERVED,
    ByName,
    Choice,
    Decimal,
    Kind,
    Many,
    Table,
    Text,
    Whole,
    Word,
)

FORMS = {
    "id": "1 to 64 of A-Z a-z 0-9 . _ -, beginning with a letter or a digit",
    "name": "1 to 64 of A-Z a-z 0-9 _, beginning with a letter",
    "digest": "64 hexadecimal digits",
}
# In the order in which they are tried: a truth value is an int for Python, a time of day on a date is a date.
_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "a truth value"),
    (str, "a text"),
    (int, "a whole number"),
    (list, "a list"),
    (dict, "a table"),
    (datetime.date, "a date"),
    (datetime.time, "a time"),
)


@dataclass(frozen=True, slots=True)
class Digits:
    """Text of a number with fraction or exponent; tomllib is told to make these instead of floats."""

    text: str


@dataclass(frozen=True)
class Entry:
    """A table of the plan.

    Attributes:
        path: where it is.
        values: of the keys that are there and right; a table in which something is wrong counts as right.
        wrong: names of the keys that are there and wrong.
        is_sound: whether nothing is wrong in it.
    """

    path: Path
    values: Mapping[str, Any] = field(default_factory=dict)
    wrong: frozenset[str] = frozenset()
    is_sound: bool = False

    def get(self, name: str) -> Any:
        """The value of a key, None where it is absent or wrong."""
        return self.values.get(name)

    def entries(self, name: str) -> tuple[Entry, ...]:
        """The tables of a list of tables, none where it is absent or wrong."""
        found: tuple[Entry, ...] = self.values.get(name, ())
        return found

    def at(self, *parts: str | int) -> Path:
        """The place of something in this table."""
        return (*self.path, *parts)


class _Wrong(Exception):
    """Internal: a value is wrong, which has been noted."""


def read_table(table: Table, value: object, path: Path, findings: Findings) -> Entry:
    """Check a table and everything in it, and note what is wrong.

    Args:
        table: what it should be.
        value: as tomllib gives it, numbers that are no ints as `Digits`.
        path: where it is.
        findings: receives the defects.
    """
    if not isinstance(value, dict):
        findings.add(path, f"is {_type(value)}, and should be a table")
        return Entry(path)
    is_sound = _check_keys(table, value, path, findings)
    values: dict[str, Any] = {}
    wrong = set()
    for key in table.keys:
        if key.name not in value:
            continue
        try:
            values[key.name] = read = _read(key.kind, value[key.name], (*path, key.name), findings)
        except _Wrong:
            wrong.add(key.name)
        else:
            is_sound = is_sound and _is_sound(read)
    return Entry(path, values, frozenset(wrong), is_sound and not wrong)


def _is_sound(read: object) -> bool:
    if isinstance(read, tuple):
        return all(map(_is_sound, read))
    return not isinstance(read, Entry) or read.is_sound


def _check_keys(table: Table, value: dict[str, object], path: Path, findings: Findings) -> bool:
    """Note unknown, missing and contradicting keys; tell whether there were none."""
    reasons: list[tuple[Path, str]] = []
    names = [key.name for key in table.keys]
    unknown = [name for name in value if name not in names]
    reasons += [((*path, name), f"unknown key: {nearest(name, names)}") for name in unknown]
    # A misspelled key is not missing as well.
    given = {*value, *(closest(name, names) for name in unknown)}
    reasons += [
        ((*path, key.name), f"is missing: give it ({key.meaning.removesuffix('.')})")
        for key in table.keys
        if key.required and key.name not in given
    ]
    for choice in table.exactly_one:
        found = [name for name in choice if name in value]
        if len(found) > 1:
            reasons.append(((*path, found[1]), f"excludes {found[0]}: give one of {', '.join(choice)}"))
        elif not given.intersection(choice):
            reasons.append((path, f"has none of {', '.join(choice)}: give one"))
    for one, other in table.never_both:
        if one in value and other in value:
            reasons.append(((*path, one), f"excludes {other}: give one of them"))
    for one, other in table.needs:
        if one in value and other not in value:
            reasons.append(((*path, one), f"needs {other}: give it as well, or leave {one} out"))
    for place, reason in reasons:
        findings.add(place, reason)
    return not reasons


def _read(kind: Kind, value: object, path: Path, findings: Findings) -> Any:
    """The value of a key or of an element of a list.

    Raises:
        _Wrong: it is wrong throughout; a list of tables or a table in which something is wrong is returned.
    """
    match kind:
        case Table():
            return read_table(kind, value, path, findings)
        case Many():
            return _list(kind, value, path, findings)
        case ByName():
            return _by_name(kind, value, path, findings)
        case Text():
            return _text(value, path, findings)
        case Word():
            return _word(kind, _text(value, path, findings), path, findings)
        case Choice():
            text = _text(value, path, findings)
            if text not in kind.values:
                _refuse(findings, path, f"{shown(text)!r} is none of {', '.join(kind.values)}")
            return text
        case Whole():
            return _whole(kind, value, path, findings)
        case Decimal():
            return _decimal(kind, value, path, findings)


def _refuse(findings: Findings, path: Path, reason: str) -> NoReturn:
    findings.add(path, reason)
    raise _Wrong


def _type(value: object) -> str:
    return next((name for kind, name in _TYPES if isinstance(value, kind)), "a number")


def _list(kind: Many, value: object, path: Path, findings: Findings) -> tuple[Any, ...]:
    if not isinstance(value, list):
        _refuse(findings, path, f"is {_type(value)}, and should be a list")
    if len(value) < kind.least:
        _refuse(findings, path, "is empty: give at least one")
    if isinstance(kind.of, Table):
        return tuple(read_table(kind.of, each, (*path, n), findings) for n, each in enumerate(value))
    read, seen, is_wrong = [], set(), False
    for n, each in enumerate(value):
        try:
            element = _read(kind.of, each, (*path, n), findings)
        except _Wrong:
            is_wrong = True
            continue
        if kind.distinct and element in seen:
            findings.add((*path, n), f"{shown(str(element))!r} is there already: name it once")
            is_wrong = True
        seen.add(element)
        read.append(element)
    if is_wrong:
        raise _Wrong
    return tuple(read)


def _by_name(kind: ByName, value: object, path: Path, findings: Findings) -> Number | dict[str, Number]:
    if not isinstance(value, dict):
        return _decimal(kind.of, value, path, findings)
    read, is_wrong = {}, False
    for name, each in value.items():
        try:
            read[name] = _decimal(kind.of, each, (*path, name), findings)
        except _Wrong:
            is_wrong = True
    if is_wrong:
        raise _Wrong
    return read


def _text(value: object, path: Path, findings: Findings) -> str:
    if not isinstance(value, str):
        _refuse(findings, path, f"is {_type(value)}, and should be a text: put it in quotation marks")
    if not value.strip():
        _refuse(findings, path, "is blank: write it, or leave the key out")
    if len(value) > LONGEST_TEXT:
        _refuse(findings, path, f"has {len(value)} characters: shorten it to {LONGEST_TEXT}")
    if found := CONTROL.search(value):
        _refuse(findings, path, f"has the control character U+{ord(found[0]):04X}: remove it")
    return value


def _word(kind: Word, text: str, path: Path, findings: Findings) -> str:
    if kind.form.fullmatch(text) is None:
        _refuse(findings, path, f"{shown(text)!r} is no {kind.means}: write {FORMS[kind.means]}")
    if kind.means == "name" and text in RESERVED:
        _refuse(findings, path, f"{text!r} is a word of formulas: choose another name")
    return text


def _whole(kind: Whole, value: object, path: Path, findings: Findings) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        shown_value = value.text if isinstance(value, Digits) else _type(value)
        _refuse(findings, path, f"is {shown_value}, and should be a whole number: write digits alone")
    _require_decimal_digits(path, findings)
    if value < kind.least or (kind.most is not None and value > kind.most):
        span = f"at least {kind.least}" if kind.most is None else f"a number from {kind.least} to {kind.most}"
        _refuse(
            findings, path, f"is {shown(str(value))}: give {kind.least if kind.least == kind.most else span}"
        )
    return value


def _decimal(kind: Decimal, value: object, path: Path, findings: Findings) -> Number:
    if isinstance(value, bool) or not isinstance(value, int | Digits):
        _refuse(findings, path, f"is {_type(value)}, and should be a number: write its digits")
    _require_decimal_digits(path, findings)
    text = value.text if isinstance(value, Digits) else findings.positions.literals[path]
    try:
        number = read_number(text.replace("_", ""))  # tomllib has seen that they stand between digits
    except ValueError as error:
        _refuse(findings, path, str(error))
    if kind.not_zero and number.value == 0:
        _refuse(findings, path, "is 0: give another number")
    if kind.least is not None and number.value < kind.least:
        _refuse(findings, path, f"is {shown(text)}: give a number of at least {float(kind.least):g}")
    if kind.most is not None and number.value > kind.most:
        _refuse(findings, path, f"is {shown(text)}: give a number of at most {kind.most}")
    return number


def _require_decimal_digits(path: Path, findings: Findings) -> None:
    """Refuse 0x, 0o and 0b, of which tomllib gives the value alone."""
    text = findings.positions.literals[path]
    if text[:2].lower() in ("0x", "0o", "0b"):
        _refuse(findings, path, f"{shown(text)} is not decimal: write decimal digits")


def parse_toml(text: str) -> dict[str, Any]:
    """The data of a TOML text, with `Digits` for numbers that are no ints.

    Raises:
        ValueError: it is no TOML.
        RecursionError: it is nested too deeply.
    """
    return tomllib.loads(text, parse_float=Digits)
