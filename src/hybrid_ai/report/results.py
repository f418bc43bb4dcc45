"""What came of each verification: `results.json`, as docs/formats/dossier.md says in section 5."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hybrid_ai.report.datum import Datum, over
from hybrid_ai.report.reading import Node, optional_text

FILE = "results.json"
FORMAT, VERSION = "hybrid-ai-results", 1
VERDICTS = ("proved", "refuted", "unknown")
ARITHMETICS = ("real", "float32")


@dataclass(frozen=True)
class Point:
    """A counterexample, in the network's own values.

    Attributes:
        x: its coordinates, exact.
        outputs: by arithmetic, numbers or "inf", "-inf", "nan"; None where it was not evaluated.
        violates: the arithmetics in which it violates, in the order of ARITHMETICS.
        atom: the violated part of the unsafe condition.
        runtime: version of ONNX Runtime, None where it did not run.
        error: why it did not.
        path, sha256: of its file.
    """

    x: tuple[Datum, ...]
    outputs: dict[str, tuple[Datum, ...] | None]
    violates: tuple[str, ...]
    atom: Datum | None
    runtime: Datum | None
    error: Datum | None
    path: Datum
    sha256: Datum


@dataclass(frozen=True)
class Certificate:
    """A certificate's file."""

    path: Datum
    sha256: Datum
    bytes: Datum


@dataclass(frozen=True)
class Result:
    """A result.

    Attributes:
        number: its place, from 1.
        model, property, model_sha256, property_sha256: of the files.
        verdict: overall.
        arithmetics: by arithmetic, in the order of ARITHMETICS.
        reason: why it is unknown, or what should be known of how it came about.
        reasons: by arithmetic.
        vacuous: whether the input set is empty.
        point: when refuted.
        certificate: when there is one.
        checked_by: engine and version.
        effort: leaves, bounded, repairs, and seconds as search, check, total: by these names.
        margin: least one of the certificate's steps.
        assumptions: what the verdict rests on.
        version: of the tool.
        reused_from: digest of the dossier from which the result was taken over, None where it was not.
    """

    number: int
    ordinal: Datum
    model: Datum
    property: Datum
    model_sha256: Datum
    property_sha256: Datum
    verdict: Datum
    arithmetics: dict[str, Datum]
    reason: Datum | None
    reasons: tuple[tuple[str, Datum], ...]
    vacuous: bool
    point: Point | None
    certificate: Certificate | None
    checked_by: Datum | None
    effort: dict[str, Datum]
    margin: Datum | None
    assumptions: tuple[Datum, ...]
    version: Datum
    reused_from: Datum | None


@dataclass(frozen=True)
class Results:
    """All results.

    Attributes:
        node: the array in `results.json`.
        all: in order.
    """

    node: Node
    all: tuple[Result, ...]

    def chosen(self, numbers: Sequence[int]) -> tuple[Result, ...]:
        """Those with these numbers, from 1."""
        return tuple(self.all[number - 1] for number in numbers)

    def amount(self) -> Datum:
        """How many there are."""
        return self.node.length()

    def counted(self, verdict: str, numbers: Sequence[int] | None = None) -> Datum:
        """How many have a verdict, of all or of some."""
        rule = f"count /verdict {verdict}"
        return self._derived(rule, numbers, lambda result: result.verdict.value == verdict)

    def with_certificate(self, numbers: Sequence[int]) -> Datum:
        """How many of some have a certificate."""
        return self._derived("present /certificate", numbers, lambda result: result.certificate is not None)

    def with_point(self, numbers: Sequence[int]) -> Datum:
        """How many of some have a counterexample."""
        return self._derived("present /counterexample", numbers, lambda result: result.point is not None)

    def _derived(self, rule: str, numbers: Sequence[int] | None, holds: Callable[[Result], bool]) -> Datum:
        results = self.all if numbers is None else self.chosen(numbers)
        return Datum(str(sum(map(holds, results))), self.node.source, "integer", over(rule, numbers))


def read_results(root: Node) -> Results:
    """Read `results.json`.

    Raises:
        ReportError: it is not as its format says.
    """
    root.member("format").require(FORMAT)
    root.member("version").require(VERSION)
    node = root.member("results")
    results = [_result(item, number) for number, item in enumerate(node.items(), start=1)]
    return Results(node, tuple(results))


def _result(node: Node, number: int) -> Result:
    arithmetics = node.member("arithmetics")
    found = {name: arithmetics.find(name) for name in ARITHMETICS}
    point, certificate = node.find("counterexample"), node.find("certificate")
    margin, reused = node.find("margin"), node.find("reused_from")
    reasons = node.find("reasons")
    return Result(
        number=number,
        ordinal=Datum(str(number), node.source, "integer", "ordinal"),
        model=node.member("model").path(),
        property=node.member("property").path(),
        model_sha256=node.member("model_sha256").digest(),
        property_sha256=node.member("property_sha256").digest(),
        verdict=node.member("verdict").word(VERDICTS),
        arithmetics={name: each.word(VERDICTS) for name, each in found.items() if each is not None},
        reason=optional_text(node.find("reason"), "phrase"),
        reasons=()
        if reasons is None
        else tuple((name, each.text("phrase")) for name, each in reasons.members()),
        vacuous=node.member("vacuous").truth(),
        point=None if point is None else _point(point),
        certificate=None if certificate is None else _certificate(certificate),
        checked_by=optional_text(node.find("checked_by"), "code"),
        effort=_effort(node),
        margin=None if margin is None else margin.number(),
        assumptions=tuple(item.text("phrase") for item in node.member("assumptions").items()),
        version=node.member("version").text("code"),
        reused_from=None if reused is None else reused.digest(),
    )


def _effort(node: Node) -> dict[str, Datum]:
    seconds = node.member("seconds")
    return {
        **{name: node.member(name).integer() for name in ("leaves", "bounded", "repairs")},
        **{name: seconds.member(name).number().as_kind("seconds") for name in ("search", "check", "total")},
    }


def _certificate(node: Node) -> Certificate:
    return Certificate(
        node.member("path").path(), node.member("sha256").digest(), node.member("bytes").integer()
    )


def _point(node: Node) -> Point:
    violates, outputs, runtime = (node.find(name) for name in ("violates", "outputs", "runtime"))
    file = node.member("file")
    found = {} if outputs is None else {name: outputs.find(name) for name in ARITHMETICS}
    return Point(
        x=tuple(item.exact() for item in node.member("x").items()),
        outputs={name: None if each is None else _outputs(each) for name, each in found.items()},
        violates=tuple(
            name
            for name in ARITHMETICS
            if violates is not None and violates.find(name) is not None and violates.member(name).truth()
        ),
        atom=optional_text(node.find("atom"), "code"),
        runtime=None if runtime is None else optional_text(runtime.find("version"), "code"),
        error=None if runtime is None else optional_text(runtime.find("error")),
        path=file.member("path").path(),
        sha256=file.member("sha256").digest(),
    )


def _outputs(node: Node) -> tuple[Datum, ...]:
    """Numbers; those that JSON has no number for are text."""
    return tuple(
        item.word(("inf", "-inf", "nan")) if isinstance(item.value, str) else item.number()
        for item in node.items()
    )
