"""Attacks by the maker, who holds the pinned key: all hashes and signatures fit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import onnx
import onnx.numpy_helper

from hybrid_ai.checker.check import check
from hybrid_ai.checker.rejected import Rejected
from tests.audit_builder import sha256
from tests.soundness.dossier.attacks import Asked, Attack
from tests.soundness.dossier.attacks_on_log import entry
from tests.soundness.dossier.copies import EVIDENCE, MODEL, PROPERTIES, STATEMENTS, Copy, Maker

Change = Callable[[Maker, Copy], object]


def made(change: Change) -> Callable[[Copy], None]:
    def act(copy: Copy) -> None:
        maker = copy.maker()
        change(maker, copy)
        copy.replace(maker.sealed().finish())

    return act


def result(number: int, change: Callable[[dict[str, Any]], object]) -> Callable[[Copy], None]:
    return made(lambda maker, copy: change(maker.results[number - 1]))


def both(number: int, **members: Any) -> Callable[[Copy], None]:
    """A result and the log's entry of it get the same verdict."""

    def change(maker: Maker, copy: Copy) -> None:
        maker.results[number - 1].update(members)
        maker.entries[number + 1]["verdict"] = members["verdict"]

    return made(change)


def called(verdict: str) -> dict[str, Any]:
    return {"verdict": verdict, "arithmetics": {"real": verdict, "float32": verdict}}


# ---- what no check of bytes and signatures can see ----


def false_proof(maker: Maker, copy: Copy) -> None:
    """The refuted property is called proved, with the certificate of another one under its header."""
    evidence = "evidence/0003.certificate"
    from_other = maker.files[EVIDENCE[0]]
    hashes = [bytes.fromhex(maker.results[2][name]) for name in ("model_sha256", "property_sha256")]
    del maker.files[EVIDENCE[2]]
    maker.files[evidence] = from_other[:11] + b"".join(hashes) + from_other[75:]
    described_anew(maker, evidence)


def described_anew(maker: Maker, evidence: str) -> None:
    data = maker.files[evidence]
    described = {"path": evidence, "bytes": len(data), "sha256": sha256(data)}
    maker.results[2].update(
        **called("proved"), evidence=evidence, certificate=described, counterexample=None, checked_by="exact"
    )
    maker.entries[4].update(verdict="proved", outputs=[{"name": evidence, "sha256": sha256(data)}])


def exchanged(maker: Maker, copy: Copy) -> None:
    """Two certificates change places, each under the header that fits."""
    first, second = (maker.files[path][75:] for path in EVIDENCE[:2])
    maker.certify(1, second)
    maker.certify(2, first)


def exchanged_as_they_are(maker: Maker, copy: Copy) -> None:
    first, second = (maker.files[path] for path in EVIDENCE[:2])
    maker.change(EVIDENCE[0], second + b"\0")  # for a moment, as two files of one hash cannot be told apart
    maker.change(EVIDENCE[1], first)
    maker.change(EVIDENCE[0], second)


def other_model(maker: Maker, copy: Copy) -> None:
    """The weights of the last layer get the other sign."""
    model = onnx.load_from_string(maker.files[MODEL])
    (weights,) = (tensor for tensor in model.graph.initializer if tensor.name == "weights_3")
    weights.CopyFrom(onnx.numpy_helper.from_array(-onnx.numpy_helper.to_array(weights), weights.name))
    maker.change(MODEL, model.SerializeToString())


def in_property(number: int, old: bytes, new: bytes) -> Change:
    def change(maker: Maker, copy: Copy) -> None:
        data = maker.files[PROPERTIES[number - 1]]
        assert old in data
        maker.change(PROPERTIES[number - 1], data.replace(old, new))

    return change


def body(number: int, change: Callable[[bytes], bytes], arithmetic: int | None = None) -> Change:
    return lambda maker, copy: maker.certify(
        number, change(maker.files[EVIDENCE[number - 1]][75:]), arithmetic
    )


def flipped(maker: Maker, copy: Copy) -> None:
    """One bit in the middle of the tree; the first such that it shows nothing any more."""
    model, claim, evidence = (maker.files[path] for path in (MODEL, PROPERTIES[0], EVIDENCE[0]))
    for place in range(len(evidence) * 2 // 3, len(evidence)):
        changed = evidence[:place] + bytes([evidence[place] ^ 0x10]) + evidence[place + 1 :]
        if not accepted(model, claim, changed, 3):
            break
    maker.change(EVIDENCE[0], changed)


def barely_real(maker: Maker, arithmetic: int) -> None:
    """Lower the limit to where the certificate still proves it over the reals, and no longer in float32."""
    model, claim, evidence = (maker.files[path] for path in (MODEL, PROPERTIES[0], EVIDENCE[0]))
    for step in range(1, 2000):
        lowered = claim.replace(b"Y_0 1400.0", b"Y_0 %.3f" % (1400 - step / 200))
        if not accepted(model, lowered, evidence, 3):
            break
    assert accepted(model, lowered, evidence, 1)
    maker.change(PROPERTIES[0], lowered)
    if arithmetic != evidence[9]:
        maker.certify(1, evidence[75:], arithmetic)


def accepted(model: bytes, claim: bytes, evidence: bytes, arithmetic: int) -> bool:
    """Whether a certificate shows a property, once its header says so."""
    header = evidence[:9] + bytes([arithmetic]) + evidence[10:43] + hashlib.sha256(claim).digest()
    try:
        check(model, claim, header + evidence[75:])
    except Rejected:
        return False
    return True


def point(old: str, new: str) -> Change:
    """The counterexample gets another point, in the file and in the result."""

    def change(maker: Maker, copy: Copy) -> None:
        data = maker.files[EVIDENCE[2]]
        assert old.encode() in data
        maker.change(EVIDENCE[2], data.replace(old.encode(), new.encode()))
        found = maker.results[2]["counterexample"]
        found["x"] = [new if value == old else value for value in found["x"]]

    return change


SPEED = "149.84236050177247534520574845373630523681640625"
LEVEL = "-0.9498544938350728106257747640484012663364410400390625"


def unseen(name: str, change: Change, where: str, reason: str) -> Attack:
    level: Asked = "proof"
    return Attack(name, made(change), level, where, reason)


REJECTED = "the checker says rejected"
UNSOUND = (
    unseen("a refuted property is called proved", false_proof, "evidence/0003.certificate", REJECTED),
    unseen("certificates change places", exchanged, "evidence/000[12].certificate", REJECTED),
    unseen("another model", other_model, EVIDENCE[0], REJECTED),
    unseen("a limit is lowered", in_property(1, b"Y_0 1400.0", b"Y_0 1206.0"), EVIDENCE[0], REJECTED),
    unseen("an input range is widened", in_property(1, b"X_0 150.0", b"X_0 300.0"), EVIDENCE[0], REJECTED),
    unseen("a comparison is turned", in_property(1, b"(>= Y_0", b"(<= Y_0"), EVIDENCE[0], REJECTED),
    unseen("a real proof is called float32", lambda m, _: barely_real(m, 3), EVIDENCE[0], REJECTED),
    unseen("the tree is cut off", body(2, lambda data: data[:-20]), EVIDENCE[1], REJECTED),
    unseen("half of the tree", body(2, lambda data: data[: len(data) // 2]), EVIDENCE[1], REJECTED),
    unseen("no tree", body(1, lambda data: b""), EVIDENCE[0], REJECTED),
    unseen("bytes after the tree", body(1, lambda data: data + b"\0"), EVIDENCE[0], REJECTED),
    unseen("a byte of the tree", flipped, EVIDENCE[0], REJECTED),
    unseen("the first byte of the tree", body(1, lambda data: b"\xff" + data[1:]), EVIDENCE[0], REJECTED),
    unseen(
        "true is called vacuous",
        lambda maker, copy: maker.results[0].update(vacuous=True),
        EVIDENCE[0],
        "vacuous is False, not True",
    ),
    unseen("a point that does not violate", point(SPEED, "110.5"), EVIDENCE[2], REJECTED),
    unseen("a point outside the inputs", point(SPEED, "1000000"), EVIDENCE[2], REJECTED),
    unseen("a huge number", point(SPEED, "1e999999999"), EVIDENCE[2], "a decimal or p/q"),
    unseen("a point without a number", point(LEVEL, "level"), EVIDENCE[2], REJECTED),
)


def folder_only(maker: Maker, copy: Copy) -> None:
    """As if a stranger's folder had been sealed: nothing in it is looked at."""
    maker.writer.kind = "folder"


# ---- what the statements themselves give away ----


def seen(name: str, act: Callable[[Copy], None], where: str, reason: str) -> Attack:
    return Attack(name, act, "integrity", where, reason)


def predicate(number: int) -> str:
    return f"{STATEMENTS[number - 1]}(: .*)?"


def results_differ(copy: Copy) -> None:
    maker = copy.maker()
    maker.files["results.json"] = copy.read("results.json").replace(b'"refuted"', b'"proved"')
    copy.replace(maker.sealed().finish())


def results_differ_in_time(copy: Copy) -> None:
    """Even what nobody would look at."""
    maker = copy.maker()
    maker.files["results.json"] = copy.read("results.json") + b"\n"
    copy.replace(maker.sealed().finish())


def too_deep(copy: Copy) -> None:
    """A predicate that its statement can hold, one level further out than results.json can."""
    maker = copy.maker()
    nested: list[Any] = []
    for _ in range(61):
        nested = [nested]
    maker.results[0]["nested"] = nested
    maker.files["results.json"] = copy.read("results.json")
    copy.replace(maker.sealed().finish())


def other_counterexample(maker: Maker, copy: Copy) -> None:
    maker.results[2]["counterexample"]["x"][0] = "149.5"


CONTRADICTIONS = (
    seen("refuted is called proved", both(3, **called("proved")), predicate(3), "without a certificate"),
    seen("proved is called refuted", both(1, **called("refuted")), predicate(1), "without a counterexample"),
    seen(
        "a verdict that does not follow",
        result(3, lambda r: r.update(verdict="proved")),
        predicate(3),
        "follow",
    ),
    seen("a verdict of its own", both(1, **called("certified")), predicate(1), "follow"),
    seen("no arithmetic", result(1, lambda r: r.update(arithmetics={})), predicate(1), "must name real"),
    seen(
        "another verdict than the log's",
        result(1, lambda r: r.update(entry=4)),
        entry(4),
        "does not say proved",
    ),
    seen(
        "the entry of another result", result(1, lambda r: r.update(entry=3)), entry(3), "about other files"
    ),
    seen("an entry that is none", result(1, lambda r: r.update(entry=1)), entry(1), "does not say proved"),
    seen("the seal as entry", result(1, lambda r: r.update(entry=5)), predicate(1), "before the seal"),
    seen(
        "an entry that is true", result(1, lambda r: r.update(entry=True)), predicate(1), "must be the number"
    ),
    seen("a negative entry", result(1, lambda r: r.update(entry=-3)), predicate(1), "must be the number"),
    seen("a huge entry", result(1, lambda r: r.update(entry=2**53 - 1)), predicate(1), "must be the number"),
    seen(
        "proved without evidence",
        result(1, lambda r: r.update(evidence=None)),
        predicate(1),
        "without a cert",
    ),
    seen(
        "evidence of another",
        result(1, lambda r: r.update(evidence=EVIDENCE[1])),
        predicate(1),
        "must be null",
    ),
    seen(
        "another model's path", result(1, lambda r: r.update(model="models/x")), predicate(1), "does not list"
    ),
    seen(
        "a path out", result(1, lambda r: r.update(model="../../etc/passwd")), predicate(1), "does not list"
    ),
    seen(
        "the property as model",
        result(1, lambda r: r.update(model=PROPERTIES[0])),
        predicate(1),
        "its subjects are",
    ),
    seen(
        "another model's hash",
        result(1, lambda r: r.update(model_sha256="0" * 64)),
        predicate(1),
        "not that of",
    ),
    seen(
        "vacuous though refuted",
        result(3, lambda r: r.update(vacuous=True)),
        predicate(3),
        "true only of what",
    ),
    seen("vacuous as text", result(1, lambda r: r.update(vacuous="false")), predicate(1), "truth value"),
    seen("no parameters", result(1, lambda r: r.pop("parameters")), predicate(1), "lacks parameters"),
    seen("more parameters", result(1, lambda r: r["parameters"].update(x=1)), predicate(1), "unknown 'x'"),
    seen("another size", result(1, lambda r: r["certificate"].update(bytes=1)), predicate(1), "is not so"),
    seen("certificates as they are", made(exchanged_as_they_are), EVIDENCE[0], "another model or property"),
    seen(
        "a real proof for both",
        made(lambda m, _: barely_real(m, 1)),
        EVIDENCE[0],
        "in other arithmetic than float32 and real",
    ),
    seen("another version of certificate", made(body(1, bytes, 7)), EVIDENCE[0], "in other arithmetic"),
    seen("another point than the file's", made(other_counterexample), EVIDENCE[2], "another point"),
    seen(
        "no violation claimed",
        result(3, lambda r: r["counterexample"]["violates"].update(real=False)),
        predicate(3),
        "does not claim a violation in real",
    ),
    seen("results.json disagrees", results_differ, "results.json", "does not hold exactly"),
    seen("a result as deep as can be", too_deep, "results.json", "cannot hold the results"),
    seen("results.json ends otherwise", results_differ_in_time, "results.json", "does not hold exactly"),
)


UNCLAIMED = Attack(
    "a certification is called a folder",
    made(folder_only),
    "proof",
    "proof",
    "there are no results in it",
    False,
)
MAKER_ROWS = (*UNSOUND, *CONTRADICTIONS, UNCLAIMED)
