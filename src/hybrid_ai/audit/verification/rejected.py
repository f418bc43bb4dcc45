"""The error by which every verification of evidence ends that does not succeed."""

from typing import Literal

Level = Literal["integrity", "authenticity", "proof"]


class Refused(Exception):
    """A file or entry was refused; the message is "where: reason".

    Args:
        level: what could not be established: "integrity" (the bytes are malformed or changed), "authenticity"
            (a signature is missing or wrong) or "proof" (a certificate does not prove what it is said to
            prove).
        where: file or entry at fault.
        reason: what is wrong and, where one exists, the remedy.
    """

    def __init__(self, level: Level, where: str, reason: str) -> None:
        # All arguments go to Exception, so that the error survives a trip between processes.
        super().__init__(level, where, reason)
        self.level: Level = level
        self.where = where
        self.reason = reason

    def __str__(self) -> str:
        # Names come out of hostile files: an escape sequence in one must not reach a terminal.
        text = f"{self.where}: {self.reason}"
        return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
