"""`hybrid-ai demo`."""

from __future__ import annotations

import argparse
from pathlib import Path

from hybrid_ai.cli.output import emit

DESCRIPTION = "Verify the example: a network for braking distances, two properties that hold, one that fails."


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = DESCRIPTION
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FOLDER", help="receives all files"
    )


def execute(options: argparse.Namespace) -> int:
    """Run the command and return its exit status: 0 when all came out as expected, else 1."""
    from hybrid_ai.cli.progress import observed
    from hybrid_ai.pipeline.demonstration import Demonstrated, check_command, run_demo
    from hybrid_ai.pipeline.limits import Limits

    folder = options.output

    def show(shown: Demonstrated) -> None:
        emit(f"claim: {shown.claim.says}\n  {shown.result.line()}\n  evidence: {shown.evidence}")
        if shown.as_expected:
            emit(f"  re-check: {check_command(folder, shown)}")

    with observed() as observer:
        results = run_demo(folder, Limits(), observer, show)
    emit(f"files: {folder}, results in {folder / 'results.json'}")
    return 0 if all(shown.as_expected for shown in results) else 1
