"""What the report says about claims, signers and keys, and what it must not be taken for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hybrid_ai.audit.verification.dossier import Report
from hybrid_ai.audit.verification.program import independence_text, main, quoted
from hybrid_ai.audit.verification.rejected import Refused
from hybrid_ai.pipeline.showing import contents, shown
from tests.audit_builder import AUTHOR, REVIEWER, STRANGER, Source, Writer, made_up_source, write_folder
from tests.unit.audit.dossiers import pretender, reprover, sealed_writer, verified

Arithmetics = dict[str, str]
NOT_SEEN = pretender({"counterexample": {"status": "not_reevaluated"}})
PROVED, REFUTED, UNKNOWN = (
    {"real": word, "float32": word} for word in ("proved", "refuted", "unknown")
)  # fmt: skip
FLOAT32_REFUTED = {"real": "unknown", "float32": "refuted"}


def writer_of(*claims: Arithmetics, **members: Any) -> Writer:
    """A sealed certification with a result for each of the verdicts by arithmetic."""
    writer = Writer()
    for number, arithmetics in enumerate(claims):
        found = set(arithmetics.values())
        kind = next((word for word in ("refuted", "proved") if word in found), "unknown")
        verdict = "refuted" if kind == "refuted" else "proved" if found == {"proved"} else "unknown"
        source = made_up_source(kind, number)
        result = {**source.result, "verdict": verdict, "arithmetics": arithmetics, **members}
        writer.result(Source(source.model, source.property, source.evidence, result))
    writer.seal()
    return writer


def printed(
    writer: Writer, folder: Path, capsys: pytest.CaptureFixture[str], *options: object, **how: Any
) -> tuple[int, str]:
    root = write_folder(writer.finish(), folder / "printed")
    command = how.get("command", pretender())
    status = main([*map(str, options), str(root)], command, None)
    return status, capsys.readouterr().out


# ---- proof of what nobody judged ----


def test_a_refutation_in_float32_alone_proves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--level", "proof")
    status, output = printed(writer_of(FLOAT32_REFUTED), tmp_path, capsys, *options, command=NOT_SEEN)
    assert status == 20
    assert output.splitlines()[0] == (
        "proof: not established: 0 of 1 re-proved, 1 not re-evaluated in float32; "
        "neither re-proved nor re-evaluated: 1; `hybrid-ai dossier replay` runs counterexamples in float32"
    )


def test_one_that_was_not_judged_among_others(tmp_path: Path) -> None:
    files = writer_of(PROVED, FLOAT32_REFUTED, UNKNOWN).finish()
    (status,) = verified(files, tmp_path, "proof", reprover=reprover(NOT_SEEN)).levels
    assert not status.established
    assert status.detail.startswith("1 of 2 re-proved, 1 not re-evaluated in float32, 1 unknown; neither")
    assert "nor re-evaluated: 1; `hybrid-ai dossier replay`" in status.detail


def test_a_refutation_seen_in_real_stands(tmp_path: Path) -> None:
    (status,) = verified(writer_of(REFUTED).finish(), tmp_path, "proof", reprover=reprover()).levels
    assert (status.established, status.detail) == (True, "1 of 1 re-proved, 1 not re-evaluated in float32")


def test_the_hint_is_for_counterexamples(tmp_path: Path) -> None:
    failed = reprover(pretender({"certificate": {"status": "failed", "reason": "MemoryError"}}))
    (status,) = verified(writer_of(PROVED).finish(), tmp_path, "proof", reprover=failed).levels
    assert not status.established
    assert status.detail == "0 of 1 re-proved; neither re-proved nor re-evaluated: 1"


def test_nothing_is_claimed(tmp_path: Path) -> None:
    report = verified(writer_of(UNKNOWN, UNKNOWN).finish(), tmp_path, "proof", reprover=reprover())
    (status,) = report.levels
    assert (status.established, status.detail) == (False, "no result claims anything, 2 unknown")
    assert report.flags == ("nothing is claimed: none of 2 results is proved or refuted",)


def test_another_engine_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    no_numpy = {"status": "failed", "reason": "ModuleNotFoundError: no numpy"}
    command = pretender({}, {"fast": no_numpy})
    options = ("--level", "proof", "--engine", "fast")
    status, output = printed(writer_of(PROVED), tmp_path, capsys, *options, command=command)
    assert status == 0
    assert "\nnote: exact judged, as fast cannot start: ModuleNotFoundError: no numpy" in output


# ---- results ----

TEXTS: tuple[tuple[Arithmetics, str], ...] = (
    (PROVED, "proved in real and float32"),
    ({"real": "proved"}, "proved in real"),
    ({"real": "proved", "float32": "unknown"}, "proved in real, unknown in float32"),
    ({"real": "unknown", "float32": "proved"}, "proved in float32, unknown in real"),
    ({"real": "refuted", "float32": "unknown"}, "refuted in real"),
    (FLOAT32_REFUTED, "refuted in float32"),
    (UNKNOWN, "unknown"),
)


def test_each_result_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer = writer_of(*(arithmetics for arithmetics, _ in TEXTS))
    status, output = printed(writer, tmp_path, capsys, "--level", "integrity")
    lines = output.splitlines()
    names = [(each["model"], each["property"]) for each in writer.predicates]
    expected = [f"{model} {claim}: {text}" for (model, claim), (_, text) in zip(names, TEXTS, strict=True)]
    assert status == 0
    assert [line for line in lines if line.startswith("result: ")] == [f"result: {line}" for line in expected]
    assert f"digest: {writer.digest}" in lines
    assert shown(tmp_path / "printed").splitlines()[2:] == expected


def test_vacuous_results_are_marked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer = writer_of(PROVED, vacuous=True)
    vacuous = pretender({"certificate": {"vacuous": True}})
    status, output = printed(writer, tmp_path, capsys, "--level", "proof", command=vacuous)
    assert status == 0
    assert ": proved in real and float32; the input set is empty\n" in output
    flag = "vacuous: the input set of 1 of 1 results is empty: evidence/0001.dsse.json"
    assert f"flag: {flag}\n" in output
    text = shown(tmp_path / "printed")
    assert ": proved in real and float32; the input set is empty" in text and text.endswith(flag)


def test_results_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer = writer_of({"real": "proved", "float32": "unknown"}, REFUTED)
    _, output = printed(writer, tmp_path, capsys, "--level", "integrity", "--json")
    told = json.loads(output)
    assert told["digest"] == writer.digest
    first, second = told["results"]
    assert first == {
        "statement": "evidence/0001.dsse.json",
        "model": writer.predicates[0]["model"],
        "property": writer.predicates[0]["property"],
        "verdict": "unknown",
        "proved": ["real"],
        "refuted": [],
        "vacuous": False,
    }
    assert (second["verdict"], second["proved"], second["refuted"]) == ("refuted", [], ["real", "float32"])


def test_descriptions_are_said_to_be_just_that(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, output = printed(writer_of(PROVED), tmp_path, capsys, "--level", "integrity")
    (line,) = [line for line in output.splitlines() if "README.md" in line]
    assert "bom.cdx.json and ro-crate-metadata.json are descriptions" in line and "not verified" in line
    foreign = Writer(kind="folder", files={"a.txt": b"a"})
    foreign.seal()
    _, output = printed(foreign, tmp_path / "foreign", capsys, "--level", "integrity")
    assert "README.md" not in output and "result:" not in output and "flag:" not in output


# ---- who signs ----


def test_who_sealed_is_an_author(tmp_path: Path) -> None:
    expected = f"one key in 2 roles: {AUTHOR.name} sealed as author and signed as reviewer"
    writer = sealed_writer()
    writer.sign("reviewer", key=AUTHOR)
    assert verified(writer.finish(), tmp_path / "a").flags == (expected,)
    writer = sealed_writer()
    writer.sign("author", key=AUTHOR)
    assert verified(writer.finish(), tmp_path / "b").flags == ()
    writer.sign("reviewer", key=AUTHOR, number=2)
    assert verified(writer.finish(), tmp_path / "c").flags == (expected,)


def signed_by(folder: Path, *said: tuple[str, Any, str | None]) -> Report:
    writer = sealed_writer()
    for number, (role, key, organisation) in enumerate(said, start=1):
        writer.sign(role, key=key, number=number, organisation=organisation)
    return verified(writer.finish(), folder)


def test_signers_are_compared_with_the_seal_and_with_each_other(tmp_path: Path) -> None:
    report = signed_by(
        tmp_path,
        ("author", AUTHOR, "Ltd"),
        ("verifier", REVIEWER, "TUV"),
        ("reviewer", STRANGER, " ltd "),
        ("verifier", REVIEWER, None),
    )
    author, verifier, reviewer, again = map(independence_text, report.additions)
    third = "signatures/0003-reviewer.dsse.json"
    assert author == f'same key as the seal, declared organisation "Ltd", declared in {third} as well'
    assert verifier == (
        "different key (also of signatures/0004-verifier.dsse.json), "
        'declared organisation "TUV", which no other signer declares'
    )
    first = "signatures/0001-author.dsse.json"
    assert reviewer == f'different key, declared organisation " ltd ", declared in {first} as well'
    assert again == (
        "different key (also of signatures/0002-verifier.dsse.json), no declared organisation"
    )  # fmt: skip
    assert [(each.seals, each.same_organisation) for each in report.additions] == [
        (True, (third,)),
        (False, ()),
        (False, (first,)),
        (False, ()),
    ]


def test_many_signatures_do_not_all_name_each_other(tmp_path: Path) -> None:
    report = signed_by(tmp_path, *[("reviewer", REVIEWER, "Ltd")] * 11, ("author", AUTHOR, "Ltd"))
    last = independence_text(report.additions[-1])
    assert last.count("signatures/") == 8 and " and more as well" in last
    assert len(report.additions[0].same_key) == 9
    assert independence_text(report.additions[0]).count("signatures/") == 9


def test_one_key_declares_its_organisation_twice(tmp_path: Path) -> None:
    """That is no other signer."""
    report = signed_by(tmp_path, ("verifier", REVIEWER, "Ltd"), ("reviewer", REVIEWER, "Ltd"))
    assert [each.same_organisation for each in report.additions] == [(), ()]
    assert report.flags == (f"one key in 2 roles: {REVIEWER.name} signed as verifier and as reviewer",)


def test_attached_files_have_no_independence(tmp_path: Path) -> None:
    writer = sealed_writer()
    writer.attach("a.txt", b"x")
    (attached,) = verified(writer.finish(), tmp_path).additions
    assert (attached.seals, attached.same_key, attached.same_organisation) == (True, (), ())
    with pytest.raises(ValueError, match=r"a\.txt is no signature"):
        independence_text(attached)


def test_declared_texts_are_quoted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = 'Eve, declared organisation "TUV"; says: no defects'
    writer = sealed_writer()
    writer.sign("reviewer", name=name, organisation='E", which no other signer declares', statement="seen")
    _, output = printed(writer, tmp_path, capsys, "--level", "integrity")
    (line,) = [line for line in output.splitlines() if line.startswith("later:")]
    organisation = r'declared organisation "E\", which no other signer declares", which no other signer'
    said = r'declared name "Eve, declared organisation \"TUV\"; says: no defects"'
    assert line.endswith(f'as reviewer; different key, {organisation} declares; {said}; says: "seen"')
    (line,) = [line for line in shown(tmp_path / "printed").splitlines() if line.startswith("signed")]
    assert line.endswith(f'as reviewer (different key, {organisation} declares, {said}): "seen"')
    (told,) = contents(tmp_path / "printed")["additions"]
    assert (told["name"], told["independence"]) == (name, "different key")


def test_reasons_are_quoted(tmp_path: Path) -> None:
    root = write_folder(writer_of(UNKNOWN, reason="timeout) proved").finish(), tmp_path / "d")
    assert ': unknown ("timeout) proved")' in shown(root)
    assert quoted('a\n"b" ü') == r'"a\n\"b\" ü"'


# ---- who sealed ----


@pytest.fixture
def pinned(tmp_path: Path) -> Path:
    (tmp_path / "author.pem").write_bytes(AUTHOR.pem)
    (tmp_path / "reviewer.pem").write_bytes(REVIEWER.pem)
    (tmp_path / "both.pem").write_bytes(AUTHOR.pem + REVIEWER.pem)
    return tmp_path


def test_a_pinned_reviewer_cannot_seal_for_the_author(
    pinned: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = sealed_writer(REVIEWER)
    trust = ("--level", "authenticity", "--trust", pinned / "both.pem")
    status, output = printed(other, pinned, capsys, *trust)
    assert status == 0
    assert f"sealed by the pinned key {REVIEWER.name}, any of the 2 pinned ones would do" in output
    for asked in (AUTHOR.name, pinned / "author.pem"):
        status, output = printed(other, pinned, capsys, *trust, "--sealed-by", asked)
        assert status == 30
        assert f"is sealed by {REVIEWER.name}, not by {AUTHOR.name}, which must have sealed" in output
        assert output.startswith("authenticity: refused: trace/entries.jsonl: entry 4: ")


def test_who_must_have_sealed_is_pinned_thereby(pinned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for asked in (AUTHOR.name, pinned / "author.pem"):
        options = ("--level", "authenticity", "--sealed-by", asked)
        status, output = printed(sealed_writer(), pinned, capsys, *options)
        assert status == 0
        assert f"by {AUTHOR.name} (pinned)" in output and "would do" not in output


def test_an_earlier_checkpoint_of_who_must_have_sealed(
    pinned: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its signature is verified with the key in the dossier, which the key id fixes."""
    writer = sealed_writer()
    (pinned / "old.note").write_bytes(writer.finish()["trace/checkpoints/000000000005.note"])
    options = ("--level", "authenticity", "--sealed-by", AUTHOR.name, "--since", pinned / "old.note")
    status, output = printed(writer, pinned, capsys, *options)
    assert status == 0 and "extends the checkpoint of 5 entries" in output


@pytest.mark.parametrize("given", ["both.pem", "absent.pem", "0" * 63, AUTHOR.name.upper(), "."])
def test_keys_that_cannot_have_sealed(given: str, pinned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = pinned / given if given.endswith("pem") else given
    assert printed(sealed_writer(), pinned, capsys, "--sealed-by", asked) == (2, "")


def test_who_sealed_is_a_question_of_authenticity(pinned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--level", "integrity", "--sealed-by", AUTHOR.name)
    assert printed(sealed_writer(), pinned, capsys, *options) == (2, "")
    with pytest.raises(ValueError, match="authenticity"):
        verified(sealed_writer().finish(), pinned, "integrity", sealed_by=AUTHOR.name)
    with pytest.raises(Refused, match="must have sealed it"):
        verified(sealed_writer().finish(), pinned, "authenticity", sealed_by=REVIEWER.name)


# ---- options ----


def test_a_level_takes_one_value(pinned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_folder(sealed_writer().finish(), pinned / "d")
    assert main(["--level", "integrity", str(root)], pretender(), None) == 0
    assert main(["--level", "integrity", "--level", "proof", str(root)], pretender(), None) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines].count("integrity") == 2
    assert [line.split(":")[0] for line in lines].count("proof") == 1


def test_files_of_pinned_keys_are_joined(pinned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer = sealed_writer()
    writer.sign("reviewer")
    author, reviewer = ("--trust", pinned / "author.pem"), ("--trust", pinned / "reviewer.pem")
    level = ("--level", "authenticity")
    assert printed(writer, pinned, capsys, *level, *author)[0] == 20
    assert printed(writer, pinned, capsys, *level, *author, *reviewer)[0] == 0
    assert printed(writer, pinned, capsys, *level, *reviewer, *author)[0] == 0
