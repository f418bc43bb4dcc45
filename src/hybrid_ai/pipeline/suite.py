"""Verify the instances of a suite one after the other, and resume where an earlier run was cut off."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import hybrid_ai
from hybrid_ai.network import Model
from hybrid_ai.pipeline.checking import Checker
from hybrid_ai.pipeline.errors import BadInput, UnsupportedInput
from hybrid_ai.pipeline.files import make_folder, require_writable
from hybrid_ai.pipeline.inputs import digest, read_model
from hybrid_ai.pipeline.limits import Limits
from hybrid_ai.pipeline.result import Result
from hybrid_ai.pipeline.verify import INTERRUPTED, Observer, run

COLUMNS = ("onnx", "vnnlib", "timeout_s")


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
    content: dict[str, Any]
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
    try:
        with open(path, newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise BadInput(f"{path}:1: no column {', '.join(missing)}: the first line names the columns")
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
    certificates: Path | None,
    observer: Observer,
    on_row: Callable[[Row], None],
) -> list[Row]:
    """Verify every instance of a suite and append a line of JSON for each; an interrupted suite resumes.

    Args:
        suite: CSV file; paths in it are relative to its folder.
        out: file of JSON lines. A line with the same files, hashes and version is not computed again; a last
            line that was cut off is removed.
        limits: of each instance; the time limit is the instance's own.
        longest: cap of the time limits in seconds, None for none.
        allow_vacuous: prove properties with an empty input set.
        certificates: folder that receives the evidence, or None.
        observer: told how each search goes.
        on_row: told of each row when it is done.

    Raises:
        BadInput: the suite is malformed, or a file cannot be written. A row with bad input does not end the
            suite: its verdict is "error".
        KeyboardInterrupt: interrupted; the rows so far are in the file.
    """
    instances = read_suite(suite, longest)
    require_writable(out, "--json-lines", (suite,))
    if certificates is not None:
        make_folder(certificates, "--certificates")
    done = _resume(out)
    models: dict[str, Model] = {}
    rows = []
    with open(out, "ab") as stream, Checker() as checker:
        for instance in instances:
            paths = suite.parent / instance.onnx, suite.parent / instance.vnnlib
            key = (instance.onnx, instance.vnnlib)
            content = done.get(key)
            resumed = content is not None and _is_current(content, *paths)
            if content is None or not resumed:
                case = replace(limits, timeout=instance.timeout)
                target = None if certificates is None else certificates / _evidence_name(instance)
                content = _verify(instance, paths, models, case, target, allow_vacuous, checker, observer)
                # One write of one line: what a kill may cut off is this line alone.
                os.write(stream.fileno(), json.dumps(content, allow_nan=False).encode() + b"\n")
                done[key] = content
            rows.append(Row(instance, content, resumed))
            on_row(rows[-1])
    return rows


def _verify(
    instance: Instance,
    paths: tuple[Path, Path],
    models: dict[str, Model],
    limits: Limits,
    target: Path | None,
    allow_vacuous: bool,
    checker: Checker,
    observer: Observer,
) -> dict[str, Any]:
    names = {"onnx": instance.onnx, "vnnlib": instance.vnnlib}
    try:
        result = _run(paths, models, limits, target, allow_vacuous, checker, observer)
    except BadInput as error:
        hashes = {"model_sha256": digest(paths[0]), "property_sha256": digest(paths[1])}
        return {**names, "verdict": "error", "reason": str(error), **hashes, "version": hybrid_ai.__version__}
    if result.reason is not None and result.reason.startswith(INTERRUPTED):
        raise KeyboardInterrupt
    return {**names, **result.fields()}


def _run(
    paths: tuple[Path, Path],
    models: dict[str, Model],
    limits: Limits,
    target: Path | None,
    allow_vacuous: bool,
    checker: Checker,
    observer: Observer,
) -> Result:
    model: Model | Path = paths[0]
    try:
        model = models.setdefault(str(paths[0]), models.get(str(paths[0])) or read_model(paths[0]))
    except UnsupportedInput:
        pass  # `run` meets it again and makes the result that says so
    return run(model, paths[1], limits, target, allow_vacuous, checker, observer)


def _is_current(content: dict[str, Any], model: Path, prop: Path) -> bool:
    known = content.get("model_sha256"), content.get("property_sha256")
    return (
        content.get("version") == hybrid_ai.__version__
        and content.get("verdict") != "error"
        and content.get("failed") is not True
        and known == (digest(model), digest(prop))
    )


def _evidence_name(instance: Instance) -> str:
    """A file name that tells the instance; the digest keeps files of equal names apart."""
    pair = hashlib.sha256(f"{instance.onnx}\0{instance.vnnlib}".encode()).hexdigest()[:8]
    return f"{Path(instance.onnx).stem}-{Path(instance.vnnlib).stem}-{pair}.evidence"


def _resume(out: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """The rows of an earlier run; a last line that was cut off is removed from the file."""
    if not out.exists():
        return {}
    data = out.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    rows = {(row["onnx"], row["vnnlib"]): row for row in _rows(out, whole)}
    if whole != data:
        os.truncate(out, len(whole))
    return rows


def _rows(out: Path, data: bytes) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(data.splitlines(), start=1):
        try:
            row = json.loads(line)
            if not (isinstance(row["onnx"], str) and isinstance(row["vnnlib"], str)):
                raise TypeError
        except (ValueError, TypeError, KeyError) as error:
            raise BadInput(f"{out}:{number}: no row of a suite: give another --json-lines") from error
        yield row


def summary(rows: list[Row]) -> str:
    """How many instances ended with which verdict."""
    verdicts = [row.content["verdict"] for row in rows]
    counts = ", ".join(f"{verdicts.count(name)} {name}" for name in ("proved", "refuted", "unknown", "error"))
    return f"{len(rows)} instances: {counts}"
