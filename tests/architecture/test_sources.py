"""Sizes, names and docstrings of the sources."""

from __future__ import annotations

import ast

import pytest

from tests.architecture.sources import (
    PACKAGE,
    ROOT,
    code_lines,
    public_definitions,
    python_files,
    shown,
    subpackages,
)

MOST_LINES = 600
CHECKER_BUDGETS = {
    "readers and rules": 1775,
    "float32 rules": 300,
    "VNN-LIB 2.0": 300,
    "engines": 900,
    "compiled loop": 40,
    "program": 285,
}
CHECKER_ENGINES = {
    "exact.py",
    "exact_lines.py",
    "exact_network.py",
    "fast.py",
    "fast_lines.py",
    "fast_network.py",
    "packed.py",
}
CHECKER_PARTS = {
    "compiled_loop.py": "compiled loop",
    "fast_compiled.py": "compiled loop",
    "float32.py": "float32 rules",
    "vnnlib2_reader.py": "VNN-LIB 2.0",
}
CHECKER_PROGRAM = {"__init__.py", "__main__.py", "check.py", "counterexample.py", "rejected.py"}
DOCUMENTED = ("spec", "network", "certificate", "checker", "audit", "pipeline")
KERNEL_SUFFIXES = {".cu", ".cuh", ".h", ".hpp", ".cpp"}


def test_no_file_is_too_long() -> None:
    files = [path for folder in ("src", "tests", "benchmarks") for path in python_files(ROOT / folder)]
    files += [path for path in (ROOT / "kernels").rglob("*") if path.suffix in KERNEL_SUFFIXES]
    lengths = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert {path: length for path, length in lengths.items() if length > MOST_LINES} == {}


def test_no_public_function_has_the_name_of_a_subpackage() -> None:
    """Importing the subpackage would replace the function in the namespace of `hybrid_ai`."""
    taken = set(subpackages())
    wrong = [
        f"{shown(path)}:{node.lineno} {node.name}"
        for path in python_files(PACKAGE)
        for node in public_definitions(path)
        if not isinstance(node, ast.ClassDef) and node.name in taken
    ]
    assert wrong == []


def test_no_exported_name_is_that_of_a_subpackage() -> None:
    import hybrid_ai

    assert set(getattr(hybrid_ai, "__all__", ())) & set(subpackages()) == set()


@pytest.mark.parametrize("package", DOCUMENTED)
def test_public_definitions_have_docstrings(package: str) -> None:
    wrong = [
        f"{shown(path)}:{node.lineno} {node.name}"
        for path in python_files(PACKAGE / package)
        for node in public_definitions(path)
        if not ast.get_docstring(node)
    ]
    assert wrong == []


EXAMPLE = '''"""Module."""

import os  # why


def f(x):
    """One.

    Two.
    """
    # no
    return """a
b"""
'''


def test_code_lines_leaves_out_blanks_comments_and_docstrings() -> None:
    assert code_lines(EXAMPLE) == 4


def test_the_checker_keeps_its_budget(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = dict.fromkeys(CHECKER_BUDGETS, 0)
    for path in python_files(PACKAGE / "checker"):
        engine, program = path.name in CHECKER_ENGINES, path.name in CHECKER_PROGRAM
        part = "engines" if engine else "program" if program else "readers and rules"
        sizes[CHECKER_PARTS.get(path.name, part)] += code_lines(path.read_text("utf-8"))
    with capsys.disabled():
        print(f"\nchecker, code lines: {sizes}")
    assert all(sizes[part] <= CHECKER_BUDGETS[part] for part in sizes), sizes
