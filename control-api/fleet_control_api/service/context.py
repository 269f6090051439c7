"""
What every request handler needs.

Made once by the application factory and found through the running app.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Any, cast

from flask import current_app, g, request

from fleet_control_api.service.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import BoundedSemaphore

    from fleet_control_api.audit.rate_limit import AuditRateLimit
    from fleet_control_api.callers.grafana import GrafanaAuthenticator
    from fleet_control_api.callers.identity import Identity
    from fleet_control_api.callers.recent import RecentCallers
    from fleet_control_api.callers.scrape import ScrapeToken
    from fleet_control_api.callers.sessions import Sessions
    from fleet_control_api.changes.commands import Done
    from fleet_control_api.changes.debounce import Debounce
    from fleet_control_api.permissions.limits import RateLimit
    from fleet_control_api.service.alertmanager import Alertmanager
    from fleet_control_api.service.database import Database
    from fleet_control_api.service.metrics import Metrics
    from fleet_control_api.service.settings import Settings

log = logging.getLogger(__name__)

STREAMS_MAX = 8  # of 32 threads: the rest answers while exports run
LOGINS_OF_SOURCE = 20  # attempts a minute from one address


@dataclass(frozen=True)
class Services:
    """The parts of the application; tests hand in their own."""

    settings: Settings
    database: Database
    sessions: Sessions
    callers: RecentCallers
    grafana: GrafanaAuthenticator
    metrics: Metrics
    audit_limit: AuditRateLimit
    # Per source address, then per login name: a password is guessed on neither way.
    logins_by_source: RateLimit
    logins_by_name: RateLimit
    # Per person and way in: what they try to change, and how often they renew a login.
    writes: RateLimit
    refreshes: RateLimit
    alertmanager: Alertmanager
    debounce: Debounce[Done[Any]]
    streams: BoundedSemaphore
    scrape: ScrapeToken | None = None  # None: nodes are scraped without a token
    ending: Event = field(default_factory=Event)  # set when the program ends: streams end as well


def services() -> Services:
    """Return the services of the app that handles this request."""
    return cast("Services", current_app.extensions["fleet"])


def source() -> str | None:
    """
    Return the address of the client; headers that a client can write are not trusted.
    """
    return request.remote_addr or None


def undo_on_failure(undo: Callable[[], None]) -> None:
    """
    Have something undone should the change not come about.

    For what a command does outside of the database, whose transaction may still fail.
    """
    g.setdefault("undo", []).append(undo)


def undo_all() -> None:
    """Undo what was done outside of the database for a change that has failed."""
    for undo in g.pop("undo", []):
        try:
            undo()
        except ApiError as exc:
            log.warning("what a failed change had begun could not be undone: %s", exc)


def caller() -> Identity:
    """Return who calls; the route's decorator has set it."""
    return cast("Identity", g.identity)
