"""What the dashboards are tried on: a database with a day's life in it, and a real Prometheus."""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fix_control import (  # noqa: F401
    api_server,
    control_settings,
    grafana_double,
    grafana_proxy,
    unaudited,
)
from fix_http import QuietHandler, listen, serving
from fix_ports import free_port
from fleet_control_api.service.metrics import Metrics
from fleet_dashboards import build
from fleet_stack.parts.programs import find_tools
from psycopg.types.json import Jsonb

sys.path.insert(0, str(Path(__file__).parent))

import alerting
import machine

PERSONA = {"customer_name": "Marisol Quintanilla", "account": "QX-55318"}
TURNS = [
    ("agent", "Thank you for calling, how may I help you?"),
    ("customer", "This is Marisol Quintanilla, account QX-55318, about my bill."),
    ("agent", "I see the charge that you mean. It was sent twice."),
    ("customer", "Please take it back then."),
    ("agent", "It is done; you will see it within three days."),
    ("customer", "Thank you, goodbye."),
]
READY_SECONDS = 60  # for Prometheus to have seen each series twice


def read_dashboard(name):
    """A committed dashboard as Grafana will read it, its headings left out."""
    dashboard = json.loads((build.FOLDER / name).read_text())
    dashboard["panels"] = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    return dashboard


@pytest.fixture(params=sorted(build.dashboards()))
def dashboard(request):
    """Each committed dashboard."""
    return read_dashboard(request.param)


def all_targets(kind):
    """(title and refId, target) of each committed query of a data source type."""
    return [
        pytest.param(target | {"dashboard": name}, id=f"{name} {panel['title']} {target['refId']}")
        for name in sorted(build.dashboards())
        for panel in read_dashboard(name)["panels"]
        for target in panel["targets"]
        if target["datasource"]["type"] == kind
    ]


def pytest_generate_tests(metafunc):
    """Hand each query of the committed dashboards to the tests that ask for one."""
    kinds = {"sql_target": "grafana-postgresql-datasource", "prometheus_target": "prometheus"}
    for argument, kind in kinds.items():
        if argument in metafunc.fixturenames:
            metafunc.parametrize(argument, all_targets(kind))


@pytest.fixture
def panels(dashboard):
    return {panel["title"]: panel for panel in dashboard["panels"]}


@pytest.fixture
def panels_of():
    """The panels of one dashboard by title, such as panels_of("fleet-overview")."""
    return lambda uid: {panel["title"]: panel for panel in read_dashboard(f"{uid}.json")["panels"]}


@pytest.fixture
def values_of(lived_in, expand):
    """What the variables of a dashboard hold when a person opens it: {name: [value, ...]}."""

    def read(name):
        values = {}
        for variable in read_dashboard(name)["templating"]["list"]:
            if variable["type"] == "query":
                with lived_in.connect("fleet_grafana") as grafana:
                    rows = grafana.execute(expand(variable["query"], values)).fetchall()
                assert rows, f"{variable['name']} has nothing to pick"
                found = [str(row.get("__value", next(iter(row.values())))) for row in rows]
                values[variable["name"]] = found if variable["multi"] else found[:1]
            else:
                values[variable["name"]] = [variable["current"]["value"]]
        return values

    return read


def fill_in(text, values):
    """Variables as Grafana writes them into a query, in the forms that our builders use."""

    def write(match):
        name, form = match["name"], match["form"]
        assert name in values, f"${{{name}}} is no variable of this dashboard"
        if form == "sqlstring":
            return ",".join("'" + value.replace("'", "''") + "'" for value in values[name])
        assert form in (None, "csv", "regex"), f"a form that this test cannot write: {form}"
        return ("|" if form == "regex" else ",").join(values[name])

    return re.sub(r"\$\{(?P<name>\w+)(?::(?P<form>\w+))?\}", write, text)


@pytest.fixture
def expand():
    """Grafana's variables and macros of the PostgreSQL source, for a range that ends now."""

    def expand_macros(sql, values=(), *, hours=3, step_seconds=60):
        sql = fill_in(sql, dict(values))
        until = datetime.now(UTC)
        start = (until - timedelta(hours=hours)).isoformat()
        sql = re.sub(
            r"\$__timeFilter\(([^)]+)\)", rf"\1 BETWEEN '{start}' AND '{until.isoformat()}'", sql
        )
        sql = sql.replace("$__timeFrom()", f"'{start}'")
        sql = sql.replace("$__timeTo()", f"'{until.isoformat()}'")
        sql = sql.replace("$__interval_ms", str(step_seconds * 1000))
        assert "$__" not in sql, "a macro that this test cannot expand"
        return sql

    return expand_macros


@pytest.fixture
def query(lived_in, expand):
    """Run SQL of a panel as Grafana does: macros expanded, as fleet_grafana."""

    def run(sql, values=(), **how):
        with lived_in.connect("fleet_grafana") as grafana:
            return grafana.execute(expand(sql, values, **how)).fetchall()

    return run


@pytest.fixture
def lived_in(database, owner):
    """
    A database after some work.

    Alpha wrote five conversations (three accepted, two rejected), gave one up, is writing another;
    beta, switched off on purpose, never came; a judge scored realness; people pressed buttons.
    """
    billing = owner.execute(
        "SELECT fleet.submit_job('healthcare_billing', 7, 'tests') AS job"
    ).fetchone()["job"]
    for action, target in (("jobs.submit", f"job {billing}"), ("config.set", "setting")):
        owner.execute(
            "SELECT control.write_audit('ada', 'admin', 'token', %s, %s, 'done', 'first', NULL)",
            [action, target],
        )
    waiting = owner.execute("SELECT fleet.submit_job('mixed', 4, 'tests') AS job").fetchone()["job"]
    owner.execute("SELECT fleet.split_jobs()")
    owner.execute("SELECT fleet.cancel_job(%s)", [waiting])
    owner.execute("SELECT fleet.submit_job('mixed', 3, 'tests')")
    owner.execute("SELECT fleet.set_config('fleet', 'task_attempts_max', 1, 'tests', 'fail soon')")
    owner.execute("UPDATE fleet.nodes SET is_expected = false WHERE node = 'beta'")
    with database.connect("alpha") as alpha:
        alpha.execute("SELECT fleet.heartbeat('1.0', 'running', 0)")
        write_conversations(alpha)
        judge_conversations(alpha)
        store_readings(alpha)
        machine.put_rows(owner, alpha)
    alerting.put_rows(owner)
    lead(owner)
    with unaudited(owner):
        owner.execute("SELECT fleet.set_config('node:alpha', 'temperature', 0.9, 'ada', 'try')")
        owner.execute("SELECT fleet.request_model('alpha', 'large', 'ada', 'better', 0)")
    owner.execute(
        "UPDATE fleet.grades SET realness = 6, healthcare_valid = (checks_passed = checks_total)"
    )
    for role, outcome in (("viewer", "refused"), ("operator", "done")):
        owner.execute(
            "SELECT control.write_audit('ada', %s, 'grafana', 'pause', 'fleet', %s, 'why', NULL)",
            [role, outcome],
        )
    return database


def lead(owner):
    """Have a master lead that has told what it did, and has measured what readings take."""
    master = uuid.uuid4()
    term = owner.execute("SELECT fleet.lead(%s) AS term", [master]).fetchone()["term"]
    owner.execute("SELECT fleet.tell_round(%s, %s, 'Made 7 tasks.')", [master, term])
    owner.execute("SELECT telemetry.note_storage()")


def write_conversations(alpha):
    worker = uuid.uuid4()
    prompt = alpha.execute("SELECT max(prompt_id) AS id FROM fleet.prompts").fetchone()["id"]
    tasks = alpha.execute(
        "SELECT task_id, attempt FROM fleet.claim_tasks(%s, 7)", [worker]
    ).fetchall()
    for number, row in enumerate(tasks):
        held = (row["task_id"], worker, row["attempt"])
        start = (*held, prompt, Jsonb(PERSONA))
        alpha.execute("SELECT fleet.start_task(%s, %s, %s, %s, %s)", start)
        for position, (speaker, text) in enumerate(TURNS, start=1):
            turn = (*held, position, speaker, f"{text} ({number})")
            alpha.execute("SELECT fleet.store_turn(%s, %s, %s, %s, %s, %s)", turn)
        alpha.execute(
            "SELECT fleet.record_llm_request(%s, %s, 'tiny', 300, 200, 10, 0.5, 'ok')",
            [uuid.uuid4(), row["task_id"]],
        )
        if number == 4:  # the newest conversation
            alpha.execute(
                "SELECT fleet.record_try(%s, %s, %s, %s, 6, 'too_long', 40, 2.5)",
                (*held, uuid.uuid4()),
            )
        if number < 5:
            alpha.execute("SELECT fleet.finish_task(%s, %s, %s, 'tiny')", held)
        elif number == 5:
            alpha.execute("SELECT fleet.release_task(%s, %s, %s, 'empty', 'no answer')", held)
            alpha.execute("SELECT fleet.decide_failures(true)")


def judge_conversations(alpha):
    worker = uuid.uuid4()
    rows = alpha.execute(
        "SELECT conversation_id FROM fleet.claim_judgements(%s, 9)", [worker]
    ).fetchall()
    for number, row in enumerate(rows):
        is_bad = number >= 3
        scrubbed = [
            f"{text} ({number})".replace("Marisol Quintanilla", "[PII]").replace(
                "QX-55318", "[PII]"
            )
            for _, text in TURNS
        ]
        alpha.execute(
            "SELECT fleet.store_verdict(%s, %s, %s, %s, %s, %s, %s, 'rules', %s, 8)",
            [
                row["conversation_id"],
                worker,
                "repeated_turn" if is_bad else None,
                "checks" if is_bad else None,
                "turn 3 equals turn 5" if is_bad else None,
                bytes([number]),
                scrubbed,
                7 if is_bad else 8,
            ],
        )


def store_readings(alpha):
    now = datetime.now(UTC)
    alpha.execute(
        "INSERT INTO telemetry.hardware (time, node, cpu_utilization_ratio,"
        " cpu_temperature_celsius, memory_used_bytes, memory_total_bytes, mode, throttle_factor)"
        " VALUES (%s, 'alpha', 0.5, 71, 4e9, 8e9, 'idle', 1)",
        [now],
    )
    alpha.execute(
        "INSERT INTO telemetry.gpu (time, node, gpu, temperature_celsius)"
        " VALUES (%s, 'alpha', '0', 64)",
        [now],
    )


NODE_PAGE = """\
fleet_cpu_utilization_ratio 0.5
fleet_cpu_temperature_celsius{{sensor="package"}} 71
fleet_cpu_temperature_celsius{{sensor="core0"}} 82
fleet_memory_used_bytes 4e9
fleet_memory_total_bytes 8e9
fleet_disk_free_bytes{{mount="/"}} 5e10
fleet_disk_total_bytes{{mount="/"}} 1e11
fleet_gpu_utilization_ratio{{gpu="0"}} 0.9
fleet_gpu_temperature_celsius{{gpu="0"}} 64
fleet_gpu_memory_used_bytes{{gpu="0"}} 3e9
fleet_gpu_memory_total_bytes{{gpu="0"}} 6e9
fleet_network_receive_bytes_total{{device="eth0"}} {tokens}
fleet_network_transmit_bytes_total{{device="eth0"}} {tokens}
fleet_peer_round_trip_seconds{{peer="beta"}} 0.002
fleet_peer_throughput_bytes_per_second{{peer="beta"}} 6e6
fleet_llm_tokens_total{{model="tiny",kind="prompt"}} {tokens}
fleet_llm_tokens_total{{model="tiny",kind="completion"}} {tokens}
fleet_tick_late_seconds 0.01
fleet_ticks_missed_total 2
fleet_samples_dropped_total{{collector="gpu",reason="unreadable"}} 3
fleet_spool_dropped_rows_total{{reason="full"}} 0
fleet_page_series_cut_total 0
"""
NODE_PAGE += machine.PAGE
MASTER_PAGE = "".join(
    [
        f'fleet_jobs{{{{state="{state}"}}}} {number}\n'
        for number, state in enumerate(
            ("pending", "running", "done", "failed", "cancelled"), start=1
        )
    ]
    + [
        f'fleet_tasks{{{{state="{state}"}}}} {number}\n'
        for number, state in enumerate(
            ("pending", "claimed", "running", "done", "failed", "cancelled"), start=11
        )
    ]
    + ["fleet_levels_upkeep_timestamp_seconds 1790000000\n"]
)
PROMETHEUS_CONFIG = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["{alertmanager}"]}}]}}]}}
scrape_configs:
  - job_name: fleet-node
    metrics_path: /node
    static_configs: [{{targets: ["127.0.0.1:{port}"], labels: {{node: alpha}}}}]
  - job_name: fleet-master
    metrics_path: /master
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
  - job_name: fleet-control-api
    metrics_path: /control
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
  - job_name: prometheus
    static_configs: [{{targets: ["{prometheus}"]}}]
  - job_name: alertmanager
    static_configs: [{{targets: ["{alertmanager}"]}}]
"""
# It waits before it tells, so that Prometheus has seen its counter at 0.
ALERTMANAGER_CONFIG = """\
route: {{receiver: page, group_wait: 3s}}
receivers: [{{name: page, webhook_configs: [{{url: "http://127.0.0.1:{port}/hook"}}]}}]
"""
RULES = """\
groups:
  - name: tests
    rules:
      - {alert: CpuHot, expr: fleet_cpu_temperature_celsius > 80, labels: {severity: critical}}
      - {alert: Watchdog, expr: vector(1), labels: {severity: none}}
"""


class Pages(QuietHandler):
    """
    The pages of an exporter, of a master and of a control API, and the ear of Alertmanager.

    Counters rise at each scrape.
    """

    tokens = 0
    control = Metrics()

    def do_GET(self):
        type(self).tokens += 50
        page = {"/node": NODE_PAGE, "/master": MASTER_PAGE}.get(self.path, "")
        body = page.format(tokens=self.tokens).encode() or self.count_request()
        self.reply(200, body, "text/plain; version=0.0.4")

    def count_request(self):
        """Return the control API's own page after one more request, change and intruder."""
        self.control.requests.labels("POST", "/jobs", "200").inc()
        self.control.duration.labels("/jobs").observe(0.01)
        self.control.attempts.labels("jobs.submit", "done").inc()
        self.control.unauthenticated.inc()
        self.control.audit_rows.set(7)
        self.control.audit_head.set(0xAB12)
        return self.control.render()

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.reply(200, b"", "text/plain")


@pytest.fixture(scope="session")
def watchers():
    """The programs that watch: Prometheus and Alertmanager."""
    tools = find_tools(os.environ, print)
    for name in ("prometheus", "alertmanager"):
        if tools.get(name) is None:
            pytest.skip(f"no {name} could be had; set FLEET_{name.upper()}_HOME to its folder")
    return tools


@pytest.fixture(scope="session")
def prometheus_program(watchers):
    return watchers["prometheus"]


@contextmanager
def running(log, *command):
    """A server that is ended afterwards."""
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="session")
def prometheus(watchers, tmp_path_factory):
    """
    Ask a real Prometheus that scrapes Pages: a function from PromQL to its result.

    It tells its alert to a real Alertmanager, and scrapes both itself and that.
    """
    folder = tmp_path_factory.mktemp("prometheus")
    pages = listen(Pages)
    (folder / "tests.rules.yml").write_text(RULES)
    config, telling = folder / "prometheus.yml", folder / "alertmanager.yml"
    address, teller = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    config.write_text(
        PROMETHEUS_CONFIG.format(
            rules=folder / "tests.rules.yml",
            port=pages.server_port,
            prometheus=address,
            alertmanager=teller,
        )
    )
    telling.write_text(ALERTMANAGER_CONFIG.format(port=pages.server_port))
    ask = functools.partial(ask_prometheus, f"http://{address}")
    with (
        serving(pages),
        running(
            folder / "alertmanager.log",
            watchers["alertmanager"],
            f"--config.file={telling}",
            f"--web.listen-address={teller}",
            "--cluster.listen-address=",
            f"--storage.path={folder / 'alerts'}",
        ),
        running(
            folder / "log",
            watchers["prometheus"],
            f"--config.file={config}",
            f"--web.listen-address={address}",
            f"--storage.tsdb.path={folder / 'data'}",
        ) as process,
    ):
        wait_until_seen(ask, process, folder / "log")
        yield ask


@pytest.fixture(scope="session")
def scraped_pages():
    """What the Prometheus of these tests scrapes: page by name."""
    return {"node": NODE_PAGE.format(tokens=1), "master": MASTER_PAGE.format()}


def ask_prometheus(url, expr, values=()):
    expr = fill_in(expr, dict(values))
    for macro, span in (("rate_interval", "20s"), ("interval", "5s"), ("range", "5m")):
        expr = expr.replace(f"$__{macro}", span)
    assert "$__" not in expr, "a macro that this test cannot expand"
    form = urllib.parse.urlencode({"query": expr}).encode()
    with urllib.request.urlopen(f"{url}/api/v1/query", form, timeout=5) as response:
        return json.load(response)["data"]["result"]


def wait_until_seen(ask, process, log):
    """Return when all pages were scraped twice, and somebody was told of the alert."""
    told = "increase(alertmanager_notifications_total[1m]) > 0"
    probe = f"rate(fleet_llm_tokens_total[20s]) and on () fleet_tasks and on () ({told})"
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if ask(probe):
                return
        except OSError:
            pass  # it does not listen yet
        threading.Event().wait(0.2)
    pytest.fail(f"Prometheus did not get ready: {log.read_text()[-2000:]}")
