"""Every value on the page is the one in the dossier, and nothing else is shown but the catalogue's texts."""

from __future__ import annotations

import json
import re
from fractions import Fraction

import pytest

from hybrid_ai.report.language import LANGUAGES, printable, speech
from tests.unit.report.pages import UNSEEN, Dossier, Element, Made, machine, numbers_of, read_back

SIGNS = {*"·×±[],:/–…", "", "hybrid-ai", "s", "results.json", "assessment.json", "sha256sum --check"}
ROUNDED = ("seconds", "outputs", "margin")


@pytest.fixture(params=["planned", "unplanned"])
def both(request: pytest.FixtureRequest) -> Made:
    found: Made = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_value_is_the_one_that_its_source_holds(both: Made, language: str) -> None:
    dossier = Dossier(both.folder, both.report)
    elements = both.page(language).sourced()
    assert len(elements) > 150
    for element in elements:
        attributes = element.attributes
        rule = attributes.get("data-rule", "")
        expected = dossier.value(attributes["data-source"], rule)
        found = machine(element)
        if rule in ("numbers", "some"):
            assert numbers_of(found) == (
                expected if rule == "numbers" else [each for each in expected if each in numbers_of(found)]
            ), attributes
        elif rule.startswith(("physical", "sum", "percent")):
            assert Fraction(found) == Fraction(expected), attributes
        elif element.tag == "data" or "data-value" in attributes or "datetime" in attributes:
            assert found == expected, attributes
        else:
            assert found == printable(expected), attributes


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_number_reads_as_its_value_as_far_as_its_digits_go(both: Made, language: str) -> None:
    shown = 0
    for element in both.page(language).sourced():
        svg_number = element.tag == "text" and "data-value" in element.attributes
        if (element.tag != "data" and not svg_number) or element.attributes.get("data-rule") in (
            "numbers",
            "some",
        ):
            continue
        value, text = Fraction(machine(element)), element.text
        if re.fullmatch(r"[+-]?\d+/\d+", text):
            assert Fraction(text) == value
            continue
        number, slack = read_back(text, language)
        source, rule = element.attributes["data-source"], element.attributes.get("data-rule", "")
        rounded = any(word in source + rule for word in ROUNDED) or "≈" in text
        if rule.startswith("physical") or rule == "percent" or "/counterexample/x/" in source or rounded:
            assert abs(number - value) <= slack + abs(value) / 10**17, (text, value)
        else:
            assert number == value, (text, value)
        shown += 1
    assert shown > 50


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_other_text_is_of_the_catalogue(both: Made, language: str) -> None:
    pieces = {
        _plain(part)
        for text in speech(language).catalogue.values()  # type: ignore[arg-type]
        for part in re.split(r"\{[a-z_]+\}", text)
    }
    for element in both.page(language).elements:
        if element.tag in UNSEEN or any(_is_value(each) for each in [element, *element.parents]):
            continue
        for text in element.own:
            assert _plain(text) in pieces | SIGNS, (element.tag, text)


def test_figures_would_be_missed_if_they_were_wrong(planned: Made) -> None:
    dossier = Dossier(planned.folder, planned.report)
    results = json.loads((planned.folder / "results.json").read_text())["results"]
    seconds = "results.json#/results/3/seconds/total"
    assert dossier.value(seconds, "") == json.dumps(results[3]["seconds"]["total"])
    assert dossier.value("results.json#/results", "count /verdict proved 1-4") == "3"
    shown = [each for each in planned.page("en").sourced() if each.attributes["data-source"] == seconds]
    assert [machine(each) for each in shown] == [dossier.value(seconds, "")]


def test_what_a_requirement_must_show_is_shown(planned: Made) -> None:
    sources = {element.attributes["data-source"] for element in planned.page("en").sourced()}
    result = "results.json#/results/2"
    for place in (
        *(f"{result}/{name}" for name in ("verdict", "leaves", "bounded", "checked_by", "arithmetics/real")),
        f"{result}/seconds/total", f"{result}/counterexample/x/0",
        f"{result}/counterexample/outputs/float32/4",
        "results.json#/results/0/certificate/bytes", "results.json#/results/4/reason",
        "plan/plan.json#/verifications/0/model", "plan/plan.json#/verifications/142/claim",
        "plan/plan.json#/verifications/0/box/0/minimum", "plan/plan.json#/verifications/0/box/0/network/1",
        "plan/plan.json#/requirements/1/where", "plan/plan.json#/requirements/1/require",
        "plan/plan.json#/requirements/1/text", "plan/plan.json#/models/0/sha256",
        "plan/plan.json#/odd/inputs/0/unit", "plan/plan.json#/system/exclusions/1",
        "plan/plan.json#/assumptions/0/text", "plan/plan.json#/review/statement",
        "assessment.json#/counts/requirements/unknown", "assessment.json#/counts/verifications/unknown",
        "assessment.json#/requirements/3/coverage/1/volume/unknown", "assessment.json#/not_covered/2/count",
        "assessment.json#/without_evidence/0/id", "bom.cdx.json#/components/1/version",
        "trace/entries.jsonl#/0/time", "trace/checkpoints/000000000300.note", "verification#/digest",
        "verification#/additions/1/key", "verification#/additions/1/signature/organisation",
        "verification#/flags/0", "verification#/levels/0/detail",
    ):  # fmt: skip
        assert place in sources, place


def _is_value(element: Element) -> bool:
    # A verdict's own word has no source where it is a label.
    return "data-source" in element.attributes or element.tag in UNSEEN


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
