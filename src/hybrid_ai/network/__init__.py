"""The prover's view of a model: an ONNX reader, the network normal form and its evaluation."""

from .errors import ModelError, NetworkError, RuntimeFailure, TooLarge, UnsupportedModel
from .evaluation import evaluate, evaluate_exact
from .graph import Graph, Operation
from .instances import several
from .operations import Support, supported_operations
from .reader import Model, load_model
from .rounding import MOST_ROUNDINGS
from .runtime import RuntimeOptions, run_onnxruntime
from .staged import Block, ExactBlock, ExactStage, Rounding, Stage, StagedNetwork

__all__ = [
    "load_model",
    "several",
    "Model",
    "Graph",
    "Operation",
    "StagedNetwork",
    "Stage",
    "Block",
    "ExactStage",
    "Rounding",
    "MOST_ROUNDINGS",
    "ExactBlock",
    "evaluate",
    "evaluate_exact",
    "run_onnxruntime",
    "RuntimeOptions",
    "supported_operations",
    "Support",
    "NetworkError",
    "ModelError",
    "UnsupportedModel",
    "TooLarge",
    "RuntimeFailure",
]
