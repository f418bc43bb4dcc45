"""Verify properties and put all that shows the verdicts into a signed dossier."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import hybrid_ai
from hybrid_ai.audit.drafts import Signer
from hybrid_ai.audit.entries import new_id
from hybrid_ai.audit.log_file import sync_folder
from hybrid_ai.audit.results import read_result, result_file, results_file
from hybrid_ai.audit.sealing import files_to_seal, is_sealed, seal
from hybrid_ai.audit.trace import FileDigest, Trace
from hybrid_ai.audit.verification.canonical import decode, encode
from hybrid_ai.audit.verification.container import open_container
from hybrid_ai.audit.verification.dossier import verify_dossier
from hybrid_ai.audit.verification.envelope import key_id
from hybrid_ai.audit.verification.evidence import RESULT_TYPE
from hybrid_ai.audit.verification.rejected import Refused
from hybrid_ai.audit.verification.sealing import ENTRIES
from hybrid_ai.audit.verification.statement import Statement
from hybrid_ai.pipeline.dossier_files import BOM, CRATE, write_descriptions
from hybrid_ai.pipeline.errors import BadInput, CheckerFailure, UnsupportedInput
from hybrid_ai.pipeline.files import make_folder, write_atomically
from hybrid_ai.pipeline.inputs import digest, read_inputs
from hybrid_ai.pipeline.instances import Job, Layout, Request, laid_out
from hybrid_ai.pipeline.reporting import REPORTS
from hybrid_ai.pipeline.reuse import require_folder, reuse
from hybrid_ai.pipeline.room import require_room
from hybrid_ai.pipeline.staging import PARTIAL, UNFINISHED, earlier_lines, locked, rename, require_same
from hybrid_ai.pipeline.verify import Observer
from hybrid_ai.pipeline.verifying import verify_all

MOST_CASES = 9999  # a statement has four digits; whether their results fit, `require_room` sees
FOLDERS = ("models", "properties", "evidence")
DESCRIPTIONS = ("results.json", "README.md", "verify.py", BOM, CRATE, *REPORTS.values())
UNOBSERVED = Observer()
Content = dict[str, Any]
Describe = Callable[[Path, Sequence[Content]], Mapping[str, bytes]]


@dataclass(frozen=True, slots=True)
class Certified:
    """A sealed dossier: where it is, its digest, and its results as `results.json` lists them."""

    path: Path
    digest: str
    results: tuple[Content, ...]


@dataclass(frozen=True, slots=True)
class _Run:
    """One run that makes a dossier.

    Attributes:
        staging: the dossier, under its temporary name.
        working: receives evidence until its result is recorded; of this run alone.
        signer: who signs.
        trace: its log.
    """

    staging: Path
    working: Path
    signer: Signer
    trace: Trace


def certify(
    request: Request,
    output: Path,
    signer: Signer,
    observer: Observer = UNOBSERVED,
    on_result: Callable[[Content, bool], None] = lambda result, resumed: None,
    describe: Describe = lambda staging, results: {},
) -> Certified:
    """Verify all cases and seal a dossier; what was interrupted goes on where it stopped.

    Args:
        request: what is to be certified.
        output: folder of the dossier, not there yet. Until it is sealed all is in `output` with the suffix
            ".partial".
        signer: who signs results and seal.
        observer: told how each search goes.
        on_result: called with each result, and whether an earlier run made it.
        describe: what is said about all results: files by path in the dossier, given its folder, which
            holds all that was verified, and the results.

    Raises:
        BadInput: a file is missing or malformed, an input set is empty, the output cannot be written.
        CheckerFailure: a process that verifies ended without a result, or what was sealed does not verify.
        KeyboardInterrupt: interrupted; the results so far are kept.
    """
    if os.path.lexists(output):
        raise BadInput(f"-o {output}: is there already: name another folder")
    if request.jobs < 1:
        raise BadInput(f"{request.jobs} jobs: give at least 1")
    if not 0 < len(request.cases) <= MOST_CASES:
        raise BadInput(f"{len(request.cases)} verifications: give at least 1, at most {MOST_CASES}")
    if request.reuse is not None:
        require_folder(request.reuse)
    _require_readable(request)
    layout = laid_out(request)
    staging = output.with_name(output.name + PARTIAL)
    with locked(staging):
        lines = earlier_lines(staging)
        require_same(layout, lines, staging, signer)
        if not is_sealed(lines):  # else all is there but the name
            results = _verified(layout, request, staging, signer, observer, on_result)
            _seal(layout, staging, results, signer, output.name, describe)
        digest_of_all = _sealed_digest(staging)
        if is_sealed(lines):
            results = json.loads((staging / "results.json").read_bytes())["results"]
            for result in results:
                on_result(result, True)
        rename(staging, output)
    return Certified(output, digest_of_all, tuple(results))


def _seal(
    layout: Layout,
    staging: Path,
    results: Sequence[Content],
    signer: Signer,
    name: str,
    describe: Describe,
) -> None:
    """Describe what is there, and seal just that."""
    expected = {*layout.sources, *DESCRIPTIONS, *(job.statement for job in layout.jobs)}
    expected |= {result["evidence"] for result in results}
    described = describe(staging, results)
    expected |= described.keys()
    for path in files_to_seal(staging):
        if path not in expected:
            raise BadInput(f"{staging / path}: is not of this certification: remove it, and run it again")
    for path, data in described.items():
        write_atomically(staging / path, data)
    write_atomically(staging / "results.json", results_file(results))
    write_descriptions(staging, results, _times(staging, results), name)
    for folder in (*FOLDERS, ""):  # a seal on disk must not stand over names that are not
        sync_folder(staging / folder)
    seal(staging, "certification", signer, new_id())


def _sealed_digest(staging: Path) -> str:
    """The digest of a sealed dossier, which must verify before it gets its name."""
    try:
        return verify_dossier(open_container(staging), levels={"integrity"}, trust={}).digest
    except Refused as error:
        raise CheckerFailure(f"{staging}: was sealed, but does not verify: {error}; it is kept") from error


def _require_readable(request: Request) -> None:
    """Refuse what is malformed, or has no room, before anything is written; what is unsupported becomes a
    result.
    """
    sizes = []
    for case in request.cases:
        try:
            prop = read_inputs(case.model, case.property).property
        except UnsupportedInput:
            sizes.append((case.property, 0, 0))
        else:
            sizes.append((case.property, prop.n_inputs, prop.n_outputs))
    require_room(sizes)


def _verified(
    layout: Layout,
    request: Request,
    staging: Path,
    signer: Signer,
    observer: Observer,
    on_result: Callable[[Content, bool], None],
) -> list[Content]:
    """The result of each job; those of an earlier run are not computed again."""
    found: dict[int, Content] = {}
    with (
        Trace(staging / ENTRIES) as trace,
        tempfile.TemporaryDirectory(dir=staging, prefix=UNFINISHED) as working,
    ):
        run = _Run(staging, Path(working), signer, trace)
        _begin(run, layout)
        log = (staging / ENTRIES).read_bytes().split(b"\n")[:-1]
        for job in layout.jobs:
            earlier = _earlier(job, run, layout.asked(job), log)
            if earlier is not None and earlier["entry"] not in {each["entry"] for each in found.values()}:
                found[job.number] = earlier
                on_result(earlier, True)
        missing = [job for job in layout.jobs if job.number not in found]
        for job in missing:  # of a run that was killed before it said what it had
            for path in (staging / "evidence").glob(f"{job.number:04}.*"):
                path.unlink()
        asked = {job.number: layout.asked(job) for job in missing}
        for job, content in _taken_over(layout, request, missing, run):
            found[job.number] = _recorded(job, content, asked[job.number], run)
            on_result(found[job.number], True)
        missing = [job for job in missing if job.number not in found]
        for job, content in verify_all(missing, staging, run.working, request, observer):
            found[job.number] = _recorded(job, content, asked[job.number], run)
            on_result(found[job.number], False)
    return [found[job.number] for job in layout.jobs]


def _taken_over(
    layout: Layout, request: Request, jobs: Sequence[Job], run: _Run
) -> Iterator[tuple[Job, Content]]:
    """The results of the older dossier that still stand, if one is given."""
    if request.reuse is not None:
        asked = {job.number: encode(layout.asked(job)) for job in jobs}
        key = key_id(run.signer.public_key)
        yield from reuse(request.reuse, jobs, asked, layout.digests, run.working, key)


def _begin(run: _Run, layout: Layout) -> None:
    """Log what is asked for, and copy the files."""
    parameters = {**layout.parameters, "request": layout.request, "cases": len(layout.jobs)}
    versions = {"hybrid-ai": hybrid_ai.__version__}
    run.trace.append("certify/start", parameters=parameters, versions=versions).wait()
    for folder in FOLDERS:
        make_folder(run.staging / folder, "-o")
    for path, source in layout.sources.items():
        data = source if isinstance(source, bytes) else source.read_bytes()
        if sha256(data).hexdigest() != layout.digests[path]:
            raise BadInput(f"{source!s}: was changed while it was read: start again")
        make_folder((run.staging / path).parent, "-o")
        write_atomically(run.staging / path, data)


def _earlier(job: Job, run: _Run, parameters: Content, log: Sequence[bytes]) -> Content | None:
    """The decided result that an interrupted run left for a job, and logged."""
    path = run.staging / job.statement
    if not path.exists():
        return None
    try:
        statement = read_result(path.read_bytes(), run.signer.public_key, job.statement)
    except Refused:
        return None  # torn when the run was killed: it is computed again
    result = dict(statement.predicate)
    current = statement.predicate_type == RESULT_TYPE and result["version"] == hybrid_ai.__version__
    if not current or result["parameters"] != parameters or result["verdict"] not in ("proved", "refuted"):
        return None
    # Of this very job: statements could have been exchanged.
    files = (result["model"], result["property"], str(result["evidence"])[:14])
    if files != (job.model, job.property, f"evidence/{job.number:04}."):
        return None
    kept = all(digest(run.staging / subject.name) == subject.sha256 for subject in statement.subjects)
    return result if kept and not result["failed"] and _is_logged(statement, log) else None


def _is_logged(statement: Statement, log: Sequence[bytes]) -> bool:
    """Whether the entry that a result names is there and tells the same: a log may have lost its end."""
    result = statement.predicate
    number = result["entry"]
    if type(number) is not int or not 0 <= number < len(log):
        return False
    entry = decode(log[number], ENTRIES)
    assert isinstance(entry, dict)
    told = (entry["action"], entry.get("verdict"), entry.get("inputs", []), entry.get("outputs", []))
    files = [{"name": subject.name, "sha256": subject.sha256} for subject in statement.subjects]
    return told == ("verify", result["verdict"], files[:2], files[2:])


def _recorded(job: Job, content: Content, parameters: Content, run: _Run) -> Content:
    """Log a result and write its statement; returns it as the dossier tells it."""
    content, evidence = _with_evidence(job, content, run)
    files = [path for path in (job.model, job.property, evidence) if path is not None]
    digests = {path: _sha256(run.staging / path) for path in files}
    named = [FileDigest(path, digests[path]) for path in files]
    origin = {"reused_from": content["reused_from"]} if "reused_from" in content else {}
    receipt = run.trace.append(
        "verify",
        inputs=named[:2],
        outputs=named[2:],
        parameters={**parameters, **origin},
        versions={"hybrid-ai": content["version"]},
        verdict=content["verdict"],
    )
    where = {"model": job.model, "property": job.property, "evidence": evidence, "entry": receipt.wait()}
    result = {**content, **where, "parameters": parameters}
    write_atomically(run.staging / job.statement, result_file(result, digests, run.signer))
    # As a reader of the file gets it: tuples are lists there.
    read = decode(encode(result), job.statement)
    assert isinstance(read, dict)
    return read


def _with_evidence(job: Job, content: Content, run: _Run) -> tuple[Content, str | None]:
    """A result whose paths are those in the dossier, and the evidence that it describes, put into its place.

    Raises:
        CheckerFailure: it is decided, and its evidence is not there.
    """
    source = run.working / job.evidence
    point = content["counterexample"]
    told = content["certificate"] if point is None else point["file"]
    evidence = None
    # A search that went on after a rejection may have written over what the result tells of first.
    if told is not None and source.exists() and _sha256(source) == told["sha256"]:
        suffix = ".certificate" if point is None else ".counterexample.json"
        evidence = f"evidence/{job.number:04}{suffix}"
        os.replace(source, run.staging / evidence)
    elif content["verdict"] != "unknown":
        raise CheckerFailure(f"{job.property}: {content['verdict']}, but the evidence is not there")
    kept = None if evidence is None else {**told, "path": evidence}

    def portable(text: str) -> str:
        text = text.replace(str(source), evidence or "a file that was not kept")
        return text.replace(f"{run.staging}/", "")

    reason = content["reason"]
    return {
        **content,
        "certificate": kept if point is None else None,
        "counterexample": None if point is None else {**point, "file": kept},
        "reason": None if reason is None else portable(reason),
        "reasons": {name: portable(text) for name, text in content["reasons"].items()},
    }, evidence


def _times(staging: Path, results: Sequence[Content]) -> list[str]:
    """When each result was logged."""
    lines = (staging / ENTRIES).read_bytes().splitlines()
    entries = [decode(lines[result["entry"]], ENTRIES) for result in results]
    return [str(entry["time"]) for entry in entries if isinstance(entry, dict)]


def _sha256(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()
