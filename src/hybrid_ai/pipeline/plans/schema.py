"""JSON Schema of a plan, derived from the description of its tables."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

from hybrid_ai.pipeline.plans.tables import (
    LONGEST_TEXT,
    PLAN,
    RESERVED,
    VERSION,
    ByName,
    Choice,
    Decimal,
    Key,
    Kind,
    Many,
    Table,
    Text,
    Whole,
    Word,
)

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def plan_schema() -> Schema:
    """The JSON Schema (2020-12) of the data of a plan, as TOML readers give it.

    It accepts every right plan. What it cannot say is left to `read_plan`: that numbers are exact and
    finite, that names and ids exist, that files fit.
    """
    return {"$schema": DIALECT, "title": f"hybrid-ai plan, version {VERSION}", **_table(PLAN)}


def schema_text() -> str:
    """The JSON Schema as text, as it is shipped in `plan.schema.json`."""
    return json.dumps(plan_schema(), indent=1) + "\n"


def _table(table: Table) -> Schema:
    schema: Schema = {
        "type": "object",
        "properties": {key.name: _key(key) for key in table.keys},
        "required": [key.name for key in table.keys if key.required],
        "additionalProperties": False,
    }
    rules: list[Schema] = [
        {"oneOf": [{"required": [name]} for name in choice]} for choice in table.exactly_one
    ]
    rules += [{"not": {"required": list(pair)}} for pair in table.never_both]
    if rules:
        schema["allOf"] = rules
    if table.needs:
        schema["dependentRequired"] = {one: [other] for one, other in table.needs}
    return schema


def _key(key: Key) -> Schema:
    schema = {"description": key.meaning, **_kind(key.kind)}
    return schema if key.default is None else {**schema, "default": key.default}


def _kind(kind: Kind) -> Schema:
    match kind:
        case Table():
            return _table(kind)
        case Text():
            return {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT}
        case Word():
            words = {"not": {"enum": list(RESERVED)}} if kind.means == "name" else {}
            return {"type": "string", "pattern": f"^{kind.form.pattern}$", **words}
        case Choice():
            return {"enum": list(kind.values)}
        case Whole():
            return _bounds("integer", minimum=kind.least, maximum=kind.most)
        case Decimal():
            return _decimal(kind)
        case Many():
            distinct = {"uniqueItems": True} if kind.distinct and not isinstance(kind.of, Table) else {}
            return {"type": "array", "items": _kind(kind.of), "minItems": kind.least, **distinct}
        case ByName():
            number = _decimal(kind.of)
            return {"anyOf": [number, {"type": "object", "additionalProperties": number}]}


def _decimal(kind: Decimal) -> Schema:
    schema = _bounds("number", minimum=_number(kind.least), maximum=_number(kind.most))
    return {**schema, "not": {"const": 0}} if kind.not_zero else schema


def _bounds(name: str, **bounds: int | float | None) -> Schema:
    return {"type": name, **{key: value for key, value in bounds.items() if value is not None}}


def _number(value: Fraction | None) -> int | float | None:
    """A limit as JSON readers hold it, who round the numbers of a plan likewise."""
    if value is None:
        return None
    return value.numerator if value.denominator == 1 else float(value)
