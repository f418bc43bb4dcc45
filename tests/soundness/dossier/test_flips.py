"""Every file of a dossier: with a flipped bit, missing, cut off, and under a name in another case."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from hybrid_ai.audit.verification.rejected import Refused
from tests.audit_builder import AUTHOR, REVIEWER
from tests.soundness.dossier.attacks import judged
from tests.soundness.dossier.conftest import Real
from tests.soundness.dossier.copies import (
    ATTACHED,
    ENTRIES,
    EVIDENCE,
    MODEL,
    PROPERTIES,
    SIGNED,
    STATEMENTS,
    Copy,
    checkpoint,
    files_of,
    key_file,
)

LISTED = (
    "README.md",
    "bom.cdx.json",
    "report.fr.html",
    "report.html",
    "results.json",
    "ro-crate-metadata.json",
    "verify.py",
    MODEL,
    *EVIDENCE,
    *PROPERTIES,
    *STATEMENTS,
)
UNLISTED = (ATTACHED, SIGNED, *map(checkpoint, (6, 7, 8)), key_file(AUTHOR), key_file(REVIEWER))
FILES = (*LISTED, *UNLISTED, "dossier.json", ENTRIES)
FLIPS = 4


def test_these_are_all_files(real: Real) -> None:
    assert sorted(FILES) == sorted(files_of(real.root))


def refusal(root: Path, real: Real) -> Refused:
    with pytest.raises(Refused) as caught:
        judged(root, "integrity", real.newest)
    assert caught.value.level == "integrity"
    return caught.value


def is_named(error: Refused, path: str) -> bool:
    """Whether the file is named, or what stands in for it: a wrong hash is seen at the file that it is of."""
    if path == "dossier.json":  # a flip in a name makes it the name of a file that is missing
        renamed = error.where not in FILES and error.reason == "is missing"
        return renamed or error.where.startswith(("dossier.json", ENTRIES)) or error.where in LISTED
    if path == ENTRIES:
        return error.where.startswith((ENTRIES, "trace/checkpoints/"))
    return error.where == path or error.where.startswith(f"{path}: ")


@pytest.mark.parametrize("path", FILES)
def test_a_flipped_bit(path: str, attacked: Callable[[], Copy], real: Real) -> None:
    copy, chosen = attacked(), random.Random(path)
    data = copy.read(path)
    for place in {0, len(data) - 1, *(chosen.randrange(len(data)) for _ in range(FLIPS))}:
        flipped = bytes([data[place] ^ 1 << chosen.randrange(8)])
        copy.write(path, data[:place] + flipped + data[place + 1 :])
        error = refusal(copy.root, real)
        assert is_named(error, path), f"byte {place}: {error}"


@pytest.mark.parametrize("path", FILES)
def test_a_missing_file(path: str, attacked: Callable[[], Copy], real: Real) -> None:
    copy = attacked()
    copy.remove(path)
    error = refusal(copy.root, real)
    assert (error.where, error.reason) == (path, "is missing")


@pytest.mark.parametrize("path", FILES)
def test_a_file_without_its_last_byte_or_with_one_more(
    path: str, attacked: Callable[[], Copy], real: Real
) -> None:
    copy = attacked()
    data = copy.read(path)
    for changed in (data[:-1], data + b"\n"):
        copy.write(path, changed)
        assert is_named(refusal(copy.root, real), path)


@pytest.mark.parametrize("path", FILES)
def test_a_name_in_another_case(path: str, attacked: Callable[[], Copy], real: Real) -> None:
    copy = attacked()
    name = Path(path).name
    copy.move(path, path.removesuffix(name) + name.swapcase())
    error = refusal(copy.root, real)
    assert error.where in (path, path.removesuffix(name) + name.swapcase())
