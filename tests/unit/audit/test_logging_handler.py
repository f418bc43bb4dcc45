"""Records of `logging` in a trace."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hybrid_ai.audit.logging_handler import TraceHandler
from hybrid_ai.audit.trace import Trace, WriteFailed
from hybrid_ai.audit.verification.log import read_log


@pytest.fixture
def trace(tmp_path: Path) -> Iterator[Trace]:
    with Trace(tmp_path / "entries.jsonl") as trace:
        yield trace


@pytest.fixture
def logger(trace: Trace) -> Iterator[logging.Logger]:
    logger = logging.Logger("training.loop")
    handler = TraceHandler(trace)
    logger.addHandler(handler)
    yield logger
    handler.close()


def entries(trace: Trace) -> list[dict[str, Any]]:
    trace.flush()
    data = trace.path.read_bytes()
    read_log(data, "entries.jsonl")
    return [json.loads(line) for line in data.splitlines()][1:]


def test_a_record_becomes_an_entry(trace: Trace, logger: logging.Logger) -> None:
    logger.info("epoch %d of %d", 3, 10, extra={"trace": {"loss": 0.25, "epoch": 3}})
    (entry,) = entries(trace)
    assert entry["action"] == "log/info"
    assert entry["parameters"] == {
        "logger": "training.loop",
        "message": "epoch 3 of 10",
        "loss": 0.25,
        "epoch": 3,
    }
    assert entry.keys() == {"sequence", "time", "run", "action", "parameters"}


def test_an_exception_is_named_without_places(trace: Trace, logger: logging.Logger) -> None:
    try:
        raise ZeroDivisionError("no data")
    except ZeroDivisionError:
        logger.exception("failed")
    (entry,) = entries(trace)
    assert entry["action"] == "log/error"
    assert entry["parameters"]["exception"] == {"type": "ZeroDivisionError", "text": "no data"}
    assert __file__ not in json.dumps(entry) and Path(__file__).name not in json.dumps(entry)


def test_no_exception_under_way_is_no_exception(trace: Trace, logger: logging.Logger) -> None:
    logger.error("alone", exc_info=True)
    assert "exception" not in entries(trace)[0]["parameters"]


@pytest.mark.parametrize(
    ("level", "name", "action"),
    [
        (25, None, "log/level-25"),
        (26, "Très Grave", "log/tr-s-grave"),
        (27, "L" * 200, "log/" + "l" * 96),
        (logging.CRITICAL, None, "log/critical"),
    ],
)
def test_levels_of_any_name_fit_an_action(
    trace: Trace, logger: logging.Logger, level: int, name: str | None, action: str
) -> None:
    record = logger.makeRecord("a", level, "file", 1, "message", (), None)
    record.levelname = name or record.levelname
    logger.handle(record)
    assert entries(trace)[0]["action"] == action


def test_a_lone_surrogate_does_not_lose_the_record(trace: Trace, logger: logging.Logger) -> None:
    logger.warning("file %s", "a\udcff")
    assert entries(trace)[0]["parameters"]["message"] == "file a\\udcff"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"loss": float("nan")}, "nan has no JSON form"),
        ({"message": "mine"}, "holds message: choose other names"),
        ("text", "is a str: give a mapping"),
    ],
)
def test_what_cannot_be_written_goes_the_way_of_handler_errors(
    trace: Trace, logger: logging.Logger, given: object, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logger.info("lost", extra={"trace": given})
    assert said in capsys.readouterr().err
    assert entries(trace) == []


def test_errors_are_silent_where_logging_is_told_so(
    trace: Trace, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    logger.info("wrong %d", "arguments")
    assert capsys.readouterr().err == ""


def test_the_level_of_the_handler_counts(trace: Trace) -> None:
    logger = logging.Logger("a")
    logger.addHandler(TraceHandler(trace, "WARNING"))
    logger.info("no")
    logger.warning("yes")
    assert [entry["action"] for entry in entries(trace)] == ["log/warning"]


def test_flush_has_the_records_on_disk(tmp_path: Path) -> None:
    with Trace(tmp_path / "entries.jsonl", interval=3600) as trace:
        handler = TraceHandler(trace)
        handler.handle(logging.makeLogRecord({"msg": "here", "levelname": "INFO", "name": "a"}))
        assert b"here" not in trace.path.read_bytes()
        handler.flush()
        assert b"here" in trace.path.read_bytes()


def test_flush_says_what_was_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Trace(tmp_path / "entries.jsonl") as trace:
        handler = TraceHandler(trace)
        trace.path.rename(tmp_path / "moved")
        handler.handle(logging.makeLogRecord({"msg": "lost", "levelname": "INFO", "name": "a"}))
        with pytest.raises(WriteFailed, match="removed or replaced"):
            handler.flush()


def test_a_handler_outlives_its_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As at the end of a program: `logging.shutdown` flushes and closes handlers last."""
    with Trace(tmp_path / "entries.jsonl") as trace:
        handler = TraceHandler(trace)
    handler.flush()
    handler.handle(logging.makeLogRecord({"msg": "late", "levelname": "INFO", "name": "a"}))
    assert "was closed" in capsys.readouterr().err
    handler.close()
