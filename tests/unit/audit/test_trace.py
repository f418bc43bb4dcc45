"""The writing side of the log: what is acknowledged is there, and what fails leaves nothing."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hybrid_ai.audit import trace as module
from hybrid_ai.audit.entries import entry_line
from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.keys import Signer
from hybrid_ai.audit.log_file import LogFile
from hybrid_ai.audit.trace import (
    FileDigest,
    NotATrace,
    Trace,
    TraceClosed,
    TraceError,
    TraceForked,
    WriteFailed,
    sha256_of,
)
from hybrid_ai.audit.verification.canonical import encode
from hybrid_ai.audit.verification.log import LINE_LIMIT, read_log

DIGEST = hashlib.sha256(b"a").hexdigest()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trace" / "entries.jsonl"


@pytest.fixture
def trace(path: Path) -> Iterator[Trace]:
    with Trace(path, interval=0.01) as trace:
        yield trace


@pytest.fixture
def signer() -> Signer:
    return Signer(Ed25519PrivateKey.generate())


def entries(path: Path) -> list[dict[str, Any]]:
    """Read plainly, and as the verifier does."""
    data = path.read_bytes()
    assert data.endswith(b"\n")
    found = [json.loads(line) for line in data[:-1].split(b"\n")]
    assert [entry["sequence"] for entry in found] == list(range(len(found)))
    assert len(read_log(data, "entries.jsonl").entries) == len(found)
    return found


def test_an_entry_holds_what_was_given(path: Path) -> None:
    with Trace(path, actor="alice", host="node 1") as trace:
        receipt = trace.append(
            "train/epoch",
            inputs=[FileDigest("data.csv", DIGEST)],
            outputs=iter([FileDigest("model.onnx", DIGEST)]),
            parameters={"loss": 1e-7, "é": [1, None, {"b": True}]},
            versions={"numpy": "2.0"},
            verdict="done",
        )
        assert receipt.wait() == 1
        run = trace.run
    opening, entry = entries(path)
    assert opening["parameters"] == {"format": "hybrid-ai-trace", "version": 1, "log": trace.log}
    assert opening["actor"] == "alice" and opening["host"] == "node 1" and opening["run"] == run
    assert entry.pop("time").endswith("Z")
    assert entry == {
        "sequence": 1,
        "run": run,
        "action": "train/epoch",
        "inputs": [{"name": "data.csv", "sha256": DIGEST}],
        "outputs": [{"name": "model.onnx", "sha256": DIGEST}],
        "parameters": {"loss": 1e-7, "é": [1, None, {"b": True}]},
        "versions": {"numpy": "2.0"},
        "verdict": "done",
        "actor": "alice",
        "host": "node 1",
    }


def test_nobody_is_named_by_default(trace: Trace) -> None:
    trace.append("a").wait()
    required = {"sequence", "time", "run", "action"}
    assert [entry.keys() for entry in entries(trace.path)] == [required | {"parameters"}, required]


@pytest.mark.parametrize("sequence", [0, 9, 2**53 - 1])
def test_a_line_is_canonical_whatever_its_number(sequence: int) -> None:
    optional: dict[str, Any] = {
        "parameters": {"z": 1},
        "versions": {},
        "verdict": "v",
        "actor": "a",
        "host": "h",
    }
    for members in ({}, optional):
        line = entry_line("a", time="t", run="r", **members).numbered(sequence)
        assert line == encode({"action": "a", "time": "t", "run": "r", "sequence": sequence, **members})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"action": ""}, "the action is ''"),
        ({"action": "A"}, "1 to 100 characters"),
        ({"action": "a" * 101}, "1 to 100 characters"),
        ({"action": "a\n"}, "1 to 100 characters"),
        ({"action": 1}, "the action is 1"),
        ({"action": "log/open"}, "opens a log"),
        ({"parameters": {"x": float("nan")}}, "nan has no JSON form"),
        ({"parameters": {"x": b""}}, "bytes has no JSON form"),
        ({"parameters": {1: 2}}, "only strings"),
        ({"parameters": [1]}, "parameters is a list"),
        ({"parameters": {"x": "\ud800"}}, "lone surrogate"),
        ({"parameters": {"x": 2**53}}, "outside"),
        ({"parameters": {"x": "a" * LINE_LIMIT}}, "more than 1048576 bytes"),
        ({"versions": "1"}, "versions is a str"),
        ({"verdict": ""}, "verdict is ''"),
        ({"verdict": 1}, "verdict is 1"),
        ({"inputs": ["a"]}, "a file is given as str"),
    ],
)
def test_arguments_are_refused_in_the_callers_thread(
    trace: Trace, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(AuditError, match=said):
        trace.append(**{"action": "a", **arguments})
    trace.flush()
    assert len(entries(trace.path)) == 1


@pytest.mark.parametrize(
    ("name", "digest"), [("", DIGEST), ("a", DIGEST.upper()), ("a", "0" * 63), (1, DIGEST)]
)
def test_a_digest_of_another_form_is_refused(name: Any, digest: str) -> None:
    with pytest.raises(AuditError):
        FileDigest(name, digest)


@pytest.mark.parametrize(
    "options", [{"actor": ""}, {"host": 1}, {"interval": -1}, {"interval": float("nan")}]
)
def test_a_trace_of_wrong_arguments_is_refused_before_anything_is_written(
    path: Path, options: dict[str, Any]
) -> None:
    with pytest.raises(AuditError):
        Trace(path, **options)
    assert not path.exists()


def test_the_longest_entry_is_read(trace: Trace) -> None:
    with pytest.raises(AuditError):
        trace.append("a", parameters={"x": "a" * (LINE_LIMIT - 100)})
    trace.append("a", parameters={"x": "a" * (LINE_LIMIT - 200)}).wait()
    assert len(entries(trace.path)) == 2


def test_parameters_are_copied_at_once(trace: Trace) -> None:
    parameters = {"x": [1]}
    receipt = trace.append("a", parameters=parameters)
    parameters["x"].append(2)
    receipt.wait()
    assert entries(trace.path)[1]["parameters"] == {"x": [1]}


def test_a_file_is_hashed(tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    (tmp_path / "a").write_bytes(data)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(data).hexdigest()


def test_a_log_is_continued(path: Path) -> None:
    with Trace(path) as first:
        first.append("a").wait()
    with Trace(path) as second:
        assert second.append("b").wait() == 2
    assert second.log == first.log and second.run != first.run
    assert [entry["action"] for entry in entries(path)] == ["log/open", "a", "b"]


def test_two_traces_of_one_process_share_a_log(path: Path) -> None:
    with Trace(path, interval=0) as first, Trace(path, interval=0) as second:
        numbers = [which.append("a").wait() for which in (first, second) * 10]
    assert numbers == list(range(1, 21))
    assert len(entries(path)) == 21


def test_acknowledged_means_synchronised(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    write, sync = os.write, os.fsync
    monkeypatch.setattr(os, "write", lambda *given: (events.append("write"), write(*given))[1])
    monkeypatch.setattr(
        os, "fsync", lambda *given: (time.sleep(0.05), sync(*given), events.append("sync"))[1]
    )
    with Trace(path) as trace:
        events.clear()
        trace.append("a").wait()
        assert events == ["write", "sync"]


def test_waiting_does_not_take_the_interval(path: Path) -> None:
    begin = time.monotonic()
    with Trace(path, interval=3600) as trace:
        trace.append("a").wait()
        trace.append("b")
        trace.flush()
        receipt = trace.append("c")
        with pytest.raises(TimeoutError):
            wait_behind_another(receipt)
    assert receipt.wait() == 3
    assert time.monotonic() - begin < 60


def wait_behind_another(receipt: module.Receipt) -> None:
    """Wait while somebody else holds the lock."""
    with open(receipt._trace.path, "rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        receipt.wait(timeout=0.05)


def test_entries_without_a_waiter_are_written_together_within_the_interval(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[int] = []
    append = LogFile.append
    monkeypatch.setattr(
        LogFile, "append", lambda file, lines: (batches.append(len(lines)), append(file, lines))[1]
    )
    with Trace(path, interval=0.2) as trace:
        batches.clear()
        for _ in range(100):
            trace.append("a")
        deadline = time.monotonic() + 30
        while len(entries(path)) < 101 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert batches == [100]


def test_threads_share_a_trace(trace: Trace) -> None:
    found: list[list[int]] = [[] for _ in range(8)]

    def work(index: int) -> None:
        receipts = [trace.append("a", parameters={"thread": index, "number": n}) for n in range(200)]
        found[index] = [receipt.wait() for receipt in receipts]

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = entries(trace.path)
    for index, numbers in enumerate(found):
        expected = [{"thread": index, "number": n} for n in range(200)]
        assert [written[number]["parameters"] for number in numbers] == expected


def test_a_writer_that_is_too_fast_waits(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PENDING", 10)
    with Trace(path, interval=3600) as trace:
        for _ in range(1000):
            trace.append("a")
            assert len(trace._collecting.receipts) <= 10
    assert len(entries(path)) == 1001


def test_torn_tails_of_every_length_are_repaired(path: Path) -> None:
    with Trace(path) as trace:
        trace.append("a").wait()
        trace.append("b", parameters={"text": 'é\\"'}).wait()
    whole = path.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    for length in range(last, len(whole) + 1):
        path.write_bytes(whole[:length])
        with Trace(path) as trace:
            number = trace.append("c").wait()
        kept = 3 if length == len(whole) else 2
        assert number == kept
        assert path.read_bytes().startswith(whole if kept == 3 else whole[:last])
        assert [entry["action"] for entry in entries(path)][:2] == ["log/open", "a"]


def test_a_torn_opening_of_every_length_is_repaired(path: Path) -> None:
    with Trace(path):
        pass
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with Trace(path) as trace:
            assert trace.append("a").wait() == 1
        assert len(entries(path)) == 2


def test_a_tail_torn_by_another_process_meanwhile_is_repaired(trace: Trace) -> None:
    trace.append("a").wait()
    with open(trace.path, "ab") as stream:
        stream.write(b'{"action":"' + b"x" * 200_000)
    assert trace.append("b").wait() == 2
    assert [entry["action"] for entry in entries(trace.path)] == ["log/open", "a", "b"]


OPENING = (
    '{{"action":"log/open","parameters":{},"run":"{}","sequence":0,"time":"2026-01-01T00:00:00.000Z"}}\n'
)
VERSION_2 = '{"format":"hybrid-ai-trace","log":"' + "0" * 32 + '","version":2}'


@pytest.mark.parametrize(
    "data",
    [
        b"hello",
        b"hello\n",
        b"\n",
        b"{}\n",
        b"\x00" * 100_000,
        b'{"action":"log/opening"',
        OPENING.format(VERSION_2, "0" * 32).encode(),
        OPENING.format(VERSION_2.replace(":2", ":true"), "0" * 32).encode(),
        OPENING.format(VERSION_2.replace(":2", ":1").replace("trace", "other"), "0" * 32).encode(),
        OPENING.format(VERSION_2.replace(":2", ":1"), "0" * 32).encode() + b"torn\n",
        OPENING.format(VERSION_2.replace(":2", ":1"), "0" * 32).encode() + b'{"sequence":true}\n',
    ],
)
def test_what_is_no_log_is_refused_and_not_touched(path: Path, data: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(data)
    with pytest.raises(NotATrace, match=r"entries\.jsonl"):
        Trace(path)
    assert path.read_bytes() == data


def test_special_files_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(NotATrace, match="no regular file"):
        Trace(tmp_path / "fifo")
    with pytest.raises(WriteFailed, match="cannot be opened"):
        Trace(tmp_path)


class FullDisk:
    """Takes so many bytes of entries, then is full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room: int | None = None
        self._write = os.write
        monkeypatch.setattr(os, "write", self.write)

    def write(self, descriptor: int, data: bytes) -> int:
        if self.room is None:
            return self._write(descriptor, data)
        taken, self.room = data[: self.room], max(0, self.room - len(data))
        if not taken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._write(descriptor, taken)


@pytest.mark.parametrize("room", [0, 1, 150, 301])
def test_a_full_disk_fails_the_batch_and_leaves_nothing(
    trace: Trace, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    trace.append("a").wait()
    before = trace.path.read_bytes()
    disk = FullDisk(monkeypatch)
    disk.room = room
    trace._interval = 3600
    receipts = [trace.append("b") for _ in range(10)]
    for receipt in receipts:
        with pytest.raises(WriteFailed, match="No space left"):
            receipt.wait()
    assert trace.path.read_bytes() == before
    with pytest.raises(WriteFailed, match="No space left"):
        trace.flush()
    disk.room = None
    assert trace.append("c").wait() == 2
    trace.flush()
    assert [entry["action"] for entry in entries(trace.path)] == ["log/open", "a", "c"]


def test_a_disk_that_is_full_for_a_moment_writes_in_parts(
    trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:7]))
    assert [trace.append("a").wait() for _ in range(3)] == [1, 2, 3]
    assert len(entries(trace.path)) == 4


def failing(number: int) -> Callable[..., None]:
    def fail(*given: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def test_a_failed_fsync_acknowledges_nothing(trace: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    before = trace.path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing(errno.EIO))
        with pytest.raises(WriteFailed, match="Input/output error"):
            trace.append("a").wait()
    assert trace.path.read_bytes() == before
    with pytest.raises(WriteFailed):
        trace.flush()


def test_what_could_not_be_taken_back_is_repaired_later(
    trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FullDisk(monkeypatch)
    disk.room = 40
    with monkeypatch.context() as patch:
        patch.setattr(os, "ftruncate", failing(errno.EIO))
        with pytest.raises(WriteFailed):
            trace.append("a").wait()
    assert not trace.path.read_bytes().endswith(b"\n")
    disk.room = None
    assert trace.append("b").wait() == 1
    assert len(entries(trace.path)) == 2
    with pytest.raises(WriteFailed):
        trace.flush()


def test_closing_tells_of_entries_that_nobody_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = FullDisk(monkeypatch)
    with pytest.raises(WriteFailed, match="No space left"), Trace(path) as trace:
        disk.room = 0
        trace.append("a")
    trace.close()
    assert len(entries(path)) == 1


def test_a_lock_that_cannot_be_had_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", failing(errno.ENOLCK))
    with pytest.raises(
        WriteFailed, match=r"cannot be locked .*; keep logs on a file system where flock works"
    ):
        Trace(path)


def test_a_log_that_is_full_is_named(trace: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hybrid_ai.audit.log_file.ENTRIES_LIMIT", 2)
    assert trace.append("a").wait() == 1
    with pytest.raises(WriteFailed, match="is full"):
        trace.append("b").wait()
    with pytest.raises(WriteFailed):
        trace.flush()


@pytest.mark.parametrize("how", ["removed", "replaced", "emptied"])
def test_a_file_that_is_lost_meanwhile_is_noticed(trace: Trace, how: str) -> None:
    if how == "emptied":
        os.truncate(trace.path, 0)
    else:
        trace.path.rename(trace.path.with_name("moved"))
    if how == "replaced":
        trace.path.write_bytes(b"")
    with pytest.raises(WriteFailed, match=r"lost entries|removed or replaced"):
        trace.append("a").wait()
    assert (trace.path.read_bytes() if trace.path.exists() else b"") == b""
    with pytest.raises(WriteFailed):
        trace.flush()


def test_changing_the_folder_does_not_lose_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Trace(Path("entries.jsonl")) as trace:
        (tmp_path / "other").mkdir()
        monkeypatch.chdir(tmp_path / "other")
        assert trace.append("a").wait() == 1


def test_a_dead_thread_is_reported_by_every_call(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = Trace(path, interval=3600)
    first = trace.append("a")

    def broken(*given: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(LogFile, "append", broken)
    for call in (first.wait, first.wait, trace.flush, lambda: trace.append("b"), trace.flush, trace.close):
        with pytest.raises(WriteFailed, match="a defect") as caught:
            call()
        assert isinstance(caught.value.__cause__, RuntimeError)
    assert len(entries(path)) == 1


def test_entries_behind_the_batch_that_killed_the_thread_are_reported_too(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = Trace(path, interval=0)
    began, may_end = threading.Event(), threading.Event()

    def broken(*given: object) -> None:
        began.set()
        may_end.wait(30)
        raise RuntimeError("a defect")

    monkeypatch.setattr(LogFile, "append", broken)
    first = trace.append("a")
    assert began.wait(30)
    second = trace.append("b")
    may_end.set()
    for receipt in (first, second):
        with pytest.raises(WriteFailed, match="a defect"):
            receipt.wait(timeout=30)
    with pytest.raises(WriteFailed):
        trace.close()


def test_a_closed_trace_says_so(path: Path, signer: Signer) -> None:
    trace = Trace(path)
    receipt = trace.append("a")
    trace.close()
    assert receipt.wait() == 1
    trace.close()
    trace.flush()
    with pytest.raises(TraceClosed, match="was closed"):
        trace.append("b")
    with pytest.raises(TraceClosed):
        trace.checkpoint(signer)


def in_a_fork(work: Callable[[], None]) -> int:
    """Exit status of a forked process: 0 when the work raised TraceForked, 1 else."""
    process = os.fork()
    if process == 0:
        status = 1
        try:
            work()
        except TraceForked:
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_process_cannot_use_the_trace(trace: Trace, signer: Signer) -> None:
    receipt = trace.append("a")
    for work in (
        lambda: trace.append("b"),
        receipt.wait,
        trace.flush,
        trace.close,
        lambda: trace.checkpoint(signer),
    ):
        assert in_a_fork(work) == 0
    assert trace.append("c").wait() == 2
    assert [entry["action"] for entry in entries(trace.path)] == ["log/open", "a", "c"]


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_process_does_not_hold_the_lock(path: Path) -> None:
    file = LogFile(path, create=True)
    reading, writing = os.pipe()
    with file.locked():
        process = os.fork()
        if process == 0:
            os.close(writing)
            os.read(reading, 1)  # lives on, until it is told to end
            os._exit(0)
        # As when this process is killed: closed, not unlocked.
        os.close(file._descriptor)
        file._descriptor = os.open(path, os.O_RDWR)
        other = os.open(path, os.O_RDWR)
        deadline = time.monotonic() + 30
        while True:
            try:
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                assert time.monotonic() < deadline
                time.sleep(0.01)
    os.close(writing)
    os.waitpid(process, 0)
    for descriptor in (other, reading):
        os.close(descriptor)
    file.close()


@pytest.mark.parametrize("kind", [NotATrace, WriteFailed, TraceClosed, TraceForked])
def test_errors_survive_a_trip_between_processes(kind: type[TraceError]) -> None:
    error = pickle.loads(pickle.dumps(kind(Path("a"), "reason; remedy")))
    assert type(error) is kind and str(error) == "a: reason; remedy"
