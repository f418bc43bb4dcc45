"""Read a plan: all that is wrong with it is said at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hybrid_ai.audit.objectives.catalogue import Catalogue
from hybrid_ai.pipeline.errors import BadInput
from hybrid_ai.pipeline.files import require_regular
from hybrid_ai.pipeline.plans.building import build_plan
from hybrid_ai.pipeline.plans.defects import Defect, Findings, PlanError
from hybrid_ai.pipeline.plans.domains import check_domains
from hybrid_ai.pipeline.plans.meaning import find_meaning
from hybrid_ai.pipeline.plans.model import Plan
from hybrid_ai.pipeline.plans.positions import Positions, find_positions
from hybrid_ai.pipeline.plans.references import check_catalogues
from hybrid_ai.pipeline.plans.structure import parse_toml, read_table
from hybrid_ai.pipeline.plans.tables import PLAN

LARGEST_PLAN = 4 * 2**20
# tomllib takes time that grows with the square of a key's parts, and no key of a plan has more than three.
MOST_KEY_PARTS = 50
_KEY_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_LONG_KEY = re.compile(rf"(?<![A-Za-z0-9_-])(?:{_KEY_PART}[ \t]*\.[ \t]*){{{MOST_KEY_PARTS}}}")
_PLACE = re.compile(r"(.*?) *\((?:at line ([0-9]+), column [0-9]+|at end of document)\)", re.DOTALL)


def read_plan(path: str | Path, catalogues: Sequence[Catalogue] | None = None) -> Plan:
    """Read a plan and check it, with all files that it names.

    Args:
        path: TOML file (docs/formats/plan.md).
        catalogues: that must have the objectives which it names; None where these are not looked up.

    Raises:
        PlanError: something in it, or in a file that it names, is wrong; its `defects` are all that was.
        BadInput: there is no such file.

    Sound because: numbers are read from their digits (`read_number`), and whatever the page does not list is
        refused.
    """
    file = Path(path)
    require_regular(file, LARGEST_PLAN)
    try:
        source = file.read_bytes()
    except OSError as error:
        raise BadInput(f"{file}: cannot be read: {error.strerror}") from error
    data, positions = parsed_plan(file, source)
    findings = Findings(file, positions)
    top = read_table(PLAN, data, (), findings)
    meaning = find_meaning(top, file.parent, findings)
    if catalogues is not None:
        check_catalogues(top.entries("objective"), catalogues, findings)
    findings.raise_if_any()
    plan = build_plan(top, meaning, file, source)
    check_domains(plan, findings)
    findings.raise_if_any()
    return plan


def parsed_plan(file: Path, source: bytes) -> tuple[dict[str, Any], Positions]:
    """The data of a TOML file, and where things are in it."""

    def refused(line: int | None, reason: str) -> PlanError:
        return PlanError([Defect(str(file), line, "", reason)])

    try:
        text = source.decode()
    except UnicodeDecodeError as error:
        line = source[: error.start].count(b"\n") + 1
        raise refused(line, "is not UTF-8: save the file as UTF-8") from error
    if text.startswith("\ufeff"):
        raise refused(1, "begins with a byte-order mark: save the file as UTF-8 without one")
    if long := _LONG_KEY.search(text):
        line = text.count("\n", 0, long.start()) + 1
        raise refused(line, f"has a key of more than {MOST_KEY_PARTS} parts: write keys of the format")
    try:
        return parse_toml(text), find_positions(text)
    except RecursionError as error:
        raise refused(None, "is nested too deeply: write lists and tables of the format") from error
    except ValueError as error:  # tomllib's own, and what Python says of absurdly long integers
        place = _PLACE.fullmatch(str(error))
        if place is None:
            raise refused(None, f"is no TOML: {error}") from error
        where = int(place[2]) if place[2] else text.rstrip().count("\n") + 1
        raise refused(where, f"is no TOML: {place[1]}; correct the line") from error
