"""The two streams: the result goes to stdout, everything else to stderr."""

from __future__ import annotations

import os
import sys


def emit(text: str) -> None:
    """Print the result; a reader that has gone away changes nothing about the exit status."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # What is still buffered would be written again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def note(text: str) -> None:
    """Print one line for people to stderr."""
    try:
        print(text, file=sys.stderr, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
