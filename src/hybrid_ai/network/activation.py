"""Activations: piecewise-linear functions, each as relu stages and affine forms."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import numpy as np

from . import exact, forms
from .call import Call, Row
from .forms import Constant, Forms, Value
from .rounding import NO_SCALE, Cost, shifted

# ONNX gives 0.01 as a float32.
_LEAKY_DEFAULT: float = struct.unpack("<f", struct.pack("<f", 0.01))[0]


def relu(call: Call) -> tuple[Value, ...]:
    """Return max(z, 0)."""
    return (call.stages.append("relu", call.data(0)),)


def leaky_relu(call: Call) -> tuple[Value, ...]:
    """Return z where z >= 0, else alpha z.

    Sound because: a z + (1 - a) max(z, 0) is z for z >= 0 and a z below, for every a
    (docs/theory/normal-form.md); in float32 it rounds once (docs/theory/float32-relu-clip-leaky.md).
    """
    value = call.data(0)
    z = call.stages.cut(value)
    if z is not value:
        call.hold(0, z)
    h = call.stages.append("relu", z)
    alpha = Fraction(call.attributes.get("alpha", _LEAKY_DEFAULT))
    slopes = [_filled(slope, z) for slope in (alpha, 1 - alpha)]
    result = forms.add(forms.scale(z, slopes[0]), forms.scale(h, slopes[1]))
    # One product is computed, whichever side the element is on.
    cost = Cost(1, 2, 2 * sum(slope.cost.gain for slope in slopes))
    return (replace(result, contracted=False, cost=cost, scaling=NO_SCALE),)


def _filled(value: Fraction, like: Forms) -> Constant:
    """Return a vector of one exact number, an entry per element."""
    single = np.empty(1, dtype=object)
    single[0] = value
    return Constant(np.repeat(exact.settle(single), like.count), like.element)


def clip(call: Call) -> tuple[Value, ...]:
    """Return min(max(z, lo), hi), either limit optional; hi where lo > hi.

    Sound because: max(z, lo) = lo + max(z - lo, 0), and min(w, hi) = hi - max(hi - w, 0)
    (docs/theory/normal-form.md); in float32 it is exact (docs/theory/float32-relu-clip-leaky.md).
    """
    z = call.data(0)
    lower, upper = _limits(call)
    if lower is not None and upper is not None and lower > upper:
        constant = forms.without_terms(_filled(upper, z))
        return (replace(constant, shape=z.shape, cost=shifted(z.cost, constant.cost.gain)),)
    if lower is not None:
        p = call.stages.append("relu", forms.shift(z, _filled(-lower, z)))
        z = forms.shift(p, _filled(lower, z))
    if upper is not None:
        high = _filled(upper, z)
        q = call.stages.append("relu", forms.shift(forms.negate(z), high))
        z = forms.shift(forms.negate(q), high)
    return (z,)


def _limits(call: Call) -> tuple[Fraction | None, Fraction | None]:
    if call.opset < 11:
        lower, upper = call.attributes.get("min"), call.attributes.get("max")
        return (None if lower is None else Fraction(lower), None if upper is None else Fraction(upper))
    return _limit(call, 1, "min"), _limit(call, 2, "max")


def _limit(call: Call, position: int, what: str) -> Fraction | None:
    value = call.optional(position)
    if value is None:
        return None
    call.same_element(call.input(0), value)
    constant = call.stored(value, what)
    if constant.values.size != 1 or len(constant.shape) > 1:
        raise call.where.malformed(f"{what} has shape {list(constant.shape)}, which is no single number")
    return Fraction(constant.values.item())


ROWS: Mapping[str, Row] = {
    "Clip": Row(clip, ("max", "min"), "constant limits"),
    "LeakyRelu": Row(leaky_relu, ("alpha",)),
    "Relu": Row(relu),
}
