"""`fleet migrate`: bring the database of the home up to date."""

from __future__ import annotations

import argparse
import os

from fleet_stack.commands.progress import say
from fleet_stack.home import Secrets, homes
from fleet_stack.parts import enrolment


def main(argv: list[str]) -> int:
    """Run the command."""
    argparse.ArgumentParser(
        prog="fleet migrate", description="Bring the database up to date."
    ).parse_args(argv)
    home = homes.locate(os.environ)
    homes.load(home)
    dsn = Secrets(home.path("secrets")).read("owner.dsn")
    applied = enrolment.migrate_database(dsn)
    say("\n".join(f"applied {name}" for name in applied) or "the database is up to date")
    say(f"readings are stored by {enrolment.read_engine(dsn)}")
    return 0
