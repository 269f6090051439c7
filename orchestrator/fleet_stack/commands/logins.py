"""`fleet logins`: print the first users of a new fleet and their passwords."""

from __future__ import annotations

import argparse
import os

from fleet_stack.commands.progress import say
from fleet_stack.home import USERS, Secrets, homes

REMARKS = {"admin": "does everything", "operator": "steers jobs and nodes", "viewer": "reads"}


def main(argv: list[str]) -> int:
    """Run the command."""
    argparse.ArgumentParser(
        prog="fleet logins", description="Print the logins of people."
    ).parse_args(argv)
    home = homes.locate(os.environ)
    homes.load(home)
    secrets = Secrets(home.path("secrets"))
    say("Grafana and control API, as made at the first start:")
    for login in USERS:
        say(f"  {login:<10} {find_password(secrets, login)}   {REMARKS[login]}")
    return 0


def find_password(secrets: Secrets, login: str) -> str:
    """Return the password as created, or a note: with an external database users outlive a home."""
    name = f"user_{login}_password"
    return secrets.read(name) if secrets.has(name) else "(as set before this home)"
