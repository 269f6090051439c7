"""What `./fleet env` prints for shells."""

from __future__ import annotations

import subprocess
from pathlib import Path

from fleet_stack.commands.env import render


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
