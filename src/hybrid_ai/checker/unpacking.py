"""Gzip by magic number, with limits on the unpacked size."""

import zlib

from hybrid_ai.checker.rejected import Malformed, Unsupported

GZIP_MAGIC = b"\x1f\x8b"
# models and properties hold numbers, which shrink to a tenth at best; what shrinks far more is meant to harm
MOST_TIMES, SPARE = 100, 2**20
# packed bytes taken at once; they unpack to at most 1032 times as many
_PIECE = 2**13


def unpacked(data: bytes, rule: str, limit: int) -> bytes:
    """Return `data`, decompressed when it starts with the gzip magic number.

    Args:
        data: file contents.
        rule: rule named in errors, "model" or "property".
        limit: the unpacked size must stay below it, bytes, > 0.

    Raises:
        Malformed: the gzip stream is damaged, truncated or followed by other bytes.
        Unsupported: it unpacks to `limit` bytes or more, or to MOST_TIMES its own size and SPARE more.
    """
    if not data.startswith(GZIP_MAGIC):
        return data
    # 31 = 16 (gzip container) + 15 (largest window)
    stream = zlib.decompressobj(31)
    size = taken = 0
    # only counted at first, so that what is refused never fills the memory
    while taken < len(data) and not stream.eof:
        try:
            size += len(stream.decompress(data[taken : taken + _PIECE]))
        except zlib.error as error:
            raise Malformed(rule, "gzip stream", f"damaged ({error})") from error
        taken += _PIECE
        if size >= min(limit, MOST_TIMES * len(data) + SPARE):
            reason = f"unpacks to {limit} bytes or more, or to {MOST_TIMES} times its size and {SPARE} more"
            raise Unsupported(rule, "gzip stream", reason)
    if not stream.eof or stream.unused_data or taken < len(data):
        raise Malformed(rule, "gzip stream", "truncated, or bytes after its end")
    return zlib.decompress(data, 31)
