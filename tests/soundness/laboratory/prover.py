"""What the prover and the checker say to a case, and what would be wrong of them to say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hybrid_ai.checker.check import check
from hybrid_ai.checker.rejected import Rejected
from hybrid_ai.search import Claimed, Refuted
from hybrid_ai.spec import read_vnnlib
from tests.soundness.laboratory.case import Case, Truth32
from tests.soundness.laboratory.steps import outputs, read
from tests.soundness.laboratory.truth import in_the_input_set
from tests.unit.search.problems import Asked, search

Verdict = Literal["proved", "refuted", "unknown"]

# The arithmetics there is an engine for; "float32" and "both" belong here once the search takes them.
ARITHMETICS = ("real",)


@dataclass(frozen=True)
class Said:
    """The verdict by arithmetic, why it is unknown, and what is wrong whatever the truth is ("": nothing)."""

    verdicts: dict[str, Verdict]
    reason: str = ""
    finding: str = ""


def ask(case: Case, arithmetic: str, seconds: float) -> Said:
    """Search; the checker judges a certificate, the laboratory a counterexample."""
    if arithmetic != "real":
        raise ValueError(f"no engine for {arithmetic}")
    asked = Asked(case.model, case.property.encode())
    outcome = search(asked, seconds=seconds)
    if isinstance(outcome, Claimed):
        return _judged(asked, outcome.certificate)
    if isinstance(outcome, Refuted):
        y = outputs(read(case.model), outcome.x)
        if not in_the_input_set(case.property, outcome.x):
            return Said({"real": "refuted"}, finding="the counterexample is outside the input set")
        if y != outcome.outputs or not read_vnnlib(asked.text).holds_unsafe(outcome.x, y):
            return Said({"real": "refuted"}, finding="the counterexample does not violate")
        return Said({"real": "refuted"})
    return Said({"real": "unknown"}, outcome.reason)


def _judged(asked: Asked, certificate: bytes) -> Said:
    """The engine `exact` must accept; the engine `fast` may refuse what is out of its range."""
    try:
        check(asked.model, asked.text, certificate, engine="exact")
    except Rejected as error:
        return Said({"real": "unknown"}, finding=f"the engine exact rejects the certificate: {error}")
    try:
        check(asked.model, asked.text, certificate, engine="fast")
    except Rejected as error:
        if error.rule != "range":
            return Said({"real": "proved"}, finding=f"the engine fast rejects the certificate: {error}")
    return Said({"real": "proved"})


def wrong(case: Case, said: Said) -> list[str]:
    """Every verdict that contradicts the truth, and the finding."""
    truths: dict[str, Truth32] = {"real": case.real, "float32": case.float32}
    contradictions = {("proved", "fails"), ("refuted", "holds")}
    found = [
        f"{arithmetic} {verdict}, but it {truths[arithmetic]}"
        for arithmetic, verdict in said.verdicts.items()
        if (verdict, truths[arithmetic]) in contradictions
    ]
    return found + ([said.finding] if said.finding else [])
