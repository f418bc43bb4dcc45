"""Public VNN-LIB files read and have the expected shape."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybrid_ai.spec import normal_form, read_vnnlib, to_vnnlib

ACAS = {1: [1], 2: [1], 3: [1], 4: [1], 5: [4], 6: [4, 4], 7: [2], 8: [3]}
# Per folder: number of files, inputs, outputs, disjuncts of each polytope, rows of each disjunct.
SHAPES = [
    ("mnist_fc", 30, 784, 10, [9], 1),
    ("verivital", 60, 784, 10, [9], 1),
    ("vdp", 12, 3, 3, [1], 5),
]


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.vnnlib"))


@pytest.mark.parametrize("number", ACAS)
def test_collision_avoidance_properties(data: Path, number: int) -> None:
    prop = read_vnnlib(data / "acasxu" / "vnnlib" / f"prop_{number}.vnnlib")
    result = normal_form(prop)
    assert (prop.n_inputs, prop.n_outputs, result.empty) == (5, 5, ())
    assert [len(part.disjuncts) for part in result.polytopes] == ACAS[number]
    rows = {1: 1, 2: 4, 3: 4, 4: 4, 5: 1, 6: 1, 7: 3, 8: 2}[number]
    assert {len(disjunct) for part in result.polytopes for disjunct in part.disjuncts} == {rows}
    assert read_vnnlib(to_vnnlib(prop).encode()) == prop


@pytest.mark.parametrize("folder, count, n_inputs, n_outputs, disjuncts, rows", SHAPES)
def test_other_folders(
    data: Path, folder: str, count: int, n_inputs: int, n_outputs: int, disjuncts: list[int], rows: int
) -> None:
    paths = files(data / folder)
    assert len(paths) == count
    for path in paths:
        prop = read_vnnlib(path)
        result = normal_form(prop)
        assert (prop.n_inputs, prop.n_outputs, result.empty) == (n_inputs, n_outputs, ())
        assert [len(part.disjuncts) for part in result.polytopes] == disjuncts
        assert {len(disjunct) for disjunct in result.polytopes[0].disjuncts} == {rows}


def test_tiny_files(data: Path) -> None:
    paths = files(data / "tiny")
    assert len(paths) == 4
    for path in paths:
        result = normal_form(read_vnnlib(path))
        assert [len(part.disjuncts) for part in result.polytopes] == [1]


def test_every_public_file_is_covered(data: Path) -> None:
    total = len(files(data / "acasxu")) + sum(row[1] for row in SHAPES) + len(files(data / "tiny"))
    assert len(files(data)) == total
