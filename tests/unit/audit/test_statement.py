"""in-toto statements: format and malformed payloads."""

import json

import pytest

from hybrid_ai.audit.verification.canonical import decode_canonical
from hybrid_ai.audit.verification.rejected import Refused
from hybrid_ai.audit.verification.statement import (
    PAYLOAD_TYPE,
    STATEMENT_TYPE,
    Statement,
    Subject,
    read_statement,
    write_statement,
)

DIGEST = "ab" * 32
STATEMENT = Statement(
    subjects=(Subject("model.onnx", DIGEST), Subject("property.vnnlib", "cd" * 32)),
    predicate_type="https://example.org/verdict/v1",
    predicate={"verdict": "proved", "leaves": 7, "seconds": [0.25, 1e-7], "nested": {"a": None}},
)


def test_the_constants_of_in_toto_version_1():
    # in-toto attestation framework: spec/v1/statement.md and spec/v1/envelope.md.
    assert STATEMENT_TYPE == "https://in-toto.io/Statement/v1"
    assert PAYLOAD_TYPE == "application/vnd.in-toto+json"


def test_a_statement_is_written_canonically_and_reads_back():
    data = write_statement(STATEMENT)
    assert read_statement(data, "x") == STATEMENT
    assert decode_canonical(data, "x") == {
        "_type": STATEMENT_TYPE,
        "subject": [
            {"name": "model.onnx", "digest": {"sha256": DIGEST}},
            {"name": "property.vnnlib", "digest": {"sha256": "cd" * 32}},
        ],
        "predicateType": "https://example.org/verdict/v1",
        "predicate": {"verdict": "proved", "leaves": 7, "seconds": [0.25, 1e-7], "nested": {"a": None}},
    }


def fields(**changes: object) -> bytes:
    whole = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": "m", "digest": {"sha256": DIGEST}}],
        "predicateType": "t",
        "predicate": {},
    } | changes
    return json.dumps({key: value for key, value in whole.items() if value is not ...}, indent=1).encode()


def subject(**changes: object) -> bytes:
    whole = {"name": "m", "digest": {"sha256": DIGEST}} | changes
    return fields(subject=[{key: value for key, value in whole.items() if value is not ...}])


@pytest.mark.parametrize("data", [fields(), fields(predicate=...)])
def test_a_predicate_may_be_missing_as_in_the_specification(data):
    assert read_statement(data, "x") == Statement((Subject("m", DIGEST),), "t", {})


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not strict JSON"),
        (b"{}", "lacks '_type', 'predicateType', 'subject'"),
        (b"[]", "must be an object"),
        (fields()[:-1] + b',"_type":"x"}', "appears twice"),
        (fields(_type="https://in-toto.io/Statement/v0.1"), "_type must be"),
        (fields(_type=None), "_type must be"),
        (fields(extra=1), "unknown 'extra'"),
        (fields(predicateType=...), "lacks 'predicateType'"),
        (fields(predicateType=""), "predicateType: is empty"),
        (fields(predicateType=3), "predicateType: must be a string"),
        (fields(predicate=[]), "predicate: must be an object"),
        (fields(predicate=None), "predicate: must be an object"),
        (fields(subject=...), "lacks 'subject'"),
        (fields(subject=[]), "subject: is empty"),
        (fields(subject={"name": "m"}), "subject: must be an array"),
        (fields(subject=[None]), r"subject\[0\]: must be an object, is null"),
        (
            fields(subject=[{"name": "m", "digest": {"sha256": digit * 64}} for digit in "ab"]),
            "the same name",
        ),
        (subject(name=...), "lacks 'name'"),
        (subject(name=""), "name: is empty"),
        (subject(uri="x"), "unknown 'uri'"),
        (subject(digest=...), "lacks 'digest'"),
        (subject(digest={}), "lacks 'sha256'"),
        (subject(digest={"sha256": DIGEST, "sha1": "ab" * 20}), "unknown 'sha1'"),
        (subject(digest={"sha256": DIGEST.upper()}), "64 lower-case"),
        (subject(digest={"sha256": DIGEST[:-1]}), "64 lower-case"),
        (subject(digest={"sha256": DIGEST + "\n"}), "64 lower-case"),
        (subject(digest={"sha256": "\u0661" * 64}), "64 lower-case"),
        (subject(digest={"sha256": 7}), "must be a string"),
    ],
)
def test_a_malformed_statement_is_refused(data, reason):
    with pytest.raises(Refused, match=reason) as caught:
        read_statement(data, "s.json")
    assert caught.value.level == "integrity"
    assert str(caught.value).startswith("s.json")


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        (Statement((), "t", {}), ValueError),
        (Statement((Subject("m", "ab"),), "t", {}), ValueError),
        (Statement((Subject("m", DIGEST), Subject("m", DIGEST)), "t", {}), ValueError),
        (Statement((Subject("m", DIGEST),), "", {}), ValueError),
        (Statement((Subject("m", DIGEST),), "t", {"x": float("nan")}), ValueError),
        (Statement((Subject("m", DIGEST),), "t", {"x": b""}), TypeError),
    ],
)
def test_what_could_not_be_read_is_not_written(statement, error):
    with pytest.raises(error):
        write_statement(statement)
