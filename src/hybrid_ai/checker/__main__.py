"""`python -m hybrid_ai.checker MODEL PROPERTY EVIDENCE [--engine fast|exact] [--json]`, or `--serve`.

With `--serve --compiled` numba compiles the loop of engine "fast"; until it has, numpy does what that does.
"""

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hybrid_ai.checker.check import check
from hybrid_ai.checker.compiled_loop import Loader
from hybrid_ai.checker.rejected import Malformed, Rejected, Unsupported

EXIT_CODES = {
    "valid": 0,
    "rejected": 30,
    "malformed": 2,
    "unsupported": 20,
    "not_reevaluated": 20,
    "failed": 1,
}
ENGINES = ("fast", "exact")
MAX_FILE = 2**30


def _read(path: Path) -> bytes:
    """Bytes of a regular file; devices and pipes may have no end."""
    if not path.is_file():
        raise ValueError(f"{path} is no regular file")
    if path.stat().st_size > MAX_FILE:
        raise ValueError(f"{path} has more than {MAX_FILE} bytes")
    return path.read_bytes()


def judge(request: dict[str, Any], loader: Loader) -> dict[str, Any]:
    """Answer one request {"model", "property", "evidence": paths, "engine": "fast" or "exact"}.

    Returns:
        "status" (a key of EXIT_CODES) with the fields of `Accepted`, or with "rule", "where" and "reason".
    """
    try:
        engine = request.get("engine", "fast")
        if engine not in ENGINES:
            raise ValueError(f"engine {engine!r} is none of {', '.join(ENGINES)}")
        model, claim, evidence = (_read(Path(request[key])) for key in ("model", "property", "evidence"))
    except (OSError, KeyError, TypeError, ValueError) as error:
        return _no("malformed", "request", "request", f"{type(error).__name__}: {error}")
    try:
        return asdict(check(model, claim, evidence, engine=engine, compiled=loader.loop))
    except Malformed as error:
        return _no("malformed", error.rule, error.where, error.reason)
    except Unsupported as error:
        return _no("unsupported", error.rule, error.where, error.reason)
    except Rejected as error:
        return _no("rejected", error.rule, error.where, error.reason)
    except Exception as error:  # our own failure must not end a served suite; it is never taken for a verdict
        return _no("failed", "internal", "checker", f"{type(error).__name__}: {error}")


def _no(status: str, rule: str, where: str, reason: str) -> dict[str, Any]:
    return {"status": status, "rule": rule, "where": where, "reason": reason}


def serve(loader: Loader) -> int:
    """Answer JSON lines from stdin on stdout, one each, keeping nothing of a request."""
    for line in sys.stdin:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            request = None
        valid = isinstance(request, dict)
        answer = judge(request, loader) if valid else _no("malformed", "request", "request", "no JSON object")
        print(json.dumps(answer), flush=True)
    return 0


def main(arguments: list[str]) -> int:
    """Run the program; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m hybrid_ai.checker", description="Judge one piece of evidence."
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help="MODEL PROPERTY EVIDENCE")
    parser.add_argument("--engine", choices=ENGINES, default="fast")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--serve", action="store_true", help="answer JSON lines on stdin")
    parser.add_argument("--compiled", action="store_true", help="with --serve: have numba compile a loop")
    options = parser.parse_args(arguments)
    if len(options.files) != (0 if options.serve else 3):
        parser.error("MODEL PROPERTY EVIDENCE are needed, or --serve alone")
    # Products are small: threads of the linear algebra library would only wait for each other.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    loader = Loader()
    if options.serve:
        if options.compiled:
            loader.start()
        return serve(loader)
    model, claim, evidence = options.files
    answer = judge(
        {"model": model, "property": claim, "evidence": evidence, "engine": options.engine}, loader
    )
    print(json.dumps(answer) if options.json else _line(answer))
    return EXIT_CODES[answer["status"]]


def _line(answer: dict[str, Any]) -> str:
    if "reason" in answer:
        return f"{answer['status']}: {answer['rule']}: {answer['where']}: {answer['reason']}"
    return (
        f"{answer['status']}: {answer['kind']}, {answer['arithmetic']} arithmetic, "
        f"engine {answer['engine']}, "
        f"{answer['nodes']} nodes, {answer['leaves']} leaves, vacuous: {str(answer['vacuous']).lower()}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
