"""Inputs and outputs of the models of a plan, and the domain of the inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hybrid_ai.pipeline.plans.defects import Findings, closest, nearest
from hybrid_ai.pipeline.plans.model import OddInput, Quantity, Tensors
from hybrid_ai.pipeline.plans.numbers import read_number
from hybrid_ai.pipeline.plans.positions import Path
from hybrid_ai.pipeline.plans.references import Ids
from hybrid_ai.pipeline.plans.structure import Entry
from hybrid_ai.pipeline.plans.tables import MOST_ELEMENTS, NAME

_ZERO, _ONE = read_number("0"), read_number("1")


def read_tensors(models: Sequence[Entry], ids: Ids, findings: Findings) -> list[Tensors | None]:
    """The inputs and outputs of each model, None where something about them is wrong.

    Args:
        models: tables `[[model]]`.
        ids: of them.
        findings: receives names that two elements have, wrong references and units that differ.
    """
    found: list[Tensors | None] = []
    earlier: dict[str, Tensors | None] = {}
    described: list[tuple[Path, Quantity]] = []
    for model in models:
        if "like" in model.values:
            found.append(_alike(model, earlier, ids, findings))
        else:
            tensors, places = _described(model, findings)
            found.append(tensors)
            described += places
        if (name := model.get("id")) is not None:
            earlier.setdefault(name, found[-1])
    _check_units(described, findings)
    return found


def _alike(
    model: Entry, earlier: Mapping[str, Tensors | None], ids: Ids, findings: Findings
) -> Tensors | None:
    """The inputs and outputs of the earlier model that one is like."""
    like, path = model.get("like"), model.at("like")
    if like in earlier:
        return earlier[like]
    if like in ids.tables:
        reason = f"{like!r} is no earlier model: name an earlier one, or move that one before this one"
        findings.add(path, reason)
    else:
        ids.check(like, path, findings)
    return None


def _described(model: Entry, findings: Findings) -> tuple[Tensors | None, list[tuple[Path, Quantity]]]:
    """The inputs and outputs that a model's table describes, and the place of each description."""
    taken: set[str] = set()
    sides: list[tuple[Quantity, ...]] = []
    places: list[tuple[Path, Quantity]] = []
    is_right = True
    for side in ("inputs", "outputs"):
        elements: list[Quantity] = []
        entries: tuple[Entry, ...] = model.get(side) or ()
        is_right = is_right and bool(entries) and all(entry.is_sound for entry in entries)
        count = sum(entry.get("count") or 1 for entry in entries)
        if count > MOST_ELEMENTS:
            findings.add(model.at(side), f"has {count} elements: at most {MOST_ELEMENTS} are supported")
            return None, []
        for entry in entries:
            group = _elements(entry)
            is_right = _check_names(entry, group, taken, findings) and is_right
            elements += group
            places += [(entry.path, quantity) for quantity in group if entry.is_sound]
        sides.append(tuple(elements))
    return (Tensors(*sides) if is_right else None), places


def _elements(entry: Entry) -> list[Quantity]:
    """The elements that one description stands for; none when it has no name."""
    name, count = entry.get("name"), entry.get("count") or 1
    if name is None:
        return []
    offset, scale = entry.get("offset") or _ZERO, entry.get("scale") or _ONE
    names = [name] if count == 1 else [f"{name}_{index}" for index in range(count)]
    return [Quantity(each, entry.get("unit") or "", offset, scale, name) for each in names]


def _check_names(entry: Entry, group: Sequence[Quantity], taken: set[str], findings: Findings) -> bool:
    """Note a name that is too long or taken, once; tell whether there is none."""
    if not group:
        return False
    names = {entry.get("name"), *(quantity.name for quantity in group)}
    twice = sorted(names & taken)
    taken |= names
    if NAME.fullmatch(group[-1].name) is None:
        findings.add(entry.at("name"), f"gives the name {group[-1].name}, which is too long: shorten it")
        return False
    if twice:
        findings.add(
            entry.at("name"), f"{twice[0]!r} is the name of another element of the model: rename one"
        )
        return False
    return True


def _check_units(described: Sequence[tuple[Path, Quantity]], findings: Findings) -> None:
    """Note elements of one name whose units differ, once for each description."""
    first: dict[str, tuple[Path, str]] = {}
    noted: set[Path] = set()
    for path, quantity in described:
        place, unit = first.setdefault(quantity.name, (path, quantity.unit))
        if unit != quantity.unit and path not in noted:
            noted.add(path)
            line = findings.positions.line((*place, "unit"))
            reason = f"{quantity.name!r} has the unit {unit!r} on line {line}: give one unit, or two names"
            findings.add((*path, "unit"), reason)


def read_domain(
    models: Sequence[Entry], tensors: Sequence[Tensors | None], odd: Entry, findings: Findings
) -> dict[str, OddInput]:
    """The ranges of all input elements that have a right one, by name, in the plan's order.

    Args:
        models: tables `[[model]]`.
        tensors: of each, None where something about them is wrong.
        odd: table `[odd]`.
        findings: receives ranges of nothing, missing and second ones, units that differ, empty ones.
    """
    groups, units = _input_groups(tensors)
    entries: tuple[Entry, ...] = odd.get("input") or ()
    found: dict[str, OddInput] = {}
    covered: dict[str, Path] = {}
    for entry in entries:
        name = entry.get("name")
        elements = groups.get(name) or ([name] if name in units else [])
        if name is not None and not elements and None not in tensors:
            known = [*groups, *(each for each in units if each not in groups)]
            findings.add(entry.at("name"), f"{name!r} is no input of a model: {nearest(name, known)}")
            # What was probably meant is not missing as well.
            elements = groups.get(closest(name, known) or "", [])
            covered |= {each: entry.path for each in elements if each not in covered}
            continue
        if _check_range(entry, elements, units, covered, findings):
            low, high = entry.get("minimum"), entry.get("maximum")
            for each in elements:
                found[each] = OddInput(each, entry.get("unit"), low, high, entry.get("source"))
        covered |= {each: entry.path for each in elements if each not in covered}
    if "input" in odd.values and all(entry.get("name") for entry in entries):
        _check_covered(models, tensors, covered, findings)
    return found


def _input_groups(tensors: Sequence[Tensors | None]) -> tuple[dict[str, list[str]], dict[str, str]]:
    """The input elements by the name under which they are described, and their units."""
    groups: dict[str, list[str]] = {}
    units: dict[str, str] = {}
    for quantity in (each for sides in tensors if sides is not None for each in sides.inputs):
        if quantity.name not in units:
            units[quantity.name] = quantity.unit
            groups.setdefault(quantity.group, []).append(quantity.name)
    return groups, units


def _check_range(
    entry: Entry,
    elements: Sequence[str],
    units: dict[str, str],
    covered: dict[str, Path],
    findings: Findings,
) -> bool:
    """Note what is wrong with one range; tell whether nothing is."""
    is_right = entry.is_sound
    for each in elements:
        if each in covered:
            line = findings.positions.line(covered[each])
            findings.add(entry.at("name"), f"{each!r} has a range on line {line} already: remove one of them")
            is_right = False
            break
    unit = entry.get("unit")
    for each in elements:
        if unit is not None and units[each] != unit:
            findings.add(entry.at("unit"), f"is {unit!r}, but {units[each]!r} in the model: give that unit")
            is_right = False
            break
    low, high = entry.get("minimum"), entry.get("maximum")
    if low is not None and high is not None and low.value > high.value:
        findings.add(
            entry.at("minimum"), f"{low.text} is above the maximum {high.text}: exchange or correct them"
        )
        is_right = False
    return is_right


def _check_covered(
    models: Sequence[Entry],
    tensors: Sequence[Tensors | None],
    covered: dict[str, Path],
    findings: Findings,
) -> None:
    """Note inputs without a range, once for each description."""
    noted: set[str] = set()
    for model, sides in zip(models, tensors, strict=True):
        if sides is None:
            continue
        for quantity in sides.inputs:
            if quantity.name in covered or quantity.group in noted:
                continue
            noted.add(quantity.group)
            index = [entry.get("name") for entry in model.get("inputs")].index(quantity.group)
            whole = all(each.name not in covered for each in sides.inputs if each.group == quantity.group)
            name = quantity.group if whole else quantity.name
            reason = f'{name!r} has no range: add [[odd.input]] with name = "{name}"'
            findings.add(model.at("inputs", index, "name"), reason)
