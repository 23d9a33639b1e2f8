"""The backend fixture.  The folder is put on the path for `core_reference`, which tests share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from core_reference import Arrays, Backend


@pytest.fixture(params=list(Backend), ids=lambda b: b.name.lower())
def arrays(request: pytest.FixtureRequest) -> Arrays:
    """Every behaviour runs in every library; one that is not installed is skipped by name."""
    return Arrays(request.param)
