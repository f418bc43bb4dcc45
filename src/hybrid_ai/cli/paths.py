"""What is said of paths that the system refuses: which it is, why, and what to do about it."""

from __future__ import annotations

import argparse
import errno
import os
from collections.abc import Iterator
from pathlib import Path

_ACCESS = "give yourself access to it, or name another"
_REMEDIES = {
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "check the path, a part of which is a file",
    errno.EISDIR: "give a file",
    errno.EEXIST: "remove it, or name another",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.ELOOP: "remove the link that leads to itself",
    errno.EACCES: _ACCESS,
    errno.EPERM: _ACCESS,
    errno.EROFS: "name a place that can be written",
    errno.ENOSPC: "make room, or name another place",
    errno.EDQUOT: "make room, or name another place",
}


def with_remedy(error: Exception) -> str:
    """The message of an error; where it ends with what the system said of a path, with the remedy."""
    text, cause = str(error), error.__cause__
    if isinstance(cause, OSError) and cause.strerror and text.rstrip(")").endswith(cause.strerror):
        return f"{text}{_remedy(cause)}"
    return text


def refused_argument(error: OSError, options: argparse.Namespace) -> str | None:
    """What is said of an error about a path that an option names, or about one below or above it.

    Args:
        error: that nobody expected.
        options: of the command.

    Returns:
        The message, None where the error is about something else, which is a failure of our own.
    """
    if not isinstance(error.filename, str | Path):
        return None
    refused = Path(os.path.abspath(error.filename))
    for named in _named(options):
        if refused == named or refused in named.parents or named in refused.parents:
            return f"{error.filename}: cannot be used: {error.strerror}{_remedy(error)}"
    return None


def _remedy(error: OSError) -> str:
    known = _REMEDIES.get(error.errno or 0)
    return "" if known is None else f": {known}"


def _named(options: argparse.Namespace) -> Iterator[Path]:
    """The paths among the values of options."""
    for value in vars(options).values():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, Path):
                yield Path(os.path.abspath(each))
