"""What is fuzzed: for each reader how it is called, by which exceptions it may refuse, and where it begins.

Readers and mutators are imported when a target is loaded, so that the fuzzer can instrument them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random

from benchmarks.fuzz import seeds
from benchmarks.fuzz.guard import Reader, Unsound

Mutate = Callable[[bytes, Random], bytes]


@dataclass(frozen=True)
class Target:
    """One reader.

    Attributes:
        load: imports the reader.
        load_mutator: imports what changes inputs at the level of their structure.
        load_mender: imports what puts right after any change what would only ever be refused.
        seeds: the inputs to begin with.
        modules: names of the modules that are the reader, with wildcards.
        beyond: functions of them that no input reaches ("module:qualified name"), and why.
    """

    load: Callable[[], Reader]
    load_mutator: Callable[[], Mutate]
    seeds: Callable[[], Iterable[bytes]]
    modules: tuple[str, ...]
    beyond: Mapping[str, str] = field(default_factory=dict)
    load_mender: Callable[[], Mutate] = lambda: _as_it_is


def _as_it_is(data: bytes, rng: Random) -> bytes:
    return data


def _prover_onnx() -> Reader:
    from hybrid_ai.network import ModelError, UnsupportedModel, load_model

    def read(data: bytes) -> None:
        load_model(data)

    return Reader(read, (ModelError, UnsupportedModel))


def _prover_vnnlib() -> Reader:
    from hybrid_ai.spec import SpecError, UnsupportedSpec, normal_form, read_vnnlib

    def read(data: bytes) -> None:
        normal_form(read_vnnlib(data))

    return Reader(read, (SpecError, UnsupportedSpec))


def _prover_certificate() -> Reader:
    from benchmarks.fuzz.problems import named, problems
    from hybrid_ai.certificate import CertificateError, decode_certificate, decode_header

    known = problems()

    def read(data: bytes) -> None:
        decode_header(data)
        decode_certificate(data, named(data, known).frame.rows)

    return Reader(read, (CertificateError,))


def _checker_onnx() -> Reader:
    from hybrid_ai.checker.onnx_reader import read_model
    from hybrid_ai.checker.rejected import Malformed, Unsupported

    def read(data: bytes) -> None:
        read_model(data)

    return Reader(read, (Malformed, Unsupported))


def _checker_vnnlib() -> Reader:
    from hybrid_ai.checker.rejected import Malformed, Unsupported
    from hybrid_ai.checker.vnnlib_reader import read_property

    def read(data: bytes) -> None:
        read_property(data)

    return Reader(read, (Malformed, Unsupported))


def _checker_check() -> Reader:
    from benchmarks.fuzz.problems import named, problems
    from hybrid_ai.checker.check import check
    from hybrid_ai.checker.rejected import Rejected

    known = problems()

    def read(data: bytes) -> None:
        problem = named(data, known)
        kind = "certificate" if problem.unsafe else "counterexample"
        refused = None
        for engine in ("fast", "exact"):
            try:
                found = check(problem.model, problem.claim, data, engine=engine)
            except Rejected as error:
                refused = error
                continue
            if (found.kind, found.status) == (kind, "valid"):
                raise Unsound(f"engine {engine} accepts a {kind} of the opposite of what is true")
        if refused is not None:
            raise refused

    return Reader(read, (Rejected,))


def _text() -> Mutate:
    from benchmarks.fuzz.text_mutator import mutated

    return mutated


def _protobuf() -> Mutate:
    from benchmarks.fuzz.protobuf_mutator import mutated

    return mutated


def _steps() -> Mutate:
    from benchmarks.fuzz.certificate_mutator import CertificateMutator
    from benchmarks.fuzz.problems import problems

    return CertificateMutator([problem.frame for problem in problems()]).mutated


def _headers() -> Mutate:
    from benchmarks.fuzz.certificate_mutator import CertificateMutator
    from benchmarks.fuzz.problems import problems

    return CertificateMutator([problem.frame for problem in problems()]).mended


def _modules(package: str, *names: str) -> tuple[str, ...]:
    return tuple(f"hybrid_ai.{package}.{name}" for name in names)


_PROVER_ONNX = (
    *("reader", "proto", "source", "structure", "call", "constants", "forms", "exact", "staged"),
    *("movement", "arithmetic", "contraction", "activation", "errors"),
)
_PROVER_VNNLIB = (
    *("vnnlib", "vnnlib_formula", "vnnlib2", "vnnlib2_formula", "vnnlib2_networks", "brackets", "terms"),
    *("sexpr", "literals", "normal_form", "errors"),
)
_CHECKER_ONNX = (
    *("onnx_reader", "protobuf", "unpacking", "operation", "tensors", "stages", "rejected"),
    *("arithmetic_operations", "movement_operations"),
)
_FILES = "reads files; what is fuzzed are bytes"
_PYTHON = "for numbers that Python callers give"

TARGETS: Mapping[str, Target] = {
    "prover-onnx": Target(
        _prover_onnx,
        _protobuf,
        seeds.models,
        _modules("network", *_PROVER_ONNX),
    ),
    "prover-vnnlib": Target(
        _prover_vnnlib,
        _text,
        seeds.properties,
        _modules("spec", *_PROVER_VNNLIB),
        {
            "hybrid_ai.spec.vnnlib:_read_file": _FILES,
            "hybrid_ai.spec.vnnlib:_read_limited": _FILES,
            "hybrid_ai.spec.literals:exact": _PYTHON,
            "hybrid_ai.spec.literals:_exact_decimal": _PYTHON,
        },
    ),
    "prover-certificate": Target(
        _prover_certificate,
        _steps,
        seeds.evidence,
        _modules("certificate", "decode"),
        load_mender=_headers,
    ),
    "checker-onnx": Target(_checker_onnx, _protobuf, seeds.models, _modules("checker", *_CHECKER_ONNX)),
    "checker-vnnlib": Target(
        _checker_vnnlib,
        _text,
        seeds.properties,
        _modules("checker", "vnnlib*", "property_form", "unpacking", "rejected"),
        {"hybrid_ai.checker.property_form:violates": "evaluates what was read"},
    ),
    "checker-check": Target(
        _checker_check,
        _steps,
        seeds.evidence,
        _modules("checker", "check", "decode", "rules", "counterexample", "grid", "rejected"),
        load_mender=_headers,
    ),
}
