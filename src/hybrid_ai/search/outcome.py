"""What a search ends with: all of it untrusted until the checker or an exact evaluation has looked at it."""

from dataclasses import dataclass
from fractions import Fraction


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
    """The search says that the property holds and hands a certificate; nobody has checked it yet."""

    certificate: bytes
    effort: Effort


@dataclass(frozen=True, slots=True)
class Refuted:
    """A point of the input set whose exact outputs satisfy the unsafe condition.

    Attributes:
        x: the point, exact.
        outputs: the network's outputs there, exact.
        effort: what finding it took.
    """

    x: tuple[Fraction, ...]
    outputs: tuple[Fraction, ...]
    effort: Effort


@dataclass(frozen=True, slots=True)
class Unknown:
    """Neither, with a reason: timeout, memory, interrupted, rounding."""

    reason: str
    effort: Effort


Outcome = Claimed | Refuted | Unknown
