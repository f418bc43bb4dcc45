"""What auto_LiRPA's optimised slopes are worth as hints: roots that they close and plain CROWN does not.

The problems are stated here: CASES networks with random weights, and the claim that around one point the
largest output stays the largest. The radius is RADIUS times the largest radius that plain CROWN shows (found
by halving), so it depends on plain CROWN and on nothing that the slopes do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from importlib.metadata import version
from itertools import product
from pathlib import Path
from time import monotonic, process_time
from typing import Any

import numpy as np

from benchmarks.lab_items.base import Bench, Figure, Item, LabError, Report, at_least, count, plain
from benchmarks.lab_items.certificates import Answer, Proof, check_exact, check_fast
from hybrid_ai.bench.auto_lirpa import AutoLirpaMissing
from hybrid_ai.bench.slope_hints import hint_source
from hybrid_ai.bounds import FlatNetwork, flatten
from hybrid_ai.certificate import Header, Leaf, Row, Step, encode_certificate
from hybrid_ai.network import Model, evaluate_exact, load_model
from hybrid_ai.search.branch import advance, start
from hybrid_ai.search.hints import GridSlopes, HintSource, RootQuestion, on_grid
from hybrid_ai.search.problem import Problem, make_problem
from hybrid_ai.search.root import prove_root
from hybrid_ai.search.tree import encode_tree, root_tree
from hybrid_ai.spec import float32_polytope, normal_form, read_vnnlib
from tests.unit.search.problems import dense, vnnlib

INPUTS, WIDTH, OUTPUTS = 6, 32, 4
HIDDEN, SEEDS = (2, 3, 4, 5, 6), range(12)
RADIUS, HALVINGS, LARGEST_RADIUS = 1.1, 16, 2.0
LEAST_GAINED = 20
SMALL = 3
SECONDS = 60.0


@dataclass(frozen=True)
class Case:
    """A network of so many hidden layers, its weights and the point drawn with a seed."""

    hidden: int
    seed: int

    @property
    def name(self) -> str:
        return f"hidden-{self.hidden}-seed-{self.seed}"


CASES = tuple(Case(hidden, seed) for hidden, seed in product(HIDDEN, SEEDS))


@dataclass(frozen=True, eq=False)
class Asked:
    """A problem laid out in both arithmetics, and its files' contents."""

    model: Model
    flat: FlatNetwork
    text: bytes
    problem: Problem

    def certificate(self, steps: tuple[Step, ...]) -> bytes:
        digest = hashlib.sha256(self.text).digest()
        header = Header(bytes.fromhex(self.model.sha256), digest, "both")
        return encode_certificate(header, [encode_tree(self.problem, self.flat, root_tree(steps))])


class Network:
    """The network of a case, its point, and the problems of all radii."""

    def __init__(self, case: Case) -> None:
        self.data = dense([INPUTS, *[WIDTH] * case.hidden, OUTPUTS], case.seed)
        self._model = load_model(self.data)
        self._flat = flatten(self._model.staged, "both")
        self._point = np.random.default_rng(case.seed).uniform(-1.0, 1.0, INPUTS)
        outputs = evaluate_exact(self._model.staged, [Fraction(value) for value in self._point])
        self._largest = max(range(OUTPUTS), key=outputs.__getitem__)

    def asked(self, radius: float) -> Asked:
        others = [k for k in range(OUTPUTS) if k != self._largest]
        unsafe = " ".join(f"(and (>= Y_{k} Y_{self._largest}))" for k in others)
        bounds = [(f"{value - radius:.6f}", f"{value + radius:.6f}") for value in self._point]
        text = vnnlib(INPUTS, OUTPUTS, f"(or {unsafe})", bounds=bounds)
        (polytope,) = normal_form(read_vnnlib(text)).polytopes
        problem = make_problem(self._flat, float32_polytope(polytope, with_reals=True))
        return Asked(self._model, self._flat, text, problem)

    def largest_radius(self) -> float:
        """The largest radius that plain CROWN shows, to LARGEST_RADIUS / 2^HALVINGS."""
        shown, not_shown = 0.0, LARGEST_RADIUS
        for _ in range(HALVINGS):
            middle = 0.5 * (shown + not_shown)
            if prove_root(self.asked(middle).problem, self._flat) is None:
                not_shown = middle
            else:
                shown = middle
        return shown


def judged(bench: Bench, source: HintSource, case: Case) -> Answer:
    """Write the case's certificates, plain and with hints, for the checker; what is known before it."""
    network = Network(case)
    radius = RADIUS * network.largest_radius()
    asked = network.asked(radius)
    (bench.folder / f"{case.name}.onnx").write_bytes(network.data)
    (bench.folder / f"{case.name}.vnnlib").write_bytes(asked.text)
    plain_leaf = Leaf(tuple(Row(0) for _ in asked.problem.own_rows))
    (bench.folder / f"{case.name}.plain").write_bytes(asked.certificate((plain_leaf,)))
    began = process_time()
    proof = prove_root(asked.problem, asked.flat, partial(proposed, source, asked))
    answer: Answer = {"radius": radius, "cpu_seconds": process_time() - began, "claimed": proof is not None}
    if proof is not None:
        certificate = asked.certificate(proof.steps)
        (bench.folder / f"{case.name}.hints").write_bytes(certificate)
        answer |= {"steps": len(proof.steps), "bytes": len(certificate), "margin": proof.margin}
    return answer | {"own_root": closed_by_ourselves(asked)}


def proposed(source: HintSource, asked: Asked, rows: np.ndarray, offsets: np.ndarray) -> GridSlopes:
    grid = asked.problem.grid
    question = RootQuestion(asked.model.staged, grid.lower, grid.upper, rows, offsets, SECONDS)
    return on_grid(source(question), question)


def closed_by_ourselves(asked: Asked) -> bool:
    """Whether our search closes the root without hints: by its own ascent on slopes, pairs of rows, cuts."""
    branch = start(asked.problem, asked.flat, 1)
    advance(branch, "compiled", monotonic() + SECONDS)
    return not branch.stack and not branch.stuck


def accepted(bench: Bench, kind: str, names: list[str]) -> list[str]:
    """Of the certificates of a kind, those that the engine `fast` accepts; `exact` has to agree on hints."""
    proofs = [proof(bench.folder, name, kind) for name in names]
    answers = bench.once(f"fast {kind}", lambda: check_fast(proofs)["answers"]) if proofs else []
    return [name for name, one in zip(names, answers, strict=True) if one["status"] == "valid"]


def proof(folder: Path, name: str, kind: str) -> Proof:
    parts = (folder / f"{name}.{ending}" for ending in ("onnx", "vnnlib", kind))
    return Proof(name, *parts, leaves=1)


def run(bench: Bench) -> Report:
    try:
        source = hint_source()
    except AutoLirpaMissing as error:
        raise LabError(str(error)) from error
    cases = CASES[:: len(CASES) // SMALL] if bench.small else CASES
    resumed = any(bench.kept(case.name) is not None for case in cases)
    found = {case.name: bench.once(case.name, partial(judged, bench, source, case)) for case in cases}
    claimed = [name for name, one in found.items() if one["claimed"]]
    by_plain = accepted(bench, "plain", list(found))
    by_hints = accepted(bench, "hints", claimed)
    exact = [bench.once(f"exact {name}", partial(judged_exactly, bench, name)) for name in by_hints]
    for name, one in found.items():
        one |= {"plain": name in by_plain, "hints": name in by_hints}
    details = {"cases": found, "versions": {name: version(name) for name in ("torch", "auto_LiRPA")}}
    return Report(tuple(figures(bench, found, exact)), details, resumed)


def judged_exactly(bench: Bench, name: str) -> Answer:
    answer = check_exact(proof(bench.folder, name, "hints"))
    return {"status": answer["status"], "cpu": answer["cpu"]}


def figures(bench: Bench, found: dict[str, Any], exact: list[Answer]) -> Iterator[Figure]:
    answers = found.values()
    gained = [one for one in answers if one["hints"] and not one["plain"]]
    yield plain("networks and properties", len(found))
    yield plain("accepted, plain CROWN", sum(one["plain"] for one in answers))
    yield plain("claimed, auto_LiRPA's slopes", sum(one["claimed"] for one in answers))
    yield count(
        "accepted of those claimed",
        sum(one["hints"] for one in answers),
        sum(one["claimed"] for one in answers),
    )
    yield at_least(
        "accepted by auto_LiRPA's slopes, not by plain CROWN", len(gained), 0 if bench.small else LEAST_GAINED
    )
    yield count("of these accepted by exact", sum(one["status"] == "valid" for one in exact), len(exact))
    for hidden in HIDDEN:
        some = [one for name, one in found.items() if name.startswith(f"hidden-{hidden}-") and one["hints"]]
        yield plain(f"of these with {hidden} hidden layers", len(some))
    yield plain("closed by our own root without hints", sum(one["own_root"] for one in answers))
    yield plain("closed by hints and not by our own root", sum(not one["own_root"] for one in gained))
    if gained:
        yield plain("bytes of a certificate, median", float(np.median([one["bytes"] for one in gained])))
    seconds = float(np.median([one["cpu_seconds"] for one in answers]))
    yield plain("CPU seconds for hints and bounds, median", seconds, "s")


ITEM = Item(
    "hints",
    "60 stated problems: roots closed by auto_LiRPA's slopes and not by plain CROWN",
    "about 5 minutes",
    run,
)
