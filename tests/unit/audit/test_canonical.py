"""Canonical JSON against the published vectors of RFC 8785, and the strict reader against malformed bytes."""

import json
import math
import pickle
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hybrid_ai.audit.verification.canonical import DEPTH_LIMIT, SAFE_INTEGER, decode, decode_canonical, encode
from hybrid_ai.audit.verification.rejected import Refused

# RFC 8785, appendix B: bits of a double, its canonical form.
APPENDIX_B = [
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
]


def double(bits: str) -> float:
    (value,) = struct.unpack(">d", bytes.fromhex(bits))
    return value


@pytest.mark.parametrize(("bits", "text"), APPENDIX_B)
def test_numbers_of_rfc_8785_appendix_b(bits, text):
    assert encode(double(bits)) == text.encode()
    assert decode(text.encode(), "x") == double(bits)


@pytest.mark.parametrize("bits", ["7fffffffffffffff", "7ff0000000000000", "fff0000000000000"])
def test_nan_and_infinities_are_not_written(bits):
    with pytest.raises(ValueError, match="no JSON form"):
        encode(double(bits))


def test_sorting_of_rfc_8785_section_3_2_3():
    names = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    expected = [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",  # before the Hebrew letter: its first UTF-16 unit is 0xD83D
        "Hebrew Letter Dalet With Dagesh",
    ]
    assert list(json.loads(encode(names)).values()) == expected


def test_the_bytes_of_rfc_8785_section_3_2_4():
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": '\u20ac$\u000f\nA\'B"\\\\"/',
        "literals": [None, True, False],
    }
    published = (
        "7b 22 6c 69 74 65 72 61 6c 73 22 3a 5b 6e 75 6c 6c 2c 74 72"
        "75 65 2c 66 61 6c 73 65 5d 2c 22 6e 75 6d 62 65 72 73 22 3a"
        "5b 33 33 33 33 33 33 33 33 33 2e 33 33 33 33 33 33 33 2c 31"
        "65 2b 33 30 2c 34 2e 35 2c 30 2e 30 30 32 2c 31 65 2d 32 37"
        "5d 2c 22 73 74 72 69 6e 67 22 3a 22 e2 82 ac 24 5c 75 30 30"
        "30 66 5c 6e 41 27 42 5c 22 5c 5c 5c 5c 5c 22 2f 22 7d"
    )
    assert encode(value) == bytes.fromhex(published)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("\b\t\n\f\r", rb'"\b\t\n\f\r"'),
        ("\x00\x0b\x1f", rb'"\u0000\u000b\u001f"'),
        ("\x7f\u2028/<", '"\x7f\u2028/<"'.encode()),
        ('"\\', rb'"\"\\"'),
    ],
)
def test_escapes_of_rfc_8785_section_3_2_2_2(text, written):
    assert encode(text) == written


@pytest.mark.parametrize("value", [SAFE_INTEGER, -SAFE_INTEGER, 0, True, None, (1, [2]), {}, []])
def test_a_value_reads_back(value):
    assert encode(decode_canonical(encode(value), "x")) == encode(value)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (SAFE_INTEGER + 1, ValueError),
        (-SAFE_INTEGER - 1, ValueError),
        ("\ud800", ValueError),
        ({"\udfff": 1}, ValueError),
        ({1: 2}, TypeError),
        (b"bytes", TypeError),
        ({"a": {1, 2}}, TypeError),
    ],
)
def test_what_has_no_json_form_is_not_written(value, error):
    with pytest.raises(error):
        encode(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(2.0**53)
@example(1e21)
@example(1e-7)
def test_every_double_survives(value):
    assert decode_canonical(encode(value), "x") == value


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-SAFE_INTEGER, SAFE_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES)
def test_every_value_survives_and_its_form_is_the_only_one(value):
    data = encode(value)
    assert decode_canonical(data, "x") == value
    assert encode(decode(json.dumps(value, indent=1).encode(), "x")) == data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "Expecting value"),
        (b"\xff", "utf-8"),
        (b"\xed\xa0\x80", "utf-8"),
        (b'"\xc0\x80"', "utf-8"),
        ('"x"'.encode("utf-16"), "utf-8"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'{"a":1,"a":1}', "appears twice"),
        (b'{"a":{"b":1,"\\u0062":2}}', "appears twice"),
        (b"NaN", "not a JSON number"),
        (b"[Infinity]", "not a JSON number"),
        (b"-Infinity", "not a JSON number"),
        (b"{} {}", "Extra data"),
        (b"1,", "Extra data"),
        (b"{}\x00", "Extra data"),
        (b"[1,]", "not strict JSON"),
        (b"{'a':1}", "not strict JSON"),
        (b'{"a":1', "not strict JSON"),
        (b'"abc', "not strict JSON"),
        (b'"\t"', "control character"),
        (b'"\\x41"', "escape"),
        (b'"\\u12g4"', "escape"),
        (b"01", "Extra data"),
        (b"+1", "not strict JSON"),
        (b".5", "not strict JSON"),
        (b"1.", "Extra data"),
        ("\u0661".encode(), "not strict JSON"),
        ("\xa01".encode(), "not strict JSON"),
        (b'"\\ud800"', "lone surrogate"),
        (b'["\\udc00\\ud800"]', "lone surrogate"),
        (b'{"\\ud83d":1}', "lone surrogate"),
        (b'{"a":"\\ud83dx"}', "lone surrogate"),
        (b"1e400", "does not survive"),
        (b"-1e999999999999999999999", "does not survive"),
        (b"1e-400", "does not survive"),
        (b"1e-999999999999999999999", "does not survive"),
        (b"9007199254740993", "does not survive"),
        (b"18446744073709551615", "does not survive"),
        (b"0.10000000000000001", "does not survive"),
        (b"1" + b"0" * 400, "401 characters"),
        (b"[" * 100_000, "nested deeper"),
        (b"[" + b"0," * 2**20 + b"0]", "more than 1048576 values"),
        (b'{"a":' * (DEPTH_LIMIT + 1) + b"1" + b"}" * (DEPTH_LIMIT + 1), "nested deeper"),
    ],
)
def test_malformed_json_is_refused(data, reason):
    with pytest.raises(Refused, match=reason) as caught:
        decode(data, "entry 7")
    assert (caught.value.level, caught.value.where) == ("integrity", "entry 7")


@pytest.mark.parametrize(
    "data",
    [
        b" {}",
        b"{}\n",
        b'{"b":1,"a":2}',
        b"1.0",
        b"-0",
        b"-0.0",
        b"1E3",
        b"1e3",
        b"9007199254740992.0",
        b'"\\u0041"',
        b'"\\/"',
        b'"\\u000A"',
        b'"\\u001F"',
        b'{"\xef\xac\xb3":1,"\xf0\x9f\x98\x80":2}',
    ],
)
def test_json_in_another_form_is_read_but_not_canonical(data):
    decode(data, "x")
    with pytest.raises(Refused, match="canonical"):
        decode_canonical(data, "x")


def test_the_depth_limit_counts_brackets_outside_strings_only():
    nested = b"[" * DEPTH_LIMIT + b"]" * DEPTH_LIMIT
    assert encode(decode(nested, "x")) == nested
    assert decode(b'["' + b"[" * 1000 + b'\\"[[["]', "x") == ["[" * 1000 + '"[[[']
    assert decode(b"7", "x", limit_depth=0) == 7
    with pytest.raises(Refused, match="deeper than 1"):
        decode(b"[[]]", "x", limit_depth=1)
    with pytest.raises(ValueError, match="deeper"):
        encode(json.loads("[" + nested.decode() + "]"))


def test_integers_and_doubles_are_told_apart():
    assert type(decode(b"9007199254740991", "x")) is int
    assert type(decode(b"9007199254740992", "x")) is float
    assert type(decode(b"1.0", "x")) is float
    assert math.copysign(1.0, decode(b"-0.0", "x")) == -1.0


def test_a_refusal_keeps_its_fields_between_processes_and_prints_no_control_characters():
    refused = pickle.loads(pickle.dumps(Refused("proof", "a\x1b[2J\n", "broken \u00e9")))
    assert (refused.level, refused.where, refused.reason) == ("proof", "a\x1b[2J\n", "broken \u00e9")
    assert str(refused) == "a\\x1b[2J\\n: broken \u00e9"
