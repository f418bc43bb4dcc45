"""Read a model file's bytes, packed with gzip or not."""

from __future__ import annotations

import zlib
from pathlib import Path

from .errors import ModelError
from .limits import MAX_FILE_BYTES

_GZIP_WINDOW = 31  # a gzip container with the largest window
_GZIP = b"\x1f\x8b"  # no ONNX file begins so: as a protobuf tag it is invalid
# Weights hardly shrink; a file that unpacks to more than this ratio, and some, is there to fill memory.
MAX_RATIO = 100
_RATIO_FREE_BYTES = 2**20
_STEP = 2**14  # packed bytes; deflate makes at most 1032 times as many of them


def read_source(source: str | Path | bytes) -> tuple[bytes, str]:
    """Return a model's bytes as given, and a name for messages; raise ModelError where it cannot be read."""
    if isinstance(source, bytes):
        return source, "model"
    path = Path(source)
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= MAX_FILE_BYTES else b""
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ModelError(f"cannot be read: {reason}", file=str(source), remedy="check the path") from error
    if size > MAX_FILE_BYTES:
        raise _too_large(str(source))
    if path.suffix == ".gz" and not data.startswith(_GZIP):
        raise ModelError("is no gzip file", file=str(source), remedy="rename it, or pack it with gzip")
    return data, str(source)


def unpack(data: bytes, file: str) -> bytes:
    """Return the bytes of the ONNX model, unpacked if they are gzip; raise ModelError if damaged or huge."""
    if not data.startswith(_GZIP):
        return data
    stream = zlib.decompressobj(_GZIP_WINDOW)
    allowed = MAX_RATIO * len(data) + _RATIO_FREE_BYTES
    total = 0
    for start in range(0, len(data), _STEP):  # a first pass that keeps nothing
        if stream.eof:
            raise _damaged("followed by other bytes", file)
        try:
            total += len(stream.decompress(data[start : start + _STEP]))
        except zlib.error as error:
            raise _damaged(str(error), file) from error
        if total > MAX_FILE_BYTES:
            raise _too_large(file)
        if total > allowed:
            reason = f"unpacks to more than {MAX_RATIO} times its {len(data)} bytes plus 1 MiB"
            raise ModelError(reason, file=file, remedy="give the unpacked model")
    if not stream.eof or stream.unused_data:
        raise _damaged("truncated, or followed by other bytes", file)
    return zlib.decompress(data, _GZIP_WINDOW)


def _damaged(reason: str, file: str) -> ModelError:
    return ModelError(f"damaged gzip: {reason}", file=file, remedy="copy or pack the file again")


def _too_large(file: str) -> ModelError:
    return ModelError(f"more than {MAX_FILE_BYTES} bytes", file=file, remedy="use a smaller model")
