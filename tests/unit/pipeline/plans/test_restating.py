"""The plan of a dossier, read and lowered again: whatever it does not give is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hybrid_ai.audit.objectives.catalogue import shipped
from hybrid_ai.audit.verification.canonical import encode
from hybrid_ai.pipeline.plans.reading import read_plan
from hybrid_ai.pipeline.plans.restating import restate
from hybrid_ai.pipeline.plans.running import certify_plan
from tests.unit.pipeline.plans.test_running import SIGNER, Content, write

Change = Callable[[Path], None]


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("restated")
    plan = write(folder / "in")
    certify_plan(read_plan(plan), folder / "dossier", SIGNER, shipped())
    return folder / "dossier"


def in_plan(old: str, new: str) -> Change:
    """Exchange a text in plan.toml."""

    def change(root: Path) -> None:
        file = root / "plan/plan.toml"
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))

    return change


def in_json(name: str, edit: Callable[[Content], None]) -> Change:
    """Edit a document, written again as canonical JSON."""

    def change(root: Path) -> None:
        content = json.loads((root / name).read_bytes())
        edit(content)
        (root / name).write_bytes(encode(content))

    return change


def weaken(root: Path) -> None:
    """Put a condition nobody reaches into a property."""
    (path,) = {row["path"] for row in plan_of(root)["verifications"][:1]}
    file = root / path
    file.write_bytes(file.read_bytes() + b"(assert (<= Y_0 -100000000))\n")


def plan_of(root: Path) -> Content:
    content: Content = json.loads((root / "plan/plan.json").read_bytes())
    return content


def swap(content: Content) -> None:
    first = content["results"][0]
    other = next(each for each in content["results"] if each["property"] != first["property"])
    first["property"], other["property"] = other["property"], first["property"]


def move(path: str) -> Callable[[Content], None]:
    """Have plan.json name another file of the first model."""

    def edit(content: Content) -> None:
        content["models"][0]["path"] = path

    return edit


def forget(content: Content) -> None:
    content["models"].clear()


def drop(content: Content) -> None:
    del content["results"][-1]


def relabel(content: Content) -> None:
    content["requirements"][0]["text"] = "something that sounds better"


def ask_less(content: Content) -> None:
    for result in content["results"]:
        result["parameters"]["allow_vacuous"] = True


def approve(content: Content) -> None:
    content["requirements"][0]["status"] = "proved"
    content["counts"]["requirements"] = {"proved": 9, "refuted": 0, "unknown": 0}


def nested(name: str) -> Change:
    def change(root: Path) -> None:
        (root / name).write_text("x = " * name.endswith("toml") + 50_000 * "[")

    return change


def long_key(root: Path) -> None:
    (root / "plan/plan.toml").write_text(".".join(100_000 * ["a"]) + " = 1\n")


def without(name: str) -> Change:
    return lambda root: (root / name).unlink()


JSON = "plan/plan.json"
CHANGES: dict[str, tuple[Change, str]] = {
    "another range": (in_plan("minimum = ", "minimum = 0.0001 #"), "plan.json is not what the plan gives"),
    "another text": (in_json(JSON, relabel), "plan.json is not what the plan gives"),
    "a weaker property": (weaken, "is not what requirement"),
    "exchanged properties": (in_json("results.json", swap), "result 1 is about"),
    "a result less": (in_json("results.json", drop), "none that certify made"),
    "other parameters": (in_json("results.json", ask_less), "result 1 has other parameters"),
    "a better assessment": (in_json("assessment.json", approve), "is not what plan/plan.json"),
    "no assessment": (without("assessment.json"), "assessment.json is missing"),
    "no description": (without(JSON), "plan.json is missing"),
    "a path out of the plan": (in_plan('path = "', 'path = "/tmp/'), "no path that a plan may have"),
    "a path to the plan": (in_plan('path = "first.onnx"', 'path = "plan.toml"'), "no path that a plan"),
    "a path far up": (in_plan('path = "', 'path = "' + 65 * "../"), "goes up 65 folders"),
    "a file from elsewhere": (in_json(JSON, move("/etc/hostname")), "no file of the dossier"),
    "a file that is not there": (in_json(JSON, move("models/none.onnx")), "no file of the dossier"),
    "no model": (in_json(JSON, forget), "none that certify made"),
    "a deep description": (nested(JSON), "no JSON that can be read"),
}
REFUSED: dict[str, tuple[Change, str]] = {
    "no plan": (without("plan/plan.toml"), "plan.toml"),
    "another format": (in_plan("plan = 1", "plan = 2"), "plan.toml:1: plan: "),
    "no TOML": (in_plan("plan = 1", "plan = "), "is no TOML"),
    "a deep plan": (nested("plan/plan.toml"), "nested too deeply"),
    "a long key": (long_key, "has a key of more than"),
}


def test_what_certify_made_agrees(sealed: Path) -> None:
    found = restate(sealed)
    assert found is not None and found.agreement == "agrees"
    count = len(plan_of(sealed)["verifications"])
    assert count > 5 and found.line().endswith(f"the {count} properties judged")


@pytest.mark.parametrize("name", [*CHANGES, *REFUSED])
def test_what_was_changed_is_named(name: str, sealed: Path, tmp_path: Path) -> None:
    change, reason = (CHANGES | REFUSED)[name]
    root = shutil.copytree(sealed, tmp_path / "d")
    change(root)
    found = restate(root)
    assert found is not None and reason in found.detail
    assert found.agreement == ("contradicts" if name in CHANGES else "cannot be read again")
    assert "hybrid-ai-plan-" not in found.detail


@pytest.mark.parametrize("path", ["../first.onnx", "there/../first.onnx", "there/../../in/first.onnx"])
def test_paths_that_go_up_are_found_again(tmp_path: Path, path: str) -> None:
    (tmp_path / "above").mkdir()
    plan = write(tmp_path / "above" / "in")
    (plan.parent / "there").mkdir()
    target = (plan.parent / path).resolve()
    if target != plan.parent / "first.onnx":
        (plan.parent / "first.onnx").rename(target)
    plan.write_text(plan.read_text().replace('"first.onnx"', f'"{path}"'))
    certify_plan(read_plan(plan), tmp_path / "d", SIGNER, shipped())
    found = restate(tmp_path / "d")
    assert found is not None and found.agreement == "agrees", found


def test_a_dossier_without_a_plan_has_nothing_to_restate(sealed: Path, tmp_path: Path) -> None:
    root = shutil.copytree(sealed, tmp_path / "d")
    shutil.rmtree(root / "plan")
    (root / "assessment.json").unlink()
    assert restate(root) is None
