"""A dossier of the shipped example, certified once per session, and what tests of dossiers have in common."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import hybrid_ai
from hybrid_ai.audit.keys import Signer
from hybrid_ai.audit.results import result_file, results_file
from hybrid_ai.audit.sealing import seal
from hybrid_ai.audit.trace import FileDigest, Trace, sha256_of
from hybrid_ai.audit.verification.container import open_container
from hybrid_ai.audit.verification.dossier import Report, verify_dossier
from hybrid_ai.pipeline import certification
from hybrid_ai.pipeline.certification import Certified, certify
from hybrid_ai.pipeline.instances import Case, Job, Request
from hybrid_ai.pipeline.limits import Limits
from hybrid_ai.pipeline.verify import Observer
from tests.audit_builder import demo_sources, make_key

DEMO = Path(hybrid_ai.__file__).parent / "demo"
BRAKING, LIMIT = DEMO / "braking.onnx", DEMO / "braking_limit.vnnlib"
PROPERTIES = ("braking_limit", "braking_envelope", "braking_short_runway")
VERDICTS = ["proved", "proved", "refuted"]
QUIET = Observer(None, None)
SIGNER, OTHER = Signer(make_key(11).private), Signer(make_key(12).private)
RUN = "ab" * 16
Content = dict[str, Any]


def ignore(result: Content, resumed: bool) -> None:
    """For `on_result`."""


def demo_request(names: Sequence[str] = PROPERTIES, **changes: Any) -> Request:
    cases = [Case(BRAKING, DEMO / f"{name}.vnnlib", 60.0) for name in names]
    return replace(Request(cases, Limits(60.0)), **changes)


@cache
def _original() -> Certified:
    folder = Path(tempfile.mkdtemp(prefix="hybrid-ai-certified-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return certify(demo_request(), folder / "dossier", SIGNER, QUIET, ignore)


def certified_copy(target: Path) -> Path:
    """A copy of the dossier in a new folder."""
    shutil.copytree(_original().path, target)
    return target


def verified(path: Path, signer: Signer | None = None, *more: Signer) -> Report:
    """The report on a dossier whose integrity holds, and authenticity where signers are given."""
    trust = {each.key_id: each.public_key for each in (signer, *more) if each is not None}
    levels = {"integrity", "authenticity"} if trust else {"integrity"}
    report = verify_dossier(open_container(path), levels=levels, trust=trust)  # type: ignore[arg-type]
    assert report.established, report.levels
    return report


def entries(path: Path) -> list[Content]:
    """The log of a dossier, by the words of the format alone."""
    lines = (path / "trace/entries.jsonl").read_bytes().split(b"\n")
    assert lines.pop() == b""
    found = [json.loads(line) for line in lines]
    assert [entry["sequence"] for entry in found] == list(range(len(found)))
    return found


def snapshot(root: Path) -> dict[str, bytes | None]:
    """Everything below a folder; None for folders."""
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else None for path in root.rglob("*")
    }


def results_of(path: Path) -> list[Content]:
    found: list[Content] = json.loads((path / "results.json").read_bytes())["results"]
    return found


def resealed(
    source: Path, target: Path, change: Callable[[int, Content, Path], None], signer: Signer
) -> Path:
    """A dossier with other results, made by somebody who can sign: integrity holds.

    Args:
        source: the dossier.
        target: of the changed copy, not there yet.
        change: alters a result, given its index, and its files below a folder.
        signer: seals it.
    """
    for folder in ("models", "properties", "evidence"):
        shutil.copytree(source / folder, target / folder)
    results = results_of(source)
    with Trace(target / "trace/entries.jsonl") as trace:
        for index, result in enumerate(results):
            change(index, result, target)
            evidence = result["evidence"]
            paths = [path for path in (result["model"], result["property"], evidence) if path]
            named = [FileDigest(path, sha256_of(target / path)) for path in paths]
            if evidence:
                point = result["counterexample"]
                described = {"path": evidence, "sha256": named[2].sha256}
                described["bytes"] = (target / evidence).stat().st_size  # type: ignore[assignment]
                if point:
                    point["file"] = described
                else:
                    result["certificate"] = described
            receipt = trace.append("verify", inputs=named[:2], outputs=named[2:], verdict=result["verdict"])
            result["entry"] = receipt.wait()
            digests = {file.name: file.sha256 for file in named}
            statement = target / f"evidence/{index + 1:04}.dsse.json"
            statement.write_bytes(result_file(result, digests, signer))
    (target / "results.json").write_bytes(results_file(results))
    seal(target, "certification", signer, RUN)
    return target


class Stub:
    """Stands in for `verify_all`: yields the shipped example's results, verified once per session.

    Attributes:
        done: numbers of the jobs that it was asked to compute, in order.
        change: may alter a result and its evidence file before it is yielded.
        stop_after: raises KeyboardInterrupt instead of the result after so many.
    """

    def __init__(
        self, change: Callable[[Job, Content, Path], None] | None = None, stop_after: int | None = None
    ) -> None:
        self.done: list[int] = []
        self.change = change
        self.stop_after = stop_after

    def __call__(
        self, jobs: Sequence[Job], folder: Path, working: Path, request: Request, observer: Observer
    ) -> Iterator[tuple[Job, Content]]:
        for job in jobs:
            if self.stop_after is not None and len(self.done) == self.stop_after:
                raise KeyboardInterrupt
            self.done.append(job.number)
            claim = (folder / job.property).read_bytes()
            (source,) = [each for each in demo_sources() if each.property == claim]
            result = json.loads(json.dumps(dict(source.result)))
            file = working / job.evidence
            assert source.evidence is not None
            file.write_bytes(source.evidence)
            point = result["counterexample"]
            (point["file"] if point else result["certificate"])["path"] = str(file)
            if self.change is not None:
                self.change(job, result, file)
            yield job, result


class Told(list[tuple[str, bool]]):
    """What `on_result` was told: verdict, and whether an earlier run made it."""

    def __call__(self, result: Content, resumed: bool) -> None:
        self.append((result["verdict"], resumed))


def stubbed(monkeypatch: pytest.MonkeyPatch) -> Stub:
    """For a fixture: certifications take their results from what this returns."""
    made = Stub()
    monkeypatch.setattr(certification, "verify_all", made)
    return made


def run(output: Path, told: Told | None = None, request: Request | None = None) -> Path:
    """Certify, the shipped example if nothing else is asked for."""
    certify(request or demo_request(), output, SIGNER, QUIET, Told() if told is None else told)
    return output


def interrupted(output: Path, stub: Stub, after: int) -> Path:
    """Certify the shipped example up to an interruption after so many results; returns what is unfinished."""
    stub.stop_after = after
    with pytest.raises(KeyboardInterrupt):
        run(output)
    stub.stop_after = None
    return output.with_name(output.name + ".partial")
