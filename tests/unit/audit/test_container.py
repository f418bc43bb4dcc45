"""Folders and zips: what is listed, and every way to hide something that is refused."""

from __future__ import annotations

import io
import os
import random
import re
import socket
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from hybrid_ai.audit.verification import archive, container
from hybrid_ai.audit.verification.container import Container, open_container
from hybrid_ai.audit.verification.names import is_portable
from hybrid_ai.audit.verification.rejected import Refused
from tests.audit_builder import sha256, write_folder, write_zip

FILES = {"dossier.json": b"{}", "models/a.onnx": b"abc" * 1000, "trace/empty": b""}
CENTRAL, LOCAL, END = b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"


def both(tmp_path: Path, files: dict[str, bytes]) -> list[Container]:
    folder = open_container(write_folder(files, tmp_path / "folder"))
    return [folder, open_container(write_zip(files, tmp_path / "packed.zip"))]


def packed(files: dict[str, bytes] | None = None, method: int = zipfile.ZIP_DEFLATED) -> bytearray:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as target:
        for name, data in (FILES if files is None else files).items():
            target.writestr(name, data)
    return bytearray(stream.getvalue())


def refusal(tmp_path: Path, data: bytes) -> Refused:
    """How a zip is refused, when it is opened or when everything in it is read."""
    path = tmp_path / "attack.zip"
    path.write_bytes(data)
    with pytest.raises(Refused) as caught:
        found = open_container(path)
        for name in found.names():
            found.sha256(name)
    assert caught.value.level == "integrity"
    return caught.value


# ---- what both kinds do ----


def test_folder_and_zip_hold_the_same(tmp_path: Path) -> None:
    for found in both(tmp_path, FILES):
        assert found.names() == ("dossier.json", "models/a.onnx", "trace/empty")
        for name, data in FILES.items():
            assert (found.size(name), found.read(name, 3000)) == (len(data), data)
            assert found.sha256(name) == sha256(data)
            assert found.stream(name).read() == data
        target = tmp_path / f"copy of {type(found).__name__}"
        assert found.extract("models/a.onnx", target) == sha256(FILES["models/a.onnx"])
        assert target.read_bytes() == FILES["models/a.onnx"]


def test_what_is_larger_than_the_limit_is_not_read(tmp_path: Path) -> None:
    for found in both(tmp_path, FILES):
        with pytest.raises(Refused, match="has 3000 bytes; at most 2999 are read"):
            found.read("models/a.onnx", 2999)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    for found in both(tmp_path, FILES):
        with pytest.raises(Refused, match=r"trace/entries\.jsonl: is missing"):
            found.read("trace/entries.jsonl", 10)


def test_a_copy_replaces_nothing(tmp_path: Path) -> None:
    target = tmp_path / "there"
    target.write_bytes(b"mine")
    for found in both(tmp_path, FILES):
        with pytest.raises(FileExistsError):
            found.extract("dossier.json", target)
    assert target.read_bytes() == b"mine"


BAD_NAMES = [
    "a b", "a\\b", "ümlaut", "a:b", ".hidden", "dir/.hidden", "dir/..", "../up", "a/../b", "dir./a", "end.",
    "/absolute", "a//b", "new\nline", "x" * 121, "/".join("d" * 17), "nul\0",
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_are_not_portable(name: str, tmp_path: Path) -> None:
    assert not is_portable(name)
    raw = name.encode()
    placeholder = "n" * len(raw)
    refused = refusal(tmp_path, bytes(packed({placeholder: b"x"})).replace(placeholder.encode(), raw))
    assert "no name for a file" in refused.reason or "outside ASCII" in refused.reason


@pytest.mark.parametrize("name", ["a", "A-1_b.c", "x" * 120, "/".join("d" * 16), "-", "a..b"])
def test_names_that_are_portable(name: str, tmp_path: Path) -> None:
    for found in both(tmp_path, {name: b"x"}):
        assert found.names() == (name,)


@pytest.mark.parametrize("name", ["a b", ".DS_Store", "ümlaut", "end."])
def test_folders_hold_portable_names_alone(name: str, tmp_path: Path) -> None:
    write_folder({**FILES, name: b"x"}, tmp_path / "folder")
    with pytest.raises(Refused, match="no name for a file"):
        open_container(tmp_path / "folder")


@pytest.mark.parametrize("clash", [("a/b", "a/B"), ("a/b", "A/c"), ("A", "a/b"), ("x/y/z", "X/y/q")])
def test_names_that_are_one_name_elsewhere(clash: tuple[str, str], tmp_path: Path) -> None:
    write_folder(dict.fromkeys(clash, b"x"), tmp_path / "folder")
    with pytest.raises(Refused, match=r"case|file and a folder"):
        open_container(tmp_path / "folder")
    refusal(tmp_path, packed(dict.fromkeys(clash, b"x")))


def test_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "FILES_LIMIT", 2)
    for make in (write_folder, write_zip):
        path = make(FILES, tmp_path / make.__name__)
        with pytest.raises(Refused, match=r"too many folders|3 files"):
            open_container(path)


def test_too_many_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "FILES_LIMIT", 3)
    root = write_folder({"a": b""}, tmp_path / "folder")
    for number in range(3):
        (root / f"empty{number}").mkdir()
    with pytest.raises(Refused, match="too many folders"):
        open_container(root)


def test_empty_folders_are_not_looked_at(tmp_path: Path) -> None:
    root = write_folder(FILES, tmp_path / "folder")
    (root / ".odd name").mkdir()
    assert open_container(root).names() == tuple(sorted(FILES))


@pytest.mark.parametrize(("limit", "value"), [("FILE_SIZE_LIMIT", 2999), ("TOTAL_SIZE_LIMIT", 3001)])
def test_too_many_bytes(limit: str, value: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, limit, value)
    for make in (write_folder, write_zip):
        path = make(FILES, tmp_path / make.__name__)
        with pytest.raises(Refused, match=rf"{value}"):
            open_container(path)


def test_what_is_no_container(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_container(tmp_path / "absent")
    for data in (b"", b"some text that is longer than an end record of a zip file"):
        refusal(tmp_path, data)


@pytest.mark.timeout(20)
def test_pipes_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Refused, match="neither a folder nor a zip"):
        open_container(tmp_path / "pipe")


# ---- folders ----


def test_links_and_special_files(tmp_path: Path) -> None:
    def link(place: Path) -> None:
        place.symlink_to(tmp_path / "outside")

    def link_to_folder(place: Path) -> None:
        place.symlink_to(tmp_path)

    def pipe(place: Path) -> None:
        os.mkfifo(place)

    def plug(place: Path) -> None:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(place))

    (tmp_path / "outside").write_bytes(b"x")
    for make in (link, link_to_folder, pipe, plug):
        root = write_folder(FILES, tmp_path / f"with {make.__name__}")
        make(root / "models" / "odd")
        with pytest.raises(Refused, match="models/odd: is a link or a special file"):
            open_container(root)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("where", ["models", "models/a.onnx"])
@pytest.mark.parametrize("what", ["link", "pipe"])
def test_what_becomes_a_link_after_the_listing(where: str, what: str, tmp_path: Path) -> None:
    found = open_container(write_folder(FILES, tmp_path / "folder"))
    place = tmp_path / "folder" / where
    place.rename(tmp_path / "moved")
    if what == "link":
        place.symlink_to(tmp_path / "moved")
    else:
        os.mkfifo(place)
    with pytest.raises(Refused, match=r"models/a\.onnx"):
        found.read("models/a.onnx", 10_000)


@pytest.mark.parametrize("data", [b"", b"x" * 2999, b"x" * 3001])
def test_what_changes_its_size_after_the_listing(data: bytes, tmp_path: Path) -> None:
    found = open_container(write_folder(FILES, tmp_path / "folder"))
    (tmp_path / "folder/models/a.onnx").write_bytes(data)
    with pytest.raises(Refused, match="3000 bytes"):
        found.sha256("models/a.onnx")


def test_of_what_grows_no_more_is_given_than_listed(tmp_path: Path) -> None:
    found = open_container(write_folder(FILES, tmp_path / "folder"))
    (tmp_path / "folder/models/a.onnx").write_bytes(bytes(5_000_000))
    given = []
    with pytest.raises(Refused, match="3000 bytes"):
        for chunk in found.chunks("models/a.onnx"):
            given.append(chunk)
    assert given == []


# ---- zips that are accepted ----


def test_zips_as_others_write_them(tmp_path: Path) -> None:
    """Folders as entries, times and owners in extra fields, sizes after the data, zip64."""

    class Unseekable(io.RawIOBase):
        def __init__(self) -> None:
            self.data = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:  # type: ignore[override]
            self.data += bytes(data)  # type: ignore[call-overload]
            return len(bytes(data))  # type: ignore[call-overload]

    stream = Unseekable()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as target:  # type: ignore[call-overload]
        target.mkdir("models")
        for name, data in FILES.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.extra = struct.pack("<HHBI", 0x5455, 5, 1, 0)
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            with target.open(info, "w", force_zip64=name == "models/a.onnx") as member:
                member.write(data)
    path = tmp_path / "theirs.zip"
    path.write_bytes(stream.data)
    found = open_container(path)
    assert {name: found.read(name, 3000) for name in found.names()} == FILES


def test_zip64_end_records(tmp_path: Path) -> None:
    path = tmp_path / "large.zip"
    path.write_bytes(with_end64(packed()))
    assert open_container(path).names() == tuple(sorted(FILES))
    refusal(tmp_path, with_end64(packed(), count=4))
    refusal(tmp_path, with_end64(packed(), gap=b"gap"))


@pytest.mark.parametrize(
    ("mark", "offset", "new", "reason"),
    [
        (b"PK\6\6", 0, b"PX", "malformed"),
        (b"PK\6\6", 4, b"\x2d", "malformed"),
        (b"PK\6\6", 16, b"\1", "disks"),
        (b"PK\6\6", 20, b"\1", "disks"),
        (b"PK\6\6", 24, b"\2", "disks"),
        (b"PK\6\6", 40, b"\1", "between its directory"),
        (b"PK\6\6", 48, b"\1", "between its directory"),
        (b"PK\6\7", 4, b"\1", "disks"),
        (b"PK\6\7", 8, b"\1", "not where it must be"),
        (b"PK\6\7", 16, b"\2", "disks"),
        (END, 8, b"\2\0", "contradict"),
        (END, 10, b"\2\0", "contradict"),
        (END, 12, b"\2\0\0\0", "contradict"),
        (END, 16, b"\2\0\0\0", "contradict"),
    ],
)
def test_zip64_end_records_that_contradict(
    mark: bytes, offset: int, new: bytes, reason: str, tmp_path: Path
) -> None:
    assert reason in refusal(tmp_path, at(with_end64(packed()), mark, offset, new)).reason


def with_end64(data: bytearray, count: int | None = None, gap: bytes = b"") -> bytes:
    head, end = bytes(data[:-22]), bytes(data[-22:])
    number, size, start = (*struct.unpack_from("<H", end, 10), *struct.unpack_from("<2I", end, 12))
    number = number if count is None else count
    record = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, number, number, size, start)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, len(head) + len(gap), 1)
    return head + gap + record + locator + END + b"\0" * 4 + b"\xff" * 12 + b"\0\0"


def test_small_files_may_be_packed_a_thousandfold(tmp_path: Path) -> None:
    data = bytes(1 << 20)
    assert open_container(write_zip({"a": data}, tmp_path / "zeros.zip")).sha256("a") == sha256(data)


def test_an_empty_zip(tmp_path: Path) -> None:
    assert open_container(write_zip({}, tmp_path / "empty.zip")).names() == ()


def test_too_long_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, value in (("_MEMBERS_LIMIT", 2), ("_DIRECTORY_LIMIT", 100)):
        with monkeypatch.context() as patch:
            patch.setattr(archive, limit, value)
            assert "has 3 entries" in refusal(tmp_path, packed()).reason


def test_many_files_are_listed_quickly(tmp_path: Path) -> None:
    path = write_zip({f"d{n % 100}/f{n}": b"" for n in range(20_000)}, tmp_path / "many.zip")
    assert len(open_container(path).names()) == 20_000


def test_reading_large_files_piece_by_piece(tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        found = open_container(write_zip({"a": data}, tmp_path / f"{method}.zip", method))
        assert found.sha256("a") == sha256(data)
        assert max(map(len, found.chunks("a"))) <= 1 << 16


# ---- zips that are refused ----


def at(data: bytes, mark: bytes, offset: int, new: bytes) -> bytes:
    """The data with bytes replaced after the first mark."""
    place = data.index(mark) + offset
    return data[:place] + new + data[place + len(new) :]


def flags(value: int) -> bytes:
    return struct.pack("<H", value)


def numbers(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def one(data: bytes = b"abc" * 1000, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    return bytes(packed({"a": data}, method))


def both_headers(data: bytes, local: int, central: int, new: bytes) -> bytes:
    return at(at(data, LOCAL, local, new), CENTRAL, central, new)


def with_extra(kind: int, body: bytes = b"") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as target:
        info = zipfile.ZipInfo("a")
        info.extra = struct.pack("<HH", kind, len(body)) + body
        target.writestr(info, b"x")
    return stream.getvalue()


def with_comment() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as target:
        info = zipfile.ZipInfo("a")
        info.comment = b"hidden"
        target.writestr(info, b"x")
    return stream.getvalue()


def with_mode(external: int, name: str = "a") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as target:
        info = zipfile.ZipInfo(name)
        info.external_attr = external
        target.writestr(info, b"" if name.endswith("/") else b"/etc/passwd")
    return stream.getvalue()


def two_of_one_name() -> bytes:
    return bytes(packed({"aa": b"1", "bb": b"2"})).replace(b"bb", b"aa")


def overlapping() -> bytes:
    """Two entries of the directory over one local header (a quoted zip bomb in small)."""
    data = bytes(packed({"aa": b"1", "bb": b"2"}))
    second = data.index(CENTRAL, data.index(CENTRAL) + 1)
    return data[: second + 42] + numbers(0) + data[second + 46 :]


def shifted(prefix: bytes) -> bytes:
    """Bytes before the archive, with all offsets corrected: still a zip for most programs."""
    data = bytearray(one())
    data[-6:-2] = numbers(struct.unpack("<I", data[-6:-2])[0] + len(prefix))
    return prefix + at(bytes(data), CENTRAL, 42, numbers(len(prefix)))


def between(gap: bytes) -> bytes:
    """Bytes between the last file and the directory."""
    data = one()
    place = data.index(CENTRAL)
    start = struct.unpack("<I", data[-6:-2])[0] + len(gap)
    return data[:place] + gap + data[place:-6] + numbers(start) + data[-2:]


def restored(packed_bytes: bytes, size: int, crc: int) -> bytes:
    """One deflated file with the packed bytes, size and checksum given."""
    data = one(b"abc" * 1000)
    name_end = 31
    old = data[name_end : data.index(CENTRAL)]
    start = name_end + len(packed_bytes)
    data = data.replace(old, packed_bytes, 1)
    data = both_headers(data, 14, 16, numbers(crc, len(packed_bytes), size))
    return data[:-6] + numbers(start) + data[-2:]


def deflated(data: bytes) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflater.compress(data) + deflater.flush()


def unended(data: bytes) -> bytes:
    """Everything is there but the mark of the last block."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH)


def second_header_at(place: int) -> bytes:
    data = bytes(packed({"aa": b"1", "bb": b"2"}))
    second = data.index(CENTRAL, data.index(CENTRAL) + 1)
    return data[: second + 42] + numbers(len(data) + place) + data[second + 46 :]


LONG = b"abc" * 1000
CRC = zlib.crc32(LONG)
ATTACKS: dict[str, tuple[Callable[[], bytes], str]] = {
    "names one file twice": (two_of_one_name, "twice"),
    "shares data between files": (overlapping, "local header|overlaps|before its first"),
    "prefix": (lambda: b"#!/bin/sh\n" + one(), "before its start"),
    "prefix with corrected offsets": (lambda: shifted(b"#!/bin/sh\n"), "before its first file"),
    "bytes after the end": (lambda: one() + b"more", "after its end record"),
    "comment": (lambda: one()[:-2] + b"\x04\0more", "comment"),
    "second archive after the end": (lambda: one() + one(b"other"), "before its start"),
    "bytes between file and directory": (lambda: between(b"hidden"), "unlisted bytes"),
    "comment of a file": (with_comment, "comment"),
    "comment of a file that is not there": (lambda: at(one(), CENTRAL, 32, flags(5)), "malformed|cut off"),
    "encrypted": (lambda: both_headers(one(), 6, 8, flags(1)), "encrypted"),
    "strongly encrypted": (lambda: both_headers(one(), 6, 8, flags(0x41)), "encrypted"),
    "masked headers": (lambda: both_headers(one(), 6, 8, flags(0x2000)), "encrypted"),
    "bzip2": (lambda: one(method=zipfile.ZIP_BZIP2), "method 12"),
    "lzma": (lambda: one(method=zipfile.ZIP_LZMA), "method 14|encrypted"),
    "symbolic link": (lambda: with_mode((stat.S_IFLNK | 0o777) << 16), "link"),
    "device": (lambda: with_mode((stat.S_IFCHR | 0o666) << 16), "special"),
    "folder's mode on a file": (lambda: with_mode((stat.S_IFDIR | 0o755) << 16), "special"),
    "folder's attribute on a file": (lambda: with_mode(0x10), "folder under the name"),
    "reparse point": (lambda: with_mode(0x400), "link"),
    "file's mode on a folder": (lambda: with_mode((stat.S_IFREG | 0o644) << 16, "a/"), "special"),
    "second name in an extra field": (lambda: with_extra(0x7075, b"\1" + b"\0" * 4 + b"b"), "0x7075"),
    "unknown extra field": (lambda: with_extra(0x9901, b"\0" * 7), "0x9901"),
    "extra field twice": (lambda: with_extra(0x5455, b"\0UT\0\0").replace(b"UT\5", b"UT\1"), "extra field"),
    "zip64 field without need": (lambda: with_extra(1, b"\0" * 8), "zip64"),
    "cut extra field": (lambda: with_extra(0x5455, b"\0" * 5).replace(b"UT\5", b"UT\6"), "extra field"),
    "another name in the local header": (lambda: at(one(), LOCAL, 30, b"b"), "local header is another"),
    "another method in the local header": (lambda: at(one(), LOCAL, 8, flags(0)), "contradicts"),
    "another size in the local header": (lambda: at(one(), LOCAL, 22, numbers(2999)), "contradicts"),
    "another checksum in the local header": (lambda: at(one(), LOCAL, 14, numbers(7)), "contradicts"),
    "other flags in the local header": (lambda: at(one(), LOCAL, 6, flags(1 << 11)), "contradicts"),
    "sizes of zero in the local header": (lambda: at(one(), LOCAL, 14, numbers(0, 0, 0)), "contradicts"),
    "no local header": (lambda: at(one(), LOCAL, 0, b"PX"), "local header is another"),
    "more files than counted": (lambda: at(bytes(packed()), END, 8, flags(2) + flags(2)), "more entries"),
    "fewer files than counted": (lambda: at(one(), END, 8, flags(2) + flags(2)), "cut off"),
    "another disk": (lambda: at(one(), END, 4, flags(1)), "disks"),
    "a file on another disk": (lambda: at(one(), CENTRAL, 34, flags(1)), "another disk"),
    "directory elsewhere": (lambda: at(one(), END, 16, numbers(3)), "between its directory and its end"),
    "cut off": (lambda: one()[:-30], "cut off|no zip"),
    "unpacks to more": (lambda: restored(deflated(LONG), 2999, CRC), "more than the 2999"),
    "unpacks to less": (lambda: restored(deflated(LONG), 3001, CRC), "size and the checksum"),
    "another checksum": (lambda: restored(deflated(LONG), 3000, CRC ^ 1), "size and the checksum"),
    "packed bytes left over": (lambda: restored(deflated(LONG) + b"more", 3000, CRC), "bytes after"),
    "packed bytes missing": (lambda: restored(deflated(LONG)[:-2], 3000, CRC), "cut off|damaged|size and"),
    "packed bytes without an end": (lambda: restored(unended(LONG), 3000, CRC), "cut off"),
    "local header beyond the end": (lambda: second_header_at(-5), "overlaps"),
    "name beyond the end": (lambda: at(one(), LOCAL, 26, flags(0xFFFF)), "cut off"),
    "comment that is not there": (lambda: at(one(), END, 20, flags(4)), "comment"),
    "files on an earlier disk": (lambda: at(bytes(packed()), END, 8, flags(2)), "disks"),
    "damaged packed bytes": (lambda: restored(b"\xff" * 20, 3000, CRC), "damaged"),
    "stored in two sizes": (
        lambda: both_headers(one(method=zipfile.ZIP_STORED), 22, 24, numbers(2999)),
        "two sizes differ",
    ),
    "packed a thousandfold": (lambda: one(bytes(3_000_000)), "more than 1000 times"),
    "larger than a file may be": (lambda: both_headers(one(), 22, 24, numbers(2**31 + 1)), "1000 times"),
    "folder with content": (lambda: bytes(packed({"a/": b"content"})), "folder with content"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_on_zips(name: str, tmp_path: Path) -> None:
    make, reason = ATTACKS[name]
    refused = refusal(tmp_path, make())
    assert re.search(reason, str(refused)), refused


def test_left_over_bytes_in_a_piece_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = random.Random(1).randbytes(3000)
    whole = deflated(data)
    monkeypatch.setattr(archive, "_CHUNK", len(whole))
    crc = zlib.crc32(data)
    assert "bytes after" in refusal(tmp_path, restored(whole + b"more", 3000, crc)).reason


def test_bombs_are_unpacked_no_further_than_listed(tmp_path: Path) -> None:
    """A thousandfold run would pass for a small file by its listed size."""
    path = tmp_path / "bomb.zip"
    path.write_bytes(restored(deflated(bytes(50_000_000)), 1000, 0))
    found = open_container(path)
    got = 0
    with pytest.raises(Refused, match="more than the 1000 bytes"):
        for chunk in found.chunks("a"):
            got += len(chunk)
    assert got <= 1 << 17


def test_every_byte_of_a_zip_counts(tmp_path: Path) -> None:
    """A changed byte is refused or changes nothing but times, versions and permissions."""
    files = {"a": b"first", "b/c": b"second" * 9}
    data = bytes(packed(files))
    path = tmp_path / "changed.zip"
    accepted = 0
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x11]) + data[place + 1 :])
        try:
            found = open_container(path)
            content = {name: found.read(name, 1000) for name in found.names()}
        except Refused:
            continue
        accepted += 1
        assert {key: value for key, value in content.items()} == files
    # Per file: versions, time and date twice, internal attributes and permissions.
    assert 0 < accepted <= 2 * 26
