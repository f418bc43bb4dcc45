"""`hybrid-ai certify`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybrid_ai.cli.keys import add_signer, signer_of
from hybrid_ai.cli.output import emit, note

if TYPE_CHECKING:
    from hybrid_ai.pipeline.instances import Case

DESCRIPTION = """Verify properties of models and put models, properties, certificates, counterexamples, the
log and signatures into a dossier that anyone can verify offline. Exit status: 0 when it ran to its end,
whatever the verdicts; 2 bad input; 1 our own failure. Interrupted, it goes on where it stopped."""


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = DESCRIPTION
    option = parser.add_argument
    option("model", nargs="?", type=Path, metavar="MODEL.onnx")
    option("properties", nargs="*", type=Path, metavar="PROPERTY.vnnlib")
    option("--suite", type=Path, metavar="INSTANCES.csv", help="certify its rows: onnx, vnnlib, timeout_s")
    option("-o", "--output", type=Path, required=True, metavar="DOSSIER", help="folder, not there yet")
    option("--arithmetic", choices=["real", "float32", "both"], help="as in verify")
    option("--timeout", type=float, metavar="S", help="seconds for each (default 600, or the suite's)")
    option("--memory", type=int, metavar="BYTES", help="of each, for open boxes (default 2 GiB)")
    option("--threads", type=int, metavar="N", help="of the searches together (default: one per core)")
    option("--seed", type=int, default=0, metavar="N", help="of the attacks (default 0)")
    option("--jobs", type=int, default=1, metavar="N", help="verifications at the same time (default 1)")
    option("--allow-vacuous", action="store_true", help="prove properties of an empty input set")
    add_signer(parser)


def execute(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    from hybrid_ai.cli.progress import observed
    from hybrid_ai.pipeline.certification import certify
    from hybrid_ai.pipeline.instances import Request
    from hybrid_ai.pipeline.limits import DEFAULT_MEMORY, DEFAULT_TIMEOUT, Limits

    timeout = DEFAULT_TIMEOUT if options.timeout is None else options.timeout
    memory = DEFAULT_MEMORY if options.memory is None else options.memory
    limits = Limits(timeout, memory, options.threads, options.seed)
    cases = _cases(options, timeout)
    signer = signer_of(options)
    request = Request(cases, limits, options.arithmetic, options.allow_vacuous, options.jobs)

    def show(result: dict[str, Any], resumed: bool) -> None:
        reason = f" ({result['reason']})" if result["reason"] else ""
        again = ", from an earlier run" if resumed else ""
        seconds = f"{result['seconds']['total']:.2f} s{again}"
        note(f"{result['model']} {result['property']}: {result['verdict']}{reason}, {seconds}")

    with observed() as observer:
        certified = certify(request, options.output, signer, observer, show)
    verdicts = [result["verdict"] for result in certified.results]
    counts = ", ".join(f"{verdicts.count(name)} {name}" for name in ("proved", "refuted", "unknown"))
    emit(f"{certified.path}: {counts}; digest {certified.digest}, signed by {signer.key_id}")
    return 1 if any(result["failed"] for result in certified.results) else 0


def _cases(options: argparse.Namespace, timeout: float) -> list[Case]:
    from hybrid_ai.pipeline.errors import BadInput
    from hybrid_ai.pipeline.instances import Case
    from hybrid_ai.pipeline.suite import read_suite

    if options.suite is None:
        if options.model is None or not options.properties:
            raise BadInput("give MODEL.onnx PROPERTY.vnnlib ..., or --suite INSTANCES.csv")
        return [Case(options.model, path, timeout) for path in options.properties]
    if options.model is not None:
        raise BadInput("--suite goes without MODEL.onnx and PROPERTY.vnnlib")
    folder = options.suite.parent
    rows = read_suite(options.suite, options.timeout)
    return [Case(folder / row.onnx, folder / row.vnnlib, row.timeout) for row in rows]
