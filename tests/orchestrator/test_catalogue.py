"""Scenario files and prompt templates on their way into the database."""

from __future__ import annotations

import json
import shutil

import pytest
from fleet_orchestrator.errors import ScenarioError
from fleet_orchestrator.generation import catalogue
from fleet_orchestrator.generation.prompt import render_outline
from fleet_orchestrator.quality.call import Conversation
from fleet_orchestrator.quality.order import CHECKS

NAMES = {
    "healthcare_billing", "healthcare_appointment", "prescription_refill", "insurance_denial",
    "lab_results", "insurance_claim", "technical_support", "order_status", "cancellation",
    "complaint",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """A copy of the shipped files, to be changed."""
    for name in ("scenarios", "prompts"):
        shutil.copytree(catalogue.FOLDER / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def entry(billing):
    return {"title": "Billing", "is_healthcare": True, "definition": billing}


def test_ten_scenarios_ship(fleet):
    """Each one is loaded under its name, healthcare ones marked."""
    rows = fleet.rows("SELECT scenario, is_healthcare FROM analytics.scenarios")

    assert {row["scenario"] for row in rows} == NAMES
    assert sum(row["is_healthcare"] for row in rows) == 6


def test_worked_example_passes_the_checks(definition):
    """The example that the model learns from is itself a conversation that we accept."""
    example = definition["example"]
    outline = render_outline(definition, example["values"], len(example["texts"]))
    turns = [
        {"speaker": line.speaker, "text": text}
        for line, text in zip(outline, example["texts"], strict=True)
    ]
    conversation = Conversation(turns, 6, 8, outline=[line.does for line in outline])

    assert [finding for check in CHECKS if (finding := check(conversation))] == []


@pytest.mark.parametrize("part", catalogue.REQUIRED)
def test_missing_part_is_named(entry, part):
    """A scenario without a part that generation needs is refused when it is loaded."""
    del entry["definition"][part]

    with pytest.raises(ScenarioError, match=f"scenario mine lacks {part}"):
        catalogue.parse_scenario("mine", json.dumps(entry))


def test_healthcare_scenario_says_what_the_rules_must_know(entry):
    """What is protected and how emergencies are answered is missed in these scenarios alone."""
    del entry["definition"]["healthcare"]

    with pytest.raises(ScenarioError, match="scenario mine lacks healthcare"):
        catalogue.parse_scenario("mine", json.dumps(entry))

    entry["is_healthcare"] = False
    assert catalogue.parse_scenario("mine", json.dumps(entry))["scenario"] == "mine"


@pytest.mark.parametrize("part", ["agent", "customer", "is_required"])
def test_missing_part_of_a_phase_is_named(entry, part):
    """Also what is missing deeper inside has its place in the sentence."""
    del entry["definition"]["phases"][2][part]

    with pytest.raises(ScenarioError, match=rf"lacks phases\[2\].{part}"):
        catalogue.parse_scenario("mine", json.dumps(entry))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"title": "x"}', '{"definition": []}', "null"])
def test_unreadable_scenario_is_refused(text):
    """What is no scenario at all names itself and a remedy."""
    with pytest.raises(ScenarioError, match=r"scenario mine cannot be read: .*compare with"):
        catalogue.parse_scenario("mine", text)


def test_loading_twice_changes_nothing(fleet):
    """An unchanged prompt keeps its version."""
    catalogue.load(fleet.connection())

    assert fleet.rows("SELECT name, version, method FROM fleet.prompts ORDER BY name") == [
        {"name": "line_by_line", "version": 1, "method": "line_by_line"},
        {"name": "one_shot", "version": 1, "method": "one_shot"},
    ]


def test_changed_prompt_is_a_new_version(fleet, folder):
    """The old version stays for the conversations that it wrote; the newest is used."""
    template = folder / "prompts" / "one_shot.j2"
    template.write_text(template.read_text() + "\n{# changed #}\n")

    with fleet.connection().transaction(force_rollback=True):
        for _ in range(2):
            catalogue.load(fleet.connection(), folder)

        versions = fleet.rows(
            "SELECT version, template FROM fleet.prompts WHERE name = 'one_shot' ORDER BY version"
        )
        assert [row["version"] for row in versions] == [1, 2]
        assert "changed" in versions[1]["template"]


def test_weight_set_by_people_stays(fleet, folder):
    """Loading the files again does not undo what an operator chose."""
    with fleet.connection().transaction(force_rollback=True):
        fleet.rows("UPDATE fleet.scenarios SET weight = 3 WHERE scenario = 'complaint'")

        catalogue.load(fleet.connection(), folder)

        kept = fleet.value("SELECT weight FROM fleet.scenarios WHERE scenario = 'complaint'")
        assert kept == 3
