"""The larger runs of this folder: too long for every change, taken when HYBRID_AI_LAB is set."""

from __future__ import annotations

import os

import pytest

LAB = pytest.mark.skipif(not os.environ.get("HYBRID_AI_LAB"), reason="HYBRID_AI_LAB not set")
