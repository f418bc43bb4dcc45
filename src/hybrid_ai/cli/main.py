"""The command `hybrid-ai`."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from hybrid_ai.audit.errors import AuditError
from hybrid_ai.cli.output import OutputFailed, emit, escape_unprintable, note
from hybrid_ai.cli.paths import refused_argument, with_remedy
from hybrid_ai.pipeline.errors import BadInput, CheckerFailure, Terminated, UnsupportedInput

COMMANDS = {
    "verify": "verify a property of a model, or a suite",
    "check": "judge a certificate or a counterexample",
    "certify": "verify properties and put all that shows it into a signed dossier",
    "plan": "write, check and describe plans of what is to be certified",
    "dossier": "verify, show, replay, extend, sign and pack dossiers",
    "trace": "verify a log by itself, prove what is in it",
    "keys": "make and list signing keys, collect trusted ones",
    "inspect": "describe a model",
    "bench": "measure speed and tightness of bounds on this machine",
    "supports": "list what is supported",
    "demo": "verify the shipped example",
}
EXIT_BAD_INPUT, EXIT_UNKNOWN, EXIT_FAILED = 2, 20, 1
DEBUG = "HYBRID_AI_DEBUG"


class _Version(argparse.Action):
    """Looks the version up only when asked: that takes longer than all else."""

    def __call__(self, parser: argparse.ArgumentParser, *arguments: object) -> None:
        import hybrid_ai

        emit(f"hybrid-ai {hybrid_ai.__version__}")
        parser.exit(0)


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong with the options."""

    def error(self, message: str) -> NoReturn:
        note(f"hybrid-ai: {_one_line(message)}; see {self.prog} --help")
        self.exit(EXIT_BAD_INPUT)


def _parser(chosen: str | None) -> argparse.ArgumentParser:
    """The options, of commands those of the chosen one: the others would load what is not needed."""
    parser = _Parser(
        prog="hybrid-ai", description="Certify systems that pair a neural model with symbolic rules."
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, allow_abbrev=False)
        if name == chosen:
            importlib.import_module(f"hybrid_ai.cli.{name}").add(command)
    return parser


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


def _warn(message: Warning | str, *where: object, **more: object) -> None:
    note(f"hybrid-ai: {_one_line(message)}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    previous = signal.signal(signal.SIGTERM, _terminate)
    try:
        escape_unprintable()
        warnings.showwarning = _warn
        return _reported(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        return _end("unknown: interrupted", EXIT_UNKNOWN)
    except Terminated:
        return _end("unknown: terminated", EXIT_UNKNOWN)
    except OutputFailed as error:
        note(f"hybrid-ai: {_one_line(error)}")
        return EXIT_FAILED
    finally:
        signal.signal(signal.SIGTERM, previous)


def _reported(arguments: Sequence[str]) -> int:
    """The exit status of the command, with what is wrong said in one line."""
    options = argparse.Namespace()
    try:
        options = _parser(arguments[0] if arguments else None).parse_args(arguments)
        _require_working_folder()
        return int(importlib.import_module(f"hybrid_ai.cli.{options.command}").execute(options))
    except (BadInput, AuditError) as error:
        note(f"hybrid-ai: {_one_line(with_remedy(error))}")
        return EXIT_BAD_INPUT
    except UnsupportedInput as error:
        emit(f"unknown: {_one_line(error)}")
        return EXIT_UNKNOWN
    except CheckerFailure as error:
        note(f"hybrid-ai: {_one_line(error)}")
        return EXIT_FAILED
    except OutputFailed:
        raise
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        if isinstance(error, OSError) and (refused := refused_argument(error, options)):
            note(f"hybrid-ai: {_one_line(refused)}")
            return EXIT_BAD_INPUT
        what = f"{type(error).__name__}: {_one_line(error)}"
        note(f"hybrid-ai: internal error: {what}; set {DEBUG}=1 for the traceback, and report it")
        return EXIT_FAILED


def _require_working_folder() -> None:
    try:
        os.getcwd()
    except OSError as error:
        raise BadInput("the working folder is gone: change to one that is there") from error


def _end(line: str, status: int) -> int:
    try:
        emit(line)
    except OutputFailed as error:
        note(f"hybrid-ai: {_one_line(error)}")
    return status


def _one_line(error: Exception | Warning | str) -> str:
    return " ".join(str(error).split())


if __name__ == "__main__":
    sys.exit(main())
