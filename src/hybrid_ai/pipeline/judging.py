"""What becomes of a search's outcome: only what the checker's own process accepts makes a verdict."""

from __future__ import annotations

import hashlib
import math
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from hybrid_ai.pipeline.checking import Checker, CheckResult, Engine
from hybrid_ai.pipeline.errors import BadInput, CheckerFailure, CheckTimedOut
from hybrid_ai.pipeline.files import write_atomically
from hybrid_ai.pipeline.inputs import Inputs
from hybrid_ai.pipeline.limits import TimeUp
from hybrid_ai.pipeline.result import (
    ARITHMETICS,
    CHECK_TIMED_OUT,
    INTERRUPTED,
    Counterexample,
    EvidenceFile,
    Result,
    Verdict,
)

if TYPE_CHECKING:
    from hybrid_ai.search import Claimed, Outcome, Refuted, Unknown

# A certificate this small that the engine `fast` rejects goes to the engine `exact` before it is given up.
EXACT_BELOW_LEAVES = 300

REJECTED = "certificate rejected"


def unknown(so_far: Result, reason: str, started: float, *, failed: bool = False) -> Result:
    """The result when nothing is shown; an arithmetic without a reason of its own gets this one.

    Args:
        so_far: what is known of the result.
        reason: why.
        started: `time.monotonic` value at which the verification began.
        failed: whether it ended by our own failure.
    """
    seconds = replace(so_far.seconds, total=monotonic() - started)
    reasons = dict.fromkeys(so_far.arithmetics, reason) | so_far.reasons
    return replace(so_far, reason=reason, reasons=reasons, seconds=seconds, failed=failed)


def empty_text(reason: str) -> str:
    """What is said of an input set that is empty for this reason."""
    return f"the input set is empty: {reason}; correct it, or allow a vacuous proof (--allow-vacuous)"


@dataclass(frozen=True, eq=False)
class Judge:
    """Has the checker judge what the search made of one property of one model.

    Attributes:
        inputs: model and property.
        checker: its process.
        target: file that receives the evidence, or None.
        allow_vacuous: whether an empty input set may be proved.
        started: `time.monotonic` value at which the verification began.
        deadline: likewise, at which the check has to be done.
    """

    inputs: Inputs
    checker: Checker
    target: Path | None
    allow_vacuous: bool
    started: float
    deadline: float

    def judge(self, outcome: Outcome, so_far: Result, late: str | None = None) -> Result:
        """What the checker makes of an outcome.

        Args:
            outcome: of the search.
            so_far: what is known of the result before.
            late: why the search was cut short, or None.

        Raises:
            BadInput: the input set turned out to be empty, which is not allowed.

        Sound because: "proved" and "refuted" appear only when the checker's process accepted the evidence for
        the very bytes that were hashed (a float32 counterexample that it cannot evaluate: ONNX Runtime).
        """
        from hybrid_ai.search import Claimed, Refuted

        so_far = replace(so_far, leaves=outcome.effort.leaves, bounded=outcome.effort.bounded)
        if isinstance(outcome, Claimed):
            return self._judge_claim(outcome, so_far)
        if isinstance(outcome, Refuted):
            return self._judge_counterexample(outcome, so_far)
        return self._undecided(outcome, late or outcome.reason, so_far)

    def _undecided(self, outcome: Unknown, reason: str, so_far: Result) -> Result:
        reasons = dict.fromkeys(so_far.arithmetics, reason)
        if outcome.missed is not None:
            reasons["float32"] = outcome.missed
            reason = f"{reason} (real arithmetic alone); {outcome.missed}"
        elif len(reasons) > 1:
            # One tree was to show both, and a limit ended it: nothing was left for real by itself.
            reasons["real"] = f"{reason}; searched together with float32, not alone"
        return unknown(replace(so_far, reasons=reasons), reason, self.started)

    def _judge_claim(self, claimed: Claimed, so_far: Result) -> Result:
        if claimed.missed is not None:
            so_far = replace(so_far, reasons={"float32": claimed.missed})
        with _evidence_file(self.target, claimed.certificate) as (path, kept):
            so_far = replace(so_far, certificate=kept)
            began = monotonic()
            try:
                answer, note = self._check_certificate(path, so_far.leaves)
            except (CheckTimedOut, TimeUp):
                return unknown(_checked(so_far, began), CHECK_TIMED_OUT, self.started)
            except CheckerFailure as error:
                return unknown(so_far, str(error), self.started, failed=True)
            except KeyboardInterrupt:
                return unknown(so_far, f"{INTERRUPTED}; claimed, not checked", self.started)
            so_far = _checked(so_far, began)
        if answer.status == "rejected" and so_far.repairs == 0:
            began = monotonic()
            repaired = _repaired(claimed, answer)
            if repaired is not None:
                seconds = replace(so_far.seconds, search=so_far.seconds.search + monotonic() - began)
                return self.judge(repaired, replace(so_far, repairs=1, seconds=seconds))
        if answer.status != "valid":
            return self._refused(answer, so_far, claimed.certificate)
        if answer.vacuous and not self.allow_vacuous:
            raise BadInput(empty_text("that is what the certificate shows"))
        shown: dict[str, Verdict] = dict.fromkeys(ARITHMETICS[answer.arithmetic], "proved")
        if claimed.missed is not None:
            alone = f"proved in real arithmetic alone; {claimed.missed}"
            note = alone if note is None else f"{alone}; {note}"
        so_far = replace(
            so_far,
            vacuous=answer.vacuous,
            margin=_finite(claimed.margin),
            float32_penalty=claimed.penalty if claimed.arithmetic != "real" else None,
        )
        return self._accepted(so_far, shown, note, f"{answer.engine} {so_far.version}")

    def _check_certificate(self, path: Path, leaves: int) -> tuple[CheckResult, str | None]:
        """The answer of `fast`, or of `exact` where `fast` rejected something small, with a note on that."""
        answer = self._ask(path, "fast")
        if answer.status != "rejected" or leaves >= EXACT_BELOW_LEAVES:
            return answer, None
        again = self._ask(path, "exact")
        if again.status != "valid":
            return answer, None
        return again, f"engine fast rejected it ({answer.rule} at {answer.where}), engine exact accepted it"

    def _refused(self, answer: CheckResult, so_far: Result, certificate: bytes) -> Result:
        if answer.status == "unsupported":
            reason = f"unsupported by the checker: {answer.where}: {answer.reason}"
            return unknown(so_far, reason, self.started)
        kept = so_far.certificate or _keep(certificate)
        # Malformed: the checker reads model or property otherwise than we did, which is our failure as well.
        what = REJECTED if answer.status == "rejected" else "the checker refuses the input"
        reason = f"{what}: {answer.rule} at {answer.where}: {answer.reason}; certificate kept in {kept.path}"
        return unknown(replace(so_far, certificate=kept), reason, self.started, failed=True)

    def _judge_counterexample(self, refuted: Refuted, so_far: Result) -> Result:
        from hybrid_ai.pipeline.counterexample import describe, evidence

        found: Counterexample | None = None
        began = monotonic()
        try:
            found = describe(self.inputs, refuted.x, refuted.outputs)
            refuted_in: dict[str, Verdict] = {
                name: "refuted" for name, violates in found.violates.items() if violates
            }
            with _evidence_file(self.target, evidence(self.inputs, found)) as (path, kept):
                found = replace(found, file=kept)
                began = monotonic()
                answer = self._ask(path, "fast")
        except (CheckTimedOut, TimeUp):
            return unknown(_checked(so_far, began), "counterexample found, check timed out", self.started)
        except CheckerFailure as error:
            return unknown(so_far, str(error), self.started, failed=True)
        except KeyboardInterrupt:
            return unknown(so_far, f"{INTERRUPTED}; counterexample found, not checked", self.started)
        so_far = _checked(so_far, began)
        if answer.status == "unsupported":
            reason = f"unsupported by the checker: {answer.where}: {answer.reason}"
            return unknown(so_far, reason, self.started)
        checked_by = f"{answer.engine} {so_far.version}"
        if answer.status == "not_reevaluated" and "real" not in refuted_in:
            checked_by = f"ONNX Runtime {found.runtime.version}"
        elif answer.status != "valid":
            what = (
                "counterexample rejected" if answer.status == "rejected" else "the checker refuses the input"
            )
            reason = f"{what}: {answer.rule} at {answer.where}: {answer.reason}"
            return unknown(so_far, reason, self.started, failed=True)
        reasons = {name: _spared(found, name) for name in so_far.arithmetics if name not in refuted_in}
        so_far = replace(so_far, counterexample=found, reasons=reasons)
        return self._accepted(so_far, refuted_in, None, checked_by)

    def _ask(self, evidence: Path, engine: Engine) -> CheckResult:
        """Have the checker judge evidence against copies of the bytes that were hashed."""
        with tempfile.TemporaryDirectory(prefix="hybrid-ai-") as folder:
            model, claim = Path(folder, "model"), Path(folder, "property")
            model.write_bytes(self.inputs.model.data)
            claim.write_bytes(self.inputs.source)
            return self.checker.ask(model, claim, evidence, engine, self.deadline)

    def _accepted(
        self, so_far: Result, shown: dict[str, Verdict], note: str | None, checked_by: str
    ) -> Result:
        """The result when a verdict is shown for some arithmetics, of which those asked for count."""
        arithmetics: dict[str, Verdict] = {name: shown.get(name, "unknown") for name in so_far.arithmetics}
        verdict: Verdict = "unknown"
        if "refuted" in arithmetics.values():
            verdict = "refuted"
        elif set(arithmetics.values()) == {"proved"}:
            verdict = "proved"
        elif note is None:
            note = "the counterexample does not violate in the arithmetic asked for"
        return replace(
            so_far,
            verdict=verdict,
            arithmetics=arithmetics,
            reason=note,
            checked_by=checked_by,
            seconds=replace(so_far.seconds, total=monotonic() - self.started),
        )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _spared(found: Counterexample, name: str) -> str:
    """Why a counterexample leaves an arithmetic undecided."""
    what = "was not evaluated in it" if found.violates.get(name) is None else "does not violate in it"
    return f"the counterexample {what}, and the search ended there"


def _repaired(claimed: Claimed, answer: CheckResult) -> Outcome | None:
    """What the search ends with when it goes on from the node that was rejected; None where it cannot."""
    from hybrid_ai.search import Claimed, Unknown

    place = re.match(r"tree (\d+), node (\d+)", answer.where)
    if place is None or claimed.repair is None:
        return None
    outcome = claimed.repair(int(place[1]), int(place[2]))
    if isinstance(outcome, Unknown) and outcome.reason != INTERRUPTED:
        return None  # out of time or boxes: what has to be told is that the certificate was rejected
    return replace(outcome, missed=claimed.missed) if isinstance(outcome, Claimed | Unknown) else outcome


def _checked(so_far: Result, began: float) -> Result:
    check = so_far.seconds.check + monotonic() - began
    return replace(so_far, seconds=replace(so_far.seconds, check=check))


@contextmanager
def _evidence_file(target: Path | None, data: bytes) -> Iterator[tuple[Path, EvidenceFile | None]]:
    """The file with the evidence, at its place or for the check alone, and its description when it stays."""
    if target is not None:
        write_atomically(target, data)
        yield target, _described(target, data)
        return
    with tempfile.NamedTemporaryFile(prefix="hybrid-ai-") as stream:
        stream.write(data)
        stream.flush()
        yield Path(stream.name), None


def _described(path: Path, data: bytes) -> EvidenceFile:
    return EvidenceFile(str(path), hashlib.sha256(data).hexdigest(), len(data))


def _keep(certificate: bytes) -> EvidenceFile:
    """Keep a rejected certificate where nobody asked for one: it shows our bug."""
    with tempfile.NamedTemporaryFile(prefix="hybrid-ai-rejected-", delete=False) as stream:
        stream.write(certificate)
    return _described(Path(stream.name), certificate)
