"""The steps of a certificate as data; docs/formats/certificate.md, sections 5 and 7, says what each means."""

from dataclasses import dataclass
from fractions import Fraction

VERSION = 1
MAGIC = b"HYBRAICE"
ARITHMETICS = {"real": 1, "float32": 2, "both": 3}
FLAG_TIGHTEN_EVERYWHERE = 1
SLOPE_GRID = 128
CUT_GRID = 64


@dataclass(frozen=True, slots=True)
class Row:
    """A closing by one row of the disjunct with multiplier one and the default slopes."""

    row: int


@dataclass(frozen=True, slots=True)
class Combination:
    """A closing by multiplied rows, input constraints and split assumptions, with slopes.

    Attributes:
        rows: pairs (index, positive rational), indices strictly increasing; likewise the next two.
        constraints: input constraints of the polytope.
        assumptions: split assumptions of the node, the oldest first.
        slopes: pairs (neuron, v) with lower slope v / 128, 0 <= v <= 128, neurons strictly increasing.
    """

    rows: tuple[tuple[int, Fraction], ...] = ()
    constraints: tuple[tuple[int, Fraction], ...] = ()
    assumptions: tuple[tuple[int, Fraction], ...] = ()
    slopes: tuple[tuple[int, int], ...] = ()


Closing = Row | Combination


@dataclass(frozen=True, slots=True)
class Tighten:
    """Recompute the bounds of all neurons, or of those listed, with the slopes given."""

    neurons: tuple[int, ...] | None = None
    slopes: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Close:
    """Close one disjunct in this node and below."""

    disjunct: int
    closing: Closing


@dataclass(frozen=True, slots=True)
class Cut:
    """Take a slab off one axis: side 1 keeps the lowest q/64 of the box, side 0 the highest."""

    axis: int
    side: int
    kept: int
    closings: tuple[Closing, ...]


@dataclass(frozen=True, slots=True)
class Leaf:
    """End the node with one closing per open disjunct, in ascending order."""

    closings: tuple[Closing, ...] = ()


@dataclass(frozen=True, slots=True)
class Split:
    """Split an input axis at its midpoint, or at a grid coordinate."""

    axis: int
    coordinate: int | None = None


@dataclass(frozen=True, slots=True)
class SplitNeuron:
    """Split on the pre-activation of a neuron at the dyadic ``numerator / 2**exponent``."""

    neuron: int
    numerator: int = 0
    exponent: int = 0


@dataclass(frozen=True, slots=True)
class SplitDifference:
    """Split on the difference of two pre-activations at the dyadic ``numerator / 2**exponent``."""

    first: int
    second: int
    numerator: int = 0
    exponent: int = 0


Step = Tighten | Close | Cut | Leaf | Split | SplitNeuron | SplitDifference


@dataclass(frozen=True, slots=True)
class Header:
    """What a certificate is about.

    Attributes:
        model_sha256: digest of the model file as given, 32 bytes.
        property_sha256: digest of the property file as given, 32 bytes.
        arithmetic: "real", "float32" or "both".
        tighten_everywhere: whether each node begins with a TIGHTEN of all neurons.
    """

    model_sha256: bytes
    property_sha256: bytes
    arithmetic: str = "real"
    tighten_everywhere: bool = True
