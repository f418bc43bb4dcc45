"""Files of samples with something wrong: the line of the file, and what is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.end_to_end.problems import write_network
from tests.unit.pipeline.plans.plan_files import defects_of, write_files
from tests.unit.pipeline.plans.plan_texts import LEAST, SAMPLES, edited

HEADER = "pixel_1,label,speed,pixel_0\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (write_files(tmp_path) / "plan.toml").write_text(edited())
    return tmp_path


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        ("", 1, "has no column speed, pixel_0, pixel_1, label"),
        (HEADER, 1, "has no sample: give a row"),
        ("pixel_1,label,speed\n", 1, "has no column pixel_0: the first line names"),
        ("pixel_1,label,speeds,pixel_0\n", 1, "column 'speeds' is no input: did you mean 'speed'"),
        ("pixel_1,label,speed,pixel_0,\n", 1, "column '' is no input"),
        ("pixel_1,label,speed,pixel_0,speed\n", 1, "two columns speed: name each once"),
        (HEADER + "1,left,10\n", 2, "has 3 values: give 4"),
        (HEADER + "1,left,10,0\n\n1,left,10,0,\n", 4, "has 5 values: give 4"),
        (HEADER + "1,leftt,10,0\n", 2, "'leftt' is no output of model first: did you mean 'left'?"),
        (HEADER + "1,speed,10,0\n", 2, "'speed' is no output"),
        (HEADER + "1,left,10,0\n1,left,1O,0\n", 3, "speed: '1O' is no finite decimal"),
        (HEADER + "1,left,nan,0\n", 2, "speed: 'nan' is no finite decimal"),
        (HEADER + "1,left,,0\n", 2, "speed: '' is no finite decimal"),
        (HEADER + "1,left,+-1,0\n", 2, "speed: '+-1' is no finite decimal"),
        (HEADER + "1,left,1_0,0\n", 2, "speed: '1_0' is no finite decimal"),
        (HEADER + "1,left,1e5000,0\n", 2, "speed: a number has an exponent beyond 4000"),
        (
            HEADER + "1,left,1000.61,0\n",
            2,
            "speed = 1000.61 is farther than the radius from the domain, 0 to",
        ),
        (HEADER + "1,left,-0.11,0\n", 2, "speed = -0.11 is farther than the radius"),
        (HEADER + "1.01,left,10,0\n", 2, "pixel_1 = 1.01 is farther than the radius"),
        (HEADER + '1,"left,10,0\n', 2, "is no CSV"),
        (HEADER + '1,le"ft,10,0\n1,"left"x,10,0\n', 2, "is no output"),
    ],
)
def test_one_thing_is_wrong(folder: Path, content: str, line: int, says: str) -> None:
    (folder / "samples.csv").write_text(content)
    found = defects_of(folder / "plan.toml")[0]
    assert (found.file, found.line) == (str(folder / "samples.csv"), line)
    assert found.key == "requirement[3].samples.file"
    assert says in found.reason


def test_every_row_is_looked_at(folder: Path) -> None:
    (folder / "samples.csv").write_text(HEADER + "1,up,10,0\n1,left,10,0\n1,left,x,0\n")
    assert [each.line for each in defects_of(folder / "plan.toml")] == [2, 4]


def test_no_text(folder: Path) -> None:
    (folder / "samples.csv").write_bytes(SAMPLES.encode() + b"0,left,1,\xff\n")
    (found,) = defects_of(folder / "plan.toml")
    assert (found.line, found.reason) == (4, "is not UTF-8: save it as UTF-8")


def test_a_sample_outside_whose_surroundings_reach_into_the_domain(folder: Path) -> None:
    (folder / "samples.csv").write_text("\ufeff" + HEADER + "1,left,1000.6,0\r\n1,left,-0.1,0\r\n")
    assert defects_of(folder / "plan.toml") == []


def test_too_many(folder: Path) -> None:
    (folder / "samples.csv").write_text(HEADER + "1,left,1,0\n" * 10_000)
    (found,) = defects_of(folder / "plan.toml")
    assert (found.line, found.reason) == (10_001, "has more than 9999 samples: split it")


def test_as_many_as_a_dossier_takes_of_each_model_alone(folder: Path) -> None:
    (folder / "samples.csv").write_text(HEADER + "1,left,1,0\n" * 9_999)
    (found,) = defects_of(folder / "plan.toml")
    assert found.key == "requirement[3]"
    assert "19998 of the plan's 20049 verifications" in found.reason


@pytest.mark.parametrize(
    ("radius", "key", "says"),
    [
        ("{ sped = 1 }", "radius.sped", "'sped' is no input: did you mean 'speed'?"),
        ("{ left = 1 }", "radius.left", "'left' is no input"),
        ("{ pixel = 1, pixel_0 = 2 }", "radius.pixel_0", "'pixel_0' has a radius already"),
    ],
)
def test_a_radius_of_something_else(folder: Path, radius: str, key: str, says: str) -> None:
    (folder / "plan.toml").write_text(edited(("{ speed = 0.1, pixel = 0 }", radius)))
    (found,) = defects_of(folder / "plan.toml")
    assert found.key == f"requirement[3].samples.{key}"
    assert says in found.reason


def test_a_network_with_one_output(folder: Path) -> None:
    write_network(folder / "first.onnx", [(np.ones((1, 3)), np.zeros(1))])
    text = LEAST.replace("m.onnx", "first.onnx").replace("count = 2", "count = 3")
    near = 'samples = { file = "samples.csv", radius = 0.1 }'
    (folder / "plan.toml").write_text(text.replace('require = "y <= 3"', near))
    (found,) = defects_of(folder / "plan.toml")
    assert found.key == "requirement[1].samples"
    assert "model m has one output, which is always the greatest" in found.reason


def test_an_input_of_the_name_of_the_label(folder: Path) -> None:
    text = edited().replace("speed", "label")
    (folder / "plan.toml").write_text(text)
    (found,) = defects_of(folder / "plan.toml")
    assert found.line == 1
    assert "has one column for the input 'label' and the label" in found.reason
