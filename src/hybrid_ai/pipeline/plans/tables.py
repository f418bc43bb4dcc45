"""All tables and keys of a plan (docs/formats/plan.md); checks and JSON Schema follow from these."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from hybrid_ai.pipeline.limits import DEFAULT_MEMORY, LONGEST_TIMEOUT

VERSION = 1
LONGEST_TEXT = 10_000
MOST_ELEMENTS = 1_000_000
MOST_CELLS = 4_000
MOST_VERIFICATIONS = 9_999
# Seconds; nothing ends sooner, and far below no time at all would be left once it is rounded to a double.
SHORTEST_TIMEOUT = Fraction(1, 1000)
MOST_WHOLE = 2**53 - 1  # what every reader of JSON holds
RESERVED = ("and", "or", "not", "abs", "min", "max")
ROLES = ("author", "verifier", "reviewer", "approver")

IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}", re.ASCII)
DIGEST = re.compile(r"[0-9A-Fa-f]{64}", re.ASCII)
# What texts do not hold: control characters but line feeds and tabs.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Text:
    """A text that is not blank; `means` narrows down what it says, as what a message calls it."""

    means: Literal["text", "path", "formula"] = "text"


@dataclass(frozen=True, slots=True)
class Word:
    """A text of a certain form: an id, the name of a quantity, a digest."""

    means: Literal["id", "name", "digest"]

    @property
    def form(self) -> re.Pattern[str]:
        """What the whole text matches."""
        return {"id": IDENTIFIER, "name": NAME, "digest": DIGEST}[self.means]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some texts."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number, at least `least` and at most `most`."""

    least: int
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Decimal:
    """An exact decimal: at least `least`, at most `most`; not 0 where that is said."""

    least: Fraction | None = None
    most: Fraction | None = None
    not_zero: bool = False


@dataclass(frozen=True, slots=True)
class Many:
    """A list of at least so many values of one kind, each once where that is said."""

    of: Kind
    least: int = 0
    distinct: bool = True


@dataclass(frozen=True, slots=True)
class ByName:
    """One decimal for everything, or a table of one for each name."""

    of: Decimal


@dataclass(frozen=True)
class Key:
    """A key of a table.

    Attributes:
        name: as it is written.
        kind: what values it has.
        meaning: in one sentence.
        required: whether the table lacks something without it.
        default: what holds without it, as the JSON Schema says; None where that is no value.
    """

    name: str
    kind: Kind
    meaning: str
    required: bool = False
    default: str | int | list[str] | None = None


@dataclass(frozen=True)
class Table:
    """A table and what its keys have to do with each other.

    Attributes:
        keys: all that it may have.
        exactly_one: sets of keys of which one is there, and no other.
        never_both: pairs of keys that exclude each other.
        needs: pairs of keys of which the first makes no sense without the second.
    """

    keys: tuple[Key, ...]
    exactly_one: tuple[tuple[str, ...], ...] = ()
    never_both: tuple[tuple[str, str], ...] = ()
    needs: tuple[tuple[str, str], ...] = ()

    def key(self, name: str) -> Key | None:
        """The key of that name, None where there is none."""
        return next((key for key in self.keys if key.name == name), None)


Kind = Text | Word | Choice | Whole | Decimal | Many | ByName | Table

_ID, _NAME, _TEXT, _NUMBER = Word("id"), Word("name"), Text(), Decimal()
_PATH, _FORMULA = Text("path"), Text("formula")

SYSTEM = Table(
    (
        Key("id", _ID, "Id of the system.", required=True),
        Key("version", _TEXT, "Version of the system that is certified.", required=True),
        Key("name", _TEXT, "Name of the system; its id when absent."),
        Key("intended_use", _TEXT, "What the system is meant to be used for.", required=True),
        Key("exclusions", Many(_TEXT), "Uses and conditions that are not covered."),
        Key("organisation", _TEXT, "Who is responsible for the system."),
    )
)

QUANTITY = Table(
    (
        Key(
            "name", _NAME, "Name that formulas use; with a count above 1, name_0, name_1, ...", required=True
        ),
        Key("unit", _TEXT, 'Unit of the physical value, "1" for none.', required=True),
        Key("offset", _NUMBER, "Physical value = network value * scale + offset.", default=0),
        Key("scale", Decimal(not_zero=True), "Physical value = network value * scale + offset.", default=1),
        Key("count", Whole(1, MOST_ELEMENTS), "Elements of the tensor that this describes.", default=1),
    )
)

MODEL = Table(
    (
        Key("id", _ID, "Id of the model.", required=True),
        Key("path", _PATH, "ONNX file, relative to the plan's folder.", required=True),
        Key("sha256", Word("digest"), "SHA-256 of that file; another file is an error."),
        Key("like", _ID, "An earlier model whose inputs and outputs this one has."),
        Key("inputs", Many(QUANTITY, 1), "What the elements of the input mean, in C order."),
        Key("outputs", Many(QUANTITY, 1), "What the elements of the output mean, in C order."),
    ),
    exactly_one=(("inputs", "like"), ("outputs", "like")),
)

ODD_INPUT = Table(
    (
        Key(
            "name", _NAME, "Name of an input, or of one with a count for all of its elements.", required=True
        ),
        Key("unit", _TEXT, "Unit of the range, that of each model with this input.", required=True),
        Key("minimum", _NUMBER, "Least physical value.", required=True),
        Key("maximum", _NUMBER, "Greatest physical value.", required=True),
        Key("source", _TEXT, "Why this range."),
    )
)

ODD_CONSTRAINT = Table(
    (
        Key(
            "formula", _FORMULA, "Linear formula over inputs that holds throughout the domain.", required=True
        ),
        Key("source", _TEXT, "Why this holds."),
    )
)

ODD = Table(
    (
        Key("description", _TEXT, "The domain in words."),
        Key("input", Many(ODD_INPUT, 1), "Range of each input of the models.", required=True),
        Key("constraint", Many(ODD_CONSTRAINT), "What else holds throughout the domain."),
    )
)

SAMPLES = Table(
    (
        Key("file", _PATH, "CSV file of samples: columns of all inputs, and label.", required=True),
        Key(
            "radius",
            ByName(Decimal(least=Fraction(0))),
            "Distance from a sample within which its label stays: of all inputs, or for each by name.",
            required=True,
        ),
    )
)

COVERAGE = Table(
    (
        Key("inputs", Many(_NAME, 1), "Inputs along which the domain is cut.", required=True),
        Key(
            "cells",
            Many(Whole(1, MOST_CELLS), 1, distinct=False),
            "Numbers of equal cells along these inputs.",
            required=True,
        ),
    )
)

REQUIREMENT = Table(
    (
        Key("id", _ID, "Id of the requirement.", required=True),
        Key("text", _TEXT, "The requirement in words.", required=True),
        Key("rationale", _TEXT, "Why it is required."),
        Key("source", _TEXT, "Where it comes from."),
        Key("criticality", _TEXT, "How bad a violation is."),
        Key("acceptance", _TEXT, "When it counts as met."),
        Key("method", _TEXT, "How it is verified."),
        Key("parent", _ID, "Requirement from which this one is derived."),
        Key("models", Many(_ID, 1), "Models that it is about; all when absent."),
        Key("where", _FORMULA, "Formula over inputs: the part of the domain that it is about."),
        Key("require", _FORMULA, "Formula over inputs and outputs that must hold there."),
        Key("property", _PATH, "VNN-LIB file that states the unsafe condition over the network's values."),
        Key("samples", SAMPLES, "Samples near which the network's greatest output stays."),
        Key("coverage", COVERAGE, "Cells of the domain that are judged one by one."),
        Key("assumptions", Many(_ID), "Assumptions that it rests on."),
    ),
    exactly_one=(("require", "property", "samples"),),
    never_both=(("where", "property"), ("where", "samples")),
    needs=(("coverage", "require"),),
)

ASSUMPTION = Table(
    (
        Key("id", _ID, "Id of the assumption.", required=True),
        Key("text", _TEXT, "What is assumed.", required=True),
        Key("source", _TEXT, "Why it may be assumed."),
    )
)

OBJECTIVE = Table(
    (
        Key("catalogue", _TEXT, "Catalogue of objectives.", required=True),
        Key("id", _TEXT, "Entry of the catalogue.", required=True),
        Key("requirements", Many(_ID, 1), "Requirements whose evidence is offered for it.", required=True),
        Key("note", _TEXT, "What else there is to say."),
    )
)

BUDGET = Table(
    (
        Key(
            "timeout",
            Decimal(least=SHORTEST_TIMEOUT, most=Fraction(LONGEST_TIMEOUT)),
            "Seconds for each verification.",
            default=600,
        ),
        Key(
            "memory",
            Whole(1, MOST_WHOLE),
            "Bytes for the open boxes of each verification.",
            default=DEFAULT_MEMORY,
        ),
        Key("threads", Whole(1, MOST_WHOLE), "Threads of the searches together; one per core when absent."),
        Key("jobs", Whole(1, MOST_WHOLE), "Verifications at the same time.", default=1),
        Key("seed", Whole(0, MOST_WHOLE), "Seed of the attacks.", default=0),
        Key(
            "arithmetic", Choice(("real", "float32", "both")), "What the verdicts are about.", default="both"
        ),
    )
)

REVIEW = Table(
    (
        Key("statement", _TEXT, "Statement that a reviewer signs."),
        Key("roles", Many(Choice(ROLES)), "Roles that must sign.", default=["reviewer", "approver"]),
    )
)

PLAN = Table(
    (
        Key("plan", Whole(VERSION, VERSION), "Version of the format.", required=True),
        Key("system", SYSTEM, "What is certified.", required=True),
        Key("model", Many(MODEL, 1), "Its neural networks.", required=True),
        Key("odd", ODD, "Domain in which it operates.", required=True),
        Key("requirement", Many(REQUIREMENT, 1), "What is required of it.", required=True),
        Key("assumption", Many(ASSUMPTION), "What is assumed."),
        Key("objective", Many(OBJECTIVE), "Objectives that the evidence is offered for."),
        Key("budget", BUDGET, "What a verification may spend."),
        Key("review", REVIEW, "What reviewers sign."),
    )
)
