"""What was to be certified: `plan/plan.json`, as docs/formats/plan.md says."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from hybrid_ai.report.datum import Datum
from hybrid_ai.report.reading import Node, optional_text

FILE = "plan/plan.json"
FORMAT = 1
CLAIMS = ("holds", "never", "file")
ROLES = ("author", "verifier", "reviewer", "approver")


@dataclass(frozen=True)
class Quantity:
    """An input or output element of a model: physical = network * scale + offset.

    Attributes:
        name, unit: as the plan says.
        offset, scale: of it.
        source: where it stands.
    """

    name: Datum
    unit: Datum
    offset: Fraction
    scale: Fraction
    source: str


@dataclass(frozen=True)
class Model:
    """A model of the plan.

    Attributes:
        id, path, sha256: of it; the path is None where no requirement is about it.
        preprocessing: "declared" or "inside".
        inputs, outputs: in the order of its flattened tensors.
    """

    id: Datum
    path: Datum | None
    sha256: Datum
    preprocessing: Datum
    inputs: tuple[Quantity, ...]
    outputs: tuple[Quantity, ...]


@dataclass(frozen=True)
class DomainInput:
    """A range of the operational design domain, in physical units."""

    name: Datum
    unit: Datum
    minimum: Datum
    maximum: Datum
    origin: Datum | None


@dataclass(frozen=True)
class Constraint:
    """A constraint of the domain."""

    formula: Datum
    origin: Datum | None


@dataclass(frozen=True)
class Assumption:
    """An assumption that requirements name."""

    id: Datum
    text: Datum
    origin: Datum | None


@dataclass(frozen=True)
class Side:
    """The range of one input in a box: in physical units, and as certified in the network's values."""

    name: Datum
    minimum: Datum
    maximum: Datum
    network_minimum: Datum
    network_maximum: Datum


@dataclass(frozen=True)
class PlannedVerification:
    """A verification as it was planned.

    Attributes:
        number: its place in `results.json`, from 1.
        requirement, model: ids.
        path: of the property.
        claim: "holds", "never" or "file".
        sample: number of the row, or None.
        cell: numbers of the cell, or None.
        box: or None.
    """

    number: Datum
    requirement: str
    model: Datum
    path: Datum
    claim: Datum
    sample: Datum | None
    cell: tuple[Datum, ...] | None
    box: tuple[Side, ...] | None


@dataclass(frozen=True)
class Samples:
    """The samples of a requirement: their file, and by input how far around each, in physical units."""

    path: Datum
    radius: tuple[tuple[Datum, Datum], ...]


@dataclass(frozen=True)
class PlannedRequirement:
    """A requirement as it was planned.

    Attributes:
        id: of it.
        text: in words.
        details: pairs of a name (rationale, source, parent, criticality, acceptance, method) and its text.
        assumptions: ids.
        where, formula: in physical units, or None.
        samples: or None.
        coverage: names of inputs and numbers of cells along them, or None.
        verifications: their numbers.
        amount: how many they are.
        source: where it stands.
    """

    id: Datum
    text: Datum
    details: tuple[tuple[str, Datum], ...]
    assumptions: tuple[Datum, ...]
    where: Datum | None
    formula: Datum | None
    samples: Samples | None
    coverage: tuple[tuple[Datum, int], ...] | None
    verifications: tuple[int, ...]
    amount: Datum
    source: str


@dataclass(frozen=True)
class Plan:
    """A plan.

    Attributes:
        identifier, version, name, intended_use, exclusions, organisation: of the system.
        models: of it.
        domain: description of the operational design domain.
        inputs, constraints: of the domain.
        requirements, verifications, assumptions: of it.
        notes: of the objectives, by catalogue and id.
        budget: pairs of a name and what it says.
        statement: that a reviewer signs.
        roles: that must sign.
    """

    identifier: Datum
    version: Datum
    name: Datum
    intended_use: Datum
    exclusions: tuple[Datum, ...]
    organisation: Datum | None
    models: tuple[Model, ...]
    domain: Datum | None
    inputs: tuple[DomainInput, ...]
    constraints: tuple[Constraint, ...]
    requirements: tuple[PlannedRequirement, ...]
    verifications: tuple[PlannedVerification, ...]
    assumptions: tuple[Assumption, ...]
    notes: dict[tuple[str, str], Datum]
    budget: tuple[tuple[str, Datum], ...]
    statement: Datum | None
    roles: tuple[Datum, ...]


def read_plan(root: Node) -> Plan:
    """Read `plan/plan.json`.

    Raises:
        ReportError: it is not as its format says, or contradicts itself.
    """
    root.member("format").require(FORMAT)
    system, domain = root.member("system"), root.member("odd")
    review = root.member("review")
    plan = Plan(
        identifier=system.member("id").text("code"),
        version=system.member("version").text(),
        name=system.member("name").text(),
        intended_use=system.member("intended_use").text(),
        exclusions=tuple(item.text() for item in system.member("exclusions").items()),
        organisation=optional_text(system.find("organisation")),
        models=tuple(map(_model, root.member("models").items())),
        domain=optional_text(domain.find("description")),
        inputs=tuple(map(_domain_input, domain.member("inputs").items())),
        constraints=tuple(map(_constraint, domain.member("constraints").items())),
        requirements=tuple(map(_requirement, root.member("requirements").items())),
        verifications=tuple(map(_verification, root.member("verifications").items())),
        assumptions=tuple(map(_assumption, root.member("assumptions").items())),
        notes=_notes(root.member("objectives")),
        budget=_budget(root.member("budget")),
        statement=optional_text(review.find("statement")),
        roles=tuple(item.word(ROLES) for item in review.member("roles").items()),
    )
    _require_consistent(root, plan)
    return plan


def _model(node: Node) -> Model:
    path = node.find("path")
    return Model(
        id=node.member("id").text("code"),
        path=None if path is None else path.path(),
        sha256=node.member("sha256").digest(),
        preprocessing=node.member("preprocessing").word(("declared", "inside")),
        inputs=tuple(map(_quantity, node.member("inputs").items())),
        outputs=tuple(map(_quantity, node.member("outputs").items())),
    )


def _quantity(node: Node) -> Quantity:
    return Quantity(
        name=node.member("name").text("code"),
        unit=node.member("unit").text(),
        offset=Fraction(node.member("offset").exact().value),
        scale=Fraction(node.member("scale").exact().value),
        source=node.source,
    )


def _domain_input(node: Node) -> DomainInput:
    found = DomainInput(
        name=node.member("name").text("code"),
        unit=node.member("unit").text(),
        minimum=node.member("minimum").exact(),
        maximum=node.member("maximum").exact(),
        origin=optional_text(node.find("source")),
    )
    if Fraction(found.minimum.value) > Fraction(found.maximum.value):
        raise node.fail("its minimum is above its maximum")
    return found


def _constraint(node: Node) -> Constraint:
    return Constraint(node.member("formula").text("code"), optional_text(node.find("source")))


def _assumption(node: Node) -> Assumption:
    return Assumption(
        node.member("id").text("code"), node.member("text").text(), optional_text(node.find("source"))
    )


def _requirement(node: Node) -> PlannedRequirement:
    names = ("rationale", "source", "parent", "criticality", "acceptance", "method")
    details = [(name, node.find(name)) for name in names]
    verifications = node.member("verifications")
    return PlannedRequirement(
        id=node.member("id").text("code"),
        text=node.member("text").text(),
        details=tuple((name, found.text()) for name, found in details if found is not None),
        assumptions=tuple(item.text("code") for item in node.member("assumptions").items()),
        where=optional_text(node.find("where"), "code"),
        formula=optional_text(node.find("require"), "code"),
        samples=_samples(node),
        coverage=_coverage(node),
        verifications=tuple(int(item.integer().value) for item in verifications.items()),
        amount=verifications.length(),
        source=node.source,
    )


def _samples(node: Node) -> Samples | None:
    found = node.find("samples")
    if found is None:
        return None
    radius = found.member("radius").members()
    return Samples(
        path=found.member("path").path(),
        radius=tuple((Datum(name, each.source, "code", "key"), each.exact()) for name, each in radius),
    )


def _coverage(node: Node) -> tuple[tuple[Datum, int], ...] | None:
    found = node.find("coverage")
    if found is None:
        return None
    names, cells = found.member("inputs").items(), found.member("cells").items()
    if len(names) != len(cells) or not names:
        raise found.fail("needs one number of cells for each of its inputs")
    numbers = [int(cell.integer().value) for cell in cells]
    if min(numbers) < 1:
        raise found.fail("needs at least one cell along each input")
    return tuple((name.text("code"), number) for name, number in zip(names, numbers, strict=True))


def _verification(node: Node) -> PlannedVerification:
    sample, cell, box = node.find("sample"), node.find("cell"), node.find("box")
    return PlannedVerification(
        number=node.member("number").integer(),
        requirement=node.member("requirement").text().value,
        model=node.member("model").text("code"),
        path=node.member("path").path(),
        claim=node.member("claim").word(CLAIMS),
        sample=None if sample is None else sample.integer(),
        cell=None if cell is None else tuple(item.integer() for item in cell.items()),
        box=None if box is None else tuple(map(_side, box.items())),
    )


def _side(node: Node) -> Side:
    network = node.member("network").items()
    if len(network) != 2:
        raise node.fail("needs two numbers in network")
    return Side(
        name=node.member("name").text("code"),
        minimum=node.member("minimum").exact(),
        maximum=node.member("maximum").exact(),
        network_minimum=network[0].exact(),
        network_maximum=network[1].exact(),
    )


def _notes(node: Node) -> dict[tuple[str, str], Datum]:
    notes = {}
    for item in node.items():
        note = item.find("note")
        if note is not None:
            notes[item.member("catalogue").text().value, item.member("id").text().value] = note.text()
    return notes


def _budget(node: Node) -> tuple[tuple[str, Datum], ...]:
    found = [("timeout", node.member("timeout").exact()), ("memory", node.member("memory").integer())]
    threads, arithmetic = node.find("threads"), node.find("arithmetic")
    if threads is not None:
        found.append(("threads", threads.integer()))
    found.append(("seed", node.member("seed").integer()))
    if arithmetic is not None:
        found.append(("arithmetic", arithmetic.word(("real", "float32", "both"))))
    return tuple(found)


def _require_consistent(root: Node, plan: Plan) -> None:
    """Raise ReportError where ids or numbers lead nowhere."""
    models = {model.id.value for model in plan.models}
    requirements = {requirement.id.value for requirement in plan.requirements}
    for index, node in enumerate(root.member("verifications").items()):
        verification = plan.verifications[index]
        node.member("number").require(index + 1)
        if verification.model.value not in models:
            raise node.fail("is of a model that the plan does not have")
        if verification.requirement not in requirements:
            raise node.fail("is of a requirement that the plan does not have")
    own: dict[str, list[int]] = {identifier: [] for identifier in requirements}
    for number, verification in enumerate(plan.verifications, start=1):
        own[verification.requirement].append(number)
    for node, requirement in zip(root.member("requirements").items(), plan.requirements, strict=True):
        if own[requirement.id.value] != sorted(requirement.verifications):
            raise node.fail("its verifications are not those that name it")
