"""A dossier under attack: a copy that anybody may write to, and one that its maker makes anew."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.audit_builder import AUTHOR, RESULT, Key, Writer, envelope, sha256, statement, write_folder

ENTRIES = "trace/entries.jsonl"
SIGNED = "signatures/0001-reviewer.dsse.json"
ATTACHED = "attachments/0001/flight.txt"
MODEL = "models/braking.onnx"
PROPERTIES = tuple(f"properties/braking_{name}.vnnlib" for name in ("limit", "envelope", "short_runway"))
EVIDENCE = tuple(
    f"evidence/000{name}" for name in ("1.certificate", "2.certificate", "3.counterexample.json")
)
STATEMENTS = tuple(f"evidence/000{number}.dsse.json" for number in (1, 2, 3))
# Entries of the log: 0 opens it, 1 starts, 2 to 4 are the results, 5 seals, 6 attaches, 7 signs.
SEAL = 5


def checkpoint(size: int) -> str:
    return f"trace/checkpoints/{size:012}.note"


def key_file(key: Key) -> str:
    return f"keys/{key.name}.pem"


def files_of(root: Path) -> dict[str, bytes]:
    found = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


@dataclass(frozen=True)
class Copy:
    """A copy of the real dossier.

    Attributes:
        root: the copy.
        earlier: the real one as it was before anything was attached or signed; not to be written to.
    """

    root: Path
    earlier: Path

    def read(self, path: str) -> bytes:
        return (self.root / path).read_bytes()

    def write(self, path: str, data: bytes) -> None:
        write_folder({path: data}, self.root)

    def edit(self, path: str, old: bytes, new: bytes) -> None:
        data = self.read(path)
        assert old in data and old != new
        self.write(path, data.replace(old, new, 1))

    def remove(self, path: str) -> None:
        (self.root / path).unlink()

    def move(self, path: str, target: str) -> None:
        (self.root / target).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).rename(self.root / target)

    def lines(self) -> list[bytes]:
        """The entries, without line feeds."""
        return self.read(ENTRIES).splitlines()

    def write_lines(self, lines: list[bytes]) -> None:
        self.write(ENTRIES, b"".join(line + b"\n" for line in lines))

    def replace(self, files: dict[str, bytes]) -> None:
        """Put other files in place of all."""
        shutil.rmtree(self.root)
        write_folder(files, self.root)

    def maker(self, key: Key = AUTHOR) -> Maker:
        return Maker.of(self.root, key)


@dataclass
class Maker:
    """Who holds a key and makes the dossier anew: all hashes and signatures fit what is changed here.

    Attributes:
        writer: with the entries up to the seal and all files but manifest, statements and results.
        envelopes: what happens to the envelope of a statement once it is signed, by path.
        payload: what happens to the first statement's payload before it is signed.
    """

    writer: Writer
    envelopes: dict[str, Callable[[bytes], bytes]] = field(default_factory=dict)
    payload: Callable[[bytes], bytes] = lambda data: data

    @classmethod
    def of(cls, root: Path, key: Key) -> Maker:
        files = files_of(root)
        entries = [json.loads(line) for line in files[ENTRIES].splitlines()]
        content = json.loads(files["results.json"])
        made = (*STATEMENTS, "dossier.json", "results.json", ATTACHED, SIGNED)
        kept = {
            path: data
            for path, data in files.items()
            if path not in made and not path.startswith(("trace/", "keys/"))
        }
        writer = Writer(key, log=entries[0]["parameters"]["log"])
        writer.files, writer.entries, writer.predicates = kept, entries[:SEAL], content["results"]
        return cls(writer)

    @property
    def results(self) -> list[dict[str, Any]]:
        return self.writer.predicates

    @property
    def files(self) -> dict[str, bytes]:
        return self.writer.files

    @property
    def entries(self) -> list[dict[str, Any]]:
        return self.writer.entries

    def change(self, path: str, data: bytes) -> None:
        """Change a file, and its hash wherever it stands: in results, entries and evidence."""
        old, new = sha256(self.files[path]), sha256(data)
        assert old != new
        self.files[path] = data
        for name in ("entries", "predicates"):
            text = json.dumps(getattr(self.writer, name)).replace(old, new)
            setattr(self.writer, name, json.loads(text))
        for result in self.results:
            for described in (result["certificate"], (result["counterexample"] or {}).get("file")):
                if described is not None and described["path"] == path:
                    described["bytes"] = len(data)
        for other in [other for other in self.files if other.startswith("evidence/")]:
            found = self.files[other].replace(bytes.fromhex(old), bytes.fromhex(new))
            found = found.replace(old.encode(), new.encode())
            if found != self.files[other]:
                self.change(other, found)

    def certify(self, number: int, body: bytes, arithmetic: int | None = None) -> None:
        """Give a result (1, 2) the content of another certificate, under its own model and property."""
        path = EVIDENCE[number - 1]
        header = self.files[path][:75]
        if arithmetic is not None:
            header = header[:9] + bytes([arithmetic]) + header[10:]
        self.change(path, header + body)

    def sealed(self) -> Writer:
        """Sign statements and seal; attachments and signatures can follow."""
        for number, result in enumerate(self.results):
            path = STATEMENTS[number]
            names = [result[name] for name in ("model", "property", "evidence") if result[name]]
            subjects = {name: sha256(self.files.get(name, b"")) for name in names}
            content = statement(subjects, RESULT, result)
            signed = envelope(content if number else self.payload(content), self.writer.key)
            self.files[path] = self.envelopes[path](signed) if path in self.envelopes else signed
        self.writer.seal()
        return self.writer
