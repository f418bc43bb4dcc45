"""The pages of docs/theory: complete, listed, and naming modules and functions that exist."""

from __future__ import annotations

import ast
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.architecture.sources import PACKAGE, ROOT, parse, python_files, shown

THEORY = ROOT / "docs" / "theory"
INDEX = THEORY / "README.md"
PAGES = sorted(path.stem for path in THEORY.glob("*.md") if path != INDEX)
SECTIONS = ("Statement", "Assumptions", "Proof", "Used by", "Source")
FEWEST_LINES, MOST_LINES = 20, 80

# "- `hybrid_ai.checker.fast`: `_relax`, `FastEngine._lower`; rule TIGHTEN"
USE = re.compile(r"- `(?P<module>hybrid_ai(?:\.\w+)+)`: (?P<names>`[\w.]+`(?:, `[\w.]+`)*); \S.*")
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
LISTED = re.compile(r"^- \[(?P<name>[a-z0-9-]+)\]\((?P<file>[a-z0-9-]+)\.md\): \S.*\.$", re.MULTILINE)
CITED = re.compile(r"docs/theory/([a-z0-9-]+)\.md")


def page(name: str) -> str:
    return (THEORY / f"{name}.md").read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    """The text under a heading of level two, up to the next one."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[title]


def defined(tree: ast.Module) -> set[str]:
    """Names of functions, classes and constants of a module, and "Class.name" of methods and attributes."""
    names: set[str] = set()
    for node in tree.body:
        names |= _names(node)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{name}" for child in node.body for name in _names(child)}
            names |= {f"{node.name}.{name}" for name in _attributes(node)}
    return names


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else []
    targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
    found = [name for target in targets for name in ast.walk(target)]
    return {name.id for name in found if isinstance(name, ast.Name)}


def _attributes(node: ast.ClassDef) -> set[str]:
    """Attributes that methods set on self."""
    stored = [
        part for part in ast.walk(node) if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store)
    ]
    return {part.attr for part in stored if isinstance(part.value, ast.Name) and part.value.id == "self"}


def uses(name: str) -> list[str]:
    """The lines of a page's list of uses."""
    return section(page(name), "Used by").strip().splitlines()


def module_file(module: str) -> Path:
    path = PACKAGE.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def test_the_index_lists_every_page_once() -> None:
    listed = LISTED.findall(INDEX.read_text(encoding="utf-8"))
    assert [name for name, file in listed if name != file] == []
    assert sorted(name for name, _ in listed) == PAGES


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_complete_and_short(name: str) -> None:
    text = page(name)
    headings = re.findall(r"^## (.+)$", text, flags=re.MULTILINE)
    assert re.match(r"# \S", text)
    assert [heading for heading in headings if heading in SECTIONS] == list(SECTIONS)
    assert [title for title in SECTIONS if not section(text, title).strip()] == []
    assert section(text, "Proof").count("∎") == 1
    assert FEWEST_LINES <= len(text.splitlines()) <= MOST_LINES
    assert "$" not in text and "\\frac" not in text


@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_is_used_by_exists(name: str) -> None:
    lines = uses(name)
    assert lines
    missing = []
    for line in lines:
        use = USE.fullmatch(line)
        assert use, f"docs/theory/{name}.md: not of the form of the other lines: {line}"
        path = module_file(use["module"])
        names = defined(parse(path)) if path.is_file() else set()
        missing += [
            (use["module"], item) for item in re.findall(r"`([\w.]+)`", use["names"]) if item not in names
        ]
    assert missing == []


@pytest.mark.parametrize("name", [*PAGES, "README"])
def test_links_lead_somewhere(name: str) -> None:
    links = [link for link in LINK.findall(page(name)) if "://" not in link]
    assert [link for link in links if not (THEORY / link).is_file()] == []


def test_pages_cited_in_the_source_exist() -> None:
    cited = {
        (shown(path), name)
        for path in python_files(PACKAGE)
        for name in CITED.findall(path.read_text("utf-8"))
    }
    assert sorted((path, name) for path, name in cited if name not in PAGES) == []


def test_a_module_that_pages_name_and_that_claims_soundness_cites_a_page() -> None:
    modules = {use["module"] for name in PAGES for use in map(USE.fullmatch, uses(name)) if use}
    texts = {module: module_file(module).read_text("utf-8") for module in modules}
    claiming = [module for module, text in texts.items() if "Sound because:" in text]
    assert claiming
    assert sorted(module for module in claiming if not CITED.search(texts[module])) == []


def test_a_folded_constant_rounds_once_per_column_more() -> None:
    """The numbers of float32-pitfalls 1: (x + c) W with c W folded, from which the sum starts."""
    n, unit = 64, Fraction(1, 2**24)
    tiny = np.float32(2.0**-24 * (1 + 2.0**-23))
    terms = [np.float32(1.0)] + [tiny] * (2 * n - 1)
    computed = np.float32(0.0)
    for term in terms:
        computed = np.float32(computed + term)
    size = sum(Fraction(float(term)) for term in terms)
    error = abs(Fraction(float(computed)) - size)
    assert _gamma(n + 3, unit) * size < error <= _gamma(2 * n, unit) * size


def _gamma(count: int, unit: Fraction) -> Fraction:
    return count * unit / (1 - count * unit)


def test_a_computed_tensor_is_not_its_form() -> None:
    """Float32-pitfalls 3: (x + 2^24) - 2^24 at x = 0.5."""
    big = np.float32(2.0**24)
    assert np.float32(np.float32(0.5) + big) - big == 0.0


def test_a_computed_limit_or_integer_is_another_number() -> None:
    """Float32-pitfalls 4: 2^24 + 1 as a limit of Clip, and (2^24 + 1) - 2^24 as an index."""
    big, one = np.float32(2.0**24), np.float32(1.0)
    assert Fraction(float(big + one)) == 2**24
    assert int(np.float32(big + one) - big) == 0


def test_a_product_with_zero_may_be_undefined() -> None:
    """Float32-pitfalls 5: (h 2^40) 0 at h = 2^90."""
    with np.errstate(all="ignore"):
        assert np.isnan(np.float32(2.0**90) * np.float32(2.0**40) * np.float32(0.0))
