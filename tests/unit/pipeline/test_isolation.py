"""Our modules in processes of their own: what the environment names changes nothing about them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import hybrid_ai
from hybrid_ai.pipeline.checking import COMMAND, Checker, check
from hybrid_ai.pipeline.isolation import python_command
from tests.audit_builder import demo_sources

PACKAGE = Path(hybrid_ai.__file__).parent
ALARM = "raise SystemExit('imported')\n"
# Answers as the checker does, whatever it is asked.
ACCEPTS = """
import json, sys
answer = json.dumps({"status": "valid", "kind": "certificate", "arithmetic": "both", "engine": "fast"})
print(answer, flush=True)
if "--serve" in sys.argv:
    for line in sys.stdin:
        print(answer, flush=True)
"""


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A folder with a checker that accepts everything, and modules of the names that ours imports."""
    names = ("struct", "json", "runpy", "pathlib", "argparse", "numpy", "sitecustomize", "usercustomize")
    files = {f"{name}.py": ALARM for name in names}
    files |= {"hybrid_ai/__init__.py": "", "hybrid_ai/checker/__init__.py": ""}
    return write(tmp_path / "hostile", {**files, "hybrid_ai/checker/__main__.py": ACCEPTS})


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path, Path]:
    """Model, property, a certificate, and one that proves nothing."""
    source = demo_sources()[0]
    assert source.evidence is not None
    named = {"m": source.model, "p": source.property, "good": source.evidence, "bad": source.evidence[:-4]}
    for name, data in named.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path / "m", tmp_path / "p", tmp_path / "good", tmp_path / "bad"


@pytest.mark.parametrize("place", ["PYTHONPATH", "the working folder", "an empty part of PYTHONPATH"])
def test_a_checker_that_accepts_everything_is_not_asked(
    hostile: Path, files: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    if place == "PYTHONPATH":
        monkeypatch.setenv("PYTHONPATH", str(hostile))
    else:
        monkeypatch.chdir(hostile)
        monkeypatch.setenv("PYTHONPATH", "" if place == "the working folder" else f":{hostile}:")
    model, claim, good, bad = files
    for engine in ("fast", "exact"):
        assert check(model, claim, good, engine=engine).status == "valid"  # type: ignore[arg-type]
        assert check(model, claim, bad, engine=engine).status == "rejected"  # type: ignore[arg-type]
    with Checker() as checker:
        assert checker.ask(model, claim, bad, "fast", time.monotonic() + 60).status == "rejected"


def test_nothing_is_proved_by_it(hostile: Path, files: tuple[Path, ...]) -> None:
    """From the command line, which itself was started so that it does not see that folder."""
    program = [sys.executable, "-I", "-m", "hybrid_ai.cli.main"]
    environment = {**os.environ, "PYTHONPATH": str(hostile)}
    model, claim, good, bad = map(str, files)
    for evidence, code in ((good, 0), (bad, 30)):
        command = [*program, "check", model, claim, evidence, "--json"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (code, "")
        assert json.loads(done.stdout)["status"] == ("rejected" if code else "valid")


def test_packages_that_are_nowhere_else_come_from_pythonpath(tmp_path: Path) -> None:
    folder = write(tmp_path / "more", {"only_there.py": "import sys\nprint(__name__, sys.argv[1:])\n"})
    done = subprocess.run(
        [*python_command("only_there"), "-x", "y"],
        env={**os.environ, "PYTHONPATH": f":{folder}"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "__main__ ['-x', 'y']\n"


def test_the_module_is_of_the_same_copy_of_the_package(tmp_path: Path, hostile: Path) -> None:
    """Not of one that is installed, nor of one that PYTHONPATH names."""
    copy = write(tmp_path / "copy", {"hybrid_ai/__init__.py": "", "hybrid_ai/checker/__init__.py": ""})
    write(copy, {"hybrid_ai/checker/__main__.py": "print(__file__)\n"})
    (copy / "hybrid_ai/pipeline").mkdir()
    program = shutil.copy(PACKAGE / "pipeline/isolation.py", copy / "hybrid_ai/pipeline/isolation.py")
    done = subprocess.run(
        [sys.executable, "-E", "-P", str(program), "hybrid_ai.checker"],
        env={**os.environ, "PYTHONPATH": str(hostile)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == f"{copy / 'hybrid_ai/checker/__main__.py'}\n"


@pytest.mark.parametrize(
    ("variable", "flag"), [("PYTHONNOUSERSITE", "-s"), ("PYTHONDONTWRITEBYTECODE", "-B")]
)
def test_what_variables_switch_off_stays_off(variable: str, flag: str) -> None:
    program = "from hybrid_ai.pipeline.isolation import python_command; print(*python_command('m'))"
    for value, is_there in (("1", True), ("", False)):
        command = [sys.executable, "-c", program]
        environment = {**os.environ, variable: value}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert (flag in done.stdout.split()) == is_there
    assert COMMAND[1:3] == ("-E", "-P") and COMMAND[-1] == "hybrid_ai.checker"
