"""Activations: piecewise-linear functions, each as relu stages and affine forms."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import numpy as np

from . import exact, forms
from .call import Call, Row
from .exact import Exact
from .forms import Forms, Value, without_terms

# ONNX gives 0.01 as a float32.
_LEAKY_DEFAULT: float = struct.unpack("<f", struct.pack("<f", 0.01))[0]


def relu(call: Call) -> tuple[Value, ...]:
    """Return max(z, 0)."""
    return (call.stages.append("relu", call.data(0)),)


def leaky_relu(call: Call) -> tuple[Value, ...]:
    """Return z where z >= 0, else alpha z.

    Sound because: a z + (1 - a) max(z, 0) is z for z >= 0 and a z below, for every a.
    """
    value = call.data(0)
    z = call.stages.cut(value)
    if z is not value:
        call.hold(0, z)
    h = call.stages.append("relu", z)
    alpha = Fraction(call.attributes.get("alpha", _LEAKY_DEFAULT))
    scaled = forms.scale(z, _filled(alpha, z))
    result = forms.add(scaled, forms.scale(h, _filled(1 - alpha, z)))
    return (replace(result, contracted=False),)


def _filled(value: Fraction, like: Forms) -> Exact:
    """Return a vector of one exact number, an entry per element."""
    single = np.empty(1, dtype=object)
    single[0] = value
    return np.repeat(exact.settle(single), like.size)


def clip(call: Call) -> tuple[Value, ...]:
    """Return min(max(z, lo), hi), either limit optional; hi where lo > hi.

    Sound because: max(z, lo) = lo + max(z - lo, 0), and min(w, hi) = hi - max(hi - w, 0).
    """
    z = call.data(0)
    lower, upper = _limits(call)
    if lower is not None and upper is not None and lower > upper:
        return (without_terms(_filled(upper, z).reshape(z.shape), z.element),)
    if lower is not None:
        low = _filled(lower, z)
        p = call.stages.append("relu", forms.add_constant(z, -low))
        z = forms.add_constant(p, low)
    if upper is not None:
        high = _filled(upper, z)
        q = call.stages.append("relu", forms.add_constant(forms.negate(z), high))
        z = forms.add_constant(forms.negate(q), high)
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
    constant = call.constant(value, what)
    if constant.values.size != 1 or len(constant.shape) > 1:
        raise call.where.malformed(f"{what} has shape {list(constant.shape)}, which is no single number")
    return Fraction(constant.values.item())


ROWS: Mapping[str, Row] = {
    "Clip": Row(clip, ("max", "min"), "constant limits"),
    "LeakyRelu": Row(leaky_relu, ("alpha",)),
    "Relu": Row(relu),
}
