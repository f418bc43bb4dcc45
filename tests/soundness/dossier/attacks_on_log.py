"""Attacks on the log: by somebody without a key, by strangers with one, by signers who rewrite the past."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

from hybrid_ai.audit.verification.canonical import encode
from tests.audit_builder import AUTHOR, REVIEWER, STRANGER, Key, note, sha256, tree_root
from tests.soundness.dossier.attacks import Asked, Attack
from tests.soundness.dossier.copies import (
    ATTACHED,
    ENTRIES,
    SIGNED,
    STATEMENTS,
    Copy,
    Maker,
    checkpoint,
    files_of,
    key_file,
)

Lines = list[bytes]
ROOT = "its root is not that of the first"
NUMBER = "entries are missing or moved"
INVALID = "the signature of the key .* is not valid"


def relined(change: Callable[[Lines], object]) -> Callable[[Copy], None]:
    def act(copy: Copy) -> None:
        lines = copy.lines()
        change(lines)
        copy.write_lines(lines)

    return act


def renumbered(change: Callable[[Lines], object]) -> Callable[[Copy], None]:
    """Entries are changed and numbered anew, the checkpoints left."""

    def change_all(lines: Lines) -> None:
        change(lines)
        for number, line in enumerate(lines):
            lines[number] = encode({**json.loads(line), "sequence": number})

    return relined(change_all)


def exchange(lines: Lines, one: int, other: int) -> None:
    lines[one], lines[other] = lines[other], lines[one]


def edited_entry(line: bytes) -> bytes:
    return line.replace(b'"verdict":"refuted"', b'"verdict":"unknown"')


def edit_result(lines: Lines) -> None:
    lines[4] = edited_entry(lines[4])


def recomputed(sign: Callable[[Copy, int, Lines], bytes]) -> Callable[[Copy], None]:
    """An entry is edited, and every checkpoint written anew by `sign`."""

    def act(copy: Copy) -> None:
        relined(edit_result)(copy)
        for size in (6, 7, 8):
            copy.write(checkpoint(size), sign(copy, size, copy.lines()[:size]))

    return act


def without_key(copy: Copy, size: int, lines: Lines) -> bytes:
    """The right root, and the signature that was there."""
    old = copy.read(checkpoint(size)).split(b"\n")
    return b"\n".join([*old[:2], base64.b64encode(tree_root(lines)), *old[3:]])


def under_the_reviewer(copy: Copy, size: int, lines: Lines) -> bytes:
    """The author signs anew, the reviewer does not."""
    return copy.read(checkpoint(8)) if size == 8 else note(lines, AUTHOR, log=log_id(copy))


def log_id(copy: Copy) -> str:
    return str(json.loads(copy.lines()[0])["parameters"]["log"])


def by_stranger(copy: Copy, size: int, lines: Lines) -> bytes:
    return note(lines, STRANGER, log=log_id(copy))


def in_the_name_of(copy: Copy, size: int, lines: Lines) -> bytes:
    name = AUTHOR.name if size < 8 else REVIEWER.name
    return note(lines, STRANGER, log=log_id(copy), name=name)


def checkpoint_by(size: int, key: Key, *, log: str = "", to: int = 0) -> Callable[[Copy], None]:
    """A checkpoint that a signer really made, but for another log, or of another size."""

    def act(copy: Copy) -> None:
        copy.write(checkpoint(to or size), note(copy.lines()[:size], key, log=log or log_id(copy)))

    return act


def two_signatures(copy: Copy) -> None:
    data = note(copy.lines()[:6], STRANGER, log=log_id(copy))
    copy.write(checkpoint(6), copy.read(checkpoint(6)) + data.split(b"\n\n")[1])


def removed(*paths: str) -> Callable[[Copy], None]:
    def act(copy: Copy) -> None:
        for path in paths:
            copy.remove(path)

    return act


def torn(copy: Copy) -> None:
    copy.write(ENTRIES, copy.read(ENTRIES)[:-20])


def cut(count: int) -> Callable[[Copy], None]:
    return relined(lambda lines: lines.__delitem__(slice(-count, None)))


def endless(line: bytes) -> Callable[[Copy], None]:
    """Two million lines."""
    return lambda copy: copy.write(ENTRIES, copy.read(ENTRIES) + (line + b"\n") * 2_000_000)


def row(name: str, act: Callable[[Copy], None], where: str, reason: str) -> Attack:
    return Attack(name, act, "integrity", where, reason)


def entry(number: int) -> str:
    return f"{ENTRIES}: entry {number}(: .*)?"


# ---- without a key ----

ON_THE_LOG = (
    row("the first entry is deleted", relined(lambda lines: lines.pop(0)), entry(0), NUMBER),
    row("an entry is deleted", relined(lambda lines: lines.pop(3)), entry(3), NUMBER),
    row("the last entry is deleted", cut(1), checkpoint(8), "no sealing entry at its size"),
    row("the last two are deleted", cut(2), checkpoint(7), "no sealing entry at its size"),
    row("the seal is deleted as well", cut(3), entry(4), "ends the log, but is not signed"),
    row("an entry is deleted, numbers mended", renumbered(lambda lines: lines.pop(3)), checkpoint(5), "miss"),
    row("entries change places", relined(lambda lines: exchange(lines, 3, 4)), entry(3), NUMBER),
    row("they do, numbers mended", renumbered(lambda lines: exchange(lines, 3, 4)), checkpoint(6), ROOT),
    row("additions change places", renumbered(lambda lines: exchange(lines, 6, 7)), checkpoint(7), ROOT),
    row("an addition before the seal", renumbered(lambda lines: exchange(lines, 5, 6)), entry(5), "one seal"),
    row("an entry is there twice", relined(lambda lines: lines.insert(3, lines[3])), entry(4), NUMBER),
    row("the seal twice", renumbered(lambda lines: lines.insert(6, lines[5])), entry(6), "one seal"),
    row(
        "the first entry twice", renumbered(lambda lines: lines.insert(1, lines[0])), entry(1), "second time"
    ),
    row("another entry at the end", renumbered(lambda lines: lines.append(lines[2])), entry(8), "not signed"),
    row("the last line is torn", torn, entry(7), "has no line feed"),
    row("an empty line", relined(lambda lines: lines.insert(3, b"")), entry(3), "not strict JSON"),
    row("Windows lines", relined(lambda lines: exchange_feeds(lines)), entry(0), "canonical"),
    row("the log is empty", lambda copy: copy.write(ENTRIES, b""), ENTRIES, "is empty"),
    row("an entry is edited", relined(edit_result), checkpoint(6), ROOT),
    row("an entry is edited and the root mended", recomputed(without_key), checkpoint(6), INVALID),
    row(
        "mended and signed by a stranger", recomputed(by_stranger), checkpoint(6), "must be signed by the key"
    ),
    row("mended by a stranger in their names", recomputed(in_the_name_of), checkpoint(6), "signed by|valid"),
    row("the author mends it under the reviewer", recomputed(under_the_reviewer), checkpoint(8), ROOT),
    row("a checkpoint is removed", removed(checkpoint(7)), checkpoint(7), "is missing"),
    row("a checkpoint of another size", checkpoint_by(6, AUTHOR, to=7), checkpoint(7), "counts 6 entries"),
    row("a checkpoint of another log", checkpoint_by(6, AUTHOR, log="0" * 32), checkpoint(6), "the log is"),
    row("a checkpoint by another signer", checkpoint_by(6, REVIEWER), checkpoint(6), "must be signed by"),
    row("a checkpoint by two", two_signatures, checkpoint(6), "and no other"),
    row("a checkpoint in the middle", checkpoint_by(4, AUTHOR), checkpoint(4), "no sealing entry"),
    row("two million empty lines more", endless(b""), entry(8), "not strict JSON"),
    row("two million entries more", endless(b'{"sequence":8}'), entry(8), "lacks"),
    row("a line without end", lambda copy: copy.write(ENTRIES, b"{" * (1 << 21)), entry(0), "cut off"),
)


def exchange_feeds(lines: Lines) -> None:
    lines[:] = [line + b"\r" for line in lines]


# ---- strangers with a key ----


def anew(
    key: Key, second: Key, change: Callable[[Maker], object] = lambda maker: None
) -> Callable[[Copy], None]:
    """The whole dossier made anew, with the same additions."""

    def act(copy: Copy) -> None:
        attached = copy.read(ATTACHED)
        maker = copy.maker(key)
        change(maker)
        writer = maker.sealed()
        writer.attach("flight.txt", attached)
        writer.sign("reviewer", key=second, organisation="Example", name="R.")
        copy.replace(writer.finish())

    return act


def left_out(maker: Maker) -> None:
    """The refuted result goes, with its files and its entry."""
    evidence, claim = maker.results[2]["evidence"], maker.results[2]["property"]
    del maker.results[2], maker.entries[4], maker.files[evidence], maker.files[claim]


def keeps_the_authors_key(copy: Copy) -> None:
    anew(STRANGER, STRANGER)(copy)
    copy.write(key_file(AUTHOR), AUTHOR.pem)


def keeps_the_authors_statements(copy: Copy) -> None:
    maker = copy.maker(STRANGER)
    for path in STATEMENTS:
        kept = copy.read(path)
        maker.envelopes[path] = lambda _, kept=kept: kept  # type: ignore[misc]
    copy.replace(maker.sealed().finish())


def keeps_the_authors_seal(copy: Copy) -> None:
    """The author's log up to the seal stays; the files are others."""
    copy.edit("README.md", b"refuted", b"proved ")
    listed = {"sha256": sha256(copy.read("README.md"))}
    manifest = json.loads(copy.read("dossier.json"))
    for file in manifest["files"]:
        file |= listed if file["path"] == "README.md" else {}
    copy.write("dossier.json", encode(manifest))


def adds(by: Key, role: str) -> Callable[[Copy], None]:
    """Somebody adds to the real dossier, as the page says it is to be done."""

    def act(copy: Copy) -> None:
        writer = copy.maker().writer
        writer.entries = [json.loads(line) for line in copy.lines()]
        writer.digest = sha256(copy.read("dossier.json"))
        if role:
            path = writer.sign(role, key=by, number=2, name="The author", organisation="Example")
        else:
            path = writer.attach("more.txt", b"more", key=by, number=2)
        files = writer.finish()
        for new in (path, ENTRIES, checkpoint(9), key_file(by)):
            copy.write(new, files[new])

    return act


def outside(name: str, act: Callable[[Copy], None], where: str, reason: str, *, refused: bool) -> Attack:
    return Attack(name, act, "authenticity", where, reason, refused)


BY_STRANGERS = (
    outside(
        "a stranger makes all anew", anew(STRANGER, STRANGER), entry(5), "none of the pinned", refused=True
    ),
    outside(
        "a stranger leaves out what was refuted",
        anew(STRANGER, STRANGER, left_out),
        entry(4),
        "none of the pinned keys: another dossier",
        refused=True,
    ),
    outside(
        "a stranger makes it anew, a pinned key signs as reviewer",
        anew(STRANGER, REVIEWER),
        entry(5),
        "none of the pinned",
        refused=True,
    ),
    outside("a stranger attaches", adds(STRANGER, ""), "authenticity", "0002/more.txt by", refused=False),
    outside(
        "a stranger approves", adds(STRANGER, "approver"), "authenticity", "0002-approver", refused=False
    ),
    row("the author's key is left beside", keeps_the_authors_key, key_file(AUTHOR), "signed nothing"),
    row("the author's statements are kept", keeps_the_authors_statements, STATEMENTS[0], "must be signed by"),
    row("the author's seal is kept", keeps_the_authors_seal, entry(5), "over another dossier.json"),
)


# ---- the past rewritten ----


def stripped(copy: Copy) -> None:
    """The last addition is taken off with all its traces: no key is needed."""
    cut(1)(copy)
    for path in (checkpoint(8), SIGNED, key_file(REVIEWER)):
        copy.remove(path)


def other_signature(copy: Copy) -> None:
    """The reviewer takes the signature back, and signs something else."""
    stripped(copy)
    writer = copy.maker().writer
    writer.entries = [json.loads(line) for line in copy.lines()]
    writer.digest = sha256(copy.read("dossier.json"))
    path = writer.sign("reviewer", statement="with reservations")
    files = writer.finish()
    for new in (path, ENTRIES, checkpoint(8), key_file(REVIEWER)):
        copy.write(new, files[new])


def other_order(copy: Copy) -> None:
    """Author and reviewer agree that the signature came first."""
    attached = copy.read(ATTACHED)
    writer = copy.maker().sealed()
    writer.sign("reviewer")
    writer.attach("flight.txt", attached)
    copy.replace(writer.finish())


def earlier_time(maker: Maker) -> None:
    maker.entries[4]["time"] = "2020-01-01T00:00:00.000Z"


def other_log(maker: Maker) -> None:
    maker.writer.log = "0" * 32
    maker.entries[0]["parameters"]["log"] = "0" * 32


def past(name: str, act: Callable[[Copy], None], reason: str) -> Attack:
    level: Asked = "since"
    return Attack(name, act, level, "kept.note", reason)


PAST = (
    past("an older copy of all", lambda copy: copy.replace(files_of(copy.earlier)), "has 6: it was cut"),
    past("the last addition is stripped off", stripped, "has 7: it was cut"),
    past("a signature is exchanged for another", other_signature, ROOT),
    past("additions change places, signed again", other_order, ROOT),
    past("the author leaves out what was refuted", anew(AUTHOR, REVIEWER, left_out), "has 7: it was cut"),
    past("the author dates a result back", anew(AUTHOR, REVIEWER, earlier_time), ROOT),
    past("the author begins another log", anew(AUTHOR, REVIEWER, other_log), "the log is"),
    past("another pinned key makes all anew", anew(REVIEWER, REVIEWER), ROOT),
)
LOG_ROWS = (*ON_THE_LOG, *BY_STRANGERS, *PAST)
