"""The backward pass of the numba backend: rows of coefficients carried from one stage down to the input.

Rows of inactive neurons are left out.

Sound because: every computed coefficient is taken as it is, and what each substitution of
``z = W h + b`` can lose by rounding is bounded by ``sum |B_i| Q_i`` with
``Q = gamma (|W| M + |b|) + 2u Z``, in any order of summation, with or without fused multiply-add (the
lemma is in docs/formats/certificate.md, section 8; the constants here are at least as large). What a float32
execution changes in ``z`` is at most the deviation ``E = gamma_K (A M + a) + eta`` (section 6), and costs
``|B_i| E_i``: docs/theory/rounding-of-the-search.md, docs/theory/float32-carried-backward.md.
Source: CROWN (Zhang et al. 2018, arXiv:1811.00866, theorem 3.2), with adaptive lower slopes.
"""

from hybrid_ai.bounds.arrays import Floats, Integers, Net, Node, Work
from hybrid_ai.bounds.backends.jit import compiled, compiled_any_order

TINY = 2.0**-800  # covers underflow and flushing of every product and sum (magnitudes stay below LIMIT)
FINAL = 1.0 + 2.0**-18


@compiled
def block_matrix(net: Net, block: int, g: int) -> Floats:
    """Weights of a block of stage ``g`` as a matrix (view)."""
    return block_view(net, net.weights, block, g)


@compiled
def block_view(net: Net, entries: Floats, block: int, g: int) -> Floats:
    """What ``entries`` holds for a block of stage ``g``: its weights, or their sizes, as a matrix (view)."""
    rows = net.size[g]
    columns = net.size[net.block_source[block]]
    first = net.block_weights[block]
    return entries[first : first + rows * columns].reshape((rows, columns))


@compiled_any_order
def relax_rows(
    coef: Floats,
    low: Floats,
    high: Floats,
    intercept: Floats,
    bias: Floats,
    error: Floats,
    deviation: Floats,
    gamma: float,
    out: Floats,
    constant: Floats,
    lost: Floats,
    penalty: Floats,
) -> None:
    """Coefficients on a stage's outputs become coefficients on its pre-activations; constant and error
    grow.
    """
    for r in range(coef.shape[0]):
        row = coef[r]
        target = out[r]
        total = 0.0
        wrong = 0.0
        slack = 0.0
        bent = 0.0
        for i in range(low.shape[0]):
            positive = row[i] >= 0.0
            value = row[i] * (low[i] if positive else high[i])
            target[i] = value
            total += value * bias[i]
            bent += abs(value) * deviation[i]
            wrong += abs(value) * error[i]
            slack += 0.0 if positive else row[i] * intercept[i]
        constant[r] += total + slack - bent
        penalty[r] += bent
        lost[r] += wrong - slack * gamma


@compiled
def _accumulate_pair(
    weights: Floats,
    active: Integers,
    count: int,
    first: Floats,
    second: Floats,
    target0: Floats,
    target1: Floats,
) -> None:
    """Add ``first @ weights`` and ``second @ weights`` over the active rows to two coefficient rows."""
    k = 0
    while k + 4 <= count:
        i0, i1, i2, i3 = active[k], active[k + 1], active[k + 2], active[k + 3]
        w0, w1, w2, w3 = weights[i0], weights[i1], weights[i2], weights[i3]
        p0, p1, p2, p3 = first[i0], first[i1], first[i2], first[i3]
        q0, q1, q2, q3 = second[i0], second[i1], second[i2], second[i3]
        for m in range(target0.shape[0]):
            target0[m] += (p0 * w0[m] + p1 * w1[m]) + (p2 * w2[m] + p3 * w3[m])
            target1[m] += (q0 * w0[m] + q1 * w1[m]) + (q2 * w2[m] + q3 * w3[m])
        k += 4
    while k < count:
        w0 = weights[active[k]]
        p0 = first[active[k]]
        q0 = second[active[k]]
        for m in range(target0.shape[0]):
            target0[m] += p0 * w0[m]
            target1[m] += q0 * w0[m]
        k += 1


@compiled
def _accumulate_one(weights: Floats, active: Integers, count: int, first: Floats, target: Floats) -> None:
    """Add ``first @ weights`` over the active rows to one coefficient row."""
    k = 0
    while k + 4 <= count:
        i0, i1, i2, i3 = active[k], active[k + 1], active[k + 2], active[k + 3]
        w0, w1, w2, w3 = weights[i0], weights[i1], weights[i2], weights[i3]
        p0, p1, p2, p3 = first[i0], first[i1], first[i2], first[i3]
        for m in range(target.shape[0]):
            target[m] += (p0 * w0[m] + p1 * w1[m]) + (p2 * w2[m] + p3 * w3[m])
        k += 4
    while k < count:
        w0 = weights[active[k]]
        p0 = first[active[k]]
        for m in range(target.shape[0]):
            target[m] += p0 * w0[m]
        k += 1


@compiled
def accumulate_rows(weights: Floats, active: Integers, count: int, scaled: Floats, target: Floats) -> None:
    """Add ``scaled @ weights`` over the active rows of ``weights`` to every coefficient row."""
    rows = target.shape[0]
    r = 0
    while r + 2 <= rows:
        _accumulate_pair(weights, active, count, scaled[r], scaled[r + 1], target[r], target[r + 1])
        r += 2
    if r < rows:
        _accumulate_one(weights, active, count, scaled[r], target[r])


@compiled
def relax_stage(net: Net, node: Node, g: int, rows: int, work: Work) -> None:
    """Put the coefficients of stage ``g`` on its pre-activations, in ``work.scaled``."""
    a = net.offset[g]
    b = a + net.size[g]
    relax_rows(
        work.coef[:rows, a:b],
        node.low_slope[a:b],
        node.high_slope[a:b],
        node.intercept[a:b],
        net.bias[a:b],
        node.step_error[a:b],
        node.deviation[a:b],
        net.gamma,
        work.scaled[:rows, : b - a],
        work.constant,
        work.lost,
        work.penalty,
    )


@compiled
def spread_stage(net: Net, g: int, rows: int, active: Integers, count: int, work: Work) -> None:
    """Carry the pre-activations' coefficients of the active rows of stage ``g`` on to the groups it reads."""
    scaled = work.scaled[:rows, : net.size[g]]
    for block in range(net.block_start[g], net.block_start[g + 1]):
        c = net.offset[net.block_source[block]]
        d = c + net.size[net.block_source[block]]
        accumulate_rows(block_matrix(net, block, g), active, count, scaled, work.coef[:rows, c:d])


@compiled
def backward(net: Net, node: Node, top: int, rows: int, work: Work) -> None:
    """Carry the first ``rows`` coefficient rows, on the groups below ``top``, down to the input, in place.

    Constants and errors are added up in ``work``; coefficients on groups above the input stay as they
    were met.
    """
    for g in range(top - 1, 0, -1):
        relax_stage(net, node, g, rows, work)
        a = net.offset[g]
        spread_stage(net, g, rows, node.active[a : a + net.size[g]], node.counts[g], work)


@compiled
def concretize(net: Net, node: Node, coef: Floats, constant: float, error: float) -> tuple[float, float]:
    """Least value over the box of ``coef . x + constant``, and the bound of what rounding may have lost."""
    value = constant
    lost = error + abs(constant) * net.gamma
    for i in range(net.size[0]):
        value += coef[i] * (node.lower[i] if coef[i] >= 0.0 else node.upper[i])
        lost += net.gamma * abs(coef[i]) * node.magnitude[i]
    return value, lost * FINAL + TINY


@compiled
def seed_rows(net: Net, node: Node, g: int, neurons: Integers, count: int, work: Work) -> None:
    """Rows ``+z`` and ``-z`` for each listed neuron of stage ``g``, on the groups below it."""
    for k in range(count):
        i = neurons[k]
        plus = work.coef[2 * k]
        minus = work.coef[2 * k + 1]
        plus[: net.offset[g]] = 0.0
        minus[: net.offset[g]] = 0.0
        for block in range(net.block_start[g], net.block_start[g + 1]):
            c = net.offset[net.block_source[block]]
            w = block_matrix(net, block, g)[i - net.offset[g]]
            for m in range(w.shape[0]):
                plus[c + m] = w[m]
                minus[c + m] = -w[m]
        work.constant[2 * k] = net.bias[i] - node.deviation[i]
        work.constant[2 * k + 1] = -net.bias[i] - node.deviation[i]
        work.lost[2 * k : 2 * k + 2] = node.step_error[i]
        work.penalty[2 * k : 2 * k + 2] = node.deviation[i]
