"""What goes wrong when a report is drawn."""

from __future__ import annotations


class ReportError(ValueError):
    """A file of a dossier does not hold what its format says; the message is "file: place: reason".

    Args:
        document: the file's path in the dossier.
        place: JSON pointer to the value at fault, empty for the whole file.
        reason: what is wrong and, where one exists, the remedy.
    """

    def __init__(self, document: str, place: str, reason: str) -> None:
        super().__init__(document, place, reason)
        self.document = document
        self.place = place
        self.reason = reason

    def __str__(self) -> str:
        # Places and reasons quote hostile files: no control character of theirs reaches a terminal.
        text = ": ".join(part for part in (self.document, self.place, self.reason) if part)
        return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
