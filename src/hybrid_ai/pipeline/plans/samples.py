"""Samples of a requirement: a CSV file of physical inputs, each with the label of the greatest output."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path as FilePath

from hybrid_ai.pipeline.plans.defects import MOST_DEFECTS, Findings, nearest, shown
from hybrid_ai.pipeline.plans.files import find_file
from hybrid_ai.pipeline.plans.model import OddInput, Sample, Samples, Tensors
from hybrid_ai.pipeline.plans.numbers import Number, read_number
from hybrid_ai.pipeline.plans.structure import Entry
from hybrid_ai.pipeline.plans.tables import MOST_VERIFICATIONS

LABEL = "label"
LARGEST_FILE = 2**26


def read_samples(
    entry: Entry,
    folder: FilePath,
    models: Sequence[tuple[str, Tensors]],
    domain: Mapping[str, OddInput],
    findings: Findings,
) -> Samples | None:
    """Read the samples of a requirement, None where something about them is wrong.

    Args:
        entry: table `samples`.
        folder: of the plan.
        models: ids of the models that it is about, and their inputs and outputs; at least one.
        domain: ranges of inputs; of one that is missing nothing is said.
        findings: receives what is wrong.
    """
    for name, tensors in models:
        if len(tensors.outputs) < 2:
            reason = f"model {name} has one output, which is always the greatest: give models with several"
            findings.add(entry.path, reason)
            return None
    radius = _radius(entry, models, findings)
    file = find_file(folder, entry.get("file"), entry.at("file"), findings, LARGEST_FILE)
    if file is None or radius is None:
        return None
    source = file.read_bytes()
    table = _Table(entry, file, models, domain, radius, findings)
    rows = table.read(source)
    return None if rows is None else Samples(entry.get("file"), source, table.columns, rows, radius)


def _inputs(models: Sequence[tuple[str, Tensors]]) -> list[str]:
    """Input elements of all the models, each once."""
    return list(dict.fromkeys(each for _, tensors in models for each in tensors.input_names))


def _radius(
    entry: Entry, models: Sequence[tuple[str, Tensors]], findings: Findings
) -> dict[str, Number] | None:
    """The radius by input element, None where a name in it is wrong or the plan has no right one."""
    given: Number | dict[str, Number] | None = entry.get("radius")
    names = _inputs(models)
    if not isinstance(given, dict):
        return None if given is None else dict.fromkeys(names, given)
    groups: dict[str, list[str]] = {}
    for quantity in (each for _, tensors in models for each in tensors.inputs):
        groups.setdefault(quantity.group, []).append(quantity.name)
    found: dict[str, Number] = {}
    for name, number in given.items():
        elements = dict.fromkeys(groups.get(name, [name] if name in names else []))
        if not elements:
            findings.add(
                entry.at("radius", name), f"{name!r} is no input: {nearest(name, [*groups, *names])}"
            )
            return None
        if twice := [each for each in elements if each in found]:
            findings.add(entry.at("radius", name), f"{twice[0]!r} has a radius already: give one")
            return None
        found |= dict.fromkeys(elements, number)
    return found


class _Table:
    """Reads the rows of one file; what is wrong is noted with the file's line."""

    def __init__(
        self,
        entry: Entry,
        file: FilePath,
        models: Sequence[tuple[str, Tensors]],
        domain: Mapping[str, OddInput],
        radius: Mapping[str, Number],
        findings: Findings,
    ) -> None:
        self.columns: tuple[str, ...] = ()
        self._path = entry.at("file")
        self._file = file
        self._models = models
        self._domain = domain
        self._radius = radius
        self._findings = findings
        self._wrong = 0
        # Samples repeat few values often: pixels have 256.
        self._number = cache(read_number)

    def read(self, source: bytes) -> tuple[Sample, ...] | None:
        """The rows, None where one or the header is wrong."""
        try:
            text = source.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            self._note(source[: error.start].count(b"\n") + 1, "is not UTF-8: save it as UTF-8")
            return None
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        rows: list[Sample | None] = []
        try:
            header = [name.strip() for name in next(reader, [])]
            if not self._check_header(header):
                return None
            self.columns = tuple(name for name in header if name != LABEL)
            for cells in filter(None, reader):
                rows.append(self._row(len(rows) + 1, cells, header.index(LABEL), reader.line_num))
                if len(rows) > MOST_VERIFICATIONS:
                    self._note(reader.line_num, f"has more than {MOST_VERIFICATIONS} samples: split it")
                if self._wrong >= MOST_DEFECTS or len(rows) > MOST_VERIFICATIONS:
                    break
        except csv.Error as error:
            self._note(reader.line_num, f"is no CSV: {error}; correct the quotation marks")
        if not rows and not self._wrong:
            self._note(1, "has no sample: give a row for each below the header")
        return None if self._wrong else tuple(row for row in rows if row is not None)

    def _note(self, line: int, reason: str) -> None:
        self._wrong += 1
        self._findings.add_in_file(self._path, self._file, line, reason)

    def _check_header(self, header: Sequence[str]) -> bool:
        inputs = _inputs(self._models)
        needed = [*inputs, LABEL]
        if LABEL in inputs:
            self._note(
                1, f"has one column for the input {LABEL!r} and the label: rename the input in the plan"
            )
            return False
        missing = [name for name in needed if name not in header]
        unknown = [name for name in header if name not in needed]
        twice = [name for name, count in Counter(header).items() if count > 1]
        if unknown:
            self._note(
                1, f"column {shown(unknown[0])!r} is no input: {nearest(unknown[0], missing or needed)}"
            )
        elif missing:
            named = ", ".join(missing[:8]) + (", ..." if len(missing) > 8 else "")
            self._note(1, f"has no column {named}: the first line names all inputs, and {LABEL}")
        elif twice:
            self._note(1, f"has two columns {twice[0]}: name each once")
        return not self._wrong

    def _row(self, number: int, cells: list[str], label_at: int, line: int) -> Sample | None:
        if len(cells) != len(self.columns) + 1:
            self._note(line, f"has {len(cells)} values: give {len(self.columns) + 1}, one for each column")
            return None
        label = cells.pop(label_at).strip()
        for name, tensors in self._models:
            if label not in tensors.output_names:
                reason = (
                    f"{shown(label)!r} is no output of model {name}: {nearest(label, tensors.output_names)}"
                )
                self._note(line, reason)
                return None
        values = []
        for name, cell in zip(self.columns, cells, strict=True):
            try:
                values.append(self._number(cell.strip()))
            except ValueError as error:
                self._note(line, f"{name}: {error}")
                return None
        self._check_place(values, line)
        return Sample(number, tuple(values), label)

    def _check_place(self, values: Sequence[Number], line: int) -> None:
        """Note a sample near which there is nothing of the domain: about it everything would be proved."""
        for name, number in zip(self.columns, values, strict=True):
            radius = self._radius[name].value if name in self._radius else Fraction(0)
            span = self._domain.get(name)
            if span is not None and not (
                span.minimum.value - radius <= number.value <= span.maximum.value + radius
            ):
                reason = (
                    f"{name} = {shown(number.text)} is farther than the radius from the domain,"
                    f" {span.minimum.text} to {span.maximum.text}: remove the sample, or widen the domain"
                )
                self._note(line, reason)
                return
