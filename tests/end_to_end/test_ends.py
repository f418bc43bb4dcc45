"""How a run ends when it is interrupted, terminated, its reader goes away, or the checker fails."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.end_to_end.command import COMMAND, HOLDS, Command, start
from tests.end_to_end.problems import write_endless, write_identity, write_property

# Says where a process is: a driver prints when the search begins, then all is as on the command line.
DRIVER = """
import sys, hybrid_ai.search as search
from hybrid_ai.cli.main import main
inner = search.run_search
def announced(*arguments, **options):
    print("searching", file=sys.stderr, flush=True)
    return inner(*arguments, **options)
search.run_search = announced
sys.exit(main(sys.argv[1:]))
"""


def searching(*arguments: object) -> subprocess.Popen[str]:
    """A process in the midst of a search."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", DRIVER, "verify", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)
    assert process.stderr is not None
    assert process.stderr.readline() == "searching\n"
    time.sleep(0.3)
    return process


def children(process: subprocess.Popen[str]) -> list[int]:
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(number) for number in listed.read_text().split()]


def is_alive(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rsplit(")")[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def all_end(numbers: list[int]) -> bool:
    deadline = time.monotonic() + 10
    while any(is_alive(number) for number in numbers) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(is_alive(number) for number in numbers)


@pytest.mark.parametrize(
    ("number", "said"), [(signal.SIGINT, "unknown: interrupted\n"), (signal.SIGTERM, "unknown: terminated\n")]
)
def test_signals_end_in_good_order(tmp_path: Path, number: signal.Signals, said: str) -> None:
    process = searching(*write_endless(tmp_path))
    checkers = children(process)
    assert checkers
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (20, said)
    assert "Traceback" not in err
    assert all_end(checkers)


def test_an_interrupted_result_is_still_json(tmp_path: Path) -> None:
    process = searching(*write_endless(tmp_path), "--json")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 20
    assert json.loads(out)["reason"] == "interrupted"


def test_a_killed_process_leaves_no_checker(tmp_path: Path) -> None:
    process = searching(*write_endless(tmp_path))
    checkers = children(process)
    assert checkers
    process.kill()
    process.communicate(timeout=60)
    assert all_end(checkers)


def test_sigterm_writes_the_results_file(tmp_path: Path) -> None:
    process = searching(*write_endless(tmp_path), "--results-file", tmp_path / "results")
    process.terminate()
    process.communicate(timeout=60)
    assert (tmp_path / "results").read_text() == "timeout\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["endless.onnx", "endless.vnnlib", "results"]


@pytest.mark.parametrize("closed", ["<&- 2>&-", ">&-"])
def test_closed_streams(closed: str) -> None:
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", *COMMAND, "verify", *map(str, HOLDS)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done
    assert done.stdout.startswith("proved") == (closed != ">&-")
    assert "Traceback" not in done.stderr


def test_a_terminal_gets_a_bar_and_stdout_the_result(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [*COMMAND, "verify", *map(str, write_endless(tmp_path)), "--timeout", "1.5"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, text=True, env=environment)
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 4096):
            shown += part
    except OSError:  # how Linux says that the other side is closed
        pass
    os.close(ours)
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out.split(":")[0]) == (20, "unknown")
    assert b"searching" in shown
    assert b"unknown" not in shown


@pytest.mark.parametrize("after", [0.0, 0.05, 0.15, 0.4])
def test_an_interrupt_while_it_loads_leaves_no_traceback(after: float) -> None:
    driver = "import sys; from hybrid_ai.cli.main import main; print('on', flush=True); sys.exit(main())"
    command = [sys.executable, "-c", driver, "verify", "--timeout", "9", *map(str, HOLDS)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "on\n"
    time.sleep(after + 0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    assert (process.returncode, out[:7]) in {(20, "unknown"), (0, "proved:")}


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_characters_that_the_stream_lacks_are_escaped(tmp_path: Path, encoding: str) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": f"{encoding}:strict"}
    process = start(["verify", tmp_path / "\u6a21.onnx", HOLDS[1]], env=environment)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert "\\u6a21.onnx: cannot be read" in err


@pytest.mark.parametrize("arguments", [["verify", *HOLDS], ["supports"], ["--version"]])
def test_a_full_disk_is_said_in_one_line(arguments: list[object]) -> None:
    with open("/dev/full", "w") as full:
        command = [*COMMAND, *map(str, arguments)]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == "hybrid-ai: stdout cannot be written: No space left on device\n"


def test_a_working_folder_that_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = 'cd "$0" && rmdir "$0" && exec "$@"'
    command = ["sh", "-c", script, str(gone), *COMMAND, "verify", *map(str, HOLDS)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "the working folder is gone" in done.stderr


@pytest.mark.clock
def test_reading_keeps_the_time_limit(command: Command, tmp_path: Path) -> None:
    claim = tmp_path / "long.vnnlib"
    claim.write_text(HOLDS[1].read_text() + "(assert (or (>= Y_0 1e9) (>= Y_0 2e9)))\n" * 300_000)
    began = time.monotonic()
    ended = command("verify", HOLDS[0], claim, "--timeout", 1)
    assert time.monotonic() - began < 1 + 1 + 0.5  # the half is for the checker's process
    assert (ended.code, ended.out) == (20, "unknown: timeout\n")


def test_a_reader_that_went_away_changes_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.Popen(
        [*COMMAND, "verify", *map(str, HOLDS)], stdout=writing, stderr=subprocess.PIPE, text=True
    )
    os.close(writing)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")


def test_a_checker_that_dies_is_our_failure(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    dies = (sys.executable, "-c", "raise SystemExit(3)")
    monkeypatch.setattr("hybrid_ai.pipeline.checking.COMMAND", dies)
    for arguments in (["verify", *HOLDS], ["check", *HOLDS, HOLDS[1]]):
        ended = command(*arguments)
        assert ended.code == 1
        assert "the checker's process ended with status 3" in ended.out + ended.err
        assert "proved" not in ended.out
        assert "Traceback" not in ended.err


def test_own_bugs_are_one_line(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import hybrid_ai.search

    def fail(*arguments: object, **options: object) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr(hybrid_ai.search, "run_search", fail)
    results = tmp_path / "results"
    ended = command("verify", *HOLDS, "--results-file", results)
    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert "RuntimeError: two lines" in ended.err
    assert results.read_text() == "error\n"
    monkeypatch.setenv("HYBRID_AI_DEBUG", "1")
    with pytest.raises(RuntimeError, match="two"):
        command("verify", *HOLDS)


def test_a_module_in_the_working_folder_is_not_the_checkers(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(9)\n")
    model = write_identity(tmp_path / "m.onnx")
    claim = write_property(
        tmp_path / "p.vnnlib", ["(>= X_0 0)", "(<= X_0 1)", "(>= X_1 0)", "(<= X_1 1)", "(>= Y_0 3)"]
    )
    program = "import sys; from hybrid_ai.cli.main import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, "verify", str(model), str(claim)],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
