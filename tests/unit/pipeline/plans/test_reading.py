"""What is read from right plans, and files that are no plan at all."""

from __future__ import annotations

import pickle
from fractions import Fraction
from pathlib import Path

import pytest

import hybrid_ai
from hybrid_ai import rules
from hybrid_ai.pipeline.errors import BadInput
from hybrid_ai.pipeline.plans.defects import MOST_DEFECTS, PlanError
from hybrid_ai.pipeline.plans.model import Plan
from hybrid_ai.pipeline.plans.numbers import Number, read_number
from hybrid_ai.pipeline.plans.reading import read_plan
from hybrid_ai.spec import read_vnnlib
from tests.end_to_end.problems import write_identity
from tests.unit.pipeline.plans.plan_files import defects_of, write_files
from tests.unit.pipeline.plans.plan_texts import GOOD, LEAST, SAMPLES, edited, line_of

DEMO = Path(hybrid_ai.__file__).parent / "demo"

# A model whose id is wrong; its input has no range.
OTHER = """
[[model]]
id = ""
path = "first.onnx"
inputs = [{ name = "height", unit = "m" }, { name = "pixel", unit = "1", count = 2 }]
outputs = [{ name = "left", unit = "1" }, { name = "right", unit = "1" }]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(tmp_path)


def read(folder: Path, text: str = GOOD) -> Plan:
    (folder / "plan.toml").write_text(text)
    return read_plan(folder / "plan.toml")


def test_quantities_and_domain(folder: Path) -> None:
    plan = read(folder)
    first, second = plan.models
    assert [each.name for each in first.tensors.inputs] == ["speed", "pixel_0", "pixel_1"]
    assert [each.name for each in first.tensors.outputs] == ["left", "right"]
    assert second.tensors is first.tensors
    assert second.file == folder / "models/second.onnx"
    assert (first.preprocessing, len(first.sha256)) == ("declared", 64)
    speed = first.tensors.interface.inputs[0]
    assert speed == rules.Quantity("speed", "kt", Fraction(-1, 10), Fraction(21, 2))
    assert list(plan.odd.ranges) == ["speed", "pixel_0", "pixel_1"]
    assert plan.odd.ranges["speed"] == rules.Range(Fraction(0), Fraction(2001, 2))
    assert plan.odd.inputs[0].maximum.text == "1000.50"
    assert plan.odd.inputs[2].maximum == Number("1e0", Fraction(1))
    assert (plan.odd.description, plan.odd.inputs[0].source) == ("Everywhere.", "Envelope.")
    assert plan.odd.constraints[0].condition.formula == rules.parse("pixel_0 <= pixel_1 + 0.5")


def test_requirements(folder: Path) -> None:
    plan = read(folder)
    ordered, file, near, mapped = plan.requirements
    assert ordered.models == near.models == mapped.models == ("first", "second")
    assert ordered.where is not None and ordered.require is not None
    assert ordered.require.formula == rules.parse("left <= right + 1000")
    assert ordered.where.text == "speed < 500 and pixel_0 + pixel_1 <= 1.5"
    assert (file.models, file.parent, file.property_file) == (("first",), "ordered", folder / "p.vnnlib")
    assert mapped.coverage is not None
    assert (mapped.coverage.inputs, mapped.coverage.cells) == (("speed", "pixel_1"), (4, 3))
    assert [each.verification_count() for each in plan.requirements] == [2, 1, 4, 48]
    assert plan.verification_count() == 55


def test_samples(folder: Path) -> None:
    samples = read(folder).requirements[2].samples
    assert samples is not None
    assert samples.columns == ("pixel_1", "speed", "pixel_0")
    assert [(row.number, row.label) for row in samples.rows] == [(1, "left"), (2, "right")]
    assert samples.point(samples.rows[1]) == {
        "pixel_1": read_number("1"), "speed": read_number("+1e2"), "pixel_0": read_number("0")
    }  # fmt: skip
    assert samples.rows[1].values[1].value == 100
    assert samples.source == SAMPLES.encode()
    assert {name: number.text for name, number in samples.radius.items()} == {
        "speed": "0.1", "pixel_0": "0", "pixel_1": "0"
    }  # fmt: skip


def test_a_radius_for_all(folder: Path) -> None:
    samples = read(folder, edited(("{ speed = 0.1, pixel = 0 }", "0.03"))).requirements[2].samples
    assert samples is not None
    assert {name: number.value for name, number in samples.radius.items()} == dict.fromkeys(
        ("speed", "pixel_0", "pixel_1"), Fraction(3, 100)
    )


def test_the_rest(folder: Path) -> None:
    plan = read(folder)
    assert plan.source == GOOD.encode()
    assert (plan.system.name, plan.system.exclusions) == ("system", ("All else.",))
    assert plan.requirements[0].assumptions == (plan.assumptions[0].id,) == ("smooth",)
    (objective,) = plan.objectives
    assert (objective.catalogue, objective.id, objective.requirements) == (
        "book", "OBJ 1", ("ordered", "near")
    )  # fmt: skip
    assert (plan.budget.timeout.value, plan.budget.seed, plan.budget.memory) == (Fraction(5, 2), 3, 2 << 30)
    assert (plan.budget.threads, plan.budget.jobs, plan.budget.arithmetic) == (None, 1, None)
    assert (plan.review.statement, plan.review.roles) == ("I have read it.", ("approver",))


def test_the_least_plan(tmp_path: Path) -> None:
    write_identity(tmp_path / "m.onnx")
    plan = read(tmp_path, LEAST)
    assert (plan.budget.timeout.value, plan.budget.seed) == (600, 0)
    assert plan.review.roles == ("reviewer", "approver")
    assert plan.models[0].preprocessing == "inside"
    assert plan.verification_count() == 1


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("0.1", Fraction(1, 10)),
        ("0.1000000000000000055511151231257827", Fraction("0.1000000000000000055511151231257827")),
        ("123456789012345678901234567890.5", Fraction(246913578024691357802469135781, 2)),
        ("+1_000", Fraction(1000)),
        ("-0.0", Fraction(0)),
        ("6.02e+2_3", Fraction(602) * 10**21),
        ("1E-400", Fraction(1, 10**400)),
        ("9007199254740993", Fraction(2**53 + 1)),
    ],
)
def test_numbers_are_exact(tmp_path: Path, written: str, value: Fraction) -> None:
    write_identity(tmp_path / "m.onnx")
    edits = ("minimum = -1\nmaximum = 1", f"minimum = {written}\nmaximum = {written} # 2")
    plan = read(tmp_path, LEAST.replace(*edits))
    number = plan.odd.inputs[0].minimum
    assert (number.value, number.text) == (value, written.replace("_", ""))
    assert plan.odd.inputs[1].maximum.value == value


def test_an_offset_alone_is_preprocessing(tmp_path: Path) -> None:
    write_identity(tmp_path / "m.onnx")
    plan = read(tmp_path, LEAST.replace("count = 2", "count = 2, offset = -1"))
    assert plan.models[0].preprocessing == "declared"


def test_models_are_in_the_order_of_the_plan(folder: Path) -> None:
    plan = read(folder, edited(('models = ["first"]', 'models = ["second", "first"]')))
    assert plan.requirements[1].models == ("first", "second")


def test_an_input_of_one_value_is_one_cell(folder: Path) -> None:
    plan = read(folder, edited(('"100 <= speed <= 200"', '"speed == 0.5"'), ("[4, 3]", "[1, 3]")))
    assert plan.requirements[3].verification_count() == 2 * 2 * 3


def test_a_property_of_several_instances(folder: Path) -> None:
    (folder / "p.vnnlib").write_text(
        "(vnnlib-version <2.0>)\n"
        "(declare-network f (declare-input X real [3]) (declare-output Y real [2]))\n"
        "(declare-network g (equal-to f) (declare-input U real [3]) (declare-output V real [2]))\n"
        "(assert (and (<= X[0] U[0]) (> Y[0] V[0])))\n"
    )
    assert read(folder).requirements[1].property == "p.vnnlib"
    (folder / "p.vnnlib").write_text("(declare-const X_0 Real)(declare-const Y_0 Real)(assert (<= Y_0 X_0))")
    (found,) = defects_of(folder / "plan.toml")
    assert found.key == "requirement[2].property"
    assert "is about 1 inputs and 1 outputs, model first has 3 and 2" in found.reason


def test_windows_line_ends(folder: Path) -> None:
    (folder / "plan.toml").write_bytes(edited(("seed = 3", "sed = 3")).replace("\n", "\r\n").encode())
    (found,) = defects_of(folder / "plan.toml")
    assert (found.line, found.key) == (line_of(GOOD, "seed = 3"), "budget.sed")


def test_a_model_that_is_not_supported_is_no_defect(tmp_path: Path) -> None:
    write_identity(tmp_path / "m.onnx", last="Tanh")
    assert read(tmp_path, LEAST).verification_count() == 1


def test_a_digest_in_capitals(folder: Path) -> None:
    digest = read(folder).models[0].sha256
    text = edited(('path = "first.onnx"', f'path = "first.onnx"\nsha256 = "{digest.upper()}"'))
    assert read(folder, text).models[0].sha256 == digest


def test_models_with_different_inputs(tmp_path: Path) -> None:
    """A constraint is a premise for the models that have its inputs; a group may be of different lengths."""
    write_identity(tmp_path / "m.onnx")
    other = """
[[model]]
id = "other"
path = "m.onnx"
inputs = [{ name = "x_1", unit = "1" }, { name = "z", unit = "1" }]
outputs = [{ name = "y", unit = "1" }]
"""
    odd = """
[[odd.constraint]]
formula = "x_0 <= x_1"
[[odd.constraint]]
formula = "x_1 >= 0"
[[odd.input]]
name = "z"
unit = "1"
minimum = 2
maximum = 3
"""
    plan = read(tmp_path, LEAST.replace("[[odd.input]]", other + "[[odd.input]]", 1) + odd)
    first, second = plan.models
    assert [len(plan.odd.constraints_of(model.tensors)) for model in (first, second)] == [2, 1]
    assert list(plan.odd.ranges_of(second.tensors)) == ["x_1", "z"]
    split = odd.replace("x_0 <= x_1", "x_0 <= z")
    (tmp_path / "plan.toml").write_text(LEAST.replace("[[odd.input]]", other + "[[odd.input]]", 1) + split)
    (found,) = defects_of(tmp_path / "plan.toml")
    assert (found.key, found.reason[:33]) == (
        "odd.constraint[1].formula",
        "no model has all of x_0, z: give ",
    )


def test_the_demonstration_says_what_its_properties_say() -> None:
    plan = read_plan(DEMO / "braking.toml")
    (model,) = plan.models
    files = ("braking_limit", "braking_envelope", "braking_short_runway")
    for requirement, name in zip(plan.requirements, files, strict=True):
        premises = [] if requirement.where is None else [requirement.where.formula]
        assert requirement.require is not None
        ranges = plan.odd.ranges_of(model.tensors)
        made = rules.lowered(model.tensors.interface, ranges, premises, requirement.require.formula)
        assert made.property.unsafe == read_vnnlib(DEMO / f"{name}.vnnlib").unsafe


def test_all_defects_are_said_in_the_order_of_lines(folder: Path) -> None:
    text = edited(
        ('require = "left <= 7"', 'require = "left <= rigt"'),
        ("seed = 3", "seed = 0x3"),
        ('unit = "kt", scale', 'scale'),
        ('version = "1.0"', 'version = ""'),
        ('parent = "ordered"', 'parent = "nothing"'),
        ('file = "samples.csv"', 'file = "gone.csv"'),
    )  # fmt: skip
    (folder / "plan.toml").write_text(text)
    with pytest.raises(PlanError) as caught:
        read_plan(folder / "plan.toml")
    # About the names of the model in which a unit is missing nothing is said, nor about what rests on it.
    assert [each.key for each in caught.value.defects] == [
        "system.version", "model[1].inputs[1].unit", "requirement[2].parent", "budget.seed",
    ]  # fmt: skip
    first = caught.value.defects[0]
    assert str(first) == f"{folder}/plan.toml:5: system.version: is blank: write it, or leave the key out"
    assert str(caught.value) == f"{first} (`hybrid-ai plan check` lists 3 other errors)"
    error = caught.value
    assert (error.file, error.line, error.key, error.reason) == (
        f"{folder}/plan.toml", 5, "system.version", first.reason
    )  # fmt: skip
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.defects) == (str(error), error.defects)


def test_what_rests_on_something_wrong_is_not_said_to_be_wrong(folder: Path) -> None:
    text = edited(
        ('id = "first"', 'id = "first model"'), ('id = "smooth"', "id = 4"), ('id = "near"', 'id = ""')
    )
    text = text.replace("[odd]", f"{OTHER}\n[odd]", 1).replace("pixel_1 + 0.5", "pixel_1 + height")
    (folder / "plan.toml").write_text(text)
    assert [each.key for each in defects_of(folder / "plan.toml")] == [
        "model[1].id", "model[3].id", "model[3].inputs[1].name", "requirement[3].id", "assumption[1].id"
    ]  # fmt: skip


def test_no_more_than_fifty_are_said(folder: Path) -> None:
    more = "".join(f'[[assumption]]\nid = "a{n}"\n' for n in range(60))
    (folder / "plan.toml").write_text(GOOD + more)
    with pytest.raises(PlanError, match=r"lists 49 or more other errors") as caught:
        read_plan(folder / "plan.toml")
    assert len(caught.value.defects) == MOST_DEFECTS
    assert caught.value.key == "assumption[2].text"


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        (b"plan = 1\nx = = 2\n", 2, "is no TOML: Invalid value"),
        (b"plan = 1\nplan = 1\n", 2, "is no TOML: Cannot overwrite a value"),
        (b'plan = 1\nx = """\n\n', 2, "is no TOML"),
        (b"plan = 1\nx = [\n1,\n", 3, "is no TOML"),
        (b"plan = 1\n# \xff\n", 2, "is not UTF-8: save"),
        (b"\xef\xbb\xbfplan = 1\n", 1, "byte-order mark"),
        (b"plan = " + b"[" * 5000, None, "nested too deeply"),
        (b"plan = " + b"1" * 5000, None, "is no TOML"),
        (b"plan = 1\n" + b"a." * 60_000 + b"a = 1", 2, "more than 50 parts"),
        (b"plan = 1\n" + b'"a" . ' * 60_000 + b"a = 1", 2, "more than 50 parts"),
    ],
)
def test_no_toml(tmp_path: Path, content: bytes, line: int | None, says: str) -> None:
    (tmp_path / "plan.toml").write_bytes(content)
    (found,) = defects_of(tmp_path / "plan.toml")
    assert (found.line, found.key) == (line, "")
    assert says in found.reason


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"plan\.toml: cannot be read: No such file"):
        read_plan(tmp_path / "plan.toml")
    with pytest.raises(BadInput, match="is no regular file"):
        read_plan(tmp_path)
    (tmp_path / "plan.toml").write_bytes(b"#" * (4 * 2**20 + 1))
    with pytest.raises(BadInput, match="has more than 4194304 bytes"):
        read_plan(tmp_path / "plan.toml")


def test_a_list_without_tables(folder: Path) -> None:
    (folder / "plan.toml").write_text("plan = 1\nrequirement = []\n")
    assert [each.key for each in defects_of(folder / "plan.toml")] == [
        "system",
        "model",
        "odd",
        "requirement",
    ]
