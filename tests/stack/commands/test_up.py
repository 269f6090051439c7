"""When `up` has something to do."""

from __future__ import annotations

import argparse
import json
import socket
from dataclasses import replace

import pytest
from fleet_stack.commands import up
from fleet_stack.home import stack
from fleet_stack.home.account import load_current
from fleet_stack.home.errors import PortError
from fleet_stack.home.homes import Home
from fleet_stack.home.placement import Placement
from fleet_stack.home.ports import SERVICES
from fleet_stack.home.secrets import Secrets
from fleet_stack.home.stack import ABSENT, EXTERNAL, NAMES, Decision, Part
from fleet_stack.parts.models import ModelError, check_own_model
from fleet_stack.run import checksums
from fleet_stack.run.preflight import Preflight

ENVIRON = {"PATH": ""}


@pytest.fixture
def decision(tmp_path):
    """All parts are somebody else's: well without anything that runs."""
    inputs = stack.digest_inputs(ENVIRON, checksums.digest(checksums.ALL))
    parts = dict.fromkeys(NAMES, Part(EXTERNAL, "http://x"))
    return Decision(parts, "alpha", str(tmp_path / "run"), inputs)


@pytest.fixture
def home(tmp_path):
    ports = dict.fromkeys(SERVICES, 1)
    (tmp_path / "ports.json").write_text(json.dumps(ports))
    return Home(tmp_path)


def test_nothing_is_done_for_a_home_that_is_well(home, decision):
    """The second `up` only looks."""
    assert up.is_complete(home, decision, ENVIRON)


@pytest.mark.parametrize("text", ["0", "-1", "201", "many", ""])
def test_a_twin_has_from_one_to_two_hundred_nodes(text):
    """None would be a real fleet, which needs another home."""
    assert up.parse_count("50") == 50
    with pytest.raises(argparse.ArgumentTypeError, match="from 1 to 200"):
        up.parse_count(text)


def test_new_setting_is_something_to_do(home, decision):
    """A named model is to be served."""
    assert not up.is_complete(home, decision, {**ENVIRON, "FLEET_MODEL": "/a.gguf"})


def test_newer_checkout_is_something_to_do(home, decision):
    """After `git pull` code, migrations and rules are not those that run."""
    older = stack.digest_inputs(ENVIRON, "an older checkout")

    assert not up.is_complete(home, replace(decision, inputs=older), ENVIRON)


def test_lost_ports_are_something_to_do_and_no_error(home, decision):
    """The advice of a port's error is to remove the file and to run `up` again."""
    home.path("ports.json").unlink()

    assert not up.is_complete(home, decision, ENVIRON)


@pytest.mark.parametrize("has_come", [True, False])
def test_absent_program_that_has_come_is_something_to_do(home, decision, has_come):
    """Somebody followed the advice of `status`; until then there is nothing to do."""
    parts = {**decision.parts, "grafana": Part(ABSENT, reason="not there")}
    asked = []

    def is_any_available(names, _environ):
        asked.extend(names)
        return has_come

    found = up.is_complete(home, replace(decision, parts=parts), ENVIRON, is_any_available)

    assert (found, asked) == (not has_come, ["grafana"])


@pytest.fixture
def base(home):
    """A start before which nothing runs."""
    me = load_current()
    placement = Placement(me, me, home.path("postgres"))
    ports = dict.fromkeys(SERVICES, 1)
    secrets = Secrets(home.path("secrets"))
    return Preflight(home, {}, {}, ports, placement, secrets, home.path("run"), lambda _line: None)


@pytest.fixture
def taken():
    """A port that another program listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_taken_port_is_told_before_anything_is_fetched(base, taken):
    """Nobody wants to download a gigabyte and hear of it then."""
    with pytest.raises(PortError, match=f"port {taken} of prometheus is used"):
        up.check_ports(replace(base, ports={"prometheus": taken}), None)


def test_port_of_a_part_that_we_do_not_run_may_be_taken(base, taken, decision):
    """An external or absent Prometheus needs none of ours."""
    base = replace(base, ports={"prometheus": taken})

    up.check_ports(base, decision)
    up.check_ports(replace(base, externals={"prometheus": "http://x"}), None)


def test_file_that_is_no_model_is_told_before_anything_is_fetched(tmp_path):
    """So is one that is not there."""
    with pytest.raises(ModelError, match=r"FLEET_MODEL names .*none\.gguf"):
        check_own_model({"FLEET_MODEL": str(tmp_path / "none.gguf")})
