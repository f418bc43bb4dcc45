"""Files that a plan names: where they are, and whether they are what the plan says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path as FilePath

from hybrid_ai.pipeline.errors import BadInput, UnsupportedInput
from hybrid_ai.pipeline.files import require_regular
from hybrid_ai.pipeline.inputs import LARGEST_FILE, digest, read_property
from hybrid_ai.pipeline.inspection import inspect_model
from hybrid_ai.pipeline.plans.defects import Findings
from hybrid_ai.pipeline.plans.model import Tensors
from hybrid_ai.pipeline.plans.positions import Path
from hybrid_ai.pipeline.plans.structure import Entry


def find_file(
    folder: FilePath, text: str | None, path: Path, findings: Findings, largest: int = LARGEST_FILE
) -> FilePath | None:
    """The file that a path of the plan leads to, None where that is none, or there is no path.

    Args:
        folder: of the plan.
        text: the path, None where the plan has no right one.
        path: place in the plan.
        findings: receives what is wrong.
        largest: bytes that the file may have.
    """
    if text is None:
        return None
    if FilePath(text).is_absolute():
        findings.add(path, f"{text!r} is absolute: give a path relative to the plan's folder")
        return None
    try:
        require_regular(folder / text, largest)
    except BadInput as error:
        findings.add(path, f"{error}; paths are relative to the plan's folder")
        return None
    return folder / text


def check_model(entry: Entry, tensors: Tensors | None, folder: FilePath, findings: Findings) -> str | None:
    """See that a model's file is there, is the one that is meant, and has as many inputs and outputs.

    Args:
        entry: table `[[model]]`.
        tensors: inputs and outputs that the plan gives it, None where they are wrong.
        folder: of the plan.
        findings: receives what is wrong.

    Returns:
        SHA-256 of the file, hexadecimal; None where there is none.
    """
    file = find_file(folder, entry.get("path"), entry.at("path"), findings)
    if file is None:
        return None
    found, pinned = digest(file), entry.get("sha256")
    if pinned is not None and found != pinned.lower():
        reason = f"{entry.get('path')} has the SHA-256 {found}: give that file, or correct the digest"
        findings.add(entry.at("sha256"), reason)
        return found
    try:
        facts = inspect_model(file)
    except BadInput as error:
        findings.add(entry.at("path"), str(error))
        return found
    except UnsupportedInput:
        return found  # it ends as unknown, which certifying it says
    if tensors is not None:
        _check_count(entry, "input", len(tensors.inputs), facts["input"]["elements"], findings)
        _check_count(entry, "output", len(tensors.outputs), facts["output"]["elements"], findings)
    return found


def _check_count(entry: Entry, side: str, described: int, there: int, findings: Findings) -> None:
    if described != there:
        key = f"{side}s" if f"{side}s" in entry.values else "like"
        reason = (
            f"describes {described} {side}s, the network in {entry.get('path')} has {there}: describe each"
        )
        findings.add(entry.at(key), reason)


def check_property(
    file: FilePath, path: Path, models: Sequence[tuple[str, Tensors]], findings: Findings
) -> None:
    """See that a property can be read and has the inputs and outputs of models.

    Args:
        file: VNN-LIB file.
        path: place in the plan.
        models: ids, and inputs and outputs.
        findings: receives what is wrong.
    """
    try:
        prop = read_property(file)
    except BadInput as error:
        findings.add(path, str(error))
        return
    except UnsupportedInput:
        return  # it ends as unknown, which certifying it says
    there = prop.n_inputs // prop.instances, prop.n_outputs // prop.instances
    for name, tensors in models:
        needed = len(tensors.inputs), len(tensors.outputs)
        if there != needed:
            reason = (
                f"{file.name} is about {there[0]} inputs and {there[1]} outputs, model {name} has {needed[0]}"
                f" and {needed[1]}: give a property of that network, or name other models"
            )
            findings.add(path, reason)
            return
