"""
`fleet logins`: the people of a new fleet and their passwords.

They stand in 0600 files of the home.
"""

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
    """Return the password as it was made, or who knows it: people outlive a home."""
    name = f"user_{login}_password"
    return secrets.read(name) if secrets.has(name) else "(as set before this home)"
