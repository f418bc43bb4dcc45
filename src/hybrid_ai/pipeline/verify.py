"""Verify one property of one model: read, search, and have the independent checker judge what was found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Literal

import hybrid_ai
from hybrid_ai.pipeline.checking import Checker
from hybrid_ai.pipeline.emptiness import contradiction
from hybrid_ai.pipeline.errors import BadInput, UnsupportedInput
from hybrid_ai.pipeline.files import require_writable
from hybrid_ai.pipeline.inputs import (
    Inputs,
    ModelReader,
    ModelSource,
    PropertySource,
    digest,
    read_inputs,
    read_model,
)
from hybrid_ai.pipeline.judging import Judge, empty_text, unknown
from hybrid_ai.pipeline.limits import DEFAULT_MEMORY, DEFAULT_TIMEOUT, Limits, TimeUp, alarm_at
from hybrid_ai.pipeline.result import ARITHMETICS, ASSUMPTIONS, INTERRUPTED, TIMEOUT, Result, Seconds

if TYPE_CHECKING:
    from hybrid_ai.search import Outcome, Progress
    from hybrid_ai.search.hints import Hints, HintSource, RootQuestion

Arithmetic = Literal["real", "float32", "both"]
Backend = Literal["auto", "cpu"]

BACKENDS = ("auto", "cpu")
# Share of the time that deciding whether the input set is empty may take.
EMPTINESS_SHARE = 0.1
# The search looks at the clock between two batches; the alarm ends a batch that takes too long.
ALARM_AFTER = 0.25

COMPILING = "compiling kernels beside the search, once (about 40 s); it is slow until then"


@dataclass(frozen=True)
class Task:
    """What is asked for: `verify` says what each means."""

    limits: Limits
    target: Path | None = None
    allow_vacuous: bool = False
    arithmetic: Arithmetic | None = None
    hints: HintSource | None = None


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
    hints: HintSource | None = None,
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
        hints: proposes lower slopes for the root of the search, as
            `hybrid_ai.bench.slope_hints.propose_slopes` does; never trusted, everything is bounded again.
        progress: called after each batch of boxes with boxes bounded and decided share of the input volume.
        notice: called with one line about what takes a while, as compiling kernels.

    Returns:
        The result; `unknown` with a reason for what is not supported and after Ctrl-C.

    Raises:
        BadInput: model, property or an option is missing or meaningless, or the output not writable, or
            hints are malformed.

    Sound because: "proved" and "refuted" appear only when the checker's own process accepted the evidence for
    the very bytes that were hashed here.
    """
    _require_known(arithmetic, backend)
    limits = Limits(timeout, memory, threads, seed)
    target = _target(certificate, (model, property))
    # The checker starts first: it gets ready while the search runs.
    with Checker(compiled=True) as checker:
        task = Task(limits, target, allow_vacuous, arithmetic, hints)
        return run(model, property, task, checker, Observer(progress, notice))


def _require_known(arithmetic: Arithmetic | None, backend: Backend) -> None:
    if arithmetic is not None and arithmetic not in ARITHMETICS:
        raise BadInput(f"arithmetic {arithmetic!r}: give 'real', 'float32' or 'both'")
    if backend not in BACKENDS:
        raise BadInput(f"backend {backend!r}: there is no engine for it yet, give 'auto' or 'cpu'")


def _target(certificate: str | Path | None, sources: tuple[ModelSource, PropertySource]) -> Path | None:
    """The file for the evidence, which can be written and is none of the sources; or None."""
    if not isinstance(certificate, str | Path | None):
        raise BadInput(f"certificate: {type(certificate).__name__} is no path: name a file")
    if certificate is None:
        return None
    target = Path(certificate)
    require_writable(target, "certificate", sources)
    return target


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
        return unknown(blank, str(error), started)
    except TimeUp:
        return unknown(blank, TIMEOUT, started)
    except KeyboardInterrupt:
        return unknown(blank, INTERRUPTED, started)


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
        verdict="unknown", arithmetics=dict.fromkeys(names, "unknown"), reason=None, reasons={},
        vacuous=False, counterexample=None, certificate=None, checked_by=None, leaves=0, bounded=0,
        repairs=0, margin=None, float32_penalty=None,
        assumptions=tuple(ASSUMPTIONS[name] for name in names), seconds=Seconds(0.0, 0.0, 0.0),
        model_sha256=None, property_sha256=None, version=hybrid_ai.__version__,
    )  # fmt: skip


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
        task = self.task
        if not task.allow_vacuous:
            share = monotonic() + EMPTINESS_SHARE * task.limits.timeout
            reason = contradiction(self.inputs.form, min(share, self._deadline))
            if reason is not None:
                raise BadInput(empty_text(reason))
        outcome, late, searched = self._search()
        judge = Judge(
            self.inputs, self.checker, task.target, task.allow_vacuous, self.started, self._deadline
        )
        return judge.judge(outcome, replace(self.blank, seconds=Seconds(searched, 0.0, 0.0)), late)

    def _search(self) -> tuple[Outcome, str | None, float]:
        """The outcome, why it was cut short when the alarm did that, and the seconds it took."""
        from hybrid_ai.search import Budget, run_search
        from hybrid_ai.search.hints import BadHints
        from hybrid_ai.search.kernel_cache import kernels_ready

        if self.observer.notice is not None and not kernels_ready():
            self.observer.notice(COMPILING)
        limits = self.task.limits
        deadline = self._deadline - limits.reserve
        budget = Budget(deadline, limits.memory, limits.used_threads)
        began = monotonic()
        try:
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
                    hints=self._told_hints(),
                )
        except BadHints as error:
            raise BadInput(str(error)) from error
        return outcome, TIMEOUT if alarm.rang else None, monotonic() - began

    def _told_hints(self) -> HintSource | None:
        """The source of hints, which says why where it has none."""
        source, notice = self.task.hints, self.observer.notice
        if source is None or notice is None:
            return source
        from hybrid_ai.search.hints import NoHints

        def told(question: RootQuestion) -> Hints:
            try:
                return source(question)
            except NoHints as error:
                notice(f"no hints: {error}; searching without")
                raise

        return told

    def _float32_violation(self, x: tuple[Fraction, ...]) -> tuple[Fraction, ...] | None:
        from hybrid_ai.pipeline.counterexample import float32_violation

        return float32_violation(self.inputs, x)
