"""The report of a dossier as a page, or as a PDF where WeasyPrint is installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from hybrid_ai.audit.verification.container import open_container
from hybrid_ai.audit.verification.dossier import verify_dossier
from hybrid_ai.audit.verification.rejected import Level
from hybrid_ai.pipeline.documents import read_documents
from hybrid_ai.pipeline.dossiers import unpacked
from hybrid_ai.pipeline.errors import BadInput
from hybrid_ai.pipeline.files import require_writable, write_atomically
from hybrid_ai.pipeline.plans.assessment import require_assessment
from hybrid_ai.report.content import read_content
from hybrid_ai.report.errors import ReportError
from hybrid_ai.report.language import Language
from hybrid_ai.report.page import render

LANGUAGES: tuple[Language, ...] = get_args(Language)
# In a dossier; the first language's has the plain name.
REPORTS: Mapping[Language, str] = {"en": "report.html", "fr": "report.fr.html"}


def draft_reports(folder: Path) -> dict[str, bytes]:
    """The reports of a dossier that is about to be sealed, by path in it.

    Args:
        folder: the dossier, with all that the reports are drawn from.

    Raises:
        BadInput: a report cannot be drawn.
    """
    try:
        content = read_content(folder, None)
        return {name: render(content, language) for language, name in REPORTS.items()}
    except ReportError as error:
        raise BadInput(f"{folder}: {error}") from error


def write_report(root: Path, output: Path, language: Language, trust: Mapping[str, bytes]) -> None:
    """Write the report of a dossier as it stands, signatures included; a PDF where the file is named so.

    Args:
        root: folder or zip.
        output: the file, whose name ends in `.html` or `.pdf`.
        language: of the report's own texts.
        trust: pinned public keys, 32 bytes each, by key id; the report says whose signatures are by them.

    Raises:
        BadInput: it is no certification, its assessment is not what its results give, the file cannot be
            written, or WeasyPrint is missing for a PDF.
        Refused: the dossier is damaged.
    """
    if output.suffix not in (".html", ".pdf"):
        raise BadInput(f"-o {output}: is named like no report: end it in .html or .pdf")
    require_writable(output, "-o")
    if output.resolve().is_relative_to(root.resolve()) and root.is_dir():
        raise BadInput(f"-o {output}: lies in the dossier: name a file outside of it")
    with unpacked(root) as folder:
        levels: set[Level] = {"integrity", "authenticity"} if trust else {"integrity"}
        verified = verify_dossier(open_container(folder), levels=levels, trust=trust)
        if verified.kind != "certification":
            raise BadInput(f"{root}: is a folder that somebody sealed: there is nothing to report")
        require_assessment(read_documents(open_container(folder)))
        try:
            page = render(read_content(folder, verified), language)
        except ReportError as error:
            raise BadInput(f"{root}: {error}") from error
    write_atomically(output, page if output.suffix == ".html" else _pdf(page))


def _pdf(page: bytes) -> bytes:
    try:
        import weasyprint
    except ImportError as error:
        remedy = "pip install 'hybrid-ai[pdf]', or print the .html from a browser"
        raise BadInput(f"a PDF needs WeasyPrint, which is not installed: {remedy}") from error
    document: bytes = weasyprint.HTML(string=page.decode(), url_fetcher=_refuse).write_pdf()
    return document


def _refuse(url: str, *_: object, **__: object) -> dict[str, object]:
    raise ValueError(f"the report loads nothing, and asks for {url}")
