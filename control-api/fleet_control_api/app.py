"""
The application factory: blueprints, limits, headers, one log line and one measurement a request.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime
from pathlib import Path
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.routing import BaseConverter

from fleet_control_api.audit.rate_limit import AuditRateLimit
from fleet_control_api.callers.grafana import GrafanaAuthenticator, Keys
from fleet_control_api.callers.identity import ANONYMOUS
from fleet_control_api.callers.recent import RecentCallers
from fleet_control_api.callers.scrape import ScrapeToken
from fleet_control_api.callers.sessions import Sessions
from fleet_control_api.changes.debounce import Debounce
from fleet_control_api.permissions.limits import RateLimit
from fleet_control_api.permissions.roles import route_of
from fleet_control_api.routes import (
    alerts,
    audit,
    audit_check,
    auth,
    buttons,
    calendar,
    commands,
    config,
    documents,
    endpoints,
    events,
    exports,
    fleet,
    health,
    job_changes,
    jobs,
    joining,
    metrics,
    models,
    nodes,
    pages,
    passwords,
    runbooks,
    sd,
    sessions,
    silences,
    stopping,
    tokens,
    users,
)
from fleet_control_api.service.alertmanager import Alertmanager
from fleet_control_api.service.context import LOGINS_OF_SOURCE, STREAMS_MAX, Services
from fleet_control_api.service.context import services as running_services
from fleet_control_api.service.database import Database
from fleet_control_api.service.errors import ControlApiError
from fleet_control_api.service.metrics import Metrics
from fleet_control_api.values import problems
from fleet_control_api.values.body import SIZE_MAX

if TYPE_CHECKING:
    from fleet_control_api.service.settings import Settings

log = logging.getLogger(__name__)

PREFIX = "/api/v1"
RESOURCES = (
    health, auth, passwords, users, sessions, tokens, jobs, job_changes, nodes, models, joining,
    commands, calendar, endpoints, fleet, stopping, config, audit, alerts, silences, audit_check,
    events, exports, sd, metrics, runbooks, documents, buttons,
)  # fmt: skip
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


def match_all_but(*words: str) -> type[BaseConverter]:
    """Return the converter of a name in an address, beside which these words are addresses."""

    class Name(BaseConverter):
        regex = f"(?!(?:{'|'.join(words)})$)[^/]+"

    return Name


class Json(DefaultJSONProvider):
    """JSON with times in ISO 8601, not in the format of mail headers."""

    sort_keys = False

    @staticmethod
    def default(value: Any) -> Any:
        """Return a JSON value for a type that JSON lacks."""
        if isinstance(value, datetime):
            return value.isoformat()
        return DefaultJSONProvider.default(value)


def make_services(settings: Settings) -> Services:
    """Return the services that the settings describe."""
    url = settings.grafana_url
    keys = Keys(f"{url}/api/signing-keys/keys") if url else None
    own_metrics = Metrics()
    if settings.tls:
        own_metrics.watch_certificate("control-api", Path(settings.tls[0]))
    return Services(
        settings=settings,
        database=Database(settings.dsn),
        sessions=Sessions(settings.jwt_key),
        callers=RecentCallers(),
        grafana=GrafanaAuthenticator(settings.proxy_secret, settings.grafana_issuer, keys),
        metrics=own_metrics,
        audit_limit=AuditRateLimit(),
        logins_by_source=RateLimit(LOGINS_OF_SOURCE, 60),
        logins_by_name=RateLimit(5, 60),
        writes=RateLimit(600, 60),
        refreshes=RateLimit(20, 60),
        alertmanager=Alertmanager(settings.alertmanager_url),
        debounce=Debounce(),
        streams=BoundedSemaphore(STREAMS_MAX),
        scrape=ScrapeToken(settings.scrape_folder) if settings.scrape_folder else None,
    )


def create_app(settings: Settings, services: Services | None = None) -> Flask:
    """Return the application. The database may be down: requests answer 503 until it is back."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = SIZE_MAX
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.json = Json(app)
    # Paths arrive through Grafana as anybody typed them: they match exactly or not at all.
    app.url_map.merge_slashes = False
    app.url_map.converters |= {
        "setting": match_all_but("diff", "scenarios"),
        "named": match_all_but("join", "invite"),
        "job": match_all_but("batch", "estimate", "update"),
    }
    app.extensions["fleet"] = services or make_services(settings)
    for resource in RESOURCES:
        prefix = f"{PREFIX}{resource.blueprint.url_prefix or ''}"
        app.register_blueprint(resource.blueprint, url_prefix=prefix)
    app.register_blueprint(pages.blueprint)
    problems.register(app)
    app.before_request(_start)
    app.after_request(_finish)
    check_routes(app)
    return app


def check_routes(app: Flask) -> None:
    """Raise ControlApiError for a route that does not say who may use it."""
    for rule in app.url_map.iter_rules():
        if route_of(app.view_functions[rule.endpoint]) is None:
            raise ControlApiError(f"{rule.rule} has no role; put a decorator of roles.py on it")


def _start() -> None:
    g.started = time.monotonic()


def _finish(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    duration = time.monotonic() - g.started
    # The rule, not the path: paths hold ids, and anybody can invent any number of them.
    rule = request.url_rule.rule if request.url_rule else "unknown"
    measured = running_services()
    if request.method != "GET":
        measured.callers.forget()
    method = request.method if request.url_rule else "any"
    measured.metrics.requests.labels(method, rule, response.status_code).inc()
    measured.metrics.duration.labels(rule).observe(duration)
    log.info(
        "request",
        extra={
            "method": request.method,
            "path": request.path,
            "status": response.status_code,
            "actor": g.get("identity", ANONYMOUS).actor,
            "duration_seconds": round(duration, 4),
        },
    )
    return response
