"""`hybrid-ai trace`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from hybrid_ai.cli.output import emit

DESCRIPTION = """Verify a log by itself, and prove to those who do not have it what is in it. Exit status: 0
valid, 20 no pinned key vouches for all of it, 30 damaged or tampered with, 2 bad input, 1 our own failure."""

EXIT_VALID, EXIT_NOT_ESTABLISHED, EXIT_TAMPERED = 0, 20, 30


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = DESCRIPTION
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    log = "file of entries; its checkpoints are in the folder `checkpoints` beside it"

    summary = "verify a log and its checkpoints, or a proof about one"
    verify = actions.add_parser("verify", help=summary, description=summary, allow_abbrev=False)
    what = verify.add_mutually_exclusive_group(required=True)
    what.add_argument("log", nargs="?", type=Path, metavar="LOGFILE", help=log)
    what.add_argument("--proof", type=Path, metavar="PROOF", help="what `trace prove` wrote, without the log")
    trust = "public keys in PEM that you trust; may be given several times"
    verify.add_argument("--trust", type=Path, action="append", metavar="FILE", help=trust)
    since = "earlier checkpoint that the log must extend"
    verify.add_argument("--since", type=Path, metavar="CHECKPOINT", help=since)
    verify.add_argument("--json", action="store_true", help="print one JSON object")

    summary = "write a proof that an entry is in a log, or that it extends an earlier checkpoint"
    prove = actions.add_parser("prove", help=summary, description=summary, allow_abbrev=False)
    prove.add_argument("log", type=Path, metavar="LOGFILE", help=log)
    of = prove.add_mutually_exclusive_group(required=True)
    of.add_argument("--entry", type=int, metavar="N", help="number of the entry, from 0")
    of.add_argument("--since", type=Path, metavar="CHECKPOINT", help="the earlier checkpoint")
    prove.add_argument("-o", "--output", type=Path, required=True, metavar="PROOF", help="receives the proof")
    prove.set_defaults(json=False)


def execute(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    from hybrid_ai.audit.verification.options import BadUsage
    from hybrid_ai.audit.verification.program import refusal_text
    from hybrid_ai.audit.verification.rejected import Refused
    from hybrid_ai.pipeline.errors import BadInput

    try:
        return {"verify": _verify, "prove": _prove}[options.action](options)
    except Refused as error:
        emit(refusal_text(error, as_json=options.json))
        return EXIT_TAMPERED
    except BadUsage as error:
        raise BadInput(str(error)) from error


def _verify(options: argparse.Namespace) -> int:
    from hybrid_ai.audit.log_proofs import read_proof, verify_proof
    from hybrid_ai.audit.log_verification import verify_trace
    from hybrid_ai.audit.verification.options import read_since, read_trust_files

    trust = read_trust_files(options.trust or ())
    since = None if options.since is None else read_since(options.since)
    if options.proof is not None:
        report = verify_proof(read_proof(options.proof), str(options.proof), trust, since)
    else:
        report = verify_trace(options.log, trust, since)
    emit(json.dumps(report.contents()) if options.json else report.text())
    return EXIT_VALID if report.established else EXIT_NOT_ESTABLISHED


def _prove(options: argparse.Namespace) -> int:
    from hybrid_ai.audit.log_proofs import prove_consistency, prove_inclusion
    from hybrid_ai.audit.verification.options import read_since
    from hybrid_ai.pipeline.files import require_writable, write_atomically

    require_writable(options.output, "-o", inputs=(options.log, options.since))
    if options.since is not None:
        proof = prove_consistency(options.log, read_since(options.since))
    else:
        proof = prove_inclusion(options.log, options.entry)
    write_atomically(options.output, proof)
    emit(f"{options.output}: written")
    return 0
