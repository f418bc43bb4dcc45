"""Plugin of pytest that runs mutants instead of tests; started by benchmarks/mutate_checker.py.

All tests are collected once. Then each mutant is a forked process: the changed function's code (or the
changed constant, wherever it was imported) replaces the original, and the tests that reach the changed line
run, those that refuse something first, until one fails. What cannot be replaced in place (defaults of
arguments and fields, the program itself) is written to a copy of the package and tested by a new pytest.
"""

from __future__ import annotations

import ast
import gc
import importlib
import json
import os
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from benchmarks.mutants import Mutant, mutants

PACKAGE = "hybrid_ai.checker"
MEMORY = 8 * 2**30
# Processor time is limited test by test (the timer in `_judge`); this is for what hangs idle, wall seconds.
HANGING = 300.0
# After the first failure so many seconds are spent on finding a test that shows an acceptance.
DEMONSTRATION = 0.2
# The program is tested in processes of its own, which are not traced.
PROGRAM_TESTS = "tests/checker/test_check.py"
ACCEPTANCE = re.compile(r"DID NOT RAISE|^[> ] +assert not [\w.()]*holds\(", re.MULTILINE)
REFUSING = re.compile("refused|reject|not_|never|tamper|limit|steps|gaps|malformed|unsupported|bad")


@dataclass(frozen=True)
class Reached:
    """What one test reached in the checker: (module, line) pairs, and how long it took."""

    lines: frozenset[tuple[str, int]]
    seconds: float


@dataclass
class Job:
    """A running child."""

    row: dict[str, Any]
    process: int
    pipe: int
    deadline: float
    answer: bytes = b""


def pytest_runtestloop(session: pytest.Session) -> bool:
    plan = json.loads(Path(os.environ["MUTATION_PLAN"]).read_text())
    results = Path(os.environ["MUTATION_RESULTS"])
    reached = _baseline(session)
    print(f"\n{sum(r is not None for r in reached)} of {len(session.items)} tests pass and take part")
    sources = {row["module"]: Path(f"src/hybrid_ai/checker/{row['module']}.py") for row in plan["todo"]}
    trees = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in sources.items()}
    listed = {name: mutants(tree) for name, tree in trees.items()}
    waiting, running = list(reversed(plan["todo"])), list[Job]()
    gc.freeze()  # children share the pages of everything collected so far
    total, started = len(waiting), time.monotonic()
    with results.open("a", encoding="utf-8") as stream:
        while waiting or running:
            while waiting and len(running) < plan["jobs"]:
                row = waiting.pop()
                mutant = listed[row["module"]][row["number"]]
                tree = trees[row["module"]]
                running.append(_start(session, row, mutant, tree, reached, plan["timeout"]))
            for job in _finished(running):
                stream.write(json.dumps(job.row) + "\n")
                stream.flush()
                done = total - len(waiting) - len(running)
                if done % 100 == 0:
                    print(f"{done} of {total}, {time.monotonic() - started:.0f} s", flush=True)
    return True


def _run_item(item: pytest.Item) -> list[str]:
    """Texts of the failures of one test; empty when it passed."""
    return [
        report.longreprtext for report in runtestprotocol(item, nextitem=None, log=False) if report.failed
    ]


# ---- which test reaches what


def _baseline(session: pytest.Session) -> list[Reached | None]:
    """Run every test once, in a child; None for those that fail."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        _silence()
        found = [_trace(item) for item in session.items]
        rows = [None if r is None else [sorted(r.lines), r.seconds] for r in found]
        with os.fdopen(write, "w") as stream:
            json.dump(rows, stream)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as stream:
        rows = json.load(stream)
    os.waitpid(child, 0)
    return [None if r is None else Reached(frozenset((m, n) for m, n in r[0]), r[1]) for r in rows]


def _trace(item: pytest.Item) -> Reached | None:
    lines: set[tuple[str, int]] = set()
    names: dict[str, str] = {}

    def inside(frame: FrameType, event: str, argument: object) -> Any:
        lines.add((names[frame.f_code.co_filename], frame.f_lineno))
        return inside

    def entered(frame: FrameType, event: str, argument: object) -> Any:
        file = frame.f_code.co_filename
        if file not in names:
            names[file] = Path(file).stem if Path(file).parent.name == "checker" and "src" in file else ""
        return inside(frame, event, argument) if names[file] else None

    start = time.monotonic()
    sys.settrace(entered)
    try:
        failures = _run_item(item)
    finally:
        sys.settrace(None)
    return None if failures else Reached(frozenset(lines), time.monotonic() - start)


# ---- one mutant


def _start(
    session: pytest.Session,
    row: dict[str, Any],
    mutant: Mutant,
    tree: ast.Module,
    reached: list[Reached | None],
    timeout: float,
) -> Job:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.close(read)
        _silence()
        try:
            answer = _judge(session, row["module"], mutant, tree, reached, timeout)
            os.write(write, json.dumps(answer).encode())
        finally:
            os._exit(0)  # without an answer: the mutant cannot even be loaded
    os.close(write)
    return Job(row, child, read, time.monotonic() + HANGING)


def _finished(running: list[Job]) -> list[Job]:
    """Jobs that answered, died or ran out of time; their rows are completed."""
    done = []
    ready, _, _ = select.select([job.pipe for job in running], [], [], 0.05)
    for job in list(running):
        late = time.monotonic() > job.deadline
        if job.pipe not in ready and not late:
            continue
        job.answer = os.read(job.pipe, 65536) if job.pipe in ready else b""
        os.close(job.pipe)
        if late:
            os.kill(job.process, signal.SIGKILL)
        _, code = os.waitpid(job.process, 0)
        stopped = late or (os.WIFSIGNALED(code) and os.WTERMSIG(code) == signal.SIGPROF)
        status = "timeout" if stopped else "killed"  # no answer: it crashed
        job.row |= {"status": status, "unsound": False, "killer": ""}
        if job.answer:
            job.row |= json.loads(job.answer)
        running.remove(job)
        done.append(job)
    return done


def _judge(
    session: pytest.Session,
    name: str,
    mutant: Mutant,
    tree: ast.Module,
    reached: list[Reached | None],
    timeout: float,
) -> dict[str, Any]:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    module = importlib.import_module(f"{PACKAGE}.{name}") if name != "__main__" else None
    original = compile(ast.fix_missing_locations(tree), f"{name}.py", "exec")
    mutant.apply()
    try:
        changed = compile(ast.fix_missing_locations(tree), f"{name}.py", "exec")
    except (SyntaxError, ValueError, TypeError):
        return {"status": "invalid"}
    if changed == original:
        return {"status": "invalid"}
    chosen = _chosen_tests(session, name, reached)
    if module is None:
        return _judge_by_file(name, tree, chosen)
    if mutant.function and _replace_function(module, mutant.function, original, changed):
        lines = {(name, mutant.line)}
        order = [i for i, r in enumerate(reached) if r is not None and r.lines & lines]
    elif not mutant.function and _replace_constants(module, tree, mutant):
        order = [
            i
            for i, r in enumerate(reached)
            if r is not None and (not r.lines or any(m == name for m, _ in r.lines))
        ]
    else:
        return _judge_by_file(name, tree, chosen)
    if not order:  # it runs while the module is imported, if at all
        return _judge_by_file(name, tree, chosen)
    order.sort(key=lambda i: (not REFUSING.search(session.items[i].nodeid), _seconds(reached[i])))
    killer, until = "", float("inf")
    for i in order:
        item = session.items[i]
        if killer and (not REFUSING.search(item.nodeid) or time.monotonic() > until):
            break
        signal.setitimer(signal.ITIMER_PROF, timeout + 2 * _seconds(reached[i]))
        failures = _run_item(item)
        signal.setitimer(signal.ITIMER_PROF, 0)
        if failures and not killer:
            killer, until = item.nodeid, time.monotonic() + DEMONSTRATION
        if any(ACCEPTANCE.search(text) for text in failures):
            return {"status": "killed", "unsound": True, "killer": item.nodeid}
    return {"status": "killed" if killer else "survived", "killer": killer}


def _chosen_tests(session: pytest.Session, name: str, reached: list[Reached | None]) -> list[str]:
    """Arguments of pytest: the files of tests that reach a module, those with the most such tests first, and
    those of the program; without the tests that fail anyhow.
    """
    pairs = list(zip(session.items, reached, strict=True))
    files = Counter(
        item.nodeid.split("::")[0]
        for item, r in pairs
        if r is not None and any(module == name for module, _ in r.lines)
    )
    failing = [f"--deselect={item.nodeid}" for item, r in pairs if r is None]
    return [*dict.fromkeys([*(file for file, _ in files.most_common()), PROGRAM_TESTS]), *failing]


def _seconds(reached: Reached | None) -> float:
    return 0.0 if reached is None else reached.seconds


def _codes(code: CodeType, prefix: str = "") -> dict[str, list[CodeType]]:
    """Code objects of functions by dotted name, as the syntax tree names them."""
    found: dict[str, list[CodeType]] = {}
    for part in code.co_consts:
        if isinstance(part, CodeType) and not part.co_name.startswith("<"):
            name = f"{prefix}{part.co_name}"
            found.setdefault(name, []).append(part)
            for inner, parts in _codes(part, f"{name}.").items():
                found.setdefault(inner, []).extend(parts)
    return found


def _replace_function(module: ModuleType, name: str, original: CodeType, changed: CodeType) -> bool:
    """Give the outermost function that changed its new code; False when the change is elsewhere."""
    old, new = _codes(original), _codes(changed)
    parts = name.split(".")
    target: Any = module
    for depth, part in enumerate(parts, start=1):
        target = vars(target).get(part)
        target = target.fget if isinstance(target, property) else getattr(target, "__func__", target)
        if isinstance(target, FunctionType):
            path = ".".join(parts[:depth])
            if len(new[path]) != 1 or new[path] == old[path]:
                return False
            if new[path][0].co_freevars != target.__code__.co_freevars:
                return False
            target.__code__ = new[path][0]
            return True
        if not isinstance(target, type):
            return False
    return False


def _replace_constants(module: ModuleType, tree: ast.Module, mutant: Mutant) -> bool:
    """Evaluate the changed constant and those made of it anew, and put them wherever they were imported."""
    changed: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, ast.AnnAssign) and statement.value is not None:
            target: ast.expr = statement.target
        elif isinstance(statement, ast.Assign):
            target = statement.targets[0]
        else:
            continue
        if not isinstance(target, ast.Name) or statement.value is None:
            continue
        used = {part.id for part in ast.walk(statement.value) if isinstance(part, ast.Name)}
        holds = any(part is mutant.node for part in ast.walk(statement))
        if not holds and not used & changed:
            continue
        name = target.id
        old = vars(module)[name]
        code = compile(ast.Expression(statement.value), "constant", "eval")
        new = eval(code, vars(module))
        changed.add(name)
        for other in list(sys.modules.values()):
            if getattr(other, "__name__", "").startswith(PACKAGE) and vars(other).get(name) is old:
                setattr(other, name, new)
    return bool(changed)


def _judge_by_file(name: str, tree: ast.Module, chosen: list[str]) -> dict[str, Any]:
    """Run the chosen tests on a copy of the package in which the module is the changed one."""
    folder = Path(f"file-{os.getpid()}")
    shutil.copytree("src", folder / "src")
    (folder / "src" / "hybrid_ai" / "checker" / f"{name}.py").write_text(ast.unparse(tree), encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MUTATION")}
    environment["PYTHONPATH"] = os.pathsep.join([str((folder / "src").resolve()), os.getcwd()])
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", "not slow"]
    command += chosen
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    shutil.rmtree(folder)
    if done.returncode == 0:
        return {"status": "survived"}
    return {"status": "killed", "unsound": bool(ACCEPTANCE.search(done.stdout)), "killer": "by file"}


def _silence() -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
