"""Dossiers for tests, well made and otherwise, written from the format page and not by the package's writer.

A `Writer` holds files and entries of the log as plain data. What a test changes before `seal` is sealed and
signed as if it were true, by whatever key the test gives: the work of somebody who can write and sign, but
not with the keys that are pinned. What it changes in the finished files is the work of somebody who can only
write.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hybrid_ai.audit.verification.canonical import encode

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
RESULT = "urn:hybrid-ai:result:v1"
SIGNATURE = "urn:hybrid-ai:signature:v1"
LOG = "0123456789abcdef" * 2
RUN = "fedcba9876543210" * 2
ASKED = {
    "arithmetic": "both",
    "timeout": 600,
    "memory": 2**31,
    "threads": 1,
    "seed": 0,
    "allow_vacuous": False,
}

Change = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, eq=False)
class Key:
    """A key pair."""

    private: Ed25519PrivateKey

    @property
    def public(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def name(self) -> str:
        return sha256(self.public)

    @property
    def pem(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def make_key(seed: int) -> Key:
    """The same key for the same seed, 0..255."""
    return Key(Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


AUTHOR, REVIEWER, STRANGER = make_key(1), make_key(2), make_key(3)


@dataclass(frozen=True)
class Source:
    """A result with its files."""

    model: bytes
    property: bytes
    evidence: bytes | None
    result: Mapping[str, Any]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def tree_root(leaves: list[bytes]) -> bytes:
    """The root of RFC 6962, section 2.1, as its definition reads."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    half = 1
    while 2 * half < len(leaves):
        half *= 2
    return hashlib.sha256(b"\1" + tree_root(leaves[:half]) + tree_root(leaves[half:])).digest()


def note(lines: list[bytes], key: Key, *, log: str = LOG, name: str | None = None) -> bytes:
    """A signed checkpoint over entries, without their line feeds."""
    root = base64.b64encode(tree_root(lines)).decode()
    text = f"hybrid-ai.log/{log}\n{len(lines)}\n{root}\n".encode()
    return sign_note(text, key, name=name)


def sign_note(text: bytes, key: Key, *, name: str | None = None) -> bytes:
    name = key.name if name is None else name
    hint = hashlib.sha256(name.encode() + b"\n\x01" + key.public).digest()[:4]
    line = base64.b64encode(hint + key.private.sign(text)).decode()
    return text + f"\n\u2014 {name} {line}\n".encode()


def envelope(payload: bytes, key: Key, *, keyid: str | None = None, kind: str = PAYLOAD_TYPE) -> bytes:
    signature = key.private.sign(b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload))
    signatures = [
        {"keyid": key.name if keyid is None else keyid, "sig": base64.b64encode(signature).decode()}
    ]
    content = {"payloadType": kind, "payload": base64.b64encode(payload).decode(), "signatures": signatures}
    return encode(content)


def statement(subjects: Mapping[str, str], kind: str, predicate: Mapping[str, Any]) -> bytes:
    listed = [{"name": name, "digest": {"sha256": digest}} for name, digest in subjects.items()]
    return encode({"_type": STATEMENT, "subject": listed, "predicateType": kind, "predicate": predicate})


@dataclass
class Writer:
    """A dossier in the making.

    Attributes:
        key: signs results and seals.
        kind: of the dossier.
        files: by path, but for what `finish` writes.
        entries: of the log.
        predicates: of the results.
        signers: by number of entries, who signs the checkpoint there.
        digest: the dossier's, once sealed.
    """

    key: Key = AUTHOR
    kind: str = "certification"
    log: str = LOG
    files: dict[str, bytes] = field(default_factory=dict)
    entries: list[dict[str, Any]] = field(default_factory=list)
    predicates: list[dict[str, Any]] = field(default_factory=list)
    signers: dict[int, Key] = field(default_factory=dict)
    digest: str = ""

    def __post_init__(self) -> None:
        opening = {"format": "hybrid-ai-trace", "version": 1, "log": self.log}
        self.entry("log/open", parameters=opening)

    def entry(self, action: str, **members: Any) -> int:
        """Append an entry; returns its number."""
        number = len(self.entries)
        time = f"2026-01-02T03:04:{number % 60:02}.{number % 1000:03}Z"
        self.entries.append({"sequence": number, "time": time, "run": RUN, "action": action, **members})
        return number

    def result(self, source: Source, *, change: Change | None = None, key: Key | None = None) -> str:
        """Add a result with its files; `change` may alter the predicate before it is signed.

        Returns:
            The path of its statement.
        """
        number = f"{len(self.predicates) + 1:04}"
        kind = "counterexample.json" if source.result["counterexample"] else "certificate"
        paths = {"model": f"models/{sha256(source.model)[:8]}.onnx"}
        paths["property"] = f"properties/{number}.vnnlib"
        self.files[paths["model"]] = source.model
        self.files[paths["property"]] = source.property
        outputs = []
        if source.evidence is not None:
            paths["evidence"] = f"evidence/{number}.{kind}"
            self.files[paths["evidence"]] = source.evidence
            outputs = [{"name": paths["evidence"], "sha256": sha256(source.evidence)}]
        inputs = [{"name": paths[name], "sha256": sha256(self.files[paths[name]])} for name in paths][:2]
        entry = self.entry("verify", inputs=inputs, outputs=outputs, verdict=source.result["verdict"])
        predicate = json.loads(json.dumps({**source.result, "evidence": None, **paths, "entry": entry}))
        predicate["parameters"] = dict(ASKED)
        if source.evidence is not None:
            described = {"path": paths["evidence"], "bytes": len(source.evidence)}
            described["sha256"] = sha256(source.evidence)
            if kind == "certificate":
                predicate["certificate"] = described
            else:
                predicate["counterexample"]["file"] = described
        if change is not None:
            change(predicate)
        self.predicates.append(predicate)
        path = f"evidence/{number}.dsse.json"
        subjects = {name: sha256(self.files[name]) for name in paths.values()}
        self.files[path] = envelope(statement(subjects, RESULT, predicate), key or self.key)
        return path

    def seal(self, *, change: Change | None = None) -> None:
        """Write `results.json` (unless it is there) and the manifest, and append the sealing entry."""
        if self.kind == "certification":
            content = {"format": "hybrid-ai-results", "version": 1, "results": self.predicates}
            if "results.json" not in self.files:
                self.files["results.json"] = encode(content)
        listed = [
            {"path": path, "bytes": len(data), "sha256": sha256(data)}
            for path, data in sorted(self.files.items())
        ]
        manifest: dict[str, Any] = {"format": "hybrid-ai-dossier", "version": 1, "kind": self.kind}
        manifest |= {"log": self.log, "files": listed}
        if change is not None:
            change(manifest)
        self.files["dossier.json"] = encode(manifest)
        self.digest = sha256(self.files["dossier.json"])
        self._sealing("dossier/seal", self.key, {"kind": self.kind})

    def attach(self, name: str, data: bytes, *, key: Key | None = None, number: int = 1) -> str:
        """Attach a file; returns its path."""
        path = f"attachments/{number:04}/{name}"
        self.files[path] = data
        outputs = [{"name": path, "sha256": sha256(data)}]
        parameters = {"original": name, "note": "a note"}
        self._sealing("dossier/attach", key or self.key, parameters, outputs=outputs)
        return path

    def sign(
        self, role: str, *, key: Key = REVIEWER, number: int = 1, change: Change | None = None, **said: Any
    ) -> str:
        """Sign in a role; `change` may alter the predicate. Returns the path of the envelope."""
        path = f"signatures/{number:04}-{role}.dsse.json"
        predicate: dict[str, Any] = {"role": role, "statement": "seen", "organisation": None, "name": None}
        predicate |= {"time": "2026-02-03T04:05:06.789Z", **said}
        if change is not None:
            change(predicate)
        payload = statement({"dossier.json": self.digest}, SIGNATURE, predicate)
        self.files[path] = envelope(payload, key)
        outputs = [{"name": path, "sha256": sha256(payload)}]
        self._sealing("dossier/sign", key, {"role": role}, outputs=outputs)
        return path

    def _sealing(self, action: str, key: Key, parameters: Mapping[str, Any], **members: Any) -> None:
        parameters = {**parameters, "key": key.name, "manifest": self.digest}
        self.signers[self.entry(action, parameters=parameters, **members) + 1] = key

    def lines(self) -> list[bytes]:
        """The entries as they are written, without line feeds."""
        return [encode(entry) for entry in self.entries]

    def finish(self) -> dict[str, bytes]:
        """All files by path: with the log, its checkpoints and the keys."""
        lines = self.lines()
        files = dict(self.files)
        files["trace/entries.jsonl"] = b"".join(line + b"\n" for line in lines)
        for size, key in self.signers.items():
            files[f"trace/checkpoints/{size:012}.note"] = note(lines[:size], key, log=self.log)
            files[f"keys/{key.name}.pem"] = key.pem
        return files


@cache
def demo_sources() -> tuple[Source, ...]:
    """The shipped example, verified once per session: two proved results, then a refuted one."""
    import hybrid_ai

    folder = Path(hybrid_ai.__file__).parent / "demo"
    names = ("braking_limit", "braking_envelope", "braking_short_runway")
    sources = []
    with TemporaryDirectory() as target:
        for name in names:
            model, claim, evidence = folder / "braking.onnx", folder / f"{name}.vnnlib", Path(target, name)
            result = hybrid_ai.verify(model, claim, certificate=evidence)
            files = (model.read_bytes(), claim.read_bytes(), evidence.read_bytes())
            sources.append(Source(*files, result.fields()))
    return tuple(sources)


def made_up_source(verdict: str = "proved", number: int = 0) -> Source:
    """A result that looks right in all that integrity is about; no checker would accept its evidence."""
    model, claim = b"a model", b"a property %d" % number
    hashes = hashlib.sha256(model).digest() + hashlib.sha256(claim).digest()
    result: dict[str, Any] = {
        "verdict": verdict,
        "arithmetics": {"real": verdict, "float32": verdict},
        "reason": None,
        "vacuous": False,
        "certificate": None,
        "counterexample": None,
        "checked_by": "fast 0.1.0",
        "seconds": {"search": 0.5, "check": 1e-7, "total": 1.0},
        "model_sha256": sha256(model),
        "property_sha256": sha256(claim),
        "version": "0.1.0",
    }
    evidence: bytes | None = None
    if verdict == "proved":
        evidence = b"HYBRAICE\x01\x03\x00" + hashes + b"body"
    if verdict == "refuted":
        point = {"x": ["1/3", "0.25"], "violates": {"real": True, "float32": True}}
        result["counterexample"] = {**point, "file": None}
        content = {"x": point["x"], "arithmetic": point["violates"]}
        content |= {"model_sha256": sha256(model), "property_sha256": sha256(claim)}
        evidence = json.dumps(content, indent=1).encode()
    return Source(model, claim, evidence, result)


def made_up_writer(key: Key = AUTHOR) -> Writer:
    """A certification of three made-up results and a text, to be sealed: for everything but proof."""
    writer = Writer(key)
    for number, verdict in enumerate(("proved", "refuted", "unknown")):
        writer.result(made_up_source(verdict, number))
    writer.files["README.md"] = b"# read me\n"
    return writer


def demo_writer(key: Key = AUTHOR) -> Writer:
    """A certification of the shipped example, to be sealed."""
    writer = Writer(key)
    for source in demo_sources():
        writer.result(source)
    writer.files["README.md"] = b"# read me\n"
    return writer


def write_folder(files: Mapping[str, bytes], root: Path) -> Path:
    """Write files below a folder that is there or not yet."""
    root.mkdir(parents=True, exist_ok=True)
    for path, data in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return root


def write_zip(files: Mapping[str, bytes], path: Path, method: int = zipfile.ZIP_DEFLATED) -> Path:
    """Write files as a zip."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path
