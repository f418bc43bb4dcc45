"""Zip files with one meaning: headers and data say what the directory says, and nothing else."""

import stat
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from hybrid_ai.audit.verification.names import require_portable
from hybrid_ai.audit.verification.rejected import Refused

RATIO_LIMIT = 1000  # deflate reaches 1032 on a run of one byte
RATIO_FREE_SIZE = 1 << 20

_CHUNK = 1 << 16
_MEMBERS_LIMIT = 200_000  # files and folders
_DIRECTORY_LIMIT = 1 << 28
_SATURATED = 0xFFFFFFFF  # the value is in the zip64 extra field

# Appnote sections 4.3.7 (local header), 4.3.12 (directory header), 4.3.14 to 4.3.16 (end records).
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR = struct.Struct("<4sIQI")
_END = struct.Struct("<4s4H2IH")

_FLAG_DESCRIPTOR = 1 << 3
_FLAGS_ALLOWED = 1 << 1 | 1 << 2 | _FLAG_DESCRIPTOR | 1 << 11  # effort of deflate, descriptor, UTF-8
_STORED, _DEFLATED = 0, 8
_ZIP64 = 0x0001
# Times and owners. Others can give a second name, encrypt, or name a link.
_EXTRAS_ALLOWED = frozenset({_ZIP64, 0x000A, 0x5455, 0x5855, 0x7855, 0x7875})
_DOS_FOLDER, _DOS_REPARSE = 0x10, 0x400


@dataclass(frozen=True)
class Member:
    """A file in a zip.

    Attributes:
        name: as the directory and the local header give it.
        flags, deflated: how it is packed.
        crc: CRC-32 of its bytes.
        packed: bytes in the archive.
        size: bytes of the file.
        header: offset of its local header.
        data: offset of its packed bytes.
    """

    name: str
    flags: int
    deflated: bool
    crc: int
    packed: int
    size: int
    header: int
    data: int = 0


def read_members(stream: BinaryIO, where: str) -> dict[str, Member]:
    """Read the directory of a zip, and compare all local headers with it.

    Args:
        stream: the archive, seekable.
        where: its name, for the error.

    Returns:
        Its files by name; entries for folders are read but not returned.

    Raises:
        Refused: "integrity", for bytes before, between or after what the directory lists, two entries of one
            name, a header that contradicts the directory, encryption, links, other methods than stored and
            deflated, several disks, comments.

    Sound because: headers and data cover the archive without gap or overlap, so that two programs that find
    entries in different ways (from the directory, from the front) find the same ones.

    Source: PKWARE APPNOTE 6.3.10, section 4.3.
    """
    length = stream.seek(0, 2)
    count, start, size = _read_end(stream, length, where)
    content = _read_at(stream, start, size, where)
    listed = list(_directory(content, count, where))
    _require_single(member.name for member in listed)
    listed.sort(key=lambda member: member.header)
    begins = [*(member.header for member in listed), start]
    if begins[0] != 0:
        raise Refused("integrity", where, "has bytes before its first file; pack it again")
    placed = [_placed(stream, member, end, where) for member, end in zip(listed, begins[1:], strict=True)]
    return {member.name: member for member in placed if not member.name.endswith("/")}


def _require_single(names: Iterable[str]) -> None:
    """Raise Refused for a name that is there twice, or as a file and as a folder."""
    seen: set[str] = set()
    for name in names:
        plain = name.removesuffix("/").lower()
        if plain in seen:
            raise Refused("integrity", name, "is there twice in the zip, or but for letters' case")
        seen.add(plain)


def unpacked(stream: BinaryIO, member: Member) -> Iterator[bytes]:
    """Unpack a file piece by piece.

    Args:
        stream: the archive.
        member: from ``read_members``.

    Raises:
        Refused: "integrity", when it does not unpack to the size and CRC-32 that the directory gives.

    Sound because: unpacking stops at the first byte beyond the size, so a small archive cannot fill memory.
    """
    stream.seek(member.data)
    checksum = found = 0
    for chunk in _inflated(stream, member) if member.deflated else _raw(stream, member):
        found += len(chunk)
        if found > member.size:
            raise Refused("integrity", member.name, f"unpacks to more than the {member.size} bytes listed")
        checksum = zlib.crc32(chunk, checksum)
        yield chunk
    if found != member.size or checksum != member.crc:
        raise Refused("integrity", member.name, "does not unpack to the size and the checksum listed")


def _raw(stream: BinaryIO, member: Member) -> Iterator[bytes]:
    left = member.packed
    while left:
        chunk = stream.read(min(left, _CHUNK))
        if not chunk:
            raise Refused("integrity", member.name, "is cut off")
        left -= len(chunk)
        yield chunk


def _inflated(stream: BinaryIO, member: Member) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for pending in _raw(stream, member):
            if inflater.eof:
                raise Refused("integrity", member.name, "has bytes after its packed content")
            while pending and not inflater.eof:
                yield inflater.decompress(pending, _CHUNK)
                pending = inflater.unconsumed_tail
        while not inflater.eof and (rest := inflater.decompress(b"", _CHUNK)):
            yield rest
    except zlib.error as error:
        raise Refused("integrity", member.name, f"is damaged: {error}") from error
    if not inflater.eof or inflater.unused_data:
        raise Refused("integrity", member.name, "its packed content is cut off, or has bytes after it")


def _read_at(stream: BinaryIO, offset: int, size: int, where: str) -> bytes:
    stream.seek(offset)
    data = stream.read(size)
    if len(data) != size:
        raise Refused("integrity", where, "no zip, or one that is cut off")
    return data


def _read_end(stream: BinaryIO, length: int, where: str) -> tuple[int, int, int]:
    """Number of entries, offset and size of the directory, which ends where the end records begin."""
    end = length - _END.size
    if end < 0:
        raise Refused("integrity", where, "is neither a folder nor a zip")
    fields = _END.unpack(_read_at(stream, end, _END.size, where))
    if fields[0] != b"PK\x05\x06" or fields[7] != 0:
        raise Refused("integrity", where, "no zip, or one with bytes or a comment after its end record")
    disks, (count, total, size, start) = fields[1:3], (fields[4], fields[3], fields[5], fields[6])
    if end >= _LOCATOR.size and _read_at(stream, end - _LOCATOR.size, 4, where) == b"PK\x06\x07":
        end, found = _read_end64(stream, end - _LOCATOR.size, where)
        full = (0xFFFF, 0xFFFF, _SATURATED, _SATURATED)
        shorter, wider = (total, count, size, start), (found[0], *found)
        for short, wide, saturated in zip(shorter, wider, full, strict=True):
            if short not in (wide, saturated):
                raise Refused("integrity", where, "its two end records contradict each other")
        total = count = found[0]
        size, start = found[1:]
    if disks != (0, 0) or count != total:
        raise Refused("integrity", where, "is spread over several disks; pack it as one file")
    if start + size != end:
        raise Refused("integrity", where, "has bytes between its directory and its end, or before its start")
    if count > _MEMBERS_LIMIT or size > _DIRECTORY_LIMIT:
        raise Refused("integrity", where, f"has {count} entries; at most {_MEMBERS_LIMIT} are read")
    return count, start, size


def _read_end64(stream: BinaryIO, locator: int, where: str) -> tuple[int, tuple[int, int, int]]:
    """Offset of the zip64 end record, and what it says: number of entries, directory's size and offset."""
    _, disk, offset, disks = _LOCATOR.unpack(_read_at(stream, locator, _LOCATOR.size, where))
    if offset != locator - _END64.size:
        raise Refused("integrity", where, "its zip64 end record is not where it must be")
    fields = _END64.unpack(_read_at(stream, offset, _END64.size, where))
    signature, size, _, _, own, first, here, count, length, start = fields
    if signature != b"PK\x06\x06" or size != _END64.size - 12:
        raise Refused("integrity", where, "its zip64 end record is malformed")
    if (disk, disks, own, first) != (0, 1, 0, 0) or here != count:
        raise Refused("integrity", where, "is spread over several disks; pack it as one file")
    return offset, (count, length, start)


def _directory(content: bytes, count: int, where: str) -> Iterator[Member]:
    position = 0
    for _ in range(count):
        if position + _CENTRAL.size > len(content):
            raise Refused("integrity", where, "its directory is cut off")
        fields = _CENTRAL.unpack_from(content, position)
        lengths = fields[10:13]
        end = position + _CENTRAL.size + sum(lengths)
        if fields[0] != b"PK\x01\x02" or end > len(content):
            raise Refused("integrity", where, "its directory is malformed")
        variable = content[position + _CENTRAL.size : end]
        yield _listed_member(fields, variable, where)
        position = end
    if position != len(content):
        raise Refused("integrity", where, "its directory has more entries than its end record says")


def _listed_member(fields: tuple[int, ...], variable: bytes, where: str) -> Member:
    _, _, _, flags, method, _, _, crc, packed, size, name_length, extra_length, comment, disk = fields[:14]
    external, header = fields[15:]
    name = _name(variable[:name_length], where)
    extra = _extras(variable[name_length : name_length + extra_length], name)
    size, packed, header = _widened(extra.get(_ZIP64, b""), (size, packed, header), name)
    if comment or disk:
        raise Refused("integrity", name, "has a comment or lies on another disk; pack it again")
    if flags & ~_FLAGS_ALLOWED:
        raise Refused("integrity", name, "is encrypted or packed in an unknown way; pack it without password")
    if method not in (_STORED, _DEFLATED):
        raise Refused("integrity", name, f"is packed by method {method}; use stored or deflated")
    _require_plain(external, name)
    member = Member(name, flags, method == _DEFLATED, crc, packed, size, header)
    _require_honest_sizes(member)
    return member


def _name(data: bytes, where: str) -> str:
    try:
        name = data.decode("ascii")
    except UnicodeDecodeError as error:
        raise Refused("integrity", where, f"holds a name outside ASCII: {data[:200]!a}") from error
    require_portable(name.removesuffix("/"))
    return name


def _extras(data: bytes, name: str) -> dict[int, bytes]:
    """The extra fields by their ids (Appnote, section 4.5)."""
    fields: dict[int, bytes] = {}
    while data:
        kind, size = struct.unpack("<HH", data[:4]) if len(data) >= 4 else (0, len(data))
        if kind not in _EXTRAS_ALLOWED or kind in fields or 4 + size > len(data):
            raise Refused("integrity", name, f"has the extra field {kind:#06x}, malformed, twice or unknown")
        fields[kind], data = data[4 : 4 + size], data[4 + size :]
    return fields


def _widened(extra: bytes, values: tuple[int, ...], name: str) -> list[int]:
    """Values in their order, those that are saturated taken from the zip64 field (Appnote, section 4.5.3)."""
    saturated = sum(value == _SATURATED for value in values)
    if len(extra) != 8 * saturated:
        raise Refused("integrity", name, "its zip64 field does not fit its sizes")
    wide = iter(struct.unpack(f"<{saturated}Q", extra))
    return [next(wide) if value == _SATURATED else value for value in values]


def _require_plain(external: int, name: str) -> None:
    mode, folder = external >> 16, name.endswith("/")
    if stat.S_IFMT(mode) not in (0, stat.S_IFDIR if folder else stat.S_IFREG):
        raise Refused("integrity", name, "is a link or a special file; pack a regular file")
    if external & _DOS_REPARSE or (external & _DOS_FOLDER and not folder):
        raise Refused("integrity", name, "is a link, or a folder under the name of a file")


def _require_honest_sizes(member: Member) -> None:
    if member.name.endswith("/") and (member.size or member.packed > 2):
        raise Refused("integrity", member.name, "is a folder with content")
    if not member.deflated and member.size != member.packed:
        raise Refused("integrity", member.name, "is stored, but its two sizes differ")
    if member.size > RATIO_FREE_SIZE and member.size > RATIO_LIMIT * member.packed:
        raise Refused(
            "integrity", member.name, f"unpacks to more than {RATIO_LIMIT} times its size; pack it stored"
        )


def _placed(stream: BinaryIO, member: Member, end: int, where: str) -> Member:
    """The member with the place of its data, which with headers must fill the bytes up to `end`."""
    fields = _LOCAL.unpack(_read_at(stream, member.header, _LOCAL.size, where))
    signature, _, flags, method, _, _, crc, packed, size, name_length, extra_length = fields
    variable = _read_at(stream, member.header + _LOCAL.size, name_length + extra_length, where)
    if signature != b"PK\x03\x04" or variable[:name_length] != member.name.encode("ascii"):
        raise Refused("integrity", member.name, "its local header is another one than the directory says")
    extra = _extras(variable[name_length:], member.name)
    size, packed = _widened(extra.get(_ZIP64, b""), (size, packed), member.name)
    expected = (member.crc, member.packed, member.size)
    late = bool(member.flags & _FLAG_DESCRIPTOR)
    sizes_agree = (crc, packed, size) == expected or (late and (crc, packed, size) == (0, 0, 0))
    if flags != member.flags or method != (_DEFLATED if member.deflated else _STORED) or not sizes_agree:
        raise Refused("integrity", member.name, "its local header contradicts the directory")
    data = member.header + _LOCAL.size + name_length + extra_length
    after = data + member.packed
    rest = _read_at(stream, after, end - after, where) if 0 <= end - after <= 24 else b"?"
    if rest not in (_descriptors(expected) if late else (b"",)):
        raise Refused("integrity", member.name, "overlaps what follows, or unlisted bytes follow it")
    return Member(
        member.name, flags, member.deflated, member.crc, member.packed, member.size, member.header, data
    )


def _descriptors(expected: tuple[int, int, int]) -> tuple[bytes, ...]:
    """All forms of the data descriptor (Appnote, section 4.3.9)."""
    crc, packed, size = expected
    forms = [struct.pack("<I2Q", crc, packed, size)]
    if max(packed, size) <= _SATURATED:
        forms.append(struct.pack("<3I", crc, packed, size))
    return tuple(prefix + form for prefix in (b"PK\x07\x08", b"") for form in forms)
