"""What is read from a dossier, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from hybrid_ai.report.content import read_content
from hybrid_ai.report.counterexamples import place
from hybrid_ai.report.errors import ReportError
from tests.certified import SIGNER, certified_copy, verified
from tests.unit.report import builder
from tests.unit.report.builder import Json, Story
from tests.unit.report.pages import Made, at
from tests.unit.report.plans import cell_verdicts

Break = Callable[[Story], None]


def setting(document: str, pointer: str, value: Any) -> Break:
    """A change of one value; `...` removes it."""

    def change(story: Story) -> None:
        holder, _, name = pointer.rpartition("/")
        found = at(getattr(story, document), holder)
        if value is ...:
            del found[name]
        else:
            found[int(name) if isinstance(found, list) else name] = value

    return change


DEFECTS = [
    # Each JSON file is of its format.
    ("plan", "/format", 2, "plan/plan.json: /format: is not 1"),
    ("plan", "/format", True, "plan/plan.json: /format: is not 1"),
    ("assessment", "/format", "1", "assessment.json: /format: is not 1"),
    ("results", "/format", "other", "results.json: /format"),
    ("results", "/version", 2, "results.json: /version"),
    ("results", "/results", [], "results.json: /results: is empty"),
    ("results", "/results", {}, "results.json: /results: must be an array"),
    ("plan", "/system", ..., "plan/plan.json: lacks system"),
    ("plan", "/system/name", 3, "plan/plan.json: /system/name: must be a string"),
    ("plan", "/system/name", "\ud800", "plan/plan.json: /system/name: has half of a surrogate"),
    ("plan", "/models/0/path", "javascript:alert(1)", "/models/0/path: must be the path"),
    ("plan", "/models/0/path", "../x", "/models/0/path: must be the path"),
    ("plan", "/models/0/sha256", "00", "/models/0/sha256: must be 64"),
    ("plan", "/models/0/preprocessing", "none", "/preprocessing: must be one of declared, inside"),
    ("plan", "/models/0/inputs/0/scale", 2, "/inputs/0/scale: must be a string"),
    ("plan", "/models/0/inputs/0/scale", "1e99999", "/inputs/0/scale: must be a decimal"),
    ("plan", "/models/0/inputs/0/scale", "1/0", "/inputs/0/scale: must be a decimal"),
    ("plan", "/models/0/inputs/0/scale", "1" * 5000, "/inputs/0/scale: has more than 4000"),
    ("plan", "/odd/inputs/0/minimum", "99999", "/odd/inputs/0: its minimum is above"),
    ("plan", "/review/roles/0", "king", "/review/roles/0: must be one of"),
    ("plan", "/requirements/3/coverage/cells", [3], "/requirements/3/coverage: needs one number"),
    ("plan", "/requirements/3/coverage/cells", [3, 0], "/requirements/3/coverage: needs at least one cell"),
    ("plan", "/requirements/3/coverage/inputs/0", "rh0", "/requirements/3/coverage/inputs/0: is no input"),
    ("plan", "/verifications/0/box/0/network", ["0"], "/verifications/0/box/0: needs two numbers"),
    ("plan", "/verifications/0/claim", "maybe", "/verifications/0/claim: must be one of"),
    ("plan", "/verifications/6/cell", [99, 0], "is of no cell of it"),
    ("plan", "/verifications/6/cell", None, "is of no cell of it"),
    ("results", "/results/0/verdict", "approved", "/results/0/verdict: must be one of"),
    ("results", "/results/0/leaves", -1, "/results/0/leaves: must be a whole number"),
    ("results", "/results/0/leaves", True, "/results/0/leaves: must be a whole number"),
    ("results", "/results/0/seconds/total", "1", "/results/0/seconds/total: must be a number"),
    ("results", "/results/0/vacuous", 0, "/results/0/vacuous: must be true or false"),
    ("results", "/results/2/counterexample/x/0", "0x1", "/counterexample/x/0: must be a decimal"),
    ("results", "/results/2/counterexample/outputs/real/0", "much", "/outputs/real/0: must be one of"),
    ("assessment", "/objectives/0/evidence/0/offered", "yes", "/offered: must be true or false"),
    # The files do not contradict one another.
    ("plan", "/verifications/0/number", 2, "/verifications/0/number: is not 1"),
    ("plan", "/verifications/0/model", "other", "/verifications/0: is of a model"),
    ("plan", "/verifications/0/requirement", "R-9", "/verifications/0: is of a requirement"),
    ("plan", "/verifications/0/requirement", "R-2", "/requirements/0: its verifications are not"),
    ("plan", "/verifications/0/path", "properties/0002.vnnlib", "/verifications/0: is of another model"),
    ("results", "/results/0/model_sha256", "0" * 64, "plan/plan.json: /verifications/0: is of another model"),
    ("assessment", "/requirements/0/id", "R-9", "assessment.json: /requirements: are not those"),
    ("assessment", "/objectives/0/requirements/0", "R-9", "assessment.json: /objectives: name requirements"),
    ("assessment", "/counts/requirements/proved", 7, "assessment.json: /counts/requirements: are not what"),
    ("assessment", "/counts/verifications/unknown", 0, "/counts/verifications: are not what"),
    ("assessment", "/requirements/3/coverage/0/cells/proved", 1, "/coverage/0/cells: counts other"),
    ("assessment", "/requirements/3/coverage/0/volume/proved", "1/7", "/volume: its parts do not add up"),
    ("assessment", "/requirements/3/coverage/0/volume/proved", "3/2", "/volume/proved: must be from 0 to 1"),
    # The log and the bill of materials.
    ("entries", "/0/time", "yesterday", "trace/entries.jsonl: /0/time: must be a time"),
    ("bom", "/components/1/version", 1, "bom.cdx.json: /components/1/version: must be a string"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "pointer", "value", "message"), DEFECTS)
def test_defects_are_named_with_their_place(
    tmp_path: Path, story: Story, document: str, pointer: str, value: Any, message: str
) -> None:
    setting(document, pointer, value)(story)
    if value == "\ud800":
        story.write(tmp_path, ascii=True)
    else:
        story.write(tmp_path)
    with pytest.raises(ReportError) as caught:
        read_content(tmp_path, None)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{", "is no JSON"),
        (b"\xff", "is no JSON"),
        (b'{"a": NaN}', "NaN is no JSON number"),
        (b'{"a": 1e999}', "beyond the largest double"),
        (b'{"a": 1, "a": 2}', "a member appears twice"),
        (b"[" * 100_000, "is nested too deep"),
        (b"[]", "must be an object"),
    ],
)
@pytest.mark.parametrize("name", ["plan/plan.json", "assessment.json", "results.json", "bom.cdx.json"])
def test_what_is_no_json_is_refused(
    tmp_path: Path, story: Story, name: str, text: bytes, message: str
) -> None:
    story.write(tmp_path)
    (tmp_path / name).write_bytes(text)
    with pytest.raises(ReportError, match=message) as caught:
        read_content(tmp_path, None)
    assert caught.value.document == name


@pytest.mark.parametrize("name", ["plan/plan.json", "assessment.json", "results.json", "trace/entries.jsonl"])
def test_missing_files_are_named(tmp_path: Path, story: Story, name: str) -> None:
    story.write(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ReportError, match="is missing") as caught:
        read_content(tmp_path, None)
    assert caught.value.document == name


@pytest.mark.parametrize(
    ("text", "message"), [(b"", "has no entry"), (b"{}", "does not end"), (b"{\n", "line 1: is no JSON")]
)
def test_a_broken_log_is_refused(tmp_path: Path, story: Story, text: bytes, message: str) -> None:
    story.write(tmp_path)
    (tmp_path / "trace/entries.jsonl").write_bytes(text)
    with pytest.raises(ReportError, match=message):
        read_content(tmp_path, None)


def test_a_broken_checkpoint_is_refused(tmp_path: Path, story: Story) -> None:
    story.files["trace/checkpoints/000000000001.note"] = b"nothing\n"
    story.write(tmp_path)
    with pytest.raises(ReportError, match="is no checkpoint"):
        read_content(tmp_path, None)


def test_errors_print_no_control_characters() -> None:
    assert str(ReportError("a", "/\x1b[31m", "b\u202e")) == "a: /\\x1b[31m: b\\u202e"


def test_files_that_no_dossier_holds_are_not_listed(tmp_path: Path, story: Story) -> None:
    story.write(tmp_path)
    (tmp_path / ".hybrid-ai-unfinished").write_text("x")
    (tmp_path / "pending").mkdir()
    (tmp_path / "pending" / "x").write_text("x")
    (tmp_path / "link").symlink_to("/etc/passwd")
    listed = {file.path for file in read_content(tmp_path, None).files}
    assert "results.json" in listed and listed == set(story.files) | {
        "results.json", "plan/plan.json", "assessment.json", "bom.cdx.json"
    }  # fmt: skip


def test_coordinates_are_converted_exactly_and_placed_in_their_range(planned: Made) -> None:
    (found,) = planned.content.subjects[1].counterexamples
    rho = found.inputs[0]
    exact = Fraction("-0.3") * Fraction("60261") + Fraction("19791.091")
    assert (rho.name.value, Fraction(rho.value.value)) == ("rho", exact)
    assert rho.track is not None and rho.track.point == f"{float(exact / 60760 * 200):.1f}"
    assert rho.track.box == (f"{1500 / 60760 * 200:.1f}", f"{1800 / 60760 * 200:.1f}")
    assert found.inputs[4].value.value == "1000"  # 1/3 * 1200 + 600
    ends = [output.places["real"] for output in found.outputs]
    assert ends[0] == "200.0" and ends[2] == "0.0"
    least, most = 18, 1511.25
    assert ends[4] == found.outputs[4].places["float32"] == f"{(22 - least) / (most - least) * 200:.1f}"


def test_points_outside_a_range_are_drawn_at_its_end(tmp_path: Path, story: Story) -> None:
    for value, beyond, end in (("9", 1, "200.0"), ("-9", -1, "0.0")):
        setting("results", "/results/2/counterexample/x/0", value)(story)
        story.write(tmp_path)
        track = read_content(tmp_path, None).subjects[1].counterexamples[0].inputs[0].track
        assert track is not None and (track.beyond, track.point) == (beyond, end)
    assert place(Fraction(3), Fraction(3), Fraction(3)) == "100"


def test_outputs_that_are_no_numbers_are_told(tmp_path: Path, story: Story) -> None:
    setting("results", "/results/2/counterexample/outputs/real/0", "inf")(story)
    setting("results", "/results/2/counterexample/outputs/float32", None)(story)
    found = read_content(story.write(tmp_path), None).subjects[1].counterexamples[0]
    values = found.outputs[0].values
    assert values["real"] is not None and values["real"].value == "inf" and values["float32"] is None


def test_maps_show_the_verdict_of_each_cell(planned: Made) -> None:
    story = builder.planned_story()
    clear = planned.content.subjects[3].coverage[0]
    (drawn,) = clear.maps
    assert (drawn.x.name.value, drawn.y and drawn.y.name.value) == ("rho", "theta")
    cells = _verdicts(story, "R-4", "clear")
    assert {verdict: _area(path) for verdict, path in drawn.paths.items()} == pytest.approx(
        {verdict: list(cells.values()).count(verdict) * 300 * 220 / 24 for verdict in set(cells.values())},
        rel=1e-2,
    )
    assert cells[0, 0] == "refuted" and "M0 220" in drawn.paths["refuted"]
    marked = [cell for cell in _refuted_in(story, "R-4", "clear") if cells[cell] == "unknown"]
    assert marked and drawn.marks.count("M") == len(marked)


def test_maps_of_more_inputs_show_the_gravest_behind_one_another(planned: Made) -> None:
    story = builder.planned_story()
    (coverage,) = planned.content.subjects[4].coverage
    pairs = [(each.x.name.value, each.y.name.value) for each in coverage.maps if each.y]
    assert pairs == [("rho", "theta"), ("rho", "psi"), ("theta", "psi")] and coverage.behind
    cells = _verdicts(story, "R-5", "clear")
    gravity = ["refuted", "unknown", "proved"]
    seen = {cell[:2]: "proved" for cell in cells}
    for cell, verdict in cells.items():
        seen[cell[:2]] = min(seen[cell[:2]], verdict, key=gravity.index)
    areas = {verdict: list(seen.values()).count(verdict) * 300 * 220 / 9 for verdict in set(seen.values())}
    assert {verdict: _area(path) for verdict, path in coverage.maps[0].paths.items()} == pytest.approx(
        areas, rel=1e-2
    )


def test_the_axes_of_a_map_are_those_of_its_cells(tmp_path: Path, story: Story) -> None:
    for number in story.plan["requirements"][3]["verifications"]:
        planned = story.plan["verifications"][number - 1]
        if planned["cell"][0] == 0:
            planned["box"][0]["minimum"] = "77"
    drawn = read_content(story.write(tmp_path), None).subjects[3].coverage[0].maps[0]
    assert (drawn.x.minimum.value, drawn.x.maximum.value) == ("77", "60760")


def test_counterexamples_to_never_are_no_defects(planned: Made) -> None:
    subject = planned.content.subjects[3]
    claims = {run.result.number: run.planned.claim.value for run in subject.runs if run.planned}
    refuted = {run.result.number for run in subject.runs if run.result.point is not None}
    shown = {found.result.number for found in subject.counterexamples}
    assert shown == {number for number in refuted if claims[number] == "holds"} < refuted


def test_a_certified_dossier_is_reported(tmp_path: Path) -> None:
    folder = certified_copy(tmp_path / "dossier")
    content = read_content(folder, verified(folder, SIGNER))
    assert [subject.status.value for subject in content.subjects] == ["proved", "proved", "refuted"]
    assert content.plan is None and content.is_draft
    assert content.verified is not None and [each.key.value for each in content.verified.signatures] == [
        SIGNER.key_id
    ]
    assert content.log.head is not None and content.log.head.size.value == content.log.entries.value
    assert content.software[0].name.value == "hybrid-ai"
    assert "(assert" in content.subjects[0].properties[0].text.value  # type: ignore[union-attr]
    listed = {file.path: file.sha256 for file in content.files}
    manifest = json.loads((folder / "dossier.json").read_text())["files"]
    assert {file["path"]: file["sha256"] for file in manifest}.items() <= listed.items()


@pytest.fixture
def story() -> Story:
    return builder.planned_story()


def _runs(story: Story, requirement: str, model: str) -> list[tuple[Json, Json]]:
    pairs = zip(story.plan["verifications"], story.results["results"], strict=True)
    return [
        (plan, result)
        for plan, result in pairs
        if (plan["requirement"], plan["model"]) == (requirement, model)
    ]


def _verdicts(story: Story, requirement: str, model: str) -> dict[tuple[int, ...], str]:
    (planned,) = [each for each in story.plan["requirements"] if each["id"] == requirement]
    return cell_verdicts(planned, story.plan, story.results["results"])[model]


def _refuted_in(story: Story, requirement: str, model: str) -> dict[tuple[int, ...], bool]:
    return {
        tuple(plan["cell"]): True
        for plan, result in _runs(story, requirement, model)
        if (plan["claim"], result["verdict"]) == ("holds", "refuted")
    }


def _area(path: str) -> float:
    """The area of the rectangles of a path."""
    area = 0.0
    for part in path.split("z")[:-1]:
        _, _, rest = part.partition("h")
        wide, _, rest = rest.partition("v")
        area += float(wide) * -float(rest.partition("h")[0])
    return area
