"""The records of arrays that the kernels pass around.

All arrays are float64 in C order unless said. N counts the elements of every group, the input first;
"position" is an index below N.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64] | NDArray[np.int32]
Booleans = NDArray[np.bool_]


class Net(NamedTuple):
    """A staged network.

    size, offset: elements and first position of each group, int64; relu: whether a group is a relu
    stage's output; block_start: blocks of group g are ``block_start[g]:block_start[g + 1]``;
    block_source: the group a block reads; block_weights: where a block's matrix (C order) begins in
    ``weights``; sizes, bias_size: at least the absolute values of weights and bias, see
    `network.staged.Rounding`; bias (N,); gamma: relative bound of what rounding can change in any one sum of
    products in doubles; float32: per group, gamma_K of a float32 execution and the gain times 2^-120,
    (groups, 2), zero where real arithmetic is asked for.
    """

    size: Integers
    offset: Integers
    relu: Booleans
    block_start: Integers
    block_source: Integers
    block_weights: Integers
    weights: Floats
    sizes: Floats
    bias: Floats
    bias_size: Floats
    gamma: Any
    float32: Floats


class Node(NamedTuple):
    """Bounds and relaxation of every element in one node, each (N,) unless said.

    lower, upper: of the pre-activation (the box itself for group 0); low_slope, high_slope, intercept:
    the lines ``low_slope z <= h <= high_slope z + intercept``; magnitude: bound of the output's size;
    step_error: what substituting the element may lose per unit of coefficient (Q in the certificate
    format, section 8); deviation: bound of what a float32 execution changes in the pre-activation (E in
    section 6); middle, radius: of the output's interval; active: rows of each stage that are not
    always zero, int64, compacted at the front of the stage's positions; counts: how many, per group;
    influence (N, inputs): mean size of the input coefficients of an unstable element's own bounds.
    """

    lower: Floats
    upper: Floats
    low_slope: Floats
    high_slope: Floats
    intercept: Floats
    magnitude: Floats
    step_error: Floats
    deviation: Floats
    middle: Floats
    radius: Floats
    active: Integers
    counts: Integers
    influence: Floats


class Work(NamedTuple):
    """Work space of the backward passes for R rows.

    coef (R, N): coefficients; scaled (R, widest stage): relaxed coefficients; constant, lost (R,):
    constants and errors; penalty (R,): what float32 executions took off the constants.
    """

    coef: Floats
    scaled: Floats
    constant: Floats
    lost: Floats
    penalty: Floats
