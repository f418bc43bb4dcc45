"""Ed25519 against RFC 8032's vectors, another implementation, and crafted keys and signatures."""

import hashlib

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_ai.audit.verification import ed25519
from hybrid_ai.audit.verification.ed25519 import verify

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493

MESSAGE_OF_1023_BYTES = (
    "08b8b2b733424243760fe426a4b54908632110a66c2f6591eabd3345e3e4eb98fa6e264bf09efe12ee50f8f54e9f77b1"
    "e355f6c50544e23fb1433ddf73be84d879de7c0046dc4996d9e773f4bc9efe5738829adb26c81b37c93a1b270b20329d"
    "658675fc6ea534e0810a4432826bf58c941efb65d57a338bbd2e26640f89ffbc1a858efcb8550ee3a5e1998bd177e93a"
    "7363c344fe6b199ee5d02e82d522c4feba15452f80288a821a579116ec6dad2b3b310da903401aa62100ab5d1a36553e"
    "06203b33890cc9b832f79ef80560ccb9a39ce767967ed628c6ad573cb116dbefefd75499da96bd68a8a97b928a8bbc10"
    "3b6621fcde2beca1231d206be6cd9ec7aff6f6c94fcd7204ed3455c68c83f4a41da4af2b74ef5c53f1d8ac70bdcb7ed1"
    "85ce81bd84359d44254d95629e9855a94a7c1958d1f8ada5d0532ed8a5aa3fb2d17ba70eb6248e594e1a2297acbbb39d"
    "502f1a8c6eb6f1ce22b3de1a1f40cc24554119a831a9aad6079cad88425de6bde1a9187ebb6092cf67bf2b13fd65f270"
    "88d78b7e883c8759d2c4f5c65adb7553878ad575f9fad878e80a0c9ba63bcbcc2732e69485bbc9c90bfbd62481d9089b"
    "eccf80cfe2df16a2cf65bd92dd597b0707e0917af48bbb75fed413d238f5555a7a569d80c3414a8d0859dc65a46128ba"
    "b27af87a71314f318c782b23ebfe808b82b0ce26401d2e22f04d83d1255dc51addd3b75a2b1ae0784504df543af8969b"
    "e3ea7082ff7fc9888c144da2af58429ec96031dbcad3dad9af0dcbaaaf268cb8fcffead94f3c7ca495e056a9b47acdb7"
    "51fb73e666c6c655ade8297297d07ad1ba5e43f1bca32301651339e22904cc8c42f58c30c04aafdb038dda0847dd988d"
    "cda6f3bfd15c4b4c4525004aa06eeff8ca61783aacec57fb3d1f92b0fe2fd1a85f6724517b65e614ad6808d6f6ee34df"
    "f7310fdc82aebfd904b01e1dc54b2927094b2db68d6f903b68401adebf5a7e08d78ff4ef5d63653a65040cf9bfd4aca7"
    "984a74d37145986780fc0b16ac451649de6188a7dbdf191f64b5fc5e2ab47b57f7f7276cd419c17a3ca8e1b939ae49e4"
    "88acba6b965610b5480109c8b17b80e1b7b750dfc7598d5d5011fd2dcc5600a32ef5b52a1ecc820e308aa342721aac09"
    "43bf6686b64b2579376504ccc493d97e6aed3fb0f9cd71a43dd497f01f17c0e2cb3797aa2a2f256656168e6c496afc5f"
    "b93246f6b1116398a346f1a641f3b041e989f7914f90cc2c7fff357876e506b50d334ba77c225bc307ba537152f3f161"
    "0e4eafe595f6d9d90d11faa933a15ef1369546868a7f3a45a96768d40fd9d03412c091c6315cf4fde7cb68606937380d"
    "b2eaaa707b4c4185c32eddcdd306705e4dc1ffc872eeee475a64dfac86aba41c0618983f8741c5ef68d3a101e8a3b8ca"
    "c60c905c15fc910840b94c00a0b9d0"
)

# RFC 8032, section 7.1: public key, message, signature.
RFC_8032 = {
    "TEST 1": (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b",
    ),
    "TEST 2": (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
        "387b2eaeb4302aeeb00d291612bb0c00",
    ),
    "TEST 3": (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
        "4a7c15e9716ed28dc027beceea1ec40a",
    ),
    "TEST 1024": (
        "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e",
        MESSAGE_OF_1023_BYTES,
        "0aab4c900501b3e24d7cdf4663326a3a87df5e4843b2cbdb67cbf6e460fec350aa5371b1508f9f4528ecea23c436d94b"
        "5e8fcd4f681e30a6ac00a9704a188a03",
    ),
    "TEST SHA(abc)": (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"
        "454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e030"
        "3dca179c138ac17ad9bef1177331a704",
    ),
}

# The eight points whose order divides 8, canonically encoded.
SMALL_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",  # neutral
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  # order 2
    "0000000000000000000000000000000000000000000000000000000000000000",  # order 4
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",  # order 8
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
]


def pair(seed: int) -> tuple[int, bytes]:
    """A scalar a and the encoding of [a]B, by the other implementation (RFC 8032, section 5.1.5)."""
    secret = seed.to_bytes(32, "little")
    scalar = int.from_bytes(hashlib.sha512(secret).digest()[:32], "little")
    scalar = scalar & (2**254 - 8) | 2**254
    return scalar % L, Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def challenge(commitment: bytes, public_key: bytes, message: bytes) -> int:
    return int.from_bytes(hashlib.sha512(commitment + public_key + message).digest(), "little") % L


def scalar_bytes(scalar: int) -> bytes:
    return scalar.to_bytes(32, "little")


def other_accepts(public_key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@pytest.mark.parametrize("name", RFC_8032)
def test_vectors_of_rfc_8032_section_7_1(name):
    public_key, message, signature = map(bytes.fromhex, RFC_8032[name])
    assert verify(public_key, message, signature)
    assert not verify(public_key, message + b"\x00", signature)


def test_every_changed_bit_of_a_vector_is_refused():
    public_key, message, signature = map(bytes.fromhex, RFC_8032["TEST 3"])
    for data, rest in ((public_key, "key"), (message, "message"), (signature, "signature")):
        for bit in range(8 * len(data)):
            changed = (int.from_bytes(data, "little") ^ 1 << bit).to_bytes(len(data), "little")
            arguments = {"key": public_key, "message": message, "signature": signature, rest: changed}
            assert not verify(arguments["key"], arguments["message"], arguments["signature"]), (rest, bit)


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=300), st.binary(min_size=64, max_size=64))
def test_agrees_with_another_implementation(secret, message, noise):
    private = Ed25519PrivateKey.from_private_bytes(secret)
    public_key = private.public_key().public_bytes_raw()
    signature = private.sign(message)
    assert verify(public_key, message, signature)
    for wrong_key, wrong_message, wrong_signature in [
        (public_key, message + b"!", signature),
        (noise[:32], message, signature),
        (public_key, message, noise),
        (public_key, message, signature[:32] + noise[32:]),
        (public_key, message, noise[:32] + signature[32:]),
    ]:
        expected = other_accepts(wrong_key, wrong_message, wrong_signature)
        assert verify(wrong_key, wrong_message, wrong_signature) == expected


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_key_of_another_length_is_refused(size):
    _, message, signature = map(bytes.fromhex, RFC_8032["TEST 1"])
    assert not verify(bytes(size), message, signature)


def test_a_longer_key_cannot_take_the_first_byte_of_the_message():
    private = Ed25519PrivateKey.from_private_bytes(bytes(32))
    public_key = private.public_key().public_bytes_raw()
    signature = private.sign(b"\x00m")
    assert verify(public_key, b"\x00m", signature)
    assert not verify(public_key + b"\x00", b"m", signature)


@pytest.mark.parametrize("size", [0, 32, 63, 65])
def test_a_signature_of_another_length_is_refused(size):
    public_key, message, signature = map(bytes.fromhex, RFC_8032["TEST 1"])
    assert not verify(public_key, message, (signature + bytes(1))[:size])


def test_a_second_scalar_for_the_same_point_is_refused():
    public_key, message, signature = map(bytes.fromhex, RFC_8032["TEST 2"])
    scalar = int.from_bytes(signature[32:], "little")
    for multiple in range(1, 2**256 // L + 1):
        if scalar + multiple * L < 2**256:
            assert not verify(public_key, message, signature[:32] + scalar_bytes(scalar + multiple * L))


@pytest.mark.parametrize("encoding", SMALL_ORDER)
def test_a_key_of_small_order_is_refused(encoding):
    public_key = bytes.fromhex(encoding)
    r, commitment = pair(7)
    # With 8 | k the key drops out of the equation: S = r would be a signature without any secret.
    message = next(
        data
        for data in (b"%d" % number for number in range(10_000))
        if challenge(commitment, public_key, data) % 8 == 0
    )
    assert ed25519._decoded_point(public_key) is not None
    assert not verify(public_key, message, commitment + scalar_bytes(r))


def test_a_commitment_of_small_order_is_refused():
    secret, public_key = pair(8)
    neutral = bytes.fromhex(SMALL_ORDER[0])
    k = challenge(neutral, public_key, b"m")
    signature = neutral + scalar_bytes(k * secret % L)
    assert other_accepts(public_key, b"m", signature)  # the equation holds
    assert not verify(public_key, b"m", signature)


def test_the_equation_is_checked_without_cofactor():
    secret, public_key = pair(9)
    torsion = ed25519._addend(ed25519._decoded_point(bytes.fromhex(SMALL_ORDER[4])))
    mixed = ed25519._encoded_point(ed25519._added(ed25519._decoded_point(public_key), torsion))
    r, commitment = pair(10)
    verdicts = {}
    for number in range(64):
        message = b"%d" % number
        k = challenge(commitment, mixed, message)
        valid = verify(mixed, message, commitment + scalar_bytes((r + k * secret) % L))
        verdicts.setdefault(k % 8 == 0, set()).add(valid)
    assert verdicts == {True: {True}, False: {False}}


@pytest.mark.parametrize("excess", range(19))
@pytest.mark.parametrize("sign", [0, 1])
def test_a_coordinate_not_below_the_prime_is_no_point(excess, sign):
    assert ed25519._decoded_point((P + excess | sign << 255).to_bytes(32, "little")) is None


def test_a_signed_zero_is_no_point():
    for y in (1, P - 1):
        assert ed25519._decoded_point(y.to_bytes(32, "little")) == (0, y, 1, 0)
        assert ed25519._decoded_point((y | 1 << 255).to_bytes(32, "little")) is None


def test_points_are_decoded_onto_the_curve_or_not_at_all():
    d = -121665 * pow(121666, -1, P) % P
    decoded = 0
    for y in range(2, 102):
        point = ed25519._decoded_point(y.to_bytes(32, "little"))
        # On the curve x^2 = (y^2 - 1) / (d y^2 + 1): Euler's criterion says whether there is such an x.
        square = (y * y - 1) * pow(d * y * y + 1, -1, P) % P
        assert (point is not None) == (pow(square, (P - 1) // 2, P) == 1)
        if point is not None:
            assert point[0] ** 2 % P == square
            decoded += 1
    assert 20 < decoded < 80
