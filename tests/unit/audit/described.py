"""A dossier, described, that tests change one thing of at a time."""

from __future__ import annotations

import hashlib

from hybrid_ai.audit.description import (
    Description,
    DossierFile,
    Licence,
    ModelFile,
    Software,
    TensorInfo,
    Verification,
)

CONTENTS = {
    "README.md": b"# Example\n",
    "bom.cdx.json": b"{}",
    "evidence/0000.certificate": b"\x00certificate",
    "evidence/0000.dsse.json": b"{}",
    "evidence/0001.dsse.json": b"{}",
    "models/net.onnx": b"\x08\x09",
    "properties/brake.vnnlib": b"(declare-const X_0 Real)\n",
    "properties/limit.vnnlib": b"(declare-const Y_0 Real)\n",
    "results.json": b"{}",
    "verify.py": b"pass\n",
}

TOOL = Software("hybrid-ai", "0.1.0", "pkg:pypi/hybrid-ai@0.1.0")
NUMPY = Software("numpy", "2.3.4", "pkg:pypi/numpy@2.3.4")
PYTHON = Software("python", "3.11.7", "pkg:generic/python@3.11.7")

MODEL = ModelFile(
    path="models/net.onnx",
    inputs=(TensorInfo("X", (1, 5), "float32"),),
    outputs=(TensorInfo("Y", ("batch", None), "float32"),),
    operations=("Gemm", "Relu"),
    producer="pytorch 2.13.0",
    intended_use="Advice to a pilot who decides.",
)

PROVED = Verification(
    model="models/net.onnx",
    property="properties/brake.vnnlib",
    evidence="evidence/0000.certificate",
    statement="evidence/0000.dsse.json",
    verdict="proved",
    arithmetics=(("real", "proved"), ("float32", "proved")),
    started="2026-11-20T10:00:00.000Z",
    ended="2026-11-20T10:00:01.500Z",
    seconds=1.5,
)

UNKNOWN = Verification(
    model="models/net.onnx",
    property="properties/limit.vnnlib",
    evidence=None,
    statement="evidence/0001.dsse.json",
    verdict="unknown",
    arithmetics=(("real", "unknown"), ("float32", "unknown")),
    started="2026-11-20T10:00:02.000Z",
    ended="2026-11-20T10:01:02.000Z",
    seconds=60.0,
)

EXAMPLE = Description(
    name="Braking distance of the example vehicle",
    summary="One network, verified against two properties.",
    created="2026-11-20T10:02:00.000Z",
    licence=Licence("CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/"),
    organisation="Example Institute",
    models=(MODEL,),
    properties=("properties/brake.vnnlib", "properties/limit.vnnlib"),
    verifications=(PROVED, UNKNOWN),
    files=tuple(
        DossierFile(path, len(content), hashlib.sha256(content).hexdigest())
        for path, content in CONTENTS.items()
    ),
    software=(TOOL, NUMPY, PYTHON),
)
