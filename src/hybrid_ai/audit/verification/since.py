"""An earlier checkpoint, kept elsewhere, that a log must extend."""

from collections.abc import Mapping
from dataclasses import dataclass

from hybrid_ai.audit.verification.checkpoint import Checkpoint, Note
from hybrid_ai.audit.verification.log import Log, known_signers, require_fits
from hybrid_ai.audit.verification.rejected import Refused


@dataclass(frozen=True)
class Since:
    """An earlier checkpoint that was kept elsewhere: what `read_checkpoint` returned, and its file's name."""

    checkpoint: Checkpoint
    note: Note
    where: str


def require_extended(log: Log, since: Since, trust: Mapping[str, bytes]) -> None:
    """Require that a log extends an earlier checkpoint, signed by a pinned key if any is pinned.

    Args:
        log: whose entries were read.
        since: the earlier checkpoint.
        trust: pinned public keys, 32 bytes each, by key id; may be empty.

    Raises:
        Refused: "authenticity".
    """
    try:
        require_fits(since.checkpoint, log, since.where)
        require_pinned(since, trust)
    except Refused as error:
        raise Refused("authenticity", error.where, error.reason) from error


def require_pinned(since: Since, trust: Mapping[str, bytes]) -> None:
    """Require that a pinned key signed an earlier checkpoint, if any is pinned.

    Raises:
        Refused: "authenticity", when none did; "integrity", when a signature of one is not valid.
    """
    if trust and not known_signers(since.note, trust, since.where):
        raise Refused("authenticity", since.where, "no pinned key has signed it")
