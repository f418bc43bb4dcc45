"""Lower slopes that another program proposes for the root of a tree: never trusted.

They are put on the certificate's grid, every bound is computed again with them, and what closes is claimed
like any other closing. A wrong proposal costs time and can't make anything true.

Sound because: `max(z, 0) >= s z` for every s of [0, 1] (docs/theory/relu-lower-line.md).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hybrid_ai.certificate.steps import SLOPE_GRID
from hybrid_ai.network import StagedNetwork


class NoHints(Exception):
    """Nothing can be proposed for this question; the message says why. The search goes on without."""


class BadHints(Exception):
    """A proposal is malformed: shapes that do not fit, or slopes outside of 0 to 1."""


@dataclass(frozen=True, eq=False)
class RootQuestion:
    """Which forms over a network are to be bounded from below on a box.

    Attributes:
        staged: the network.
        lower: of the box, (n_inputs,) float64.
        upper: of the box, (n_inputs,) float64.
        rows: coefficients over the elements of all groups, the input first, (R, N) float64.
        offsets: of the rows, (R,) float64.
        seconds: that the answer may take.
    """

    staged: StagedNetwork
    lower: np.ndarray
    upper: np.ndarray
    rows: np.ndarray
    offsets: np.ndarray
    seconds: float


@dataclass(frozen=True, eq=False)
class Hints:
    """Proposed lower slopes of n neurons, each 0 to 1.

    Attributes:
        neurons: to bound neuron i from below ``[i, 0]`` and from above ``[i, 1]``, (n, 2, n); only slopes of
            neurons of earlier stages are read.
        rows: to bound each row from below, (R, n).
    """

    neurons: np.ndarray
    rows: np.ndarray


# Proposes slopes for a question; raises NoHints where it can't.
HintSource = Callable[[RootQuestion], Hints]


@dataclass(frozen=True, eq=False)
class GridSlopes:
    """Hints on the certificate's grid: `Hints.neurons` and `Hints.rows` in SLOPE_GRID-ths, uint8."""

    neurons: np.ndarray
    rows: np.ndarray


def on_grid(hints: Hints, question: RootQuestion) -> GridSlopes:
    """The hints with every slope moved to the nearest point of the certificate's grid.

    Raises:
        BadHints: shapes that do not fit the question, NaN, or a slope outside of 0 to 1.
    """
    count = question.staged.neuron_count
    return GridSlopes(
        _on_grid("neurons", hints.neurons, (count, 2, count)),
        _on_grid("rows", hints.rows, (question.offsets.shape[0], count)),
    )


def _on_grid(name: str, slopes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    try:
        values = np.asarray(slopes, np.float64)
    except (TypeError, ValueError) as error:
        raise BadHints(f"hints for {name} are no array of numbers: give floats") from error
    if values.shape != shape:
        raise BadHints(f"hints for {name} have the shape {values.shape}: give {shape}")
    if not np.all((values >= 0.0) & (values <= 1.0)):  # NaN compares as false
        raise BadHints(f"hints for {name} hold a slope that is no number of 0 to 1: clip them")
    return np.asarray(np.floor(values * SLOPE_GRID + 0.5), np.uint8)
