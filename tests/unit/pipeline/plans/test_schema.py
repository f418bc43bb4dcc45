"""The shipped JSON Schema, and the page that says what a plan is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import hybrid_ai
from hybrid_ai.pipeline.plans.schema import schema_text
from hybrid_ai.pipeline.plans.tables import (
    ASSUMPTION,
    BUDGET,
    COVERAGE,
    MODEL,
    OBJECTIVE,
    ODD,
    ODD_CONSTRAINT,
    ODD_INPUT,
    QUANTITY,
    REQUIREMENT,
    REVIEW,
    SAMPLES,
    SYSTEM,
    Table,
)

SHIPPED = Path(hybrid_ai.__file__).parent / "pipeline" / "plans" / "plan.schema.json"
PAGE = Path(__file__).resolve().parents[4] / "docs" / "formats" / "plan.md"
TABLES = {
    "`[system]`": SYSTEM,
    "`[[model]]`": MODEL,
    "`[odd]`": ODD,
    "`[[odd.input]]`": ODD_INPUT,
    "`[[odd.constraint]]`": ODD_CONSTRAINT,
    "`[[requirement]]`": REQUIREMENT,
    "`[[assumption]]`": ASSUMPTION,
    "`[[objective]]`": OBJECTIVE,
    "`[budget]`": BUDGET,
    "`[review]`": REVIEW,
}


def test_the_shipped_schema_is_what_the_tables_give() -> None:
    """Write it anew with: hybrid-ai plan schema > src/hybrid_ai/pipeline/plans/plan.schema.json."""
    assert SHIPPED.read_text() == schema_text()


def test_the_schema_says_what_a_key_means() -> None:
    requirement = json.loads(schema_text())["properties"]["requirement"]["items"]
    assert requirement["properties"]["where"]["description"].startswith("Formula over inputs")
    assert requirement["required"] == ["id", "text"]
    assert requirement["dependentRequired"] == {"coverage": ["require"]}
    assert not requirement["additionalProperties"]


def test_the_page_has_the_same_keys() -> None:
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.read_text().splitlines()]
    first = rows.index(["table", "key", "", "meaning"]) + 2
    found: dict[str, dict[str, bool]] = {}
    for table, keys, need, _ in rows[first : rows.index([], first)]:
        if table:
            current = found[table] = {}
        current |= dict.fromkeys(re.findall(r"`([a-z0-9_]+)`", keys), need == "required")
    assert found.pop("(top)") == {"plan": True}
    assert found == {name: _keys(table) for name, table in TABLES.items()}


def _keys(table: Table) -> dict[str, bool]:
    """Keys of which the page's table has rows, and whether they are required in every case."""
    return {key.name: key.required for key in table.keys if key.name not in ("input", "constraint")}


def test_the_page_names_the_keys_of_inner_tables() -> None:
    page = PAGE.read_text()
    for table, start in (
        (QUANTITY, "| | `inputs`"),
        (SAMPLES, "| | `samples`"),
        (COVERAGE, "| | `coverage`"),
    ):
        (row,) = [line for line in page.splitlines() if line.startswith(start)]
        for key in table.keys:
            assert f"`{key.name}`" in row
