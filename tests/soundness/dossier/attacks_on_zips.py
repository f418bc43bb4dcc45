"""Zips of the real dossier that two programs could unpack differently, or that cost more than they show."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Files = Mapping[str, bytes]
FIRST, LOCAL, CENTRAL, END = "README.md", b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


@dataclass(frozen=True)
class ZipAttack:
    """What is done to a zip, the name in the refusal (".zip" for the archive's own), and words of it."""

    name: str
    act: Callable[[Files], bytes]
    where: str
    reason: str


def packed(files: Files, *more: tuple[str | zipfile.ZipInfo, bytes], comment: bytes = b"") -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (*files.items(), *more):
            archive.writestr(name, data)
        archive.comment = comment
    return target.getvalue()


def with_entry(name: str, data: bytes = b"x", mode: int = 0) -> Callable[[Files], bytes]:
    def act(files: Files) -> bytes:
        entry = zipfile.ZipInfo(name)
        entry.filename = name  # as it is: the class would mend it
        entry.external_attr = mode << 16
        return packed(files, (entry, data))

    return act


def headers_of(data: bytes, name: str) -> tuple[int, int]:
    """Offsets of a file's local and directory header."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        local = archive.getinfo(name).header_offset
    start = data.rindex(END)
    (position,) = struct.unpack_from("<I", data, start + 16)
    while True:
        size, extra, comment = struct.unpack_from("<3H", data, position + 28)
        if data[position + 46 : position + 46 + size].decode() == name:
            return local, position
        position += 46 + size + extra + comment


def patched(*changes: tuple[str, int, str, int]) -> Callable[[Files], bytes]:
    """Numbers written into a header of README.md: (local or central, offset, format, value)."""

    def act(files: Files) -> bytes:
        data = bytearray(packed(files))
        local, central = headers_of(bytes(data), FIRST)
        for which, offset, form, value in changes:
            struct.pack_into(form, data, (local if which == "local" else central) + offset, value)
        return bytes(data)

    return act


def other_name(which: str) -> Callable[[Files], bytes]:
    def act(files: Files) -> bytes:
        data = bytearray(packed(files))
        local, central = headers_of(bytes(data), FIRST)
        place = local + 30 if which == "local" else central + 46
        data[place : place + len(FIRST)] = b"README.me"
        return bytes(data)

    return act


def doubled(files: Files) -> bytes:
    """A second README.md, under a name that is then written over."""
    return packed(files, ("README.xx", b"other")).replace(b"README.xx", b"README.md")


def in_between(files: Files) -> bytes:
    """Bytes between two files, with all offsets after them mended."""
    data = bytearray(packed(files))
    names = list(files)
    place = headers_of(bytes(data), names[1])[0]
    hidden = b"hidden"
    for name in names[1:]:
        _, central = headers_of(bytes(data), name)
        struct.pack_into(
            "<I", data, central + 42, struct.unpack_from("<I", data, central + 42)[0] + len(hidden)
        )
    end = data.rindex(END)
    struct.pack_into("<I", data, end + 16, struct.unpack_from("<I", data, end + 16)[0] + len(hidden))
    return bytes(data[:place] + hidden + data[place:])


def overlapping(files: Files) -> bytes:
    """Two names for the same bytes: the directory of the one points to the other's header."""
    data = bytearray(packed(files, ("README.xx", files[FIRST])))
    local, _ = headers_of(bytes(data), FIRST)
    _, central = headers_of(bytes(data), "README.xx")
    struct.pack_into("<I", data, central + 42, local)
    return bytes(data)


def lying(files: Files) -> bytes:
    """README.md unpacks to 64 MiB more than both headers say."""
    content = files[FIRST]
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    raw = deflater.compress(content + bytes(1 << 26)) + deflater.flush()
    return one_by_hand(files, raw, len(content), zlib.crc32(content))


def damaged(files: Files) -> bytes:
    return one_by_hand(files, b"\xff" * 100, len(files[FIRST]), zlib.crc32(files[FIRST]))


def more_after_packed(files: Files) -> bytes:
    content = files[FIRST]
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    raw = deflater.compress(content) + deflater.flush() + b"hidden"
    return one_by_hand(files, raw, len(content), zlib.crc32(content))


def one_by_hand(files: Files, raw: bytes, size: int, crc: int) -> bytes:
    """The others packed well, README.md put before them with these packed bytes."""
    rest = packed({name: data for name, data in files.items() if name != FIRST})
    common = struct.pack("<5H3I2H", 20, 0, 8, 0, 33, crc, len(raw), size, len(FIRST), 0)
    local = LOCAL + common + FIRST.encode() + raw
    end = rest.rindex(END)
    (start,) = struct.unpack_from("<I", rest, end + 16)
    directory = bytearray(rest[start:end])
    position = 0
    while position < len(directory):
        lengths = struct.unpack_from("<3H", directory, position + 28)
        offset = struct.unpack_from("<I", directory, position + 42)[0]
        struct.pack_into("<I", directory, position + 42, offset + len(local))
        position += 46 + sum(lengths)
    entry = CENTRAL + struct.pack("<H", 20) + common + struct.pack("<3H2I", 0, 0, 0, 0, 0) + FIRST.encode()
    count = len(files)
    tail = struct.pack(
        "<4s4H2IH", END, 0, 0, count, count, len(entry) + len(directory), len(local) + start, 0
    )
    return local + rest[:start] + entry + bytes(directory) + tail


def many(files: Files) -> bytes:
    """200,001 entries of nothing."""
    count = 200_001
    entry = CENTRAL + struct.pack("<6H3I5H2I", 20, 20, 0, 0, 0, 33, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    size = len(entry) * count
    end64 = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, 0)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, size, 1)
    end = struct.pack("<4s4H2IH", END, 0, 0, 0xFFFF, 0xFFFF, size, 0, 0)
    return entry * count + end64 + locator + end


def counted(count: int) -> Callable[[Files], bytes]:
    """The end record says another number of entries."""

    def act(files: Files) -> bytes:
        data = bytearray(packed(files))
        struct.pack_into("<2H", data, data.rindex(END) + 8, count, count)
        return bytes(data)

    return act


def by_method(method: int) -> Callable[[Files], bytes]:
    def act(files: Files) -> bytes:
        entry = zipfile.ZipInfo(FIRST)
        entry.compress_type = method
        return packed({name: data for name, data in files.items() if name != FIRST}, (entry, files[FIRST]))

    return act


def with_extra(kind: int) -> Callable[[Files], bytes]:
    def act(files: Files) -> bytes:
        entry = zipfile.ZipInfo(FIRST)
        entry.extra = struct.pack("<2H", kind, 9) + b"README.me"
        return packed({name: data for name, data in files.items() if name != FIRST}, (entry, files[FIRST]))

    return act


def in_folder(files: Files) -> bytes:
    return packed({f"dossier/{name}": data for name, data in files.items()})


NAME = "no name for a file of a dossier"
CONTRADICTS = "its local header contradicts the directory"
ON_ZIPS = (
    ZipAttack("a way out", with_entry("../out"), r"\.\./out", NAME),
    ZipAttack("a way out below", with_entry("models/../../out"), r"models/\.\..*", NAME),
    ZipAttack("an absolute name", with_entry("/etc/passwd"), "/etc/passwd", NAME),
    ZipAttack("a drive", with_entry("C:x"), "C:x", NAME),
    ZipAttack("a backslash", with_entry("models\\x"), r"models\\x", NAME),
    ZipAttack("a Cyrillic letter", with_entry("m\u043edels/x"), ".zip", "outside ASCII"),
    ZipAttack("a dot file", with_entry(".x"), r"\.x", NAME),
    ZipAttack("a link", with_entry("models/x", b"/etc", stat.S_IFLNK | 0o777), "models/x", "is a link"),
    ZipAttack("a device", with_entry("models/x", b"", stat.S_IFCHR | 0o600), "models/x", "special file"),
    ZipAttack("one more file", with_entry("models/x"), "models/x", "neither the manifest nor the log"),
    ZipAttack("a file as folder too", with_entry("README.md/", b""), "README.md/", "twice in the zip"),
    ZipAttack("a folder with content", with_entry("more/", b"x"), "more/", "folder with content"),
    ZipAttack("another case", with_entry("readme.MD"), "readme.MD", "is there twice"),
    ZipAttack("a name twice", doubled, FIRST, "is there twice"),
    ZipAttack("another local name", other_name("local"), FIRST, "local header is another one"),
    ZipAttack("another name in the directory", other_name("central"), "README.me", "local header is another"),
    ZipAttack("another local size", patched(("local", 22, "<I", 5)), FIRST, CONTRADICTS),
    ZipAttack("another local checksum", patched(("local", 14, "<I", 5)), FIRST, CONTRADICTS),
    ZipAttack("another local method", patched(("local", 8, "<H", 0)), FIRST, CONTRADICTS),
    ZipAttack("locally encrypted", patched(("local", 6, "<H", 1)), FIRST, CONTRADICTS),
    ZipAttack("encrypted", patched(("local", 6, "<H", 1), ("central", 8, "<H", 1)), FIRST, "is encrypted"),
    ZipAttack("strongly encrypted", patched(("central", 8, "<H", 65)), FIRST, "is encrypted"),
    ZipAttack(
        "another checksum", patched(("local", 14, "<I", 5), ("central", 16, "<I", 5)), FIRST, "checksum"
    ),
    ZipAttack(
        "an unknown method", patched(("local", 8, "<H", 99), ("central", 10, "<H", 99)), FIRST, "method 99"
    ),
    ZipAttack("LZMA", by_method(zipfile.ZIP_LZMA), FIRST, "unknown way|method 14"),
    ZipAttack("bzip2", by_method(zipfile.ZIP_BZIP2), FIRST, "method 12"),
    ZipAttack("on another disk", patched(("central", 34, "<H", 1)), FIRST, "another disk"),
    ZipAttack(
        "a header elsewhere", patched(("central", 42, "<I", 7)), ".*", "before its first file|local header"
    ),
    ZipAttack("a second name", with_extra(0x7075), FIRST, "extra field 0x7075"),
    ZipAttack("a Unix link", with_extra(0x000D), FIRST, "extra field 0x000d"),
    ZipAttack("bytes before", lambda files: b"#!/bin/sh\n" + packed(files), ".zip", "before its start"),
    ZipAttack("bytes after", lambda files: packed(files) + b"\n", ".zip", "after its end record"),
    ZipAttack("a comment", lambda files: packed(files, comment=b"x"), ".zip", "comment after its end"),
    ZipAttack("another zip after it", lambda files: packed(files) + packed({}), ".zip", "bytes"),
    ZipAttack("bytes between", in_between, ".*", "unlisted bytes"),
    ZipAttack("two names for the same bytes", overlapping, "README.*", "overlaps|local header"),
    ZipAttack("cut off", lambda files: packed(files)[:-100], ".zip", "no zip"),
    ZipAttack("empty", lambda files: b"", ".zip", "neither a folder nor a zip"),
    ZipAttack("an empty zip", lambda files: packed({}), "dossier.json", "is missing"),
    ZipAttack("a text", lambda files: b"no zip at all, but long enough", ".zip", "no zip"),
    ZipAttack("one entry fewer", counted(3), ".zip", "more entries than its end record says"),
    ZipAttack("one entry more", counted(100), ".zip", "directory is (malformed|cut off)"),
    ZipAttack("200,001 entries", many, ".zip", "has 200001 entries"),
    ZipAttack("a bomb of zeros", lambda files: packed(files, ("x", bytes(1 << 25))), "x", "1000 times"),
    ZipAttack("a bomb that lies", lying, FIRST, "unpacks to more than"),
    ZipAttack("damaged packing", damaged, FIRST, "is damaged"),
    ZipAttack("bytes after the packed ones", more_after_packed, FIRST, "bytes after"),
    ZipAttack(
        "a size beyond the limit",
        patched(("central", 24, "<I", 2**31 + 1)),
        FIRST,
        "at most 2147483648|1000 times",
    ),
    ZipAttack("the folder inside the zip", in_folder, "dossier.json", "is missing"),
)
