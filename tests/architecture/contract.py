"""An import-linter contract that states the layout's table of allowed imports row by row."""

from __future__ import annotations

from typing import Any, cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

NOTHING = "nothing"
ABOVE = "above"


def parse_table(rows: list[str]) -> dict[str, frozenset[str]]:
    """Reads rows `package, package -> target, target` into what each package may import.

    `nothing` stands for no target, `above` for every package of earlier rows. Raises ValueError for a row
    without an arrow, a package with two rows, or a target that no row names.
    """
    table: dict[str, frozenset[str]] = {}
    for row in rows:
        left, arrow, right = row.partition("->")
        targets = {name.strip() for name in right.split(",")}
        if not arrow or "" in targets:
            raise ValueError(f"row {row!r}: write `package -> target, target` or `package -> {NOTHING}`")
        allowed = targets - {ABOVE, NOTHING}
        if ABOVE in targets:
            allowed |= table.keys()
        for package in (name.strip() for name in left.split(",")):
            if package in table:
                raise ValueError(f"row {row!r}: {package} already has a row")
            table[package] = frozenset(allowed)
    unknown = frozenset().union(*table.values()) - table.keys()
    if unknown:
        raise ValueError(f"targets without a row of their own: {', '.join(sorted(unknown))}")
    return table


def package_of(module: str, root: str) -> str:
    """Names the row that a module belongs to: the part after the root, or the root for the root itself."""
    return root if module == root else module.split(".")[1]


class AllowedImports(Contract):
    """Every direct import between packages is one that the table allows, and every package has a row."""

    type_name = "allowed_imports"
    allowed = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        root = self.session_options["root_packages"][0]
        table = parse_table(cast("list[str]", self.allowed))
        missing = sorted({package_of(module, root) for module in graph.modules} - table.keys())
        forbidden = [
            {"importer": importer, "imported": imported}
            for importer in sorted(graph.modules)
            for imported in sorted(graph.find_modules_directly_imported_by(importer))
            if not self._is_allowed(package_of(importer, root), package_of(imported, root), table)
        ]
        return ContractCheck(
            kept=not missing and not forbidden, metadata={"missing": missing, "forbidden": forbidden}
        )

    @staticmethod
    def _is_allowed(source: str, target: str, table: dict[str, frozenset[str]]) -> bool:
        return source == target or target in table.get(source, frozenset())

    def render_broken_contract(self, check: ContractCheck) -> None:
        metadata: dict[str, Any] = check.metadata
        for package in metadata["missing"]:
            output.print_error(f"{package} has no row in pyproject.toml, [tool.importlinter]: add one")
        for link in metadata["forbidden"]:
            output.print_error(f"{link['importer']} may not import {link['imported']}")
