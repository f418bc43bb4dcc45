"""Certificates: how large they are and what checking them costs in both engines."""

from __future__ import annotations

import json
import sys
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.lab_items.base import Bench, Figure, Item, LabError, Report, at_most, count, plain
from benchmarks.lab_items.processes import PYTHON, measure, succeed, warm_up
from benchmarks.lab_items.suites import SuiteRun, choose, label, rows_of, run_suite

MOST_BYTES_A_LEAF = 8.0
MOST_FAST_SECONDS = 40.0
MOST_EXACT_MINUTES = 20.0
EXACT_PROCESSES = 2
SMALL_EXACT = 2
CHECKER = [PYTHON, "-P", "-m", "hybrid_ai.checker"]
Answer = dict[str, Any]


@dataclass(frozen=True)
class Proof:
    """A certificate with what it belongs to; `label` names it, `leaves` is what the search says."""

    label: str
    model: Path
    claim: Path
    certificate: Path
    leaves: int

    @property
    def size(self) -> int:
        return self.certificate.stat().st_size


def proofs_of(source: Path, suite: SuiteRun) -> list[Proof]:
    return [
        Proof(
            label(row),
            source / row["onnx"],
            source / row["vnnlib"],
            Path(content["certificate"]["path"]),
            content["leaves"],
        )
        for row, content in zip(suite.rows, suite.contents, strict=True)
        if content["verdict"] == "proved"
    ]


def check_fast(proofs: list[Proof]) -> Answer:
    """Have one process judge all of them: their answers, its wall and CPU seconds (start included)."""
    requests = [
        {
            "model": str(one.model),
            "property": str(one.claim),
            "evidence": str(one.certificate),
            "engine": "fast",
        }
        for one in proofs
    ]
    text = "".join(json.dumps(request) + "\n" for request in requests)
    command = [*CHECKER, "--serve"]
    measured = succeed(measure(command, request=text), command)
    answers = [json.loads(line) for line in measured.output.splitlines()]
    return {"answers": answers, "wall": measured.wall, "cpu": measured.cpu}


def check_exact(proof: Proof) -> Answer:
    command = [
        *CHECKER,
        str(proof.model),
        str(proof.claim),
        str(proof.certificate),
        "--engine",
        "exact",
        "--json",
    ]
    measured = measure(command)
    if not measured.output:
        raise LabError(
            f"the checker ended with status {measured.code} on {proof.label}: {measured.errors[-200:]}"
        )
    return {**json.loads(measured.output), "wall": measured.wall, "cpu": measured.cpu}


def check_all_exact(bench: Bench, proofs: list[Proof]) -> list[Answer]:
    """Judge them in two processes at a time, the largest first, but for those of an interrupted run."""
    names = {one: f"exact {one.label}" for one in proofs}
    todo = [one for one in sorted(proofs, key=lambda one: -one.size) if bench.kept(names[one]) is None]
    pool = ThreadPoolExecutor(EXACT_PROCESSES)
    start = perf_counter()
    try:
        futures: dict[Future[Answer], Proof] = {pool.submit(check_exact, one): one for one in todo}
        for number, future in enumerate(as_completed(futures), start=1):
            answer = future.result()
            bench.keep(names[futures[future]], answer)
            told = f"{futures[future].label}: {answer['status']}, {answer['wall']:.1f} s"
            seconds = perf_counter() - start
            print(f"exact {number}/{len(todo)}: {told}, {seconds:.0f} s in all", file=sys.stderr)
    finally:
        pool.shutdown(cancel_futures=True)
    return [bench.kept(names[one]) for one in proofs]


def valid(answers: list[Answer]) -> int:
    return sum(answer["status"] == "valid" and answer["kind"] == "certificate" for answer in answers)


def leaves_of(answers: list[Answer]) -> int:
    return sum(answer.get("leaves", 0) for answer in answers)


def size_figures(proofs: list[Proof]) -> list[Figure]:
    size, leaves = sum(one.size for one in proofs), sum(one.leaves for one in proofs)
    return [
        plain("certificates", len(proofs)),
        plain("bytes", size),
        plain("leaves", leaves),
        at_most("bytes a leaf", size / max(1, leaves), MOST_BYTES_A_LEAF, ""),
    ]


def fast_figures(fast: Answer) -> list[Figure]:
    answers = fast["answers"]
    return [
        count("fast: accepted", valid(answers), len(answers)),
        at_most("fast: CPU seconds", fast["cpu"], MOST_FAST_SECONDS, "s"),
        plain("fast: leaves a CPU second", leaves_of(answers) / fast["cpu"]),
    ]


def exact_figures(answers: list[Answer]) -> list[Figure]:
    """Minutes on two cores: half of the sum, or the longest where that is more."""
    walls, cpu = [answer["wall"] for answer in answers], sum(answer["cpu"] for answer in answers)
    minutes = max(sum(walls) / EXACT_PROCESSES, *walls, 0.0) / 60
    return [
        count("exact: accepted", valid(answers), len(answers)),
        plain("exact: CPU seconds", cpu, "s"),
        at_most("exact: minutes on 2 cores", minutes, MOST_EXACT_MINUTES, "min"),
        plain("exact: leaves a CPU second", leaves_of(answers) / max(cpu, 1e-9)),
    ]


def run(bench: Bench) -> Report:
    rows = {name: choose(bench, rows_of(bench, name)) for name in ("acasxu", "tiny", "vdp")}
    warm_up()
    suites = {name: run_suite(bench, name, bench.data / name, some) for name, some in rows.items()}
    proofs = {name: proofs_of(bench.data / name, suite) for name, suite in suites.items()}
    fast = bench.once("fast", lambda: check_fast(proofs["acasxu"]))
    figures = [*size_figures(proofs["acasxu"]), *fast_figures(fast)]
    details: dict[str, Any] = {"fast": dict(zip(labels(proofs["acasxu"]), fast["answers"], strict=True))}
    for name, some in proofs.items():
        chosen = sorted(some, key=lambda one: one.size)[:SMALL_EXACT] if bench.small else some
        answers = check_all_exact(bench, chosen)
        details[f"exact {name}"] = dict(zip(labels(chosen), answers, strict=True))
        if name == "acasxu":
            figures += exact_figures(answers)
        else:
            figures.append(count(f"exact: {name} accepted", valid(answers), len(answers)))
    return Report(tuple(figures), details, any(suite.resumed for suite in suites.values()))


def labels(proofs: list[Proof]) -> list[str]:
    return [one.label for one in proofs]


ITEM = Item(
    "certificates",
    "bytes a leaf, cost of both engines on all certificates of acasxu, exact also on tiny and vdp",
    "up to 30 minutes",
    run,
)
