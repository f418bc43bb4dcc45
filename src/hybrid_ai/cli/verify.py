"""`hybrid-ai verify`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hybrid_ai.cli.output import emit, note

if TYPE_CHECKING:
    from hybrid_ai.pipeline.limits import Limits
    from hybrid_ai.pipeline.result import Result
    from hybrid_ai.pipeline.verify import Observer
    from hybrid_ai.search.hints import HintSource

DESCRIPTION = """Verify that no input satisfies the unsafe condition of a property, and have the
certificate checked by the independent checker. Exit status: 0 proved, 10 refuted, 20 unknown, 2 bad input,
1 our own failure."""

NOT_YET = {"cuda": "backend"}


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = DESCRIPTION
    option = parser.add_argument
    option("model", nargs="?", metavar="MODEL.onnx")
    option("property", nargs="?", metavar="PROPERTY.vnnlib")
    arithmetic = (
        "what the verdict is about (default: what the property declares, else both; real for float64)"
    )
    option("--arithmetic", choices=["real", "float32", "both"], help=arithmetic)
    option("--timeout", type=float, metavar="S", help="seconds for everything (default 600)")
    option("--memory", type=int, metavar="BYTES", help="for the open boxes of the search (default 2 GiB)")
    option("--threads", type=int, metavar="N", help="of the search (default: one per core)")
    option("--seed", type=int, default=0, metavar="N", help="of the attacks (default 0)")
    option("--certificate", type=Path, metavar="FILE", help="receives certificate or counterexample")
    option(
        "--results-file",
        type=Path,
        metavar="FILE",
        help="receives the competition's result (real arithmetic)",
    )
    option("--json", action="store_true", help="print one JSON object")
    option("--allow-vacuous", action="store_true", help="prove properties of an empty input set")
    backend = "what bounds boxes (default auto; cuda has no engine yet)"
    option("--backend", choices=["auto", "cpu", "cuda"], default="auto", help=backend)
    hints = (
        "slopes for the start of the search, never trusted, from a program that is installed beside this one"
    )
    option("--hints", choices=["auto_lirpa"], help=hints)
    suite = parser.add_argument_group("suites").add_argument
    suite("--suite", type=Path, metavar="INSTANCES.csv", help="verify its rows: onnx, vnnlib, timeout_s")
    suite("--json-lines", type=Path, metavar="OUT", help="receives a line for each row; resumes")
    suite("--certificates", type=Path, metavar="FOLDER", help="receives the evidence")


def require_consistent(options: argparse.Namespace) -> None:
    """Raise BadInput for options that do not go together or have no engine yet."""
    from hybrid_ai.pipeline.errors import BadInput

    if options.backend in NOT_YET:
        raise BadInput(f"--{NOT_YET[options.backend]} {options.backend}: there is no engine for it yet")
    files = [options.model, options.property]
    if options.suite is None:
        if None in files:
            raise BadInput("give MODEL.onnx and PROPERTY.vnnlib, or --suite INSTANCES.csv --json-lines OUT")
        if options.json_lines or options.certificates:
            raise BadInput("--json-lines and --certificates belong to --suite")
    elif any(files) or options.certificate or options.results_file or options.json:
        raise BadInput("--suite goes with --json-lines and --certificates, not with files of one instance")
    elif options.json_lines is None:
        raise BadInput("--suite needs --json-lines OUT")


def execute(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    require_consistent(options)
    from hybrid_ai.cli.progress import observed

    with observed() as observer:
        if options.suite is not None:
            return _suite(options, observer)
        result = _single(options, observer)
    emit(result.to_json() if options.json else result.line())
    return result.exit_code


def _single(options: argparse.Namespace, observer: Observer) -> Result:
    from hybrid_ai.pipeline.files import require_writable
    from hybrid_ai.pipeline.verify import verify

    limits, hints = _limits(options), _hints(options)

    def verified() -> Result:
        return verify(
            options.model,
            options.property,
            # The competition asks about real arithmetic.
            arithmetic=options.arithmetic or ("real" if options.results_file else None),
            timeout=limits.timeout,
            memory=limits.memory,
            threads=limits.threads,
            seed=limits.seed,
            certificate=options.certificate,
            allow_vacuous=options.allow_vacuous or options.results_file is not None,
            hints=hints,
            progress=observer.progress,
            notice=observer.notice,
        )

    if options.results_file is None:
        return verified()
    from hybrid_ai.pipeline.results_file import recorded

    files = (options.model, options.property)
    require_writable(options.results_file, "--results-file", files, [options.certificate])
    return recorded(options.results_file, verified, options.model, options.property)


def _limits(options: argparse.Namespace) -> Limits:
    from hybrid_ai.pipeline.limits import DEFAULT_MEMORY, DEFAULT_TIMEOUT, Limits

    timeout = DEFAULT_TIMEOUT if options.timeout is None else options.timeout
    memory = DEFAULT_MEMORY if options.memory is None else options.memory
    return Limits(timeout, memory, options.threads, options.seed)


def _hints(options: argparse.Namespace) -> HintSource | None:
    if options.hints is None:
        return None
    from hybrid_ai.bench.slope_hints import hint_source

    return hint_source()


def _suite(options: argparse.Namespace, observer: Observer) -> int:
    from hybrid_ai.pipeline.suite import Row, run_suite, summary

    def on_row(row: Row) -> None:
        tell(row.line())

    tell: Callable[[str], None] = observer.notice or note
    rows = run_suite(
        options.suite,
        options.json_lines,
        _limits(options),
        longest=options.timeout,
        allow_vacuous=options.allow_vacuous,
        arithmetic=options.arithmetic,
        certificates=options.certificates,
        hints=_hints(options),
        observer=observer,
        on_row=on_row,
    )
    emit(f"{summary(rows)}; rows in {options.json_lines}")
    return 0
