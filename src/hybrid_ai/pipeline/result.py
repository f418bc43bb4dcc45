"""What `verify` returns: a verdict with its reasons and its evidence."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, Literal

Verdict = Literal["proved", "refuted", "unknown"]

# What each arithmetic that can be asked for consists of.
ARITHMETICS = {"real": ("real",), "float32": ("float32",), "both": ("real", "float32")}

# Reasons that others look for.
INTERRUPTED = "interrupted"
TIMEOUT = "timeout"
CHECK_TIMED_OUT = "claimed, check timed out"

EXIT_CODES = {"proved": 0, "refuted": 10, "unknown": 20}
EXIT_FAILED = 1

REAL_ASSUMPTION = (
    "arithmetic real: the network over the real numbers, its weights the exact values of the stored floats; "
    "rounding where it is executed is not covered"
)


FLOAT32_ASSUMPTION = (
    "arithmetic float32: every + - x / is binary32 rounded to nearest, or more precise; sums in any order, "
    "fused or not; constants folded within one affine block; subnormals kept or flushed; no TF32, half "
    "precision, Winograd, FFT or Strassen"
)
ASSUMPTIONS = {"real": REAL_ASSUMPTION, "float32": FLOAT32_ASSUMPTION}


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """A file of evidence: its path as given, the SHA-256 of its bytes (hexadecimal) and their number."""

    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class RuntimeRun:
    """What ONNX Runtime made of a counterexample; `error` says why there are no outputs, or is None."""

    version: str | None
    provider: str | None
    graph_optimization: str | None
    threads: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A point that violates the property.

    Attributes:
        x: the point, exact: decimals or quotients as text.
        outputs: by arithmetic, the outputs there: "real" rounded to doubles, "float32" as ONNX Runtime
            returned them at the rounded point, None where it did not; infinities and NaN as text.
        violates: by arithmetic, whether the point violates; None where it was not evaluated.
        atom: the violated part of the unsafe condition.
        runtime: what the float32 outputs were computed with.
        file: the counterexample as a file, when it was kept.
    """

    x: tuple[str, ...]
    outputs: dict[str, tuple[float | str, ...] | None]
    violates: dict[str, bool | None]
    atom: str
    runtime: RuntimeRun
    file: EvidenceFile | None


@dataclass(frozen=True, slots=True)
class Seconds:
    """Wall seconds of the search, of the check and of everything."""

    search: float
    check: float
    total: float


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one verification.

    Attributes:
        verdict: "proved" only when the independent checker accepted the certificate.
        arithmetics: the verdict by arithmetic.
        reason: why it is unknown; with "proved", what should be known about how it came about; else None.
        reasons: by arithmetic whose verdict is unknown, why.
        vacuous: proved because the input set is empty.
        counterexample: when refuted.
        certificate: the certificate, when it was kept.
        checked_by: engine and version of the checker that accepted, or None.
        leaves, bounded: leaves of the trees, boxes bounded.
        repairs: rejected nodes that went back to the search.
        margin: least margin with which the certificate's steps close, in units of the property's rows, as the
            search found it (not checked); None where none was needed.
        float32_penalty: most that float32 rounding took off such a margin; likewise.
        assumptions: what the verdict rests on.
        model_sha256, property_sha256: of the files as given, hexadecimal; None where interrupted before.
        version: of this program.
        failed: it ended by our own failure (exit 1).
    """

    verdict: Verdict
    arithmetics: dict[str, Verdict]
    reason: str | None
    reasons: dict[str, str]
    vacuous: bool
    counterexample: Counterexample | None
    certificate: EvidenceFile | None
    checked_by: str | None
    leaves: int
    bounded: int
    repairs: int
    margin: float | None
    float32_penalty: float | None
    assumptions: tuple[str, ...]
    seconds: Seconds
    model_sha256: str | None
    property_sha256: str | None
    version: str
    failed: bool = False

    @property
    def exit_code(self) -> int:
        """The exit status of the command line."""
        return EXIT_FAILED if self.failed else EXIT_CODES[self.verdict]

    def fields(self) -> dict[str, Any]:
        """The fields of the JSON object."""
        return asdict(self)

    def to_json(self) -> str:
        """The result as one line of JSON."""
        return json.dumps(self.fields(), allow_nan=False)

    def line(self) -> str:
        """The result as one line for people."""
        if self.verdict == "unknown":
            return f"unknown: {self.reason}"
        if self.counterexample is not None:
            shown = [f"X_{axis} = {_short(text)}" for axis, text in enumerate(self.counterexample.x[:6])]
            more = ", ..." if len(self.counterexample.x) > len(shown) else ""
            refuted = [name for name, verdict in self.arithmetics.items() if verdict == "refuted"]
            where = "" if "real" in refuted else f" in {' and '.join(refuted)} arithmetic"
            return f"refuted{where}: {self.counterexample.atom[:200]} at {', '.join(shown)}{more}"
        vacuous = "the input set is empty; " if self.vacuous else ""
        note = f" ({self.reason})" if self.reason else ""
        return (
            f"proved in {' and '.join(self.arithmetics)} arithmetic: {vacuous}{self.leaves} leaves, "
            f"checked by engine {self.checked_by}, "
            f"{self.seconds.total:.2f} s{note}"
        )


def _short(number: str) -> str:
    try:
        return f"{float(Fraction(number)):.6g}"
    except OverflowError:  # beyond the largest double
        return number[:24]
