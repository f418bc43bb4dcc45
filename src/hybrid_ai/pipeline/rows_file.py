"""The file of JSON lines of a suite: locked while it is written, and never another file than one of ours."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hybrid_ai.pipeline.errors import BadInput

Content = dict[str, Any]
VERDICTS = ("proved", "refuted", "unknown", "error")
# How each line begins: `onnx` is the first key that is written.
BEGINNING = b'{"onnx": "'


class RowsFile:
    """An open file of rows.

    Attributes:
        earlier: the rows that were there, by model and property as written in the suite; the last one counts.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        data = path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        self.earlier: dict[tuple[str, str], Content] = {}
        for number, line in enumerate(whole.split(b"\n")[:-1], start=1):
            row = _row(line)
            if row is None:
                raise BadInput(f"{path}:{number}: no row of a suite: give another --json-lines")
            self.earlier[row["onnx"], row["vnnlib"]] = row
        torn = data[len(whole) :]
        if torn:
            if not _is_torn_row(torn):
                number = whole.count(b"\n") + 1
                raise BadInput(f"{path}:{number}: no row of a suite: give another --json-lines")
            os.ftruncate(descriptor, len(whole))

    def append(self, row: Content) -> None:
        """Write a line; raise BadInput when that fails."""
        line = json.dumps(row, allow_nan=False).encode() + b"\n"
        try:
            # One write of one line: what a kill may cut off is this line alone.
            written = os.write(self._descriptor, line)
        except OSError as error:
            raise BadInput(f"{self._path}: cannot be written: {error.strerror}") from error
        if written != len(line):
            raise BadInput(f"{self._path}: cannot be written: no space left")


@contextmanager
def open_rows(path: Path) -> Iterator[RowsFile]:
    """Open or create a file of rows, for this process alone; a last line that was cut off is removed.

    Raises:
        BadInput: it cannot be written, another process writes it, or it holds something that is no row.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise BadInput(f"--json-lines {path}: cannot be written: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BadInput(f"--json-lines {path}: another process writes it: name another one") from error
        except OSError as error:
            raise BadInput(f"--json-lines {path}: cannot be locked: {error.strerror}") from error
        yield RowsFile(path, descriptor)
    finally:
        os.close(descriptor)


def _row(line: bytes) -> Content | None:
    """The row in a line, None where that is no row of ours."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict) or row.get("verdict") not in VERDICTS:
        return None
    texts = all(isinstance(row.get(name), str) for name in ("onnx", "vnnlib", "version"))
    return row if texts and {"reason", "model_sha256", "property_sha256"} <= row.keys() else None


def _is_torn_row(text: bytes) -> bool:
    if text[: len(BEGINNING)] != BEGINNING[: len(text)]:
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return True
    return _row(text) is not None  # whole but for the end of the line
