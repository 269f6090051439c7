"""`fleet migrate` and `fleet db size`: bring the home's database up to date; say what it takes."""

from __future__ import annotations

import argparse
import os

from fleet_timescale import storage

from fleet_stack.commands.progress import say
from fleet_stack.home import Secrets, homes
from fleet_stack.parts import enrolment


def migrate(argv: list[str]) -> int:
    """Run `fleet migrate`."""
    argparse.ArgumentParser(
        prog="fleet migrate", description="Bring the database up to date."
    ).parse_args(argv)
    dsn = find_database()
    applied = enrolment.migrate_database(dsn)
    say("\n".join(f"applied {name}" for name in applied) or "the database is up to date")
    say(f"readings are stored by {enrolment.read_engine(dsn)}")
    return 0


def look(argv: list[str]) -> int:
    """Run `fleet db`, whose only verb is `size`."""
    parser = argparse.ArgumentParser(prog="fleet db", description="Look at the database.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    size = verbs.add_parser("size", help="what readings take on disk, and will take")
    size.add_argument("--json", action="store_true", help="for programs")
    arguments = parser.parse_args(argv)
    sizes = enrolment.read_sizes(find_database())
    say(storage.render_json(sizes) if arguments.json else storage.render(sizes))
    return 0


def find_database() -> str:
    """Return the address of the home's database for its owner."""
    home = homes.locate(os.environ)
    homes.load(home)
    return Secrets(home.path("secrets")).read("owner.dsn")
