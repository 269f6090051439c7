"""The tool that checks our page; where it comes from is the launcher's business."""

from __future__ import annotations

import os

import pytest
from fleet_stack.programs import find_tools


@pytest.fixture(scope="session")
def promtool():
    return find_tools(os.environ, print)["promtool"]
