"""Read a model file's bytes, packed with gzip or not."""

from __future__ import annotations

import zlib
from pathlib import Path

from .errors import ModelError
from .limits import MAX_FILE_BYTES

_GZIP_WINDOW = 31  # a gzip container with the largest window
_GZIP = b"\x1f\x8b"  # no ONNX file begins so: as a protobuf tag it is invalid


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
    """Return the bytes of the ONNX model, unpacked if they are gzip; raise ModelError for damaged gzip."""
    if not data.startswith(_GZIP):
        return data
    stream = zlib.decompressobj(_GZIP_WINDOW)
    try:
        unpacked = stream.decompress(data, MAX_FILE_BYTES + 1)
    except zlib.error as error:
        raise ModelError(f"damaged gzip: {error}", file=file, remedy="copy or pack the file again") from error
    if len(unpacked) > MAX_FILE_BYTES:
        raise _too_large(file)
    if not stream.eof or stream.unused_data:
        reason = "damaged gzip: truncated, or followed by other bytes"
        raise ModelError(reason, file=file, remedy="copy or pack the file again")
    return unpacked


def _too_large(file: str) -> ModelError:
    return ModelError(f"more than {MAX_FILE_BYTES} bytes", file=file, remedy="use a smaller model")
