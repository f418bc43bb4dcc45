"""`hybrid-ai inspect`."""

from __future__ import annotations

import argparse
import json

from hybrid_ai.cli.output import emit

DESCRIPTION = "Describe a model: shapes, parameters, neurons, stages, operations, and what is supported."


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = DESCRIPTION
    parser.add_argument("model", metavar="MODEL.onnx")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def execute(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    from hybrid_ai.pipeline.inspection import inspect_model

    facts = inspect_model(options.model)
    if options.json:
        emit(json.dumps(facts))
        return 0
    stages = ", ".join(f"{stage['kind']} {stage['size']}" for stage in facts["stages"])
    operations = ", ".join(f"{name} {count}" for name, count in facts["operations"].items())
    lines = [
        f"sha256       {facts['model_sha256']}",
        f"opset        {facts['opset']}, {facts['element_type']}",
        *(f"{side:<12} {facts[side]['name']} {facts[side]['shape']}" for side in ("input", "output")),
        f"parameters   {facts['parameters']}",
        f"neurons      {facts['neurons']}",
        f"stages       {stages}",
        f"operations   {operations}",
        f"bounds       supported: {', '.join(facts['bounds'])}",
        f"certificate  supported: {', '.join(facts['certificate'])}",
    ]
    if facts["unused_operations"]:
        lines.append(f"not used     {', '.join(facts['unused_operations'])}")
    emit("\n".join(lines))
    return 0
