"""Inputs to begin with: valid files of every kind."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FOLDERS = (ROOT / "src" / "hybrid_ai" / "demo", ROOT / "tests" / "data" / "models")
_VNNLIB_1 = (
    """(declare-const X_0 Real)(declare-const X_1 Real)
(declare-fun Y_0 () Real) ; an output
(assert (and (>= X_0 -1) (<= X_0 (/ 1 3)) (<= 0 X_1 1)))
(assert (or (and (<= (* 2 Y_0) (+ X_0 1.5e-1)) (not (> Y_0 3))) (< (- Y_0 X_1) -.5)))
(check-sat)(exit)
""",
    """(set-logic QF_LRA)(set-info :status unsat)
(declare-const X_0 Real)(declare-const Y_0 Real)(declare-const Y_1 Real)
(assert (or (and (>= X_0 0) (<= X_0 1)) (and (= X_0 2) (<= (+ X_0 X_0) 9))))
(assert (= (- Y_0) (/ (* 3 Y_1 0.5) -2 4)))
(assert (and true (or false (not (and (<= Y_0 Y_1) (not (>= Y_1 7)))))))
""",
)
_VNNLIB_2 = (
    """(vnnlib-version <2.0>)
(declare-network f
  (declare-input X real [2])
  (declare-output Y real [1])
)
(assert (and (>= X[0] -1.0) (<= X[0] 1.0) (>= X[1] 0.0) (<= X[1] +.5)))
(assert (or (<= Y[0] -3.0) (!= (+ Y[0] (* 2.0 X[1])) 4.0) (< (- 1 Y[0] 2) (- X[0]))))
""",
    """(vnnlib-version <2.1>)
(declare-network net (declare-input X float32 [1, 2]) (declare-output Y float32 [1, 2]))
(assert (<= -0.1 X[0,0])) (assert (<= X[0,0] 1.0)) ; pinned next
(assert (== X[0,1] 0.25))
(assert (and (< Y[0,0] (- Y[0,1])) (or (== Y[0,1] 0.1) (!= Y[0,1] 0.3))))
""",
    """(vnnlib-version <2.0>)
(declare-network f (declare-input X float32 []) (declare-output Y float32 []))
(assert (and (>= X (- 0.5)) (<= X 1e-3)))
(assert (> Y 0.7))
""",
    """(vnnlib-version <2.0>)
(declare-network f (declare-input X real [1,2]) (declare-output Y real [1]))
(declare-network g (equal-to f) (declare-input U real [1,2]) (declare-output V real [1]))
(assert (and (>= X[0,0] 0) (<= X[0,0] 1) (>= X[0,1] 0) (<= X[0,1] 1)))
(assert (and (>= U[0,0] 0) (<= U[0,0] 1) (== U[0,1] X[0,1]) (>= U[0,1] 0) (<= U[0,1] 1)))
(assert (<= X[0,0] U[0,0]))
(assert (> Y[0] V[0]))
""",
    """(vnnlib-version <2.0>)
(declare-network f (declare-hidden H real [2] "h") (declare-input X real [1] initialized))
(declare-network g (isomorphic-to f) (declare-input U float64 [1]) (declare-output V float64 [1]))
(assert (>= X[0] 0))
""",
)


def models() -> Iterator[bytes]:
    """Shipped models, and one or more of every operation."""
    from tests.checker.models import model
    from tests.checker.test_onnx_reader import GOOD
    from tests.checker.test_same_operations import MODELS

    for folder in _FOLDERS:
        yield from (path.read_bytes() for path in sorted(folder.glob("*.onnx")))
    for nodes, constants in MODELS.values():
        yield model(nodes, [1, 4], constants)
    for good in GOOD.values():
        yield model(good.nodes, good.shape, good.constants, opset=good.opset)
    yield gzip.compress(model(*MODELS["Relu"][:1], [1, 4]), mtime=0)


def properties() -> Iterator[bytes]:
    """Shipped properties, and ones that use what these lack."""
    for folder in _FOLDERS:
        yield from (path.read_bytes() for path in sorted(folder.glob("*.vnnlib")))
    yield from (text.encode() for text in (*_VNNLIB_1, *_VNNLIB_2))
    yield gzip.compress(_VNNLIB_1[0].encode(), mtime=0)


def evidence() -> Iterator[bytes]:
    """A certificate that is accepted, counterexamples that are, and certificates that are not."""
    from benchmarks.fuzz.problems import problems

    for problem in problems():
        yield problem.evidence
        yield problem.wrong
