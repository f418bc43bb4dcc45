"""References between the tables of a plan: ids that are there once, and that exist where they are used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.objectives.catalogue import Catalogue, find
from hybrid_ai.pipeline.plans.defects import Findings, nearest
from hybrid_ai.pipeline.plans.positions import Path
from hybrid_ai.pipeline.plans.structure import Entry
from hybrid_ai.pipeline.plans.tables import PLAN


@dataclass(frozen=True)
class Ids:
    """The tables of a kind by their ids.

    Attributes:
        kind: what a message calls one.
        tables: by id; of two with one id the first.
        is_complete: whether each has a right id: else one that is not found may be there and wrong.
    """

    kind: str
    tables: Mapping[str, Entry]
    is_complete: bool

    def check(self, name: str, path: Path, findings: Findings) -> None:
        """Note an id that nothing has."""
        if self.is_complete and name not in self.tables:
            findings.add(path, f"no {self.kind} has the id {name!r}: {nearest(name, self.tables)}")

    def check_all(self, entry: Entry, key: str, findings: Findings) -> None:
        """Note ids of a list that nothing has."""
        for number, name in enumerate(entry.get(key) or ()):
            self.check(name, entry.at(key, number), findings)


def read_ids(kind: str, top: Entry, findings: Findings) -> Ids:
    """The ids of the tables of a kind; those that two have are noted, upper and lower case not told apart.

    Args:
        kind: key of the tables.
        top: the plan.
        findings: receives what is wrong.
    """
    first: dict[str, Entry] = {}
    tables: dict[str, Entry] = {}
    described = PLAN.key(kind)
    is_complete = kind in top.values or (
        kind not in top.wrong and described is not None and not described.required
    )
    for entry in top.entries(kind):
        name = entry.get("id")
        if name is None:
            is_complete = False
            continue
        tables.setdefault(name, entry)
        other = first.setdefault(name.lower(), entry)
        if other is not entry:
            line = findings.positions.line(other.at("id"))
            reason = f"the {kind} on line {line} has the id {other.get('id')!r}: give another one"
            findings.add(entry.at("id"), reason)
    return Ids(kind, tables, is_complete)


def check_parents(requirements: Ids, findings: Findings) -> None:
    """Note parents that do not exist, and cycles of them, each once."""
    parents: dict[str, str] = {}
    for name, entry in requirements.tables.items():
        parent = entry.get("parent")
        if parent is not None:
            requirements.check(parent, entry.at("parent"), findings)
            parents[name] = parent
    for cycle in _cycles(parents):
        reason = f"is derived from itself: {' from '.join(cycle)}; remove one of these parents"
        findings.add(requirements.tables[cycle[0]].at("parent"), reason)


def _cycles(parents: Mapping[str, str]) -> list[list[str]]:
    """Each cycle once, as the ids on it, the first one again at the end."""
    found: list[list[str]] = []
    done: set[str] = set()
    for start in parents:
        way: dict[str, None] = {}
        name = start
        while name in parents and name not in done and name not in way:
            way[name] = None
            name = parents[name]
        if name in way:
            ids = list(way)
            found.append([*ids[ids.index(name) :], name])
        done |= way.keys()
    return found


def check_objectives(objectives: Sequence[Entry], requirements: Ids, findings: Findings) -> None:
    """Note requirements that do not exist, and entries of catalogues that are there twice."""
    first: dict[tuple[str, str], Entry] = {}
    for entry in objectives:
        requirements.check_all(entry, "requirements", findings)
        catalogue, name = entry.get("catalogue"), entry.get("id")
        if catalogue is None or name is None:
            continue
        other = first.setdefault((catalogue, name), entry)
        if other is not entry:
            line = findings.positions.line(other.at("id"))
            findings.add(entry.at("id"), f"{name!r} of {catalogue} is on line {line} already: give it once")


def check_catalogues(
    objectives: Sequence[Entry], catalogues: Sequence[Catalogue], findings: Findings
) -> None:
    """Note catalogues that do not exist, and objectives that theirs does not have."""
    known = {catalogue.id for catalogue in catalogues}
    for entry in objectives:
        catalogue, name = entry.get("catalogue"), entry.get("id")
        if catalogue is None or (name is None and catalogue in known):
            continue
        try:
            find(catalogues, catalogue, name or "")
        except AuditError as error:
            if catalogue in known:
                findings.add(entry.at("id"), str(error))
            else:
                findings.add(entry.at("catalogue"), f"{error}; or give its file with --objectives")
