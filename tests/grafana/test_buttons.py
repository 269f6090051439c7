"""Each button of the committed dashboards, pressed as Viewer, Editor and Admin up to the audit."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import fix_control
import pytest
import requests
from fix_alertmanager import AlertmanagerDouble
from fix_http import serving
from fleet_control_api.app import create_app, make_services
from fleet_control_api.callers.identity import Role
from fleet_control_api.routes.buttons import BUTTONS
from fleet_control_api.service.alertmanager import Alertmanager
from fleet_dashboards import build, datasources
from psycopg.types.json import Jsonb
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


def verb(action):
    return action["fetch"]["url"].removeprefix(datasources.CONTROL_PROXY + "/")


def asks_for_reason(action):
    return ["reason", "$reason"] in action["fetch"]["queryParams"]


ACTIONS = [
    pytest.param(action, id=f"{path.stem} {action['title']}")
    for path in sorted(build.FOLDER.glob("*.json"))
    for action in find_actions(json.loads(path.read_text()))
]
USERS = {"viewer": Role.VIEWER, "editor": Role.OPERATOR, "admin": Role.ADMIN}
each_action = pytest.mark.parametrize("action", ACTIONS)


def each_press(*, is_allowed):
    """Every action with each person who may press it, or may not."""
    cases = [
        pytest.param(action.values[0], user, id=f"{action.id} {user}")
        for action in ACTIONS
        for user, role in USERS.items()
        if (role >= BUTTONS[verb(action.values[0])].role) == is_allowed
    ]
    return pytest.mark.parametrize(("action", "user"), cases)


@dataclass(frozen=True)
class Press:
    """
    What is needed to try the button of a verb.

    `prepare(owner)` makes what it acts on and returns the columns of its row and the variables;
    `typed` is what a person types beside the reason; `sees` is what it changes, in SQL; `says` is
    the reason in the audit log of a button that asks for none.
    """

    sees: str
    after: object
    prepare: Callable[..., dict[str, str]]
    typed: dict[str, str] = field(default_factory=dict)
    says: str = ""


def fleet_is(state):
    def prepare(owner):
        owner.execute("SELECT fleet.set_fleet_state(%s, 'tests', 'start')", [state])
        return {}

    return prepare


def one_node(owner):
    """Return a machine, whether the button stands in its row or on its own page."""
    return {"Node": "alpha", "node": "alpha"}


def one_job(owner):
    """Return a job beside another one, whether the button stands in its row or is told of it."""
    jobs = [
        str(
            owner.execute("SELECT fleet.submit_job('complaint', 1, 'tests')").fetchone()[
                "submit_job"
            ]
        )
        for _ in range(2)
    ]
    owner.execute("SELECT fleet.split_jobs()")
    return {"job_id": jobs[1], "job": jobs[1], "jobs": f"none,{jobs[1]}"}


def paused_job(owner):
    row = one_job(owner)
    owner.execute("SELECT fleet.pause_job(%s)", [row["job_id"]])
    return row


def failed_job(owner):
    row = one_job(owner)
    owner.execute("UPDATE fleet.tasks SET state = 'failed' WHERE job_id = %s", [row["job_id"]])
    # Nothing is counted by triggers while a test prepares.
    owner.execute(
        "INSERT INTO fleet.count_changes (job_id, failed) VALUES (%s, 1)", [row["job_id"]]
    )
    return row


def new_order(owner):
    return {
        "scenario": "complaint", "count": "20", "counts": "written", "min_turns": "6",
        "max_turns": "8", "priority": "5", "model": "any", "node_class": "any",
        "vram_bytes_min": "any",
    }  # fmt: skip


def changed_setting(owner):
    """Return the row of a setting that was changed twice; its older version is the one to go to."""
    versions = [
        str(
            owner.execute(
                "SELECT fleet.set_config('fleet', 'temperature', %s, 'tests', 'x') AS version",
                [value],
            ).fetchone()["version"]
        )
        for value in (0.9, 1.3)
    ]
    return {"key": "temperature", "scope": "fleet", "to": versions[0], "version": versions[1]}


def one_model(owner):
    return {"Node": "alpha", "Model": "tiny", "version": "0"}


def alert_fires(owner):
    """Return an alert that fires, by its row."""
    row = owner.execute(
        "INSERT INTO control.alerts (labels, summary, started_at) VALUES"
        """ ('{"alertname": "GpuHot", "node": "alpha"}', 'hot', now()) RETURNING alert_id"""
    ).fetchone()
    return {"alert_id": str(row["alert_id"])}


def silence_lasts(owner):
    """Return a silence that Alertmanager has lost meanwhile, which makes no difference."""
    row = owner.execute(
        "INSERT INTO control.silences (silence_id, matchers, owner, reason, starts_at, ends_at)"
        " VALUES (gen_random_uuid(), %s, 'ada', 'why', now(), now() + interval '1 hour')"
        " RETURNING silence_id::text AS silence_id",
        [Jsonb([{"name": "node", "value": "alpha", "isRegex": False, "isEqual": True}])],
    ).fetchone()
    return dict(row)


SILENCE = "SELECT extract(epoch FROM ends_at - time) / 60 AS minutes FROM analytics.silences"
FLEET_STATE = "SELECT state FROM analytics.fleet_state"
LAST_COMMAND = "SELECT verb || ' ' || node FROM analytics.commands ORDER BY time DESC LIMIT 1"
LAST_JOB = "SELECT {} FROM analytics.jobs ORDER BY created_at DESC LIMIT 1"
LAST_TASKS = (
    "SELECT string_agg(state, ',') FROM analytics.tasks WHERE job_id = "
    f"({LAST_JOB.format('job_id')})"
)
CHANGES_OF_JOBS = {
    "pause": Press(LAST_JOB.format("state"), "paused", one_job),
    "resume": Press(LAST_JOB.format("state"), "running", paused_job),
    "move": Press(LAST_JOB.format("abs(rank)"), 1, one_job),
    "retry": Press(LAST_TASKS, "pending", failed_job),
    "cancel": Press(LAST_JOB.format("state"), "cancelled", one_job),
}
TEMPERATURE = (
    "SELECT scope || ' ' || (value #>> '{}') FROM analytics.config WHERE key = 'temperature'"
    " AND scope IN ('default', 'fleet')"
)
LAST_WISH = (
    "SELECT concat_ws(' ', node, model, state) FROM analytics.model_probes"
    " ORDER BY requested_at DESC LIMIT 1"
)
PRESSES = {
    "config-set": Press(TEMPERATURE, "fleet 1.1", changed_setting, typed={"value": "1.1"}),
    "config-rollback": Press(TEMPERATURE, "fleet 0.9", changed_setting),
    "config-rollback 0": Press(TEMPERATURE, "default 0.7", changed_setting),
    "node-model": Press(LAST_WISH, "alpha tiny requested", one_model),
    **{f"job-{change}": press for change, press in CHANGES_OF_JOBS.items()},
    **{f"jobs-change {change}": press for change, press in CHANGES_OF_JOBS.items()},
    "jobs-change move_first": CHANGES_OF_JOBS["move"],
    "jobs-change move_last": CHANGES_OF_JOBS["move"],
    "jobs-change set_priority": Press(
        LAST_JOB.format("priority"), 8, one_job, typed={"priority": "8"}
    ),
    "job-submit": Press(
        LAST_JOB.format("wanted || ' ' || scenario"),
        "20 complaint",
        new_order,
        says="20 conversations of complaint",
    ),
    "fleet-pause": Press(FLEET_STATE, "paused", fleet_is("running")),
    "fleet-resume": Press(FLEET_STATE, "running", fleet_is("paused")),
    "fleet-emergency-stop": Press(
        FLEET_STATE, "stopped", fleet_is("running"), typed={"confirm": "STOP"}
    ),
    **{
        f"node-{verb}": Press(LAST_COMMAND, f"{verb} alpha", one_node)
        for verb in ("start", "stop", "restart", "drain")
    },
    "alert-silence": Press(SILENCE, 30, alert_fires, typed={"minutes": "30"}),
    "silence-end": Press("SELECT state FROM analytics.silences", "ended", silence_lasts),
    "alert-acknowledge": Press(
        "SELECT comment FROM analytics.alert_notes", "driver update & reboot", alert_fires
    ),
}


def press_of(action):
    """What is needed to try an action: by its verb and first constant, or by its verb alone."""
    constants = [value for _, value in action["fetch"]["queryParams"] if "$" not in value]
    return PRESSES.get(" ".join([verb(action), *constants[:1]])) or PRESSES[verb(action)]


@pytest.fixture
def app(control_settings):
    """The control API on the test's database."""
    services = make_services(control_settings)
    with AlertmanagerDouble().serving() as alertmanager:
        services = replace(services, alertmanager=Alertmanager(alertmanager.url))
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
        return press_of(action).prepare(owner)


@pytest.fixture
def press(grafana, prepared, action):
    """Send what Grafana sends after the last click; reason None is a prompt left alone."""

    def fill(value, reason):
        if value == "$reason":
            return value if reason is None else reason
        if value.startswith("${"):
            name = re.fullmatch(r"\$\{(?:__data\.fields\.)?(\w+)(?::\w+)?\}", value)[1]
            return prepared[name]
        return press_of(action).typed[value[1:]] if value.startswith("$") else value

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
    row = owner.execute(press_of(action).sees).fetchone()
    return next(iter(row.values())) if row else None


def audit(owner):
    return owner.execute("SELECT * FROM analytics.audit ORDER BY audit_id").fetchall()


@each_action
def test_button_is_a_route(action, app):
    """The address exists exactly so, takes POST, and knows every argument that is sent."""
    rules = {rule.rule: rule for rule in app.url_map.iter_rules()}

    assert "POST" in rules[f"/api/v1/buttons/{verb(action)}"].methods
    known = BUTTONS[verb(action)].arguments.model_fields.keys()
    assert {key for key, _ in action["fetch"]["queryParams"]} <= known


@each_press(is_allowed=True)
def test_who_may_does_it(action, user, press, owner):
    """The fleet changes, and the audit row has who, why and how."""
    answer = press(user)

    assert answer.status_code == 200, answer.text
    assert look(owner, action) == press_of(action).after
    row = audit(owner)[-1]
    assert (user, USERS[user].name.lower(), "grafana", "done") == tuple(
        row[key] for key in ("actor", "role", "way", "outcome")
    )
    said = "driver update & reboot" if asks_for_reason(action) else press_of(action).says
    assert said
    assert said in row["reason"]


@each_press(is_allowed=False)
def test_who_may_not_is_refused(action, user, press, owner):
    """The request reaches the control API, which answers 403 and writes it down."""
    before = look(owner, action)

    assert press(user).status_code == 403

    assert look(owner, action) == before != press_of(action).after
    [row] = audit(owner)
    assert (row["actor"], row["role"], row["outcome"]) == (
        user,
        USERS[user].name.lower(),
        "refused",
    )


@pytest.mark.parametrize("action", [each for each in ACTIONS if asks_for_reason(each.values[0])])
@pytest.mark.parametrize("reason", [None, ""], ids=["untouched", "cleared"])
def test_reason_must_be_typed(action, press, owner, reason):
    """A prompt that was left alone or cleared changes nothing."""
    before = look(owner, action)

    assert press("admin", reason).status_code == 422

    assert look(owner, action) == before
