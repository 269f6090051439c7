"""The role table: every route of the application times everybody who may ask."""

from __future__ import annotations

import re
import uuid

import pytest
from flask import Flask
from fleet_control_api.app import check_routes, create_app
from fleet_control_api.service.errors import ControlApiError
from fleet_control_api.service.settings import Settings

PEOPLE = ("nobody", "viewer", "operator", "admin", "sd", "metrics", "webhook",
          "grafana:viewer", "grafana:editor", "grafana:admin", "grafana:robot")  # fmt: skip
READERS = {"viewer", "operator", "admin"}
ADMINS = {"admin"}
CHANGERS = {"operator", "admin"}
PRESSERS = {"grafana:editor", "grafana:admin"}
EVERYBODY = set(PEOPLE)

# The decision, written down a second time: who gets past the door of each route.
TABLE = {
    ("GET", "/healthz"): EVERYBODY,
    ("POST", "/auth/login"): EVERYBODY,
    ("POST", "/auth/refresh"): EVERYBODY,
    ("POST", "/auth/logout"): READERS,
    ("POST", "/auth/password"): READERS,
    ("GET", "/auth/whoami"): READERS,
    ("POST", "/auth/invitation"): EVERYBODY,
    ("GET", "/users"): ADMINS,
    ("POST", "/users"): ADMINS,
    ("GET", "/users/<login>"): ADMINS,
    ("POST", "/users/<login>"): ADMINS,
    ("POST", "/users/<login>/password"): ADMINS,
    ("POST", "/users/<login>/invite"): ADMINS,
    ("GET", "/sessions"): READERS,
    ("DELETE", "/sessions/<session_id>"): READERS,
    ("GET", "/tokens"): ADMINS,
    ("POST", "/tokens"): ADMINS,
    ("DELETE", "/tokens/<token_id>"): ADMINS,
    ("GET", "/jobs"): READERS,
    ("POST", "/jobs"): CHANGERS,
    ("GET", "/jobs/<job:job_id>"): READERS,
    ("POST", "/jobs/batch"): CHANGERS,
    ("POST", "/jobs/estimate"): CHANGERS,
    ("POST", "/jobs/update"): CHANGERS,
    ("POST", "/jobs/update/preview"): READERS,
    ("POST", "/jobs/<job_id>/cancel"): CHANGERS,
    ("POST", "/jobs/<job_id>/move"): CHANGERS,
    ("POST", "/jobs/<job_id>/pause"): CHANGERS,
    ("POST", "/jobs/<job_id>/resume"): CHANGERS,
    ("POST", "/jobs/<job_id>/retry"): CHANGERS,
    ("GET", "/nodes"): READERS,
    ("POST", "/nodes/<node>/start"): CHANGERS,
    ("POST", "/nodes/<node>/stop"): CHANGERS,
    ("POST", "/nodes/<node>/restart"): CHANGERS,
    ("POST", "/nodes/<node>/drain"): CHANGERS,
    ("GET", "/nodes/<node>/model"): READERS,
    ("POST", "/nodes/<node>/model"): ADMINS,
    ("POST", "/nodes/invite"): ADMINS,
    ("POST", "/nodes/join"): EVERYBODY,
    ("DELETE", "/nodes/<named:node>"): ADMINS,
    ("GET", "/commands/<command_id>"): READERS,
    ("GET", "/fleet"): READERS,
    ("GET", "/nodes/<node>/calendar"): READERS,
    ("PUT", "/nodes/<node>/calendar"): CHANGERS,
    ("GET", "/fleet/emergency-stop"): READERS,
    ("POST", "/fleet/emergency-stop"): CHANGERS,
    ("POST", "/buttons/fleet-emergency-stop"): PRESSERS,
    ("POST", "/fleet/pause"): CHANGERS,
    ("POST", "/fleet/resume"): CHANGERS,
    ("GET", "/audit"): READERS,
    ("GET", "/audit/verify"): {"admin"},
    ("GET", "/config"): READERS,
    ("GET", "/config/scenarios"): READERS,
    ("GET", "/config/diff"): READERS,
    ("GET", "/config/<setting:key>/history"): READERS,
    ("PUT", "/config/<setting:key>"): {"admin"},
    ("POST", "/config/<setting:key>/rollback"): {"admin"},
    ("GET", "/exports/lex"): READERS,
    ("GET", "/events"): READERS,
    ("GET", "/endpoints"): READERS,
    ("GET", "/alerts"): READERS,
    ("POST", "/alerts/webhook"): {"webhook"},
    ("GET", "/alerts/silences"): READERS,
    ("POST", "/alerts/silence"): CHANGERS,
    ("POST", "/alerts/silences/<silence_id>/end"): CHANGERS,
    ("POST", "/alerts/<alert_id>/acknowledge"): CHANGERS,
    ("POST", "/alerts/<alert_id>/comment"): CHANGERS,
    ("POST", "/buttons/alert-silence"): PRESSERS,
    ("POST", "/buttons/silence-end"): PRESSERS,
    ("POST", "/buttons/alert-acknowledge"): PRESSERS,
    ("GET", "/sd/nodes"): {"sd"},
    ("GET", "/metrics"): {"metrics", "admin"},
    ("GET", "/runbooks/<alert>"): EVERYBODY,
    ("GET", "/buttons/runbooks/<alert>"): EVERYBODY,
    ("GET", "/openapi.json"): EVERYBODY,
    ("GET", "/docs"): EVERYBODY,
    ("POST", "/buttons/fleet-pause"): PRESSERS,
    ("POST", "/buttons/fleet-resume"): PRESSERS,
    ("POST", "/buttons/job-submit"): PRESSERS,
    ("POST", "/buttons/job-cancel"): PRESSERS,
    ("POST", "/buttons/job-move"): PRESSERS,
    ("POST", "/buttons/job-pause"): PRESSERS,
    ("POST", "/buttons/job-resume"): PRESSERS,
    ("POST", "/buttons/job-retry"): PRESSERS,
    ("POST", "/buttons/jobs-update"): PRESSERS,
    ("POST", "/buttons/jobs-change"): PRESSERS,
    ("POST", "/buttons/node-model"): {"grafana:admin"},
    ("POST", "/buttons/config-set"): {"grafana:admin"},
    ("POST", "/buttons/config-rollback"): {"grafana:admin"},
    ("GET", "/"): EVERYBODY,
    ("GET", "/api"): EVERYBODY,
    ("GET", "/api/v1"): EVERYBODY,
    ("GET", "/api/v1/"): EVERYBODY,
    ("POST", "/login"): EVERYBODY,
    ("POST", "/logout"): EVERYBODY,
    ("GET", "/password"): EVERYBODY,
    ("POST", "/password"): EVERYBODY,
    ("POST", "/buttons/node-start"): PRESSERS,
    ("POST", "/buttons/node-stop"): PRESSERS,
    ("POST", "/buttons/node-restart"): PRESSERS,
    ("POST", "/buttons/node-drain"): PRESSERS,
    ("POST", "/buttons/render"): EVERYBODY,
    ("GET", "/buttons/events/get_data"): EVERYBODY,
    ("GET", "/buttons/version"): EVERYBODY,
}  # fmt: skip
# Pages for people stand outside.
PREFIXED = re.compile(r"^/api/v1(/.)")
PAGES = {"/", "/api", "/api/v1", "/api/v1/", "/login", "/logout", "/password"}
NOTHING = Settings("", "k" * 32, "s", "", "/", "http://localhost")


def routes():
    for rule in create_app(NOTHING).url_map.iter_rules():
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            yield method, PREFIXED.sub(r"\1", rule.rule)


def test_table_has_every_route():
    """A route that nobody wrote into the table fails here."""
    assert set(TABLE) == set(routes())


@pytest.mark.parametrize("route", TABLE, ids=" ".join)
def test_route_lets_in_whom_the_table_names(lasting_api, route):
    """Whom the table does not name is refused with 401 or 403; whom it names gets past the door."""
    method, rule = route
    path = re.sub("<.*?>", str(uuid.uuid4()), rule if rule in PAGES else f"/api/v1{rule}")

    got_in = {
        who
        for who in PEOPLE
        # A body that no route takes: those who get in change nothing.
        if not _is_refused(
            lasting_api.client.open(
                path,
                method=method,
                headers=lasting_api.headers(who),
                query_string={"no": "thing"},
            ),
            who,
        )
    }

    assert got_in == TABLE[route]


def _is_refused(response, who):
    if response.status_code == 401:
        # Log in and refresh answer 401 for wrong values, to everybody; a missing login says so.
        return "was sent" in response.json["detail"] and who in {"nobody", *PEOPLE[7:]}
    return response.status_code == 403


def test_route_without_role_stops_the_start():
    """A handler that forgot its decorator is found before anybody calls it."""
    app = Flask("forgetful", static_folder=None)
    app.add_url_rule("/open", view_func=lambda: "open")

    with pytest.raises(ControlApiError, match="/open has no role"):
        check_routes(app)
