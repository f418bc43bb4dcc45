"""DSSE envelopes: format, signatures, malformed bytes, and exchange with securesystemslib."""

import base64
import hashlib
import importlib.util
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from hybrid_ai.audit.verification.canonical import decode_canonical
from hybrid_ai.audit.verification.envelope import (
    SIGNATURE_LIMIT,
    Envelope,
    Signature,
    key_id,
    pae,
    read_envelope,
    verified_by,
    write_envelope,
)
from hybrid_ai.audit.verification.rejected import Refused

PRIVATE = [Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in range(1, 4)]
PUBLIC = [key.public_key().public_bytes_raw() for key in PRIVATE]
IDS = [key_id(key) for key in PUBLIC]
TYPE = "application/vnd.in-toto+json"


def signed(payload: bytes, *signers: int, payload_type: str = TYPE) -> Envelope:
    message = pae(payload_type, payload)
    signatures = tuple(Signature(IDS[number], PRIVATE[number].sign(message)) for number in signers)
    return Envelope(payload_type, payload, signatures)


def test_the_encoding_of_the_dsse_protocol():
    # DSSE protocol, version 1, "Test Vectors".
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert pae("t/\u20ac", b"") == "DSSEv1 5 t/\u20ac 0 ".encode()


def test_a_key_is_named_by_its_hash():
    assert key_id(PUBLIC[0]) == hashlib.sha256(PUBLIC[0]).hexdigest()


@given(st.binary(max_size=100), st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.binary())
def test_an_envelope_reads_back(payload, payload_type, signature):
    envelope = Envelope(payload_type, payload, (Signature("a", signature), Signature("", b"")))
    data = write_envelope(envelope)
    assert read_envelope(data, "x") == envelope
    assert decode_canonical(data, "x") is not None


def test_signatures_of_known_keys_are_verified():
    envelope = read_envelope(write_envelope(signed(b"payload", 2, 0, 1)), "x")
    assert verified_by(envelope, dict(zip(IDS, PUBLIC, strict=True))) == (IDS[2], IDS[0], IDS[1])
    assert verified_by(envelope, {IDS[1]: PUBLIC[1]}) == (IDS[1],)
    assert verified_by(envelope, {}) == ()


@pytest.mark.parametrize(
    "changed",
    [
        Envelope(TYPE, b"payloaD", signed(b"payload", 0).signatures),
        Envelope(TYPE + "x", b"payload", signed(b"payload", 0).signatures),
        Envelope(TYPE, b"payload", (Signature(IDS[0], bytes(64)),)),
        Envelope(TYPE, b"payload", (Signature(IDS[0], b""),)),
        # signed by another key under the name of the first
        Envelope(TYPE, b"payload", (Signature(IDS[0], signed(b"payload", 1).signatures[0].signature),)),
        # signed without the pre-authentication encoding
        Envelope(TYPE, b"payload", (Signature(IDS[0], PRIVATE[0].sign(b"payload")),)),
    ],
)
def test_a_wrong_signature_of_a_known_key_refuses_the_whole_envelope(changed):
    with pytest.raises(Refused, match=r"e\.json: .* is not valid") as caught:
        verified_by(changed, {IDS[0]: PUBLIC[0]}, where="e.json")
    assert caught.value.level == "authenticity"
    good = signed(changed.payload, 1, payload_type=changed.payload_type).signatures
    both = Envelope(changed.payload_type, changed.payload, good + changed.signatures)
    with pytest.raises(Refused, match="is not valid"):
        verified_by(both, dict(zip(IDS, PUBLIC, strict=True)))


def test_a_wrong_signature_of_an_unknown_key_says_nothing():
    envelope = Envelope(TYPE, b"p", (Signature("elsewhere", b"?"), *signed(b"p", 0).signatures))
    assert verified_by(envelope, {IDS[0]: PUBLIC[0]}) == (IDS[0],)


def test_one_key_under_two_names_is_no_second_signer():
    (signature,) = signed(b"p", 0).signatures
    envelope = Envelope(TYPE, b"p", (signature, Signature("alias", signature.signature)))
    assert verified_by(envelope, {"alias": PUBLIC[0]}) == ("alias",)
    with pytest.raises(Refused, match="one key signs twice"):
        verified_by(envelope, {IDS[0]: PUBLIC[0], "alias": PUBLIC[0]})


def fields(**changes: object) -> bytes:
    entry = {"keyid": "k", "sig": "AAAA"}
    whole = {"payload": "AAAA", "payloadType": TYPE, "signatures": [entry]} | changes
    return json.dumps({key: value for key, value in whole.items() if value is not ...}).encode()


def entry(**changes: object) -> bytes:
    whole = {"keyid": "k", "sig": "AAAA"} | changes
    return fields(signatures=[{key: value for key, value in whole.items() if value is not ...}])


def test_the_unchanged_template_is_read():
    assert read_envelope(fields(), "x") == Envelope(TYPE, bytes(3), (Signature("k", bytes(3)),))
    assert read_envelope(b" " + fields(payload="") + b"\n", "x").payload == b""
    assert read_envelope(entry(keyid=...), "x").signatures == (Signature("", bytes(3)),)
    most = [{"keyid": str(number), "sig": ""} for number in range(SIGNATURE_LIMIT)]
    assert len(read_envelope(fields(signatures=most), "x").signatures) == SIGNATURE_LIMIT == 16


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not strict JSON"),
        (b"[]", "must be an object, is an array"),
        (b"null", "must be an object, is null"),
        (fields()[:-1] + b',"payload":"AAAA"}', "appears twice"),
        (fields(payload=...), "lacks 'payload'"),
        (fields(payloadType=...), "lacks 'payloadType'"),
        (fields(signatures=...), "lacks 'signatures'"),
        (fields(extra=1), "unknown 'extra'"),
        (fields(payload=7), "payload: must be a string, is a number"),
        (fields(payload=None), "payload: must be a string, is null"),
        (fields(payload="AAA"), "payload: not base64"),
        (fields(payload="AAAA\n"), "payload: not base64"),
        (fields(payload=" AAAA"), "payload: not base64"),
        (fields(payload="AA==" * 2), "payload: not base64"),
        (fields(payload="AB=="), "payload: not base64"),
        (fields(payload="AAB="), "payload: not base64"),
        (fields(payload="===="), "payload: not base64"),
        (fields(payload="__--"), "payload: not base64"),
        (fields(payload="\u00e9\u00e9\u00e9\u00e9"), "payload: not base64"),
        (fields(payloadType=""), "payloadType: is empty"),
        (fields(payloadType=True), "payloadType: must be a string, is a truth value"),
        (fields(signatures=[]), "signatures: is empty"),
        (fields(signatures={}), "signatures: must be an array, is an object"),
        (fields(signatures=["x"]), r"signatures\[0\]: must be an object, is a string"),
        (
            fields(signatures=[{"keyid": str(number), "sig": ""} for number in range(17)]),
            "has 17 entries; at most 16",
        ),
        (fields(signatures=[{"keyid": "k", "sig": ""}] * 2), "'k' appears twice"),
        (fields(signatures=[{"sig": ""}, {"keyid": "", "sig": ""}]), "'' appears twice"),
        (entry(sig=...), "lacks 'sig'"),
        (entry(sig="A"), "sig: not base64"),
        (entry(sig=None), "sig: must be a string"),
        (entry(keyid=1.5), "keyid: must be a string, is a number"),
        (entry(alg="ed25519"), "unknown 'alg'"),
        (entry(algorithm="none"), "unknown 'algorithm'"),
        (entry(scheme="rsa"), "unknown 'scheme'"),
    ],
)
def test_a_malformed_envelope_is_refused(data, reason):
    with pytest.raises(Refused, match=reason) as caught:
        read_envelope(data, "e.json")
    assert caught.value.level == "integrity"
    assert str(caught.value).startswith("e.json")


@pytest.mark.parametrize(
    "envelope",
    [
        Envelope(TYPE, b"", ()),
        Envelope("", b"", (Signature("k", b""),)),
        Envelope(TYPE, b"", (Signature("k", b""),) * 2),
        Envelope("\ud800", b"", (Signature("k", b""),)),
    ],
)
def test_what_could_not_be_read_is_not_written(envelope):
    with pytest.raises(ValueError):
        write_envelope(envelope)


needs_peer = pytest.mark.skipif(
    importlib.util.find_spec("securesystemslib") is None, reason="securesystemslib is not installed"
)


@needs_peer
def test_an_envelope_of_securesystemslib_is_verified_here():
    from securesystemslib.dsse import Envelope as PeerEnvelope
    from securesystemslib.signer import CryptoSigner

    signer = CryptoSigner(PRIVATE[0])
    peer = PeerEnvelope(b"payload", TYPE, {})
    peer.sign(signer)
    data = json.dumps(peer.to_dict()).encode()
    envelope = read_envelope(data, "peer")
    assert envelope.payload == b"payload"
    assert verified_by(envelope, {signer.public_key.keyid: PUBLIC[0]}) == (signer.public_key.keyid,)
    with pytest.raises(Refused, match="is not valid"):
        verified_by(envelope, {signer.public_key.keyid: PUBLIC[1]})


@needs_peer
def test_an_envelope_from_here_is_verified_by_securesystemslib():
    from securesystemslib.dsse import Envelope as PeerEnvelope
    from securesystemslib.exceptions import VerificationError
    from securesystemslib.signer import SSlibKey

    keys = [
        SSlibKey.from_crypto(private.public_key(), keyid=keyid)
        for private, keyid in zip(PRIVATE, IDS, strict=True)
    ]
    data = write_envelope(signed(b"payload", 0, 2))
    accepted = PeerEnvelope.from_dict(json.loads(data)).verify(keys, 2)
    assert set(accepted) == {IDS[0], IDS[2]}
    changed = json.loads(data) | {"payload": base64.b64encode(b"other").decode()}
    with pytest.raises(VerificationError):
        PeerEnvelope.from_dict(changed).verify(keys, 1)
