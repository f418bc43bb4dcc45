"""`hybrid-ai plan`: written, checked, described."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from hybrid_ai.pipeline.plans.schema import plan_schema
from tests.end_to_end.command import DEMO, HOLDS, Command
from tests.end_to_end.test_commands import HEAVY, loaded
from tests.unit.pipeline.plans.plan_files import write_files
from tests.unit.pipeline.plans.plan_texts import OBJECTIVE, edited, line_of

BOOK = {
    "format": 1,
    "id": "book",
    "title": "Book",
    "edition": "first",
    "source": "All of it.",
    "entries": [{"id": "OBJ 1", "text": "Do it.", "evidence": []}],
}
WRONG = r'require = "left <=\n 7 +"'


def test_a_new_plan_is_right_at_once(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(HOLDS[0], "braking.onnx")
    ended = command("plan", "new", "braking.onnx")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == "plan.toml: fill in what says FILL IN, then: hybrid-ai plan check plan.toml\n"
    ended = command("plan", "check", "plan.toml")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        "model braking: 5 inputs, 1 output, preprocessing inside, braking.onnx",
        "requirement example: 1 verification on 1 model",
        "plan: 1 verification of 1 requirement on 1 model",
    ]
    again = command("plan", "new", "braking.onnx")
    assert (again.code, again.out) == (2, "")
    assert again.err == (
        "hybrid-ai: -o plan.toml: is there already, and is not overwritten: name another file\n"
    )
    assert command("plan", "new", "braking.onnx", "-o", "other.toml").code == 0
    assert Path("other.toml").read_text() == Path("plan.toml").read_text()


def test_the_demonstration(command: Command) -> None:
    ended = command("plan", "check", DEMO / "braking.toml")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[-1] == "plan: 3 verifications of 3 requirements on 1 model"


def test_everything_in_a_plan(command: Command, tmp_path: Path) -> None:
    (write_files(tmp_path) / "plan.toml").write_text(edited(OBJECTIVE))
    ended = command("plan", "check", tmp_path / "plan.toml")
    assert ended.code == 0
    assert ended.out.splitlines() == [
        "model first: 3 inputs, 2 outputs, preprocessing declared, first.onnx",
        "model second: 3 inputs, 2 outputs, preprocessing declared, models/second.onnx",
        "requirement ordered: 2 verifications on 2 models",
        "requirement file: 1 verification on 1 model",
        "requirement near: 4 verifications on 2 models, 2 samples",
        "requirement mapped: 48 verifications on 2 models, 12 cells",
        "plan: 55 verifications of 4 requirements on 2 models",
    ]
    content = json.loads(command("plan", "check", tmp_path / "plan.toml", "--json").out)
    assert (content["valid"], content["verifications"], content["errors"]) == (True, 55, [])
    assert [each["verifications"] for each in content["requirements"]] == [2, 1, 4, 48]
    assert content["models"][1]["inputs"] == 3


def test_all_that_is_wrong(command: Command, tmp_path: Path) -> None:
    plan = write_files(tmp_path) / "plan.toml"
    text = edited(OBJECTIVE, ("seed = 3", "sed = 3"), ('require = "left <= 7"', WRONG))
    plan.write_text(text)
    ended = command("plan", "check", plan)
    assert (ended.code, ended.out) == (2, "")
    first, second = ended.err.splitlines()
    assert first.startswith(
        f"hybrid-ai: {plan}:{line_of(text, WRONG)}: requirement[4].require: column 13: found the end,"
    )
    assert (
        second
        == f"hybrid-ai: {plan}:{line_of(text, 'sed = 3')}: budget.sed: unknown key: did you mean 'seed'?"
    )
    ended = command("plan", "check", plan, "--json")
    assert ended.code == 2
    content = json.loads(ended.out)
    assert content["valid"] is False
    assert [each["key"] for each in content["errors"]] == ["requirement[4].require", "budget.sed"]
    assert content["errors"][1]["line"] == line_of(text, "sed = 3")


def test_objectives_that_no_catalogue_has(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYBRID_AI_KEYS", str(tmp_path / "keys"))
    monkeypatch.setenv("HYBRID_AI_PASSPHRASE", "correct horse battery")
    assert command("keys", "new", "alice").code == 0
    plan = write_files(tmp_path) / "plan.toml"
    plan.write_text(text := edited())
    lacking = (
        f"hybrid-ai: {plan}:{line_of(text, 'catalogue =')}: objective[1].catalogue: there is no catalogue"
    )
    for arguments in (("plan", "check"), ("certify", "-o", tmp_path / "d")):
        ended = command(*arguments, plan)
        assert (ended.code, ended.out) == (2, "")
        assert ended.err.startswith(f"{lacking} 'book': ")
        assert ended.err.endswith("; or give its file with --objectives\n")
    (tmp_path / "book.json").write_text(json.dumps(BOOK))
    own = ("--objectives", tmp_path / "book.json")
    assert command("plan", "check", plan, *own).code == 0
    plan.write_text(text := edited(("OBJ 1", "OBJ 2")))
    ended = command("plan", "check", plan, *own, "--json")
    (found,) = json.loads(ended.out)["errors"]
    assert (ended.code, found["key"], found["line"]) == (2, "objective[1].id", line_of(text, "OBJ 2"))
    assert found["reason"] == "catalogue book: has no objective 'OBJ 2': the nearest is 'OBJ 1'"
    ended = command("plan", "check", plan, "--objectives", tmp_path / "none.json")
    assert (ended.code, str(tmp_path / "none.json") in ended.err) == (2, True)
    assert not list(tmp_path.glob("d*"))


def test_no_plan(command: Command, tmp_path: Path) -> None:
    ended = command("plan", "check", tmp_path / "none.toml")
    assert (ended.code, ended.out) == (2, "")
    assert (
        ended.err
        == f"hybrid-ai: {tmp_path}/none.toml: cannot be read: No such file or directory: check the path\n"
    )
    assert command("plan").code == 2
    assert command("plan", "new").code == 2


def test_the_schema(command: Command) -> None:
    ended = command("plan", "schema")
    assert (ended.code, json.loads(ended.out)) == (0, plan_schema())


def test_the_schema_is_light() -> None:
    assert loaded("from hybrid_ai.pipeline.plans.schema import schema_text; schema_text()") & HEAVY == set()
