"""What the tests of whole dossiers have in common."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hybrid_ai.audit.verification.container import open_container
from hybrid_ai.audit.verification.dossier import Report, verify_dossier
from hybrid_ai.audit.verification.rejected import Level
from hybrid_ai.audit.verification.reproof import Reprover
from tests.audit_builder import (
    AUTHOR,
    Key,
    Writer,
    made_up_writer,
    write_folder,
)

Files = dict[str, bytes]

NOTE5, NOTE7 = "trace/checkpoints/000000000005.note", "trace/checkpoints/000000000007.note"

# Stands for the checker: says what the file `answer` beside it says, or what it is told to.
SCRIPT = """
import json, sys
evidence = open(sys.argv[3], "rb").read()
kind = "counterexample" if evidence[:1] == b"{" else "certificate"
answer = {"status": "valid", "kind": kind, "arithmetic": "real" if kind == "counterexample" else "both",
          "vacuous": False, "engine": sys.argv[5]}
answer.update(json.loads(%r).get(kind, {}))
if kind == "certificate":
    answer.update(json.loads(%r).get(sys.argv[5], {}))
print(json.dumps(answer))
"""


def pretender(
    by_kind: Mapping[str, Any] | None = None, by_engine: Mapping[str, Any] | None = None
) -> tuple[str, ...]:
    script = SCRIPT % (json.dumps(by_kind or {}), json.dumps(by_engine or {}))
    return (sys.executable, "-I", "-S", "-c", script)


def reprover(command: tuple[str, ...] | None = None, budget: float | None = None) -> Reprover:
    return Reprover(command or pretender(), "fast", budget)


def known(*keys: Key) -> dict[str, bytes]:
    return {key.name: key.public for key in keys}


def sealed_writer(key: Key = AUTHOR) -> Writer:
    writer = made_up_writer(key)
    writer.seal()
    return writer


def whole_writer() -> Writer:
    writer = sealed_writer()
    writer.attach("log.txt", b"flight 7")
    writer.sign("reviewer", organisation="Example", name="R.")
    return writer


def verified(files: Files, folder: Path, *levels: Level, **options: Any) -> Report:
    options = {"trust": {}, **options}
    root = write_folder(files, folder / "dossier")
    return verify_dossier(open_container(root), levels=frozenset(levels or ("integrity",)), **options)
