"""What a search ends with: all of it untrusted until the checker or an exact evaluation has looked at it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

from hybrid_ai.bounds import Arithmetic


@dataclass(frozen=True, slots=True)
class Effort:
    """What the search spent.

    Attributes:
        bounded: boxes bounded, counting each time a cut box was bounded again.
        leaves: leaves of the trees.
        decided: decided share of the input volume, 0 to 1.
        seconds: wall seconds.
    """

    bounded: int
    leaves: int
    decided: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Claimed:
    """The search says that the property holds and hands a certificate; nobody has checked it yet.

    Attributes:
        certificate: the evidence.
        effort: what finding it took.
        arithmetic: what it is about: "real", "float32" or "both".
        margin: least bound that closed a disjunct, in units of its rows, infinite where none was needed.
        penalty: most that float32 executions took off such a bound.
        missed: why the claim is about real arithmetic alone where both were asked for, or None.
        repair: goes on from the node (tree, number in preorder) that the checker rejected; another claim, or
            why there is none.
    """

    certificate: bytes
    effort: Effort
    arithmetic: Arithmetic = "real"
    margin: float = math.inf
    penalty: float = 0.0
    missed: str | None = None
    repair: "Callable[[int, int], Outcome] | None" = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Refuted:
    """A point of the input set whose outputs satisfy the unsafe condition.

    Attributes:
        x: the point, exact.
        outputs: the network's outputs there, exact.
        effort: what finding it took.
        exactly: whether the exact outputs violate; otherwise a float32 execution's do.
    """

    x: tuple[Fraction, ...]
    outputs: tuple[Fraction, ...]
    effort: Effort
    exactly: bool = True


@dataclass(frozen=True, slots=True)
class Unknown:
    """Neither, with a reason: timeout, memory, interrupted, rounding.

    Attributes:
        reason: why.
        effort: what was spent.
        limited: whether a limit or the user ended the search, so that nothing else can be tried.
        missed: where this is about real arithmetic alone and both were asked for, why the search for both
            had ended before; else None.
    """

    reason: str
    effort: Effort
    limited: bool = False
    missed: str | None = None


Outcome = Claimed | Refuted | Unknown
