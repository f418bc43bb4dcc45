"""Judging one piece of evidence: a certificate or a counterexample against a model and a property."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from time import perf_counter
from typing import TYPE_CHECKING, Literal

from hybrid_ai.checker.counterexample import judge_counterexample, read_pair
from hybrid_ai.checker.decode import read_header, read_tree
from hybrid_ai.checker.exact import ExactEngine
from hybrid_ai.checker.exact_network import ExactNetwork
from hybrid_ai.checker.float32 import polytope_read
from hybrid_ai.checker.grid import Grid, make_grid
from hybrid_ai.checker.rejected import Rejected
from hybrid_ai.checker.rules import Engine, check_tree
from hybrid_ai.checker.stages import Network
from hybrid_ai.checker.vnnlib_reader import Property

if TYPE_CHECKING:
    from hybrid_ai.checker.fast_lines import Substitute

EngineName = Literal["fast", "exact"]


@dataclass(frozen=True)
class Accepted:
    """What was accepted.

    Args:
        kind: "certificate" or "counterexample".
        status: "valid", or "not_reevaluated" for a counterexample claimed in float32 alone.
        arithmetic: "real", "float32" or "both".
        engine: "fast" or "exact"; counterexamples are always evaluated exactly.
        polytopes: input polytopes of the property, empty ones included.
        nodes, leaves: totals over all trees.
        vacuous: the property holds because its input set is empty.
        seconds: wall time.
    """

    kind: str
    status: str
    arithmetic: str
    engine: str
    polytopes: int
    nodes: int
    leaves: int
    vacuous: bool
    seconds: float


def check(
    model: bytes,
    property: bytes,
    evidence: bytes,
    *,
    engine: EngineName = "fast",
    compiled: "Substitute | None" = None,
) -> Accepted:
    """Judge evidence against the raw bytes of a model and a property.

    Args:
        model: ONNX file.
        property: VNN-LIB file.
        evidence: certificate, or counterexample (JSON object).
        engine: arithmetic in which a certificate is replayed.
        compiled: inner loop of engine "fast" (`fast_compiled.load`), None for the one in numpy; they differ
            in rounding alone, and the error bound covers both.

    Raises:
        Rejected: the evidence is defective or does not show what it claims.
        Malformed, Unsupported: the model or the property cannot be read.

    Sound because: nothing but the three byte strings is used, and the certificate is bound to the other two;
    each tree shows its polytope (docs/theory/rule-leaf-and-tree.md).
    """
    start = perf_counter()
    if evidence[:1] == b"{":
        status = judge_counterexample(model, property, evidence)
        arithmetic = "real" if status == "valid" else "float32"
        return Accepted("counterexample", status, arithmetic, "exact", 0, 0, 0, False, perf_counter() - start)
    header, reader = read_header(evidence)
    if header.model_sha256 != sha256(model).digest():
        raise Rejected("model-hash", "byte 0xb", "the certificate belongs to another model file")
    if header.property_sha256 != sha256(property).digest():
        raise Rejected("property-hash", "byte 0x2b", "the certificate belongs to another property file")
    network, claim = read_pair(model, property)
    _require_arithmetic(network, claim, header.arithmetic)
    polytopes = [
        polytope_read(polytope, header.arithmetic) for polytope in claim.polytopes if not polytope.empty
    ]
    if header.trees != len(polytopes):
        raise Rejected("trees", "header", f"{header.trees} trees for {len(polytopes)} input polytopes")
    prepare = _engines(network, engine, header.arithmetic, compiled)
    neurons = sum(len(stage.bias) for stage in network.stages if stage.relu)
    tallies = []
    for number, polytope in enumerate(polytopes):
        bounding = prepare(make_grid(polytope.lower, polytope.upper))
        tallies.append(
            check_tree(read_tree(reader, number), header.tighten_first, polytope, neurons, bounding)
        )
    if reader.position != reader.end:
        raise Rejected("trailing", f"byte 0x{reader.position:x}", "bytes after the last tree")
    return Accepted(
        "certificate",
        "valid",
        header.arithmetic,
        engine,
        len(claim.polytopes),
        sum(tally.nodes for tally in tallies),
        sum(tally.leaves for tally in tallies),
        not any(tally.used_rows for tally in tallies),
        perf_counter() - start,
    )


def _require_arithmetic(network: Network, claim: Property, arithmetic: str) -> None:
    """A query about one kind of numbers is not answered by a certificate about the other."""
    if network.double and arithmetic != "real":
        raise Rejected("float32", "model", "the model reads float64; only real arithmetic is judged")
    if claim.element is not None and arithmetic not in (claim.element, "both"):
        raise Rejected(
            "arithmetic",
            "byte 0x9",
            f"the query is about {claim.element} numbers, the certificate about {arithmetic} arithmetic",
        )


def _engines(
    network: Network, engine: EngineName, arithmetic: str, compiled: "Substitute | None"
) -> Callable[[Grid], Engine]:
    """What makes an engine for the grid of each polytope; numpy is loaded for "fast" only."""
    if engine == "exact":
        exact = ExactNetwork(network, arithmetic)
        return lambda grid: ExactEngine(exact, grid)
    from hybrid_ai.checker.fast import FastEngine
    from hybrid_ai.checker.fast_network import FastNetwork

    fast = FastNetwork(network, arithmetic)
    return lambda grid: FastEngine(fast, grid, compiled)
