"""Reports of a dossier with a plan and of one without, made once."""

from __future__ import annotations

import pytest

from tests.unit.report import builder, sealed
from tests.unit.report.pages import Made, made


@pytest.fixture(scope="session")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A sealed dossier with a plan, reviewed but not approved."""
    report = sealed.with_disposition(sealed.with_attachment(sealed.verified("reviewer")), 1)
    changes = (builder.with_checkpoint, builder.with_disposition, builder.with_reused)
    return made(tmp_path_factory.mktemp("planned"), *changes, report=report)


@pytest.fixture(scope="session")
def unplanned(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A dossier without a plan, before it is sealed."""
    folder = tmp_path_factory.mktemp("unplanned")
    return made(folder, builder.without_plan)
