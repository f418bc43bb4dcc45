"""The CUDA kernels compiled for sm_70 and sm_90, no device needed: no spills, two blocks per processor."""

from __future__ import annotations

import pytest

from benchmarks.cuda_compile import CARDS, H200, INEXACT, V100, CannotCompile, Card, find_assembler
from benchmarks.lab_items.ptx import ACAS_XU, THREADS, figures_of, measured, of_the_search
from hybrid_ai.bounds.backends import numba_cuda
from hybrid_ai.bounds.backends.cuda_geometry import (
    MOST_REGISTERS,
    MOST_SHARED,
    WIDEST,
    choose_geometry,
)


@pytest.fixture(scope="module")
def assembler() -> None:
    try:
        find_assembler()
    except CannotCompile as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("itemsize", [4, 8])
def test_the_layout_fits_every_width(itemsize: int) -> None:
    for widest in range(1, WIDEST + 1):
        geometry = choose_geometry(widest, itemsize)
        assert widest <= geometry.width < widest + 4
        assert geometry.threads % 32 == 0
        assert geometry.width * geometry.itemsize % 16 == 0  # a row of weights begins at 16 bytes
        assert 1 <= geometry.rows <= geometry.width
        assert geometry.shared_bytes <= MOST_SHARED
        assert 2 * geometry.shared_bytes <= V100.shared
        assert 2 * (geometry.shared_bytes + H200.reserved) <= H200.shared
        assert itemsize == 8 or geometry.sum_registers <= MOST_REGISTERS // 2 + 1


@pytest.mark.parametrize("widest", [0, WIDEST + 1])
def test_a_width_without_a_layout_is_refused(widest: int) -> None:
    with pytest.raises(ValueError, match=f"the kernels hold 1 to {WIDEST}"):
        choose_geometry(widest, 4)


def test_a_v100_holds_what_its_registers_and_memory_allow() -> None:
    assert V100.blocks_held(64, 168, 32 * 1024) == 3  # memory decides
    assert V100.blocks_held(64, 168, 32 * 1024 + 1) == 2
    assert V100.blocks_held(1024, 64, 0) == 1  # registers decide
    assert V100.blocks_held(1024, 65, 0) == 0
    assert V100.blocks_held(32, 16, 0) == 32  # the number of blocks decides
    assert H200.blocks_held(64, 32, 113 * 1024) == 2


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.architecture)
def test_the_dense_kernels_do_not_spill(assembler: None, card: Card) -> None:
    rows = measured("single", ACAS_XU, card)
    assert [row["kernel"] for row in rows] == ["begin", "stage"]
    geometry = choose_geometry(ACAS_XU, 4)
    for row in rows:
        assert (row["spill_stores"], row["spill_loads"], row["stack"]) == (0, 0, 0)
        assert row["inexact"] == ()
        assert row["blocks_held"] >= 2
        assert row["shared"] in (0, geometry.shared_bytes)
    assert rows[1]["shared"] == geometry.shared_bytes
    assert rows[1]["registers"] >= geometry.sum_registers


def test_the_kernels_of_the_search_compile_for_both(assembler: None) -> None:
    assert numba_cuda.THREADS == THREADS
    for card in CARDS:
        rows = of_the_search(card)
        assert [row["kernel"] for row in rows] == ["forward_points", "carry_rows", "tighten_nodes"]
        assert all(row["spill_stores"] == 0 and row["inexact"] == () for row in rows)
        assert all(row["blocks_held"] >= 2 for row in rows)


def test_double_precision_compiles_for_both(assembler: None) -> None:
    for card in CARDS:
        rows = measured("double", ACAS_XU, card)
        assert all(row["blocks_held"] >= 2 and row["inexact"] == () for row in rows)


def test_instructions_that_do_not_round_to_nearest_are_found() -> None:
    text = """
    fma.rn.f32 %f1, %f2, %f3, %f4;
    div.rn.f32 %f1, %f2, %f3;
    @%p1 div.approx.f32 %f1, %f2, %f3;
    mul.rn.ftz.f32 %f1, %f2, %f3;
    div.full.f32 %f1, %f2, %f3;
    """
    assert INEXACT.findall(text) == ["div.approx.f32", "mul.rn.ftz.f32", "div.full.f32"]


def test_spills_and_too_few_blocks_are_told() -> None:
    base = {"widest": ACAS_XU, "kernel": "stage", "registers": 9, "stack": 0, "spill_stores": 0, "shared": 9}
    rows = [
        {
            **base,
            "card": card.name,
            "precision": precision,
            "spill_loads": 8,
            "blocks_held": 1,
            "inexact": ("x",),
        }
        for card in CARDS
        for precision in ("single", "double")
    ]
    assert [figure.met for figure in figures_of(rows)].count(False) == 2 * 2 + 2
