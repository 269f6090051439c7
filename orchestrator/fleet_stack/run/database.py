"""
The first thing that a start needs: a database that answers, is up to date, and knows this machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_stack.commands import logs
from fleet_stack.home import placement, ports, stack
from fleet_stack.home.files import store_text
from fleet_stack.parts import enrolment, postgres
from fleet_stack.run import services, supervisor

if TYPE_CHECKING:
    from fleet_stack.run.ground import Ground


def start(ground: Ground) -> str:
    """
    Start PostgreSQL, or reach the external one; bring it up to date and enrol this node.

    Return the node's name.
    """
    external = ground.externals.get("postgres", "")
    if external:
        enrolment.refuse_foreign_roles(external, ground.secrets)
    url = external or _start_server(ground)
    ground.secrets.put("owner.dsn", url)
    applied = enrolment.migrate_database(url)
    strangers = enrolment.find_foreign_people(url, ground.secrets)
    if strangers:
        ground.progress(
            f"people        {', '.join(strangers)} are in that database already and keep their "
            "passwords; `./fleet logins` does not know them"
        )
    node_id = enrolment.load_node_id(ground.home.path("node_id"))
    node = enrolment.settle(url, ground.secrets, node_id, f"127.0.0.1:{ground.ports['exporter']}")
    ground.progress(
        f"database      ready, {len(applied)} changes applied" if applied else "database      ready"
    )
    return node


def _start_server(ground: Ground) -> str:
    """Make the server at the first start, let supervisor run it, and return the owner's address."""
    place, port = ground.placement, ground.ports["postgres"]
    password = ground.secrets.ensure("owner_password")
    url = postgres.render_url(postgres.OWNER, password, port)
    placement.prepare(ground.home, place)
    postgres.initialise(place, password)
    postgres.store_settings(place, port)
    if supervisor.read_pid(ground.places.socket) is None:
        ports.check(ground.ports, ["postgres"])
        # Kept at once, so that `down` finds what an interrupted start leaves running.
        stack.store(ground.home, stack.decide_first(ground.ports, str(ground.runtime)))
        service = services.postgres(place)
        store_text(
            ground.places.configuration,
            supervisor.render([service], ground.places, services.user()),
        )
        supervisor.start(
            ground.places, services.render_base_environment(ground.home.root, ground.environ)
        )
    else:
        supervisor.update(ground.places.socket)
    postgres.wait_until_ready(url, lambda: logs.read_tail(ground.home, "postgres"))
    return url
