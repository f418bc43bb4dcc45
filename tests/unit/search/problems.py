"""Small problems for the search: an ONNX file and a VNN-LIB text each, and how they are put to it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

import numpy as np

from hybrid_ai.bounds import Arithmetic
from hybrid_ai.certificate import PlacedStep, decode_certificate
from hybrid_ai.checker.check import check
from hybrid_ai.network import load_model
from hybrid_ai.search import Budget, Outcome, run_search
from hybrid_ai.search.backend import Backend
from hybrid_ai.search.hints import HintSource
from hybrid_ai.search.run import Runtime
from hybrid_ai.spec import normal_form, read_vnnlib
from tests.unit.network.builder import model, node

ENGINES = ("fast", "exact")


@dataclass(frozen=True)
class Asked:
    """A model's and a property's bytes."""

    model: bytes
    text: bytes

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text).hexdigest()


def search(
    asked: Asked,
    *,
    seconds: float = 20.0,
    memory: int = 1 << 28,
    threads: int = 1,
    seed: int = 0,
    backend: Backend = "compiled",
    arithmetic: Arithmetic = "real",
    runtime: Runtime | None = None,
    hints: HintSource | None = None,
) -> Outcome:
    """Run the search on one problem."""
    budget = Budget(monotonic() + seconds, memory, threads)
    found = load_model(asked.model), read_vnnlib(asked.text)
    more = {"seed": seed, "backend": backend, "arithmetic": arithmetic, "runtime": runtime}
    return run_search(*found, asked.digest, budget=budget, hints=hints, **more)


def accepted_by(asked: Asked, certificate: bytes) -> list[str]:
    """The status each engine of the checker gives; it raises for a certificate that it rejects."""
    return [check(asked.model, asked.text, certificate, engine=engine).status for engine in ENGINES]


def trees(asked: Asked, certificate: bytes) -> tuple[tuple[PlacedStep, ...], ...]:
    """The certificate's steps."""
    polytopes = normal_form(read_vnnlib(asked.text)).polytopes
    return decode_certificate(certificate, [[len(rows) for rows in p.disjuncts] for p in polytopes])[1]


def dense(sizes: Sequence[int], seed: int, spread: float = 1.0) -> bytes:
    """A network of Gemm and Relu with random float32 weights, linear at the end."""
    rng = np.random.default_rng(seed)
    nodes, constants, name = [], {}, "x"
    for k, (rows, columns) in enumerate(zip(sizes[1:], sizes, strict=False)):
        weights = rng.normal(0.0, spread * np.sqrt(2.0 / columns), (columns, rows))
        constants[f"w{k}"], constants[f"b{k}"] = weights, rng.normal(0.0, 0.1, rows)
        last = k == len(sizes) - 2
        nodes.append(node("Gemm", f"{name} w{k} b{k}", "y" if last else f"z{k}"))
        if not last:
            nodes.append(node("Relu", f"z{k}", f"h{k}"))
        name = f"h{k}"
    return model(nodes, constants, x=(1, sizes[0]), y=(1, sizes[-1]))


def vnnlib(inputs: int, outputs: int, *asserts: str, bounds: Sequence[tuple[str, str]] = ()) -> bytes:
    """Declarations, bounds of each input, and further asserts."""
    lines = [f"(declare-const X_{i} Real)" for i in range(inputs)]
    lines += [f"(declare-const Y_{i} Real)" for i in range(outputs)]
    for i, (low, high) in enumerate(bounds):
        lines += [f"(assert (>= X_{i} {low}))", f"(assert (<= X_{i} {high}))"]
    return "\n".join([*lines, *(f"(assert {line})" for line in asserts)]).encode()


def hard() -> Asked:
    """A property that holds with margin 1e-9, because equal neurons cancel: boxes must become tiny."""
    rng = np.random.default_rng(3)
    half = rng.normal(size=(6, 12))
    constants = {
        "w": np.hstack([half, half]),
        "b": np.zeros(24),
        "v": np.vstack([np.ones((12, 1)), -np.ones((12, 1))]),
    }
    nodes = [node("Gemm", "x w b", "z"), node("Relu", "z", "h"), node("MatMul", "h v", "y")]
    text = vnnlib(6, 1, "(<= Y_0 -1e-9)", bounds=[("-1", "1")] * 6)
    return Asked(model(nodes, constants, x=(1, 6), y=(1, 1)), text)
