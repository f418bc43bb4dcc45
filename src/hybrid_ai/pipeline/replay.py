"""Replay a dossier: judge all evidence again, run counterexamples again, and repeat searches if asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any, Literal

from hybrid_ai.pipeline.checking import Checker, CheckResult, Engine
from hybrid_ai.pipeline.counterexample import computed, exact_point, rounded, violates_float32
from hybrid_ai.pipeline.errors import BadInput, UnsupportedInput
from hybrid_ai.pipeline.inputs import read_inputs
from hybrid_ai.pipeline.limits import LONGEST_TIMEOUT, Limits
from hybrid_ai.pipeline.result import ARITHMETICS, INTERRUPTED, Counterexample
from hybrid_ai.pipeline.verify import Observer, Task, run

Content = dict[str, Any]
Agreement = Literal["agrees", "differs", "contradicts", "nothing to replay"]
Ask = Callable[[Path, Path, Path, Engine], CheckResult]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one result.

    Attributes:
        result: as the dossier tells it.
        agreement: "agrees"; "contradicts": the evidence does not show the verdict, or a search found the
            opposite; "differs": one search decided and the other did not; "nothing to replay".
        detail: what was found.
    """

    result: Content
    agreement: Agreement
    detail: str

    def line(self) -> str:
        """One line for people."""
        name = f"{self.result['model']} {self.result['property']}"
        return f"{name}: {self.result['verdict']}, {self.agreement}: {self.detail}"


def replay(
    folder: Path,
    *,
    engine: Engine,
    search: bool,
    timeout: float | None = None,
    observer: Observer,
    on_result: Callable[[Replayed], None],
) -> list[Replayed]:
    """Replay all results of a dossier whose integrity is established.

    Args:
        folder: the dossier.
        engine: in which certificates are judged.
        search: also repeat each search, with the recorded limits.
        timeout: seconds that each search may take at most, or None for the recorded ones, which whoever made
            the dossier chose: up to three years each.
        observer: told how each search goes, and first how long all may take.
        on_result: called with each result.

    Raises:
        BadInput: a limit is out of its range.
        CheckerFailure: the checker itself failed.
        KeyboardInterrupt: interrupted.
    """
    manifest = json.loads((folder / "dossier.json").read_bytes())
    if manifest["kind"] != "certification":  # a file of that name is not ours there
        return []
    content = json.loads((folder / "results.json").read_bytes())
    limits = [_limits(result, timeout) for result in content["results"]] if search else []
    if limits and observer.notice is not None:
        seconds = sum(each.timeout for each in limits)
        observer.notice(f"repeating at most {len(limits)} searches, {seconds:,.1f} s in all at most")
    replayed = []
    with Checker() as checker:

        def ask(model: Path, claim: Path, evidence: Path, engine: Engine) -> CheckResult:
            return checker.ask(model, claim, evidence, engine, monotonic() + LONGEST_TIMEOUT)

        for number, result in enumerate(content["results"]):
            found = judged(folder, result, engine, ask)
            if search and found.agreement != "contradicts":
                found = _searched(folder, result, limits[number], observer, checker, found)
            replayed.append(found)
            on_result(found)
    return replayed


def judged(folder: Path, result: Content, engine: Engine, ask: Ask) -> Replayed:
    """Judge the evidence of one result again, a counterexample in ONNX Runtime as well.

    Args:
        folder: the dossier.
        result: as its `results.json` tells it.
        engine: in which a certificate is judged first.
        ask: the checker, given model, property, evidence and engine.

    Raises:
        CheckerFailure: the checker itself failed.
    """
    claimed = {name for name, verdict in result["arithmetics"].items() if verdict == "proved"}
    if result["evidence"] is None or (not claimed and result["verdict"] != "refuted"):
        return Replayed(result, "nothing to replay", result.get("reason") or "no evidence was kept")
    model, claim, evidence = (folder / result[name] for name in ("model", "property", "evidence"))
    answer = ask(model, claim, evidence, engine)
    if answer.status == "rejected" and engine == "fast":  # its margins depend on the machine's linear algebra
        answer = ask(model, claim, evidence, "exact")
    if result["verdict"] == "refuted":
        return _evaluated(folder, result, answer)
    if answer.status != "valid" or answer.kind != "certificate":
        return Replayed(result, "contradicts", answer.line())
    if not claimed <= set(ARITHMETICS[answer.arithmetic]):
        return Replayed(result, "contradicts", f"the certificate is about {answer.arithmetic} arithmetic")
    if answer.vacuous is not result["vacuous"]:
        empty = "is empty" if answer.vacuous else "was not shown to be empty"
        return Replayed(result, "contradicts", f"the input set {empty}, the result says otherwise")
    return Replayed(result, "agrees", answer.line())


def _evaluated(folder: Path, result: Content, answer: CheckResult) -> Replayed:
    """Evaluate a counterexample: exactly by the checker, in float32 by ONNX Runtime."""
    told = result["counterexample"]
    exact = answer.status == "valid" and answer.kind == "counterexample"
    if not exact and answer.status != "not_reevaluated":
        return Replayed(result, "contradicts", answer.line())
    if exact != (told["violates"].get("real") is True):
        return Replayed(result, "contradicts", f"in real arithmetic: {answer.line()}")
    try:
        computes = _violates_float32(folder, result)
    except (BadInput, UnsupportedInput) as error:
        return Replayed(result, "contradicts", str(error))
    if computes != (told["violates"].get("float32") is True):
        word = "violates" if computes else "does not violate"
        return Replayed(result, "contradicts", f"in float32 the point {word} now")
    where = [name for name, found in (("real", exact), ("float32", computes)) if found]
    return Replayed(result, "agrees", f"the point violates in {' and '.join(where)} arithmetic")


def _violates_float32(folder: Path, result: Content) -> bool:
    from hybrid_ai.network import RuntimeFailure

    inputs = read_inputs(folder / result["model"], folder / result["property"])
    told = result["counterexample"]
    x = exact_point(Counterexample(tuple(told["x"]), {}, {}, "", told.get("runtime"), None))
    point = rounded(x)
    if point is None:
        return False
    try:
        outputs, _ = computed(inputs, point, optimised=False)
    except RuntimeFailure:
        return False
    return violates_float32(inputs.property, x, point, outputs)


def _limits(result: Content, timeout: float | None) -> Limits:
    """The recorded limits of a search, its time cut to what it may take now."""
    asked = result["parameters"]
    limits = Limits(asked["timeout"], asked["memory"], asked["threads"], asked["seed"])
    return limits if timeout is None else replace(limits, timeout=min(timeout, limits.timeout))


def _searched(
    folder: Path, result: Content, limits: Limits, observer: Observer, checker: Checker, judged: Replayed
) -> Replayed:
    """Repeat the search."""
    asked = result["parameters"]
    task = Task(limits, None, asked["allow_vacuous"], asked["arithmetic"])
    found = run(folder / result["model"], folder / result["property"], task, checker, observer)
    if found.reason is not None and found.reason.startswith(INTERRUPTED):
        raise KeyboardInterrupt
    pairs = [(result["arithmetics"].get(name), verdict) for name, verdict in found.arithmetics.items()]
    detail = f"{judged.detail}; searched again: {found.line()}"
    if any({told, verdict} == {"proved", "refuted"} for told, verdict in pairs):
        return Replayed(result, "contradicts", detail)
    if any(told != verdict for told, verdict in pairs):
        return Replayed(result, "differs", detail)
    return Replayed(result, "agrees", detail)
