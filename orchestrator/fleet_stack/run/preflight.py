"""Prepare folders, ports, secrets and users of a home before anything runs."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_stack.home import (
    HomeError,
    Secrets,
    addresses,
    homes,
    make_folder,
    placement,
    ports,
    runtime,
    settings,
    stack,
)
from fleet_stack.paging import COPIED_FILES
from fleet_stack.parts import tls
from fleet_stack.run.supervisor import Places

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fleet_stack.home import Home, Placement

SECRETS = ("jwt_key", "proxy_secret", "grafana_secret_key", "sms_token")
SMS_PROVIDER = "fleet_sms.provider"


@dataclass(frozen=True)
class Preflight:
    """What a start has prepared before anything runs."""

    home: Home
    environ: Mapping[str, str]
    externals: Mapping[str, str]
    ports: Mapping[str, int]
    placement: Placement
    secrets: Secrets
    runtime: Path
    progress: Callable[[str], None]
    twin_nodes: int = 0
    trust: tls.Trust | None = None  # how to trust the control API; None: it speaks plain HTTP

    @property
    def public_url(self) -> str:
        """The public address as it was given; empty for loopback."""
        return self.environ.get("FLEET_PUBLIC_URL", "")

    @property
    def places(self) -> Places:
        """The files of our supervisord."""
        return Places(
            self.home.path("supervisor"), self.home.path("logs"), self.runtime / runtime.SOCKET
        )


def parse_externals(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the addresses of external parts by name. Raises StackError for an invalid one."""
    variables = stack.EXTERNALS
    found = {name: environ[variables[name]] for name in variables if environ.get(variables[name])}
    for name, url in found.items():
        check = addresses.check_database if name == "postgres" else addresses.split
        check(variables[name], url)
    return found


def prepare(
    home: Home,
    given: Mapping[str, str],
    environ: Mapping[str, str],
    progress: Callable[[str], None],
) -> Preflight:
    """Prepare folders, ports and secrets. Raises HomeError for a twin on an external database."""
    record, decision = homes.load(home), stack.load(home)
    if record.twin_nodes and "postgres" in record.externals:
        raise HomeError(
            "a twin needs a database of its own; remove this home with `./fleet down --purge` and "
            "unset FLEET_EXTERNAL_DATABASE_URL"
        )
    kept = Path(decision.runtime) if decision else None
    place = placement.settle(home, record.postgres_folder)
    homes.store(home, replace(record, postgres_folder=str(place.postgres_folder)))
    secrets = Secrets(home.path("secrets"), place.programs)
    secrets.make()
    # The control API renews what is in it.
    make_folder(secrets.scrape.folder, mode=0o700, owner=place.programs)
    if "postgres" not in record.externals and not secrets.has("owner_password"):
        placement.refuse_leftover(home, place)
    for name in SECRETS:
        secrets.ensure(name)
    settings.copy_files(environ, secrets)
    check_sms(secrets)
    for name in ("logs", "supervisor"):
        make_folder(home.path(name))
    for name in ("mail", "pycache", "sms", "spool"):
        make_folder(home.path(name), mode=0o700, owner=place.programs)
    externals = keep_externals(record, given, secrets)
    if place.note:
        progress(f"note          {place.note}")
    return Preflight(
        home,
        environ,
        externals,
        ports.settle(home),
        place,
        secrets,
        runtime.prepare(home, environ, kept),
        progress,
        record.twin_nodes,
        tls.settle(environ, secrets),
    )


def check_sms(secrets: Secrets) -> None:
    """Raise FleetError for a provider of text messages that cannot be used."""
    file = COPIED_FILES["FLEET_SMS_FILE"]
    if secrets.has(file):
        importlib.import_module(SMS_PROVIDER).parse_provider(secrets.read(file))


def keep_externals(
    record: homes.Record, given: Mapping[str, str], secrets: Secrets
) -> dict[str, str]:
    """
    Return the external addresses of the first start; secrets, since they may hold a login.

    Raises HomeError when other addresses are given now.
    """
    for name, url in given.items():
        secret = f"external_{name}_url"
        if name not in record.externals or (secrets.has(secret) and secrets.read(secret) != url):
            raise HomeError(
                f"{stack.EXTERNALS[name]} differs from the first start of this home; "
                "unset it, or use another FLEET_HOME"
            )
        secrets.put(secret, url)
    return {name: secrets.read(f"external_{name}_url") for name in record.externals}
