"""What both engines of the checker say to the certificates of an unsound prover, and of the sound one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hybrid_ai.bounds import Arithmetic
from hybrid_ai.checker.check import EngineName, check
from hybrid_ai.checker.rejected import Malformed, Rejected, Unsupported
from tests.soundness.unsound_prover.problems import Falsehood, false
from tests.soundness.unsound_prover.prover import claim
from tests.soundness.unsound_prover.ways import Way

ENGINES: tuple[EngineName, ...] = ("fast", "exact")


@dataclass
class Tally:
    """What became of the certificates of one way.

    Attributes:
        asked: false properties put to the prover.
        claimed: certificates.
        rules: by engine, how often it refused by each rule.
        accepted: what an engine accepted: a catastrophe. Names the engine and the reproducer's folder.
    """

    asked: int = 0
    claimed: int = 0
    rules: dict[EngineName, Counter[str]] = field(
        default_factory=lambda: {name: Counter() for name in ENGINES}
    )
    accepted: list[str] = field(default_factory=list)


def claims(way: Way, first: int, most: int) -> Iterator[tuple[Falsehood, bytes | None]]:
    """The false properties from a number on, each with the certificate where the prover claims one."""
    for number in range(first, first + most):
        falsehood = way.ask(number)
        if falsehood is not None:
            yield falsehood, way.claim(falsehood)


def judge_way(way: Way, wanted: int, folder: Path, *, first: int = 0, most: int = 3000) -> Tally:
    """Have both engines judge as many certificates of false properties.

    Args:
        way: how the prover is made unsound.
        wanted: number of certificates.
        folder: receives the reproducers of what is accepted.
        first: number of the first property; `most` of them are tried.
    """
    tally = Tally()
    for falsehood, certificate in claims(way, first, most):
        tally.asked += 1
        if certificate is None:
            continue
        falsehood.show_false()
        tally.claimed += 1
        for engine in ENGINES:
            rule = refusal(falsehood.model, falsehood.text, certificate, engine)
            if rule is None:
                kept = _keep(way, falsehood, certificate, folder)
                tally.accepted.append(f"{engine} accepted {way.name}, {falsehood.name}: {kept}")
            else:
                tally.rules[engine][rule] += 1
        if tally.claimed == wanted:
            break
    return tally


def refusal(model: bytes, text: bytes, certificate: bytes, engine: EngineName) -> str | None:
    """The rule by which an engine refuses a certificate, None where it accepts.

    Raises:
        Malformed, Unsupported: the checker does not read the files at all, so that nothing is learnt.
    """
    try:
        check(model, text, certificate, engine=engine)
    except (Malformed, Unsupported):
        raise
    except Rejected as error:
        return error.rule
    return None


def _keep(way: Way, falsehood: Falsehood, certificate: bytes, folder: Path) -> Path:
    """Write a reproducer."""
    name = f"{way.name} {falsehood.name}".replace(":", "").replace(",", "").replace(" ", "-")
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    (place / "model.onnx").write_bytes(falsehood.model)
    (place / "property.vnnlib").write_bytes(falsehood.text)
    (place / "certificate").write_bytes(certificate)
    lines = [way.name, falsehood.name, falsehood.arithmetic, *map(str, falsehood.witness)]
    (place / "witness.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return place


@dataclass(frozen=True)
class Sound:
    """What became of true neighbours put to the sound prover: how many, claimed, accepted by both engines."""

    asked: int
    claimed: int
    accepted: int


def judge_sound(wanted: int, arithmetic: Arithmetic) -> Sound:
    """Put the true neighbours of the first false properties to the sound prover.

    They are true in real arithmetic; what is claimed about float32 was not known before.
    """
    asked = claimed = accepted = number = 0
    while asked < wanted:
        falsehood = false(number)
        number += 1
        if falsehood is None or falsehood.twin is None:
            continue
        asked += 1
        true = falsehood.neighbour(arithmetic)
        certificate = claim(true)
        if certificate is None:
            continue
        claimed += 1
        accepted += all(refusal(true.model, true.text, certificate, engine) is None for engine in ENGINES)
    return Sound(asked, claimed, accepted)
