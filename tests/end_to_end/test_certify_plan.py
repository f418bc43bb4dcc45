"""`hybrid-ai certify PLAN.toml`, and what follows: dispositions, approval, a new version."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from hybrid_ai.pipeline.plans import running
from hybrid_ai.pipeline.plans.model import Plan
from hybrid_ai.pipeline.plans.verifications import Verification, verifications
from tests.certified import results_of, verified
from tests.end_to_end.command import DEMO, Command


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command) -> Path:
    """The shipped plan beside its model, in a folder with a key that the environment names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYBRID_AI_KEYS", "keys")
    monkeypatch.setenv("HYBRID_AI_PASSPHRASE", "correct horse battery")
    assert command("keys", "new", "alice").code == 0
    for name in ("braking.toml", "braking.onnx"):
        shutil.copy(DEMO / name, name)
    return Path("braking.toml")


def test_from_a_plan_to_an_approval_and_a_new_version(plan: Path, command: Command) -> None:
    made = command("certify", plan, "-o", "d")
    assert made.code == 0 and made.out.startswith("d: 2 proved, 1 refuted, 0 unknown; digest "), made
    verified(Path("d"))
    assessment = json.loads(Path("d/assessment.json").read_bytes())
    statuses = {row["id"]: row["status"] for row in assessment["requirements"]}
    assert statuses == {"limit": "proved", "envelope": "proved", "short-runway": "refuted"}

    early = command("dossier", "sign", "d", "--role", "approver")
    assert early.code == 2 and "1 items were not proved and have no disposition: short-runway" in early.err
    disposing = ("dossier", "dispose", "d", "short-runway", "--as", "restricted", "--role", "reviewer")
    wrong = command("dossier", "dispose", "d", "limit", *disposing[4:], "--rationale", "why")
    assert wrong.code == 2 and "give one of short-runway" in wrong.err
    said = command(*disposing, "--rationale", "Not on runways below 1300 m.")
    assert said.code == 0 and said.out.startswith(
        "short-runway restricted: attachments/0001/disposition.json"
    )
    unread = command("dossier", "sign", "d", "--role", "approver")
    assert unread.code == 2 and "its plan asks for signatures as reviewer before" in unread.err
    for role in ("reviewer", "approver"):
        assert command("dossier", "sign", "d", "--role", role).code == 0
    assert command("dossier", "verify", "d", "--trust", "keys/alice.pub.pem").code == 0

    text = plan.read_text().replace("distance < 1400", "distance < 1401")
    plan.write_text(text)
    again = command("certify", plan, "-o", "e", "--reuse", "d")
    assert again.code == 0 and again.err.count("from an earlier run") == 2
    assert [bool(result.get("reused_from")) for result in results_of(Path("e"))] == [False, True, True]
    changes = command("dossier", "diff", "d", "e")
    assert (changes.code, changes.out) == (0, "limit: statement changed\n1 difference\n")
    (row,) = json.loads(command("dossier", "diff", "d", "e", "--json").out)["differences"]
    assert row["requirement"] == "limit" and set(row) == {"requirement", "statement"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--timeout", "3"), "--timeout: goes without a plan: say it in braking.toml"),
        (("--seed", "0"), "--seed: goes without a plan"),
        (("--allow-vacuous",), "--allow-vacuous: goes without a plan"),
        (("--suite", "x.csv"), "--suite: goes without a plan"),
        (("--jobs", "0"), "0 jobs: give at least 1"),
        (("--objectives", "none.json"), "none.json"),
        (("--reuse", "none"), "--reuse none: is no folder"),
    ],
)
def test_options_that_do_not_go_with_a_plan(
    plan: Path, command: Command, options: tuple[str, ...], said: str
) -> None:
    ended = command("certify", plan, "-o", "d", *options)
    assert ended.code == 2 and said in ended.err and not Path("d").exists(), ended


def test_a_broken_plan_is_refused_before_anything_is_there(plan: Path, command: Command) -> None:
    plan.write_text(plan.read_text().replace("distance < 1400", "distanse < 1400"))
    ended = command("certify", plan, "-o", "d")
    assert ended.code == 2 and "braking.toml:77: requirement[1].require" in ended.err
    assert "'distance'" in ended.err and not list(Path().glob("d*"))


def test_catalogues_go_with_a_plan(command: Command, plan: Path) -> None:
    ended = command("certify", "braking.onnx", DEMO / "braking_limit.vnnlib", "-o", "d", "--objectives", "x")
    assert ended.code == 2 and "--objectives goes with a plan" in ended.err


def test_replay_lowers_the_plan_again(plan: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of a dossier whose maker verified something easier than what the plan says, and sealed it."""
    assert command("certify", plan, "-o", "d").code == 0
    fine = command("dossier", "replay", "d")
    assert fine.code == 0
    assert fine.out.splitlines()[-2:] == [
        "plan/plan.toml: agrees: gives plan/plan.json, assessment.json and the 3 properties judged",
        "3 agrees",
    ]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(running, "verifications", easier)
        assert command("certify", plan, "-o", "e").code == 0
    verified(Path("e"))
    forged = command("dossier", "replay", "e")
    assert forged.code == 30
    assert "plan/plan.toml: contradicts: properties/limit.vnnlib is not what" in forged.out


def easier(plan: Plan) -> list[Verification]:
    """The verifications of a plan, with a condition that no output meets in each unsafe set."""
    never = b"(assert (>= Y_0 1000000))\n"
    return [replace(each, property=each.property + never) for each in verifications(plan)]
