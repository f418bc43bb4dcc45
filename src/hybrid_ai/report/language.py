"""The two languages of a report: the catalogue of its texts, and how numbers are written."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from functools import cache
from importlib import resources
from typing import Literal

from hybrid_ai.report.datum import Datum

Language = Literal["en", "fr"]
LANGUAGES: tuple[Language, ...] = ("en", "fr")

NARROW = "\u202f"  # narrow no-break space
# Directional overrides, embeddings and isolates: they could make a formula read otherwise than it is.
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_LONGEST = 40  # characters of an exact number that is shown in full
_SIGNIFICANT = {"double": 7, "exact": 7, "seconds": 3}
_PLAIN_EXPONENTS = range(-5, 15)  # of the first digit: such numbers are written without a power of ten
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SLOT = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True)
class Part:
    """A piece of a catalogue's text: words, or the name of what stands in their place."""

    text: str
    slot: str


@dataclass(frozen=True)
class Speech:
    """A language with its catalogue.

    Attributes:
        language: which.
        catalogue: texts by key.
        keys: keys of phrases by their English text.
    """

    language: Language
    catalogue: dict[str, str]
    keys: dict[str, str]

    def text(self, key: str) -> str:
        """A text without slots."""
        return self.catalogue[key]

    def parts(self, key: str) -> tuple[Part, ...]:
        """A text with slots."""
        pieces = _SLOT.split(self.catalogue[key])
        parts = [Part("", piece) if index % 2 else Part(piece, "") for index, piece in enumerate(pieces)]
        return tuple(part for part in parts if part.text or part.slot)

    def knows(self, datum: Datum) -> bool:
        """Whether a phrase is one of the catalogue's; others stay English."""
        return datum.value in self.keys

    def shown(self, datum: Datum) -> str:
        """What is shown of a datum."""
        match datum.kind:
            case "word":
                return self.catalogue[f"word.{datum.value}"]
            case "phrase":
                key = self.keys.get(datum.value)
                return printable(datum.value) if key is None else self.catalogue[key]
            case "time":
                return f"{datum.value[:10]} {datum.value[11:19]} UTC"
            case "integer":
                return self._decimal(datum.value)
            case "numbers":
                return datum.value.replace("-", "–").replace(",", ", ")
            case "fraction":
                return str(Fraction(datum.value))
            case "percent":
                return self._percent(Fraction(datum.value))
            case "exact" | "double" | "seconds":
                return self._number(datum)
        return printable(datum.value)

    def _number(self, datum: Datum) -> str:
        if "/" in datum.value:
            number = Fraction(datum.value)
            if datum.kind == "exact" and len(datum.value) <= _LONGEST:
                return datum.value
            value = _context(50).divide(Decimal(number.numerator), Decimal(number.denominator))
        else:
            value = Decimal(datum.value)
            if datum.kind == "exact" and len(datum.value) <= _LONGEST:
                return self._written(value)
        digits = _SIGNIFICANT[datum.kind]
        if value.adjusted() in _PLAIN_EXPONENTS:
            digits = max(digits, value.adjusted() + 1)  # no digit before the point is rounded away
        rounded = _context(digits).plus(value)
        about = f"≈{NARROW}" if datum.kind == "exact" and rounded != value else ""
        return about + self._written(rounded)

    def _written(self, value: Decimal) -> str:
        if value == 0:
            return "0"
        if value.adjusted() in _PLAIN_EXPONENTS:
            return self._decimal(f"{value:f}")
        exponent = value.adjusted()
        mantissa = self._decimal(f"{value.scaleb(-exponent, _context(4400)):f}")
        power = str(exponent).translate(_SUPERSCRIPTS)
        return f"{mantissa}{NARROW}×{NARROW}10{power}"

    def _decimal(self, text: str) -> str:
        """A decimal with the language's point, and groups of digits from the fifth on."""
        sign = "−" if text.startswith("-") else ""
        whole, _, places = text.lstrip("+-").partition(".")
        if len(whole) > 4:
            whole = f"{int(whole):,}".replace(",", "," if self.language == "en" else NARROW)
        point = "." if self.language == "en" else ","
        return f"{sign}{whole}{point}{places}" if places else f"{sign}{whole}"

    def _percent(self, value: Fraction) -> str:
        """A percentage with one digit; only nothing is 0 and only all is 100."""
        edge = Fraction(1, 10)
        mark, shown = "", value
        if 0 < value < edge:
            mark, shown = f"<{NARROW}", edge
        elif 100 - edge < value < 100:
            mark, shown = f">{NARROW}", 100 - edge
        tenths = round(shown * 10)
        digits = f"{tenths // 10}" if tenths % 10 == 0 else f"{tenths // 10}.{tenths % 10}"
        sign = "%" if self.language == "en" else "\u00a0%"
        return f"{mark}{self._decimal(digits)}{sign}"


@cache
def speech(language: Language) -> Speech:
    """A language with its catalogue."""
    catalogue = _read(language)
    keys = {text: key for key, text in _read("en").items() if key.startswith("phrase.")}
    return Speech(language, catalogue, keys)


def printable(text: str) -> str:
    """A text without what could hide or reorder its signs: such controls are shown by their names."""
    return "".join(f"[U+{ord(sign):04X}]" if _is_hidden(sign) else sign for sign in text)


def _is_hidden(sign: str) -> bool:
    return sign in _BIDI_CONTROLS or (unicodedata.category(sign) == "Cc" and sign not in "\n\t")


def _context(digits: int) -> Context:
    return Context(prec=digits, rounding=ROUND_HALF_EVEN, Emax=999_999, Emin=-999_999)


def _read(language: Language) -> dict[str, str]:
    file = resources.files("hybrid_ai.report") / "catalogues" / f"{language}.json"
    catalogue: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return catalogue
