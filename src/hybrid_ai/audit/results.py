"""Results as signed statements: who says which verdict about which files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hybrid_ai.audit.drafts import Signer, signed_statement
from hybrid_ai.audit.verification.canonical import encode
from hybrid_ai.audit.verification.envelope import key_id, read_envelope, verified_by
from hybrid_ai.audit.verification.evidence import RESULT_TYPE, RESULTS_FORMAT, RESULTS_VERSION
from hybrid_ai.audit.verification.statement import Statement, Subject, read_statement


def result_file(predicate: Mapping[str, Any], digests: Mapping[str, str], signer: Signer) -> bytes:
    """The envelope of a result.

    Args:
        predicate: the result; its `model`, `property` and `evidence` are paths in the dossier.
        digests: SHA-256 of those files by path, hexadecimal.
        signer: who signs it.
    """
    paths = [predicate[name] for name in ("model", "property", "evidence") if predicate[name] is not None]
    subjects = tuple(Subject(path, digests[path]) for path in paths)
    return signed_statement(Statement(subjects, RESULT_TYPE, predicate), signer)


def read_result(data: bytes, public_key: bytes, where: str) -> Statement:
    """The statement of a result that a key has signed.

    Raises:
        Refused: it is malformed, or not signed by that key.
    """
    envelope = read_envelope(data, where)
    signers = verified_by(envelope, {key_id(public_key): public_key}, where=where)
    statement = read_statement(envelope.payload, where)
    return statement if signers else Statement((), "", {})


def results_file(predicates: Sequence[Mapping[str, Any]]) -> bytes:
    """All results as one file."""
    return encode({"format": RESULTS_FORMAT, "version": RESULTS_VERSION, "results": list(predicates)})
