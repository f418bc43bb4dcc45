"""What became of the plan: `assessment.json`, as docs/formats/plan.md says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from hybrid_ai.report.datum import Datum
from hybrid_ai.report.reading import Node, optional_text
from hybrid_ai.report.results import ARITHMETICS, VERDICTS

FILE = "assessment.json"
FORMAT = 1

# What each kind of `not_covered` names.
KINDS_UNCOVERED: dict[str, tuple[str, ...]] = {
    "outside_domain": (),
    "scaling": ("count",),
    "arithmetic": ("requirement", "arithmetic"),
    "unknown": ("requirement", "count"),
    "not_physical": ("requirement",),
    "samples_only": ("requirement",),
    "vacuous": ("requirement", "count"),
}

Counts = dict[str, Datum]


@dataclass(frozen=True)
class AssessedCoverage:
    """How much of the domain a requirement was decided on, for one model.

    Attributes:
        model: its id.
        cells: their numbers, by verdict.
        volume: parts of the whole, by verdict; they add up to 1.
    """

    model: Datum
    cells: Counts
    volume: Counts

    def percent(self, verdict: str) -> Datum:
        """A volume in percent."""
        volume = self.volume[verdict]
        return replace(volume, value=str(100 * Fraction(volume.value)), kind="percent", rule="percent")


@dataclass(frozen=True)
class AssessedRequirement:
    """What became of a requirement.

    Attributes:
        id: of it.
        status: "proved", "refuted" or "unknown".
        arithmetics: likewise, by arithmetic.
        counts: of its verifications, by verdict.
        reasons: why some are unknown, and how many for each reason.
        vacuous: how many hold because their input set is empty.
        coverage: by model, in the plan's order; empty when none was asked for.
    """

    id: Datum
    status: Datum
    arithmetics: dict[str, Datum]
    counts: Counts
    reasons: tuple[tuple[Datum, Datum], ...]
    vacuous: Datum
    coverage: tuple[AssessedCoverage, ...]


@dataclass(frozen=True)
class Evidence:
    """A kind of evidence that an objective asks for.

    Attributes:
        tag: its name.
        offered: whether there is some.
        by: numbers of the verifications that give it; none where the dossier as a whole does.
        against: which of these speak against their requirement.
    """

    tag: Datum
    offered: bool
    by: Datum
    against: Datum


@dataclass(frozen=True)
class Objective:
    """An objective for which evidence is offered."""

    catalogue: Datum
    id: Datum
    text: Datum
    origin: Datum | None
    requirements: tuple[Datum, ...]
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True)
class Uncovered:
    """What a reader could take for covered and is not.

    Attributes:
        kind: one of KINDS_UNCOVERED.
        values: what it is about, by the name of the slot in the catalogue's text.
    """

    kind: str
    values: dict[str, Datum]


@dataclass(frozen=True)
class Assessment:
    """What became of a plan.

    Attributes:
        requirements_counted, verifications_counted: numbers by verdict.
        requirements: in the plan's order.
        outside: numbers of refuted verifications that count as unknown, as their counterexamples lie outside
            of the domain that the plan states.
        objectives: in the plan's order.
        without_objective: ids of requirements.
        without_evidence: pairs of a catalogue and an id.
        not_covered: in the order of the file.
    """

    requirements_counted: Counts
    verifications_counted: Counts
    requirements: tuple[AssessedRequirement, ...]
    outside: frozenset[int]
    objectives: tuple[Objective, ...]
    without_objective: tuple[Datum, ...]
    without_evidence: tuple[tuple[Datum, Datum], ...]
    not_covered: tuple[Uncovered, ...]


def read_assessment(root: Node) -> Assessment:
    """Read `assessment.json`.

    Raises:
        ReportError: it is not as its format says.
    """
    root.member("format").require(FORMAT)
    counts = root.member("counts")
    orphans = root.member("without_evidence").items()
    return Assessment(
        requirements_counted=_counts(counts.member("requirements")),
        verifications_counted=_counts(counts.member("verifications")),
        requirements=tuple(map(_requirement, root.member("requirements").items())),
        outside=frozenset(int(item.integer().value) for item in root.member("outside").items()),
        objectives=tuple(map(_objective, root.member("objectives").items())),
        without_objective=tuple(item.text("code") for item in root.member("without_objective").items()),
        without_evidence=tuple(
            (item.member("catalogue").text("code"), item.member("id").text("code")) for item in orphans
        ),
        not_covered=tuple(map(_uncovered, root.member("not_covered").items())),
    )


def _uncovered(node: Node) -> Uncovered:
    kind = node.member("kind").word(tuple(KINDS_UNCOVERED)).value
    values: dict[str, Datum] = {}
    for name in KINDS_UNCOVERED[kind]:
        member = node.member(name)
        if name == "count":
            values[name] = member.integer()
        elif name == "arithmetic":
            values[name] = member.word(ARITHMETICS)
        else:
            values[name] = member.text("code")
    return Uncovered(kind, values)


def _counts(node: Node) -> Counts:
    return {verdict: node.member(verdict).integer() for verdict in VERDICTS}


def _requirement(node: Node) -> AssessedRequirement:
    arithmetics = node.member("arithmetics")
    found = {name: arithmetics.find(name) for name in ARITHMETICS}
    coverage = node.find("coverage")
    return AssessedRequirement(
        id=node.member("id").text("code"),
        status=node.member("status").word(VERDICTS),
        arithmetics={name: each.word(VERDICTS) for name, each in found.items() if each is not None},
        counts=_counts(node.member("counts")),
        reasons=tuple(
            (Datum(reason, number.source, "phrase", "key"), number.integer())
            for reason, number in node.member("reasons").members()
        ),
        vacuous=node.member("vacuous").integer(),
        coverage=() if coverage is None else tuple(map(_coverage, coverage.items())),
    )


def _coverage(node: Node) -> AssessedCoverage:
    volume = node.member("volume")
    found = AssessedCoverage(
        model=node.member("model").text("code"),
        cells=_counts(node.member("cells")),
        volume={verdict: volume.member(verdict).fraction() for verdict in VERDICTS},
    )
    if sum(Fraction(part.value) for part in found.volume.values()) != 1:
        raise volume.fail("its parts do not add up to 1")
    return found


def _objective(node: Node) -> Objective:
    return Objective(
        catalogue=node.member("catalogue").text("code"),
        id=node.member("id").text("code"),
        text=node.member("text").text(),
        origin=optional_text(node.find("source")),
        requirements=tuple(item.text("code") for item in node.member("requirements").items()),
        evidence=tuple(map(_evidence, node.member("evidence").items())),
    )


def _evidence(node: Node) -> Evidence:
    by = node.member("by")
    return Evidence(
        tag=node.member("tag").text("code"),
        offered=node.member("offered").truth(),
        by=by.numbers(),
        against=node.member("against").numbers(),
    )
