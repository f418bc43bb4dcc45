"""Catalogues of objectives: those shipped, and a user's own (docs/formats/objectives.md, section 1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path

from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.files import read_small_file
from hybrid_ai.audit.objectives.evidence import EVIDENCE
from hybrid_ai.audit.verification.canonical import decode
from hybrid_ai.audit.verification.fields import as_list, as_object, as_text
from hybrid_ai.audit.verification.rejected import Refused

FORMAT = 1
MOST_ENTRIES = 10_000

_MEMBERS = frozenset({"format", "id", "title", "edition", "source", "entries"})
_ENTRY_MEMBERS = frozenset({"id", "text", "evidence"})
_CATALOGUE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LONGEST_ID = 64
_LONGEST_TEXT = 10_000
_LARGEST_FILE = 2**22
_HOW = "docs/formats/objectives.md, section 1, says how it is written"


@dataclass(frozen=True, slots=True)
class Objective:
    """An entry of a catalogue.

    Attributes:
        id: as the source has it.
        text: what is asked for, in other words than the source's.
        evidence: tags of the kinds of evidence that bear on it; none where there is no such kind.
    """

    id: str
    text: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The objectives of one source.

    Attributes:
        id: by which plans name it.
        title, edition: of the source.
        source: what of it was read, and where.
        note: what a reader should know, or None.
        entries: in the order of the source.
    """

    id: str
    title: str
    edition: str
    source: str
    note: str | None
    entries: tuple[Objective, ...]

    @property
    def name(self) -> str:
        """Title and edition."""
        return f"{self.title}, {self.edition}"


@cache
def shipped() -> tuple[Catalogue, ...]:
    """The catalogues that come with this package, by id."""
    folder = files("hybrid_ai.audit.objectives") / "catalogues"
    found = [item for item in folder.iterdir() if item.name.endswith(".json")]
    read = [_catalogue(item.read_bytes(), item.name) for item in found]
    return tuple(sorted(read, key=lambda catalogue: catalogue.id))


def read_catalogue(path: Path) -> Catalogue:
    """Read a catalogue.

    Raises:
        AuditError: it cannot be read or is malformed; names the file, the entry and the remedy.
    """
    data = read_small_file(path, _LARGEST_FILE, "name a readable file", "split it into several catalogues")
    return _catalogue(data, str(path))


def with_shipped(paths: Iterable[Path]) -> tuple[Catalogue, ...]:
    """The shipped catalogues and those of files, in this order.

    Raises:
        AuditError: a file is malformed, or has the id of another catalogue.
    """
    catalogues = list(shipped())
    taken = {catalogue.id.casefold(): "a shipped catalogue" for catalogue in catalogues}
    for path in paths:
        catalogue = read_catalogue(path)
        owner = taken.get(catalogue.id.casefold())
        if owner is not None:
            raise AuditError(f"{path}: its id {catalogue.id!a} is that of {owner}: give it another one")
        taken[catalogue.id.casefold()] = str(path)
        catalogues.append(catalogue)
    return tuple(catalogues)


def find(
    catalogues: Sequence[Catalogue], catalogue_id: str, objective_id: str
) -> tuple[Catalogue, Objective]:
    """The entry that a plan names.

    Raises:
        AuditError: there is none; names the nearest.
    """
    by_id = {catalogue.id: catalogue for catalogue in catalogues}
    if catalogue_id not in by_id:
        hint = _nearest(catalogue_id, by_id, "name one of " + ", ".join(by_id))
        raise AuditError(f"there is no catalogue {catalogue_id[:80]!a}: {hint}")
    catalogue = by_id[catalogue_id]
    entries = {entry.id: entry for entry in catalogue.entries}
    if objective_id not in entries:
        hint = _nearest(objective_id, entries, f"name one of its {len(entries)} entries")
        raise AuditError(f"catalogue {catalogue_id}: has no objective {objective_id[:80]!a}: {hint}")
    return catalogue, entries[objective_id]


def _catalogue(data: bytes, where: str) -> Catalogue:
    try:
        members = as_object(decode(data, where), _MEMBERS, where, optional={"note"})
        if type(members["format"]) is not int or members["format"] != FORMAT:
            raise Refused("integrity", f"{where}: format", f"must be {FORMAT}")
        identifier = as_text(members["id"], f"{where}: id")
        if not _CATALOGUE_ID.fullmatch(identifier):
            reason = f"{identifier[:80]!a} is not 1 to 64 of A-Z a-z 0-9 . _ - after a letter or digit"
            raise Refused("integrity", f"{where}: id", reason)
        title, edition, source = (_text(members, name, where) for name in ("title", "edition", "source"))
        note = None if members.get("note") is None else _text(members, "note", where)
        rows = as_list(members["entries"], f"{where}: entries", most=MOST_ENTRIES)
        entries = tuple(_objective(row, f"{where}: entry {n}") for n, row in enumerate(rows, 1))
    except Refused as error:
        raise AuditError(f"{error}: {_HOW}") from error
    _require_distinct(entries, where)
    return Catalogue(identifier, title, edition, source, note, entries)


def _objective(row: object, where: str) -> Objective:
    members = as_object(row, _ENTRY_MEMBERS, where)
    identifier = as_text(members["id"], f"{where}: id")
    if len(identifier) > _LONGEST_ID or not identifier.isprintable() or identifier != identifier.strip():
        reason = (
            f"{identifier[:80]!a} is not 1 to {_LONGEST_ID} printable characters without blanks around them"
        )
        raise Refused("integrity", f"{where}: id", reason)
    where = f"{where} ({identifier})"
    tags = members["evidence"]
    if not isinstance(tags, list):
        raise Refused("integrity", f"{where}: evidence", "must be an array of tags, which may be empty")
    evidence = tuple(_tag(tag, f"{where}: evidence") for tag in tags)
    if len(set(evidence)) != len(evidence):
        raise Refused("integrity", f"{where}: evidence", "names a tag twice")
    return Objective(identifier, _text(members, "text", where), evidence)


def _text(members: dict[str, object], name: str, where: str) -> str:
    text = as_text(members[name], f"{where}: {name}")
    if len(text) > _LONGEST_TEXT:
        reason = f"has {len(text)} characters; at most {_LONGEST_TEXT} are allowed"
        raise Refused("integrity", f"{where}: {name}", reason)
    if not text.strip() or not all(sign.isprintable() or sign in "\n\t" for sign in text):
        raise Refused("integrity", f"{where}: {name}", "is blank, or has control characters")
    return text


def _tag(value: object, where: str) -> str:
    tag = as_text(value, where)
    if tag not in EVIDENCE:
        hint = _nearest(tag, EVIDENCE, "there is none like it")
        raise Refused("integrity", where, f"there is no kind of evidence {tag[:80]!a}: {hint}")
    return tag


def _require_distinct(entries: Iterable[Objective], where: str) -> None:
    seen: dict[str, int] = {}
    for number, entry in enumerate(entries, 1):
        first = seen.setdefault(entry.id.casefold(), number)
        if first != number:
            reason = f"entry {number} ({entry.id}): has the id of entry {first}: give each its own"
            raise AuditError(f"{where}: {reason}")


def _nearest(name: str, names: Iterable[str], otherwise: str) -> str:
    found = get_close_matches(name, names, n=1)
    return f"the nearest is {found[0]!a}" if found else otherwise
