"""Catalogues and how numbers are written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from fractions import Fraction
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_ai.report.datum import Datum, Kind, ranged
from hybrid_ai.report.language import LANGUAGES, Language, printable, speech
from tests.unit.report.pages import Made, read_back

EN, FR = (speech(language) for language in LANGUAGES)
ENGLISH = (
    "Evidence prepared with hybrid-ai {version}. Not a certificate, approval or conformity statement; the "
    "tool is not qualified; signatures are not qualified electronic signatures."
)
BUILT = r'"([a-z_]+\.)" ~'  # keys of which a template has the beginning


def shown(value: str, kind: Kind, language: Language = "en", rule: str = "") -> str:
    return speech(language).shown(Datum(value, "x#", kind, rule))


def test_catalogues_have_equal_keys_and_slots() -> None:
    assert EN.catalogue.keys() == FR.catalogue.keys()
    for key, text in EN.catalogue.items():
        for pattern in (r"\{[a-z_]+\}", r"\[[a-z_]+\]"):
            assert sorted(re.findall(pattern, text)) == sorted(re.findall(pattern, FR.catalogue[key])), key
        assert text.strip() and FR.catalogue[key].strip(), key


def test_catalogue_files_name_no_key_twice() -> None:
    def pairs(found: list[tuple[str, str]]) -> dict[str, str]:
        assert len(dict(found)) == len(found)
        return dict(found)

    for language in LANGUAGES:
        file = resources.files("hybrid_ai.report") / "catalogues" / f"{language}.json"
        assert json.loads(file.read_text(), object_pairs_hook=pairs) == speech(language).catalogue


def test_every_text_of_the_catalogues_is_used() -> None:
    sources = "".join(_sources())
    begun = tuple(re.findall(BUILT, sources)) + ("word.", "phrase.", "column.")
    named = {key for key in EN.catalogue if f'"{key}"' in sources or f"'{key}'" in sources}
    unused = [key for key in EN.catalogue if key not in named and not key.startswith(begun)]
    assert unused == []
    columns = {key.removeprefix("column.") for key in EN.catalogue if key.startswith("column.")}
    assert [name for name in columns if f'"{name}"' not in sources] == []


def test_verdicts_are_called_as_agreed() -> None:
    for word, french in (("proved", "prouvé"), ("refuted", "réfuté"), ("unknown", "indéterminé")):
        assert (EN.catalogue[f"word.{word}"], FR.catalogue[f"word.{word}"]) == (word, french)
    assert EN.catalogue["disclaimer"] == ENGLISH


def test_french_is_set_as_french() -> None:
    for key, text in FR.catalogue.items():
        bare = text.replace("{version}", "0")
        assert "'" not in bare and '"' not in bare, key
        assert not re.search(r"[^\u202f][;!?]", bare), key
        assert not re.search(r"[^\u00a0](?<![0-9]):", bare), key
        assert not re.search("  | \\.|\u00a0 | \u00a0", bare), key


def test_english_is_set_as_english() -> None:
    for key, text in EN.catalogue.items():
        assert not re.search("['\"]|[\u00a0\u202f]| [;:!?.]|  ", text), key


@pytest.mark.parametrize(
    ("value", "kind", "english", "french"),
    [
        ("0", "integer", "0", "0"),
        ("1000", "integer", "1000", "1000"),
        ("2147483648", "integer", "2,147,483,648", "2\u202f147\u202f483\u202f648"),
        ("-55947.691", "exact", "−55,947.691", "−55\u202f947,691"),
        ("0.10", "exact", "0.10", "0,10"),
        ("1/3", "exact", "1/3", "1/3"),
        ("149.84236050177247534520574845373630523681640625", "exact", "≈\u202f149.8424", "≈\u202f149,8424"),
        ("1e-9", "exact", "1\u202f×\u202f10⁻⁹", "1\u202f×\u202f10⁻⁹"),
        ("2.5E20", "exact", "2.5\u202f×\u202f10²⁰", "2,5\u202f×\u202f10²⁰"),
        ("0.9651229769951897", "seconds", "0.965", "0,965"),
        ("1255.1085714285714", "seconds", "1255", "1255"),
        ("1273.0588004076326", "double", "1273.059", "1273,059"),
        ("50", "percent", "50%", "50\u00a0%"),
        ("200/3", "percent", "66.7%", "66,7\u00a0%"),
        ("100", "percent", "100%", "100\u00a0%"),
        ("0", "percent", "0%", "0\u00a0%"),
        ("1/100", "percent", "<\u202f0.1%", "<\u202f0,1\u00a0%"),
        ("9999/100", "percent", ">\u202f99.9%", ">\u202f99,9\u00a0%"),
        ("5/9", "fraction", "5/9", "5/9"),
        ("1-3,7", "numbers", "1–3, 7", "1–3, 7"),
        ("2026-11-20T22:57:56.007Z", "time", "2026-11-20 22:57:56 UTC", "2026-11-20 22:57:56 UTC"),
        ("timeout", "phrase", "timeout", "temps écoulé"),
        ("unsupported Conv at 3", "phrase", "unsupported Conv at 3", "unsupported Conv at 3"),
    ],
)
def test_values_are_written_as_each_language_does(value: str, kind: Kind, english: str, french: str) -> None:
    assert (shown(value, kind, "en"), shown(value, kind, "fr")) == (english, french)


@given(st.fractions(min_value=0, max_value=1))
def test_only_nothing_is_0_and_only_all_is_100_percent(part: Fraction) -> None:
    text = shown(str(100 * part), "percent")
    assert (text == "0%") == (part == 0)
    assert (text == "100%") == (part == 1)


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(LANGUAGES))
def test_rounded_numbers_are_near_what_they_stand_for(value: float, language: Language) -> None:
    number, slack = read_back(shown(json.dumps(value), "double", language), language)
    assert abs(number - Fraction(json.dumps(value))) <= slack


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6), st.sampled_from(LANGUAGES))
def test_exact_numbers_are_shown_in_full(value: object, language: Language) -> None:
    text = shown(str(value), "exact", language)
    if "≈" not in text:
        assert read_back(text, language)[0] == Fraction(str(value))


@given(st.sets(st.integers(1, 200)))
def test_ranges_tell_all_numbers(numbers: set[int]) -> None:
    text = ranged(numbers)
    found = [
        n
        for part in text.split(",")
        if part
        for n in range(int(part.split("-")[0]), int(part.split("-")[-1]) + 1)
    ]
    assert found == sorted(numbers)
    assert "," not in ranged(range(1, 9))


def test_signs_that_reorder_others_are_shown_by_name() -> None:
    assert printable("a\u202eb\u2066c\x00\u05d0\n\t") == "a[U+202E]b[U+2066]c[U+0000]\u05d0\n\t"


def test_sentences_that_stay_english_are_marked_so(planned: Made) -> None:
    page = planned.page("fr")
    (flag,) = [each for each in page.sourced() if each.attributes["data-source"] == "verification#/flags/0"]
    assert flag.attributes["lang"] == "en"
    reason = [each for each in page.sourced() if each.text == "temps écoulé"]
    assert reason and not any("lang" in each.attributes for each in reason)


def _sources() -> Iterator[str]:
    package = resources.files("hybrid_ai.report")
    for folder, ending in ((package, ".py"), (package / "templates", ".j2")):
        for file in folder.iterdir():
            if file.name.endswith(ending):
                yield file.read_text()
