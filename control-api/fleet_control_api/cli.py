"""`fleet control-api`: check the settings, then become gunicorn."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from fleet_timescale.errors import FleetError

from fleet_control_api.service.settings import Settings

if TYPE_CHECKING:
    from flask import Flask


def application() -> Flask:
    """Return the application for gunicorn, from the environment."""
    from fleet_control_api.app import create_app  # noqa: PLC0415 - main() need not wait for it

    return create_app(Settings.from_env(os.environ))


def main(argv: list[str]) -> int:
    """
    Replace this process by gunicorn.

    Extra arguments go to it. Returns 1 when the settings cannot be used.
    """
    try:
        settings = Settings.from_env(os.environ)
    except FleetError as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    return _become_gunicorn(settings, argv)


def _become_gunicorn(settings: Settings, argv: list[str]) -> int:
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "--config",
        "python:fleet_control_api.gunicorn_config",
    ]
    if settings.tls:
        command += ["--certfile", settings.tls[0], "--keyfile", settings.tls[1]]
    command += ["--bind", settings.listen, *argv, "fleet_control_api.cli:application()"]
    os.execv(command[0], command)  # noqa: S606 - no shell, and the process id stays the one supervised


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
