"""`fleet node join URL CODE`: make a home that is a node of the fleet at URL, and start it."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
from dataclasses import replace
from typing import TYPE_CHECKING

from fleet_stack.home import HomeError, Secrets, homes, ports, runtime
from fleet_stack.joined import entry
from fleet_stack.parts import enrolment
from fleet_stack.run import preflight, shutdown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_stack.home import Home

UP = "fleet_stack.commands.up"  # a room above: it starts homes of every mode


def main(argv: list[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="fleet node join", description="Make this home a node of a fleet, and start it."
    )
    parser.add_argument("url", metavar="URL", help="of its control API, http://127.0.0.1:PORT")
    parser.add_argument("code", metavar="CODE", help="of `./fleet nodes invite` there; good once")
    parser.add_argument(
        "--ca-file", metavar="FILE", help="certificates to trust there, in PEM format"
    )
    arguments = parser.parse_args(argv)
    url = entry.parse_url(arguments.url)
    ca_file = arguments.ca_file or ""
    join(homes.locate(os.environ), os.environ, url, arguments.code, ca_file)
    return int(importlib.import_module(UP).main([]))


def join(home: Home, environ: Mapping[str, str], url: str, code: str, ca_file: str = "") -> None:
    """Make the home and bring it into the fleet. Raises HomeError."""
    record = homes.create(home, homes.Record(mode=homes.NODE, is_started_once=True))
    if record.mode != homes.NODE:
        raise HomeError(
            f"{home.root} runs a fleet of its own; choose another FLEET_HOME for the node"
        )
    with homes.lock(home):
        shutdown.stop(home, runtime.locate(home, environ))  # what runs has the login of before
        base = preflight.prepare(home, {}, environ, lambda _line: None)
        joined = entry.join(
            url,
            entry.Entry(
                code,
                enrolment.load_node_id(home.path("node_id")),
                entry.render_host(platform.node()),
                f"127.0.0.1:{ports.settle(home)['exporter']}",
            ),
            ca_file,
        )
        secrets = Secrets(home.path("secrets"), base.placement.programs)
        secrets.put("node.dsn", joined.database_url)
        if joined.scrape_token:
            secrets.scrape.put("token", joined.scrape_token)
        homes.store(home, replace(homes.load(home), node=joined.node, control_url=url))
