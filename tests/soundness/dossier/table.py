"""All attacks on folders."""

from __future__ import annotations

from tests.soundness.dossier.attacks import Attack
from tests.soundness.dossier.attacks_by_makers import MAKER_ROWS
from tests.soundness.dossier.attacks_on_files import ON_FILES
from tests.soundness.dossier.attacks_on_json import JSON_ROWS
from tests.soundness.dossier.attacks_on_log import LOG_ROWS
from tests.soundness.dossier.attacks_on_seals import SEAL_ROWS
from tests.soundness.dossier.attacks_on_signatures import SIGNATURE_ROWS

TABLE: tuple[Attack, ...] = (*ON_FILES, *LOG_ROWS, *SIGNATURE_ROWS, *MAKER_ROWS, *SEAL_ROWS, *JSON_ROWS)
