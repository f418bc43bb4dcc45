"""What an attack is, and how a dossier is judged at a level."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hybrid_ai.audit.verification.checkpoint import read_checkpoint
from hybrid_ai.audit.verification.container import open_container
from hybrid_ai.audit.verification.dossier import Report, verify_dossier
from hybrid_ai.audit.verification.rejected import Level
from hybrid_ai.audit.verification.reproof import Reprover
from hybrid_ai.audit.verification.since import Since
from hybrid_ai.pipeline.checking import COMMAND
from tests.audit_builder import AUTHOR, REVIEWER
from tests.soundness.dossier.copies import Copy

# "since" is authenticity with an earlier checkpoint.
Asked = Literal["integrity", "authenticity", "since", "proof"]

# What is asked for below a level, and must not see the attack: else the level is stated too high.
BELOW: dict[Asked, tuple[Asked, ...]] = {
    "integrity": (),
    "authenticity": ("integrity", "proof"),
    "since": ("integrity", "authenticity"),
    "proof": ("integrity", "authenticity"),
}
TRUST = {key.name: key.public for key in (AUTHOR, REVIEWER)}


@dataclass(frozen=True)
class Attack:
    """A row of the table.

    Attributes:
        name: what the attacker does.
        act: does it.
        level: the lowest that sees it.
        where: regular expression of the file or entry that is named.
        reason: regular expression, found somewhere in what is said about it.
        refused: False where nothing is wrong, but the level cannot be established (exit status 20).
    """

    name: str
    act: Callable[[Copy], None]
    level: Asked
    where: str
    reason: str
    refused: bool = True


def judged(path: Path, asked: Asked, newest: bytes) -> Report:
    """Verify a folder or zip at one level; `newest` is the real dossier's last checkpoint, kept elsewhere."""
    level: Level = "authenticity" if asked == "since" else asked
    since = Since(*read_checkpoint(newest, "kept.note"), "kept.note") if asked == "since" else None
    return verify_dossier(
        open_container(path),
        levels={level},
        trust=TRUST if level == "authenticity" else {},
        since=since,
        reprover=Reprover(COMMAND, "fast"),
    )
