"""The toys as a module, wherever the tests are run from."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

TOYS = Path(__file__).with_name("toys.py")


@pytest.fixture(scope="session")
def toys() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_toys", TOYS)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def place() -> str:
    """The path that addresses begin with."""
    return str(TOYS)
