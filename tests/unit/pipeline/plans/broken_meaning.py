"""Edits of the good plan by which what it says makes no sense."""

from __future__ import annotations

from tests.unit.pipeline.plans.broken_values import NEAR, Broken, one
from tests.unit.pipeline.plans.plan_texts import GOOD, line_of

LAST_RANGE = '[[odd.input]]\nname = "pixel"'
# So that the others are about the first model alone.
FIRST_ALONE = tuple(
    (f'text = "{text}"', f'text = "{text}"\nmodels = ["first"]')
    for text in ("The left one is not far to the right.", "The greatest output stays.", "Cell by cell.")
)
SECOND = """inputs = [{ name = "speed", unit = "kt" }]
outputs = [{ name = "left", unit = "1" }, { name = "right", unit = "1" }]"""
TOO_MANY = """inputs = [{ name = "speed", unit = "kt" }, { name = "pixel", unit = "1", count = 2 }]
outputs = [{ name = "left", unit = "1" }, { name = "right", unit = "1" }, { name = "up", unit = "1" }]"""
WITH_OTHER_UNIT = """inputs = [{ name = "speed", unit = "kt" }, { name = "pixel", unit = "%", count = 2 }]
outputs = [{ name = "left", unit = "1" }, { name = "right", unit = "1" }]"""
SECOND_IN_SI = """inputs = [{ name = "speed", unit = "m/s" }, { name = "pixel", unit = "1", count = 2 }]
outputs = [{ name = "left", unit = "1" }, { name = "right", unit = "1" }]"""
REFERENCES = {
    "system": one(
        'parent = "ordered"', 'parent = "orderd"', "requirement[2].parent", "did you mean 'ordered'"
    ),
    "own parent": one(
        'parent = "ordered"', 'parent = "file"', "requirement[2].parent", "file from file", "remove"
    ),
    "cycle": Broken(
        (
            ('id = "ordered"', 'id = "ordered"\nparent = "near"'),
            (NEAR, f'parent = "file"\n{NEAR}'),
        ),
        'parent = "near"',
        "requirement[1].parent",
        ("ordered from near from file from ordered", "remove one"),
    ),
    "cycle of others": Broken(
        (
            ("[[requirement]]", '[[requirement]]\nparent = "mapped"'),
            ('where = "100', 'parent = "mapped"\nwhere = "100'),
        ),
        'parent = "mapped"\nwhere',
        "requirement[4].parent",
        ("mapped from mapped",),
    ),
    "model of a requirement": one(
        'models = ["first"]',
        'models = ["First"]',
        "requirement[2].models[1]",
        "no model",
        "did you mean 'first'",
    ),
    "model twice": one(
        'models = ["first"]', 'models = ["first", "first"]', "requirement[2].models[2]", "is there already"
    ),
    "assumption": one(
        'assumptions = ["smooth"]',
        'assumptions = ["smooth", "rough"]',
        "requirement[1].assumptions[2]",
        "no assumption has the id 'rough'",
        "there are smooth",
    ),
    "objective": one(
        'requirements = ["ordered", "near"]',
        'requirements = [\n"ordered",\n"nearby"]',
        "objective[1].requirements[2]",
        "did you mean 'near'",
        at='"nearby"',
    ),
    "objective twice": one(
        "[budget]",
        '[[objective]]\ncatalogue = "book"\nid = "OBJ 1"\nrequirements = ["file"]\n[budget]',
        "objective[2].id",
        f"'OBJ 1' of book is on line {line_of(GOOD, 'OBJ 1')}",
        at='id = "OBJ 1"\nrequirements = ["file"]',
    ),
    "requirements of one id": one(
        'id = "mapped"',
        'id = "Near"',
        "requirement[4].id",
        f"on line {line_of(GOOD, 'near')} has the id 'near'",
        "another one",
    ),
    "models of one id": one(
        'id = "second"\n', 'id = "first" \n', "model[2].id", f"the model on line {line_of(GOOD, 'first')}"
    ),
    "like nothing": one('like = "first"', 'like = "frist"', "model[2].like", "did you mean 'first'"),
    "like itself": one(
        'like = "first"', 'like = "second"', "model[2].like", "no earlier model", "name an earlier"
    ),
    "like a later one": Broken(
        (
            ("[[model]]", '[[model]]\nid = "zero"\npath = "first.onnx"\nlike = "second"\n[[model]]'),
            ('models = ["first"]', 'models = ["first", "second"]'),
            *FIRST_ALONE,
        ),
        'like = "second"',
        "model[1].like",
        ("'second' is no earlier model", "move that one before"),
    ),
}

QUANTITIES = {
    "name twice": one(
        'name = "right"',
        'name =  "left"',
        "model[1].outputs[2].name",
        "'left' is the name of another",
        "rename",
    ),
    "output like an input": one(
        'name = "right"', 'name = "pixel_1"', "model[1].outputs[2].name", "'pixel_1' is the name of another"
    ),
    "output like a group": one(
        'name = "right"', 'name =  "pixel"', "model[1].outputs[2].name", "'pixel' is", "rename"
    ),
    "numbered name too long": Broken(
        (('name = "pixel"', f'name = "{"p" * 63}"'),),
        "p" * 63,
        "model[1].inputs[2].name",
        ("too long", "shorten"),
    ),
    "too many elements": one(
        'unit = "1", count = 2 },\n',
        'unit = "1", count = 1000000 },\n',
        "model[1].inputs",
        "has 1000001 elements",
        at="inputs = [",
    ),
    "range of nothing": one(
        'name = "pixel"\nunit', 'name = "pixl"\nunit', "odd.input[2].name", "did you mean 'pixel'"
    ),
    "range of an output": one(
        "[[odd.constraint]]",
        '[[odd.input]]\nname = "left"\nunit = "1"\nminimum = 0\nmaximum = 1\n[[odd.constraint]]',
        "odd.input[3].name",
        "'left' is no input of a model",
        at='name = "left"\nunit = "1"\nmin',
    ),
    "no range": one(
        '[[odd.input]]\nname = "pixel"\nunit = "1"\nminimum = 0.0\nmaximum = 1e0\n',
        "",
        "model[1].inputs[2].name",
        "'pixel' has no range",
        'add [[odd.input]] with name = "pixel"',
        at='name = "pixel"',
    ),
    "no range of one": one(
        'name = "pixel"\nunit',
        'name = "pixel_0"\nunit',
        "model[1].inputs[2].name",
        "'pixel_1' has no range",
        at='name = "pixel"',
    ),
    "range twice": one(
        "[[odd.constraint]]",
        '[[odd.input]]\nname = "pixel_1"\nunit = "1"\nminimum = 0\nmaximum = 1\n[[odd.constraint]]',
        "odd.input[3].name",
        f"'pixel_1' has a range on line {line_of(GOOD, LAST_RANGE)}",
        at='name = "pixel_1"\nunit',
    ),
    "unit of a range": one(
        'name = "speed"\nunit = "kt"',
        'name = "speed"\nunit = "m/s"',
        "odd.input[1].unit",
        "is 'm/s', but 'kt'",
        "give that unit",
        at='unit = "m/s"',
    ),
    "units of two models": Broken(
        (('like = "first"', SECOND_IN_SI),),
        'unit = "m/s"',
        "model[2].inputs[1].unit",
        ("'speed' has the unit 'kt' on line 13", "two names"),
    ),
    "units of several elements": Broken(
        (('like = "first"', WITH_OTHER_UNIT),),
        'unit = "%"',
        "model[2].inputs[2].unit",
        ("'pixel_0' has the unit '1' on line 14", "give one unit"),
    ),
    "minimum above maximum": one(
        "minimum = 0\n",
        "minimum = 1000.6\n",
        "odd.input[1].minimum",
        "1000.6 is above the maximum 1000.50",
        "exchange",
    ),
}

FILES = {
    "no model": one(
        '"first.onnx"', '"third.onnx"', "model[1].path", "No such file", "relative to the plan's folder"
    ),
    "a folder": one('"first.onnx"', '"models"', "model[1].path", "is no regular file"),
    "absolute": one('"first.onnx"', '"/first.onnx"', "model[1].path", "is absolute", "relative"),
    "no network": one('"first.onnx"', '"samples.csv"', "model[1].path", "samples.csv"),
    "another file": one(
        'path = "first.onnx"',
        f'path = "first.onnx"\nsha256 = "{"0" * 64}"',
        "model[1].sha256",
        "has the SHA-256",
        "correct the digest",
        at="sha256",
    ),
    "inputs of the network": Broken(
        (('like = "first"', SECOND), *FIRST_ALONE),
        'inputs = [{ name = "speed"',
        "model[2].inputs",
        ("describes 1 input", "has 3", "describe each"),
    ),
    "outputs of the network": Broken(
        (('like = "first"', TOO_MANY),),
        "outputs = [{",
        "model[2].outputs",
        ("describes 3 outputs", "has 2"),
    ),
    "no property": one('"p.vnnlib"', '"q.vnnlib"', "requirement[2].property", "q.vnnlib: cannot be read"),
    "no VNN-LIB": one('"p.vnnlib"', '"samples.csv"', "requirement[2].property", "samples.csv:1"),
    "no samples": one(
        'file = "samples.csv"', 'file = "s.csv"', "requirement[3].samples.file", "cannot be read"
    ),
}

FORMULAS = {
    "no formula": one(
        '"left <= right + 1000"',
        '"left <= "',
        "requirement[1].require",
        "column 9",
        "expected a number",
        at="require =",
    ),
    "no linear formula": one(
        '"left <= 7"', '"left * right <= 7"', "requirement[4].require", "column 6", "linear"
    ),
    "constraint": one('"pixel_0 <= pixel_1 + 0.5"', '"pixel_0 = 1"', "odd.constraint[1].formula", "write =="),
    "unknown name": one(
        '"left <= 7"', '"lft <= 7"', "requirement[4].require", "'lft' is no input or output", "'left'"
    ),
    "unknown name in where": one(
        '"100 <= speed <= 200"',
        '"100 <= sped <= 200"',
        "requirement[4].where",
        "'sped' is no input",
        "'speed'",
    ),
    "output in where": one(
        "speed < 500 and",
        "left < 500 and",
        "requirement[1].where",
        "'left' is an output of model first",
        "say it in require",
    ),
    "group in a formula": one(
        '"left <= 7"', '"left <= pixel"', "requirement[4].require", "its elements are pixel_0 to pixel_1"
    ),
    "output in a constraint": one(
        '"pixel_0 <= pixel_1 + 0.5"', '"left <= 1"', "odd.constraint[1].formula", "is an output", "in require"
    ),
    "unknown name in a constraint": one(
        '"pixel_0 <= pixel_1 + 0.5"',
        '"pixel_2 <= 1"',
        "odd.constraint[1].formula",
        "no input of a model",
        "'pixel_",
    ),
    "nothing left": one(
        '"100 <= speed <= 200"',
        '"speed > 1000.6"',
        "requirement[4].where",
        "leaves nothing",
        "from 0 to 1000.50",
        "correct one",
    ),
    "coverage of a disjunction": one(
        '"100 <= speed <= 200"',
        '"speed < 1 or speed > 2"',
        "requirement[4].where",
        "bounds more than single inputs",
    ),
    "coverage of two inputs": one(
        '"100 <= speed <= 200"',
        '"pixel_0 < pixel_1"',
        "requirement[4].where",
        "pixel_0 - pixel_1 < 0",
        "leave coverage",
    ),
    "coverage of an output": one(
        '["speed", "pixel_1"]', '["speed", "left"]', "requirement[4].coverage.inputs[2]", "is an output"
    ),
    "coverage of nothing": one(
        '["speed", "pixel_1"]',
        '["speed", "pixel_2"]',
        "requirement[4].coverage.inputs[2]",
        "did you mean 'pixel_",
    ),
    "coverage of a group": one(
        '["speed", "pixel_1"]',
        '["speed", "pixel"]',
        "requirement[4].coverage.inputs[2]",
        "pixel_0 to pixel_1",
    ),
    "inputs of coverage twice": one(
        '["speed", "pixel_1"]', '["speed", "speed"]', "requirement[4].coverage.inputs[2]", "is there already"
    ),
    "cells and inputs": one(
        "[4, 3]", "[4]", "requirement[4].coverage.cells", "1 numbers for 2 inputs", "one for each"
    ),
    "too many cells": one(
        "[4, 3]", "[80, 51]", "requirement[4].coverage.cells", "gives 4080 cells", "at most 4000"
    ),
    "cells of one value": one(
        '"100 <= speed <= 200"',
        '"speed == 0.5"',
        "requirement[4].coverage.cells[1]",
        "has one value",
        "4 cells",
        at="cells =",
    ),
    "too many verifications": one(
        "[4, 3]",
        "[60, 60]",
        "requirement[4]",
        "14400 of the plan's 14407",
        "at most 9999",
        "two plans",
        at='[[requirement]]\nid = "mapped"',
    ),
    "a model without requirement": Broken(
        FIRST_ALONE,
        'id = "second"',
        "model[2].id",
        ("no requirement is about this model", "remove it"),
    ),
    "a domain that strict bounds empty": one(
        "speed < 500 and pixel_0 + pixel_1 <= 1.5",
        "speed < 0",
        "requirement[1].where",
        "leaves nothing of the domain",
        "correct one of them",
    ),
    "a domain that disjunctions empty": one(
        "speed < 500 and pixel_0 + pixel_1 <= 1.5",
        "pixel_0 > 1 or pixel_1 < 0",
        "requirement[1].where",
        "leaves nothing of the domain",
    ),
    "a domain that a sum empties": one(
        "speed < 500 and pixel_0 + pixel_1 <= 1.5",
        "pixel_0 + pixel_1 > 2",
        "requirement[1].where",
        "leaves nothing of the domain",
    ),
    "too much memory": one("seed = 3", "seed = 9007199254740992", "budget.seed", "9007199254740991"),
}
