"""Signed notes and checkpoints: published examples, signatures, malformed bytes."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hybrid_ai.audit.verification.checkpoint import (
    NOTE_SIGNATURE_LIMIT,
    Checkpoint,
    Note,
    NoteSignature,
    checkpoint_body,
    note_key_hash,
    read_checkpoint,
    read_note,
    signed_by,
    write_note,
)
from hybrid_ai.audit.verification.rejected import Refused

# C2SP signed-note, "Verifier keys", "Example".
EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE_NOTE = """This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
""".encode()
# C2SP signed-note, at the top: the text has an empty line of its own.
EXAMPLE_POEM = (
    "Ognuno sta solo sul cuor della terra\n"
    "trafitto da un raggio di sole:\n"
    "\n"
    "ed è subito sera.\n"
    "\n"
    "— quasimodo.example/salvatore "
    "NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
).encode()
# C2SP tlog-checkpoint, at the top.
EXAMPLE_CHECKPOINT = (
    "example.com/behind-the-sofa\n"
    "20852163\n"
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    "\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
).encode()

PRIVATE = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
PUBLIC = PRIVATE.public_key().public_bytes_raw()
NAME = "log.example/dossier"
LINE = "\u2014 n AAAAAAA=\n"
CHECKPOINT = Checkpoint("log.example/dossier", 3, bytes(range(32)))


def signature(text: str, name: str = NAME, private: Ed25519PrivateKey = PRIVATE) -> NoteSignature:
    public_key = private.public_key().public_bytes_raw()
    return NoteSignature(name, note_key_hash(name, public_key), private.sign(text.encode()))


def example_key() -> tuple[str, bytes, bytes]:
    name, key_hash, encoded = EXAMPLE_KEY.split("+", 2)
    kind_and_key = base64.b64decode(encoded)
    assert kind_and_key[:1] == b"\x01"
    return name, bytes.fromhex(key_hash), kind_and_key[1:]


def test_the_published_note_is_signed_by_the_published_key():
    name, key_hash, public_key = example_key()
    note = read_note(EXAMPLE_NOTE, "x")
    assert note_key_hash(name, public_key) == key_hash
    assert note.text == "This is an example message.\n"
    assert signed_by(note, name, public_key)
    assert write_note(note) == EXAMPLE_NOTE


def test_the_text_of_the_published_poem_keeps_its_empty_line():
    note = read_note(EXAMPLE_POEM, "x")
    assert note.text.count("\n\n") == 1
    assert note.text.endswith("ed è subito sera.\n")
    assert [entry.name for entry in note.signatures] == ["quasimodo.example/salvatore"]
    assert len(note.signatures[0].signature) == 64
    assert write_note(note) == EXAMPLE_POEM


def test_the_published_checkpoint_is_read():
    checkpoint, note = read_checkpoint(EXAMPLE_CHECKPOINT, "x")
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint.root == base64.b64decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
    assert checkpoint_body(checkpoint) == note.text.encode()
    assert len(note.signatures[0].signature) == 64


def test_a_checkpoint_from_here_is_signed_and_reads_back():
    text = checkpoint_body(CHECKPOINT).decode()
    data = write_note(Note(text, (signature(text),)))
    checkpoint, note = read_checkpoint(data, "x")
    assert checkpoint == CHECKPOINT
    assert signed_by(note, NAME, PUBLIC)


def test_signatures_are_selected_by_name_and_key_and_then_verified():
    text = "text\n"
    good = signature(text)
    bad = NoteSignature(NAME, good.key_hash, bytes(64))
    other = signature(text, "other", Ed25519PrivateKey.from_private_bytes(b"\x08" * 32))
    assert signed_by(Note(text, (other, good)), NAME, PUBLIC)
    assert not signed_by(Note(text, (other,)), NAME, PUBLIC)
    assert not signed_by(Note(text, (bad,)), NAME, PUBLIC)
    assert not signed_by(Note(text, (good, bad)), NAME, PUBLIC)
    assert not signed_by(Note("Text\n", (good,)), NAME, PUBLIC)
    assert not signed_by(Note(text, (good,)), "other", PUBLIC)
    assert not signed_by(Note(text, (NoteSignature(NAME, bytes(4), good.signature),)), NAME, PUBLIC)
    # a signature under this name by a key unknown here says nothing, whatever it is
    assert signed_by(Note(text, (NoteSignature(NAME, bytes(4), b"?"), good)), NAME, PUBLIC)
    assert signed_by(Note(text, (NoteSignature("other", good.key_hash, b"?"), good)), NAME, PUBLIC)


@pytest.mark.parametrize("replaced", [b"example", b"message.", b"Uw2QOkn8"])
def test_a_changed_note_is_not_signed(replaced):
    name, _, public_key = example_key()
    changed = EXAMPLE_NOTE.replace(replaced, replaced.swapcase(), 1)
    assert not signed_by(read_note(changed, "x"), name, public_key)


def test_sixteen_signatures_are_accepted():
    assert NOTE_SIGNATURE_LIMIT == 16
    assert len(read_note(("t\n\n" + LINE * 16).encode(), "x").signatures) == 16


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty line"),
        (b"text\n", "empty line"),
        (b"text\n\n", "empty line"),
        (f"text\n\n{LINE}"[:-1].encode(), "empty line"),
        (f"text\n{LINE}".encode(), "empty line"),
        (f"text\n\n{LINE}\n".encode(), "empty line"),
        (f"text\n\n{LINE}\n\n".encode(), "empty line"),
        (f"text\n\n{LINE}\nmore\n".encode(), "em dash"),
        (f"text\n\n{LINE}more\n".encode(), "em dash"),
        (f"text\n\n{LINE}".replace("\u2014", "?").encode(), "em dash"),
        (f"text\n\n{LINE}".encode() + b"\xff", "not UTF-8"),
        (f"te\rxt\n\n{LINE}".encode(), "control character"),
        (f"te\txt\n\n{LINE}".encode(), "control character"),
        (f"te\x00xt\n\n{LINE}".encode(), "control character"),
        (f"text\n\n{LINE}".replace("\n", "\r\n").encode(), "control character"),
        (f"t\n\n{LINE * 17}".encode(), "more than 16"),
        ("t\n\n\u2014 n\n".encode(), "em dash"),
        ("t\n\n\u2014 n AAAAAAA= \n".encode(), "em dash"),
        ("t\n\n\u2014  n AAAAAAA=\n".encode(), "em dash"),
        ("t\n\n\u2014n AAAAAAA=\n".encode(), "em dash"),
        (b"t\n\n- n AAAAAAA=\n", "em dash"),
        ("t\n\n\u2014  AAAAAAA=\n".encode(), "no key name"),
        ("t\n\n\u2014 n+m AAAAAAA=\n".encode(), "no key name"),
        ("t\n\n\u2014 n\u00a0m AAAAAAA=\n".encode(), "no key name"),
        ("t\n\n\u2014 n\u2028m AAAAAAA=\n".encode(), "no key name"),
        ("t\n\n\u2014 n AAAAAAA\n".encode(), "not base64"),
        ("t\n\n\u2014 n AAAAAAB=\n".encode(), "not base64"),
        ("t\n\n\u2014 n AAAA_AA=\n".encode(), "not base64"),
        ("t\n\n\u2014 n AAAAAA==\n".encode(), "4 bytes hold no"),
    ],
)
def test_a_malformed_note_is_refused(data, reason):
    with pytest.raises(Refused, match=reason) as caught:
        read_note(data, "checkpoint")
    assert caught.value.level == "integrity"
    assert str(caught.value).startswith("checkpoint")


ROOT = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize("size", ["0", "1", "18446744073709551615"])
def test_sizes_are_read(size):
    checkpoint, _ = read_checkpoint(f"o\n{size}\n{ROOT}\n\n{LINE}".encode(), "x")
    assert checkpoint == Checkpoint("o", int(size), bytes(32))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("\n", "three lines"),
        ("o\n3\n", "three lines"),
        (f"o\n3\n{ROOT}\nextension\n", "three lines"),
        (f"o\n3\n{ROOT}\n\n", "three lines"),
        (f"\n3\n{ROOT}\n", "origin"),
        (f"o\n\n{ROOT}\n", "size"),
        (f"o\n03\n{ROOT}\n", "size"),
        (f"o\n+3\n{ROOT}\n", "size"),
        (f"o\n-3\n{ROOT}\n", "size"),
        (f"o\n3 \n{ROOT}\n", "size"),
        (f"o\n0x3\n{ROOT}\n", "size"),
        (f"o\n\u0663\n{ROOT}\n", "size"),
        (f"o\n18446744073709551616\n{ROOT}\n", "size"),
        (f"o\n{'9' * 5000}\n{ROOT}\n", "size"),
        (f"o\n3\n{ROOT[:-1]}\n", "root, line 3: not base64"),
        ("o\n3\nAAAA\n", "3 bytes instead of 32"),
        ("o\n3\n\n", "0 bytes instead of 32"),
        (f"o\n3\n{ROOT} \n", "root, line 3: not base64"),
    ],
)
def test_a_malformed_checkpoint_is_refused(text, reason):
    with pytest.raises(Refused, match=reason) as caught:
        read_checkpoint(f"{text}\n{LINE}".encode(), "checkpoint")
    assert caught.value.level == "integrity"


@pytest.mark.parametrize(
    "checkpoint",
    [
        Checkpoint("", 3, bytes(32)),
        Checkpoint("two\nlines", 3, bytes(32)),
        Checkpoint("o\t", 3, bytes(32)),
        Checkpoint("o", -1, bytes(32)),
        Checkpoint("o", 2**64, bytes(32)),
        Checkpoint("o", 3, bytes(31)),
    ],
)
def test_a_checkpoint_that_could_not_be_read_is_not_written(checkpoint):
    with pytest.raises(ValueError, match="cannot be written"):
        checkpoint_body(checkpoint)


@pytest.mark.parametrize(
    "note",
    [
        Note("text\n", ()),
        Note("text", (signature("text"),)),
        Note("text\n", (NoteSignature("a b", bytes(4), bytes(64)),)),
        Note("text\n", (NoteSignature("a", bytes(5), bytes(63)),)),
        Note("text\n", (NoteSignature("a", bytes(4), b""),)),
        Note("te\rxt\n", (signature("te\rxt\n"),)),
    ],
)
def test_a_note_that_could_not_be_read_is_not_written(note):
    with pytest.raises(ValueError, match="cannot be written"):
        write_note(note)
