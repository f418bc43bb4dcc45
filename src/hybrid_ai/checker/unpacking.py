"""Gzip by magic number, with a limit on the unpacked size."""

import zlib

from hybrid_ai.checker.rejected import Malformed, Unsupported

GZIP_MAGIC = b"\x1f\x8b"


def unpacked(data: bytes, rule: str, limit: int) -> bytes:
    """Return `data`, decompressed when it starts with the gzip magic number.

    Args:
        data: file contents.
        rule: rule named in errors, "model" or "property".
        limit: the unpacked size must stay below it, bytes, > 0.

    Raises:
        Malformed: the gzip stream is damaged, truncated or followed by other bytes.
        Unsupported: it unpacks to `limit` bytes or more.
    """
    if not data.startswith(GZIP_MAGIC):
        return data
    # 31 = 16 (gzip container) + 15 (largest window)
    stream = zlib.decompressobj(31)
    try:
        result = stream.decompress(data, limit)
    except zlib.error as error:
        raise Malformed(rule, "gzip stream", f"damaged ({error})") from error
    if len(result) >= limit:
        raise Unsupported(rule, "gzip stream", f"unpacks to {limit} bytes or more")
    if not stream.eof or stream.unused_data:
        raise Malformed(rule, "gzip stream", "truncated, or bytes after its end")
    return result
