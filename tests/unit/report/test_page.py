"""The page as a document: its parts, what it may load and run, and what hostile texts do to it."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from hybrid_ai.report import page as pages
from hybrid_ai.report.content import read_content
from hybrid_ai.report.detail import DETAILS, gravest
from hybrid_ai.report.errors import ReportError
from hybrid_ai.report.language import LANGUAGES
from hybrid_ai.report.page import render
from tests.unit.report import builder, plans, sealed
from tests.unit.report.builder import Json, Story
from tests.unit.report.pages import Element, Made, Page, made

SECTIONS = ["summary", "traceability", "requirements", "effort", "method", "trace", "files"]
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}{% raw %}\u202e</bdi></td>"


def test_parts_come_in_their_order(planned: Made, unplanned: Made) -> None:
    for each in (planned, unplanned):
        found = [element.attributes["id"] for element in each.page("en").all("section")]
        assert found == SECTIONS


def test_the_first_part_says_what_it_must_before_anything_else(planned: Made) -> None:
    text = planned.page("en").at("summary").text
    disclaimer = (
        "Evidence prepared with hybrid-ai 0.1.0. Not a certificate, approval or conformity statement; the "
        "tool is not qualified; signatures are not qualified electronic signatures."
    )
    parts = [
        "Collision advisory for small aircraft",
        "2.1",
        "DRAFT",
        "proved",
        "refuted",
        "unknown",
        disclaimer,
    ]
    parts += ["Intended use", "Advises the pilot", "Encounters with several intruders.", "models/clear.onnx"]
    parts += ["Operational design domain", "60,760", "ft/s", "Arithmetic of the verdicts", "A-1"]
    parts += ["What is not covered", "which was not asked for"]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_called_a_draft_until_an_approver_signed(tmp_path: Path, language: str) -> None:
    builder.written(tmp_path, builder.without_plan)
    word = {"en": "DRAFT", "fr": "PROJET"}[language]
    for report, draft in (
        (None, True),
        (sealed.verified(), True),
        (sealed.verified("reviewer"), True),
        (sealed.with_attachment(sealed.verified("reviewer", "approver")), False),
    ):
        page = Page(render(read_content(tmp_path, report), language))  # type: ignore[arg-type]
        assert (word in page.at("summary").text) == draft
        assert bool(page.all("p", **{"class": "stamp"})) == draft
        assert (word in page.all("style")[0].text) == draft


def test_an_approver_is_named_with_the_key(tmp_path: Path) -> None:
    builder.written(tmp_path, builder.without_plan)
    for pinned, words in ((True, "the key is pinned"), (False, "the key is not pinned")):
        page = Page(render(read_content(tmp_path, sealed.verified("approver", pinned=pinned)), "en"))
        (banner,) = page.all("p", **{"class": "banner signed"})
        assert sealed.KEYS["approver"] in banner.text and words in banner.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_loads_nothing_and_runs_its_own_script_alone(planned: Made, language: str) -> None:
    page = planned.page(language)
    (style,), (script,) = page.all("style"), page.all("script")
    (policy,) = [
        element.attributes["content"]
        for element in page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    ]
    assert policy == (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    patterns = [pattern.attributes["id"] for pattern in page.all("pattern")]
    for element in page.elements:
        for name, value in element.attributes.items():
            assert not name.startswith("on"), (element.tag, name)
            assert name not in ("style", "src", "srcset", "background", "action", "data"), (element.tag, name)
            if name == "href":
                assert value.startswith(("#", "https://example.org/")), value
            if name == "fill":
                assert re.fullmatch("none|#[0-9a-f]{6}", value) or value[5:-1] in patterns, value
    assert not {element.tag for element in page.elements} & {
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "base",
        "image",
        "use",
    }
    for own in (style.text, script.text):
        assert not re.search(
            r"https?:|@import|url\(|\beval\b|innerHTML|document\.write|\bfetch\b|XMLHttp|WebSocket", own
        )


def test_links_lead_somewhere_and_ids_are_unique(planned: Made, unplanned: Made) -> None:
    for each in (planned, unplanned):
        page = each.page("en")
        ids = [element.attributes["id"] for element in page.elements if "id" in element.attributes]
        assert len(ids) == len(set(ids))
        for element in page.elements:
            for name in ("aria-labelledby", "for", "data-for"):
                assert element.attributes.get(name, ids[0]) in ids, element.attributes
            target = element.attributes.get("href", "")
            assert not target.startswith("#") or target[1:] in ids, target


def test_headings_tables_and_drawings_can_be_read_without_seeing_them(planned: Made, unplanned: Made) -> None:
    for each in (planned, unplanned):
        page = each.page("fr")
        assert page.all("html")[0].attributes["lang"] == "fr"
        levels = [int(element.tag[1]) for element in page.elements if re.fullmatch("h[1-6]", element.tag)]
        assert levels[0] == 1 and levels.count(1) == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))
        tables = page.all("table")
        assert len(page.all("caption")) == len(tables) > 5
        assert all(element.attributes.get("scope") in ("col", "row") for element in page.all("th"))
        for svg in page.all("svg"):
            assert svg.attributes.get("aria-hidden") == "true" or svg.attributes.get("role") == "img"


def test_verdicts_are_never_told_by_colour_alone(planned: Made) -> None:
    page = planned.page("en")
    badges = [
        element for element in page.elements if element.attributes.get("class", "").startswith("verdict ")
    ]
    assert len(badges) > 100
    for element in badges:
        assert element.text == element.attributes["class"].removeprefix("verdict ")
    style = page.all("style")[0].text
    marks = re.findall(r'\.(proved|refuted|unknown)\.verdict::before.*?content: "(.*?)"', style)
    assert dict(marks).keys() == {"proved", "refuted", "unknown"} and len({mark for _, mark in marks}) == 3
    patterns = {pattern.attributes["id"].rpartition("-")[2] for pattern in page.all("pattern")}
    assert patterns == dict(marks).keys()
    drawn = {
        cell.attributes["class"]
        for cell in page.all("path")
        if cell.attributes.get("class", "").startswith("cell")
    }
    assert drawn == {f"cell {name}" for name in dict(marks)}


def test_the_same_content_gives_the_same_bytes(planned: Made, tmp_path: Path) -> None:
    builder.written(tmp_path, builder.with_checkpoint, builder.with_disposition, builder.with_reused)
    again = read_content(tmp_path, planned.report)
    for language in LANGUAGES:
        assert render(again, language) == planned.data(language)


def test_hostile_texts_stay_texts(tmp_path: Path) -> None:
    def poison(story: Story) -> None:
        for part in (story.plan, story.assessment):
            _poison(part)
        for result in story.results["results"]:
            result["version"] = HOSTILE
            result["assumptions"] = [HOSTILE, f"{HOSTILE}, once more"]
            for name in ("reason", "checked_by"):
                result[name] = result[name] and HOSTILE
            result["reasons"] = dict.fromkeys(result["reasons"], HOSTILE)
        story.bom["components"][1]["name"] = HOSTILE

    report = sealed.verified("reviewer")
    flagged = replace(report, flags=(HOSTILE,))
    harmless = made(tmp_path / "harmless", report=report)
    hostile = made(tmp_path / "hostile", poison, report=flagged)
    for language in LANGUAGES:
        page = hostile.page(language)
        assert _skeleton(page) == _skeleton(harmless.page(language))
        assert "\u202e" not in hostile.data(language).decode()
        assert "alert(1)" not in page.all("script")[0].text
        (title,) = [element for element in page.elements if element.attributes.get("id") == "summary-title"]
        assert title.text == HOSTILE.replace("\u202e", "[U+202E]")


def test_web_addresses_alone_become_links(tmp_path: Path) -> None:
    sources = [
        "https://example.org/a?b=1#c",
        "javascript:alert(1)",
        "https://example.org/ and more",
        "data:text/html,x",
    ]

    def change(story: Story) -> None:
        for requirement, source in zip(story.plan["requirements"], sources, strict=False):
            requirement["source"] = source

    page = made(tmp_path, change).page("en")
    assert {e.attributes["href"] for e in page.all("a") if e.attributes["href"][0] != "#"} == {sources[0]}
    for source in sources:
        assert any(element.text == source for element in page.all("bdi"))


def test_texts_of_ten_thousand_signs_are_shown_in_full(tmp_path: Path) -> None:
    long = "Ω & < " * 1666

    def change(story: Story) -> None:
        story.plan["system"]["intended_use"] = long
        story.plan["requirements"][0]["text"] = long

    found = made(tmp_path, change)
    assert [element.text for element in found.page("en").all("bdi")].count(long) == 2


def test_right_to_left_texts_are_set_apart(tmp_path: Path) -> None:
    def change(story: Story) -> None:
        story.plan["requirements"][0]["text"] = "\u05d3\u05e8\u05d9\u05e9\u05d4 1"

    page = made(tmp_path, change).page("en")
    (element,) = [each for each in page.all("bdi") if each.text.startswith("\u05d3")]
    assert element.attributes["dir"] == "auto"


def test_large_dossiers_are_cut_short_and_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builder.written(tmp_path)
    content = read_content(tmp_path, None)
    whole = render(content, "en")
    assert len(whole) < 3_000_000
    monkeypatch.setattr(pages, "SIZE_LIMIT", len(whole))
    cut = render(content, "en")
    words = b"Cut short to keep this page small"
    assert len(cut) < len(whole) and cut.count(words) > whole.count(words)
    monkeypatch.setattr(pages, "SIZE_LIMIT", 1000)
    with pytest.raises(ReportError, match="however little"):
        render(content, "en")


def test_every_detail_makes_a_page(planned: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    for detail in DETAILS:
        monkeypatch.setattr(pages, "DETAILS", (detail,))
        data = render(planned.content, "fr")
        Page(data)
        sizes.append(len(data))
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] < 300_000


def test_what_is_cut_off_first_is_proved(planned: Made) -> None:
    subjects = planned.content.subjects
    kept = gravest(subjects, 4)
    statuses = [each.status.value for each in subjects]
    assert statuses == ["proved", "refuted", "unknown", "refuted", "refuted", "proved", "proved", "proved"]
    assert kept == list(subjects[1:5])
    grave = sum(run.result.verdict.value != "proved" for run in subjects[3].runs)
    runs = gravest(subjects[3].runs, grave)
    assert {run.result.verdict.value for run in runs} == {"refuted", "unknown"}  # type: ignore[union-attr]


def test_the_list_of_hashes_names_every_file_but_the_log(planned: Made) -> None:
    listed = dict(
        reversed(line.split("  ")) for line in planned.page("en").at("files-list").text.splitlines()
    )
    files = {
        path.relative_to(planned.folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in planned.folder.rglob("*")
        if path.is_file() and "trace" not in path.parts
    }
    assert listed == files


def test_a_long_list_of_hashes_keeps_the_manifest(planned: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    (planned.folder / "dossier.json").write_text("{}")
    try:
        content = read_content(planned.folder, planned.report)
    finally:
        (planned.folder / "dossier.json").unlink()
    monkeypatch.setattr(pages, "DETAILS", (replace(DETAILS[0], files=3),))
    listed = Page(render(content, "en")).at("files-list").text.splitlines()
    assert len(listed) == 3 and any(line.endswith("  dossier.json") for line in listed)


def _poison(value: Json) -> None:
    """Replace every free text."""
    for name, item in value.items():
        if isinstance(item, dict):
            _poison(item)
        elif isinstance(item, list):
            value[name] = [
                HOSTILE if isinstance(each, str) and name == "exclusions" else each for each in item
            ]
            for each in item:
                if isinstance(each, dict):
                    _poison(each)
        elif isinstance(item, str) and name in (
            "name", "version", "intended_use", "organisation", "text", "source", "description", "rationale",
            "criticality", "acceptance", "note", "statement", "unit", "tag",
        ) and item not in {"1", *(row[0] for row in plans.INPUTS)}:  # fmt: skip
            value[name] = HOSTILE


def _skeleton(page: Page) -> list[str]:
    """Its elements; web addresses are links, hostile texts are none."""
    return [element.tag for element in page.elements if element.tag != "a"]


def _hash(element: Element) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(element.text.encode()).digest()).decode()}"


@pytest.mark.parametrize(
    ("language", "head"), [("en", "Taken over from the dossier"), ("fr", "Repris du dossier")]
)
def test_a_result_that_was_taken_over_says_from_where(tmp_path: Path, language: str, head: str) -> None:
    for changes, expected in (((), 0), ((builder.with_reused,), 1)):
        page = made(tmp_path / str(expected), *changes).page(language)
        assert len([each for each in page.all("th") if each.text == head]) == expected
        marked = [each for each in page.sourced() if each.text == "e5" * 32]
        sources = [each.attributes["data-source"] for each in marked]
        assert sources == ["results.json#/results/0/reused_from"] * expected


LATE = {
    "en": "made after the approval of 2026-11-21 08:00:01 UTC with the key",
    "fr": "faite après l’approbation du 2026-11-21 08:00:01 UTC avec la clé",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_disposition_after_an_approval_says_so(tmp_path: Path, language: str) -> None:
    builder.written(tmp_path, builder.with_disposition)
    report = sealed.verified("reviewer", "approver")
    for index, late in ((1, 0), (2, 1)):  # before and after the approver's signature, which is the second
        content = read_content(tmp_path, sealed.with_disposition(report, index))
        text = Page(render(content, language)).at("trace").text  # type: ignore[arg-type]
        assert "Not <near> & slow." in text and "R-4" in text
        assert text.count(f"{LATE[language]} {sealed.KEYS['approver']}") == late
    assert "R-4" not in Page(render(read_content(tmp_path, report), language)).at("trace").text  # type: ignore[arg-type]


def test_a_disposition_that_is_none_is_refused(tmp_path: Path) -> None:
    def changed(story: Story) -> None:
        builder.with_disposition(story)
        file = "attachments/0001/disposition.json"
        story.files[file] = story.files[file].replace(b"restricted", b"forgotten")

    builder.written(tmp_path, changed)
    with pytest.raises(ReportError, match=r"disposition\.json.*/kind: must be one of"):
        read_content(tmp_path, sealed.with_disposition(sealed.verified(), 0))
