"""Which lines of a reader's functions a set of inputs runs."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from benchmarks.fuzz.guard import observe
from benchmarks.fuzz.targets import Target


@dataclass(frozen=True)
class Covered:
    """Lines of functions of a reader: how many there are, and by file those that no input ran."""

    lines: int
    missing: Mapping[str, tuple[int, ...]]

    @property
    def percent(self) -> float:
        missing = sum(map(len, self.missing.values()))
        return 100.0 * (self.lines - missing) / max(self.lines, 1)


def module_names(patterns: Sequence[str]) -> list[str]:
    """The modules that some pattern names."""
    packages = sorted({pattern.rpartition(".")[0] for pattern in patterns})
    found = [
        f"{package}.{module.name}"
        for package in packages
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__)
    ]
    return [name for name in found if any(fnmatchcase(name, pattern) for pattern in patterns)]


def measure(target: Target, inputs: Iterable[bytes]) -> Covered:
    """Run a reader on all inputs and note the lines of its functions."""
    reader = target.load()
    wanted: dict[str, set[int]] = {}
    names = module_names(target.modules)
    for name in names:
        wanted[_file(name)] = set(_function_lines(name, target.beyond))
    left = {file: set(lines) for file, lines in wanted.items()}

    def line(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            left[frame.f_code.co_filename].discard(frame.f_lineno)
        return line

    def call(frame: FrameType, event: str, argument: Any) -> Any:
        missing = left.get(frame.f_code.co_filename)
        if not missing:
            return None
        missing.discard(frame.f_lineno)
        return line

    for name in names:
        # functions that make tables run when a module is imported, which it was: its text is run again
        with tracing(call):
            exec(_compiled(name), {"__name__": name, "__package__": name.rpartition(".")[0]})
    for data in inputs:
        with tracing(call):
            observe(reader, data)
    missing = {_short(file): tuple(sorted(lines)) for file, lines in left.items() if lines}
    return Covered(sum(map(len, wanted.values())), missing)


@contextmanager
def tracing(call: Any) -> Iterator[None]:
    """Have Python report calls in the block."""
    sys.settrace(call)
    try:
        yield
    finally:
        sys.settrace(None)


def _file(module: str) -> str:
    return importlib.import_module(module).__file__ or ""


def _compiled(module: str) -> CodeType:
    return compile(Path(_file(module)).read_text(encoding="utf-8"), _file(module), "exec")


def _function_lines(module: str, beyond: Mapping[str, str]) -> Iterator[int]:
    """The lines of a module's functions that hold code."""
    pending = [(_compiled(module), False)]
    while pending:
        code, is_function = pending.pop()
        if is_function and f"{module}:{code.co_qualname}" in beyond:
            continue
        if is_function:
            yield from (number for _, _, number in code.co_lines() if number)
        inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
        # the body of a class runs when the module is imported, like the module's own lines
        pending += [(one, bool(one.co_flags & 2)) for one in inner]


def _short(file: str) -> str:
    return file[file.rindex("hybrid_ai") :]


def ranges(numbers: Sequence[int]) -> str:
    """Numbers in increasing order as text, such as "3-5, 9"."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)
