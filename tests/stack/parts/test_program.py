"""The version of a third-party program, and what is printed of it."""

from __future__ import annotations

import pytest
from fleet_stack.fetch.vendor import Pin, load_pins
from fleet_stack.parts.program import (
    Program,
    decide_objection,
    parse_version,
    render_program,
)

PIN = Pin("3.1.0", "", {}, "2.42", ("3.0.1",))


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("prometheus, version 2.42.0+ds (branch: debian/sid, revision: 2.42.0+ds-5+b5)", "2.42.0"),
        ("alertmanager, version 0.34.1 (branch: HEAD)", "0.34.1"),
        ("grafana version 12.4.1", "12.4.1"),
        ("grafana version unknown-dev", None),
        ("", None),
    ],
)
def test_versions_are_read(output, version):
    """Each program tells its version in its own words."""
    assert parse_version(output) == version


@pytest.mark.parametrize(
    ("version", "objection"),
    [
        ("2.42.0", None),
        ("3.10.0", None),
        ("2.9.9", "too old"),
        ("3.0.1", "known faults"),
        (None, "does not report"),
    ],
)
def test_versions_are_judged(version, objection):
    """Numbers are compared as numbers, and refused releases are refused."""
    found = decide_objection(PIN, version)

    assert found is None if objection is None else objection in found


def test_login_of_an_external_program_is_not_reported():
    """The line goes to the terminal, and from there into logs."""
    program = Program("prometheus", origin="external", url="http://me:pw7@prometheus.lan:9090")

    assert "prometheus.lan:9090" in render_program(program)
    assert "pw7" not in render_program(program)


def test_pins_are_complete():
    """Every pinned release passes its own rules and has a sha256 for both architectures."""
    for pin in load_pins().values():
        assert decide_objection(pin, pin.version) is None
        assert "{arch}" in pin.url
        assert pin.version in pin.url
        assert {name: len(value) for name, value in pin.sha256.items()} == {
            "amd64": 64,
            "arm64": 64,
        }
