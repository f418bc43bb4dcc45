"""The claims that fuzzed certificates are judged against: one that holds, and ones like it that do not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from benchmarks.fuzz.certificate_mutator import HEADER_BYTES, Frame
from hybrid_ai.checker.vnnlib_reader import read_property
from tests.checker.build import certificate
from tests.checker.test_tampering import MODEL, PROPERTY, TREES, with_conjunct

# conjunct of the property -> the number in it that changes, and a number for which a point is unsafe
_LOOSENED = {
    0: ("3.5", "1.5", ("1", "0", "0.25")),
    1: ("2.25", "1.5", ("1", "0", "0.25")),
    2: ("0.5))", "4.5))", ("1", "0", "0.25")),
    3: ("2.25", "0.25", ("0.1875", "0", "0.25")),
    4: ("0.5625", "0.25", ("0.25", "0", "0.25")),
    5: ("-0.6875", "-0.125", ("0", "0.09375", "0.25")),
    6: ("-0.0009765625", "0.25", ("0", "0", "0.25")),
}


@dataclass(frozen=True)
class Problem:
    """A model and a property; `unsafe` is a point that violates it, None where it holds."""

    model: bytes
    claim: bytes
    unsafe: tuple[str, ...] | None

    @cached_property
    def frame(self) -> Frame:
        polytopes = read_property(self.claim).polytopes
        rows = tuple(tuple(len(rows) for rows in p.disjuncts) for p in polytopes if not p.empty)
        return Frame(certificate(self.model, self.claim)[:HEADER_BYTES], rows)

    @property
    def evidence(self) -> bytes:
        """The certificate of the property that holds, or a counterexample; both fit."""
        if self.unsafe is None:
            return certificate(self.model, self.claim, *TREES)
        content = {
            "format": "hybrid-ai-counterexample",
            "version": 1,
            "model_sha256": sha256(self.model).hexdigest(),
            "property_sha256": sha256(self.claim).hexdigest(),
            "arithmetic": {"real": True, "float32": None},
            "x": list(self.unsafe),
        }
        return json.dumps(content).encode()

    @property
    def wrong(self) -> bytes:
        """The certificate of the property that holds, under the name of this one."""
        return certificate(self.model, self.claim, *TREES)


def problems() -> list[Problem]:
    """One that holds first, then ones that do not."""
    false = [
        Problem(MODEL, with_conjunct(number, old, new), point)
        for number, (old, new, point) in _LOOSENED.items()
    ]
    return [Problem(MODEL, PROPERTY, None), *false]


def named(data: bytes, known: list[Problem]) -> Problem:
    """The problem that a piece of evidence names by the digest of its property, else the first."""
    for problem in known:
        digest = sha256(problem.claim)
        if digest.digest() == data[43:HEADER_BYTES] or digest.hexdigest().encode() in data[:4096]:
            return problem
    return known[0]
