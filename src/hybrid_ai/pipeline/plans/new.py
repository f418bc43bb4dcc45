"""Write a first plan from the names and shapes of models, to be filled in."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hybrid_ai.pipeline.errors import BadInput
from hybrid_ai.pipeline.files import require_writable, write_atomically
from hybrid_ai.pipeline.inspection import inspect_model
from hybrid_ai.pipeline.plans.tables import CONTROL, IDENTIFIER, RESERVED

# Up to so many elements each has a table of its own, which one can rename.
MOST_SINGLE = 32
_LONGEST_NAME = 50
# Names and counts of what is described, in the order of the tensor.
_Side = list[tuple[str, int]]


def write_new_plan(models: Sequence[Path], output: Path) -> None:
    """Write a commented plan for models, which `read_plan` takes as it is.

    Args:
        models: ONNX files, at least one.
        output: the plan; nothing is there yet.

    Raises:
        BadInput: a model is missing or no valid one, a path is no text, or the plan cannot be written.
        UnsupportedInput: a model uses something that is not supported.
    """
    if os.path.lexists(output):
        raise BadInput(f"-o {output}: is there already, and is not overwritten: name another file")
    require_writable(output, "-o", models)
    write_atomically(output, plan_text(models, output.absolute().parent).encode())


def plan_text(models: Sequence[Path], folder: Path) -> str:
    """The text of a plan for models.

    Args:
        models: ONNX files, at least one.
        folder: in which the plan will be.

    Raises:
        BadInput, UnsupportedInput: as `write_new_plan`.
    """
    facts = [inspect_model(model) for model in models]
    ids = _ids(models)
    tables: list[str] = []
    inputs: dict[str, None] = {}
    like: dict[tuple[int, int], str] = {}
    for model, name, found in zip(models, ids, facts, strict=True):
        size = found["input"]["elements"], found["output"]["elements"]
        head = [_MODEL % (name, _path(model, folder), found["model_sha256"])]
        if size in like:
            head.append(
                f'like = "{like[size]}"  # has as many inputs and outputs; describe them where they differ\n'
            )
        else:
            read, given = _sides(found)
            head += [_TENSORS, _described("inputs", read), _described("outputs", given)]
            inputs |= dict.fromkeys(each for each, _ in read)
            like[size] = name
        tables.append("".join(head))
    return "\n".join(
        [_HEAD, *tables, _ODD, *(_RANGE % name for name in inputs), _EXAMPLE, *_examples(ids, facts)]
    )


def _examples(ids: Sequence[str], facts: Sequence[Mapping[str, Any]]) -> list[str]:
    """A requirement for all models of the same names: each model needs one."""
    groups: dict[str, list[str]] = {}
    for name, found in zip(ids, facts, strict=True):
        output, count = _sides(found)[1][0]
        groups.setdefault(output if count == 1 else f"{output}_0", []).append(name)
    tables = []
    for number, (output, names) in enumerate(groups.items(), start=1):
        about = f"models = {json.dumps(names)}\n" if len(groups) > 1 else ""
        tables.append(_REQUIREMENT % ("" if number == 1 else f"-{number}", about, output))
    return tables


def _ids(models: Sequence[Path]) -> list[str]:
    """An id for each model, from its file's name; upper and lower case are not told apart."""
    found: list[str] = []
    for model in models:
        stem = (
            re.sub(r"[^A-Za-z0-9._-]+", "-", model.name.split(".")[0]).lstrip("._-")[:_LONGEST_NAME]
            or "model"
        )
        name, number = stem, 2
        while name.lower() in map(str.lower, found):
            name, number = f"{stem}-{number}", number + 1
        assert IDENTIFIER.fullmatch(name)
        found.append(name)
    return found


def _path(model: Path, folder: Path) -> str:
    """A model's path from a folder, as TOML writes texts."""
    path = os.path.relpath(os.path.join(os.path.realpath(model.parent), model.name), os.path.realpath(folder))
    if CONTROL.search(path) or not path.isprintable():
        raise BadInput(f"{path!r}: a plan cannot hold this path: rename the file or its folder")
    # JSON's escapes of quotation marks and backslashes are TOML's as well.
    return json.dumps(path, ensure_ascii=False)


def _sides(facts: Mapping[str, Any]) -> tuple[_Side, _Side]:
    """Names and counts of a model's inputs and of its outputs."""
    read, given = facts["input"], facts["output"]
    names = [_name(read, "X", "input"), _name(given, "Y", "output")]
    # A name must not be that of an element of the other one.
    if re.sub(r"(_[0-9]+)*$", "", names[0]) == re.sub(r"(_[0-9]+)*$", "", names[1]):
        names = ["X", "Y"]
    return _side(names[0], read["elements"]), _side(names[1], given["elements"])


def _name(tensor: Mapping[str, Any], short: str, otherwise: str) -> str:
    """What elements are called: X and Y as in VNN-LIB where they are few, else after the tensor."""
    if tensor["elements"] <= MOST_SINGLE:
        return short
    name = re.sub(r"[^A-Za-z0-9_]+", "_", tensor["name"]).lstrip("_0123456789")[:_LONGEST_NAME]
    return otherwise if not name or name in RESERVED or re.fullmatch("[XY](_[0-9]+)*", name) else name


def _side(name: str, count: int) -> _Side:
    return [(name, count)] if count > MOST_SINGLE else [(f"{name}_{index}", 1) for index in range(count)]


def _described(key: str, side: _Side) -> str:
    rows = [
        f'    {{ name = "{name}", unit = "1"{f", count = {count}" if count > 1 else ""} }},\n'
        for name, count in side
    ]
    return f"{key} = [\n{''.join(rows)}]\n"


_HEAD = """\
# A plan: what is to be certified. `hybrid-ai plan check` reads it, `hybrid-ai certify` runs it.
# Fill in what says FILL IN. Numbers are exact decimals, paths are relative to this file's folder.

plan = 1

[system]
id = "system"  # FILL IN
version = "0.1"  # FILL IN
intended_use = "FILL IN: what the system is for, where and by whom it is used."
exclusions = []  # uses and conditions that are not covered
# organisation = "FILL IN"
"""

_MODEL = """\
[[model]]
id = "%s"
path = %s
# Another file is an error: remove this line while the model changes.
sha256 = "%s"
"""

_TENSORS = """\
# In the order of the flattened tensor. Rename them as you like: formulas use these names. Where the network
# reads or gives scaled values, add scale and offset: physical = network * scale + offset.
"""

_ODD = """\
# The operational design domain: the physical range of each input.
[odd]
description = "FILL IN: the conditions under which the system operates."
# [[odd.constraint]]
# formula = "FILL IN: what else holds throughout the domain, such as a + b <= 1"
"""

_RANGE = """\
[[odd.input]]
name = "%s"
unit = "1"
minimum = 0  # FILL IN
maximum = 1  # FILL IN
source = "FILL IN: why this range."
"""

_EXAMPLE = """\
# EXAMPLE, which says next to nothing: replace it by what is required of the system. `where` is the part of
# the domain that a requirement is about, the whole of it when absent; `require` must hold there. Operators
# are + - * / < <= > >= == != and or not abs() min() max()."""

_REQUIREMENT = """\
[[requirement]]
id = "example%s"
text = "EXAMPLE, to be replaced: the output is of a size that any network gives."
%s# where = "FILL IN: a formula over inputs"
require = "-1e30 <= %s <= 1e30"
"""
