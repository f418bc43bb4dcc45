"""Results: what was verified with which verdict, and the evidence file that each verdict stands on."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from types import UnionType
from typing import Any, BinaryIO, Literal

from hybrid_ai.audit.verification.canonical import decode, encode
from hybrid_ai.audit.verification.container import Container
from hybrid_ai.audit.verification.fields import as_object, as_text
from hybrid_ai.audit.verification.log import Log
from hybrid_ai.audit.verification.manifest import ListedFile, Manifest
from hybrid_ai.audit.verification.rejected import Refused
from hybrid_ai.audit.verification.signing import STATEMENT_LIMIT, read_signed
from hybrid_ai.audit.verification.statement import Statement

RESULT_TYPE = "urn:hybrid-ai:result:v1"
RESULTS = "results.json"
RESULTS_FORMAT, RESULTS_VERSION = "hybrid-ai-results", 1
RESULTS_LIMIT = 1 << 28
# What a statement says besides the predicate: three paths and SHA-256, a signature.
STATEMENT_ROOM = 1 << 13
# A statement with a small defect is named by its own.
STATEMENTS_SLACK = 1 << 20
LONGEST_TIMEOUT = 1e8
ARITHMETICS = ("real", "float32")

EvidenceKind = Literal["certificate", "counterexample"]

_VERDICTS = ("proved", "refuted", "unknown")
_STATEMENT_NAME = re.compile(r"evidence/([0-9]{4})[.]dsse[.]json")
# Further members are informative: what `verify --json` prints grows with versions.
_USED = frozenset(
    {"verdict", "arithmetics", "vacuous", "certificate", "counterexample", "model_sha256", "property_sha256"}
    | {"model", "property", "evidence", "entry", "parameters"}
)
_ASKED = frozenset({"arithmetic", "timeout", "memory", "threads", "seed", "allow_vacuous"})
_FILE_MEMBERS = frozenset({"path", "sha256", "bytes"})
# docs/formats/certificate.md, section 7: magic, version, arithmetic, flags, SHA-256 of model and property.
_HEADER_BYTES = 75
_MAGIC = b"HYBRAICE"
_COVERED = {1: frozenset({"real"}), 2: frozenset({"float32"}), 3: frozenset(ARITHMETICS)}


@dataclass(frozen=True)
class Claim:
    """A result.

    Attributes:
        where: path of its statement.
        verdict: "proved", "refuted" or "unknown".
        proved, refuted: the arithmetics, of "real" and "float32", that it calls so.
        vacuous: whether it calls the input set empty.
        model, property: paths.
        evidence: path, or None.
        kind: of the evidence, or None.
    """

    where: str
    verdict: str
    proved: frozenset[str]
    refuted: frozenset[str]
    vacuous: bool
    model: str
    property: str
    evidence: str | None
    kind: EvidenceKind | None


def read_claims(
    container: Container, manifest: Manifest, log: Log, sealed: int, key: str, keys: Mapping[str, bytes]
) -> tuple[Claim, ...]:
    """Read all results of a dossier of the kind "certification".

    Args:
        container: its files, which are those of the manifest.
        manifest: its manifest.
        log: its log.
        sealed: number of the entry that seals it.
        key: id of the key that sealed it, which must have signed the results.
        keys: public keys by key id.

    Returns:
        The results, in the order of their files.

    Raises:
        Refused: "integrity", for a statement that is malformed, not signed by that key, contradicts a file,
            an entry of the log or itself, or for a `results.json` that says anything else.
        OSError: when a file cannot be read.

    Sound because: every verdict is tied to SHA-256 of the very model, property and evidence that lie in the
    dossier; whether the evidence shows it, the checker says.
    """
    claims = []
    entries: set[int] = set()
    paths = [path for path in manifest.files if _STATEMENT_NAME.fullmatch(path)]
    _require_modest(container, manifest, paths)
    with container.stream(RESULTS) as stream:
        results = _ResultsFile(stream)
        for path in paths:
            statement, _ = read_signed(container, path, key, keys, sha256=manifest.files[path].sha256)
            if statement.predicate_type != RESULT_TYPE:
                raise Refused("integrity", path, f"is no result: its predicateType is not {RESULT_TYPE}")
            claim = _read_claim(statement, path, manifest)
            _require_fitting_file(container, manifest, claim, statement.predicate)
            entries.add(_require_entry(statement.predicate, claim, log, sealed, manifest))
            claims.append(claim)
            if len(entries) != len(claims):
                raise Refused("integrity", path, "names the same entry of the log as an earlier result")
            results.require_next(statement.predicate)
        results.require_end()
    _require_no_other_evidence(manifest, claims)
    return tuple(claims)


def _require_modest(container: Container, manifest: Manifest, paths: list[str]) -> None:
    """Raise Refused where the statements, in base64, hold more than `results.json` has room for."""
    size = container.size(RESULTS)
    if size > RESULTS_LIMIT:
        raise Refused("integrity", RESULTS, f"has {size} bytes; at most {RESULTS_LIMIT} are read")
    total = sum(manifest.files[path].size for path in paths)
    if 3 * total > 4 * (size + STATEMENT_ROOM * len(paths) + STATEMENTS_SLACK):
        raise Refused("integrity", RESULTS, "is too small to hold the results of the signed statements")


class _ResultsFile:
    """`results.json`, compared with one predicate after the other, so that none has to be kept."""

    def __init__(self, stream: BinaryIO) -> None:
        content = {"format": RESULTS_FORMAT, "version": RESULTS_VERSION, "results": []}
        head, _, self._tail = encode(content).partition(b"[]")
        self._before = head + b"["
        self._first = True
        self._stream = stream

    def require_next(self, predicate: Mapping[str, object]) -> None:
        """Raise Refused unless the next result in the file is this one."""
        try:
            text = encode([[predicate]])[2:-2]  # as deep as in the file
        except ValueError as error:  # in the file a predicate is nested deeper than in its statement
            reason = f"cannot hold the results of the statements: {error}"
            raise Refused("integrity", RESULTS, reason) from error
        self._require((self._before if self._first else b",") + text)
        self._first = False

    def require_end(self) -> None:
        """Raise Refused unless the file ends here."""
        self._require((self._before if self._first else b"") + b"]" + self._tail, 1)

    def _require(self, text: bytes, more: int = 0) -> None:
        if self._stream.read(len(text) + more) != text:
            raise Refused("integrity", RESULTS, "does not hold exactly the results of the signed statements")


def _read_claim(statement: Statement, where: str, manifest: Manifest) -> Claim:
    fields, place = statement.predicate, f"{where}: predicate"
    missing = sorted(_USED - fields.keys())
    if missing:
        raise Refused("integrity", place, f"lacks {', '.join(missing)}")
    _require_sensible(fields, place)
    verdict, arithmetics = _read_verdicts(fields, place)
    vacuous = fields["vacuous"]
    if not isinstance(vacuous, bool) or (vacuous and "proved" not in arithmetics.values()):
        raise Refused("integrity", f"{place}: vacuous", "must be a truth value, true only of what is proved")
    model, claim = (as_text(fields[name], f"{place}: {name}") for name in ("model", "property"))
    evidence, kind = _read_evidence(fields, where)
    paths = [model, claim] + ([evidence] if evidence is not None else [])
    expected = [(path, _listed(manifest, path, where).sha256) for path in paths]
    if [(subject.name, subject.sha256) for subject in statement.subjects] != expected:
        raise Refused("integrity", where, "its subjects are not the files it is about")
    for name, (_, digest) in zip(("model_sha256", "property_sha256"), expected[:2], strict=True):
        if fields[name] != digest:
            raise Refused("integrity", f"{place}: {name}", "is not that of the file")
    proved = frozenset(name for name, value in arithmetics.items() if value == "proved")
    refuted = frozenset(name for name, value in arithmetics.items() if value == "refuted")
    if (proved and kind != "certificate") or (refuted and kind != "counterexample"):
        needed = "certificate" if proved else "counterexample"
        raise Refused("integrity", where, f"calls something {verdict} without a {needed}")
    return Claim(where, verdict, proved, refuted, vacuous, model, claim, evidence, kind)


def _require_sensible(fields: Mapping[str, object], place: str) -> None:
    """Raise Refused for parameters that nobody can ask for, or reasons that are no texts."""
    where = f"{place}: parameters"
    asked: dict[str, Any] = as_object(fields["parameters"], _ASKED, where)
    timeout, memory, threads, seed = (asked[name] for name in ("timeout", "memory", "threads", "seed"))
    fits = {
        "arithmetic": asked["arithmetic"] in (None, "both", *ARITHMETICS),
        "timeout": _is_a(int | float, timeout) and 0 < timeout <= LONGEST_TIMEOUT,
        "memory": _is_a(int, memory) and memory > 0,
        "threads": threads is None or (_is_a(int, threads) and threads >= 1),
        "seed": _is_a(int, seed) and seed >= 0,
        "allow_vacuous": isinstance(asked["allow_vacuous"], bool),
    }
    for name, fit in fits.items():
        if not fit:
            raise Refused("integrity", f"{where}: {name}", "is of another type or out of its range")
    if fields.get("reason") is not None:
        as_text(fields["reason"], f"{place}: reason", may_be_empty=True)
    reasons = fields.get("reasons", {})
    if not isinstance(reasons, dict):
        raise Refused("integrity", f"{place}: reasons", "must be an object")
    for name, reason in reasons.items():
        as_text(reason, f"{place}: reasons: {name[:40]!a}", may_be_empty=True)


def _is_a(kind: type | UnionType, value: object) -> bool:
    """Say whether a value is such a number; Python counts truth values among them, we do not."""
    return isinstance(value, kind) and not isinstance(value, bool)


def _read_verdicts(fields: Mapping[str, object], place: str) -> tuple[str, dict[str, str]]:
    """The verdict and those by arithmetic, of which it must follow."""
    value = fields["arithmetics"]
    if not isinstance(value, dict) or not value or not value.keys() <= set(ARITHMETICS):
        raise Refused("integrity", f"{place}: arithmetics", "must name real, float32 or both")
    arithmetics = {name: as_text(value[name], f"{place}: arithmetics") for name in value}
    found = set(arithmetics.values())
    follows = "refuted" if "refuted" in found else "proved" if found == {"proved"} else "unknown"
    if not found <= set(_VERDICTS) or fields["verdict"] != follows:
        raise Refused("integrity", f"{place}: verdict", "does not follow from the verdicts by arithmetic")
    return follows, arithmetics


def _read_evidence(fields: Mapping[str, object], where: str) -> tuple[str | None, EvidenceKind | None]:
    """Path and kind of the evidence, which lies beside its statement under the same number."""
    path = fields["evidence"]
    if path is None:
        return None, None
    stem = where.removesuffix(".dsse.json")
    names: dict[str, EvidenceKind] = {
        f"{stem}.certificate": "certificate",
        f"{stem}.counterexample.json": "counterexample",
    }
    if not isinstance(path, str) or path not in names:
        raise Refused("integrity", f"{where}: evidence", f"must be null or one of {', '.join(names)}")
    return path, names[path]


def _listed(manifest: Manifest, path: str, where: str) -> ListedFile:
    if path not in manifest.files:
        raise Refused("integrity", where, f"speaks of {path[:200]}, which the manifest does not list")
    return manifest.files[path]


def _require_fitting_file(
    container: Container, manifest: Manifest, claim: Claim, fields: Mapping[str, object]
) -> None:
    """Raise Refused unless the evidence file is what the result says about it."""
    place = f"{claim.where}: predicate"
    described: dict[EvidenceKind, object] = {"certificate": fields["certificate"], "counterexample": None}
    point = fields["counterexample"]
    if point is not None:
        if not isinstance(point, dict) or not {"x", "violates", "file"} <= point.keys():
            raise Refused("integrity", f"{place}: counterexample", "must have x, violates and file")
        described["counterexample"] = point["file"]
    for kind, value in described.items():
        if (value is not None) != (kind == claim.kind):
            raise Refused("integrity", f"{place}: {kind}", "must be there for such evidence alone")
    if claim.evidence is None:
        return
    listed = manifest.files[claim.evidence]
    expected = {"path": claim.evidence, "sha256": listed.sha256, "bytes": listed.size}
    if as_object(described[claim.kind or "certificate"], _FILE_MEMBERS, place) != expected:
        raise Refused("integrity", place, f"what it says about {claim.evidence} is not so")
    hashes = (manifest.files[claim.model].sha256, manifest.files[claim.property].sha256)
    if claim.kind == "certificate":
        _require_header(container, manifest, claim, hashes)
    else:
        assert isinstance(point, dict)  # its file is the evidence
        _require_same_point(container, manifest, claim, hashes, point)


def _require_unchanged(digest: str, manifest: Manifest, path: str) -> None:
    if digest != manifest.files[path].sha256:
        raise Refused("integrity", path, "changed while it was verified")


def _require_header(container: Container, manifest: Manifest, claim: Claim, hashes: tuple[str, str]) -> None:
    """Raise Refused unless a certificate is of this model and property, in the arithmetics called proved."""
    assert claim.evidence is not None
    header, digest = b"", sha256()
    for chunk in container.chunks(claim.evidence):
        header = (header + chunk)[:_HEADER_BYTES]
        digest.update(chunk)
    _require_unchanged(digest.hexdigest(), manifest, claim.evidence)
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        raise Refused("integrity", claim.evidence, "is no certificate")
    if (header[11:43].hex(), header[43:75].hex()) != hashes:
        raise Refused("integrity", claim.evidence, "is a certificate of another model or property")
    if not claim.proved <= _COVERED.get(header[9], frozenset()):
        names = " and ".join(sorted(claim.proved))
        raise Refused("integrity", claim.evidence, f"is a certificate in other arithmetic than {names}")


def _require_same_point(
    container: Container,
    manifest: Manifest,
    claim: Claim,
    hashes: tuple[str, str],
    point: Mapping[str, object],
) -> None:
    """Raise Refused unless a counterexample file has the point of the result and violates where that does."""
    assert claim.evidence is not None
    data = container.read(claim.evidence, STATEMENT_LIMIT)
    _require_unchanged(sha256(data).hexdigest(), manifest, claim.evidence)
    content = decode(data, claim.evidence)
    if not isinstance(content, dict):
        raise Refused("integrity", claim.evidence, "is no counterexample: not an object")
    if (content.get("model_sha256"), content.get("property_sha256")) != hashes:
        raise Refused("integrity", claim.evidence, "is a counterexample of another model or property")
    if not isinstance(content.get("x"), list) or content["x"] != point["x"]:
        raise Refused("integrity", claim.evidence, "has another point than the result")
    for source, name in ((content.get("arithmetic"), claim.evidence), (point["violates"], claim.where)):
        violated = source if isinstance(source, dict) else {}
        for arithmetic in sorted(claim.refuted):
            if violated.get(arithmetic) is not True:
                raise Refused("integrity", name, f"does not claim a violation in {arithmetic} arithmetic")


def _require_entry(
    fields: Mapping[str, object], claim: Claim, log: Log, sealed: int, manifest: Manifest
) -> int:
    """Number of the log's entry of a result, which must say the same."""
    number = fields["entry"]
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < sealed:
        raise Refused("integrity", f"{claim.where}: entry", "must be the number of an entry before the seal")
    entry = log.entries[number]
    if entry.verdict != claim.verdict:
        raise Refused("integrity", entry.where, f"does not say {claim.verdict}, as {claim.where} does")
    used = {manifest.files[claim.model].sha256, manifest.files[claim.property].sha256}
    made = set() if claim.evidence is None else {manifest.files[claim.evidence].sha256}
    if not used <= {file.sha256 for file in entry.inputs} or not made <= {
        file.sha256 for file in entry.outputs
    }:
        raise Refused("integrity", entry.where, f"is about other files than {claim.where}")
    return number


def _require_no_other_evidence(manifest: Manifest, claims: list[Claim]) -> None:
    known = {claim.where for claim in claims} | {claim.evidence for claim in claims}
    for path in manifest.files:
        if path.startswith("evidence/") and path not in known:
            raise Refused("integrity", path, "belongs to no result")
