"""Reports in and of dossiers: drawn before the seal, and again with what came after it."""

from __future__ import annotations

import builtins
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hybrid_ai.audit.dispositions import Disposition
from hybrid_ai.audit.verification.rejected import Refused
from hybrid_ai.pipeline.dossiers import Signature, attach, dispose, sign, zip_dossier
from hybrid_ai.pipeline.errors import BadInput
from hybrid_ai.pipeline.reporting import REPORTS, draft_reports, write_report
from tests.certified import OTHER, SIGNER, certified_copy


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return certified_copy(tmp_path / "d")


def test_a_dossier_holds_its_reports_as_drafts(root: Path) -> None:
    for language, name in REPORTS.items():
        page = (root / name).read_text(encoding="utf-8")
        assert f'<html lang="{language}"' in page
        assert ("DRAFT" if language == "en" else "PROJET") in page.upper()
        for path in (
            "models/braking.onnx",
            "properties/braking_limit.vnnlib",
            "evidence/0003.counterexample.json",
        ):
            assert path in page


def test_reports_load_nothing(root: Path) -> None:
    for name in REPORTS.values():
        page = (root / name).read_text(encoding="utf-8")
        assert not re.search(r"""(?:src|href)\s*=\s*["']?(?!#)(?!data:)[^"'>\s]*//""", page)
        assert "default-src &#39;none&#39;" in page


def test_a_report_is_no_draft_once_an_approver_has_signed(root: Path, tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    write_report(root, page, "en", {})
    assert "nobody has signed it as approver" in page.read_text()
    dispose(root, Disposition("0003", "accepted", "Known.", "reviewer"), OTHER)
    sign(root, Signature("approver", "fit for use", "Ltd", "A. Person"), OTHER)
    write_report(root, page, "en", {SIGNER.key_id: SIGNER.public_key, OTHER.key_id: OTHER.public_key})
    text = page.read_text()
    assert "nobody has signed it as approver" not in text and OTHER.key_id in text and "fit for use" in text
    zip_dossier(root, tmp_path / "d.zip")
    write_report(tmp_path / "d.zip", tmp_path / "z.html", "fr", {})
    assert (
        OTHER.key_id in (tmp_path / "z.html").read_text() and 'lang="fr"' in (tmp_path / "z.html").read_text()
    )


def test_reports_of_the_same_are_the_same(root: Path, tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        write_report(root, tmp_path / name, "en", {})
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (lambda root: (root / "README.md").write_bytes(b""), Refused, "README.md"),
        (lambda root: (root / "results.json").unlink(), Refused, "results.json"),
    ],
)
def test_what_is_damaged_is_not_reported(
    root: Path, tmp_path: Path, change: Callable[[Path], object], error: type[Exception], said: str
) -> None:
    change(root)
    with pytest.raises(error, match=said):
        write_report(root, tmp_path / "r.html", "en", {})
    assert not (tmp_path / "r.html").exists()


def test_what_cannot_be_reported(root: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"end it in \.html or \.pdf"):
        write_report(root, tmp_path / "r.txt", "en", {})
    with pytest.raises(BadInput, match="cannot be written"):
        write_report(root, tmp_path / "none" / "r.html", "en", {})
    with pytest.raises(BadInput, match="lies in the dossier"):
        write_report(root, root / "report.html", "en", {})
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "a").write_bytes(b"a")
    attach(foreign, root / "README.md", SIGNER, "")
    with pytest.raises(BadInput, match="there is nothing to report"):
        write_report(foreign, tmp_path / "r.html", "en", {})
    (root / "results.json").write_bytes(b"{")
    with pytest.raises(BadInput, match=r"results\.json"):
        draft_reports(root)


def test_a_pdf_needs_its_extra(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = builtins.__import__

    def importing(name: str, *rest: Any) -> Any:
        if name == "weasyprint":
            raise ImportError(name)
        return inner(name, *rest)

    monkeypatch.delitem(sys.modules, "weasyprint", raising=False)
    monkeypatch.setattr(builtins, "__import__", importing)
    with pytest.raises(BadInput, match=r"pip install 'hybrid-ai\[pdf\]'"):
        write_report(root, tmp_path / "r.pdf", "en", {})
    assert not (tmp_path / "r.pdf").exists()


def test_a_pdf_is_drawn_from_the_page_and_loads_nothing(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}

    class Html:
        def __init__(self, string: str, url_fetcher: Callable[[str], object]) -> None:
            seen.update(page=string, fetcher=url_fetcher)

        def write_pdf(self) -> bytes:
            return b"%PDF-"

    monkeypatch.setitem(sys.modules, "weasyprint", SimpleNamespace(HTML=Html))
    write_report(root, tmp_path / "r.pdf", "en", {})
    write_report(root, tmp_path / "r.html", "en", {})
    assert (tmp_path / "r.pdf").read_bytes() == b"%PDF-"
    assert seen["page"] == (tmp_path / "r.html").read_text()
    with pytest.raises(ValueError, match="the report loads nothing"):
        seen["fetcher"]("https://example.org/")


def test_a_pdf_in_earnest(root: Path, tmp_path: Path) -> None:
    pytest.importorskip("weasyprint", reason="WeasyPrint is not installed: pip install 'hybrid-ai[pdf]'")
    write_report(root, tmp_path / "r.pdf", "fr", {})
    assert (tmp_path / "r.pdf").read_bytes().startswith(b"%PDF-")
