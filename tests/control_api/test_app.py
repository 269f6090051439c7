"""What holds for every route: problems, headers, limits, documents, and life without a database."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from fleet_control_api.app import create_app, make_services
from fleet_control_api.description.openapi import describe
from fleet_control_api.permissions.roles import route_of
from fleet_control_api.service.errors import MalformedError
from fleet_control_api.values.body import DEPTH_MAX, measure_depth, parse_body

README = Path(__file__).parents[2] / "control-api" / "README.md"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("PUT", "/jobs", 405),
        ("POST", "/healthz", 405),
        ("GET", "/jobs/", 404),
    ],
)
def test_unknown_address_is_a_problem(lasting_api, method, path, status):
    """Also what Flask itself refuses is problem+json, with a remedy."""
    response = lasting_api.call("admin", method, path)

    assert (response.status_code, response.mimetype) == (status, "application/problem+json")
    assert (
        response.json | {"status": status, "instance": f"/api/v1{path}", "type": "about:blank"}
        == response.json
    )
    assert "docs" in response.json["remedy"]


def test_fault_of_ours_shows_no_detail(control_settings):
    """An unexpected error is a problem that tells nothing of the inside."""
    services = make_services(control_settings)
    app = create_app(control_settings, services)
    services.database.close()
    app.view_functions["fleet.show"] = lambda: 1 / 0

    response = app.test_client().get("/api/v1/fleet")

    assert (response.status_code, response.mimetype) == (500, "application/problem+json")
    assert "division" not in response.text


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"5",
        b"\xff",
        b'{"count": NaN}',
        b'{"a": 1, "a": 2}',
        b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
    ids=["open", "array", "number", "latin", "nan", "twice", "deep"],
)
def test_malformed_body_is_refused_and_audited(lasting_api, body):
    """What is no JSON object is 400; the attempt is in the audit log."""
    response = lasting_api.call(
        "admin", "POST", "/jobs", data=body, content_type="application/json"
    )

    assert response.status_code == 400
    assert [row["outcome"] for row in lasting_api.audit()] == ["failed"]


def test_other_media_type_is_refused(lasting_api):
    """A form is not JSON."""
    assert lasting_api.call("admin", "POST", "/jobs", data={"count": "5"}).status_code == 415


def test_depth_is_measured_outside_of_strings():
    """Brackets in a text are no depth."""
    assert measure_depth('{"a": "[[[[\\"[[", "b": [1]}') == 2
    assert parse_body(b'{"a": %s}' % (b"[" * (DEPTH_MAX - 1) + b"]" * (DEPTH_MAX - 1)))
    with pytest.raises(MalformedError, match="deeper"):
        parse_body(b'{"a": %s}' % (b"[" * DEPTH_MAX + b"]" * DEPTH_MAX))


@pytest.mark.parametrize("path", ["/healthz", "/jobs", "/nowhere"])
def test_security_headers_are_everywhere(lasting_api, path):
    """Answers and errors alike carry them."""
    headers = lasting_api.call("nobody", "GET", path).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in headers["Content-Security-Policy"]


def test_health_says_that_the_database_is_down(control_settings, database):
    """The API starts without its database, says so with 503, and recovers by itself."""
    away = type(database)(database.port, f"{database.name}_away")
    settings = replace(control_settings, dsn=away.dsn("fleet_control"))
    services = make_services(settings)
    client = create_app(settings, services).test_client()
    with type(database)(database.port, "postgres").connect() as server:
        down = client.get("/api/v1/healthz")
        server.execute(f"ALTER DATABASE {database.name} RENAME TO {away.name}")
        up = client.get("/api/v1/healthz")
        services.database.close()
        server.execute(f"ALTER DATABASE {away.name} RENAME TO {database.name}")

    assert (down.status_code, down.mimetype) == (503, "application/problem+json")
    assert "./fleet status" in down.json["remedy"]
    assert (up.status_code, up.json) == (200, {"state": "up", "database": "up"})


def test_cut_connections_are_replaced(api):
    """A database that restarted between two requests costs no request."""
    assert api.call("viewer", "GET", "/jobs").status_code == 200
    api.owner.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE usename = 'fleet_control' AND datname = current_database()"
    )

    assert api.call("viewer", "GET", "/jobs").status_code == 200


def test_absence_of_the_database_is_told_once(api, database):
    """However many requests fail meanwhile, there is one event, and it stays."""
    assert api.call("viewer", "GET", "/jobs").status_code == 200
    with type(database)(database.port, "postgres").connect() as server:
        allow = f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS"
        server.execute(f"{allow} false")
        api.owner.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE usename = 'fleet_control' AND datname = current_database()"
        )
        away = [api.client.get("/api/v1/healthz").status_code for _ in range(2)]
        server.execute(f"{allow} true")
    again = api.call("viewer", "GET", "/jobs/00000000-0000-4000-8000-000000000000")

    assert (away, again.status_code) == ([503, 503], 404)
    (event,) = api.owner.execute("SELECT node, kind, message FROM analytics.events").fetchall()
    assert (event["node"], event["kind"]) == (None, "database_away")
    assert event["message"].startswith("The control API had no database for ")


def test_metrics_count_by_route_not_by_path(lasting_api):
    """Requests are counted under the rule, so that invented paths make no series."""
    lasting_api.call("viewer", "GET", "/jobs/00000000-0000-4000-8000-000000000000")
    lasting_api.call("viewer", "GET", "/invented/by/somebody")
    text = lasting_api.call("metrics", "GET", "/metrics").text

    assert 'route="/api/v1/jobs/<job:job_id>",status="404"} 1.0' in text
    assert "invented" not in text


def test_runbook_is_readable_without_login(api, control_settings, tmp_path):
    """A link in a mail shows the runbook as text; nothing else of the disk."""
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "NodeDown.md").write_text("# NodeDown\n")
    (tmp_path / "secret.md").write_text("secret")
    services = replace(
        api.app.extensions["fleet"],
        settings=replace(control_settings, runbooks=tmp_path / "runbooks"),
    )
    client = create_app(control_settings, services).test_client()

    shown = client.get("/api/v1/runbooks/NodeDown")
    assert (shown.text, shown.mimetype) == ("# NodeDown\n", "text/plain")
    assert client.get("/api/v1/runbooks/Other").json["remedy"] == "Known: NodeDown."
    for path in ("../secret", "%2e%2e%2fsecret", "..%5csecret", "nodeDown", "NodeDown.md"):
        assert client.get(f"/api/v1/runbooks/{path}").status_code == 404


def every_route(app):
    for rule in app.url_map.iter_rules():
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            yield (
                method,
                re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule),
                route_of(app.view_functions[rule.endpoint]),
            )


def described_routes(app):
    """Those for programs: pages are no part of the document."""
    return ((*named, route) for *named, route in every_route(app) if not route.is_page)


def test_openapi_lists_every_route(lasting_api):
    """The document has each route with its fields, its way in, and a summary."""
    document = lasting_api.call("nobody", "GET", "/openapi.json").json
    listed = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
    }

    assert listed == {(method, path) for method, path, _ in described_routes(lasting_api.app)}
    assert document["openapi"] == "3.1.0"
    operations = [o for operations in document["paths"].values() for o in operations.values()]
    assert all(operation["summary"].endswith(".") for operation in operations)
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    body = document["paths"]["/api/v1/jobs"]["post"]["requestBody"]["content"]
    assert body == {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}}
    order = document["components"]["schemas"]["Order"]
    assert order["required"] == ["scenario", "count"]
    assert (
        json.dumps(document["paths"]["/api/v1/buttons/job-cancel"]["post"]["security"])
        == '[{"grafana": [], "grafana_proxy": []}]'
    )


def test_docs_page_lists_every_route(lasting_api):
    """The page needs no script and no other server."""
    page = lasting_api.call("nobody", "GET", "/docs").text

    assert all(
        f"{method} {path}</code>" in page for method, path, _ in described_routes(lasting_api.app)
    )
    assert "<script" not in page
    assert 'src="' not in page


def expand(line):
    """A row for each verb of {start,stop}."""
    before, verbs, after = re.fullmatch(r"(.*?)(?:\{(\w+(?:,\w+)+)\}(.*))?", line).groups()
    return [line] if verbs is None else [f"{before}{verb}{after}" for verb in verbs.split(",")]


def test_readme_lists_every_route_with_its_role(lasting_api):
    """The table of the README is what the decorators say."""
    rows = [row for line in README.read_text().splitlines() for row in expand(line)]

    for method, path, route in every_route(lasting_api.app):
        shown = path if route.is_page else path.removeprefix("/api/v1")
        start = f"| `{method} {shown}` | {describe(route.access)} |"
        assert [row for row in rows if row.startswith(start)], start


def test_readme_lists_every_setting():
    """Each variable that the program reads is in the README's table."""
    source = (README.parent / "fleet_control_api" / "service" / "settings.py").read_text()
    names = set(re.findall(r"FLEET_[A-Z_]+", source)) - {"FLEET_"}
    secrets = {"FLEET_DATABASE_URL", "FLEET_JWT_KEY", "FLEET_PROXY_SECRET"}

    listed = {f"{name}_FILE" if name in secrets else name for name in names}
    assert listed == set(re.findall(r"^\| `(FLEET_[A-Z_]+)`", README.read_text(), re.MULTILINE))
