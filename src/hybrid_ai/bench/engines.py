"""The verifiers that `hybrid-ai bench suite` runs: where they are, how they are called, what they answer.

Every engine is called by its own command line, on one core or as many as asked for, with the settings that
its authors chose for ACAS Xu.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hybrid_ai.bench.metered import Metered
from hybrid_ai.pipeline.errors import BadInput
from hybrid_ai.pipeline.isolation import python_command

OURS = "hybrid-ai"
RESULT = "result.txt"
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
SETTINGS = "exp_configs/vnncomp21/acasxu.yaml"
# alpha-beta-CROWN writes the competition's words, nnenum its own.
WORDS = {"unsat": "proved", "holds": "proved", "sat": "refuted", "violated": "refuted", "timeout": "timeout"}
ABCROWN_BOXES = re.compile(r"^(\d+) domains visited$", re.MULTILINE)
NNENUM_BOXES = re.compile(r"^Total Stars: (\d+) ", re.MULTILINE)


@dataclass(frozen=True)
class Job:
    """One instance to be decided.

    Attributes:
        onnx, vnnlib: absolute paths.
        seconds: time limit that the engine is told.
        threads: threads or processes that it may use.
        arithmetic: what our verdict is about; the others know one arithmetic only.
        folder: empty, of this run alone.
    """

    onnx: Path
    vnnlib: Path
    seconds: float
    threads: int
    arithmetic: str
    folder: Path


@dataclass(frozen=True)
class Answer:
    """A verdict (proved, refuted, unknown, timeout, error) and how many boxes or sets it took, where told."""

    verdict: str
    boxes: int | None


@dataclass(frozen=True)
class Engine:
    """A program that decides instances.

    Attributes:
        name: of the engine.
        start: command that starts it, with all that it imports, and does nothing; None for ours, whose search
            is measured by itself.
        command: that decides a job.
        answer: reads what the command left.
        variables: of its environment, besides those every engine gets.
        sources: digest of its program, "" for ours: the result states version and commit.
    """

    name: str
    start: tuple[str, ...] | None
    command: Callable[[Job], tuple[str, ...]]
    answer: Callable[[Job, Metered], Answer]
    variables: Mapping[str, str]
    sources: str

    def environment(self, threads: int) -> dict[str, str]:
        """What the engine sees: nothing of ours that changes what it imports or how many threads it uses."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        return {**kept, **dict.fromkeys(ONE_THREAD, str(threads)), **self.variables}


@dataclass(frozen=True)
class Peer:
    """Another engine that may be on this machine.

    Attributes:
        name: of the engine.
        folder_variable: environment variable that names its folder.
        python_variable: environment variable that names the Python that has what it needs.
        program: a file of the folder that must be there.
        build: makes the engine from folder and Python.
    """

    name: str
    folder_variable: str
    python_variable: str
    program: str
    build: Callable[[Path, str], Engine]

    def find(self) -> Engine | str:
        """The engine, or one line that says how to get it.

        Raises:
            BadInput: a variable names something that is not there.
        """
        folder = os.environ.get(self.folder_variable)
        if not folder:
            return (
                f"{self.folder_variable} is not set: set it to the folder of {self.name}'s sources, and "
                f"{self.python_variable} to the Python that has what it needs (docs/benchmarks.md)"
            )
        if not (Path(folder) / self.program).is_file():
            raise BadInput(
                f"{self.folder_variable}: {folder} has no {self.program}: name the folder that has"
            )
        python = os.environ.get(self.python_variable, "python3")
        found = shutil.which(python)
        if found is None:
            raise BadInput(f"{self.python_variable}: {python} is no program: name {self.name}'s Python")
        return self.build(Path(folder).absolute(), os.path.abspath(found))


def own_engine() -> Engine:
    """Ours: the command of this installation, search and check."""

    def command(job: Job) -> tuple[str, ...]:
        program = python_command("hybrid_ai.cli.main")
        files = (str(job.onnx), str(job.vnnlib))
        limits = ("--timeout", f"{job.seconds:g}", "--threads", str(job.threads))
        return (*program, "verify", *files, "--arithmetic", job.arithmetic, *limits, "--json")

    variables = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    return Engine(OURS, None, command, _own_answer, variables, "")


def _own_answer(job: Job, run: Metered) -> Answer:
    lines = [line for line in run.output.splitlines() if line.startswith("{")]
    if run.code not in (0, 10, 20) or not lines:
        return Answer("timeout" if run.timed_out else "error", None)
    content = json.loads(lines[-1])
    late = content["verdict"] == "unknown" and content["reason"] == "timeout"
    return Answer("timeout" if late else content["verdict"], content["bounded"])


def _abcrown(folder: Path, python: str) -> Engine:
    program = folder / "complete_verifier" / "abcrown.py"

    def command(job: Job) -> tuple[str, ...]:
        return (
            python, str(program), "--config", str(program.parent / SETTINGS), "--device", "cpu",
            "--onnx_path", str(job.onnx), "--vnnlib_path", str(job.vnnlib), "--timeout", f"{job.seconds:g}",
            "--results_file", str(job.folder / RESULT),
        )  # fmt: skip

    start = (python, str(program), "--help")
    variables = {"PYTHONPATH": str(folder)}
    return Engine(
        "alpha-beta-CROWN", start, command, _reader(ABCROWN_BOXES), variables, _digest(program.parent)
    )


def _nnenum(folder: Path, python: str) -> Engine:
    def command(job: Job) -> tuple[str, ...]:
        files = (str(job.onnx), str(job.vnnlib))
        last = (f"{job.seconds:g}", str(job.folder / RESULT), str(job.threads))
        return (python, "-m", "nnenum.nnenum", *files, *last)

    start = (python, "-c", "import nnenum.nnenum")
    # Its threads would come on top of its processes.
    variables = {"PYTHONPATH": str(folder / "src"), **dict.fromkeys(ONE_THREAD, "1")}
    return Engine("nnenum", start, command, _reader(NNENUM_BOXES), variables, _digest(folder / "src"))


def _reader(boxes: re.Pattern[str]) -> Callable[[Job, Metered], Answer]:
    """Reads the first word of the result file, and the last count in the output."""

    def answer(job: Job, run: Metered) -> Answer:
        result = job.folder / RESULT
        words = result.read_text(encoding="utf-8", errors="replace").split() if result.exists() else []
        counts = boxes.findall(run.output)
        verdict = WORDS.get(words[0].lower(), "unknown") if words else "error"
        return Answer("timeout" if run.timed_out else verdict, int(counts[-1]) if counts else None)

    return answer


def _digest(folder: Path) -> str:
    """SHA-256 over the names and contents of the Python files below a folder, which tells versions apart."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(f"{path.relative_to(folder).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()


PEERS = (
    Peer(
        "alpha-beta-CROWN",
        "HYBRID_AI_ABCROWN",
        "HYBRID_AI_ABCROWN_PYTHON",
        "complete_verifier/abcrown.py",
        _abcrown,
    ),
    Peer("nnenum", "HYBRID_AI_NNENUM", "HYBRID_AI_NNENUM_PYTHON", "src/nnenum/nnenum.py", _nnenum),
)


def find_engines() -> tuple[tuple[Engine, ...], dict[str, str]]:
    """Ours and the peers that are here, and for each that is not, one line with the remedy.

    Raises:
        BadInput: a variable names something that is not there.
    """
    found = {peer.name: peer.find() for peer in PEERS}
    engines = tuple(one for one in found.values() if isinstance(one, Engine))
    return (own_engine(), *engines), {name: one for name, one in found.items() if isinstance(one, str)}
