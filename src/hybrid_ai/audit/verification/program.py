"""The command line of verification: `hybrid-ai dossier verify`, and the stand-alone `verify.py`."""

import argparse
import importlib.util
import io
import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from hybrid_ai.audit.verification.container import open_container
from hybrid_ai.audit.verification.dossier import LEVELS, LevelStatus, Report, Result, verify_dossier
from hybrid_ai.audit.verification.evidence import ARITHMETICS
from hybrid_ai.audit.verification.options import BadUsage, read_sealer, read_since, read_trust_files
from hybrid_ai.audit.verification.rejected import Refused
from hybrid_ai.audit.verification.reproof import Engine, Reprover
from hybrid_ai.audit.verification.signers import NAMED, Addition

EXIT_ESTABLISHED, EXIT_USAGE, EXIT_NOT_ESTABLISHED, EXIT_REFUSED = 0, 2, 20, 30

DESCRIPTION = """Verify a dossier: that no byte changed since it was sealed (integrity), that pinned keys
sealed it (authenticity), and that the checker accepts the evidence of every result (proof). Exit status: 0
all levels asked for are established, 20 one could not be and nothing is wrong, 30 something is wrong, 2 bad
usage."""

INSIDE = (
    "note: this verifier came with the dossier, so whoever made the dossier could have changed it: take one "
    "from a source of your own"
)


BUSY = "another process adds to it; run this again"

DESCRIPTIONS = (
    "note: reports, plan, assessment and argument, README.md, bom.cdx.json and ro-crate-metadata.json are "
    "descriptions: verdicts they name are not verified, the results above count"
)


def main(
    arguments: Sequence[str],
    command: tuple[str, ...],
    own_sha256: str | None,
    *,
    own_file: Path | None = None,
    name: str = "verify.py",
) -> int:
    """Run the program and return its exit status.

    Args:
        arguments: of the command line.
        command: starts the checker in a process of its own (``Reprover``).
        own_sha256: SHA-256 of the stand-alone verifier that this program is or generates, hexadecimal.
        own_file: the file that this program runs from, when it is the stand-alone verifier.
        name: of the program, for its help.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    parser = argparse.ArgumentParser(prog=name, description=DESCRIPTION, allow_abbrev=False)
    parser.add_argument("dossier", type=Path, metavar="DOSSIER", help="folder or zip")
    add_options(parser)
    return execute(parser.parse_args(arguments), command, own_sha256, own_file=own_file, name=name)


def execute(
    options: argparse.Namespace,
    command: tuple[str, ...],
    own_sha256: str | None,
    *,
    own_file: Path | None = None,
    name: str = "verify.py",
    is_busy: Callable[[Refused | OSError], bool] = lambda error: False,
) -> int:
    """Verify what the options name, print the report, and return the exit status; see `main`.

    `is_busy` says whether another process, which adds to the dossier, is why verification ended so.
    """
    try:
        inside = own_file is not None and own_file.resolve().is_relative_to(options.dossier.resolve())
        if inside:
            print(INSIDE, file=sys.stderr)
        # What came with the dossier says nothing about itself.
        report = _verified(options, command, None if inside else own_sha256)
    except Refused as error:
        if is_busy(error):
            return _busy(as_json=options.json)
        _print(refusal_text(error, as_json=options.json))
        return EXIT_REFUSED
    except BadUsage as error:
        print(f"{name}: {error}", file=sys.stderr)
        return EXIT_USAGE
    except OSError as error:
        if is_busy(error):
            return _busy(as_json=options.json)
        print(
            f"{name}: {error.filename or options.dossier}: {error.strerror}: check the path", file=sys.stderr
        )
        return EXIT_USAGE
    except KeyboardInterrupt:
        print(f"{name}: interrupted, nothing is established", file=sys.stderr)
        return EXIT_NOT_ESTABLISHED
    _print(_as_json(report) if options.json else "\n".join(map(one_line, _lines(report))))
    return EXIT_ESTABLISHED if report.established else EXIT_NOT_ESTABLISHED


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options, but for the dossier."""
    option = parser.add_argument
    levels = f"{', '.join(LEVELS)}: what to establish (default: all); may be given several times"
    # One value each: more would swallow the dossier when it comes last.
    option("--level", choices=LEVELS, action="append", metavar="LEVEL", dest="levels", help=levels)
    trust = "public keys in PEM that you trust, for authenticity; may be given several times"
    option("--trust", type=Path, action="append", metavar="FILE", help=trust)
    sealed_by = "the key that must have sealed: its key id, or a file with it alone; pinned thereby"
    option("--sealed-by", metavar="KEYID_OR_FILE", help=sealed_by)
    option("--since", type=Path, metavar="CHECKPOINT", help="earlier checkpoint that the log must extend")
    option("--budget", type=float, metavar="S", help="seconds for proof (default: no limit)")
    engines = "of proof (default: fast where numpy is there, else exact)"
    option("--engine", choices=["fast", "exact"], help=engines)
    option("--json", action="store_true", help="print one JSON object")


def _verified(options: argparse.Namespace, command: tuple[str, ...], own_sha256: str | None) -> Report:
    levels = frozenset(options.levels or LEVELS)
    given = (
        ("--trust", options.trust, "authenticity"),
        ("--sealed-by", options.sealed_by, "authenticity"),
        ("--since", options.since, "authenticity"),
        ("--budget", options.budget, "proof"),
    )
    for option, value, level in given:
        if value is not None and level not in levels:
            raise BadUsage(f"{option} is about the level {level}, which is not asked for")
    if options.budget is not None and not (math.isfinite(options.budget) and options.budget > 0):
        raise BadUsage(f"--budget {options.budget}: give seconds above 0")
    trust = read_trust_files(options.trust or ())
    sealed_by = None if options.sealed_by is None else read_sealer(options.sealed_by)
    since = None if options.since is None else read_since(options.since)
    engine: Engine = options.engine or ("fast" if importlib.util.find_spec("numpy") else "exact")
    tell = _tell if sys.stderr is not None and sys.stderr.isatty() else None
    return verify_dossier(
        open_container(options.dossier),
        levels=levels,
        trust=trust,
        since=since,
        sealed_by=sealed_by,
        reprover=Reprover(command, engine, options.budget, tell),
        own_sha256=own_sha256,
    )


def refusal_text(error: Refused, *, as_json: bool) -> str:
    """What is printed about a defect: one line, or one JSON object."""
    if as_json:
        fields = {"level": error.level, "where": error.where, "reason": error.reason}
        return json.dumps({"status": "refused", **fields})
    return f"{error.level}: refused: {error}"


def _busy(*, as_json: bool) -> int:
    _print(json.dumps({"status": "busy", "reason": BUSY}) if as_json else f"busy: {BUSY}")
    return EXIT_NOT_ESTABLISHED


def _as_json(report: Report) -> str:
    return json.dumps({"status": status_word(report.established), **asdict(report)})


def _lines(report: Report) -> list[str]:
    """The report for people: a line for each level, then what else there is to know."""
    lines = [level_line(status) for status in report.levels]
    lines.append(f"digest: {report.digest}")
    pinned = "pinned" if report.seal_pinned else "not pinned"
    lines.append(f"sealed: {report.sealed} (by the signer's clock) by {report.seal_key} ({pinned})")
    lines += [_addition_line(addition) for addition in report.additions]
    lines += [f"result: {each.model} {each.property}: {verdict_text(each)}" for each in report.results]
    if report.kind == "certification":
        lines.append(DESCRIPTIONS)
    lines += [f"flag: {flag}" for flag in report.flags]
    if report.proof is not None:
        if report.proof.fallback is not None:
            lines.append(f"note: exact judged, as fast cannot start: {report.proof.fallback}")
        lines += [f"not re-proved: {where}: {reason}" for where, reason in report.proof.not_reproved]
        hint = "float32 arithmetic, `hybrid-ai dossier replay` runs it in ONNX Runtime"
        lines += [f"not re-evaluated: {where}: {hint}" for where in report.proof.not_reevaluated]
    return lines


def level_line(status: LevelStatus) -> str:
    """A level, how far it came, and why."""
    return f"{status.level}: {status_word(status.established)}: {status.detail}"


def status_word(established: bool) -> str:
    """The word for a level, or for all that were asked for."""
    return "established" if established else "not established"


def verdict_text(result: Result) -> str:
    """A verdict with the arithmetics it is for, such as "proved in real, unknown in float32"."""
    known = [("proved", result.proved), ("refuted", result.refuted)]
    parts = [f"{verdict} in {' and '.join(names)}" for verdict, names in known if names]
    if result.verdict == "unknown":
        # Whoever proves one arithmetic and calls the whole unknown was asked about the other as well.
        left = [name for name in ARITHMETICS if name not in result.proved]
        parts.append(f"unknown in {' and '.join(left)}" if parts else "unknown")
    return ", ".join(parts) + ("; the input set is empty" if result.vacuous else "")


def independence_text(addition: Addition) -> str:
    """How a signer in a role differs from the one who sealed and from the other signers.

    Raises:
        ValueError: when it is no signature in a role.
    """
    if addition.signature is None:
        raise ValueError(f"{addition.path} is no signature in a role")
    text = "same key as the seal" if addition.seals else "different key"
    if addition.same_key:
        text += f" (also of {_first(addition.same_key)})"
    organisation = addition.signature.organisation
    if organisation is None:
        return f"{text}, no declared organisation"
    shared = addition.same_organisation
    others = f"declared in {_first(shared)} as well" if shared else "which no other signer declares"
    return f"{text}, declared organisation {quoted(organisation)}, {others}"


def _first(paths: Sequence[str]) -> str:
    return ", ".join(paths[:NAMED]) + (" and more" if len(paths) > NAMED else "")


def _addition_line(addition: Addition) -> str:
    pinned = "pinned" if addition.pinned else "not pinned"
    line = f"later: {addition.time} {addition.path} by {addition.key} ({pinned})"
    said = addition.signature
    if said is None:
        return line
    name = "no declared name" if said.name is None else f"declared name {quoted(said.name)}"
    return f"{line} as {addition.role}; {independence_text(addition)}; {name}; says: {quoted(said.statement)}"


def quoted(text: object) -> str:
    """A text that somebody declares, as a JSON string: it cannot be taken for fields of the report."""
    return json.dumps(text, ensure_ascii=False)


def one_line(text: str) -> str:
    """A line for a terminal: texts of signers must not forge lines, nor be taken for commands."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def _tell(line: str) -> None:
    print(one_line(line), file=sys.stderr, flush=True)


def _print(text: str) -> None:
    """Print the result; a reader that has gone away changes nothing about the exit status."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # What is still buffered would be written again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
