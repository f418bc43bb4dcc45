"""Results: all that must agree between a statement, its files, the log and `results.json`."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hybrid_ai.audit.verification import dossier as dossier_module
from hybrid_ai.audit.verification import evidence as module
from hybrid_ai.audit.verification.canonical import encode
from hybrid_ai.audit.verification.container import Container
from hybrid_ai.audit.verification.evidence import read_claims
from hybrid_ai.audit.verification.rejected import Refused
from hybrid_ai.audit.verification.signing import read_signed
from tests.audit_builder import (
    AUTHOR,
    REVIEWER,
    STRANGER,
    Source,
    Writer,
    envelope,
    made_up_source,
    made_up_writer,
)
from tests.unit.audit.dossiers import (
    verified,
)

CHANGES: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "verdict": (lambda fields: fields.update(verdict="unknown"), "does not follow"),
    "another arithmetic": (
        lambda fields: fields["arithmetics"].update(decimal="proved"),
        "real, float32 or both",
    ),
    "no arithmetic": (lambda fields: fields.update(arithmetics={}), "real, float32 or both"),
    "unheard-of verdict": (lambda fields: fields["arithmetics"].update(real="true"), "does not follow"),
    "unheard-of verdict of one arithmetic": (
        lambda fields: fields.update(arithmetics={"real": "true"}, verdict="unknown"),
        "does not follow",
    ),
    "arithmetics as a list": (lambda fields: fields.update(arithmetics=["real"]), "real, float32 or both"),
    "evidence as a number": (lambda fields: fields.update(evidence=["a"]), "must be null or"),
    "vacuous as text": (lambda fields: fields.update(vacuous="no"), "vacuous"),
    "another model's hash": (lambda fields: fields.update(model_sha256="0" * 64), "model_sha256"),
    "no model's hash": (lambda fields: fields.update(model_sha256=None), "model_sha256"),
    "another property's hash": (lambda fields: fields.update(property_sha256="0" * 64), "property_sha256"),
    "another model": (lambda fields: fields.update(model="README.md"), "subjects"),
    "a model that is not there": (lambda fields: fields.update(model="models/b.onnx"), "does not list"),
    "no evidence": (lambda fields: fields.update(evidence=None), "subjects"),
    "another's evidence": (
        lambda fields: fields.update(evidence="evidence/0002.certificate"),
        "must be null or",
    ),
    "evidence elsewhere": (lambda fields: fields.update(evidence="README.md"), "must be null or"),
    "no certificate": (lambda fields: fields.update(certificate=None), "certificate: must be there"),
    "a counterexample as well": (
        lambda fields: fields.update(counterexample={"x": [], "violates": {}, "file": {}}),
        "counterexample: must be there",
    ),
    "a path of the machine": (lambda fields: fields["certificate"].update(path="/home/me/a"), "is not so"),
    "a size": (lambda fields: fields["certificate"].update(bytes=3), "is not so"),
    "an entry after the seal": (lambda fields: fields.update(entry=9), "before the seal"),
    "the first entry": (lambda fields: fields.update(entry=0), "before the seal"),
    "an entry as truth value": (lambda fields: fields.update(entry=True), "before the seal"),
    "an entry as text": (lambda fields: fields.update(entry="1"), "before the seal"),
    "an entry that says otherwise": (lambda fields: fields.update(entry=2), "does not say proved"),
    "no parameters": (lambda fields: fields.pop("parameters"), "lacks parameters"),
    "a reason that is no text": (lambda fields: fields.update(reason=["a"]), "reason: must be a string"),
    "reasons as a list": (lambda fields: fields.update(reasons=["a"]), "reasons: must be an object"),
    "a reason by arithmetic that is no text": (
        lambda fields: fields.update(reasons={"real": 1}),
        "reasons: 'real': must be a string",
    ),
    "parameters without a seed": (lambda fields: fields["parameters"].pop("seed"), "lacks 'seed'"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_results_that_contradict(name: str, tmp_path: Path) -> None:
    change, reason = CHANGES[name]
    writer = Writer()
    writer.result(made_up_source("proved", 0), change=change)
    writer.result(made_up_source("refuted", 1))
    writer.files["README.md"] = b""
    writer.seal()
    with pytest.raises(Refused, match=reason) as caught:
        verified(writer.finish(), tmp_path)
    assert caught.value.level == "integrity"


PARAMETERS: dict[str, tuple[list[object], list[object]]] = {
    "arithmetic": ([None, "real", "float32", "both"], ["exact", "", 1, ["real"]]),
    "timeout": ([0.5, 1, 1e8], [0, -1, 1.5e8, True, "600", None]),
    "memory": ([1, 2**40], [0, -1, 1.5, True, "1", None]),
    "threads": ([None, 1], [0, 1.5, True, "1"]),
    "seed": ([0, 7], [-1, 0.5, False, "0", None]),
    "allow_vacuous": ([True, False], [0, 1, None, "no"]),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters(name: str, tmp_path: Path) -> None:
    good, bad = PARAMETERS[name]
    writer = Writer()
    for number, value in enumerate(good):
        source = made_up_source(number=number)
        writer.result(source, change=lambda fields, value=value: fields["parameters"].update({name: value}))
    writer.seal()
    assert verified(writer.finish(), tmp_path / "good").established
    for number, value in enumerate(bad):
        writer = Writer()
        writer.result(
            made_up_source(), change=lambda fields, value=value: fields["parameters"].update({name: value})
        )
        writer.seal()
        with pytest.raises(Refused, match=f"parameters: {name}: is of another type or out of its range"):
            verified(writer.finish(), tmp_path / str(number))


def test_reasons_are_texts(tmp_path: Path) -> None:
    writer = Writer()
    said = {"reason": "out of time", "reasons": {"real": "out of time", "float32": ""}}
    writer.result(made_up_source("unknown"), change=lambda fields: fields.update(said))
    writer.seal()
    assert verified(writer.finish(), tmp_path).established


@pytest.mark.parametrize("verdict", ["proved", "refuted"])
def test_verdicts_without_their_kind_of_evidence(verdict: str, tmp_path: Path) -> None:
    right, other = (
        made_up_source(verdict),
        made_up_source({"proved": "refuted", "refuted": "proved"}[verdict]),
    )
    point = other.result["counterexample"]
    needed = "counterexample" if verdict == "refuted" else "certificate"
    for number, evidence in enumerate((None, other.evidence)):
        result = {**right.result, "counterexample": point if evidence else None}
        writer = Writer()
        writer.result(Source(right.model, right.property, evidence, result))
        writer.seal()
        with pytest.raises(Refused, match=f"calls something {verdict} without a {needed}"):
            verified(writer.finish(), tmp_path / str(number))


@pytest.mark.parametrize("verdict", ["refuted", "unknown"])
def test_only_what_is_proved_is_vacuous(verdict: str, tmp_path: Path) -> None:
    writer = Writer()
    writer.result(made_up_source(verdict), change=lambda fields: fields.update(vacuous=True))
    writer.seal()
    with pytest.raises(Refused, match="vacuous: must be a truth value, true only of what is proved"):
        verified(writer.finish(), tmp_path)


def test_two_results_of_one_entry(tmp_path: Path) -> None:
    writer = Writer()
    writer.result(made_up_source())
    writer.result(made_up_source(), change=lambda fields: fields.update(entry=1))
    writer.seal()
    with pytest.raises(Refused, match="the same entry"):
        verified(writer.finish(), tmp_path)


def test_an_entry_about_other_files(tmp_path: Path) -> None:
    for part in ("inputs", "outputs"):
        writer = made_up_writer()
        writer.entries[1][part] = []
        writer.seal()
        with pytest.raises(Refused, match="is about other files"):
            verified(writer.finish(), tmp_path / part)


def replaced(path: str, data: bytes) -> Callable[[Writer], None]:
    return lambda writer: writer.files.update({path: data})


EVIDENCE = made_up_source().evidence or b""


def with_evidence(data: bytes, verdict: str = "proved") -> Writer:
    source = made_up_source(verdict)
    writer = Writer()
    writer.result(type(source)(source.model, source.property, data, source.result))
    writer.seal()
    return writer


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is no certificate"),
        (EVIDENCE[:74], "is no certificate"),
        (b"X" + EVIDENCE[1:], "is no certificate"),
        (EVIDENCE[:11] + b"\0" + EVIDENCE[12:], "another model or property"),
        (EVIDENCE[:74] + b"\0" + EVIDENCE[75:], "another model or property"),
        (EVIDENCE[:9] + b"\1" + EVIDENCE[10:], "other arithmetic than float32 and real"),
        (EVIDENCE[:9] + b"\2" + EVIDENCE[10:], "other arithmetic than float32 and real"),
        (EVIDENCE[:9] + b"\0" + EVIDENCE[10:], "other arithmetic than float32 and real"),
    ],
)
def test_certificates_that_do_not_fit(data: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=reason) as caught:
        verified(with_evidence(data).finish(), tmp_path)
    assert caught.value.where == "evidence/0001.certificate"


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"x": ["1/3", "0.5"]}, "another point"),
        ({"x": None}, "another point"),
        ({"model_sha256": "0" * 64}, "another model or property"),
        ({"property_sha256": None}, "another model or property"),
        ({"arithmetic": {"real": False, "float32": True}}, "in real arithmetic"),
        ({"arithmetic": {"real": True}}, "in float32 arithmetic"),
        ({"arithmetic": None}, "in float32 arithmetic"),
    ],
)
def test_counterexamples_that_do_not_fit(members: dict[str, Any], reason: str, tmp_path: Path) -> None:
    content = json.loads(made_up_source("refuted").evidence or b"")
    with pytest.raises(Refused, match=reason) as caught:
        verified(with_evidence(json.dumps({**content, **members}).encode(), "refuted").finish(), tmp_path)
    assert caught.value.where == "evidence/0001.counterexample.json"


def test_counterexamples_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="not an object"):
        verified(with_evidence(b"[]", "refuted").finish(), tmp_path / "list")
    source = made_up_source("refuted")
    result = {**source.result, "counterexample": {**source.result["counterexample"], "x": None}}
    content = {**json.loads(source.evidence or b""), "x": None}
    writer = Writer()
    writer.result(Source(source.model, source.property, json.dumps(content).encode(), result))
    writer.seal()
    with pytest.raises(Refused, match="another point"):
        verified(writer.finish(), tmp_path / "null")


@pytest.mark.parametrize("point", [[], {"x": [], "file": None}, {"violates": {}, "file": None}, {"x": []}])
def test_counterexamples_described_otherwise(point: object, tmp_path: Path) -> None:
    writer = Writer()
    writer.result(made_up_source("refuted"), change=lambda fields: fields.update(counterexample=point))
    writer.seal()
    with pytest.raises(Refused, match="must have x, violates and file"):
        verified(writer.finish(), tmp_path)


def test_statements_of_another_type(tmp_path: Path) -> None:
    writer = Writer()
    path = writer.result(made_up_source())
    payload = json.loads(base64.b64decode(json.loads(writer.files[path])["payload"]))
    writer.files[path] = envelope(encode({**payload, "predicateType": "urn:other"}), AUTHOR)
    writer.seal()
    with pytest.raises(Refused, match="is no result"):
        verified(writer.finish(), tmp_path)


def test_results_json_says_what_the_statements_say(tmp_path: Path) -> None:
    for change in ("proved", "order", "spaces", "less", "more", "after", "empty", "missing"):
        writer = made_up_writer()
        predicates = json.loads(json.dumps(writer.predicates))
        if change == "proved":
            predicates[2]["verdict"] = "proved"
        elif change == "order":
            predicates.reverse()
        elif change == "less":
            predicates.pop()
        elif change == "more":
            predicates.append(predicates[0])
        content = {"format": "hybrid-ai-results", "version": 1, "results": predicates}
        data = json.dumps(content).encode() if change == "spaces" else encode(content)
        data = {"after": data + b"\n", "empty": b""}.get(change, data)
        writer.files["results.json"] = data
        if change == "missing":
            writer.seal(change=lambda fields: fields["files"].pop())
            del writer.files["results.json"]
        else:
            writer.seal()
        with pytest.raises(Refused, match=r"results\.json"):
            verified(writer.finish(), tmp_path / change)


def test_no_results_at_all(tmp_path: Path) -> None:
    writer = Writer()
    writer.files["README.md"] = b""
    writer.seal()
    assert verified(writer.finish(), tmp_path).established
    writer = Writer()
    writer.files["results.json"] = encode({"format": "hybrid-ai-results", "version": 1, "results": [{}]})
    writer.seal()
    with pytest.raises(Refused, match=r"results\.json: does not hold exactly"):
        verified(writer.finish(), tmp_path / "one")


def test_statements_are_not_read_that_results_json_cannot_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small when packed: statements that compress well, and a `results.json` that does not hold them."""
    writer = Writer()
    for number in range(12):
        more = lambda fields: fields.update(more=[0] * 50_000)  # noqa: E731
        writer.result(made_up_source(number=number), change=more)
    whole = encode({"format": "hybrid-ai-results", "version": 1, "results": writer.predicates})
    read: list[str] = []

    def counted(container: Container, path: str, *arguments: Any, **options: Any) -> Any:
        read.append(path)
        return read_signed(container, path, *arguments, **options)

    monkeypatch.setattr(module, "read_signed", counted)
    writer.files["results.json"] = b"{}"
    writer.seal()
    with pytest.raises(Refused, match=r"results\.json: is too small to hold the results"):
        verified(writer.finish(), tmp_path / "small")
    assert read == []
    writer.files["results.json"] = whole[:300] + b"0" * (len(whole) - 300)
    writer.entries.pop()
    writer.signers.clear()
    writer.seal(change=without_manifest)
    with pytest.raises(Refused, match=r"results\.json: does not hold exactly"):
        verified(writer.finish(), tmp_path / "other")
    assert read == ["evidence/0001.dsse.json"]  # at the first difference nothing more is read


def without_manifest(fields: dict[str, Any]) -> None:
    """The files of the second seal, without the manifest of the first."""
    fields["files"] = [file for file in fields["files"] if file["path"] != "dossier.json"]


def test_results_json_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESULTS_LIMIT", 100)
    writer = made_up_writer()
    writer.seal()
    with pytest.raises(Refused, match=r"results\.json: has [0-9]+ bytes; at most 100 are read"):
        verified(writer.finish(), tmp_path)


@pytest.mark.parametrize("path", ["0001.dsse.json", "0001.certificate", "0002.counterexample.json"])
def test_files_that_change_while_they_are_verified(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its SHA-256 was compared, another file, well signed too, takes the place."""
    other = Writer()
    for number, verdict in enumerate(("proved", "refuted", "unknown")):
        source = made_up_source(verdict, number)
        evidence = None if source.evidence is None else source.evidence + b" "
        change = lambda fields: fields.update(reason="another")  # noqa: E731
        other.result(Source(source.model, source.property, evidence, source.result), change=change)

    def changed(*arguments: Any) -> Any:
        target = tmp_path / "dossier/evidence" / path
        data = other.files[f"evidence/{path}"]
        target.write_bytes(data[: target.stat().st_size].ljust(target.stat().st_size))
        return read_claims(*arguments)

    writer = made_up_writer()
    writer.seal()
    monkeypatch.setattr(dossier_module, "read_claims", changed)
    if path.endswith("certificate"):  # of the same size, so it must differ elsewhere
        other.files["evidence/0001.certificate"] = (other.files["evidence/0001.certificate"])[:75] + b"tail"
    if path.endswith("counterexample.json"):
        size = len(writer.files["evidence/0002.counterexample.json"])
        content = json.loads(writer.files["evidence/0002.counterexample.json"])
        other.files["evidence/0002.counterexample.json"] = json.dumps(content).encode().ljust(size)
    with pytest.raises(Refused, match=f"{path}: changed while it was verified"):
        verified(writer.finish(), tmp_path)


def test_results_of_another_signer(tmp_path: Path) -> None:
    writer = Writer()
    writer.result(made_up_source(), key=REVIEWER)
    writer.seal()
    writer.sign("reviewer")
    with pytest.raises(Refused, match=f"must be signed by the key {AUTHOR.name}"):
        verified(writer.finish(), tmp_path)


def test_results_with_a_forged_signature(tmp_path: Path) -> None:
    writer = Writer()
    path = writer.result(made_up_source())
    payload = base64.b64decode(json.loads(writer.files[path])["payload"])
    writer.files[path] = envelope(payload, STRANGER, keyid=AUTHOR.name)
    writer.seal()
    with pytest.raises(Refused, match=f"the signature of the key {AUTHOR.name} is not valid"):
        verified(writer.finish(), tmp_path)


def test_results_that_are_nested_too_deep(tmp_path: Path) -> None:
    deep: object = 0
    for _ in range(62):
        deep = [deep]
    writer = Writer()
    writer.result(made_up_source(), change=lambda fields: fields.update(more=deep))
    writer.files["results.json"] = b"{}"
    writer.seal()
    with pytest.raises(Refused, match=r"results\.json: cannot hold the results of the statements: nested"):
        verified(writer.finish(), tmp_path)


def test_evidence_without_a_result(tmp_path: Path) -> None:
    writer = made_up_writer()
    writer.files["evidence/0007.certificate"] = b"x"
    writer.seal()
    with pytest.raises(Refused, match=r"0007\.certificate: belongs to no result"):
        verified(writer.finish(), tmp_path)
