"""`hybrid-ai check`."""

from __future__ import annotations

import argparse

from hybrid_ai.cli.output import emit, note

DESCRIPTION = """Judge a certificate or a counterexample in a fresh process of the independent checker.
Exit status: 0 valid, 30 rejected, 2 bad input, 20 not supported, 1 our own failure."""


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = DESCRIPTION
    parser.add_argument("model", metavar="MODEL.onnx")
    parser.add_argument("property", metavar="PROPERTY.vnnlib")
    parser.add_argument("evidence", metavar="EVIDENCE", help="certificate or counterexample")
    engines = "fast: double precision with error bounds; exact: rationals (default fast)"
    parser.add_argument("--engine", choices=["fast", "exact"], default="fast", help=engines)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def execute(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    from hybrid_ai.pipeline.checking import check

    answer = check(options.model, options.property, options.evidence, engine=options.engine)
    if options.json:
        emit(answer.to_json())
    elif answer.status == "malformed":
        note(f"hybrid-ai: {answer.rule}: {answer.where}: {answer.reason}")
    else:
        emit(answer.line())
    return answer.exit_code
