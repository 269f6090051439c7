"""Each button of the committed dashboards, pressed as Viewer, Editor and Admin up to the audit."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import fix_control
import pytest
import requests
from fix_http import serving
from fleet_control_api.app import create_app, make_services
from fleet_control_api.routes.buttons import BUTTONS
from fleet_dashboards import build, datasources
from werkzeug.serving import make_server

if TYPE_CHECKING:
    from collections.abc import Callable


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
    pytest.param(action, id=f"{path.stem} {action['title']}")
    for path in sorted(build.FOLDER.glob("*.json"))
    for action in find_actions(json.loads(path.read_text()))
]
pytestmark = pytest.mark.parametrize("action", ACTIONS)


@dataclass(frozen=True)
class Press:
    """
    What is needed to try the button of a verb.

    `prepare(owner)` makes what it acts on and returns the columns of its row and the variables;
    `typed` is what a person types beside the reason; `sees(owner)` is what it changes, in SQL.
    """

    sees: str
    after: object
    prepare: Callable[..., dict[str, str]]
    typed: dict[str, str] = field(default_factory=dict)


def fleet_is(state):
    def prepare(owner):
        owner.execute("SELECT fleet.set_fleet_state(%s, 'tests', 'start')", [state])
        return {}

    return prepare


def one_node(owner):
    """Return a machine, whether the button stands in its row or on its own page."""
    return {"Node": "alpha", "node": "alpha"}


FLEET_STATE = "SELECT state FROM analytics.fleet_state"
LAST_COMMAND = "SELECT verb || ' ' || node FROM analytics.commands ORDER BY time DESC LIMIT 1"
PRESSES = {
    "fleet-pause": Press(FLEET_STATE, "paused", fleet_is("running")),
    "fleet-resume": Press(FLEET_STATE, "running", fleet_is("paused")),
    "fleet-emergency-stop": Press(
        FLEET_STATE, "stopped", fleet_is("running"), typed={"confirm": "STOP"}
    ),
    **{
        f"node-{verb}": Press(LAST_COMMAND, f"{verb} alpha", one_node)
        for verb in ("start", "stop", "restart", "drain")
    },
}


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
def prepared(owner, action):
    """What the button acts on is there; the columns of its row and the dashboard's variables."""
    with fix_control.unaudited(owner):
        return PRESSES[verb(action)].prepare(owner)


@pytest.fixture
def press(grafana, prepared, action):
    """Send what Grafana sends after the last click; reason None is a prompt left alone."""

    def fill(value, reason):
        if value == "$reason":
            return value if reason is None else reason
        if value.startswith("${"):
            name = re.fullmatch(r"\$\{(?:__data\.fields\.)?(\w+)(?::csv)?\}", value)[1]
            return prepared[name]
        return PRESSES[verb(action)].typed[value[1:]] if value.startswith("$") else value

    def send(user, reason="driver update & reboot"):
        fetch = action["fetch"]
        return requests.request(
            fetch["method"],
            grafana.url + fetch["url"],
            params=[(key, fill(value, reason)) for key, value in fetch["queryParams"]],
            headers=dict(fetch["headers"]) | {"X-Grafana-Action": "1"},
            data=fetch["body"],
            auth=(user, user),
            timeout=10,
        )

    return send


def look(owner, action):
    """What the button changes, now."""
    row = owner.execute(PRESSES[verb(action)].sees).fetchone()
    return next(iter(row.values())) if row else None


def audit(owner):
    return owner.execute("SELECT * FROM analytics.audit ORDER BY audit_id").fetchall()


def test_button_is_a_route(action, app):
    """The address exists exactly so, takes POST, and knows every argument that is sent."""
    rules = {rule.rule: rule for rule in app.url_map.iter_rules()}

    assert "POST" in rules[f"/api/v1/buttons/{verb(action)}"].methods
    known = BUTTONS[verb(action)].arguments.model_fields.keys()
    assert {key for key, _ in action["fetch"]["queryParams"]} <= known


@pytest.mark.parametrize(("user", "role"), [("editor", "operator"), ("admin", "admin")])
def test_editor_and_admin_do_it(action, user, role, press, owner):
    """The fleet changes, and the audit row has who, why and how."""
    answer = press(user)

    assert answer.status_code == 200, answer.text
    assert look(owner, action) == PRESSES[verb(action)].after
    row = audit(owner)[-1]
    assert (user, role, "grafana", "done") == tuple(
        row[key] for key in ("actor", "role", "way", "outcome")
    )
    assert row["reason"] == "driver update & reboot"


def test_viewer_is_refused(action, press, owner):
    """The request reaches the control API, which answers 403 and writes it down."""
    before = look(owner, action)

    assert press("viewer").status_code == 403

    assert look(owner, action) == before != PRESSES[verb(action)].after
    [row] = audit(owner)
    assert (row["actor"], row["role"], row["outcome"]) == ("viewer", "viewer", "refused")


@pytest.mark.parametrize("reason", [None, ""], ids=["untouched", "cleared"])
def test_reason_must_be_typed(action, press, owner, reason):
    """A prompt that was left alone or cleared changes nothing."""
    before = look(owner, action)

    assert press("editor", reason).status_code == 422

    assert look(owner, action) == before
