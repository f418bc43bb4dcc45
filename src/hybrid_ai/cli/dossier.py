"""`hybrid-ai dossier`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from hybrid_ai.cli.keys import add_signer, signer_of
from hybrid_ai.cli.output import emit

if TYPE_CHECKING:
    from hybrid_ai.pipeline.dossiers import Signature
    from hybrid_ai.pipeline.replay import Replayed

DESCRIPTION = """Verify, show, replay, extend, sign and pack dossiers. Exit status: 0 valid, 20 a level could
not be established, or another process adds to it (run it again), 30 damaged or tampered with, 2 bad input,
1 our own failure."""

EXIT_UNKNOWN, EXIT_BUSY, EXIT_TAMPERED = 20, 20, 30
READING = ("show", "replay", "report", "zip")


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = DESCRIPTION
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, summary: str, takes: str = "folder or zip") -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        added.add_argument("dossier", type=Path, metavar="DOSSIER", help=takes)
        return added

    _add_verify(action("verify", "verify integrity, authenticity and proofs, offline"))
    action("show", "print results, signatures and attachments").add_argument("--json", action="store_true")
    replay = action("replay", "judge all evidence again, in ONNX Runtime as well, and lower the plan again")
    replay.add_argument("--engine", choices=["fast", "exact"], default="fast")
    replay.add_argument("--search", action="store_true", help="repeat the searches with the recorded limits")
    seconds = "at most so long for each search (default: as recorded)"
    replay.add_argument("--timeout", type=float, metavar="S", help=seconds)
    attach = action("attach", "add a file or a trace as a signed entry, also to a foreign folder", "folder")
    attach.add_argument("file", type=Path, metavar="FILE")
    attach.add_argument("--note", default="", metavar="TEXT", help="what is said about it")
    add_signer(attach)
    _add_dispose(action("dispose", "say what becomes of an item that was not proved", "folder"))
    _add_sign(action("sign", "sign in a role; as an approver once all items are disposed of", "folder"))
    diff = action("diff", "list what changed since an older dossier: models, requirements, tool, verdicts")
    diff.add_argument("newer", type=Path, metavar="NEWER", help="folder or zip")
    diff.add_argument("--json", action="store_true")
    _add_report(action("report", "draw the report as the dossier stands, signatures included"))
    pack = action("zip", "write it as a zip")
    pack.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.zip")


def _add_verify(parser: argparse.ArgumentParser) -> None:
    from hybrid_ai.audit.verification.program import add_options

    add_options(parser)


def _add_report(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option("-o", "--output", type=Path, required=True, metavar="FILE", help="ends in .html or .pdf")
    option("--language", choices=["en", "fr"], default="en")
    keys = "pinned public keys (PEM): the report says whose signatures are by them (repeatable)"
    option("--trust", type=Path, action="append", default=[], metavar="FILE", help=keys)


def _add_dispose(parser: argparse.ArgumentParser) -> None:
    from hybrid_ai.audit.dispositions import KINDS
    from hybrid_ai.audit.verification.sealing import ROLES

    option = parser.add_argument
    option("item", metavar="ITEM", help="a requirement; without a plan the number of a result, such as 0003")
    option("--as", dest="kind", choices=KINDS, required=True, help="what becomes of it")
    option("--rationale", required=True, metavar="TEXT", help="why; for `fixed`, in which version")
    option("--role", choices=ROLES, required=True, help="in which it is said")
    add_signer(parser)


def _add_sign(parser: argparse.ArgumentParser) -> None:
    from hybrid_ai.audit.verification.sealing import ROLES

    option = parser.add_argument
    option("--role", choices=ROLES, help="in which it is signed")
    option("--statement", default="", metavar="TEXT", help="what the signer states")
    option("--organisation", metavar="TEXT", help="as the signer declares it")
    option("--name", metavar="TEXT", help="of the signer")
    option("--digest", metavar="HEX", help="that the dossier must have, as certify printed it")
    option("--export-payload", type=Path, metavar="FOLDER", help="write what a signer elsewhere signs")
    option("--public-key", type=Path, metavar="FILE", help="of that signer (PEM)")
    option("--import-signature", type=Path, metavar="FOLDER", help="add the signature made elsewhere")
    add_signer(parser)


def execute(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    from hybrid_ai.audit.verification.program import BUSY
    from hybrid_ai.audit.verification.rejected import Refused
    from hybrid_ai.pipeline.busy import is_busy
    from hybrid_ai.pipeline.errors import BadInput

    actions = {
        "show": _show,
        "replay": _replay,
        "attach": _attach,
        "dispose": _dispose,
        "sign": _sign,
        "diff": _diff,
        "report": _report,
        "zip": _zip,
    }
    if options.action == "verify":
        return _verify(options)
    for path in (options.dossier, *([options.newer] if options.action == "diff" else [])):
        if not path.exists():
            raise BadInput(f"{path}: is missing: give a dossier")
    try:
        return actions[options.action](options)
    except (Refused, FileNotFoundError) as error:
        # Who adds has the lock, and is refused only what is damaged.
        if options.action in READING and is_busy(options.dossier, error):
            emit(f"busy: {BUSY}")
            return EXIT_BUSY
        if not isinstance(error, Refused):
            raise
        emit(f"refused ({error.level}): {error}")
        return EXIT_TAMPERED


def _verify(options: argparse.Namespace) -> int:
    from functools import partial
    from hashlib import sha256

    from hybrid_ai.audit.standalone import generate
    from hybrid_ai.audit.verification.program import execute as verify
    from hybrid_ai.pipeline.busy import is_busy
    from hybrid_ai.pipeline.checking import COMMAND

    own, busy = sha256(generate()).hexdigest(), partial(is_busy, options.dossier)
    return verify(options, COMMAND, own, name="hybrid-ai dossier verify", is_busy=busy)


def _show(options: argparse.Namespace) -> int:
    from hybrid_ai.pipeline.showing import contents, shown

    emit(json.dumps(contents(options.dossier)) if options.json else shown(options.dossier))
    return 0


def _replay(options: argparse.Namespace) -> int:
    from hybrid_ai.cli.progress import observed
    from hybrid_ai.pipeline.dossiers import unpacked
    from hybrid_ai.pipeline.errors import BadInput
    from hybrid_ai.pipeline.plans.restating import restate
    from hybrid_ai.pipeline.replay import replay

    if options.timeout is not None and not options.search:
        raise BadInput("--timeout is about --search, which is not asked for")

    def show(replayed: Replayed) -> None:
        emit(replayed.line())

    with unpacked(options.dossier) as folder, observed() as observer:
        found = replay(
            folder,
            engine=options.engine,
            search=options.search,
            timeout=options.timeout,
            observer=observer,
            on_result=show,
        )
        plan = restate(folder)
    if plan is not None:
        emit(plan.line())
    counts: list[str] = [each.agreement for each in found]
    emit(", ".join(f"{counts.count(name)} {name}" for name in dict.fromkeys(counts)) or "no results")
    if plan is not None:
        counts.append(plan.agreement)
    if "contradicts" in counts:
        return EXIT_TAMPERED
    return EXIT_UNKNOWN if "cannot be read again" in counts else 0


def _attach(options: argparse.Namespace) -> int:
    from hybrid_ai.pipeline.dossiers import attach

    signer = signer_of(options)
    path = attach(options.dossier, options.file, signer, options.note)
    emit(f"attached {path}, signed by {signer.key_id}")
    return 0


def _dispose(options: argparse.Namespace) -> int:
    from hybrid_ai.audit.dispositions import Disposition
    from hybrid_ai.pipeline.dossiers import dispose

    signer = signer_of(options)
    said = Disposition(options.item, options.kind, options.rationale, options.role)
    path = dispose(options.dossier, said, signer)
    emit(f"{options.item} {options.kind}: {path}, signed by {signer.key_id}")
    return 0


def _diff(options: argparse.Namespace) -> int:
    from hybrid_ai.pipeline.comparing import compare

    found = compare(options.dossier, options.newer)
    if options.json:
        rows = [{"requirement": each.requirement, **each.changes()} for each in found]
        emit(json.dumps({"differences": rows}))
        return 0
    for each in found:
        emit(each.line())
    emit(f"{len(found)} difference{'' if len(found) == 1 else 's'}")
    return 0


def _sign(options: argparse.Namespace) -> int:
    from hybrid_ai.pipeline.dossiers import export_payload, import_signature, sign

    if options.import_signature is not None:
        added = import_signature(options.dossier, options.import_signature, options.digest)
        emit(f"signed: {added.path}; digest {added.digest}")
        return 0
    signature = _signature(options)
    if options.export_payload is not None:
        key, folder = _public_key(options), options.export_payload
        digest = export_payload(options.dossier, signature, key, folder, options.digest)
        emit(f"to be signed: {folder}/envelope.bin and checkpoint.bin, each to .sig; digest {digest}")
        return 0
    signer = signer_of(options)
    added = sign(options.dossier, signature, signer, options.digest)
    emit(f"signed: {added.path}, by {signer.key_id}; digest {added.digest}")
    return 0


def _signature(options: argparse.Namespace) -> Signature:
    from hybrid_ai.pipeline.dossiers import Signature
    from hybrid_ai.pipeline.errors import BadInput

    if options.role is None:
        raise BadInput("--role is missing: give author, verifier, reviewer or approver")
    return Signature(options.role, options.statement, options.organisation, options.name)


def _public_key(options: argparse.Namespace) -> bytes:
    from hybrid_ai.audit.keys import read_public
    from hybrid_ai.pipeline.errors import BadInput

    if options.public_key is None:
        raise BadInput("--export-payload needs --public-key FILE, the signer's")
    return read_public(options.public_key).raw


def _report(options: argparse.Namespace) -> int:
    from hybrid_ai.audit.verification.options import BadUsage, read_trust_files
    from hybrid_ai.pipeline.errors import BadInput
    from hybrid_ai.pipeline.reporting import write_report

    try:
        trust = read_trust_files(options.trust)
    except BadUsage as error:
        raise BadInput(str(error)) from error
    write_report(options.dossier, options.output, options.language, trust)
    emit(f"{options.output}: written")
    return 0


def _zip(options: argparse.Namespace) -> int:
    from hybrid_ai.pipeline.dossiers import zip_dossier

    zip_dossier(options.dossier, options.output)
    emit(f"{options.output}: written")
    return 0
