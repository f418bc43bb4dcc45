"""Edits of the good plan by which the form of something is wrong."""

from __future__ import annotations

from dataclasses import dataclass

Edits = tuple[tuple[str, str], ...]
CUBE = 'coverage = { inputs = ["speed", "pixel_1"], cells = [4, 3] }'
NEAR = 'samples = { file = "samples.csv", radius = { speed = 0.1, pixel = 0 } }'


@dataclass(frozen=True)
class Broken:
    """Edits of the good plan, a text on the line that is named, the key, and words of the reason."""

    edits: Edits
    at: str
    key: str
    says: tuple[str, ...]


def one(old: str, new: str, key: str, *says: str, at: str = "") -> Broken:
    """One edit, on the line of what it writes or of `at`."""
    return Broken(((old, new),), at or new, key, says)


KEYS = {
    "version": one("plan = 1", "plan = 2", "plan", "is 2", "give 1"),
    "no version": one("plan = 1\n", "", "plan", "is missing", "Version of the format", at="\n"),
    "unknown top": one("plan = 1", "plan = 1\nplam = 2", "plam", "unknown key", "'plan'", at="plam"),
    "unknown key": one(
        'id = "system"',
        'id = "system"\nversoin = "2"',
        "system.versoin",
        "did you mean 'version'",
        at="versoin",
    ),
    "unknown and far": one(
        'id = "ordered"', 'id = "ordered"\nzzz = 1', "requirement[1].zzz", "there are id, text", at="zzz"
    ),
    "unknown in a list": one(
        'name = "left", unit = "1"',
        'name = "left", unit = "1", size = 2',
        "model[1].outputs[1].size",
        "there are name, unit, offset, scale, count",
        at="size = 2",
    ),
    "case of a key": one("[budget]", "[Budget]", "Budget", "did you mean 'budget'"),
    "missing and misspelled": one(
        'id = "system"', 'Id = "system"', "system.Id", "unknown key", "did you mean 'id'"
    ),
    "missing text": one(
        'text = "Cell by cell."\n',
        "",
        "requirement[4].text",
        "is missing",
        "in words",
        at='[[requirement]]\nid = "mapped"',
    ),
    "no system": one(
        '[system]\nid = "system"\nversion = "1.0"\nintended_use = "Tests."\nexclusions = ["All else."]\n',
        "",
        "system",
        "is missing",
        at="plan = 1",
    ),
    "no radius": one(
        NEAR,
        'samples = { file = "samples.csv" }',
        "requirement[3].samples.radius",
        "is missing",
        "label stays",
    ),
    "text for a number": one("seed = 3", 'seed = "3"', "budget.seed", "is a text", "a whole number"),
    "decimal for a whole": one("seed = 3", "seed = 3.0", "budget.seed", "is 3.0", "a whole number"),
    "truth for a whole": one("seed = 3", "seed = true", "budget.seed", "is a truth value", "digits"),
    "truth for a decimal": one("minimum = 0\n", "minimum = false\n", "odd.input[1].minimum", "a truth value"),
    "number for a text": one(
        'version = "1.0"', "version = 1.0", "system.version", "is a number", "quotation marks"
    ),
    "text for a list": one('["All else."]', '"All else."', "system.exclusions", "is a text", "a list"),
    "text in a list": one('roles = ["approver"]', "roles = [1]", "review.roles[1]", "is a whole number"),
    "list for a table": one("[review]", "[[review]]", "review", "is a list", "a table"),
    "table for a list": one("[[assumption]]", "[assumption]", "assumption", "is a table", "a list"),
    "number for a table": one(
        CUBE, "coverage = 4", "requirement[4].coverage", "is a whole number", "a table"
    ),
    "value for a key": one("[system]", "odds = 1\n[system]", "odds", "did you mean 'odd'", at="odds"),
}

NUMBERS = {
    "infinite": one(
        "minimum = 0\n", "minimum = -inf\n", "odd.input[1].minimum", "'-inf'", "no finite decimal"
    ),
    "not a number": one("minimum = 0\n", "minimum = nan\n", "odd.input[1].minimum", "'nan'", "write digits"),
    "a date": one("minimum = 0\n", "minimum = 2020-01-02\n", "odd.input[1].minimum", "is a date", "a number"),
    "a time": one("seed = 3", "seed = 07:32:00", "budget.seed", "is a time", "a whole number"),
    "a date and time": one("seed = 3", "seed = 2020-01-02T07:32:00Z", "budget.seed", "is a date"),
    "hexadecimal": one("minimum = 0\n", "minimum = 0x0\n", "odd.input[1].minimum", "0x0", "decimal digits"),
    "octal": one("seed = 3", "seed = 0o3", "budget.seed", "0o3", "decimal digits"),
    "binary": one("count = 2", "count = 0b10", "model[1].inputs[2].count", "0b10 is not decimal"),
    "large exponent": one(
        "scale = 10.5", "scale = 1e99999", "model[1].inputs[1].scale", "exponent beyond 4000"
    ),
    "scale 0": one("scale = 10.5", "scale = 0.0", "model[1].inputs[1].scale", "is 0", "another number"),
    "count 0": one("count = 2", "count = 0", "model[1].inputs[2].count", "is 0", "from 1 to 1000000"),
    "count too large": one("count = 2", "count = 1000001", "model[1].inputs[2].count", "from 1 to 1000000"),
    "timeout 0": one("timeout = 2.5", "timeout = 0", "budget.timeout", "is 0", "at least 0.001"),
    "timeout that no double holds": one(
        "timeout = 2.5", "timeout = 1e-400", "budget.timeout", "is 1e-400", "at least 0.001"
    ),
    "timeout too short": one("timeout = 2.5", "timeout = 0.00099", "budget.timeout", "at least 0.001"),
    "timeout too long": one("timeout = 2.5", "timeout = 1e9", "budget.timeout", "at most 100000000"),
    "negative seed": one("seed = 3", "seed = -3", "budget.seed", "is -3", "from 0 to"),
    "no threads": one("seed = 3", "threads = 0", "budget.threads", "from 1 to"),
    "no jobs": one("seed = 3", "jobs = 0", "budget.jobs", "from 1 to"),
    "no memory": one("seed = 3", "memory = 0", "budget.memory", "from 1 to"),
    "negative radius": one(
        "radius = { speed = 0.1",
        "radius = { speed = -0.1",
        "requirement[3].samples.radius.speed",
        "at least 0",
    ),
    "negative radius of all": one(
        "{ speed = 0.1, pixel = 0 }",
        "-1",
        "requirement[3].samples.radius",
        "is -1",
        "at least 0",
        at="radius = -1",
    ),
    "cells 0": one(
        "cells = [4, 3]", "cells = [4, 0]", "requirement[4].coverage.cells[2]", "is 0", "from 1 to 4000"
    ),
}

TEXTS = {
    "blank": one(
        'text = "Cell by cell."', 'text = " "', "requirement[4].text", "is blank", "leave the key out"
    ),
    "control": one('"Envelope."', '"Enve\\u0007lope."', "odd.input[1].source", "U+0007", "remove it"),
    "carriage return": one('"Envelope."', '"a\\rb"', "odd.input[1].source", "U+000D"),
    "long": one("Envelope.", "E" * 10_001, "odd.input[1].source", "10001 characters", "shorten it to 10000"),
    "id": one('id = "mapped"', 'id = "-mapped"', "requirement[4].id", "'-mapped' is no id", "1 to 64 of A-Z"),
    "long id": one('id = "mapped"', f'id = "{"m" * 65}"', "requirement[4].id", "is no id"),
    "id with a space": one('id = "system"', 'id = "my system"', "system.id", "'my system' is no id"),
    "name": one('name = "left"', 'name = "0left"', "model[1].outputs[1].name", "is no name", "with a letter"),
    "word of formulas": one('name = "left"', 'name = "max"', "model[1].outputs[1].name", "word of formulas"),
    "digest": one(
        'path = "first.onnx"',
        'path = "first.onnx"\nsha256 = "abc"',
        "model[1].sha256",
        "64 hexadecimal digits",
        at="sha256",
    ),
    "arithmetic": one(
        "seed = 3", 'arithmetic = "float16"', "budget.arithmetic", "'float16' is none of real, float32, both"
    ),
    "role": one('roles = ["approver"]', 'roles = ["boss"]', "review.roles[1]", "author, verifier, reviewer"),
    "role twice": one(
        'roles = ["approver"]', 'roles = ["approver", "approver"]', "review.roles[2]", "is there already"
    ),
}

CHOICES = {
    "nothing required": one(
        'require = "left <= 7"\ncoverage = { inputs = ["speed", "pixel_1"], cells = [4, 3] }\n',
        "",
        "requirement[4]",
        "has none of require, property, samples",
        "give one",
        at='[[requirement]]\nid = "mapped"',
    ),
    "two ways": one(
        'property = "p.vnnlib"',
        'property = "p.vnnlib"\nrequire = "left < 1"',
        "requirement[2].property",
        "excludes require",
        at="property = ",
    ),
    "where and property": one(
        'property = "p.vnnlib"',
        'property = "p.vnnlib"\nwhere = "speed < 1"',
        "requirement[2].where",
        "excludes property",
        at='where = "speed < 1"',
    ),
    "where and samples": one(
        NEAR,
        f'{NEAR}\nwhere = "speed < 1"',
        "requirement[3].where",
        "excludes samples",
        at='where = "speed < 1"',
    ),
    "coverage of samples": one(
        NEAR,
        f'{NEAR}\ncoverage = {{ inputs = ["speed"], cells = [2] }}',
        "requirement[3].coverage",
        "needs require",
        at='coverage = { inputs = ["speed"]',
    ),
    "like and outputs": one(
        'like = "first"',
        'like = "first"\noutputs = [{ name = "up", unit = "1" }]',
        "model[2].like",
        "excludes outputs",
        "one of outputs, like",
        at="like = ",
    ),
    "no outputs": one(
        'outputs = [\n    { name = "left", unit = "1" },\n    { name = "right", unit = "1" },\n]\n',
        "",
        "model[1]",
        "has none of outputs, like",
        at="[[model]]",
    ),
    "no models": one(
        'models = ["first"]', "models = []", "requirement[2].models", "is empty", "at least one"
    ),
    "objective without": one(
        'requirements = ["ordered", "near"]', "requirements = []", "objective[1].requirements", "is empty"
    ),
}
