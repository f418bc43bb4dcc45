from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import hybrid_ai
from hybrid_ai.audit.keys import Signer
from hybrid_ai.audit.standalone import generate
from hybrid_ai.pipeline.certification import certify
from hybrid_ai.pipeline.dossiers import Signature, attach, sign
from hybrid_ai.pipeline.instances import Case, Request
from hybrid_ai.pipeline.limits import Limits
from hybrid_ai.pipeline.verify import Observer
from tests.audit_builder import AUTHOR, REVIEWER
from tests.soundness.dossier.copies import PROPERTIES, Copy, checkpoint

DEMO = Path(hybrid_ai.__file__).parent / "demo"


@dataclass(frozen=True)
class Real:
    """The real dossier, made once: not to be written to.

    Attributes:
        root: certified, with an attached file and a reviewer's signature.
        earlier: as it was when it had just been sealed.
        newest: its last checkpoint, as somebody kept it elsewhere.
        verifier: a verify.py obtained apart.
    """

    root: Path
    earlier: Path
    newest: bytes
    verifier: Path


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Real:
    folder = tmp_path_factory.mktemp("real")
    cases = [Case(DEMO / "braking.onnx", DEMO / Path(path).name, 60.0) for path in PROPERTIES]
    root, author = folder / "dossier", Signer(AUTHOR.private)
    found = certify(Request(cases, Limits()), root, author, Observer(), lambda result, resumed: None)
    assert [result["verdict"] for result in found.results] == ["proved", "proved", "refuted"]
    earlier = shutil.copytree(root, folder / "earlier")
    (folder / "flight.txt").write_bytes(b"flight 7")
    attach(root, folder / "flight.txt", author, "a note")
    sign(root, Signature("reviewer", "seen", "Example", "R."), Signer(REVIEWER.private))
    newest = (root / checkpoint(8)).read_bytes()
    verifier = folder / "verify.py"
    verifier.write_bytes(generate())
    return Real(root, earlier, newest, verifier)


@pytest.fixture
def attacked(real: Real, tmp_path: Path) -> Callable[[], Copy]:
    """Makes a fresh copy to attack."""

    def copied() -> Copy:
        root = tmp_path / "dossier"
        shutil.rmtree(root, ignore_errors=True)
        return Copy(shutil.copytree(real.root, root), real.earlier)

    return copied
