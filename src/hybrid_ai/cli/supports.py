"""`hybrid-ai supports`."""

from __future__ import annotations

import argparse
import json

from hybrid_ai.cli.output import emit

DESCRIPTION = "List what is supported, all of it or one list."
LISTS = {
    "--onnx-operations": "operations",
    "--onnx-element-types": "element_types",
    "--model-element-types": "model_element_types",
    "--arithmetics": "arithmetics",
    "--backends": "backends",
    "--engines": "engines",
    "--property-formats": "property_formats",
}


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = DESCRIPTION
    which = parser.add_mutually_exclusive_group()
    for option, name in LISTS.items():
        which.add_argument(option, dest="only", action="store_const", const=name, help="this list alone")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def execute(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    from hybrid_ai.pipeline.inspection import supported

    facts = supported()
    if options.only:
        facts = {options.only: facts[options.only]}
    if options.json:
        emit(json.dumps(facts))
        return 0
    lines = []
    for name, values in facts.items():
        if not options.only:
            lines.append(f"{name.replace('_', ' ')}:")
        for value in values:
            text = value
            if isinstance(values, dict):
                first, last = values[value]["opsets"]
                text = f"{value} (opsets {first} to {last}) {values[value]['notes']}".rstrip()
            lines.append(text if options.only else f"  {text}")
    emit("\n".join(lines))
    return 0
