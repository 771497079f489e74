"""What tests of hazards share."""

from __future__ import annotations

import os
import random

import pytest


@pytest.fixture
def dice() -> random.Random:
    """Chance that can be repeated: ``PROOF_SEED`` (1 unless set) is the seed, and is reported."""
    return random.Random(int(os.environ.get("PROOF_SEED", "1")))
