"""Verify one property of one model: read, search, and have the independent checker judge what was found."""

from __future__ import annotations

import hashlib
import math
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Literal

import hybrid_ai
from hybrid_ai.pipeline.checking import Checker, CheckResult, Engine
from hybrid_ai.pipeline.emptiness import contradiction
from hybrid_ai.pipeline.errors import BadInput, CheckerFailure, CheckTimedOut, UnsupportedInput
from hybrid_ai.pipeline.files import require_writable, write_atomically
from hybrid_ai.pipeline.inputs import (
    Inputs,
    ModelReader,
    ModelSource,
    PropertySource,
    digest,
    read_inputs,
    read_model,
)
from hybrid_ai.pipeline.limits import DEFAULT_MEMORY, DEFAULT_TIMEOUT, Limits, TimeUp, alarm_at
from hybrid_ai.pipeline.result import ASSUMPTIONS, Counterexample, EvidenceFile, Result, Seconds, Verdict

if TYPE_CHECKING:
    from hybrid_ai.search import Claimed, Outcome, Progress, Refuted

Arithmetic = Literal["real", "float32", "both"]
Backend = Literal["auto", "cpu"]

# What each arithmetic that can be asked for consists of.
ARITHMETICS = {"real": ("real",), "float32": ("float32",), "both": ("real", "float32")}
BACKENDS = ("auto", "cpu")
# A certificate this small that the engine `fast` rejects goes to the engine `exact` before it is given up.
EXACT_BELOW_LEAVES = 300
# Share of the time that deciding whether the input set is empty may take.
EMPTINESS_SHARE = 0.1
# The search looks at the clock between two batches; the alarm ends a batch that takes too long.
ALARM_AFTER = 0.25

COMPILING = "compiling kernels beside the search, once (about 40 s); it is slow until then"

INTERRUPTED = "interrupted"
TIMEOUT = "timeout"
CHECK_TIMED_OUT = "claimed, check timed out"
REJECTED = "certificate rejected"


@dataclass(frozen=True)
class Task:
    """What is asked for: `verify` says what each means."""

    limits: Limits
    target: Path | None = None
    allow_vacuous: bool = False
    arithmetic: Arithmetic | None = None


@dataclass(frozen=True)
class Observer:
    """Who is told how it goes: `progress` after each batch of boxes, `notice` of what takes a while."""

    progress: Callable[[Progress], None] | None = None
    notice: Callable[[str], None] | None = None


def verify(
    model: ModelSource,
    property: PropertySource,
    *,
    arithmetic: Arithmetic | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    memory: int = DEFAULT_MEMORY,
    threads: int | None = None,
    seed: int = 0,
    certificate: str | Path | None = None,
    allow_vacuous: bool = False,
    backend: Backend = "auto",
    progress: Callable[[Progress], None] | None = None,
    notice: Callable[[str], None] | None = None,
) -> Result:
    """Verify that no input satisfies a property's unsafe condition, and have the evidence checked.

    Args:
        model: ONNX file: its path, its bytes, or loaded.
        property: VNN-LIB file: its path, its bytes, or a `Property`.
        arithmetic: what the verdict is about: "real", "float32" or "both"; None is what the property is
            declared over, else both, or real where the model computes in float64.
        timeout: seconds for everything, the check included; above 0.
        memory: bytes for the open boxes of the search; above 0.
        threads: of the search, at least 1; None is one per core.
        seed: of the attacks, at least 0.
        certificate: file that receives the evidence, certificate or counterexample, also what could not be
            checked in time or was rejected.
        allow_vacuous: prove a property with an empty input set instead of refusing it.
        backend: what bounds boxes; "auto" is "cpu", the only one there is yet.
        progress: called after each batch of boxes with boxes bounded and decided share of the input volume.
        notice: called with one line about what takes a while, as compiling kernels.

    Returns:
        The result; `unknown` with a reason for what is not supported and after Ctrl-C.

    Raises:
        BadInput: model, property or an option is missing or meaningless, or the output not writable.

    Sound because: "proved" and "refuted" appear only when the checker's own process accepted the evidence for
    the very bytes that were hashed here.
    """
    if arithmetic is not None and arithmetic not in ARITHMETICS:
        raise BadInput(f"arithmetic {arithmetic!r}: give 'real', 'float32' or 'both'")
    if backend not in BACKENDS:
        raise BadInput(f"backend {backend!r}: there is no engine for it yet, give 'auto' or 'cpu'")
    limits = Limits(timeout, memory, threads, seed)
    if not isinstance(certificate, str | Path | None):
        raise BadInput(f"certificate: {type(certificate).__name__} is no path: name a file")
    target = None if certificate is None else Path(certificate)
    if target is not None:
        require_writable(target, "certificate", (model, property))
    # The checker starts first: it gets ready while the search runs.
    with Checker() as checker:
        task = Task(limits, target, allow_vacuous, arithmetic)
        return run(model, property, task, checker, Observer(progress, notice))


def run(
    model: ModelSource,
    property: PropertySource,
    task: Task,
    checker: Checker,
    observer: Observer,
    reader: ModelReader = read_model,
) -> Result:
    """Verify with a checker process that is already there; arguments as in `verify`, `read_inputs`."""
    started = monotonic()
    blank = _blank(task.arithmetic or "both")
    try:
        # Reading and emptiness have no clock of their own; the search and the check end before this rings.
        with alarm_at(started + task.limits.timeout + ALARM_AFTER):
            blank = replace(blank, model_sha256=digest(model), property_sha256=digest(property))
            inputs = read_inputs(model, property, reader)
            # Of the bytes that were read, should a file have changed meanwhile.
            arithmetic = _chosen(task.arithmetic, inputs)
            blank = replace(
                _blank(arithmetic), model_sha256=inputs.model.sha256, property_sha256=inputs.sha256
            )
            return _Case(
                inputs, replace(task, arithmetic=arithmetic), started, checker, observer, blank
            ).run()
    except UnsupportedInput as error:
        return _unknown(blank, str(error), started)
    except TimeUp:
        return _unknown(blank, TIMEOUT, started)
    except KeyboardInterrupt:
        return _unknown(blank, INTERRUPTED, started)


def _chosen(asked: Arithmetic | None, inputs: Inputs) -> Arithmetic:
    """The arithmetic that the verdict is about.

    Raises:
        BadInput: the property is declared over other numbers than what is asked for.
    """
    declared = inputs.property.element
    if declared == "float32" and inputs.model.graph.element != "float32":
        raise UnsupportedInput(
            "unsupported property: it ranges over float32 numbers, the model reads float64: "
            "declare real numbers in the property"
        )
    if declared is not None:
        if asked not in (None, declared):
            raise BadInput(
                f"the property is declared over {declared} numbers, which {asked} does not answer: "
                "leave it out"
            )
        return declared
    return asked or ("both" if inputs.model.graph.element == "float32" else "real")


def _blank(arithmetic: Arithmetic) -> Result:
    names = ARITHMETICS[arithmetic]
    return Result(
        verdict="unknown", arithmetics=dict.fromkeys(names, "unknown"), reason=None, vacuous=False,
        counterexample=None, certificate=None, checked_by=None, leaves=0, bounded=0, repairs=0, margin=None,
        float32_penalty=None, assumptions=tuple(ASSUMPTIONS[name] for name in names),
        seconds=Seconds(0.0, 0.0, 0.0), model_sha256=None, property_sha256=None,
        version=hybrid_ai.__version__,
    )  # fmt: skip


def _unknown(so_far: Result, reason: str, started: float, *, failed: bool = False) -> Result:
    seconds = replace(so_far.seconds, total=monotonic() - started)
    return replace(so_far, reason=reason, seconds=seconds, failed=failed)


@dataclass(frozen=True, eq=False)
class _Case:
    """One verification under way; `blank` holds what is known of the result before the search."""

    inputs: Inputs
    task: Task
    started: float
    checker: Checker
    observer: Observer
    blank: Result

    @property
    def _deadline(self) -> float:
        return self.started + self.task.limits.timeout

    def run(self) -> Result:
        """Search, then check."""
        if not self.task.allow_vacuous:
            reason = contradiction(self.inputs.form, EMPTINESS_SHARE * self.task.limits.timeout)
            if reason is not None:
                raise BadInput(self._empty(reason))
        outcome, late, searched = self._search()
        return self._judged(outcome, replace(self.blank, seconds=Seconds(searched, 0.0, 0.0)), late)

    def _judged(self, outcome: Outcome, so_far: Result, late: str | None = None) -> Result:
        """What the checker makes of an outcome; `late` says why the search was cut short, or None."""
        from hybrid_ai.search import Claimed, Refuted

        so_far = replace(so_far, leaves=outcome.effort.leaves, bounded=outcome.effort.bounded)
        if isinstance(outcome, Claimed):
            return self._judge_claim(outcome, so_far)
        if isinstance(outcome, Refuted):
            return self._judge_counterexample(outcome, so_far)
        return _unknown(so_far, late or outcome.reason, self.started)

    def _empty(self, reason: str) -> str:
        return f"the input set is empty: {reason}; correct it, or allow a vacuous proof (--allow-vacuous)"

    def _search(self) -> tuple[Outcome, str | None, float]:
        """The outcome, why it was cut short when the alarm did that, and the seconds it took."""
        from hybrid_ai.search import Budget, run_search
        from hybrid_ai.search.kernel_cache import kernels_ready

        if self.observer.notice is not None and not kernels_ready():
            self.observer.notice(COMPILING)
        limits = self.task.limits
        deadline = self._deadline - limits.reserve
        budget = Budget(deadline, limits.memory, limits.used_threads)
        began = monotonic()
        with alarm_at(deadline + ALARM_AFTER) as alarm:
            outcome = run_search(
                self.inputs.model,
                self.inputs.property,
                self.inputs.sha256,
                budget=budget,
                seed=limits.seed,
                report=self.observer.progress,
                arithmetic=self.task.arithmetic or "real",
                runtime=self._float32_violation,
            )
        return outcome, TIMEOUT if alarm.rang else None, monotonic() - began

    def _float32_violation(self, x: tuple[Fraction, ...]) -> tuple[Fraction, ...] | None:
        from hybrid_ai.pipeline.counterexample import float32_violation

        return float32_violation(self.inputs, x)

    def _judge_claim(self, claimed: Claimed, so_far: Result) -> Result:
        with _evidence_file(self.task.target, claimed.certificate) as (path, kept):
            so_far = replace(so_far, certificate=kept)
            began = monotonic()
            try:
                answer, note = self._check_certificate(path, so_far.leaves)
            except (CheckTimedOut, TimeUp):
                return _unknown(_checked(so_far, began), CHECK_TIMED_OUT, self.started)
            except CheckerFailure as error:
                return _unknown(so_far, str(error), self.started, failed=True)
            except KeyboardInterrupt:
                return _unknown(so_far, f"{INTERRUPTED}; claimed, not checked", self.started)
            so_far = _checked(so_far, began)
        if answer.status == "rejected" and so_far.repairs == 0:
            began = monotonic()
            repaired = _repaired(claimed, answer)
            if repaired is not None:
                seconds = replace(so_far.seconds, search=so_far.seconds.search + monotonic() - began)
                return self._judged(repaired, replace(so_far, repairs=1, seconds=seconds))
        if answer.status != "valid":
            return self._refused(answer, so_far, claimed.certificate)
        if answer.vacuous and not self.task.allow_vacuous:
            raise BadInput(self._empty("that is what the certificate shows"))
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
            return _unknown(so_far, reason, self.started)
        kept = so_far.certificate or _keep(certificate)
        # Malformed: the checker reads model or property otherwise than we did, which is our failure as well.
        what = REJECTED if answer.status == "rejected" else "the checker refuses the input"
        reason = f"{what}: {answer.rule} at {answer.where}: {answer.reason}; certificate kept in {kept.path}"
        return _unknown(replace(so_far, certificate=kept), reason, self.started, failed=True)

    def _judge_counterexample(self, refuted: Refuted, so_far: Result) -> Result:
        from hybrid_ai.pipeline.counterexample import describe, evidence

        found: Counterexample | None = None
        began = monotonic()
        try:
            found = describe(self.inputs, refuted.x, refuted.outputs)
            refuted_in: dict[str, Verdict] = {
                name: "refuted" for name, violates in found.violates.items() if violates
            }
            with _evidence_file(self.task.target, evidence(self.inputs, found)) as (path, kept):
                found = replace(found, file=kept)
                began = monotonic()
                answer = self._ask(path, "fast")
        except (CheckTimedOut, TimeUp):
            return _unknown(_checked(so_far, began), "counterexample found, check timed out", self.started)
        except CheckerFailure as error:
            return _unknown(so_far, str(error), self.started, failed=True)
        except KeyboardInterrupt:
            return _unknown(so_far, f"{INTERRUPTED}; counterexample found, not checked", self.started)
        so_far = _checked(so_far, began)
        if answer.status == "unsupported":
            reason = f"unsupported by the checker: {answer.where}: {answer.reason}"
            return _unknown(so_far, reason, self.started)
        checked_by = f"{answer.engine} {so_far.version}"
        if answer.status == "not_reevaluated" and "real" not in refuted_in:
            checked_by = f"ONNX Runtime {found.runtime.version}"
        elif answer.status != "valid":
            what = (
                "counterexample rejected" if answer.status == "rejected" else "the checker refuses the input"
            )
            reason = f"{what}: {answer.rule} at {answer.where}: {answer.reason}"
            return _unknown(so_far, reason, self.started, failed=True)
        return self._accepted(replace(so_far, counterexample=found), refuted_in, None, checked_by)

    def _ask(self, evidence: Path, engine: Engine) -> CheckResult:
        """Have the checker judge evidence against copies of the bytes that were hashed."""
        with tempfile.TemporaryDirectory(prefix="hybrid-ai-") as folder:
            model, claim = Path(folder, "model"), Path(folder, "property")
            model.write_bytes(self.inputs.model.data)
            claim.write_bytes(self.inputs.source)
            return self.checker.ask(model, claim, evidence, engine, self._deadline)

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


def _repaired(claimed: Claimed, answer: CheckResult) -> Outcome | None:
    """What the search ends with when it goes on from the node that was rejected; None where it cannot."""
    from hybrid_ai.search import Claimed, Unknown

    place = re.match(r"tree (\d+), node (\d+)", answer.where)
    if place is None or claimed.repair is None:
        return None
    outcome = claimed.repair(int(place[1]), int(place[2]))
    if isinstance(outcome, Claimed):
        return replace(outcome, missed=claimed.missed)
    # Out of time or boxes: then what has to be told is that the certificate was rejected.
    return None if isinstance(outcome, Unknown) and outcome.reason != INTERRUPTED else outcome


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
