"""`hybrid-ai certify`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybrid_ai.cli.keys import add_signer, signer_of
from hybrid_ai.cli.output import emit, note

if TYPE_CHECKING:
    from hybrid_ai.audit.keys import Signer
    from hybrid_ai.pipeline.certification import Certified
    from hybrid_ai.pipeline.instances import Case
    from hybrid_ai.pipeline.verify import Observer

DESCRIPTION = """Verify what a plan requires, or properties of models, and put models, properties,
certificates, counterexamples, the log, a report and signatures into a dossier that anyone can verify offline.
Exit status: 0 when it ran to its end, whatever the verdicts; 2 bad input; 1 our own failure. Interrupted, it
goes on where it stopped."""
# What the [budget] of a plan says, and an option therefore does not.
OF_A_PLAN = ("suite", "arithmetic", "timeout", "memory", "threads", "seed", "allow_vacuous")


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = DESCRIPTION
    option = parser.add_argument
    option("model", nargs="?", type=Path, metavar="PLAN.toml | MODEL.onnx")
    option("properties", nargs="*", type=Path, metavar="PROPERTY.vnnlib")
    option("--suite", type=Path, metavar="INSTANCES.csv", help="certify its rows: onnx, vnnlib, timeout_s")
    option("-o", "--output", type=Path, required=True, metavar="DOSSIER", help="folder, not there yet")
    option("--arithmetic", choices=["real", "float32", "both"], help="as in verify")
    option("--timeout", type=float, metavar="S", help="seconds for each (default 600, or the suite's)")
    option("--memory", type=int, metavar="BYTES", help="of each, for open boxes (default 2 GiB)")
    option("--threads", type=int, metavar="N", help="of the searches together (default: one per core)")
    option("--seed", type=int, metavar="N", help="of the attacks (default 0)")
    option("--jobs", type=int, metavar="N", help="verifications at the same time (default 1, or the plan's)")
    option("--allow-vacuous", action="store_true", help="prove properties of an empty input set")
    option("--reuse", type=Path, metavar="OLD", help="dossier whose results are taken over where they stand")
    add_objectives(parser)
    add_signer(parser)


def add_objectives(parser: argparse.ArgumentParser) -> None:
    """Declare which catalogues a plan may name besides the shipped ones."""
    summary = "catalogue of objectives that a plan may name (repeatable)"
    parser.add_argument("--objectives", type=Path, action="append", default=[], metavar="FILE", help=summary)


def execute(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    from hybrid_ai.cli.progress import observed

    signer = signer_of(options)
    is_plan = options.model is not None and options.model.suffix == ".toml" and not options.properties
    with observed() as observer:
        certified = (_plan if is_plan else _properties)(options, signer, observer)
    verdicts = [result["verdict"] for result in certified.results]
    counts = ", ".join(f"{verdicts.count(name)} {name}" for name in ("proved", "refuted", "unknown"))
    emit(f"{certified.path}: {counts}; digest {certified.digest}, signed by {signer.key_id}")
    return 1 if any(result["failed"] for result in certified.results) else 0


def _show(result: dict[str, Any], resumed: bool) -> None:
    reason = f" ({result['reason']})" if result["reason"] else ""
    again = ", from an earlier run" if resumed else ""
    seconds = f"{result['seconds']['total']:.2f} s{again}"
    note(f"{result['model']} {result['property']}: {result['verdict']}{reason}, {seconds}")


def _plan(options: argparse.Namespace, signer: Signer, observer: Observer) -> Certified:
    from hybrid_ai.audit.objectives.catalogue import with_shipped
    from hybrid_ai.pipeline.errors import BadInput
    from hybrid_ai.pipeline.plans.reading import read_plan
    from hybrid_ai.pipeline.plans.running import certify_plan

    for name in OF_A_PLAN:
        value = getattr(options, name)
        if value is not None and value is not False:  # 0 was given
            raise BadInput(f"--{name.replace('_', '-')}: goes without a plan: say it in {options.model}")
    catalogues = with_shipped(options.objectives)
    return certify_plan(
        read_plan(options.model, catalogues),
        options.output,
        signer,
        catalogues,
        jobs=options.jobs,
        reuse=options.reuse,
        observer=observer,
        on_result=_show,
    )


def _properties(options: argparse.Namespace, signer: Signer, observer: Observer) -> Certified:
    from hybrid_ai.pipeline.certification import certify
    from hybrid_ai.pipeline.errors import BadInput
    from hybrid_ai.pipeline.instances import Request
    from hybrid_ai.pipeline.limits import DEFAULT_MEMORY, DEFAULT_TIMEOUT, Limits

    if options.objectives:
        raise BadInput("--objectives goes with a plan, which names them")
    timeout = DEFAULT_TIMEOUT if options.timeout is None else options.timeout
    memory = DEFAULT_MEMORY if options.memory is None else options.memory
    limits = Limits(timeout, memory, options.threads, 0 if options.seed is None else options.seed)
    jobs = 1 if options.jobs is None else options.jobs
    request = Request(
        _cases(options, timeout),
        limits,
        options.arithmetic,
        options.allow_vacuous,
        jobs,
        reuse=options.reuse,
    )
    return certify(request, options.output, signer, observer, _show)


def _cases(options: argparse.Namespace, timeout: float) -> list[Case]:
    from hybrid_ai.pipeline.errors import BadInput
    from hybrid_ai.pipeline.instances import Case
    from hybrid_ai.pipeline.suite import read_suite

    if options.suite is None:
        if options.model is None or not options.properties:
            raise BadInput("give PLAN.toml, or MODEL.onnx PROPERTY.vnnlib ..., or --suite INSTANCES.csv")
        return [Case(options.model, path, timeout) for path in options.properties]
    if options.model is not None:
        raise BadInput("--suite goes without MODEL.onnx and PROPERTY.vnnlib")
    folder = options.suite.parent
    rows = read_suite(options.suite, options.timeout)
    return [Case(folder / row.onnx, folder / row.vnnlib, row.timeout) for row in rows]
