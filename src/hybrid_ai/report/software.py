"""What made the dossier: `bom.cdx.json` (CycloneDX 1.6)."""

from __future__ import annotations

from dataclasses import dataclass

from hybrid_ai.report.datum import Datum
from hybrid_ai.report.reading import Node

FILE = "bom.cdx.json"
_KINDS = ("library", "platform", "framework", "application")


@dataclass(frozen=True)
class Software:
    """A piece of software with its version."""

    name: Datum
    version: Datum


def read_software(root: Node) -> tuple[Software, ...]:
    """The software that a bill of materials lists; models and properties are left out.

    Raises:
        ReportError: it is not as its format says.
    """
    return tuple(
        Software(node.member("name").text("code"), node.member("version").text("code"))
        for node in root.member("components").items()
        if node.member("type").text().value in _KINDS
    )
