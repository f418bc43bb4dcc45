"""Mutation test of the trusted checker: every small change of its sources must be noticed by its tests.

    python -m benchmarks.mutate_checker [--module NAME ...] [--sample N] [--list] [--results FILE]

Each mutant (benchmarks/mutants.py) is killed by a failing test, by a timeout, or survives. Survivors must
stand in benchmarks/mutants_accepted.toml with a reason, and what stands there must survive; otherwise the
exit status is 1. Mutants of which a test shows that they accept what the checker refuses are counted as
unsound. The tests run in a temporary copy of the sources; results are kept, and reused while the module
(and, for survivors, the tests) are the same. Tests that fail without any mutant, and `slow` ones, take no
part.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchmarks.mutants import mutants

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path("src/hybrid_ai/checker")
ACCEPTED = ROOT / "benchmarks" / "mutants_accepted.toml"
# Soundness hangs on these first.
ENGINES = ("exact", "exact_lines", "exact_network", "fast", "fast_lines", "fast_network", "packed")
ORDER = ("rules", "decode", *ENGINES, "grid", "check", "counterexample")
READER_TESTS = ("test_onnx*.py", "test_vnnlib*.py", "test_protobuf*.py", "test_property*.py")


def module_names() -> list[str]:
    names = [path.stem for path in sorted((ROOT / PACKAGE).glob("*.py"))]
    return sorted(names, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))


def digest(*paths: Path) -> str:
    return sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:16]


def read_results(path: Path) -> dict[str, dict[str, Any]]:
    """The last result of each mutant, by module and name."""
    if not path.exists():
        return {}
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {f"{row['module']}: {row['name']}": row for row in rows}


def copy_sources(folder: Path) -> None:
    """What the tests need: the package, the checker's tests, the configuration of pytest."""
    shutil.copytree(ROOT / "src" / "hybrid_ai", folder / "src" / "hybrid_ai")
    (folder / "tests").mkdir()
    for name in ("__init__.py", "conftest.py"):
        shutil.copy(ROOT / "tests" / name, folder / "tests" / name)
    shutil.copytree(ROOT / "tests" / "checker", folder / "tests" / "checker")
    shutil.copytree(ROOT / "benchmarks", folder / "benchmarks")
    shutil.copy(ROOT / "pyproject.toml", folder / "pyproject.toml")


def run(folder: Path, todo: list[dict[str, Any]], options: argparse.Namespace) -> None:
    """Run the mutants in one pytest session over the copy; it appends to the file of results."""
    plan = folder / "plan.json"
    plan.write_text(json.dumps({"todo": todo, "jobs": options.jobs, "timeout": options.timeout}))
    paths = [str(folder), str(folder / "src")]
    environment = {k: v for k, v in os.environ.items() if k != "HYBRID_AI_DATA"}
    environment |= {
        "PYTHONPATH": os.pathsep.join(paths),
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MUTATION_PLAN": str(plan),
        "MUTATION_RESULTS": str(options.results.resolve()),
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "benchmarks.mutation_runner",
    ]
    command += ["-m", "not slow", "--assert=plain", "--tb=short", "--continue-on-collection-errors"]
    if all(row["module"] in ORDER for row in todo):
        # The readers' own tests say nothing about other modules.
        command += [f"--ignore-glob=*/{pattern}" for pattern in READER_TESTS]
    command += ["tests/checker"]
    subprocess.run(command, cwd=folder, env=environment, check=False)


def select(names: list[str], sample: int | None, known: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of all chosen mutants, with the earlier status where it still stands."""
    tests = digest(*sorted((ROOT / "tests" / "checker").glob("*.py")))
    rows: list[dict[str, Any]] = []
    for module in names:
        path = ROOT / PACKAGE / f"{module}.py"
        source = digest(path)
        for number, mutant in enumerate(mutants(ast.parse(path.read_text(encoding="utf-8")))):
            row: dict[str, Any] = {
                "module": module,
                "number": number,
                "name": mutant.name,
                "line": mutant.line,
            }
            row |= {"operator": mutant.operator, "source": source, "tests": tests, "status": None}
            old = known.get(f"{module}: {mutant.name}")
            if old and old["source"] == source and (old["status"] != "survived" or old["tests"] == tests):
                row |= {key: old[key] for key in ("status", "unsound", "killer")}
            rows.append(row)
    if sample is not None and sample < len(rows):
        chosen = set(random.Random(0).sample(range(len(rows)), sample))
        rows = [row for i, row in enumerate(rows) if i in chosen]
    return rows


def accepted_survivors() -> dict[str, str]:
    """Reason of each listed mutant."""
    groups = tomllib.loads(ACCEPTED.read_text(encoding="utf-8"))["group"]
    return {f"{group['module']}: {name}": group["reason"] for group in groups for name in group["mutants"]}


def report(rows: list[dict[str, Any]], whole: bool) -> int:
    """Print the totals and every disagreement with the list; 0 when there is none."""
    accepted = accepted_survivors()
    defects = 0
    by_key = {f"{row['module']}: {row['name']}": row for row in rows}
    for key, row in by_key.items():
        place = f"src/hybrid_ai/checker/{row['module']}.py:{row['line']}: {row['operator']}: {row['name']}"
        if row["status"] == "survived" and key not in accepted:
            print(f"SURVIVED {place}")
            defects += 1
        elif row["status"] != "survived" and key in accepted:
            print(f"LISTED, BUT {row['status'].upper()} {place}")
            defects += 1
    if whole:
        names = {row["module"] for row in rows}
        for key in accepted:
            if key not in by_key and key.split(":")[0] in names:
                print(f"LISTED, BUT NO MUTANT {key}")
                defects += 1
    print(
        f"{'module':24}{'mutants':>9}{'killed':>9}{'timeout':>9}{'survived':>9}{'invalid':>9}{'unsound':>9}"
    )
    for name in [*dict.fromkeys(row["module"] for row in rows), "total"]:
        part = [row for row in rows if name in (row["module"], "total")]
        count = Counter(row["status"] for row in part)
        cells = [len(part), *(count[status] for status in ("killed", "timeout", "survived", "invalid"))]
        print(f"{name:24}" + "".join(f"{cell:9}" for cell in [*cells, sum(bool(r["unsound"]) for r in part)]))
    return 1 if defects else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--module", action="append", choices=module_names(), help="only this module (repeatable)"
    )
    parser.add_argument(
        "--sample", type=int, help="only so many mutants, chosen at random but always the same"
    )
    parser.add_argument("--list", action="store_true", help="list the mutants and stop")
    parser.add_argument("--jobs", type=int, default=2, help="processes (2)")
    parser.add_argument(
        "--timeout", type=float, default=4, help="processor seconds a test may take longer (4)"
    )
    parser.add_argument("--results", type=Path, default=Path("build/mutants.jsonl"), help="file of results")
    options = parser.parse_args()
    rows = select(options.module or module_names(), options.sample, read_results(options.results))
    if options.list:
        for row in rows:
            print(f"{row['module']}.py:{row['line']}: {row['operator']}: {row['name']}")
        return 0
    todo = [row for row in rows if row["status"] is None]
    if todo:
        options.results.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as name:
            copy_sources(Path(name))
            run(Path(name), todo, options)
        known = read_results(options.results)
        for row in todo:
            row |= known.get(f"{row['module']}: {row['name']}", {})
    missing = [row for row in rows if row["status"] is None]
    if missing:
        print(f"{len(missing)} mutants were not run; start the program again")
        return 1
    return report(rows, options.sample is None)


if __name__ == "__main__":
    sys.exit(main())
