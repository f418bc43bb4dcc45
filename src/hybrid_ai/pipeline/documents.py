"""The JSON documents of a dossier, read once its integrity is established."""

from __future__ import annotations

import json
from typing import Any

from hybrid_ai.audit.verification.container import Container
from hybrid_ai.pipeline.errors import BadInput

Content = dict[str, Any]
RESULTS, PLAN, ASSESSMENT = "results.json", "plan/plan.json", "assessment.json"
LARGEST = 2**30


def read_documents(container: Container) -> dict[str, Content]:
    """Those of results, plan and assessment that are there, by name.

    Args:
        container: files of a dossier that was verified: `results.json` then holds what its statements say,
            the other two what whoever sealed it put there.

    Raises:
        BadInput: one is no JSON object.
        Refused: one is too large.
    """
    names = [name for name in (RESULTS, PLAN, ASSESSMENT) if name in container.names()]
    return {name: _read(container, name) for name in names}


def _read(container: Container, name: str) -> Content:
    try:
        content = json.loads(container.read(name, LARGEST))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{name}: is no JSON that can be read: it was not made by certify") from error
    if not isinstance(content, dict):
        raise BadInput(f"{name}: is no JSON object: it was not made by certify")
    return content
