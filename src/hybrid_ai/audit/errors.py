"""What goes wrong when evidence is written."""

from __future__ import annotations


class AuditError(ValueError):
    """A file, key or argument is not as it must be; the message names it and the remedy."""
