"""What is claimed: properties as frozen data, VNN-LIB 1.0, builders, and the normal form."""

from .builders import Requirement, linear, local_robustness, output_range
from .errors import SpecError, SpecificationError, UnsupportedSpec
from .float32 import float32_polytope
from .literals import FLOAT32_LIMIT, nearest_float32
from .normal_form import EmptyBox, InputPolytope, NormalForm, normal_form
from .printer import to_vnnlib
from .property import And, Atom, Formula, Or, Property, violated
from .vnnlib import read_vnnlib

__all__ = [
    "And",
    "Atom",
    "EmptyBox",
    "Formula",
    "InputPolytope",
    "NormalForm",
    "Or",
    "Property",
    "Requirement",
    "SpecError",
    "SpecificationError",
    "UnsupportedSpec",
    "linear",
    "local_robustness",
    "normal_form",
    "float32_polytope",
    "nearest_float32",
    "FLOAT32_LIMIT",
    "output_range",
    "read_vnnlib",
    "to_vnnlib",
    "violated",
]
