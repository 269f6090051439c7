"""A control API over the test database: in this process for most tests, in gunicorn for some."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace

import fix_control
import pytest
from fix_alertmanager import AlertmanagerDouble
from fix_control import api_server, control_settings, grafana_double, grafana_proxy  # noqa: F401
from fix_http import serving
from fix_postgres import copy_database
from fleet_control_api.app import create_app, make_services
from fleet_control_api.client import Place, main
from werkzeug.serving import make_server

SCRUBBED = (
    "Hello, this is [PII], how can I help you today?",
    "Hi, my number is [PII] and my bill is wrong.",
)
RAW = (
    "Hello, this is Wilhelmina, how can I help you today?",
    "Hi, my number is 555-0199 and my bill is wrong.",
)


@dataclass
class Api:
    """The test client, with people and tokens that come into being when asked for."""

    app: object
    owner: object
    grafana: object
    tokens: dict = field(default_factory=dict)
    audit_before: int = 0  # rows of earlier tests on the same database

    @property
    def client(self):
        return self.app.test_client()

    def use(self, **services) -> None:
        """Put other services into the running application."""
        self.app.extensions["fleet"] = replace(self.app.extensions["fleet"], **services)

    def token(self, scope: str) -> str:
        if scope not in self.tokens:
            self.tokens[scope] = fix_control.make_token(self.owner, scope)
        return self.tokens[scope]

    def headers(self, who: str) -> dict[str, str]:
        """`who`: nobody, a scope of tokens, or grafana:USER."""
        if who == "nobody":
            return {}
        if who.startswith("grafana:"):
            claims = self.grafana.claims(who.removeprefix("grafana:"))
            return {
                "X-Fleet-Proxy-Secret": fix_control.SECRET,
                "X-Grafana-Id": self.grafana.sign(claims),
            }
        return {"Authorization": f"Bearer {self.token(who)}"}

    def call(self, who: str, method: str, path: str, **options):
        headers = {**self.headers(who), **options.pop("headers", {})}
        options.setdefault("buffered", True)  # read and closed, as a server does
        return self.client.open(f"/api/v1{path}", method=method, headers=headers, **options)

    def audit(self) -> list[dict]:
        return self.owner.execute(
            "SELECT actor, role, way, action, target, outcome, reason FROM control.audit "
            "WHERE audit_id > %s ORDER BY audit_id",
            [self.audit_before],
        ).fetchall()


class Clock:
    """Stands still until a test moves it."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def alertmanager_double():
    """The stand-in for Alertmanager, which answers."""
    with AlertmanagerDouble().serving() as double:
        yield double


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def api(owner, control_settings, grafana_double):  # noqa: F811 - pytest finds fixtures by name
    services = make_services(control_settings)
    yield Api(create_app(control_settings, services), owner, grafana_double)
    services.database.close()


@pytest.fixture(scope="module")
def lasting_owner(database_template):
    """The owner's connection to a database that the tests of a module share."""
    with copy_database(database_template) as copy, copy.connect() as owner:
        yield owner


@pytest.fixture
def lasting_api(lasting_owner, grafana_double):  # noqa: F811 - as above
    """An API as fresh as `api`, on a shared database: for tests of what is refused."""
    info = lasting_owner.info
    settings = fix_control.make_settings(
        f"host=127.0.0.1 port={info.port} user=fleet_control dbname={info.dbname}", grafana_double
    )
    services = make_services(settings)
    row = lasting_owner.execute(
        "SELECT coalesce(max(audit_id), 0) AS last FROM control.audit"
    ).fetchone()
    app = create_app(settings, services)
    yield Api(app, lasting_owner, grafana_double, audit_before=row["last"])
    services.database.close()


@pytest.fixture
def served_url(api):
    """The address of the application over real HTTP, from a thread of this process."""
    server = make_server("127.0.0.1", 0, api.app, threaded=True)
    with serving(server) as url:
        yield f"{url}/api/v1"


@pytest.fixture
def fleet(served_url, api, capsys, tmp_path):
    """Run a command with an admin's token as the home's; returns exit code, output, errors."""
    admin = api.token("admin")

    def run(*argv, url=served_url, token=admin, **environ):
        environ = {"XDG_CONFIG_HOME": str(tmp_path / "config"), **environ}
        code = main(list(argv), Place(environ, url, token))
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def write_conversation(owner, database):
    """Let a node write and judge one conversation; returns its id."""

    def write(raw=RAW, scrubbed=SCRUBBED, scenario="healthcare_billing", reason=None, job=None):
        job = (
            job
            or owner.execute(
                "SELECT fleet.submit_job(%s, 1, 'tests') AS id", [scenario]
            ).fetchone()["id"]
        )
        owner.execute("SELECT fleet.split_jobs()")
        prompt = owner.execute("SELECT min(prompt_id) AS id FROM fleet.prompts").fetchone()["id"]
        worker = uuid.uuid4()
        with database.connect("alpha") as node:
            task = node.execute("SELECT * FROM fleet.claim_tasks(%s, 1)", [worker]).fetchone()
            held = [task["task_id"], worker, task["attempt"]]
            node.execute("SELECT fleet.start_task(%s, %s, %s, %s, '{}')", [*held, prompt])
            for position, text in enumerate(raw, 1):
                speaker = "agent" if position % 2 else "customer"
                node.execute(
                    "SELECT fleet.store_turn(%s, %s, %s, %s, %s, %s)",
                    [*held, position, speaker, text],
                )
            made = node.execute("SELECT fleet.finish_task(%s, %s, %s, 'm') AS id", held).fetchone()[
                "id"
            ]
            node.execute("SELECT fleet.claim_judgements(%s, 10)", [worker])
            node.execute(
                "SELECT fleet.store_verdict(%s, %s, %s, %s, %s, %s, %s, 'checks', 1, 1)",
                [
                    made,
                    worker,
                    reason,
                    reason and "checks",
                    reason and "seen",
                    uuid.uuid4().bytes,
                    list(scrubbed),
                ],
            )
        return made

    return write
