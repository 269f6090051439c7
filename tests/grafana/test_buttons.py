"""Each button of the committed dashboards, pressed as Viewer, Editor and Admin up to the audit."""

from __future__ import annotations

import json

import fix_control
import pytest
import requests
from fix_http import serving
from fleet_control_api.app import create_app, make_services
from fleet_control_api.routes.buttons import BUTTONS
from fleet_dashboards import build, datasources
from werkzeug.serving import make_server


def find_actions(value):
    """All actions anywhere in a dashboard."""
    if isinstance(value, dict):
        if value.get("type") == "fetch":
            yield value
        for each in value.values():
            yield from find_actions(each)
    elif isinstance(value, list):
        for each in value:
            yield from find_actions(each)


ACTIONS = [
    pytest.param(action, id=action["title"])
    for path in sorted(build.FOLDER.glob("*.json"))
    for action in find_actions(json.loads(path.read_text()))
]
AFTER = {"fleet-pause": "paused", "fleet-resume": "running"}
pytestmark = pytest.mark.parametrize("action", ACTIONS)


def verb(action):
    return action["fetch"]["url"].removeprefix(datasources.CONTROL_PROXY + "/")


@pytest.fixture
def app(control_settings):
    """The control API on the test's database."""
    services = make_services(control_settings)
    yield create_app(control_settings, services)
    services.database.close()


@pytest.fixture
def grafana(app, grafana_double):
    """The stand-in for Grafana's proxy, with the control API behind it."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    with serving(server) as url:
        grafana_double.upstream = f"{url}/api/v1/buttons"
        yield grafana_double


@pytest.fixture
def press(grafana):
    """Send what Grafana sends after the last click; reason None is a prompt left alone."""

    def send(action, user, reason="driver update & reboot"):
        fetch = action["fetch"]
        filled = {"$reason": "$reason" if reason is None else reason}
        return requests.request(
            fetch["method"],
            grafana.url + fetch["url"],
            params=[(key, filled.get(value, value)) for key, value in fetch["queryParams"]],
            headers=dict(fetch["headers"]) | {"X-Grafana-Action": "1"},
            data=fetch["body"],
            auth=(user, user),
            timeout=10,
        )

    return send


@pytest.fixture
def before(owner, action):
    """The fleet is in the state that the button at hand ends."""
    opposite = {"paused": "running", "running": "paused"}[AFTER[verb(action)]]
    with fix_control.unaudited(owner):
        owner.execute("SELECT fleet.set_fleet_state(%s, 'tests', 'start')", [opposite])
    return opposite


def fleet_state(owner):
    return owner.execute("SELECT state FROM analytics.fleet_state").fetchone()["state"]


def audit(owner):
    return owner.execute("SELECT * FROM analytics.audit ORDER BY audit_id").fetchall()


def test_button_is_a_route(action, app):
    """The address exists exactly so, takes POST, and knows every argument that is sent."""
    rules = {rule.rule: rule for rule in app.url_map.iter_rules()}

    assert "POST" in rules[f"/api/v1/buttons/{verb(action)}"].methods
    known = BUTTONS[verb(action)].arguments.model_fields.keys()
    assert {key for key, _ in action["fetch"]["queryParams"]} <= known


@pytest.mark.usefixtures("before")
@pytest.mark.parametrize(("user", "role"), [("editor", "operator"), ("admin", "admin")])
def test_editor_and_admin_do_it(action, user, role, press, owner):
    """The fleet changes, and the audit row has who, why and how."""
    answer = press(action, user)

    assert answer.status_code == 200, answer.text
    assert fleet_state(owner) == AFTER[verb(action)]
    [row] = audit(owner)
    assert (user, role, "grafana", "done") == tuple(
        row[key] for key in ("actor", "role", "way", "outcome")
    )
    assert row["reason"] == "driver update & reboot"


def test_viewer_is_refused(action, press, owner, before):
    """The request reaches the control API, which answers 403 and writes it down."""
    assert press(action, "viewer").status_code == 403

    assert fleet_state(owner) == before
    [row] = audit(owner)
    assert (row["actor"], row["role"], row["outcome"]) == ("viewer", "viewer", "refused")


@pytest.mark.parametrize("reason", [None, ""], ids=["untouched", "cleared"])
def test_reason_must_be_typed(action, press, owner, before, reason):
    """A prompt that was left alone or cleared changes nothing."""
    assert press(action, "editor", reason).status_code == 422

    assert fleet_state(owner) == before
