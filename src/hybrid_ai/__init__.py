"""Certify systems that pair a neural model with symbolic rules.

    from hybrid_ai import load, verify, check, Property

Everything here loads what it needs on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hybrid_ai.audit.keys import load_signer as load_signer
    from hybrid_ai.audit.logging_handler import TraceHandler as TraceHandler
    from hybrid_ai.audit.trace import Trace as Trace
    from hybrid_ai.network import Model as Model
    from hybrid_ai.network import load_model as load
    from hybrid_ai.pipeline.certification import certify as certify
    from hybrid_ai.pipeline.checking import CheckResult as CheckResult
    from hybrid_ai.pipeline.checking import check as check
    from hybrid_ai.pipeline.errors import BadInput as BadInput
    from hybrid_ai.pipeline.inspection import inspect_model as inspect
    from hybrid_ai.pipeline.inspection import supported as supports
    from hybrid_ai.pipeline.instances import Case as Case
    from hybrid_ai.pipeline.instances import Request as Request
    from hybrid_ai.pipeline.plans.reading import read_plan as read_plan
    from hybrid_ai.pipeline.plans.running import certify_plan as certify_plan
    from hybrid_ai.pipeline.result import Result as Result
    from hybrid_ai.pipeline.verify import verify as verify
    from hybrid_ai.spec import Property as Property
    from hybrid_ai.spec import read_vnnlib as read_vnnlib

    __version__: str

_PLACES = {
    "BadInput": ("pipeline.errors", "BadInput"),
    "Case": ("pipeline.instances", "Case"),
    "CheckResult": ("pipeline.checking", "CheckResult"),
    "Model": ("network", "Model"),
    "Property": ("spec", "Property"),
    "Request": ("pipeline.instances", "Request"),
    "Result": ("pipeline.result", "Result"),
    "Trace": ("audit.trace", "Trace"),
    "TraceHandler": ("audit.logging_handler", "TraceHandler"),
    "certify": ("pipeline.certification", "certify"),
    "certify_plan": ("pipeline.plans.running", "certify_plan"),
    "check": ("pipeline.checking", "check"),
    "inspect": ("pipeline.inspection", "inspect_model"),
    "load": ("network", "load_model"),
    "load_signer": ("audit.keys", "load_signer"),
    "read_plan": ("pipeline.plans.reading", "read_plan"),
    "read_vnnlib": ("spec", "read_vnnlib"),
    "supports": ("pipeline.inspection", "supported"),
    "verify": ("pipeline.verify", "verify"),
}

__all__ = [
    "BadInput",
    "Case",
    "CheckResult",
    "Model",
    "Property",
    "Request",
    "Result",
    "Trace",
    "TraceHandler",
    "__version__",
    "certify",
    "certify_plan",
    "check",
    "inspect",
    "load",
    "load_signer",
    "read_plan",
    "read_vnnlib",
    "supports",
    "verify",
]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        value: object = version("hybrid-ai")
    elif name in _PLACES:
        module, attribute = _PLACES[name]
        value = getattr(import_module(f"hybrid_ai.{module}"), attribute)
    else:
        raise AttributeError(f"module 'hybrid_ai' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
