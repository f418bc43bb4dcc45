"""Verification of a log by itself, outside a dossier: is it whole, and how much did pinned keys sign?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.log_file import checkpoints_of
from hybrid_ai.audit.verification.dossier import LevelStatus
from hybrid_ai.audit.verification.log import Log, SignedCheckpoint, verify_log
from hybrid_ai.audit.verification.program import level_line, one_line, status_word
from hybrid_ai.audit.verification.since import Since, require_extended

NO_KEY = "no key is pinned: pin one with --trust FILE"
SIGN_IT = "sign the log as it is now (docs/trace.md)"


@dataclass(frozen=True)
class LogReport:
    """What verification of a log, or of a proof about one, found; nothing is wrong, or there would be none.

    Attributes:
        log: its id, 32 hexadecimal digits.
        entries: their number; with a proof, how many its checkpoint counts.
        levels: integrity and authenticity.
        checkpoints: by size, with the pinned keys that signed them; with a proof, its one.
        entry: that a proof shows to be in the log, as it stands there, else None.
    """

    log: str
    entries: int
    levels: tuple[LevelStatus, ...]
    checkpoints: tuple[SignedCheckpoint, ...]
    entry: str | None = None

    @property
    def established(self) -> bool:
        """Whether both levels are."""
        return all(status.established for status in self.levels)

    def contents(self) -> dict[str, object]:
        """All of it, as values that JSON can hold."""
        return {"status": status_word(self.established), **asdict(self)}

    def text(self) -> str:
        """All of it for people, some lines."""
        lines = [*map(level_line, self.levels), f"log: {self.log}"]
        lines += [f"entry: {self.entry}"] if self.entry is not None else []
        return "\n".join(map(one_line, lines))


def verify_trace(path: Path, trust: Mapping[str, bytes], since: Since | None) -> LogReport:
    """Verify a log and the checkpoints beside it.

    Args:
        path: the file of entries.
        trust: pinned public keys, 32 bytes each, by key id; may be empty.
        since: an earlier checkpoint that the log must extend, or None.

    Raises:
        AuditError: a file cannot be read.
        Refused: at the first defect, with the level that it is of.

    Sound because: the newest checkpoint that a pinned key signed is over all entries up to there; entries
    after it are said not to be signed.
    """
    log, found = read_with_checkpoints(path, trust)
    whole = LevelStatus("integrity", True, f"{len(log.entries)} entries, {len(found)} checkpoints")
    if since is not None:
        require_extended(log, since, trust)
    return LogReport(
        log.identifier, len(log.entries), (whole, _authenticity(log, found, trust, since)), found
    )


def read_with_checkpoints(path: Path, trust: Mapping[str, bytes]) -> tuple[Log, tuple[SignedCheckpoint, ...]]:
    """Read a log and the checkpoints beside it, all of which fit (``verify_log``).

    Args:
        path: the file of entries.
        trust: known public keys, 32 bytes each, by key id.

    Raises:
        AuditError: a file cannot be read.
        Refused: "integrity".
    """
    if not path.is_file():
        raise AuditError(f"{path}: is no file that can be read: give the file of a log's entries")
    folder = checkpoints_of(path)
    try:
        return verify_log(path, folder if folder.exists() else None, trust)
    except OSError as error:
        raise AuditError(f"{error.filename or path}: cannot be read: {error.strerror}") from error


def _authenticity(
    log: Log, found: Sequence[SignedCheckpoint], trust: Mapping[str, bytes], since: Since | None
) -> LevelStatus:
    if not trust:
        return LevelStatus("authenticity", False, NO_KEY)
    signed = [checkpoint for checkpoint in found if checkpoint.signers]
    if not signed:
        return LevelStatus("authenticity", False, "no pinned key has signed a checkpoint of it")
    newest, count = signed[-1], len(log.entries)
    signers = " and ".join(newest.signers)
    if newest.size < count:
        reason = (
            f"the first {newest.size} entries are signed by {signers}, the other {count - newest.size} by no"
        )
        return LevelStatus("authenticity", False, f"{reason} pinned key: {SIGN_IT}")
    extends = "whether it is the newest state is not, without --since CHECKPOINT"
    if since is not None:
        extends = f"the log extends the checkpoint of {since.checkpoint.size} entries"
    return LevelStatus("authenticity", True, f"all entries are signed by the pinned key {signers}; {extends}")
