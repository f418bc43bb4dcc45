"""Who may import whom, and what is loaded when."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest
from importlinter.cli import lint_imports

from tests.architecture.contract import AllowedImports, parse_table
from tests.architecture.sources import PACKAGE, ROOT, parse, python_files, shown, subpackages

HEAVY = ("torch", "z3", "numba", "onnx", "onnxruntime")


def table_rows() -> list[str]:
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    rows: list[str] = configuration["tool"]["importlinter"]["contracts"][0]["allowed"]
    return rows


def contract(rows: list[str]) -> AllowedImports:
    return AllowedImports("layout", {"root_packages": ["top"]}, {"allowed": rows})


def graph(*links: tuple[str, str]) -> grimp.ImportGraph:
    result = grimp.ImportGraph()
    for importer, imported in links:
        result.add_import(importer=importer, imported=imported)
    return result


def test_imports_follow_the_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    exit_code = lint_imports(config_filename="pyproject.toml", no_cache=True, no_logo=True)
    assert exit_code == 0, capsys.readouterr().out


def test_contract_accepts_what_the_table_allows() -> None:
    check = contract(["a ->nothing", "b, c -> a", "d -> above"]).check(
        graph(("top.b.x", "top.a"), ("top.d", "top.c.y"), ("top.a.x", "top.a.y")), verbose=False
    )
    assert check.kept


@pytest.mark.parametrize(
    ("link", "complaint"),
    [
        (("top.a.x", "top.b"), {"importer": "top.a.x", "imported": "top.b"}),
        (("top.c", "top.b.y"), {"importer": "top.c", "imported": "top.b.y"}),
        (("top.a", "top"), {"importer": "top.a", "imported": "top"}),
    ],
)
def test_contract_names_what_the_table_forbids(link: tuple[str, str], complaint: dict[str, str]) -> None:
    check = contract(["a -> nothing", "b, c -> a", "top -> above"]).check(graph(link), verbose=False)
    assert not check.kept
    assert check.metadata == {"missing": [], "forbidden": [complaint]}


def test_contract_names_a_package_without_a_row() -> None:
    check = contract(["a -> nothing"]).check(graph(("top.new", "top.new.x")), verbose=False)
    assert not check.kept
    assert check.metadata["missing"] == ["new"]


@pytest.mark.parametrize("rows", [["a"], ["a ->"], ["a -> nothing", "a -> nothing"], ["a -> b"]])
def test_malformed_tables_are_refused(rows: list[str]) -> None:
    with pytest.raises(ValueError, match=r"row"):
        parse_table(rows)


def test_every_package_has_a_row() -> None:
    assert set(subpackages()) <= parse_table(table_rows()).keys()


def test_every_folder_with_code_is_a_package() -> None:
    """import-linter does not see folders without `__init__.py`."""
    folders = {path.parent for path in python_files(PACKAGE)}
    assert [shown(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


def loaded_modules(statement: str) -> set[str]:
    """Names in sys.modules after a fresh interpreter ran a statement; its own output is discarded."""
    program = "\n".join(
        [
            "import contextlib, io, sys",
            "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):",
            f"    {statement}",
            "print(*sys.modules)",
        ]
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


def test_importing_the_package_is_light() -> None:
    loaded = loaded_modules("import hybrid_ai")
    assert "hybrid_ai" in loaded
    assert loaded & {*HEAVY} == set()


def test_help_is_light() -> None:
    if not (PACKAGE / "cli").is_dir():
        pytest.skip("the command line does not exist yet")
    loaded = loaded_modules(
        "import runpy; sys.argv = ['hybrid-ai', '--help']; "
        "runpy.run_module('hybrid_ai.cli.main', run_name='__main__')"
    )
    assert any(name.startswith("hybrid_ai.cli") for name in loaded)
    assert loaded & {*HEAVY} == set()


def test_the_checker_loads_nothing_else() -> None:
    if not (PACKAGE / "checker").is_dir():
        pytest.skip("the checker does not exist yet")
    loaded = loaded_modules("import hybrid_ai.checker")
    ours = {name for name in loaded if name.startswith("hybrid_ai.") and name.split(".")[1] != "checker"}
    assert "hybrid_ai.checker" in loaded
    assert ours | (loaded & {*HEAVY, "numpy", "scipy"}) == set()


def imported_names(path: Path) -> list[str]:
    """Absolute names of what a module imports anywhere in its text; relative imports are resolved."""
    package = ("hybrid_ai", *path.parent.relative_to(PACKAGE).parts)
    names = []
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            stem = package[: len(package) - node.level + 1] if node.level else ()
            names.append(".".join([*stem, *([node.module] if node.module else [])]))
    return names


def is_allowed_in_checker(name: str, path: Path) -> bool:
    if name == "hybrid_ai.checker" or name.startswith("hybrid_ai.checker."):
        return True
    engine = path.relative_to(PACKAGE / "checker").parts[0]
    top = name.split(".")[0]
    if top == "numba":
        return engine == "fast_compiled.py"
    return top in sys.stdlib_module_names or (top == "numpy" and engine.startswith("fast"))


def test_the_checker_imports_only_the_standard_library() -> None:
    """The modules of the engine `fast` (checker/fast*) may import numpy besides, its compiled loop numba."""
    wrong = [
        f"{shown(path)} imports {name}"
        for path in python_files(PACKAGE / "checker")
        for name in imported_names(path)
        if not is_allowed_in_checker(name, path)
    ]
    assert wrong == []


def test_verification_of_dossiers_needs_the_standard_library_alone() -> None:
    """verify.py holds these sources: whatever else they imported would be missing there."""
    wrong = [
        f"{shown(path)}: {name}"
        for path in python_files(PACKAGE / "audit" / "verification")
        for name in imported_names(path)
        if name.split(".")[0] not in sys.stdlib_module_names
        and not name.startswith("hybrid_ai.audit.verification")
    ]
    assert wrong == []
