"""`hybrid-ai plan`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from hybrid_ai.cli.certify import add_objectives
from hybrid_ai.cli.output import emit, note

DESCRIPTION = """Write, check and describe plans: what is to be certified, as one TOML file. `plan check`
reads the plan and every file that it names, and lists all that is wrong. Exit status: 0 valid or written,
2 not."""


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = DESCRIPTION
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    new = actions.add_parser("new", help="write a plan to be filled in", allow_abbrev=False)
    new.add_argument("models", nargs="+", type=Path, metavar="MODEL.onnx")
    where = "file, not there yet (default: plan.toml)"
    new.add_argument("-o", "--output", type=Path, default=Path("plan.toml"), metavar="PLAN.toml", help=where)
    check = actions.add_parser("check", help="list all that is wrong with a plan", allow_abbrev=False)
    check.add_argument("plan", type=Path, metavar="PLAN.toml")
    add_objectives(check)
    check.add_argument("--json", action="store_true", help="print one JSON object")
    actions.add_parser("schema", help="print the JSON Schema of plans", allow_abbrev=False)


def execute(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    return {"new": _new, "check": _check, "schema": _schema}[options.action](options)


def _new(options: argparse.Namespace) -> int:
    from hybrid_ai.pipeline.plans.new import write_new_plan

    write_new_plan(options.models, options.output)
    emit(f"{options.output}: fill in what says FILL IN, then: hybrid-ai plan check {options.output}")
    return 0


def _check(options: argparse.Namespace) -> int:
    from hybrid_ai.audit.objectives.catalogue import with_shipped
    from hybrid_ai.pipeline.plans.defects import PlanError
    from hybrid_ai.pipeline.plans.reading import read_plan
    from hybrid_ai.pipeline.plans.summary import defect_rows, summary, summary_lines

    catalogues = with_shipped(options.objectives)
    try:
        plan = read_plan(options.plan, catalogues)
    except PlanError as error:
        if options.json:
            emit(json.dumps({"valid": False, "errors": defect_rows(error)}))
        for defect in error.defects:
            note("hybrid-ai: " + " ".join(str(defect).split()))
        return 2
    emit(json.dumps(summary(plan)) if options.json else "\n".join(summary_lines(plan)))
    return 0


def _schema(options: argparse.Namespace) -> int:
    from hybrid_ai.pipeline.plans.schema import schema_text

    emit(schema_text().rstrip("\n"))
    return 0
