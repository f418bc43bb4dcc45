"""Re-proof: each result judged anew, by a fresh process of the checker."""

import json
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Literal

from hybrid_ai.audit.verification.container import Container
from hybrid_ai.audit.verification.evidence import ARITHMETICS, Claim
from hybrid_ai.audit.verification.manifest import Manifest
from hybrid_ai.audit.verification.rejected import Refused

Engine = Literal["fast", "exact"]
BUDGET = "budget"

# The checker could not read a file, by its limits or at all: it has judged nothing.
_UNREAD = frozenset({"malformed", "unsupported"})
_STATUSES = frozenset({"valid", "rejected", "malformed", "unsupported", "not_reevaluated", "failed"})


@dataclass(frozen=True)
class Reprover:
    """How results are judged anew.

    Attributes:
        command: starts the checker; paths of model, property and evidence, `--engine` and `--json` follow.
        engine: for certificates. What "fast" rejects, "exact" judges: rounding differs between machines.
        budget: seconds for all results, or None for no limit.
        tell: called with one line before each result.
    """

    command: tuple[str, ...]
    engine: Engine
    budget: float | None = None
    tell: Callable[[str], None] | None = None


@dataclass(frozen=True)
class Reproof:
    """What was judged anew; every result is named by the path of its statement.

    Attributes:
        reproved: results for which the checker accepted what they claim.
        not_reproved: results with the reason why there is no answer.
        not_reevaluated: results that call float32 arithmetic refuted, which ONNX Runtime alone can show.
        unclaimed: results that claim nothing.
        fallback: why the engine "fast" could not start and "exact" judged instead, or None.
    """

    reproved: tuple[str, ...]
    not_reproved: tuple[tuple[str, str], ...]
    not_reevaluated: tuple[str, ...]
    unclaimed: tuple[str, ...]
    fallback: str | None = None


class _NoAnswer(Exception):
    """The checker came to no answer; says why."""


def reprove(container: Container, manifest: Manifest, claims: Sequence[Claim], how: Reprover) -> Reproof:
    """Have the checker judge the evidence of all results, the smallest first.

    Args:
        container: the dossier.
        manifest: its manifest.
        claims: its results.
        how: see there.

    Raises:
        Refused: "proof", for the first result whose evidence does not show what it claims; "integrity", when
            a file changed since it was looked at.
        OSError: when a file cannot be read or written, or the checker's process not be started.

    Sound because: the checker gets copies of the bytes whose SHA-256 the manifest lists, compared while they
    are copied, and a result counts only with the answer "valid" of a fresh process.
    """
    deadline = None if how.budget is None else monotonic() + how.budget
    claimed = [claim for claim in claims if claim.proved or claim.refuted]
    claimed.sort(key=lambda claim: (_evidence_size(manifest, claim), claim.where))
    reproved: list[str] = []
    not_reproved: list[tuple[str, str]] = []
    with tempfile.TemporaryDirectory(prefix="hybrid-ai-") as folder:
        copies = _Copies(container, manifest, Path(folder))
        checker = _Checker(how, deadline)
        for number, claim in enumerate(claimed, start=1):
            if how.tell is not None:
                how.tell(f"proof: {number} of {len(claimed)}: {claim.where}")
            try:
                _judge(copies, claim, checker)
            except _NoAnswer as reason:
                not_reproved.append((claim.where, str(reason)))
            else:
                if claim.refuted != {"float32"}:
                    reproved.append(claim.where)
    return Reproof(
        tuple(reproved),
        tuple(not_reproved),
        tuple(claim.where for claim in claims if "float32" in claim.refuted),
        tuple(claim.where for claim in claims if not claim.proved and not claim.refuted),
        checker.fallback,
    )


class _Copies:
    """Files copied out of a dossier: models and properties once, each piece of evidence for its turn."""

    def __init__(self, container: Container, manifest: Manifest, folder: Path) -> None:
        self._container = container
        self._manifest = manifest
        self._folder = folder
        self._kept: dict[str, Path] = {}

    def kept(self, name: str) -> Path:
        """The copy of a file that stays."""
        if name not in self._kept:
            self._kept[name] = self.copied(name, f"{len(self._kept)}")
        return self._kept[name]

    def copied(self, name: str, title: str) -> Path:
        """A copy of a file under another name, without anything that its own name could do."""
        target = self._folder / title
        if self._container.extract(name, target) != self._manifest.files[name].sha256:
            raise Refused("integrity", name, "changed while it was verified")
        return target


def _evidence_size(manifest: Manifest, claim: Claim) -> int:
    assert claim.evidence is not None  # `read_claims` saw to it for results that claim something
    return manifest.files[claim.evidence].size


class _Checker:
    """Asks the engine wanted, and "exact" where "fast" rejects or cannot start.

    Attributes:
        fallback: why "fast" is not asked any more, or None.
    """

    def __init__(self, how: Reprover, deadline: float | None) -> None:
        self._how = how
        self._deadline = deadline
        self.fallback: str | None = None

    def answer(self, files: tuple[Path, ...]) -> dict[str, object]:
        """The answer for model, property and evidence; raises as `_ask`."""
        if self._how.engine == "fast" and self.fallback is None:
            answer = _ask(self._how.command, files, "fast", self._deadline)
            if _without_numpy(answer):
                self.fallback = _short(answer.get("reason"))
                if self._how.tell is not None:
                    self._how.tell(f"proof: exact judges, as fast cannot start: {self.fallback}")
            elif answer["status"] != "rejected":
                return answer
        return _ask(self._how.command, files, "exact", self._deadline)

    def require_time(self) -> None:
        """Raise _NoAnswer when the time is over."""
        if _left(self._deadline) == 0:
            raise _NoAnswer(BUDGET)


def _without_numpy(answer: Mapping[str, object]) -> bool:
    """Whether the checker failed because numpy is not there, or there and broken."""
    # Its failures to load are errors of the import, or others that it raises in its own name.
    reason = str(answer.get("reason"))
    missing = reason.startswith(("ImportError", "ModuleNotFoundError")) or "numpy" in reason.lower()
    return answer["status"] == "failed" and missing


def _judge(copies: _Copies, claim: Claim, checker: _Checker) -> None:
    """Return when the evidence shows what the result claims.

    Raises:
        Refused: it does not.
        _NoAnswer: there is none.
    """
    assert claim.evidence is not None  # see `_evidence_size`
    checker.require_time()
    evidence = copies.copied(claim.evidence, "evidence")
    try:
        files = (copies.kept(claim.model), copies.kept(claim.property), evidence)
        answer = checker.answer(files)
    finally:
        evidence.unlink()
    if answer["status"] in _UNREAD:
        raise _NoAnswer(f"the checker says {_said(answer)}")
    if answer["status"] == "failed":
        raise _NoAnswer(f"the checker failed: {answer.get('reason')}")
    _require_shown(answer, claim)


def _require_shown(answer: Mapping[str, object], claim: Claim) -> None:
    place = claim.evidence or claim.where
    status = answer["status"]
    if claim.refuted == {"float32"}:
        # The checker has seen that the point lies in the input set; that it violates, it cannot see.
        if status != "not_reevaluated":
            raise Refused("proof", place, f"is not in float32 alone: the checker says {_said(answer)}")
        return
    if status != "valid":
        raise Refused("proof", place, f"the checker says {_said(answer)}")
    if answer.get("kind") != claim.kind:
        raise Refused("proof", place, f"is no {claim.kind}, but a {_short(answer.get('kind'))}")
    arithmetic = answer.get("arithmetic")
    shown = set(ARITHMETICS) if arithmetic == "both" else {arithmetic}
    needed = claim.proved | (claim.refuted - {"float32"})
    if not needed <= shown:
        raise Refused("proof", place, f"shows it in {_short(arithmetic)} arithmetic, not in {sorted(needed)}")
    if answer.get("vacuous") is not claim.vacuous:
        raise Refused("proof", place, f"vacuous is {_short(answer.get('vacuous'))}, not {claim.vacuous}")


def _said(answer: Mapping[str, object]) -> str:
    parts = [answer[name] for name in ("status", "rule", "where", "reason") if name in answer]
    return ": ".join(map(_short, parts))


def _short(value: object) -> str:
    return str(value)[:400]


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - monotonic())


def _ask(
    command: tuple[str, ...], files: tuple[Path, ...], engine: Engine, deadline: float | None
) -> dict[str, object]:
    """The answer of a fresh process.

    Raises:
        _NoAnswer: the time is over, or the process ended without an answer.
        Refused: the answer makes no sense.
    """
    arguments = [*command, *map(str, files), "--engine", engine, "--json"]
    # A session of its own: Ctrl-C goes to us alone, and `run` ends the process then.
    try:
        done = subprocess.run(
            arguments,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_left(deadline),
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _NoAnswer(BUDGET) from error
    if not done.stdout:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        last = f": {_short(said[-1])}" if said else ""
        raise _NoAnswer(f"the checker's process ended with status {done.returncode} and no answer{last}")
    try:
        answer = json.loads(done.stdout)
    except (ValueError, RecursionError) as error:
        raise Refused("proof", "checker", f"its answer makes no sense: {done.stdout[:200]!a}") from error
    if not isinstance(answer, dict) or answer.get("status") not in _STATUSES:
        raise Refused("proof", "checker", f"its answer makes no sense: {done.stdout[:200]!a}")
    return answer
