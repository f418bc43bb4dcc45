"""A rendered page as its readers see it, and the values that its attributes say are in the dossier."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from decimal import Context, Decimal
from fractions import Fraction
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from hybrid_ai.audit.verification.dossier import Report
from hybrid_ai.report.content import ReportContent, read_content
from hybrid_ai.report.page import render
from tests.unit.report import builder

VOID = {"meta", "link", "br", "input", "hr", "img", "source", "path", "circle"}
UNSEEN = {"script", "style", "title", "noscript"}


@dataclass
class Element:
    """An element of a page: its text is all that stands in it."""

    tag: str
    attributes: dict[str, str]
    parents: list[Element]
    own: list[str] = field(default_factory=list)
    within: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.within)

    def below(self, tag: str) -> bool:
        return any(parent.tag == tag for parent in self.parents)


class Page(HTMLParser):
    """A page, read.

    Attributes:
        elements: in the order of their beginnings.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(data.decode())
        self.close()
        assert not self._open, [element.tag for element in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, names)
        element = Element(tag, {name: value or "" for name, value in attrs}, list(self._open))
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}, list(self._open)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open[-1].tag == tag, (tag, self._open[-1:])
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open:
            self._open[-1].own.append(data)
        for element in self._open:
            element.within.append(data)

    def all(self, tag: str, **attributes: str) -> list[Element]:
        alike = [element for element in self.elements if element.tag == tag]
        return [element for element in alike if attributes.items() <= element.attributes.items()]

    def sourced(self) -> list[Element]:
        """Elements that say where they are from."""
        return [element for element in self.elements if "data-source" in element.attributes]

    def at(self, anchor: str) -> Element:
        (found,) = [element for element in self.elements if element.attributes.get("id") == anchor]
        return found


@dataclass(frozen=True, eq=False)
class Made:
    """A dossier, what is known about it, and its pages."""

    folder: Path
    report: Report | None
    content: ReportContent

    @cache  # noqa: B019
    def data(self, language: str) -> bytes:
        return render(self.content, language)  # type: ignore[arg-type]

    @cache  # noqa: B019
    def page(self, language: str) -> Page:
        return Page(self.data(language))


def made(folder: Path, *changes: builder.Change, report: Report | None = None) -> Made:
    builder.written(folder, *changes)
    return Made(folder, report, read_content(folder, report))


def machine(element: Element) -> str:
    """What an element says in full."""
    for name in ("value", "data-value", "datetime"):
        if name in element.attributes:
            return element.attributes[name]
    return element.text


class Dossier:
    """The values of a dossier, found by what a page says of their origin."""

    def __init__(self, folder: Path, report: Report | None) -> None:
        self._folder = folder
        self._documents: dict[str, Any] = {"verification": None if report is None else _plain(asdict(report))}

    def value(self, source: str, rule: str) -> str:
        document, mark, pointer = source.partition("#")
        if document == "files":
            return self._hashes()
        if not mark:
            text = (self._folder / document).read_bytes().decode()
            return text.split("\n")[int(rule.removeprefix("line ")) - 1] if rule else text
        value = self._at(document, pointer)
        name, *arguments = rule.split(" ")
        if name == "physical":
            return self._physical(value, arguments[0])
        return RULES[name](value, pointer, arguments)

    def _physical(self, value: str | float, quantity: str) -> str:
        document, _, pointer = quantity.partition("#")
        found = self._at(document, pointer)
        exact = Fraction(_text(value)) * Fraction(found["scale"]) + Fraction(found["offset"])
        return str(Context(prec=17).divide(Decimal(exact.numerator), Decimal(exact.denominator)))

    def _at(self, document: str, pointer: str) -> Any:
        if document not in self._documents:
            text = (self._folder / document).read_text()
            lines = [json.loads(line) for line in text.splitlines()] if document.endswith("l") else None
            self._documents[document] = json.loads(text) if lines is None else lines
        return at(self._documents[document], pointer)

    def _hashes(self) -> str:
        paths = sorted(
            path.relative_to(self._folder).as_posix() for path in self._folder.rglob("*") if path.is_file()
        )
        kept = [path for path in paths if not path.startswith("trace/")]
        return "".join(
            f"{hashlib.sha256((self._folder / path).read_bytes()).hexdigest()}  {path}\n" for path in kept
        )


def at(value: Any, pointer: str) -> Any:
    for name in pointer.split("/")[1:]:
        name = name.replace("~1", "/").replace("~0", "~")
        value = value[int(name)] if isinstance(value, list) else value[name]
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def numbers_of(text: str) -> list[int]:
    found: list[int] = []
    for part in text.split(",") if text else []:
        first, _, last = part.partition("-")
        found.extend(range(int(first), int(last or first) + 1))
    return found


def _chosen(items: list[Any], arguments: list[str], position: int) -> list[Any]:
    return [items[n - 1] for n in numbers_of(arguments[position])] if len(arguments) > position else items


def _find(item: Any, pointer: str) -> Any:
    for name in pointer.split("/")[1:]:
        item = None if item is None else item[name]
    return item


def _sum(items: list[Any], _: str, arguments: list[str]) -> str:
    found = [_find(item, arguments[0]) for item in _chosen(items, arguments, 1)]
    numbers = [number for number in found if number is not None]
    return json.dumps(
        math.fsum(numbers) if any(isinstance(number, float) for number in numbers) else sum(numbers)
    )


def _some(items: list[Any], _: str, __: list[str]) -> list[Any]:
    return items


RULES: dict[str, Callable[[Any, str, list[str]], Any]] = {
    "": lambda value, _, __: _text(value),
    "length": lambda value, _, __: str(len(value)),
    "ordinal": lambda _, pointer, __: str(int(pointer.rpartition("/")[2]) + 1),
    "key": lambda _, pointer, __: pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~"),
    "index": lambda _, pointer, arguments: arguments[0] + pointer.rpartition("/")[2],
    "numbers": lambda value, _, __: sorted(value),
    "some": _some,
    "count": lambda value, _, a: str(sum(_find(item, a[0]) == a[1] for item in _chosen(value, a, 2))),
    "present": lambda value, _, a: str(sum(_find(item, a[0]) is not None for item in _chosen(value, a, 1))),
    "sum": _sum,
    "percent": lambda value, _, __: str(100 * Fraction(value)),
}


def read_back(text: str, language: str) -> tuple[Fraction, Fraction]:
    """A number as a reader of the page takes it, and how much it may be off."""
    text = re.sub("[\u202f\u00a0 %]", "", text).replace("−", "-").lstrip("≈<>")
    mantissa, _, power = text.partition("×10")
    if language == "fr":
        assert "." not in mantissa
        mantissa = mantissa.replace(",", ".")
    else:
        mantissa = mantissa.replace(",", "")
    exponent = int(power.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")) or "0")
    places = len(mantissa.partition(".")[2])
    return Fraction(mantissa) * Fraction(10) ** exponent, Fraction(10) ** (exponent - places) / 2
