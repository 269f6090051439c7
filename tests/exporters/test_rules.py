"""The settings that the node agent brings decide how far the machine is held back."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from fleet_exporters.decision.rules import DEFAULTS, Bands, RulesError, RulesFile, parse_rules
from fleet_exporters.decision.verdict import Decider

CATALOGUE = Path(__file__).parents[2] / "timescale" / "data" / "settings.json"


def content(version=1, process_ids=(), **settings):
    """Return the file as the agent writes it."""
    return json.dumps(
        {"version": version, "settings": settings, "process_ids": list(process_ids)}
    )  # fmt: skip


def test_defaults_are_those_of_the_catalogue():
    """Before the agent has spoken the same holds as afterwards, when nobody has set anything."""
    shipped = {entry["key"]: entry["default"] for entry in json.loads(CATALOGUE.read_text())}

    assert parse_rules(content(**shipped)) == DEFAULTS


def test_every_setting_has_its_effect():
    """Factors, the bands of each kind of device, and our processes come from the file."""
    rules = parse_rules(
        content(
            process_ids=[7, 8],
            manual_throttle_factor=0.1,
            work_throttle_factor=0.2,
            on_battery_throttle_factor=0.3,
            warm_throttle_factor=0.4,
            throttle_gpu_warm_celsius=85,
            throttle_gpu_warm_ends_celsius=80,
            throttle_gpu_hot_celsius=92,
            throttle_gpu_hot_ends_celsius=86,
        )
    )

    factors = (rules.manual_factor, rules.work_factor, rules.battery_factor, rules.warm_factor)
    assert factors == (0.1, 0.2, 0.3, 0.4)
    assert rules.bands == {"cpu": Bands(), "gpu": Bands(85, 80, 92, 86)}
    assert rules.process_ids == (7, 8)


def test_level_never_ends_above_its_beginning():
    """Bands that contradict each other still let a device cool down."""
    assert parse_rules(content(throttle_cpu_warm_celsius=60)).bands["cpu"].warm_ends == 60


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is not as expected"),
        ("[]", "is not as expected"),
        (content(version=2), "has version 2, not 1"),
        (content(manual_throttle_factor="much"), "is not as expected"),
    ],
)
def test_unusable_file_is_refused(text, told):
    """What cannot be read says why."""
    with pytest.raises(RulesError, match=told):
        parse_rules(text)


def test_changed_file_is_read_again(tmp_path):
    """Missing: defaults; replaced: the new values; broken: the last ones."""
    file, seen = RulesFile(tmp_path), []
    for text in (None, content(manual_throttle_factor=0.5), "{", content()):
        if text is not None:
            (tmp_path / "new").write_text(text)
            os.replace(tmp_path / "new", tmp_path / "settings.json")  # noqa: PTH105 - as agents do
        seen.append(file.read().manual_factor)

    assert seen == [1.0, 0.5, 0.5, 1.0]


def test_settings_reach_the_verdict(tmp_path):
    """A manual factor of the configuration is in force at the next tick."""
    decider = Decider(read_rules=RulesFile(tmp_path).read, clock=lambda: 0)
    before = decider.decide([]).throttle_factor
    (tmp_path / "settings.json").write_text(content(manual_throttle_factor=0.25))

    after = decider.decide([])

    assert (before, after.throttle_factor) == (1.0, 0.25)
    assert after.reason == "held at 25% by a setting"
