"""The two streams: the result goes to stdout, everything else to stderr."""

from __future__ import annotations

import io
import os
import sys


class OutputFailed(Exception):
    """stdout takes no more, as on a full disk (exit 1)."""


def escape_unprintable() -> None:
    """Have the streams write an escape for each character that their encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def emit(text: str) -> None:
    """Print the result; a reader that has gone away changes nothing about the exit status.

    Raises:
        OutputFailed: it cannot be written.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        _discard(1)
    except OSError as error:
        _discard(1)
        raise OutputFailed(f"stdout cannot be written: {error.strerror}") from error


def note(text: str) -> None:
    """Print one line for people to stderr; where that fails there is nobody left to be told."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        _discard(2)


def _discard(stream: int) -> None:
    # What is still buffered would be written again when the interpreter ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
