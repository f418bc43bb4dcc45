"""The report as one HTML page: it loads nothing, and runs no script but its own."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from hybrid_ai.report.content import ReportContent
from hybrid_ai.report.detail import DETAILS, Detail, first_of, gravest, index_of, shape
from hybrid_ai.report.errors import ReportError
from hybrid_ai.report.files import File
from hybrid_ai.report.language import Language, Speech, speech
from hybrid_ai.report.results import ARITHMETICS, VERDICTS

SIZE_LIMIT = 3_000_000
OPEN_POINTS, OPEN_RUNS = 2, 24  # counterexamples and verifications of a requirement that are not folded
OPEN_PROPERTIES = 12  # properties up to which their list stands in the summary
MANIFEST = "dossier.json"

_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]+(:\d+)?(/[A-Za-z0-9$%&()*+,./:;=?@_~#!-]*)?", re.ASCII)


def render(content: ReportContent, language: Language) -> bytes:
    """The report as an HTML page in UTF-8, of less than SIZE_LIMIT bytes: the same for the same content.

    Args:
        content: what it shows.
        language: of its texts; those of the plan stay as they are.

    Raises:
        ReportError: not even the least detail fits.
    """
    for detail in DETAILS:
        page = _rendered(content, speech(language), detail)
        if len(page) < SIZE_LIMIT:
            return page
    raise ReportError("report", "", f"has {SIZE_LIMIT} bytes or more however little is shown of each thing")


def _rendered(content: ReportContent, spoken: Speech, detail: Detail) -> bytes:
    style = _asset("style.css") + _page_rule(spoken, content.is_draft)
    script = _asset("script.js")
    template = _environment(spoken, content, detail).get_template("page.html.j2")
    text = template.render(
        content=content,
        detail=detail,
        language=spoken.language,
        policy=_policy(style, script),
        style=style,
        script=script,
    )
    return text.encode()


def _environment(spoken: Speech, content: ReportContent, detail: Detail) -> Environment:
    environment = Environment(
        loader=PackageLoader("hybrid_ai.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    constants: dict[str, Any] = {"VERDICTS": VERDICTS, "ARITHMETICS": ARITHMETICS}
    constants.update(OPEN_POINTS=OPEN_POINTS, OPEN_RUNS=OPEN_RUNS, OPEN_PROPERTIES=OPEN_PROPERTIES)
    environment.globals.update(constants, t=spoken.text, index=index_of(content))
    environment.filters.update(
        shown=spoken.shown,
        known=spoken.knows,
        parts=spoken.parts,
        shortened=lambda text: _shortened(text, detail.text),
        is_address=lambda datum: _ADDRESS.fullmatch(datum.value) is not None,
        gravest=gravest,
        first_of=first_of,
        listed=_listed,
        shape=shape,
    )
    return environment


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"


def _listed(files: Sequence[File], limit: int) -> Sequence[File]:
    """The files whose SHA-256 the page carries: of too many the manifest, which lists all, and a few more."""
    if len(files) <= limit:
        return files
    return sorted(files, key=lambda file: file.path != MANIFEST)[:limit]


def _policy(style: str, script: str) -> str:
    """Content-Security-Policy: nothing is loaded, and this style and script alone are applied and run."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _page_rule(spoken: Speech, is_draft: bool) -> str:
    """What stands in the margins of printed pages; JSON's strings are strings of CSS for such texts."""
    title = json.dumps(f"hybrid-ai · {spoken.text('title')}", ensure_ascii=False)
    draft = json.dumps(spoken.text("draft.word") if is_draft else "", ensure_ascii=False)
    return (
        f"@page{{@top-left{{content:{title}}}@top-right{{content:{draft}}}"
        '@bottom-right{content:counter(page) " / " counter(pages)}}\n'
    )


@cache
def _asset(name: str) -> str:
    return (resources.files("hybrid_ai.report") / "templates" / name).read_text(encoding="utf-8")
