"""Results as signed statements: who says which verdict about which files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hybrid_ai.audit.drafts import Signer, signed_statement
from hybrid_ai.audit.verification.canonical import encode
from hybrid_ai.audit.verification.envelope import key_id, read_envelope, verified_by
from hybrid_ai.audit.verification.evidence import RESULT_TYPE, RESULTS_FORMAT, RESULTS_VERSION
from hybrid_ai.audit.verification.statement import Statement, Subject, read_statement


def statement_path(number: int) -> str:
    """Path of the signed statement of a result, given its number from 1."""
    return f"evidence/{number:04}.dsse.json"


def cell_verdict(claims: Mapping[str, tuple[str, bool]]) -> str:
    """A cell's verdict from those of the claims that a requirement `holds` and `never` holds on it.

    Args:
        claims: verdict of each of the two, and whether it is vacuous.

    Sound because: each claim is about all inputs of the cell, so that one that is proved decides it; that it
        never holds on a cell without inputs refutes nothing. A counterexample says nothing about the rest of
        the cell: alone it leaves the cell unknown.
    """
    if claims["holds"][0] == "proved":
        return "proved"
    verdict, is_vacuous = claims["never"]
    return "refuted" if verdict == "proved" and not is_vacuous else "unknown"


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
