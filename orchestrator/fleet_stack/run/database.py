"""Start the database, apply migrations and enrol this node: the first step of a start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_stack.home import placement, ports, stack, store_text
from fleet_stack.parts import enrolment, postgres
from fleet_stack.run import services, supervisor

if TYPE_CHECKING:
    from fleet_stack.run.preflight import Preflight


def start(base: Preflight) -> str:
    """
    Start PostgreSQL, or connect to the external one; migrate it and enrol this node.

    Return the node's name.
    """
    external = base.externals.get("postgres", "")
    if external:
        enrolment.refuse_foreign_roles(external, base.secrets)
    url = external or _start_server(base)
    base.secrets.put("owner.dsn", url)
    applied = enrolment.migrate_database(url)
    strangers = enrolment.find_foreign_people(url, base.secrets)
    if strangers:
        base.progress(
            f"people        {', '.join(strangers)} exist in that database already and keep "
            "their passwords, which `./fleet logins` cannot show"
        )
    node_id = enrolment.load_node_id(base.home.path("node_id"))
    address = f"127.0.0.1:{base.ports['exporter']}"
    node = enrolment.settle(url, base.secrets, node_id, address, base.twin_nodes)
    changed = f", {len(applied)} changes applied" if applied else ""
    base.progress(f"database      ready{changed}")
    return node


def _start_server(base: Preflight) -> str:
    """Create the server at the first start, run it under supervisor, return the owner's address."""
    place, port = base.placement, base.ports["postgres"]
    password = base.secrets.ensure("owner_password")
    url = postgres.render_url(postgres.OWNER, password, port)
    placement.prepare(base.home, place)
    postgres.initialise(place, password)
    postgres.store_settings(place, port)
    if supervisor.read_pid(base.places.socket) is None:
        ports.check(base.ports, ["postgres"])
        # Kept at once, so that `down` finds what an interrupted start leaves running.
        stack.store(base.home, stack.decide_first(base.ports, str(base.runtime)))
        service = services.postgres(place)
        store_text(
            base.places.configuration,
            supervisor.render([service], base.places, services.user()),
        )
        supervisor.start(
            base.places, services.render_base_environment(base.home.root, base.environ)
        )
    else:
        supervisor.update(base.places.socket)
    postgres.wait_until_ready(url, lambda: base.places.read_log_tail("postgres"))
    return url
