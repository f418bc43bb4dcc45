"""Plans with one thing wrong: its line, its key, what is said, and that nothing else is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.unit.pipeline.plans import broken_meaning, broken_values
from tests.unit.pipeline.plans.broken_values import Broken
from tests.unit.pipeline.plans.plan_files import defects_of, write_files
from tests.unit.pipeline.plans.plan_texts import edited, line_of

ALL = {
    f"{group}: {name}": case
    for group, cases in (
        ("keys", broken_values.KEYS),
        ("numbers", broken_values.NUMBERS),
        ("texts", broken_values.TEXTS),
        ("choices", broken_values.CHOICES),
        ("references", broken_meaning.REFERENCES),
        ("quantities", broken_meaning.QUANTITIES),
        ("files", broken_meaning.FILES),
        ("formulas", broken_meaning.FORMULAS),
    )
    for name, case in cases.items()
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_files(tmp_path_factory.mktemp("plan"))


@pytest.mark.parametrize("case", ALL.values(), ids=ALL)
def test_one_thing_is_wrong(folder: Path, case: Broken) -> None:
    text = edited(*case.edits)
    plan = folder / "plan.toml"
    plan.write_text(text)
    found = defects_of(plan)
    assert len(found) == 1, [str(defect) for defect in found]
    assert (found[0].file, found[0].line, found[0].key) == (str(plan), line_of(text, case.at), case.key)
    assert [word for word in case.says if word not in found[0].reason] == [], found[0].reason


def test_an_unreadable_file_is_told_before_its_meaning(tmp_path: Path, folder: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / "plan.toml").write_text(edited(('"first.onnx"', '"gone.onnx"')))
    (found,) = defects_of(tmp_path / "copy" / "plan.toml")
    assert found.key == "model[1].path"
