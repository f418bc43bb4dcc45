"""Attacks by somebody without a key on the folder itself: names, links, sizes, keys."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

from tests.audit_builder import AUTHOR, REVIEWER, STRANGER
from tests.soundness.dossier.attacks import Attack
from tests.soundness.dossier.copies import (
    ATTACHED,
    ENTRIES,
    EVIDENCE,
    MODEL,
    SIGNED,
    STATEMENTS,
    Copy,
    checkpoint,
    key_file,
)

UNLISTED = "neither the manifest nor the log names it"
NAME = "no name for a file of a dossier"
SPECIAL = "is a link or a special file"
AUTHOR_FILE, REVIEWER_FILE = key_file(AUTHOR), key_file(REVIEWER)


def added(path: str, data: bytes = b"x") -> Callable[[Copy], None]:
    return lambda copy: copy.write(path, data)


def moved(path: str, target: str) -> Callable[[Copy], None]:
    return lambda copy: copy.move(path, target)


def appended(path: str, data: bytes) -> Callable[[Copy], None]:
    return lambda copy: copy.write(path, copy.read(path) + data)


def linked(copy: Copy) -> None:
    copy.move(MODEL, "../model")
    (copy.root / MODEL).symlink_to("../../model")


def hanging_link(copy: Copy) -> None:
    (copy.root / "models/other.onnx").symlink_to("/nowhere")


def linked_folder(copy: Copy) -> None:
    copy.move("evidence", "../elsewhere")
    (copy.root / "evidence").symlink_to("../elsewhere")


def link_to_itself(copy: Copy) -> None:
    (copy.root / "models/more").symlink_to(".")


def pipe(copy: Copy) -> None:
    os.mkfifo(copy.root / "models/pipe")


def pipe_for_the_log(copy: Copy) -> None:
    copy.remove(ENTRIES)
    os.mkfifo(copy.root / ENTRIES)


def unix_socket(copy: Copy) -> None:
    here = os.getcwd()
    os.chdir(copy.root)  # the whole path may be too long for a socket's address
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("socket")
    finally:
        os.chdir(here)


def folder_for_a_file(copy: Copy) -> None:
    copy.remove("README.md")
    copy.write("README.md/README.md", b"x")


def deep(copy: Copy) -> None:
    (copy.root / "/".join("d" * 20)).mkdir(parents=True)


def swollen(path: str, size: int) -> Callable[[Copy], None]:
    return lambda copy: os.truncate(copy.root / path, size)


def swapped(one: str, other: str) -> Callable[[Copy], None]:
    def act(copy: Copy) -> None:
        first, second = copy.read(one), copy.read(other)
        copy.write(one, second)
        copy.write(other, first)

    return act


def key_in_windows_lines(copy: Copy) -> None:
    copy.write(AUTHOR_FILE, copy.read(AUTHOR_FILE).replace(b"\n", b"\r\n"))


def cut(path: str) -> Callable[[Copy], None]:
    return lambda copy: copy.write(path, copy.read(path)[:-1])


def emptied(path: str) -> Callable[[Copy], None]:
    return lambda copy: copy.write(path, b"")


def row(name: str, act: Callable[[Copy], None], where: str, reason: str) -> Attack:
    return Attack(name, act, "integrity", where, reason)


ON_FILES = (
    row("a file is added", added("models/other.onnx"), "models/other.onnx", UNLISTED),
    row("an empty file is added", added("extra", b""), "extra", UNLISTED),
    row("a certificate without a result is added", added("evidence/0004.certificate"), ".*0004.*", UNLISTED),
    row("a file is attached without an entry", added("attachments/0002/a"), "attachments/0002/a", UNLISTED),
    row("a signature without an entry", added("signatures/0002-author.dsse.json"), ".*0002-.*", UNLISTED),
    row("another log beside the log", added("trace/other.jsonl"), "trace/other.jsonl", UNLISTED),
    row("a checkpoint nobody asked for", added("trace/checkpoints/x"), ".*/x", "no sealing entry"),
    row("a dot file", added(".hidden"), r"\.hidden", NAME),
    row("a dot file below", added("models/.DS_Store"), r"models/\.DS_Store", NAME),
    row("a dot at the end of a name", added("README.md."), r"README\.md\.", NAME),
    row("a space in a name", added("READ ME.md"), "READ ME.md", NAME),
    row("a line feed in a name", added("README.md\nproof: established"), "(?s)README.*", NAME),
    row("a terminal command in a name", added("README\x1b[2J"), "README.*", NAME),
    row("a backslash in a name", added("models\\braking.onnx"), r"models\\braking.onnx", NAME),
    row("a Cyrillic letter in a name", added("m\u043edels/braking.onnx"), "m\u043edels/.*", NAME),
    row("a combining mark in a name", added("re\u0301sults.json"), "re\u0301.*", NAME),
    row("a zero-width sign in a name", added("results\u200b.json"), "results\u200b.*", NAME),
    row("full-width letters in a name", added("\uff52esults.json"), "\uff52.*", NAME),
    row("a surrogate escape in a name", added("a\udcff"), "a.*", NAME),
    row("a file in another case beside", added("Results.JSON"), "(?i)results.json", "letters' case"),
    row("a folder in another case beside", added("Models/a"), "(?i)models/.*", "another case"),
    row("a file is renamed by case", moved("README.md", "Readme.md"), "README.md", "is missing"),
    row(
        "the key is renamed by case",
        moved(AUTHOR_FILE, f"keys/{AUTHOR.name.upper()}.pem"),
        AUTHOR_FILE,
        "miss",
    ),
    row("a statement is renumbered", moved(STATEMENTS[0], "evidence/0009.dsse.json"), ".*0001.*", "missing"),
    row("an interrupted addition is left", added("pending/attachments/0002/a"), "pending/.*", "interrupted"),
    row(
        "an empty pending checkpoint", added("pending/trace/checkpoints/x", b""), "pending/.*", "interrupted"
    ),
    row("a file becomes a link to its copy", linked, MODEL, SPECIAL),
    row("a link to nowhere", hanging_link, "models/other.onnx", SPECIAL),
    row("a folder becomes a link", linked_folder, "evidence", SPECIAL),
    row("a link to its own folder", link_to_itself, "models/more", SPECIAL),
    row("a named pipe", pipe, "models/pipe", SPECIAL),
    row("a named pipe for the log", pipe_for_the_log, ENTRIES, SPECIAL),
    row("a socket", unix_socket, "socket", SPECIAL),
    row("a folder in place of a file", folder_for_a_file, "README.md", "is missing"),
    row("folders without end", deep, "(d/)+", "too deep"),
    row("a sparse file beyond the limit", swollen("README.md", 2**31 + 1), "README.md", "at most 2147483648"),
    row("sparse files beyond the sum", lambda copy: many_sparse(copy), "dossier", "more than"),
    row("a manifest too large to read", swollen("dossier.json", 2**28 + 1), "dossier.json", "at most"),
    row("a checkpoint too large to read", swollen(checkpoint(6), 2**16 + 1), checkpoint(6), "at most"),
    row("a key too large to read", swollen(AUTHOR_FILE, 2**20 + 1), AUTHOR_FILE, "at most"),
    row("zeros appended", swollen(EVIDENCE[0], 5000), EVIDENCE[0], "5000 bytes instead of"),
    row("a file is emptied", emptied(MODEL), MODEL, "has 0 bytes"),
    row("an attached file is emptied", emptied(ATTACHED), ATTACHED, "SHA-256 is not that of .*entry 6"),
    row("the manifest is emptied", emptied("dossier.json"), "dossier.json", "not strict JSON"),
    row("the last byte of a file is cut off", cut(STATEMENTS[1]), STATEMENTS[1], "bytes instead of"),
    row("two files are exchanged", swapped(STATEMENTS[0], STATEMENTS[1]), STATEMENTS[0], "bytes instead of"),
    row("two keys are exchanged", swapped(AUTHOR_FILE, REVIEWER_FILE), AUTHOR_FILE, "holds the key"),
    row("other bytes in the key's file", added(AUTHOR_FILE, STRANGER.pem), AUTHOR_FILE, "holds the key"),
    row("text after the key", appended(AUTHOR_FILE, b"hello\n"), AUTHOR_FILE, "nothing else"),
    row("a second key in the file", appended(AUTHOR_FILE, STRANGER.pem), AUTHOR_FILE, "nothing else"),
    row("the key in Windows lines", key_in_windows_lines, AUTHOR_FILE, "nothing else"),
    row(
        "a key that signed nothing", added(key_file(STRANGER), STRANGER.pem), ".*", "key that signed nothing"
    ),
    row("a key in a folder", added("keys/more/a.pem", STRANGER.pem), "keys/more/a.pem", "signed nothing"),
    row("the file of a signature is emptied", emptied(SIGNED), SIGNED, "not strict JSON"),
    row("verify.py is edited", appended("verify.py", b"pass\n"), "verify.py", "bytes instead of"),
)


def many_sparse(copy: Copy) -> None:
    for number in range(17):
        copy.write(f"attachments/{number:04}/sparse", b"")
        os.truncate(copy.root / f"attachments/{number:04}/sparse", 2**31)
