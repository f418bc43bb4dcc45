"""Statements about files: in-toto Statement, version 1."""

from collections.abc import Mapping
from dataclasses import dataclass

from hybrid_ai.audit.verification.canonical import decode, encode
from hybrid_ai.audit.verification.fields import as_list, as_object, as_sha256, as_text
from hybrid_ai.audit.verification.rejected import Refused

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"

_STATEMENT_FIELDS = frozenset({"_type", "subject", "predicateType"})
_STATEMENT_OPTIONAL = frozenset({"predicate"})
_SUBJECT_FIELDS = frozenset({"name", "digest"})
_DIGEST_FIELDS = frozenset({"sha256"})


@dataclass(frozen=True)
class Subject:
    """A file that a statement is about.

    Attributes:
        name: of the file, not empty.
        sha256: of its bytes, 64 lower-case hexadecimal digits.
    """

    name: str
    sha256: str


@dataclass(frozen=True)
class Statement:
    """What is said about which files.

    Attributes:
        subjects: at least one, with different names.
        predicate_type: URI that says how the predicate is to be read.
        predicate: a JSON object.
    """

    subjects: tuple[Subject, ...]
    predicate_type: str
    predicate: Mapping[str, object]


def read_statement(payload: bytes, where: str) -> Statement:
    """Read a statement; the envelope around it is verified elsewhere.

    Args:
        payload: strict JSON (``decode``), not necessarily canonical.
        where: file or entry, for the error.

    Raises:
        Refused: "integrity", for another `_type`, a missing or unknown field, no subject, two subjects of one
            name, a digest that is not exactly one SHA-256.

    Source: in-toto attestation framework, Statement v1; a missing predicate is the empty one, as there.
    Stricter than there: fields that would be lost in ``Statement`` are refused.
    """
    fields = as_object(decode(payload, where), _STATEMENT_FIELDS, where, optional=_STATEMENT_OPTIONAL)
    if fields["_type"] != STATEMENT_TYPE:
        raise Refused("integrity", where, f"_type must be {STATEMENT_TYPE!r}, is {fields['_type']!a}")
    predicate = fields.get("predicate", {})
    if not isinstance(predicate, dict):
        raise Refused("integrity", f"{where}: predicate", "must be an object")
    subjects: list[Subject] = []
    for number, entry in enumerate(as_list(fields["subject"], f"{where}: subject")):
        subjects.append(_read_subject(entry, f"{where}: subject[{number}]"))
    names = [subject.name for subject in subjects]
    if len(set(names)) != len(names):
        raise Refused("integrity", f"{where}: subject", "two subjects have the same name")
    return Statement(
        subjects=tuple(subjects),
        predicate_type=as_text(fields["predicateType"], f"{where}: predicateType"),
        predicate=predicate,
    )


def write_statement(statement: Statement) -> bytes:
    """Write a statement as canonical JSON that ``read_statement`` reads back.

    Raises:
        ValueError: when the statement is one that ``read_statement`` would refuse.
        TypeError: when the predicate holds a value without JSON form.
    """
    data = encode(
        {
            "_type": STATEMENT_TYPE,
            "subject": [
                {"name": subject.name, "digest": {"sha256": subject.sha256}} for subject in statement.subjects
            ],
            "predicateType": statement.predicate_type,
            "predicate": statement.predicate,
        }
    )
    try:
        read_statement(data, "statement")
    except Refused as error:
        raise ValueError(f"cannot be written: {error}") from error
    return data


def _read_subject(value: object, where: str) -> Subject:
    fields = as_object(value, _SUBJECT_FIELDS, where)
    digest = as_object(fields["digest"], _DIGEST_FIELDS, f"{where}: digest")
    return Subject(
        name=as_text(fields["name"], f"{where}: name"),
        sha256=as_sha256(digest["sha256"], f"{where}: digest: sha256"),
    )
