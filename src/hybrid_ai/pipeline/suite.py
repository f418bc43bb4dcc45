"""Verify the instances of a suite one after the other, and resume where an earlier run was cut off."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import hybrid_ai
from hybrid_ai.pipeline.checking import Checker
from hybrid_ai.pipeline.errors import BadInput
from hybrid_ai.pipeline.files import make_folder, require_regular, require_writable
from hybrid_ai.pipeline.inputs import ModelReader, digest, read_model
from hybrid_ai.pipeline.limits import Limits
from hybrid_ai.pipeline.result import INTERRUPTED
from hybrid_ai.pipeline.rows_file import Content, RowsFile, open_rows
from hybrid_ai.pipeline.verify import Arithmetic, Observer, Task, run

if TYPE_CHECKING:
    from hybrid_ai.search.hints import HintSource

COLUMNS = ("onnx", "vnnlib", "timeout_s")
LARGEST_SUITE = 2**26


@dataclass(frozen=True, slots=True)
class Instance:
    """A row of the suite: paths as written, relative to the suite's file, and its time limit in seconds."""

    onnx: str
    vnnlib: str
    timeout: float


@dataclass(frozen=True, slots=True)
class Row:
    """What became of an instance: its line of JSON as an object, and whether an earlier run wrote it."""

    instance: Instance
    content: Content
    resumed: bool

    def line(self) -> str:
        """Verdict, seconds, boxes, certificate bytes and check seconds as one line for people."""
        name = f"{Path(self.instance.onnx).stem} {Path(self.instance.vnnlib).stem}"
        verdict = self.content["verdict"]
        if self.resumed:
            return f"{name}: {verdict} (from an earlier run)"
        if verdict == "error":
            return f"{name}: error: {self.content['reason']}"
        seconds, certificate = self.content["seconds"], self.content["certificate"]
        size = f", certificate {certificate['bytes']} bytes" if certificate else ""
        reason = f" ({self.content['reason']})" if self.content["reason"] else ""
        return (
            f"{name}: {verdict}{reason}, {seconds['total']:.2f} s, {self.content['bounded']} boxes{size}, "
            f"check {seconds['check']:.2f} s"
        )


def read_suite(path: Path, longest: float | None) -> list[Instance]:
    """Read the columns onnx, vnnlib and timeout_s of a suite; others are not looked at.

    Args:
        path: CSV file with a header.
        longest: cap of the time limits in seconds, None for none.

    Raises:
        BadInput: the file or a row is malformed.
    """
    require_regular(path, LARGEST_SUITE)
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            names = list(reader.fieldnames or ())
            missing = [name for name in COLUMNS if name not in names]
            if missing:
                raise BadInput(f"{path}:1: no column {', '.join(missing)}: the first line names the columns")
            if len(set(names)) != len(names):
                raise BadInput(f"{path}:1: two columns of one name: name each column once")
            return [_instance(path, reader.line_num, row, longest) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _instance(path: Path, line: int, row: dict[str, str | None], longest: float | None) -> Instance:
    onnx, vnnlib, text = (row[name] for name in COLUMNS)
    if not onnx or not vnnlib or not text:
        raise BadInput(f"{path}:{line}: a column is empty: give {', '.join(COLUMNS)}")
    try:
        timeout = Limits(float(text)).timeout
    except (ValueError, BadInput) as error:
        raise BadInput(f"{path}:{line}: timeout_s {text!r} is no time limit: give seconds above 0") from error
    return Instance(onnx, vnnlib, timeout if longest is None else min(timeout, longest))


def run_suite(
    suite: Path,
    out: Path,
    limits: Limits,
    *,
    longest: float | None,
    allow_vacuous: bool,
    arithmetic: Arithmetic | None,
    certificates: Path | None,
    hints: HintSource | None = None,
    observer: Observer,
    on_row: Callable[[Row], None],
) -> list[Row]:
    """Verify every instance of a suite and append a line of JSON for each; an interrupted suite resumes.

    Args:
        suite: CSV file; paths in it are relative to its folder.
        out: file of JSON lines. A line with the same files, hashes, arithmetic asked for and version is not
            computed again unless it says unknown, is vacuous and that is not allowed, or its evidence is
            asked for and missing; a last line that was cut off is removed.
        limits: of each instance; the time limit is the instance's own.
        longest: cap of the time limits in seconds, None for none.
        allow_vacuous: prove properties with an empty input set.
        arithmetic: what the verdicts are about, as in `verify`.
        certificates: folder that receives the evidence, or None.
        hints: as in `verify`; rows computed with and without stand for each other.
        observer: told how each search goes.
        on_row: told of each row when it is done.

    Raises:
        BadInput: the suite is malformed, or a file cannot be written. A row with bad input does not end the
            suite: its verdict is "error".
        KeyboardInterrupt: interrupted; the rows so far are in the file.
    """
    instances = read_suite(suite, longest)
    _require_outputs(suite, instances, out, certificates)
    reader = cache(read_model)
    fresh: dict[Instance, Content] = {}
    rows = []
    with open_rows(out) as file, Checker(compiled=True) as checker:
        for instance in instances:
            target = None if certificates is None else certificates / _evidence_name(instance)
            task = Task(replace(limits, timeout=instance.timeout), target, allow_vacuous, arithmetic, hints)
            content = fresh.get(instance) or _earlier(file, instance, suite.parent, task)
            resumed = content is not None
            if content is None:
                content = _verify(instance, suite.parent, reader, task, checker, observer)
                file.append(content)
                fresh[instance] = content
            rows.append(Row(instance, content, resumed))
            on_row(rows[-1])
    return rows


def _require_outputs(suite: Path, instances: list[Instance], out: Path, certificates: Path | None) -> None:
    named = {name for instance in instances for name in (instance.onnx, instance.vnnlib)}
    require_writable(out, "--json-lines", (suite, *(suite.parent / name for name in named)))
    if certificates is not None:
        make_folder(certificates, "--certificates")


def _earlier(file: RowsFile, instance: Instance, folder: Path, task: Task) -> Content | None:
    """The row that an earlier run wrote for an instance, where it stands for what would be computed now."""
    row = file.earlier.get((instance.onnx, instance.vnnlib))
    return row if row is not None and _is_current(row, instance, folder, task) else None


def _verify(
    instance: Instance,
    folder: Path,
    reader: ModelReader,
    task: Task,
    checker: Checker,
    observer: Observer,
) -> Content:
    names = {"onnx": instance.onnx, "vnnlib": instance.vnnlib, "arithmetic": task.arithmetic}
    model, prop = folder / instance.onnx, folder / instance.vnnlib
    try:
        result = run(model, prop, task, checker, observer, reader)
    except BadInput as error:
        hashes = {"model_sha256": digest(model), "property_sha256": digest(prop)}
        return {**names, "verdict": "error", "reason": str(error), **hashes, "version": hybrid_ai.__version__}
    if result.reason is not None and result.reason.startswith(INTERRUPTED):
        raise KeyboardInterrupt
    return {**names, **result.fields()}


def _is_current(content: Content, instance: Instance, folder: Path, task: Task) -> bool:
    """Tell whether an earlier row stands for what would be computed now; `unknown` may end otherwise."""
    if content["version"] != hybrid_ai.__version__ or content["verdict"] not in ("proved", "refuted"):
        return False
    if content.get("failed") is True or (content.get("vacuous") is not False and not task.allow_vacuous):
        return False
    # Rows of before there was a choice do not say which arithmetic they are about.
    if "arithmetic" not in content or content["arithmetic"] != task.arithmetic:
        return False
    if task.target is not None and not _is_kept(content, task.target):
        return False
    known = content["model_sha256"], content["property_sha256"]
    return known == (digest(folder / instance.onnx), digest(folder / instance.vnnlib))


def _is_kept(content: Content, target: Path) -> bool:
    """Tell whether the evidence that a row names is in its place."""
    found = content.get("counterexample")
    kept = found.get("file") if isinstance(found, dict) else content.get("certificate")
    return isinstance(kept, dict) and kept.get("sha256") is not None and kept["sha256"] == digest(target)


def _evidence_name(instance: Instance) -> str:
    """A file name that tells the instance; the digest keeps files of equal names apart."""
    pair = hashlib.sha256(f"{instance.onnx}\0{instance.vnnlib}".encode()).hexdigest()[:8]
    return f"{Path(instance.onnx).stem}-{Path(instance.vnnlib).stem}-{pair}.evidence"


def summary(rows: list[Row]) -> str:
    """How many instances ended with which verdict."""
    verdicts = [row.content["verdict"] for row in rows]
    counts = ", ".join(f"{verdicts.count(name)} {name}" for name in ("proved", "refuted", "unknown", "error"))
    return f"{len(rows)} instances: {counts}"
