"""A plan certified: what the dossier says of each requirement, cell and objective, and that it all fits."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.objectives.catalogue import shipped
from hybrid_ai.audit.results import cell_verdict
from hybrid_ai.pipeline import certification
from hybrid_ai.pipeline.certification import certify
from hybrid_ai.pipeline.comparing import compare
from hybrid_ai.pipeline.errors import BadInput
from hybrid_ai.pipeline.instances import Case, Request
from hybrid_ai.pipeline.limits import Limits
from hybrid_ai.pipeline.plans.assessment import assess, combined, require_assessment
from hybrid_ai.pipeline.plans.reading import read_plan
from hybrid_ai.pipeline.plans.running import certify_plan
from hybrid_ai.pipeline.plans.verifications import verifications
from hybrid_ai.rules import evaluate
from hybrid_ai.spec import read_vnnlib
from tests.certified import OTHER, SIGNER, Content, Told, results_of, verified
from tests.unit.pipeline.plans.plan_files import write_files
from tests.unit.pipeline.plans.plan_texts import OBJECTIVE, edited

CELLS = ("cells = [4, 3]", "cells = [2, 2]")
TIME = ("timeout = 2.5", "timeout = 30")


def write(folder: Path, *edits: tuple[str, str]) -> Path:
    folder.mkdir(exist_ok=True)
    path = write_files(folder) / "plan.toml"
    path.write_text(edited(OBJECTIVE, CELLS, TIME, *edits))
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plan")
    certify_plan(read_plan(write(folder / "in")), folder / "dossier", SIGNER, shipped())
    return folder


def documents(root: Path) -> tuple[Content, Content, list[Content]]:
    plan, assessment = (
        json.loads((root / name).read_bytes()) for name in ("plan/plan.json", "assessment.json")
    )
    return plan, assessment, results_of(root)


def test_the_dossier_verifies_and_holds_what_the_plan_names(made: Path) -> None:
    root = made / "dossier"
    verified(root, SIGNER)
    assert (root / "plan/plan.toml").read_bytes() == (made / "in/plan.toml").read_bytes()
    plan, _, results = documents(root)
    (near,) = [each for each in plan["requirements"] if each["id"] == "near"]
    samples = (made / "in/samples.csv").read_bytes()
    assert (root / near["samples"]["path"]).read_bytes() == samples
    assert (root / "properties/p.vnnlib").read_bytes() == (made / "in/p.vnnlib").read_bytes()
    listed = {each["path"] for each in json.loads((root / "dossier.json").read_bytes())["files"]}
    assert {"plan/plan.json", "assessment.json", "argument.jsonld"} <= listed
    for row, result in zip(plan["verifications"], results, strict=True):
        assert row["path"] == result["property"]
        (model,) = [each for each in plan["models"] if each["id"] == row["model"]]
        assert (model["path"], model["sha256"]) == (result["model"], result["model_sha256"])
    numbers = [number for each in plan["requirements"] for number in each["verifications"]]
    assert numbers == [row["number"] for row in plan["verifications"]] == list(range(1, len(results) + 1))


def test_the_assessment_is_what_the_results_say(made: Path) -> None:
    plan, assessment, results = documents(made / "dossier")
    for row in assessment["requirements"]:
        claims = [each for each in plan["verifications"] if each["requirement"] == row["id"]]
        held = [results[each["number"] - 1]["verdict"] for each in claims if each["claim"] != "never"]
        assert row["counts"] == {name: held.count(name) for name in ("proved", "refuted", "unknown")}
        if "refuted" in held:
            assert row["status"] == "refuted"
        else:
            assert row["status"] == ("proved" if set(held) == {"proved"} else "unknown")
    statuses = [row["status"] for row in assessment["requirements"]]
    assert assessment["counts"]["requirements"] == {
        name: statuses.count(name) for name in ("proved", "refuted", "unknown")
    }
    assert "proved" in statuses and assessment["without_objective"] == ["file", "mapped"]
    kinds = {(each["kind"], each.get("requirement")) for each in assessment["not_covered"]}
    assert {("outside_domain", None), ("not_physical", "file"), ("samples_only", "near")} <= kinds
    assert {"kind": "scaling", "count": 2} in assessment["not_covered"]  # both networks' speed
    as_they_are = [
        {**each, name: [{**quantity, "scale": "1.0", "offset": "0"} for quantity in each[name]]}
        for each in plan["models"]
        for name in ("inputs",)
    ]
    for models, named in ((as_they_are, False), (plan["models"], True)):
        found = assess({**plan, "models": models}, [undecided(each) for each in results], {})
        assert ("scaling" in {each["kind"] for each in found["not_covered"]}) is named


def undecided(result: Content) -> Content:
    unknown = dict.fromkeys(result["arithmetics"], "unknown")
    return {**result, "verdict": "unknown", "arithmetics": unknown, "reason": "timeout"}


def test_volumes_are_those_of_the_cells(made: Path) -> None:
    plan, assessment, results = documents(made / "dossier")
    (row,) = [each for each in assessment["requirements"] if each["id"] == "mapped"]
    assert [each["model"] for each in row["coverage"]] == ["first", "second"]
    for coverage in row["coverage"]:
        cells: dict[tuple[int, ...], dict[str, str]] = {}
        for each in plan["verifications"]:
            if (each["requirement"], each["model"]) == ("mapped", coverage["model"]):
                verdict = results[each["number"] - 1]["verdict"]
                cells.setdefault(tuple(each["cell"]), {})[each["claim"]] = verdict
        assert set(cells) == {(0, 0), (0, 1), (1, 0), (1, 1)}
        volumes = {name: Fraction(text) for name, text in coverage["volume"].items()}
        assert sum(volumes.values()) == 1
        proved = sum(found["holds"] == "proved" for found in cells.values())
        assert volumes["proved"] == Fraction(proved, 4) and coverage["cells"]["proved"] == proved


def test_cells_cover_the_domain_and_meet_at_their_ends(made: Path) -> None:
    plan = json.loads((made / "dossier/plan/plan.json").read_bytes())
    cells = [
        {axis["name"]: (Fraction(axis["minimum"]), Fraction(axis["maximum"])) for axis in each["box"]}
        for each in plan["verifications"]
        if (each["requirement"], each["model"], each["claim"]) == ("mapped", "first", "holds")
    ]
    ends = Fraction(1, 2)
    speeds, pixels = [(100, 150), (150, 200)], [(0, ends), (ends, 1)]
    assert [(cell["speed"], cell["pixel_1"]) for cell in cells] == [(s, p) for s in speeds for p in pixels]
    assert all(cell["pixel_0"] == (0, 1) for cell in cells)


def test_the_certified_box_encloses_the_physical_one(made: Path) -> None:
    plan = json.loads((made / "dossier/plan/plan.json").read_bytes())
    quantities = {each["name"]: each for each in plan["models"][0]["inputs"]}
    for each in plan["verifications"]:
        for axis in each["box"] or ():
            scale, offset = (Fraction(quantities[axis["name"]][key]) for key in ("scale", "offset"))
            lower, upper = (Fraction(text) * scale + offset for text in axis["network"])
            assert lower <= Fraction(axis["minimum"]) <= Fraction(axis["maximum"]) <= upper
            assert Fraction(axis["minimum"]) - lower < Fraction(1, 10**25)


def test_a_counterexample_breaks_the_requirement_in_physical_units(made: Path) -> None:
    plan, _, results = documents(made / "dossier")
    read = read_plan(made / "in/plan.toml")
    required = {each.id: each.require for each in read.requirements}
    names = [each.name for each in read.models[0].tensors.inputs]
    outputs = [each.name for each in read.models[0].tensors.outputs]
    looked = 0
    for row, result in zip(plan["verifications"], results, strict=True):
        condition, point = required[row["requirement"]], result["counterexample"]
        if condition is None or point is None or not point["violates"].get("real"):
            continue
        x = [Fraction(text) for text in point["x"]]
        y = [Fraction(text) for text in point["outputs"]["real"]]
        quantities = read.models[0].tensors.inputs + read.models[0].tensors.outputs
        physical = {
            name: value * quantity.scale.value + quantity.offset.value
            for name, value, quantity in zip(names + outputs, x + y, quantities, strict=True)
        }
        assert evaluate(condition.formula, physical) == (row["claim"] == "never")
        looked += 1
    assert looked


def test_what_was_interrupted_gives_the_same(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = read_plan(made / "in/plan.toml")
    told = Told()

    def stopping(result: Content, resumed: bool) -> None:
        told(result, resumed)
        if len(told) in (3, 9):
            raise KeyboardInterrupt

    output = tmp_path / "d"
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            certify_plan(plan, output, SIGNER, shipped(), on_result=stopping)
        assert not output.exists()
    certify_plan(plan, output, SIGNER, shipped(), on_result=told)
    verified(output, SIGNER)
    for name in ("plan/plan.json", "assessment.json"):
        one, two = (json.loads((root / name).read_bytes()) for root in (made / "dossier", output))
        assert one == two
    assert compare(made / "dossier", output) == []
    evidence = {
        root: {
            path.name: path.read_bytes() for path in (root / "evidence").iterdir() if "dsse" not in path.name
        }
        for root in (made / "dossier", output)
    }
    assert evidence[output] == evidence[made / "dossier"]


def test_only_what_changed_is_verified_again(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    inner = certification.verify_all

    def noted(jobs: Any, *rest: Any) -> Any:
        asked.extend(job.property for job in jobs)
        return inner(jobs, *rest)

    monkeypatch.setattr(certification, "verify_all", noted)
    plan = read_plan(write(tmp_path / "in", ("right + 1000", "right + 1001")))
    certify_plan(plan, tmp_path / "d", SIGNER, shipped(), reuse=made / "dossier")
    old = {result["property"]: result["verdict"] for result in results_of(made / "dossier")}
    unknown = {name for name, verdict in old.items() if verdict == "unknown"}
    assert set(asked) == {"properties/ordered.vnnlib", *unknown}
    verified(tmp_path / "d", SIGNER)
    digest = verified(made / "dossier").digest
    reused = [result for result in results_of(tmp_path / "d") if result.get("reused_from") == digest]
    assert len(reused) == len(results_of(made / "dossier")) - len(asked)
    (found,) = compare(made / "dossier", tmp_path / "d")
    assert found.requirement == "ordered" and list(found.changes()) == ["statement"]


def test_results_of_a_stranger_are_not_reused(made: Path, tmp_path: Path) -> None:
    plan = read_plan(made / "in/plan.toml")
    with pytest.raises(BadInput, match="was sealed by another key"):
        certify_plan(plan, tmp_path / "d", OTHER, shipped(), reuse=made / "dossier")
    with pytest.raises(BadInput, match=r"--reuse .*: is no folder"):
        certify_plan(plan, tmp_path / "e", SIGNER, shipped(), reuse=tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        BadInput, match=r"--reuse .*: is no dossier that can be used: dossier\.json: is missing"
    ):
        certify_plan(plan, tmp_path / "f", SIGNER, shipped(), reuse=tmp_path / "empty")


def test_evidence_that_shows_nothing_is_not_reused(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dossier is whole and of our key, but its certificates are for something else."""
    old = tmp_path / "old"
    shutil.copytree(made / "dossier", old)
    first, second = sorted((old / "evidence").glob("*.certificate"))[:2]
    monkeypatch.setattr(
        "hybrid_ai.pipeline.reuse.verify_dossier", lambda *_, **__: verified(made / "dossier", SIGNER)
    )
    first.write_bytes(second.read_bytes())
    number = int(first.name[:4])
    certify_plan(read_plan(made / "in/plan.toml"), tmp_path / "d", SIGNER, shipped(), reuse=old)
    assert "reused_from" not in results_of(tmp_path / "d")[number - 1]
    verified(tmp_path / "d", SIGNER)


def test_an_unknown_objective_is_refused_before_anything_runs(tmp_path: Path) -> None:
    plan = read_plan(write(tmp_path / "in", ('id = "DA-10"', 'id = "DA-99"')))
    with pytest.raises(AuditError, match="DA-99"):
        certify_plan(plan, tmp_path / "d", SIGNER, shipped())
    assert not list(tmp_path.glob("d*"))


def test_cells_that_constraints_empty_are_vacuous(tmp_path: Path) -> None:
    plan = read_plan(write(tmp_path / "in", ("pixel_0 <= pixel_1 + 0.5", "speed + pixel_0 >= 151.5")))
    certify_plan(plan, tmp_path / "d", SIGNER, shipped())
    _, assessment, results = documents(tmp_path / "d")
    (row,) = [each for each in assessment["requirements"] if each["id"] == "mapped"]
    assert (
        row["vacuous"]
        and {"kind": "vacuous", "requirement": "mapped", "count": row["vacuous"]}
        in (assessment["not_covered"])
    )
    assert all(result["verdict"] == "proved" for result in results if result["vacuous"])


def beyond_the_box(plan: Content, row: Content, value: Fraction) -> None:
    row["box"][0]["maximum"] = str(value - Fraction(1, 10**30))  # a point that rounding added


def beyond_where(plan: Content, row: Content, value: Fraction) -> None:
    requirement = next(each for each in plan["requirements"] if each["id"] == row["requirement"])
    requirement["where"] = f"{row['box'][0]['name']} < {float(value) - 1}"


def beyond_a_constraint(plan: Content, row: Content, value: Fraction) -> None:
    plan["odd"]["constraints"].append({"formula": "altitude <= 3", "source": None})  # the model has no such


@pytest.mark.parametrize("change", [beyond_the_box, beyond_where, beyond_a_constraint])
def test_counterexamples_outside_of_the_domain_refute_nothing(
    made: Path, change: Callable[[Content, Content, Fraction], None]
) -> None:
    """What is verified may be more than what is stated: bounds are rounded, constraints left out."""
    plan, assessment, results = documents(made / "dossier")
    assert assessment["outside"] == []
    row, result = next(
        pair
        for pair in zip(plan["verifications"], results, strict=True)
        if pair[0]["claim"] == "holds" and pair[1]["verdict"] == "refuted"
    )
    quantity = plan["models"][0]["inputs"][0]
    point = Fraction(result["counterexample"]["x"][0])
    change(plan, row, point * Fraction(quantity["scale"]) + Fraction(quantity["offset"]))
    found = assess(plan, results, {})
    assert row["number"] in found["outside"]
    told = assessment_of(found, row["requirement"])
    assert told["reasons"]["the counterexample lies outside of the stated domain"] >= 1
    assert told["counts"]["refuted"] < assessment_of(assessment, row["requirement"])["counts"]["refuted"]


def assessment_of(assessment: Content, name: str) -> Content:
    found: Content = next(each for each in assessment["requirements"] if each["id"] == name)
    return found


def test_an_assessment_that_says_something_else_is_refused(made: Path) -> None:
    names = ("plan/plan.json", "assessment.json", "results.json")
    read = {name: json.loads((made / "dossier" / name).read_bytes()) for name in names}
    require_assessment(read)
    for change in (
        lambda told: told["requirements"][0].update(status="refuted"),
        lambda told: told.update(not_covered=[]),
        lambda told: told["requirements"][3]["coverage"][0]["volume"].update(proved="7"),
        lambda told: told.pop("outside"),
    ):
        told = json.loads(json.dumps(read["assessment.json"]))
        change(told)
        with pytest.raises(
            BadInput, match=r"assessment\.json: .*: is not what plan/plan\.json and results\.json"
        ):
            require_assessment({**read, "assessment.json": told})
    with pytest.raises(BadInput, match="is none that certify made"):
        require_assessment({**read, "plan/plan.json": {}})
    require_assessment({"results.json": read["results.json"]})


def test_a_requirement_about_nothing_is_unknown(made: Path) -> None:
    plan, _, results = documents(made / "dossier")
    empty = [{**each, "vacuous": True, "verdict": "proved"} for each in results]
    found = assess(plan, empty, {})
    assert {row["status"] for row in found["requirements"]} == {"unknown"}


def test_a_cell_without_inputs_is_not_refuted(made: Path) -> None:
    """That the requirement never holds there is proved, of no input; that it holds ran out of time."""
    plan, _, results = documents(made / "dossier")
    late = {"real": "unknown", "float32": "unknown"}
    for row in plan["verifications"]:
        result = results[row["number"] - 1]
        if row["claim"] == "never":
            result.update(verdict="proved", vacuous=True)
        elif row["cell"] is not None:
            result.update(verdict="unknown", arithmetics=late, reason="timeout")
    found = assess(plan, results, {})
    for each in assessment_of(found, "mapped")["coverage"]:
        assert each["volume"] == {"proved": "0", "refuted": "0", "unknown": "1"}


def test_statements_that_were_exchanged_are_computed_again(made: Path, tmp_path: Path) -> None:
    plan = read_plan(made / "in/plan.toml")
    told = Told()

    def stopping(result: Content, resumed: bool) -> None:
        told(result, resumed)
        if len(told) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        certify_plan(plan, tmp_path / "d", SIGNER, on_result=stopping)
    one, two = (tmp_path / f"d.partial/evidence/000{number}.dsse.json" for number in (1, 2))
    first = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(first)
    certify_plan(plan, tmp_path / "d", SIGNER)
    verified(tmp_path / "d", SIGNER)
    assert compare(made / "dossier", tmp_path / "d") == []


def test_a_model_that_was_changed_is_refused(tmp_path: Path) -> None:
    plan = read_plan(write(tmp_path / "in"))
    shutil.copy(tmp_path / "in/first.onnx", tmp_path / "in/models/second.onnx")
    (tmp_path / "in/first.onnx").write_bytes((tmp_path / "in/first.onnx").read_bytes() + b"\x00")
    with pytest.raises(BadInput, match="was changed after the plan was read"):
        certify_plan(plan, tmp_path / "d", SIGNER)
    assert not list(tmp_path.glob("d*"))


def test_generated_properties_read_back_as_they_were_meant(made: Path) -> None:
    for each in verifications(read_plan(made / "in/plan.toml")):
        assert read_vnnlib(each.property).n_inputs == 3
        if each.claim != "file":
            assert each.property.startswith(f"; requirement {each.requirement}: ".encode())


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        ([], "unknown"),
        (["proved"], "proved"),
        (["proved", "unknown"], "unknown"),
        (["proved", "unknown", "refuted"], "refuted"),
    ],
)
def test_verdicts_combine(verdicts: list[str], whole: str) -> None:
    assert combined(verdicts) == whole


@pytest.mark.parametrize(
    ("holds", "never", "cell"),
    [
        ("proved", "refuted", "proved"),
        ("proved", "proved", "proved"),
        ("refuted", "proved", "refuted"),
        ("unknown", "proved", "refuted"),
        ("refuted", "refuted", "unknown"),  # a counterexample says nothing about the rest of the cell
        ("refuted", "unknown", "unknown"),
    ],
)
def test_a_cell_is_refuted_only_where_the_negation_is_proved(holds: str, never: str, cell: str) -> None:
    assert cell_verdict({"holds": (holds, False), "never": (never, False)}) == cell


def test_a_cell_without_inputs_is_refuted_by_nothing() -> None:
    assert cell_verdict({"holds": ("unknown", False), "never": ("proved", True)}) == "unknown"
    assert cell_verdict({"holds": ("proved", True), "never": ("proved", True)}) == "proved"


def test_what_was_asked_for_in_one_arithmetic_says_nothing_of_the_other(made: Path) -> None:
    plan, _, results = documents(made / "dossier")
    real = [{**each, "arithmetics": {"real": each["arithmetics"]["real"]}} for each in results]
    found = assess(plan, real, {})
    assert {"kind": "arithmetic", "requirement": "file", "arithmetic": "float32"} in found["not_covered"]
    assert all(set(row["arithmetics"]) == {"real"} for row in found["requirements"])


def spoiled(change: Callable[[Path], object]) -> Callable[[Path, Any], dict[str, bytes]]:
    def describe(staging: Path, results: Any) -> dict[str, bytes]:
        change(staging)
        return {}

    return describe


def test_a_stray_file_is_not_sealed(made: Path, tmp_path: Path) -> None:
    request = Request([Case(made / "in/first.onnx", made / "in/p.vnnlib", 30.0)], Limits(30.0))
    describe = spoiled(lambda staging: (staging / "stray").write_bytes(b""))
    with pytest.raises(BadInput, match="stray: is not of this certification"):
        certify(request, tmp_path / "d", SIGNER, describe=describe)
