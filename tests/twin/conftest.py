"""A simulated machine for each test (see simulated.py)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import simulated
from fix_fleet import module_database  # noqa: F401


@pytest.fixture
def run():
    """Make a run of a kind of machine."""
    return simulated.Run
