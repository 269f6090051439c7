"""The OpenAPI document against the running application, as schemathesis compares the two."""

from __future__ import annotations

import re
import uuid
from collections import defaultdict
from itertools import cycle

import fix_control
import jwt
import pytest
import schemathesis
from fix_postgres import NODES
from fleet_control_api.callers.identity import Role
from fleet_control_api.permissions.limits import RateLimit
from fleet_control_api.permissions.roles import route_of
from fleet_control_api.service.alertmanager import Alertmanager
from fleet_control_api.values.nodes import PLACE
from schemathesis.engine import events, from_schema
from schemathesis.transport.wsgi import WSGITransport

SEED = 20261127
DOCUMENT = "/api/v1/openapi.json"
ADMINS_PATHS = ("/nodes/invite", "/nodes/{node}", "/nodes/{node}/model")
TOKENS = {"/sd/nodes": "sd", "/alerts/webhook": "webhook"}
VERBS = ("start", "stop", "restart", "drain")
PASSWORD = "correct horse battery"
ROLES = ("viewer", "operator", "admin")
TURNS = range(2, 61)
# No document can say which values and scopes each setting takes, which time zones there are, nor
# what is too much to silence.
UNTOLD = {
    "include-path-regex": r"/config/\{key\}$|/rollback$|/buttons/config-|/calendar$|/silence$",
    "checks": {
        # 401: links lead from the list of tokens to the end of the one that asks.
        "positive_data_acceptance": {"expected-statuses": ["2xx", 401, 403, 404, 409, 422]},
    },
}

# A remark of hypothesis about its own speed.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")


@pytest.fixture
def in_process(monkeypatch):
    """Call the application as a server does: no options of sockets, and each answer closed."""
    send = WSGITransport.send

    def send_in_process(self, case, *, max_redirects=None, verify=None, cert=None, **options):
        return send(self, case, buffered=True, **options)

    monkeypatch.setattr(WSGITransport, "send", send_in_process)


@pytest.fixture
def unlimited(api, alertmanager_double):
    """The API with a user of each role, one conversation, and no limit of requests a minute."""
    names = ("logins_by_source", "logins_by_name", "writes", "refreshes")
    api.use(**{name: RateLimit(10**6, 60) for name in names})
    # Streams end after their first piece: nobody waits for what may happen.
    api.app.extensions["fleet"].ending.set()
    api.use(alertmanager=Alertmanager(alertmanager_double.url))
    for name, role in {**{role: role for role in ROLES}, "guest": "viewer"}.items():
        fix_control.make_user(api.owner, name, role, PASSWORD)
    yield api
    # Links lead from the list of nodes to their removal; logins belong to the server, not to the
    # test's database.
    for login in (f"fleet_node_{name}" for name in NODES):
        api.owner.execute(f"ALTER ROLE {login} LOGIN")
        api.owner.execute(f"GRANT fleet_exporter, fleet_worker TO {login}")


def open_session(api, role="viewer"):
    """The tokens of a new login, without the work of checking a password."""
    services = api.app.extensions["fleet"]
    with services.database.transaction() as connection:
        return services.sessions.open(connection, role, Role.parse(role))


def log_in(api, role="viewer"):
    return {"Authorization": f"Bearer {open_session(api, role).access_token}"}


def find_contradictions(api, choose_headers, examples, *, prepare=lambda _: None):
    """
    Run all checks of schemathesis; return what they find, a line each, with the request.

    `choose_headers` says for a path who calls; `examples` bounds the requests of an operation.
    """
    generation = {"max-examples": examples, "database": "none"}
    config = schemathesis.Config.from_dict(
        {
            "seed": SEED,
            "continue-on-failure": True,
            "generation": generation,
            "operations": [UNTOLD],
        }
    )
    schema = schemathesis.openapi.from_wsgi(DOCUMENT, api.app, config=config)
    prepare(schema)

    @schema.auth(refresh_interval=None)
    class Login:
        def get(self, case, context):
            return choose_headers(case.operation.path.removeprefix("/api/v1"))

        def set(self, case, data, context):
            case.headers.update(data)

    found = {}
    for event in from_schema(schema).execute():
        if isinstance(event, events.FatalError):
            raise event.exception
        if isinstance(event, events.NonFatalError):
            found[f"{event.label}: {event.value}"] = ""
        if isinstance(event, events.ScenarioFinished):
            for check in (c for checks in event.recorder.checks.values() for c in checks):
                if check.failure_info:
                    failure = check.failure_info.failure
                    key = f"{failure.operation}: {check.name}: {failure.message}"
                    found.setdefault(key, check.failure_info.code_sample)
    return [f"{key}\n{sample}" for key, sample in found.items()]


def fill_in_what_no_document_can_say(api, schema):
    """Credentials that exist, and parameters of a query that depend on each other."""

    @schema.hook
    def map_body(context, body):
        path = context.operation.path.removeprefix("/api/v1") if context.operation else ""
        if path == "/jobs/update" and isinstance(body, dict) and is_confirmation(body):
            return confirm(api, body)
        names, fill = BODIES.get(path, (set(), None))
        return fill(api) if fill and is_valid(body, names) else body

    @schema.hook
    def map_path_parameters(context, parameters):
        path = context.operation.path.removeprefix("/api/v1") if context.operation else ""
        if path.startswith("/jobs/{job_id}") and is_id(parameters.get("job_id")):
            return {"job_id": make_job(api)}
        make = THINGS.get(path)
        return make(api) if make and are_valid(parameters) else parameters

    @schema.hook
    def map_query(context, query):
        path = context.operation.path.removeprefix("/api/v1") if context.operation else ""
        return fill_in_query(api, path, query)


def fill_in_query(api, path, query):
    """A query whose parameters depend on each other, or on what there is."""
    if path.startswith("/buttons/") and query:
        # A prompt that nobody filled in begins so, and is refused.
        query = {
            name: re.sub(r"^\$", "S", v) if isinstance(v, str) else v for name, v in query.items()
        }
    for name, (prefixes, is_allowed, make) in NAMED_IN_QUERY.items():
        if path.startswith(prefixes) and is_allowed((query or {}).get(name)):
            return {**query, name: make(api)}
    if path.startswith("/buttons/jobs-") and query:
        return name_jobs(api, query)
    if path != "/buttons/job-submit":
        return query
    turns = sorted([query.get("min_turns", 6), query.get("max_turns", 8)], key=str)
    if not all(isinstance(number, int) and number in TURNS for number in turns):
        return query
    return {**query, "min_turns": min(turns), "max_turns": max(turns)}


def name_jobs(api, query):
    """A change of many jobs that are there, and allow it."""
    if is_confirmation(query):
        return confirm(api, query)
    if is_id(str(query.get("job_ids"))[:36]):
        return {**query, "change": "move_first", "job_ids": make_job(api)}
    return query


def is_id(value):
    try:
        return bool(uuid.UUID(value))
    except (ValueError, TypeError, AttributeError):
        return False


def make_alert(api):
    """The number of an alert that fires."""
    row = api.owner.execute(
        "INSERT INTO control.alerts (labels, summary, started_at) VALUES"
        " (jsonb_build_object('alertname', 'GpuHot', 'gpu', gen_random_uuid()), '', now())"
        " RETURNING alert_id"
    ).fetchone()
    return row["alert_id"]


def make_silence(api):
    wish = {"alert_id": make_alert(api), "minutes": 5, "reason": "tests"}
    return call_admin(api, "POST", "/alerts/silence", **wish)["silence_id"]


def make_job(api):
    return call_admin(api, "POST", "/jobs", scenario="complaint", count=1)["job_id"]


def is_confirmation(values):
    return re.fullmatch("[0-9a-f]{16}", str(values.get("confirm"))) is not None


def confirm(api, values):
    """What a preview confirms of such a change; values that it refuses stay as they are."""
    asked = {name: value for name, value in values.items() if name not in {"confirm", "reason"}}
    told = call_admin(api, "POST", "/jobs/update/preview", **asked)
    return {**values, "confirm": told.get("confirm", values["confirm"])}


def open_id(api):
    """The id of a session that is live."""
    claims = jwt.decode(open_session(api).access_token, options={"verify_signature": False})
    return claims["sid"]


def call_admin(api, method, path, **body):
    return api.call("admin", method, path, json=body or None).json


# What a body of these addresses is when its values are allowed.
BODIES = {
    "/alerts/silence": (
        {"reason"},
        lambda api: {"alert_id": make_alert(api), "minutes": 5, "reason": "tests"},
    ),
    "/auth/login": ({"login", "password"}, lambda _: {"login": "viewer", "password": PASSWORD}),
    "/auth/refresh": (
        {"refresh_token"},
        lambda api: {"refresh_token": open_session(api).refresh_token},
    ),
    "/auth/invitation": (
        {"code", "password"},
        lambda api: {
            "code": call_admin(api, "POST", "/users/guest/invite")["code"],
            "password": PASSWORD,
        },
    ),
    "/auth/password": (
        {"password", "new_password"},
        lambda _: {"password": PASSWORD, "new_password": PASSWORD},
    ),
    "/config/{key}": ({"value"}, lambda _: {"value": None}),
    "/users/{login}": (
        {"version"},
        lambda api: {"version": call_admin(api, "GET", "/users/guest")["version"]},
    ),
}
BODIES["/nodes/join"] = (
    {"code", "node_id", "host", "scrape_address"},
    lambda api: {
        "code": call_admin(api, "POST", "/nodes/invite")["code"],
        "node_id": str(uuid.uuid4()),
        "host": "tower",
        "scrape_address": "127.0.0.1:20006",
    },
)
PATTERNS = {
    "node_id": r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z",
    "host": r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z",
    "scrape_address": PLACE.replace("$", r"\Z"),
}
# What the addresses name, where no link of the document leads there.
GUEST = dict.fromkeys(
    ("/users/{login}", "/users/{login}/password", "/users/{login}/invite"),
    lambda _: {"login": "guest"},
)
TOLD = {f"/nodes/{{node}}/{verb}": lambda api: {"node": enrol(api)} for verb in VERBS}
THINGS = (
    GUEST
    | TOLD
    | {
        "/nodes/{node}/calendar": lambda api: {"node": enrol(api)},
        "/nodes/{node}": lambda api: {"node": enrol(api)},
        "/nodes/{node}/model": lambda api: {
            "node": call_admin(api, "POST", f"/nodes/{enrol(api)}/model", model="tiny")["node"]
        },
        "/commands/{command_id}": lambda api: {
            "command_id": call_admin(api, "POST", f"/nodes/{enrol(api)}/start")["command_id"]
        },
        "/alerts/silences/{silence_id}/end": lambda api: {"silence_id": make_silence(api)},
        "/alerts/{alert_id}/acknowledge": lambda api: {"alert_id": make_alert(api)},
        "/alerts/{alert_id}/comment": lambda api: {"alert_id": make_alert(api)},
        "/sessions/{session_id}": lambda api: {"session_id": open_id(api)},
        "/tokens/{token_id}": lambda api: {
            "token_id": call_admin(api, "POST", "/tokens", name=uuid.uuid4().hex, scope="viewer")[
                "token_id"
            ]
        },
    }
)


def enrol(api):
    """The name of a machine that nobody needs."""
    row = api.owner.execute(
        "SELECT fleet.enroll_node(gen_random_uuid(), 'spare', '{generate}', NULL, NULL) AS node"
    ).fetchone()
    return row["node"]


# What the query of these buttons names: is the value allowed, and one that there is.
NAMED_IN_QUERY = {
    "node": (("/buttons/node-",), lambda name: name and are_valid({"": name}), enrol),
    "job_id": (("/buttons/job-",), is_id, make_job),
    "alert_id": (("/buttons/alert-",), lambda number: str(number).isdigit(), make_alert),
    "silence_id": (("/buttons/silence-",), is_id, make_silence),
}


def are_valid(parameters):
    """True for names and ids; those that the document refuses stay as they are."""
    return all(
        re.fullmatch(r"[a-z0-9][a-z0-9._@-]{0,62}", str(each)) for each in parameters.values()
    )


def is_valid(body, names):
    """True for values that the document allows: those that it refuses stay as they are."""
    return (
        isinstance(body, dict)
        and body.keys() == names
        and all(is_valid_value(name, value) for name, value in body.items())
        and ("code" not in body or len(body.get("password", PASSWORD)) >= 12)
    )


def is_valid_value(name, value):
    if name in PATTERNS:
        return isinstance(value, str) and re.search(PATTERNS[name], value) is not None
    if name == "version":
        return isinstance(value, int) and 1 <= value < 2**31
    shortest = 12 if name == "new_password" else 1
    return isinstance(value, str) and shortest <= len(value) <= 500 and bool(value.strip())


def count_answers(api):
    """The statuses that each operation was answered with, as the application itself counts."""
    answers = defaultdict(set)
    for metric in api.app.extensions["fleet"].metrics.registry.collect():
        for sample in metric.samples:
            if sample.name == "fleet_control_api_requests_total":
                operation = sample.labels["method"], sample.labels["route"]
                answers[operation].add(int(sample.labels["status"]))
    return answers


@pytest.mark.usefixtures("in_process")
def test_document_says_what_the_application_checks(unlimited, write_conversation):
    """No check finds a contradiction, and each operation serves a valid request."""
    api = unlimited
    write_conversation()
    people = cycle([log_in(api, role) for role in ROLES])
    clickers = cycle([api.headers(f"grafana:{user}") for user in ("viewer", "editor", "admin")])

    def choose_headers(path):
        if path in TOKENS:
            return api.headers(TOKENS[path])
        if path.endswith("fleet-pause") or path == "/fleet/pause":
            # It may have been stopped meanwhile, and could not be paused.
            api.owner.execute("SELECT fleet.set_fleet_state('running', 'tests', '')")
        if path.endswith("/calendar"):
            return log_in(api, "operator")
        if path == "/auth/logout":
            return log_in(api)  # it ends the session, so each has one of its own
        if path in ADMINS_PATHS or path.startswith(
            ("/users", "/tokens", "/sessions/", "/config/", "/audit/verify", "/metrics")
        ):
            return log_in(api, "admin")
        if path.startswith(("/jobs/", "/alerts/")):
            return log_in(api, "operator")
        return next(clickers if path.startswith("/buttons/") else people)

    found = find_contradictions(
        api,
        choose_headers,
        6,
        prepare=lambda schema: fill_in_what_no_document_can_say(api, schema),
    )

    assert found == []
    served = {
        operation
        for operation, statuses in count_answers(api).items()
        if any(200 <= status < 300 for status in statuses)
    }
    operations = {
        (method, rule.rule)
        for rule in api.app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if not route_of(api.app.view_functions[rule.endpoint]).is_page
    }
    assert operations - served == set()


@pytest.mark.usefixtures("in_process")
def test_document_holds_for_a_stranger(unlimited):
    """Whoever has an admin's token and the document, and no more, finds no contradiction."""
    headers = unlimited.headers("admin")

    assert find_contradictions(unlimited, lambda _: headers, 2) == []
