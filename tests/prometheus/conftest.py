"""Prometheus and its tool; where they come from is the launcher's business."""

from __future__ import annotations

import os

import pytest
from fleet_stack.parts.programs import find_tools


@pytest.fixture(scope="session")
def tools():
    return find_tools(os.environ, print)


@pytest.fixture(scope="session")
def promtool(tools):
    return tools["promtool"]
