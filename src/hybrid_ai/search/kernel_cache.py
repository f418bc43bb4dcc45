"""Whether the compiled kernels are in numba's cache, without asking numba (which takes a second to load)."""

import os
import platform
import sys
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
KERNELS = ("bounds/arrays.py", "bounds/backends/*.py", "search/compiled/*.py")
STAMP = "hybrid-ai-kernels"


def _sources() -> list[Path]:
    return sorted(path for pattern in KERNELS for path in PACKAGE.glob(pattern))


def _cpu() -> str:
    """Name and features of the processor; numba compiles for exactly these."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return "\n".join(
        dict.fromkeys(line for line in lines if line.startswith(("model name", "flags", "Features")))
    )


def cache_key() -> str:
    """Digest of all that numba's cache depends on: sources and their times, numba, Python, processor."""
    digest = sha256()
    for path in _sources():
        digest.update(f"{path} {path.stat().st_mtime_ns}\n".encode())
        digest.update(path.read_bytes())
    settings = sorted(f"{name}={value}" for name, value in os.environ.items() if name.startswith("NUMBA_CPU"))
    facts = (version("numba"), sys.implementation.cache_tag, platform.machine(), _cpu(), *settings)
    digest.update("\n".join(str(fact) for fact in facts).encode())
    return digest.hexdigest()


def stamp_file() -> Path:
    """The file that says that every kernel is in the cache, in a folder that numba's cache is in or near."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    if chosen:
        return Path(chosen) / STAMP
    beside = PACKAGE / "search" / "compiled" / "__pycache__"
    if os.access(beside if beside.exists() else beside.parent, os.W_OK):
        return beside / STAMP
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "numba" / STAMP


def lock_file() -> Path:
    """The file that is locked while kernels are compiled."""
    return stamp_file().with_name(f"{STAMP}.lock")


def write_stamp(index_files: list[Path]) -> None:
    """Say that every kernel is in the cache, as these files of numba's show.

    Raises:
        OSError: the file cannot be written.
    """
    file = stamp_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f"{file.name}.{os.getpid()}")
    partial.write_text("\n".join([cache_key(), *map(str, index_files)]), encoding="utf-8")
    partial.replace(file)


def kernels_ready() -> bool:
    """Whether the kernels need no compilation, as far as can be told cheaply; an error only costs time."""
    try:
        key, *index_files = stamp_file().read_text(encoding="utf-8").splitlines()
        return key == cache_key() and all(Path(name).is_file() for name in index_files)
    except (OSError, ValueError, PackageNotFoundError, RuntimeError):
        return False  # no stamp, or one that cannot be read: the kernels count as not compiled
