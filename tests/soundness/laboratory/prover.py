"""What the prover and the checker say to a case, and what would be wrong of them to say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from time import monotonic
from typing import Literal

from hybrid_ai.bounds import Arithmetic
from hybrid_ai.checker.check import EngineName, check
from hybrid_ai.checker.rejected import Rejected
from hybrid_ai.pipeline.counterexample import float32_violation
from hybrid_ai.pipeline.inputs import Inputs, read_inputs
from hybrid_ai.search import Budget, Claimed, Refuted, run_search
from hybrid_ai.spec import read_vnnlib
from tests.soundness.laboratory.case import Case, Truth32
from tests.soundness.laboratory.executions import execute, to_float32, unsafe_outputs
from tests.soundness.laboratory.steps import outputs, read
from tests.soundness.laboratory.truth import in_the_input_set

Verdict = Literal["proved", "refuted", "unknown"]

ARITHMETICS: tuple[Arithmetic, ...] = ("real", "float32", "both")
ENGINES: tuple[EngineName, ...] = ("fast", "exact")
MEMORY = 1 << 28
RUNTIME = "onnxruntime unoptimised"  # the execution that a refutation in float32 names


@dataclass(frozen=True)
class Said:
    """The verdict by arithmetic, why it is unknown, and what is wrong whatever the truth is ("": nothing)."""

    verdicts: dict[str, Verdict]
    reason: str = ""
    finding: str = ""


def asked_about(arithmetic: Arithmetic) -> tuple[str, ...]:
    return ("real", "float32") if arithmetic == "both" else (arithmetic,)


def ask(case: Case, arithmetic: Arithmetic, seconds: float) -> Said:
    """Search; the checker judges a certificate, the laboratory a counterexample."""
    inputs = read_inputs(case.model, case.property.encode())
    outcome = run_search(
        inputs.model,
        inputs.property,
        inputs.sha256,
        budget=Budget(monotonic() + seconds, MEMORY, 1),
        backend="compiled",
        arithmetic=arithmetic,
        runtime=lambda x: float32_violation(inputs, x),
    )
    if isinstance(outcome, Claimed):
        said = _judged(inputs, outcome.certificate)
    elif isinstance(outcome, Refuted):
        said = _refuted(case, outcome, arithmetic)
    else:
        said = Said({}, outcome.reason)
    missing: dict[str, Verdict] = dict.fromkeys(asked_about(arithmetic), "unknown")
    return Said(missing | said.verdicts, said.reason, said.finding)


def _judged(inputs: Inputs, certificate: bytes) -> Said:
    """What either engine accepts is proved, whatever was asked; a claim that none accepts is a finding.

    `fast` may refuse what is out of its range. `exact` must accept in real arithmetic; what float32
    executions change it rounds up to its grid, so that it may not see margins far below that.
    """
    refused: dict[EngineName, Rejected] = {}
    verdicts: dict[str, Verdict] = {}
    arithmetic = ""
    for engine in ENGINES:
        try:
            arithmetic = check(inputs.model.data, inputs.source, certificate, engine=engine).arithmetic
            shown = ("real", "float32") if arithmetic == "both" else (arithmetic,)
            verdicts |= dict.fromkeys(shown, "proved")
        except Rejected as error:
            refused[engine] = error
    allowed = {"fast": ("range",), "exact": () if arithmetic == "real" else ("closing",)}
    findings = [
        f"the engine {engine} rejects the certificate: {error}"
        for engine, error in refused.items()
        if not verdicts or error.rule not in allowed[engine]
    ]
    return Said(verdicts, finding="; ".join(findings))


def _refuted(case: Case, outcome: Refuted, arithmetic: Arithmetic) -> Said:
    """A point refutes what it violates, exactly or in ONNX Runtime at its rounding."""
    violated: dict[str, Verdict] = {}
    if violates_exactly(case, outcome.x):
        violated["real"] = "refuted"
    if violates_in_runtime(case, outcome.x):
        violated["float32"] = "refuted"
    said = {name: verdict for name, verdict in violated.items() if name in asked_about(arithmetic)}
    finding = ""
    if outcome.outputs != tuple(outputs(read(case.model), outcome.x)):
        finding = "the outputs at the counterexample are not those of the network"
    elif ("real" if outcome.exactly else "float32") not in said:
        kind = "exactly" if outcome.exactly else "in ONNX Runtime"
        finding = f"the counterexample {[str(v) for v in outcome.x]} does not violate {kind}"
    return Said(said, finding=finding)


def violates_exactly(case: Case, x: Sequence[Fraction]) -> bool:
    inside = in_the_input_set(case.property, x)
    y = outputs(read(case.model), x)
    return inside and read_vnnlib(case.property.encode()).holds_unsafe(x, y)


def violates_in_runtime(case: Case, x: Sequence[Fraction]) -> bool:
    narrow = [to_float32(value) for value in x]
    return unsafe_outputs(case.property, x, narrow, execute(case.model, narrow, RUNTIME))


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
