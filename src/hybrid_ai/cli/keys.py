"""`hybrid-ai keys`."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hybrid_ai.cli.output import emit
from hybrid_ai.pipeline.checking import PASSPHRASE

if TYPE_CHECKING:
    from hybrid_ai.audit.keys import Signer

DESCRIPTION = (
    """Make and list signing keys (Ed25519, encrypted), and collect the public keys that are trusted."""
)

KEYS = "HYBRID_AI_KEYS"


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = DESCRIPTION
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    new = actions.add_parser("new", help="make a key: NAME.pem and NAME.pub.pem", allow_abbrev=False)
    new.add_argument("name", metavar="NAME")
    add_folder(new)
    add_passphrase(new)
    add_folder(actions.add_parser("list", help="list the keys of the folder", allow_abbrev=False))
    trust = actions.add_parser("trust", help="add public keys to a file for --trust", allow_abbrev=False)
    trust.add_argument("public", nargs="+", type=Path, metavar="NAME.pub.pem")
    trust.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="receives the keys")


def add_folder(parser: argparse.ArgumentParser) -> None:
    """Declare where keys are."""
    where = f"folder of keys (default: ${KEYS}, else ~/.config/hybrid-ai/keys)"
    parser.add_argument("--keys", type=Path, metavar="FOLDER", help=where)


def add_passphrase(parser: argparse.ArgumentParser) -> None:
    """Declare where the passphrase comes from."""
    source = f"first line is the passphrase; others must not read it (default: ${PASSPHRASE}, else asked for)"
    parser.add_argument("--passphrase-file", type=Path, metavar="FILE", help=source)


def add_signer(parser: argparse.ArgumentParser) -> None:
    """Declare who signs."""
    parser.add_argument("--key", metavar="NAME", help="signing key (default: the only one of the folder)")
    add_folder(parser)
    add_passphrase(parser)


def execute(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    {"new": _new, "list": _list, "trust": _trust}[options.action](options)
    return 0


def _new(options: argparse.Namespace) -> None:
    from hybrid_ai.audit.keys import create_key

    folder = _folder(options)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    passphrase = _passphrase(options, twice=True)
    key = create_key(folder, options.name, passphrase)
    emit(
        f"key {key.key_id}\n  private: {folder / options.name}.pem\n  public: {folder / options.name}.pub.pem"
    )


def _list(options: argparse.Namespace) -> None:
    from hybrid_ai.audit.keys import list_keys

    for name, key in list_keys(_folder(options)).items():
        emit(f"{name} {key.key_id}")


def _trust(options: argparse.Namespace) -> None:
    from hybrid_ai.audit.keys import read_public
    from hybrid_ai.audit.verification.keys import KEY_FILE_LIMIT, read_trust
    from hybrid_ai.audit.verification.rejected import Refused
    from hybrid_ai.pipeline.errors import BadInput
    from hybrid_ai.pipeline.files import require_regular, write_atomically

    held = b""
    if options.output.exists():
        require_regular(options.output, KEY_FILE_LIMIT)
        held = options.output.read_bytes()
    try:
        known = set(read_trust(held, str(options.output))) if held else set()
    except Refused as error:
        raise BadInput(f"-o {error}") from error
    keys = {path: read_public(path) for path in options.public}
    for key in keys.values():
        held += b"" if key.key_id in known else key.pem
        known.add(key.key_id)
    write_atomically(options.output, held)
    for path, key in keys.items():
        emit(f"trusted {key.key_id} ({path})")


def signer_of(options: argparse.Namespace) -> Signer:
    """The signer that the options name.

    Raises:
        BadInput: there is no such key, or none or several without a name.
    """
    from hybrid_ai.audit.keys import PRIVATE_SUFFIX, load_signer
    from hybrid_ai.pipeline.errors import BadInput

    folder = _folder(options)
    name = options.key
    if name is None:
        names = sorted(path.name.removesuffix(".pub.pem") for path in folder.glob("*.pub.pem"))
        if not names:
            raise BadInput(f"{folder}: no signing key: make one with: hybrid-ai keys new NAME")
        if len(names) > 1:
            raise BadInput(f"{folder}: several keys: give --key {' or '.join(names)}")
        name = names[0]
    return load_signer(folder / f"{name}{PRIVATE_SUFFIX}", _passphrase(options))


def _folder(options: argparse.Namespace) -> Path:
    if options.keys is not None:
        return Path(options.keys)
    named = os.environ.get(KEYS)
    configuration = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(named) if named else Path(configuration).expanduser() / "hybrid-ai" / "keys"


def _passphrase(options: argparse.Namespace, *, twice: bool = False) -> str:
    from hybrid_ai.pipeline.errors import BadInput
    from hybrid_ai.pipeline.files import require_regular

    if options.passphrase_file is not None:
        require_regular(options.passphrase_file, 1 << 16)
        try:
            with open(options.passphrase_file, encoding="utf-8") as stream:
                mode = os.fstat(stream.fileno()).st_mode & 0o777
                lines = stream.read().splitlines()
        except UnicodeDecodeError as error:
            reason = f"cannot be read: {error}: write it as UTF-8"
            raise BadInput(f"{options.passphrase_file}: {reason}") from error
        if mode & 0o077:
            reason = f"others may use it (mode {mode:04o}): chmod 600 {options.passphrase_file}"
            raise BadInput(f"{options.passphrase_file}: {reason}")
        if not lines:
            raise BadInput(f"{options.passphrase_file}: is empty: write the passphrase to its first line")
        return str(lines[0])
    if PASSPHRASE in os.environ:
        return os.environ[PASSPHRASE]
    if not sys.stdin.isatty():
        raise BadInput(f"no terminal to ask for the passphrase: give --passphrase-file or set {PASSPHRASE}")
    passphrase = getpass.getpass("passphrase: ")
    if twice and getpass.getpass("again: ") != passphrase:
        raise BadInput("the passphrases differ: repeat it")
    return passphrase
