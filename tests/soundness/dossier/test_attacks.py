"""Every attack is refused at the lowest level that can see it, and by no lower one."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from hybrid_ai.audit.verification.rejected import Refused
from tests.soundness.dossier.attacks import BELOW, Asked, Attack, judged
from tests.soundness.dossier.attacks_on_zips import ON_ZIPS, ZipAttack, packed
from tests.soundness.dossier.conftest import Real
from tests.soundness.dossier.copies import Copy, files_of
from tests.soundness.dossier.table import TABLE

LEVELS: tuple[Asked, ...] = ("integrity", "authenticity", "since", "proof")


def shape(root: Path) -> list[tuple[str, int, int, bytes]]:
    """All there is below a folder: names, kinds, sizes and, of small regular files, bytes."""
    found = []
    for folder, names, files in os.walk(root):
        for name in (*names, *files):
            path = Path(folder, name)
            status = path.lstat()
            small = path.is_file() and not path.is_symlink() and status.st_size < 1 << 20
            data = path.read_bytes() if small else b""
            found.append((os.fspath(path.relative_to(root)), status.st_mode, status.st_size, data))
    return sorted(found)


@pytest.mark.parametrize("attack", TABLE, ids=lambda attack: attack.name)
def test_attack(attack: Attack, attacked: Callable[[], Copy], real: Real) -> None:
    copy = attacked()
    attack.act(copy)
    assert shape(copy.root) != shape(real.root)
    for below in BELOW[attack.level]:
        assert judged(copy.root, below, real.newest).established
    if not attack.refused:
        (status,) = judged(copy.root, attack.level, real.newest).levels
        assert not status.established
        assert re.search(attack.reason, status.detail)
        return
    with pytest.raises(Refused) as caught:
        judged(copy.root, attack.level, real.newest)
    expected = "authenticity" if attack.level == "since" else attack.level
    assert caught.value.level == expected, str(caught.value)
    assert re.fullmatch(attack.where, caught.value.where), str(caught.value)
    assert re.search(attack.reason, caught.value.reason), str(caught.value)


@pytest.mark.parametrize("attack", ON_ZIPS, ids=lambda attack: attack.name)
def test_attack_on_a_zip(attack: ZipAttack, real: Real, tmp_path: Path) -> None:
    path = tmp_path / "dossier.zip"
    files = files_of(real.root)
    data = attack.act(files)
    assert data != packed(files)
    path.write_bytes(data)
    with pytest.raises(Refused) as caught:
        judged(path, "integrity", real.newest)
    assert caught.value.level == "integrity"
    where = "dossier.zip" if attack.where == ".zip" else attack.where
    assert re.fullmatch(where, caught.value.where), str(caught.value)
    assert re.search(attack.reason, caught.value.reason), str(caught.value)


@pytest.mark.parametrize("level", LEVELS)
def test_the_untouched_dossier_is_accepted_at_every_level(level: Asked, real: Real, tmp_path: Path) -> None:
    path = tmp_path / "dossier.zip"
    path.write_bytes(packed(files_of(real.root)))
    for form in (real.root, path):
        assert judged(form, level, real.newest).established


def test_what_makers_make_anew_unchanged_is_accepted(attacked: Callable[[], Copy], real: Real) -> None:
    """Else the attacks by makers would be refused for how they are made."""
    copy = attacked()
    copy.replace(copy.maker().sealed().finish())
    assert shape(copy.root) != shape(real.root)
    for level in ("integrity", "authenticity", "proof"):
        assert judged(copy.root, level, real.newest).established


def test_the_table_is_as_long_as_it_is_said_to_be() -> None:
    assert len({attack.name for attack in TABLE}) == len(TABLE) >= 60
    assert len({attack.name for attack in ON_ZIPS}) == len(ON_ZIPS) >= 20
    assert {attack.level for attack in TABLE} == set(LEVELS)
