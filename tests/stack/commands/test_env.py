"""What `./fleet env` prints for shells."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from fleet_stack.commands.env import call_grafana, call_twin, find_grafana_login, render
from fleet_stack.home import Decision, Secrets, homes, stack
from fleet_stack.home.errors import HomeError


def test_exports_survive_the_shell():
    """Quotes, spaces and dollars arrive as they were; psql's folder comes first on PATH."""
    values = {"FLEET_HOME": "/srv/my fleet", "FLEET_ADMIN_TOKEN": "a'b$c"}
    script = (
        render(values, Path("/pg bin"))
        + '\nprintf "%s|%s|%s" "$FLEET_HOME" "$FLEET_ADMIN_TOKEN" "$PATH"'
    )
    said = subprocess.run(
        ["sh", "-c", script], env={"PATH": "/bin"}, capture_output=True, text=True, check=True
    )

    assert said.stdout == "/srv/my fleet|a'b$c|/pg bin:/bin"


def test_commands_of_the_twin_work_on_the_home_of_a_twin(tmp_path, monkeypatch, capsys):
    """They know its nodes by their number; a real fleet has no faults to set."""
    monkeypatch.setenv("FLEET_HOME", str(tmp_path / "twin"))
    homes.create(homes.Home(tmp_path / "twin"), homes.Record(twin_nodes=2))

    assert call_twin(["fault", "gpu-hot", "desktop-1"]) == 0
    assert call_twin(["faults"]) == 0
    assert "desktop-1        gpu-hot" in capsys.readouterr().out

    monkeypatch.setenv("FLEET_HOME", str(tmp_path / "real"))
    homes.create(homes.Home(tmp_path / "real"), homes.Record())
    with pytest.raises(HomeError, match="home of a real fleet"):
        call_twin(["faults"])


@pytest.mark.parametrize(
    ("state", "secret", "url", "login"),
    [
        (stack.MANAGED, "user_admin_password", "pw", ("admin", "pw")),
        (stack.EXTERNAL, "external_grafana_url", "http://me:p%40w@g.lan", ("me", "p@w")),
        (stack.EXTERNAL, "external_grafana_url", "http://g.lan", None),
        (stack.ABSENT, "other", "x", None),
    ],
)
def test_login_of_grafana_is_that_of_the_home(tmp_path, state, secret, url, login):
    """Our own Grafana's admin, or the login in the address that the user gave."""
    secrets = Secrets(tmp_path / "secrets")
    secrets.put(secret, url)
    decision = Decision({"grafana": stack.Part(state)}, "alpha", "/run/x")

    assert find_grafana_login(decision, secrets) == login


def test_dashboards_are_pushed_from_the_home_of_a_fleet(tmp_path, monkeypatch):
    """A node has none of what their sources need."""
    monkeypatch.setenv("FLEET_HOME", str(tmp_path))
    home = homes.Home(tmp_path)
    homes.create(home, homes.Record(mode=homes.NODE))
    parts = dict.fromkeys(stack.NAMES, stack.Part(stack.ABSENT))
    parts["control-api"] = stack.Part(stack.EXTERNAL, "http://fleet")
    parts["node"] = stack.Part(stack.MANAGED)
    stack.store(home, Decision(parts, "tower", "/run/x"))

    with pytest.raises(HomeError, match="is a node only"):
        call_grafana(["check"])
