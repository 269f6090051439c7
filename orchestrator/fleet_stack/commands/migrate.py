"""`fleet migrate`: bring the database of the home up to date."""

from __future__ import annotations

import argparse
import os

from fleet_stack.commands.progress import say
from fleet_stack.home import homes
from fleet_stack.home.secrets import Secrets
from fleet_stack.parts.enrolment import migrate_database


def main(argv: list[str]) -> int:
    """Run the command."""
    argparse.ArgumentParser(
        prog="fleet migrate", description="Bring the database up to date."
    ).parse_args(argv)
    home = homes.locate(os.environ)
    homes.load(home)
    applied = migrate_database(Secrets(home.path("secrets")).read("owner.dsn"))
    say("\n".join(f"applied {name}" for name in applied) or "the database is up to date")
    return 0
