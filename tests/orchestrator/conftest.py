"""The database that these tests share (see fix_fleet), the shipped scenarios, a model server."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from fleet_orchestrator.generation import catalogue

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

from fix_fleet import fleet, module_database  # noqa: F401
from model_server import model_server  # noqa: F401

SCENARIOS = sorted(path.stem for path in (catalogue.FOLDER / "scenarios").glob("*.json"))


def pytest_generate_tests(metafunc):
    """Hand each shipped scenario to the tests that ask for a `scenario_name`."""
    if "scenario_name" in metafunc.fixturenames:
        metafunc.parametrize("scenario_name", SCENARIOS)


@pytest.fixture
def definition(scenario_name):
    """The definition of one shipped scenario."""
    path = catalogue.FOLDER / "scenarios" / f"{scenario_name}.json"
    return json.loads(path.read_text())["definition"]


@pytest.fixture
def billing():
    path = catalogue.FOLDER / "scenarios" / "healthcare_billing.json"
    return json.loads(path.read_text())["definition"]


@pytest.fixture
def template():
    return (catalogue.FOLDER / "prompts" / "one_shot.j2").read_text()
