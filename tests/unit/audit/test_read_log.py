"""Reading logs: every member of an entry, the order, and checkpoints of a log by itself."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hybrid_ai.audit.verification import log as module
from hybrid_ai.audit.verification.canonical import encode
from hybrid_ai.audit.verification.log import NamedDigest, SignedCheckpoint, read_log, verify_log
from hybrid_ai.audit.verification.rejected import Refused
from tests.audit_builder import (
    AUTHOR,
    LOG,
    REVIEWER,
    RUN,
    STRANGER,
    Key,
    Writer,
    made_up_writer,
    note,
    sign_note,
    tree_root,
)

TIME = "2026-01-02T03:04:05.678Z"
HASH = "ab" * 32


def entry(number: int, **members: Any) -> dict[str, Any]:
    return {"sequence": number, "time": TIME, "run": RUN, "action": "step", **members}


OPENING = Writer().entries[0]


def joined(*entries: Mapping[str, Any]) -> bytes:
    return b"".join(encode(item) + b"\n" for item in entries)


def test_everything_that_an_entry_can_hold() -> None:
    named = {"name": "models/ä", "sha256": HASH}
    full = entry(
        1, inputs=[named, named], outputs=[named], parameters={"a": [1, {}]}, versions={"numpy": "2"},
        verdict="proved", actor="somebody", host="somewhere",
    )  # fmt: skip
    signed = entry(3, action="dossier/sign", parameters={"a": "b", "c": 1})
    log = read_log(joined(OPENING, full, entry(2, inputs=[]), signed), "log")
    assert (log.identifier, log.origin) == (LOG, f"hybrid-ai.log/{LOG}")
    assert [item.sequence for item in log.entries] == [0, 1, 2, 3]
    found = log.entries[1]
    assert (found.time, found.run, found.action, found.verdict) == (TIME, RUN, "step", "proved")
    assert found.inputs == (NamedDigest("models/ä", HASH),) * 2
    assert found.outputs == (NamedDigest("models/ä", HASH),)
    assert (found.parameters, log.entries[3].parameters) == ({}, {"a": "b", "c": 1})
    assert (log.entries[2].inputs, log.entries[2].parameters, log.entries[2].verdict) == ((), {}, None)


def test_roots_are_those_of_all_beginnings() -> None:
    writer = made_up_writer()
    lines = writer.lines()
    log = read_log(io.BytesIO(b"\n".join(lines) + b"\n"), "log")
    assert log.roots == tuple(tree_root(lines[:count]) for count in range(len(lines) + 1))


WRONG_MEMBERS: list[tuple[dict[str, Any], str]] = [
    ({"sequence": 2}, "sequence"),
    ({"sequence": 0}, "sequence"),
    ({"sequence": True}, "sequence"),
    ({"sequence": "1"}, "sequence"),
    ({"time": "2026-01-02T03:04:05Z"}, "time"),
    ({"time": "2026-01-02T03:04:05.6789Z"}, "time"),
    ({"time": "2026-01-02T03:04:05.678+00:00"}, "time"),
    ({"time": "2026-01-02 03:04:05.678Z"}, "time"),
    ({"time": "2026-02-30T03:04:05.678Z"}, "time"),
    ({"time": "2026-01-02T24:04:05.678Z"}, "time"),
    ({"time": "٢٠٢٦-01-02T03:04:05.678Z"}, "time"),
    ({"time": 5}, "time"),
    ({"run": RUN.upper()}, "run"),
    ({"run": RUN[:-1]}, "run"),
    ({"run": RUN + "\n"}, "run"),
    ({"action": ""}, "action"),
    ({"action": "Step"}, "action"),
    ({"action": "a b"}, "action"),
    ({"action": "a" * 101}, "action"),
    ({"inputs": {}}, "inputs"),
    ({"inputs": ["a"]}, r"inputs\[0\]"),
    ({"inputs": [{"name": "a"}]}, "lacks 'sha256'"),
    ({"inputs": [{"name": "a", "sha256": HASH.upper()}]}, "sha256"),
    ({"inputs": [{"name": "", "sha256": HASH}]}, "name"),
    ({"outputs": [{"name": "a", "sha256": HASH, "bytes": 1}]}, "unknown 'bytes'"),
    ({"outputs": None}, "outputs"),
    ({"parameters": []}, "parameters"),
    ({"versions": "1"}, "versions"),
    ({"verdict": True}, "verdict"),
    ({"actor": None}, "actor"),
    ({"host": 3}, "host"),
    ({"signature": "x"}, "unknown 'signature'"),
]


@pytest.mark.parametrize(("members", "reason"), WRONG_MEMBERS)
def test_wrong_members(members: dict[str, Any], reason: str) -> None:
    with pytest.raises(Refused, match=rf"log: entry 1.*{reason}") as caught:
        read_log(joined(OPENING, {**entry(1), **members}), "log")
    assert caught.value.level == "integrity"


@pytest.mark.parametrize("missing", ["sequence", "time", "run", "action"])
def test_missing_members(missing: str) -> None:
    members = {name: value for name, value in entry(1).items() if name != missing}
    with pytest.raises(Refused, match=f"entry 1: lacks '{missing}'"):
        read_log(joined(OPENING, members), "log")


GOOD = joined(OPENING, entry(1), entry(2))
LINES = GOOD.splitlines(keepends=True)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (GOOD[:-1], "entry 2: has no line feed"),
        (GOOD + b"\n", "entry 3: not strict JSON"),
        (GOOD + b"{}\n", "entry 3: lacks"),
        (GOOD.replace(b"\n", b"\r\n"), "entry 0: not in canonical form"),
        (GOOD.replace(b'{"', b'{ "'), "entry 0: not in canonical form"),
        (LINES[0] + LINES[2] + LINES[1], "entry 1: its sequence"),
        (LINES[0] + LINES[2], "entry 1: its sequence"),
        (LINES[0] + LINES[1] + LINES[1], "entry 2: its sequence"),
        (b"".join(LINES[1:]), "entry 0: its sequence"),
        (LINES[0] + json.dumps(entry(1)).encode() + b"\n", "entry 1: not in canonical form"),
        (LINES[0] + b"[" * 100_000 + b"\n", "entry 1: not strict JSON: nested deeper"),
        (LINES[0] + b'"\xff"\n', "entry 1: not strict JSON"),
    ],
)
def test_lines_that_are_no_log(data: bytes, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        read_log(data, "log")


@pytest.mark.parametrize(
    "change",
    [
        {"action": "step"},
        {"parameters": {}},
        {"parameters": {**OPENING["parameters"], "format": "other"}},
        {"parameters": {**OPENING["parameters"], "version": 2}},
        {"parameters": {**OPENING["parameters"], "version": True}},
        {"parameters": {**OPENING["parameters"], "log": LOG.upper()}},
        {"parameters": {**OPENING["parameters"], "more": 1}},
    ],
)
def test_first_entries_that_open_no_log(change: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="entry 0"):
        read_log(joined({**OPENING, **change}), "log")


def test_a_log_is_opened_once() -> None:
    with pytest.raises(Refused, match="entry 1: opens the log a second time"):
        read_log(joined(OPENING, {**OPENING, "sequence": 1}), "log")


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ENTRIES_LIMIT", 2)
    with pytest.raises(Refused, match="more than 2 entries"):
        read_log(GOOD, "log")
    monkeypatch.setattr(module, "ENTRIES_LIMIT", 3)
    monkeypatch.setattr(module, "ENTRIES_SIZE_LIMIT", len(GOOD))
    assert len(read_log(GOOD, "log").entries) == 3
    monkeypatch.setattr(module, "ENTRIES_SIZE_LIMIT", len(GOOD) - 1)
    with pytest.raises(Refused, match=f"has more than {len(GOOD) - 1} bytes"):
        read_log(GOOD, "log")
    monkeypatch.setattr(module, "LINE_LIMIT", 100)
    with pytest.raises(Refused, match="entry 0: has more than 100 bytes"):
        read_log(GOOD, "log")


@pytest.mark.parametrize("part", ["inputs", "outputs"])
def test_files_of_an_entry(part: str) -> None:
    named = [{"name": "a", "sha256": HASH}] * 10_001
    assert (
        len(getattr(read_log(joined(OPENING, entry(1, **{part: named[1:]})), "log").entries[1], part))
        == 10_000
    )
    with pytest.raises(Refused, match=f"entry 1: {part}: has 10001 files; at most 10000"):
        read_log(joined(OPENING, entry(1, **{part: named})), "log")


@pytest.mark.parametrize("action", ["log/open", "dossier/seal", "dossier/attach", "dossier/sign"])
@pytest.mark.parametrize("parameters", [{"a": []}, {"a": {}}, {"a": None}, {str(n): n for n in range(9)}])
def test_parameters_that_would_be_kept(action: str, parameters: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="entry 1: parameters: must be at most 8 texts and numbers"):
        read_log(joined(OPENING, entry(1, action=action, parameters=parameters)), "log")


@pytest.mark.parametrize("action", ["log/note", "dossier/step", "dossier/sealed", "step"])
def test_other_parameters_are_forgotten(action: str) -> None:
    log = read_log(joined(OPENING, entry(1, action=action, parameters={"a": [[]] * 100})), "log")
    assert log.entries[1].parameters == {}


def test_reading_takes_time_in_proportion() -> None:
    """The limit is far above what reading needs, and far below what its square would."""
    writer = Writer()
    for number in range(20_000):
        writer.entry("step", parameters={"number": number})
    data = b"\n".join(writer.lines()) + b"\n"
    began = time.process_time()
    assert len(read_log(data, "log").entries) == 20_001
    assert time.process_time() - began < 20


# ---- a log by itself ----


def written(tmp_path: Path, notes: Mapping[str, bytes]) -> tuple[Path, Path]:
    entries, folder = tmp_path / "entries.jsonl", tmp_path / "checkpoints"
    entries.write_bytes(GOOD)
    folder.mkdir()
    for name, data in notes.items():
        (folder / name).write_bytes(data)
    return entries, folder


def known(*keys: Key) -> dict[str, bytes]:
    return {key.name: key.public for key in keys}


def checkpoint(size: int, key: Key = AUTHOR, **options: Any) -> bytes:
    return note([line[:-1] for line in LINES[:size]], key, **options)


def test_a_log_without_checkpoints(tmp_path: Path) -> None:
    entries, folder = written(tmp_path, {})
    assert verify_log(entries, folder, {})[1] == ()
    log, found = verify_log(entries, None, known(AUTHOR))
    assert (len(log.entries), found) == (3, ())


def test_checkpoints_anywhere(tmp_path: Path) -> None:
    notes = {f"{size:012}.note": checkpoint(size) for size in (0, 1, 3)}
    notes["000000000002.note"] = checkpoint(2, STRANGER)
    _, found = verify_log(*written(tmp_path, notes), known(AUTHOR, REVIEWER))
    signed = [SignedCheckpoint(size, (AUTHOR.name,)) for size in (0, 1)]
    assert list(found) == [*signed, SignedCheckpoint(2, ()), SignedCheckpoint(3, (AUTHOR.name,))]


def test_two_signers_of_one_checkpoint(tmp_path: Path) -> None:
    second = checkpoint(3, REVIEWER).split(b"\n\n")[1]
    entries, folder = written(tmp_path, {"000000000003.note": checkpoint(3) + second})
    found = verify_log(entries, folder, known(AUTHOR, REVIEWER))[1]
    assert found == (SignedCheckpoint(3, (AUTHOR.name, REVIEWER.name)),)


ROOT = sign_note(f"hybrid-ai.log/{LOG}\n3\n{'A' * 43}=\n".encode(), AUTHOR)


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("000000000002.note", checkpoint(3), "counts 3 entries, which is not its name"),
        ("3.note", checkpoint(3), "twelve digits"),
        ("000000000003.txt", checkpoint(3), "twelve digits"),
        ("000000000003.note", checkpoint(3, log="0" * 32), "the log is"),
        ("000000000003.note", ROOT, "its root is not that of the first 3 entries"),
        ("000000000004.note", note([b"x"] * 4, AUTHOR), "counts 4 entries, the log has 3"),
        ("000000000003.note", checkpoint(3, STRANGER, name=AUTHOR.name), "is not valid"),
        ("000000000003.note", checkpoint(3).replace(b"\n3\n", b"\n03\n"), "size"),
        ("000000000003.note", b"x" * 100_000, "more than"),
    ],
)
def test_checkpoints_that_do_not_fit(name: str, data: bytes, reason: str, tmp_path: Path) -> None:
    entries, folder = written(tmp_path, {name: data})
    with pytest.raises(Refused, match=reason):
        verify_log(entries, folder, known(AUTHOR))
