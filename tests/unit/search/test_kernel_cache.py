"""Whether kernels count as ready, and what happens where they are not."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hybrid_ai.search import backend, kernel_cache
from hybrid_ai.search.kernel_cache import STAMP, cache_key, kernels_ready, stamp_file, write_stamp

ROOT = Path(__file__).resolve().parents[3]

# The search in a process whose numba has an empty cache; prints the outcome, and how late it was.
COLD = """
import sys
from time import monotonic
from tests.unit.search.problems import Asked, accepted_by, dense, hard, search, vnnlib
from hybrid_ai.search import Claimed, backend
asked = hard()
if sys.argv[1] == "easy":
    asked = Asked(dense([2, 6, 5, 1], 0), vnnlib(2, 1, "(<= Y_0 -9)", bounds=[("-1", "1")] * 2))
start, seconds = monotonic(), float(sys.argv[2])
outcome = search(asked, seconds=seconds, backend="auto")
print(type(outcome).__name__, monotonic() - start - seconds, backend._compilation()._process.pid)
if isinstance(outcome, Claimed):
    assert accepted_by(asked, outcome.certificate) == ["valid", "valid"]
"""


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    return tmp_path


def _cold(kind: str, seconds: float) -> tuple[str, float, int]:
    run = subprocess.run(
        [sys.executable, "-c", COLD, kind, str(seconds)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=ROOT,
    )
    assert run.returncode == 0, run.stderr
    name, late, process = run.stdout.split()
    return name, float(late), int(process)


def _ended(process: int) -> bool:
    for _ in range(50):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.usefixtures("empty_cache")
def test_a_cold_search_decides_what_is_easy_and_stops_compiling_when_it_ends() -> None:
    name, late, process = _cold("easy", 10.0)
    assert name == "Claimed"
    assert late < -5.0
    assert _ended(process)


@pytest.mark.usefixtures("empty_cache")
def test_a_cold_search_ends_in_time() -> None:
    name, late, _ = _cold("hard", 3.0)
    assert name == "Unknown"
    assert late < 1.0


@pytest.mark.usefixtures("empty_cache")
def test_the_compilation_ends_with_a_process_that_is_killed() -> None:
    program = (
        "from hybrid_ai.search import backend; import os; "
        "print(backend._compilation()._process.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert run.returncode == -9
    assert _ended(int(run.stdout))


def test_ready_means_stamped_for_these_sources_and_still_in_the_cache(empty_cache: Path) -> None:
    index = empty_cache / "process_serial.nbi"
    assert not kernels_ready()
    index.touch()
    write_stamp([index])
    assert stamp_file() == empty_cache / STAMP
    assert kernels_ready()
    index.unlink()
    assert not kernels_ready()


def test_a_changed_source_is_not_ready(
    empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "package"
    for name in ("bounds/backends/numba_cpu.py", "search/compiled/node.py"):
        (package / name).parent.mkdir(parents=True)
        (package / name).write_text("pass\n", encoding="utf-8")
    monkeypatch.setattr(kernel_cache, "PACKAGE", package)
    write_stamp([])
    assert kernels_ready()
    (package / "search/compiled/node.py").write_text("pass  # changed\n", encoding="utf-8")
    assert not kernels_ready()


def test_the_key_depends_on_the_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    before = cache_key()
    assert cache_key() == before
    monkeypatch.setattr(kernel_cache, "version", lambda name: "0.0")
    assert cache_key() != before


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"other key\nfile"])
def test_a_damaged_stamp_is_not_ready(content: bytes, empty_cache: Path) -> None:
    (empty_cache / STAMP).write_bytes(content)
    assert not kernels_ready()


@pytest.mark.usefixtures("empty_cache")
def test_a_compilation_that_fails_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "COMMAND", (sys.executable, "-c", "raise SystemExit(5)"))
    compilation = backend._Compilation()
    with pytest.warns(RuntimeWarning, match="exit status 5"):
        for _ in range(200):
            if compilation.ended_well() or compilation._process is None:
                break
            time.sleep(0.05)
    assert not compilation.ended_well()


@pytest.mark.usefixtures("empty_cache")
def test_the_compiled_backend_takes_over_when_the_compilation_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backend, "COMMAND", (sys.executable, "-c", "import sys; sys.stdin.read(1)"))
    monkeypatch.setattr(backend, "_loaded", lambda kernel: False)
    compilation = backend._Compilation()
    monkeypatch.setattr(backend, "_compilation", lambda: compilation)
    late, soon = time.monotonic() + 100.0, time.monotonic() + 1.0
    assert backend.processing("auto", late) is backend.REFERENCE
    assert compilation._process is not None and compilation._process.stdin is not None
    compilation._process.stdin.write(b"x")
    compilation._process.stdin.flush()
    compilation._process.wait(20.0)
    assert backend.processing("auto", late) is backend.COMPILED
    assert backend.processing("auto", soon) is backend.REFERENCE
    assert backend.processing("compiled", soon) is backend.COMPILED
    assert backend.processing("reference", late) is backend.REFERENCE
    monkeypatch.setattr(backend, "_loaded", lambda kernel: kernel is backend.process_serial)
    assert backend.processing("auto", soon) is backend.COMPILED


def test_a_warm_cache_is_used_however_short_the_search(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "_loaded", lambda kernel: False)
    write_stamp([])
    compilation = backend._Compilation()
    monkeypatch.setattr(backend, "_compilation", lambda: compilation)
    assert backend.processing("auto", time.monotonic() + 0.1) is backend.COMPILED
    assert compilation._process is None


def test_of_several_compilations_at_once_one_compiles(empty_cache: Path) -> None:
    """The others wait, and find the kernels ready."""
    (empty_cache / f"{STAMP}.lock").touch()
    with (empty_cache / f"{STAMP}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = subprocess.Popen([sys.executable, "-m", "hybrid_ai.search.warm_up"])
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(3.0)
        write_stamp([])
    assert waiting.wait(30.0) == 0
    assert list(empty_cache.rglob("*.nbi")) == []
