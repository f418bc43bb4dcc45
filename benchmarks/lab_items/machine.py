"""What a figure depends on besides the program: the machine, the versions, the state of the sources."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.lab_items.base import ROOT, LabError


def git(*arguments: str) -> str:
    """What a git command that only reads prints."""
    result = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode:
        raise LabError(f"git {arguments[0]} failed: {result.stderr.strip()}")
    return result.stdout.strip()


def describe_commit() -> dict[str, Any]:
    """Commit, and whether files differ from it; results recorded since then do not count."""
    changed = git("status", "--porcelain", "--", ".", ":(exclude)benchmarks/results")
    return {"commit": git("rev-parse", "HEAD"), "dirty": bool(changed)}


def sources_digest() -> str:
    """Digest of everything a figure may depend on in this folder."""
    digest = hashlib.sha256()
    for folder in ("src", "benchmarks", "tests"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix in (".py", ".onnx", ".vnnlib"):
                digest.update(f"{path.relative_to(ROOT).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def kernel_cache() -> Path:
    """The folder for compiled kernels that belongs to this state of the sources, as the Makefile names it."""
    sources = sorted((ROOT / "src").rglob("*.py"), key=lambda path: path.relative_to(ROOT).as_posix())
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    return ROOT / "build" / "numba" / digest[:16]
