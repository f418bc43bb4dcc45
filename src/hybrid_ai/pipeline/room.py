"""Whether the results of a certification fit into a dossier, known before anything is verified."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hybrid_ai.audit.verification.canonical import VALUES_LIMIT
from hybrid_ai.audit.verification.evidence import RESULTS_LIMIT
from hybrid_ai.pipeline.errors import BadInput

# Upper bounds for a result as canonical JSON: of what it always has, of a coordinate of its point (all digits
# of a double that is not below 1e-10 in size), of an output (two doubles, its part of the violated atom).
BYTES, BYTES_OF_INPUT, BYTES_OF_OUTPUT = 2**13, 96, 128
VALUES, VALUES_OF_INPUT, VALUES_OF_OUTPUT = 2**10, 1, 2


def require_room(properties: Iterable[tuple[Path, int, int]]) -> None:
    """Require that the results of all properties would fit into one dossier even if all were refuted.

    Args:
        properties: file, number of inputs and number of outputs of each.

    Raises:
        BadInput: a counterexample would have more values than a statement may have, or `results.json` more
            bytes than are read (docs/formats/dossier.md, section 2).
    """
    total = 0
    for path, inputs, outputs in properties:
        if VALUES + VALUES_OF_INPUT * inputs + VALUES_OF_OUTPUT * outputs > VALUES_LIMIT:
            reason = "a counterexample has no room in a dossier: verify it by itself (hybrid-ai verify)"
            raise BadInput(f"{path}: {inputs} inputs and {outputs} outputs: {reason}")
        total += BYTES + BYTES_OF_INPUT * inputs + BYTES_OF_OUTPUT * outputs
    if total > RESULTS_LIMIT:
        reason = f"may need {total} bytes in results.json, at most {RESULTS_LIMIT} are read"
        raise BadInput(f"the results {reason}: certify in {-(-total // RESULTS_LIMIT)} parts")
