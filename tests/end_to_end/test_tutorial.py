"""The tutorial as it is written: its files, its commands in their order, and what it says they print."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

TUTORIAL = Path(__file__).resolve().parents[2] / "docs" / "tutorials" / "first-dossier.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = {"python": "train.py", "toml": "plan.toml"}
SETTING_UP = ("git ", "python3 -m venv", "pip ")


def steps(text: str) -> list[tuple[str, str]]:
    """The commands of a console block, each with the output shown after it."""
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
        else:
            command, shown = found[-1]
            found[-1] = command, f"{shown}{line}\n"
    return found


def as_shown(shown: str, said: str) -> bool:
    """Whether output is as shown, `...` standing for anything, and alone on its line for any lines."""
    lines = [
        "(?:.*\n)?" if line == "..." else re.escape(line).replace(re.escape("..."), ".*") + "\n"
        for line in shown.splitlines()
    ]
    return not shown or re.fullmatch("".join(lines), said, re.DOTALL) is not None


@pytest.mark.slow
def test_the_tutorial(tmp_path: Path) -> None:
    pytest.importorskip("skl2onnx", reason="skl2onnx is not installed: pip install 'hybrid-ai[sklearn]'")
    environment = os.environ | {
        "HYBRID_AI_PASSPHRASE": "correct horse battery",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    ran = 0
    for kind, text in BLOCK.findall(TUTORIAL.read_text(encoding="utf-8")):
        if kind in FILES:
            (tmp_path / FILES[kind]).write_text(text, encoding="utf-8")
            continue
        for command, shown in steps(text):
            if command.startswith(SETTING_UP):
                continue
            if command.startswith("hybrid-ai plan new"):
                (tmp_path / "plan.toml").unlink(missing_ok=True)
            arguments = shlex.split(command)
            done = subprocess.run(
                arguments,
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            refused = shown.startswith("hybrid-ai: ")
            assert done.returncode == (2 if refused else 0), (command, done)
            assert as_shown(shown, done.stderr if refused else done.stdout), (command, shown, done.stdout)
            ran += 1
    assert ran > 15
