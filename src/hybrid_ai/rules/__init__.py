"""Rules: exact linear formulas over named quantities in physical units, and the properties they become."""

from .errors import FormulaError, InterfaceError, RuleError, UnknownName
from .lowering import CertifiedRange, Lowered, lowered, narrowed, robustness
from .printing import text_of
from .quantities import Interface, Quantity, Range
from .reading import parse
from .syntax import (
    Comparison,
    Conjunction,
    Disjunction,
    Formula,
    Linear,
    conjunction,
    disjunction,
    evaluate,
    names,
    negated,
)

__all__ = [
    "CertifiedRange",
    "Comparison",
    "Conjunction",
    "Disjunction",
    "Formula",
    "FormulaError",
    "Interface",
    "InterfaceError",
    "Linear",
    "Lowered",
    "Quantity",
    "Range",
    "RuleError",
    "UnknownName",
    "conjunction",
    "disjunction",
    "evaluate",
    "lowered",
    "names",
    "narrowed",
    "negated",
    "parse",
    "robustness",
    "text_of",
]
