"""What `./fleet env` prints for shells."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from fleet_stack.commands.env import call_twin, render
from fleet_stack.home import homes
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
