"""What can go wrong outside of a verdict."""

from __future__ import annotations


class BadInput(Exception):
    """Files or options are missing, malformed or meaningless (exit 2); the message names the remedy."""


class UnsupportedInput(Exception):
    """Model or property is well-formed but beyond what is supported (exit 20); the message is the reason."""


class CheckerFailure(Exception):
    """The checker's process ended or answered without sense: our own failure (exit 1)."""


class CheckTimedOut(Exception):
    """The checker's process did not answer in time and was ended."""


class Terminated(BaseException):
    """The process was asked to end (SIGTERM)."""
