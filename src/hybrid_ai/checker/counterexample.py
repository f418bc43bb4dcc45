"""Counterexamples: a point of the input set, evaluated exactly on the model and put into the property."""

import json
import re
from fractions import Fraction
from hashlib import sha256
from typing import Any

from hybrid_ai.checker.onnx_reader import read_model
from hybrid_ai.checker.rejected import Malformed, Rejected
from hybrid_ai.checker.stages import Network, evaluate, repeated
from hybrid_ai.checker.vnnlib_reader import Property, read_property, violates

FORMAT = "hybrid-ai-counterexample"
LONGEST_NUMBER = 4096
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?|[+-]?[0-9]+/[0-9]+", re.ASCII)


def read_pair(model: bytes, property: bytes) -> tuple[Network, Property]:
    """Read a model and a property that fit each other.

    Raises:
        Malformed, Unsupported: one of them cannot be read, or they do not fit.
    """
    network, claim = read_model(model), read_property(property)
    network = repeated(network, claim.instances)
    _require_same_dimensions(network, claim)
    return network, claim


def _require_same_dimensions(network: Network, claim: Property) -> None:
    """Raise Malformed unless the property speaks about as many inputs and outputs as there are."""
    outputs = network.n_inputs
    if network.output_group:
        outputs = len(network.stages[network.output_group - 1].bias)
    if (claim.n_inputs, claim.n_outputs) != (network.n_inputs, outputs):
        raise Malformed(
            "property",
            "declarations",
            f"{claim.n_inputs} inputs and {claim.n_outputs} outputs are "
            f"declared, the model has {network.n_inputs} and {outputs}",
        )


def judge_counterexample(model: bytes, property: bytes, evidence: bytes) -> str:
    """Evaluate a counterexample file: "valid", or "not_reevaluated" when it claims float32 alone.

    Raises:
        Rejected: rule "counterexample", "model-hash" or "property-hash".
        Malformed, Unsupported: the model or the property cannot be read.

    Sound because: the point is exact, the evaluation is rational, and the property is judged as written
    (docs/theory/counterexample.md).
    """
    claims = _parse(evidence)
    if (
        claims.get("format") != FORMAT
        or claims.get("version") != 1
        or isinstance(claims.get("version"), bool)
    ):
        raise _defect("format", f"not {FORMAT} version 1")
    for name, data in (("model", model), ("property", property)):
        if claims.get(f"{name}_sha256") != sha256(data).hexdigest():
            raise Rejected(
                f"{name}-hash", f"{name}_sha256", f"the counterexample belongs to another {name} file"
            )
    arithmetic, texts = claims.get("arithmetic"), claims.get("x")
    if not isinstance(arithmetic, dict) or not isinstance(arithmetic.get("real"), bool):
        raise _defect("arithmetic", "an object with a boolean 'real' is expected")
    if not isinstance(texts, list):
        raise _defect("x", "a list of numbers as text is expected")
    x = [_number(text, axis) for axis, text in enumerate(texts)]
    network, claim = read_pair(model, property)
    if len(x) != network.n_inputs:
        raise _defect("x", f"{len(x)} coordinates, the model has {network.n_inputs} inputs")
    if not arithmetic["real"]:
        if arithmetic.get("float32") is not True:
            raise _defect("arithmetic", "it claims a violation in no arithmetic")
        if claim.element == "real":
            raise _defect("arithmetic", "the query is about reals, the claim about float32 values")
        if not violates(claim, x, None):
            raise _defect("x", "the point is not of the input set")
        return "not_reevaluated"
    if claim.element == "float32":
        raise _defect("arithmetic", "the query is about float32 values, the claim about reals")
    if not violates(claim, x, evaluate(network, x)):
        raise _defect("x", "the point does not satisfy the unsafe condition in real arithmetic")
    return "valid"


def _defect(where: str, reason: str) -> Rejected:
    return Rejected("counterexample", where, reason)


def _parse(evidence: bytes) -> dict[str, Any]:
    try:
        claims = json.loads(evidence.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise _defect("file", f"not a JSON object: {error}") from error
    if not isinstance(claims, dict):
        raise _defect("file", "not a JSON object")
    return claims


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise _defect("file", "a name is given twice in one object")
    return dict(pairs)


def _number(text: object, axis: int) -> Fraction:
    """The exact value of a decimal or p/q."""
    if not isinstance(text, str) or len(text) > LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        raise _defect(f"x[{axis}]", "a decimal or p/q as text is expected")
    try:
        return Fraction(text)
    except ZeroDivisionError as error:
        raise _defect(f"x[{axis}]", "the denominator is zero") from error
