"""Results of an older dossier that still stand: same model, property, limits and version, judged anew."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import hybrid_ai
from hybrid_ai.audit.verification.canonical import encode
from hybrid_ai.audit.verification.container import open_container
from hybrid_ai.audit.verification.dossier import verify_dossier
from hybrid_ai.audit.verification.rejected import Refused
from hybrid_ai.pipeline.checking import Checker, CheckResult, Engine
from hybrid_ai.pipeline.documents import RESULTS, read_documents
from hybrid_ai.pipeline.errors import BadInput, CheckTimedOut
from hybrid_ai.pipeline.instances import Job
from hybrid_ai.pipeline.replay import Ask, judged

Content = dict[str, Any]
SECONDS_TO_CHECK = 600.0


def require_folder(old: Path) -> None:
    """Raise BadInput unless an older dossier is a folder: before anything is written."""
    if not old.is_dir():
        raise BadInput(f"--reuse {old}: is no folder: give a dossier, and of a zip: unzip it first")


def reuse(
    old: Path,
    jobs: Sequence[Job],
    asked: Mapping[int, bytes],
    digests: Mapping[str, str],
    working: Path,
    key: str,
) -> Iterator[tuple[Job, Content]]:
    """Yield the results of an older dossier for jobs that ask for the same; of others nothing.

    Args:
        old: the older dossier, a folder.
        jobs: what is asked for now.
        asked: by number of the job: its parameters, canonical.
        digests: SHA-256 of models and properties, hexadecimal, by path.
        working: receives the evidence.
        key: id of the key that seals the new dossier, and has to have sealed the older one: what the results
            tell beside their verdicts is signed again, unseen.

    Raises:
        BadInput: it is no folder of a certification, damaged, or sealed by another key.
        CheckerFailure: the checker itself failed.

    Sound because: each piece of evidence is judged again by the checker, for these very files.
    """
    require_folder(old)
    try:
        container = open_container(old)
        report = verify_dossier(container, levels={"integrity"}, trust={})
    except (Refused, OSError) as error:
        raise BadInput(f"--reuse {old}: is no dossier that can be used: {error}") from error
    if report.kind != "certification":
        raise BadInput(f"--reuse {old}: is a folder that somebody sealed: give a certification")
    if report.seal_key != key:
        raise BadInput(f"--reuse {old}: was sealed by another key, {report.seal_key}: give one of your own")
    results = read_documents(container)[RESULTS]["results"]
    earlier = {_key(each): each for each in results if _stands(each)}
    with Checker() as checker:

        def ask(model: Path, claim: Path, evidence: Path, engine: Engine) -> CheckResult:
            return checker.ask(model, claim, evidence, engine, monotonic() + SECONDS_TO_CHECK)

        for job in jobs:
            result = earlier.get((digests[job.model], digests[job.property], asked[job.number]))
            if result is None or not _agrees(old, result, ask):
                continue
            shutil.copyfile(old / result["evidence"], working / job.evidence)
            yield job, {**result, "reused_from": report.digest}


def _agrees(old: Path, result: Content, ask: Ask) -> bool:
    try:
        return judged(old, result, "fast", ask).agreement == "agrees"
    except CheckTimedOut:
        return False  # it is verified again


def _key(result: Content) -> tuple[str, str, bytes]:
    return result["model_sha256"], result["property_sha256"], encode(result["parameters"])


def _stands(result: Content) -> bool:
    decided = result["verdict"] in ("proved", "refuted") and result["evidence"] is not None
    return decided and result["version"] == hybrid_ai.__version__ and not result["failed"]
