"""The files of a dossier that describe it: README.md, bill of materials, reports, crate, and the verifier."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from hybrid_ai.audit.bom import bill_of_materials
from hybrid_ai.audit.crate import crate_metadata
from hybrid_ai.audit.description import (
    Description,
    DossierFile,
    ModelFile,
    TensorInfo,
    Verification,
    installed_software,
)
from hybrid_ai.audit.results import statement_path
from hybrid_ai.audit.standalone import generate
from hybrid_ai.pipeline.errors import UnsupportedInput
from hybrid_ai.pipeline.files import write_atomically
from hybrid_ai.pipeline.inspection import inspect_model
from hybrid_ai.pipeline.reporting import REPORTS, draft_reports

Content = dict[str, Any]
BOM, CRATE = "bom.cdx.json", "ro-crate-metadata.json"

README = """# {name}

Verdicts about neural networks, the evidence for them, and signatures. Made with hybrid-ai {version},
{date}.

| model | property | verdict | by arithmetic |
|---|---|---|---|
{rows}

`report.html` (in French `report.fr.html`) has them in full; `hybrid-ai dossier report {name} -o FILE`
draws it anew, with all signatures.

`proved`: no input satisfies the property's unsafe condition; the certificate shows it. `refuted`: the
counterexample does. `unknown`: neither was shown.

Verify this folder with Python 3.11 or newer, and a `verify.py` obtained apart from it:

    python3 -I verify.py {name} --trust PUBLIC-KEY.pem

With hybrid-ai installed: `hybrid-ai dossier verify {name} --trust PUBLIC-KEY.pem`.

Evidence prepared with hybrid-ai {version}. Not a certificate, approval or conformity statement; the tool
is not qualified; signatures are not qualified electronic signatures.
"""


def write_descriptions(folder: Path, results: Sequence[Content], times: Sequence[str], name: str) -> None:
    """Write all descriptive files of a dossier whose other files are there.

    Args:
        folder: the dossier.
        results: as `results.json` lists them.
        times: when each was logged, RFC 3339.
        name: of the dossier.

    Raises:
        BadInput: a file cannot be written, or a report cannot be drawn.
    """
    for stale in (BOM, CRATE, *REPORTS.values()):  # of a run that was cut off while it described
        (folder / stale).unlink(missing_ok=True)
    write_atomically(folder / "verify.py", generate())
    software = installed_software()
    rows = "\n".join(_row(result) for result in results)
    date, version = max(times), software[0].version
    readme = README.format(name=name, version=version, date=date[:10], rows=rows)
    write_atomically(folder / "README.md", readme.encode())
    pairs = zip(results, times, strict=True)
    runs = tuple(_verification(number, *pair) for number, pair in enumerate(pairs, start=1))
    models = sorted({result["model"] for result in results})

    def described(*, but_for: str) -> Description:
        return Description(
            name=name,
            summary=f"Results of {len(results)} verifications of neural networks, with their evidence.",
            created=date,
            licence=None,
            organisation=None,
            models=tuple(_model(folder, path) for path in models),
            properties=tuple(sorted({result["property"] for result in results})),
            verifications=runs,
            files=tuple(_files(folder, but_for)),
            software=software,
        )

    write_atomically(folder / BOM, bill_of_materials(described(but_for=BOM)))
    for path, page in draft_reports(folder).items():
        write_atomically(folder / path, page)
    write_atomically(folder / CRATE, crate_metadata(described(but_for=CRATE)))


def _row(result: Content) -> str:
    arithmetics = ", ".join(f"{name}: {verdict}" for name, verdict in result["arithmetics"].items())
    return f"| {result['model']} | {result['property']} | {result['verdict']} | {arithmetics} |"


def _verification(number: int, result: Content, logged: str) -> Verification:
    ended = datetime.fromisoformat(logged)
    seconds = result["seconds"]["total"]
    return Verification(
        model=result["model"],
        property=result["property"],
        evidence=result["evidence"],
        statement=statement_path(number),
        verdict=result["verdict"],
        arithmetics=tuple(result["arithmetics"].items()),
        started=_text(ended - timedelta(seconds=seconds)),
        ended=_text(ended),
        seconds=seconds,
    )


def _text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _model(folder: Path, path: str) -> ModelFile:
    try:
        found = inspect_model(folder / path)
    except UnsupportedInput:  # its verdicts are unknown; of its insides nothing is told
        return ModelFile(path, (), (), (), None)
    element = found["element_type"]
    reads, gives = (
        TensorInfo(found[side]["name"], tuple(found[side]["shape"]), element) for side in ("input", "output")
    )
    return ModelFile(path, (reads,), (gives,), tuple(sorted(found["operations"])), None)


def _files(folder: Path, but_for: str) -> list[DossierFile]:
    """The files that the manifest will list, but for one that is about to be written."""
    found = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != but_for and not name.startswith("trace/"):
            data = path.read_bytes()
            found.append(DossierFile(name, len(data), sha256(data).hexdigest()))
    return found
