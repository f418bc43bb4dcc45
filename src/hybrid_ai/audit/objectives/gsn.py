"""Arguments in the Goal Structuring Notation as JSON-LD: vocabulary and nodes.

Source: GSN Community Standard, version 3 (SCSC-141C), core and dialectic extension; OntoGSN for the names of
its classes and properties (https://w3id.org/OntoGSN/ontology); JSON-LD 1.1 (W3C Recommendation, 2020).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

Node = dict[str, Any]
Kind = Literal["Goal", "Strategy", "Solution", "Context", "Assumption", "Justification"]

_ONTOGSN = "https://w3id.org/OntoGSN/ontology#"
_OUR_TERMS = "urn:hybrid-ai:argument:v1:"
_CLASSES = (
    "AssuranceCase",
    "Argument",
    "Artefact",
    "Goal",
    "Strategy",
    "Solution",
    "Context",
    "Assumption",
    "Justification",
)
_PROPERTIES = (
    "contains",
    "supportedBy",
    "inContextOf",
    "challenges",
    "refersTo",
    "statement",
    "top",
    "undeveloped",
    "defeated",
    "inDoubt",
    "structured",
    "argumentType",
)

# All that a reader needs is in the file: nothing is fetched.
CONTEXT: Node = {
    "@version": 1.1,
    "gsn": _ONTOGSN,
    "schema": "http://schema.org/",
    **{name: f"gsn:{name}" for name in (*_CLASSES, *_PROPERTIES)},
    **{name: f"schema:{name}" for name in ("identifier", "name", "sha256")},
    **{name: f"{_OUR_TERMS}{name}" for name in ("status", "reason", "verification")},
}


def element(kind: Kind, node_id: str, statement: str, **members: Any) -> Node:
    """An element of an argument; its identifier is its id without the number sign.

    Args:
        kind: its class.
        node_id: "#" and what identifies it in the file.
        statement: a sentence for goals and assumptions, a noun phrase for solutions.
        members: further members, left out where None, False or empty.
    """
    stated = {name: value for name, value in members.items() if value}
    return {
        "@id": node_id,
        "@type": kind,
        "identifier": node_id.removeprefix("#"),
        "statement": statement,
        **stated,
    }


def artefact(path: str, sha256: str | None = None) -> Node:
    """A file of the dossier, by its path in it."""
    node: Node = {"@id": path, "@type": "Artefact", "name": path}
    return node if sha256 is None else {**node, "sha256": sha256}


def references(ids: Iterable[str]) -> list[Node]:
    """References to nodes, each once."""
    return [{"@id": node_id} for node_id in dict.fromkeys(ids)]
