"""Nodes over HTTP: told what to do, let in with a code, sent away."""

from __future__ import annotations

import uuid

import psycopg
import pytest
from fleet_control_api.callers.identity import digest
from fleet_control_api.callers.scrape import ScrapeToken
from fleet_control_api.routes.joining import check_way, is_loopback, render_url
from fleet_control_api.service.errors import ConflictError

ENTRY = {"host": "tower", "scrape_address": "127.0.0.1:20006"}


def enter(api, code, **changed):
    body = {"code": code, "node_id": str(uuid.uuid4()), **ENTRY, **changed}
    return api.call("nobody", "POST", "/nodes/join", json=body)


def invite(api):
    return api.call("admin", "POST", "/nodes/invite", json={"hours": 1}).json["code"]


@pytest.fixture
def joined(api):
    """A machine that joined; its login belongs to the server, so it goes away again."""
    answer = enter(api, invite(api)).json
    yield answer
    login = f"fleet_node_{answer['node']}"
    api.owner.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [login]
    )
    api.owner.execute(f'DROP OWNED BY "{login}"; DROP ROLE "{login}"')


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "drain"])
def test_command_is_accepted_shown_and_audited(api, verb):
    """202 with the place where it can be followed; the audit row names node and reason."""
    response = api.call("operator", "POST", f"/nodes/alpha/{verb}", json={"reason": "noise"})

    command = response.json
    assert response.status_code == 202
    place = response.headers["Location"].removeprefix("/api/v1")
    assert place == f"/commands/{command['command_id']}"
    assert api.call("viewer", "GET", place).json == command
    assert (command["verb"], command["state"], command["requested_by"]) == (
        verb, "requested", "operator-token",
    )  # fmt: skip
    [row] = api.audit()
    assert (row["action"], row["target"], row["reason"]) == (f"nodes.{verb}", "node alpha", "noise")


def test_button_is_the_same_command(api):
    """Grafana's button makes the row that the route makes."""
    pressed = api.call(
        "grafana:editor", "POST", "/buttons/node-stop", query_string={"node": "beta"}
    )

    assert (pressed.status_code, pressed.json["verb"], pressed.json["node"]) == (
        200,
        "stop",
        "beta",
    )


@pytest.mark.parametrize(
    ("node", "body", "status"),
    [("gamma", {}, 404), ("Alpha!", {}, 422), ("alpha", {"deadline_seconds": 0}, 422)],
)
def test_command_for_nobody_is_said(lasting_api, node, body, status):
    """An unknown node is 404, a name that is none and a deadline of nothing are 422."""
    assert (
        lasting_api.call("operator", "POST", f"/nodes/{node}/stop", json=body).status_code == status
    )
    assert lasting_api.owner.execute("SELECT FROM fleet.commands").fetchall() == []


def test_unknown_command_is_said(lasting_api):
    """404 names it."""
    missing = uuid.uuid4()

    response = lasting_api.call("viewer", "GET", f"/commands/{missing}")

    assert (response.status_code, response.json["detail"]) == (404, f"no command {missing}")


def test_repeated_key_makes_no_second_command(api):
    """A restart that is sent twice restarts once."""
    key = {"Idempotency-Key": "once"}
    sent = [api.call("operator", "POST", "/nodes/alpha/restart", headers=key) for _ in range(2)]

    assert len({response.json["command_id"] for response in sent}) == 1
    assert len(api.owner.execute("SELECT FROM fleet.commands").fetchall()) == 1


def test_machine_joins_with_a_code(api, joined):
    """It gets a name and a login that works, Prometheus gets a target, and the audit both names."""
    with psycopg.connect(joined["database_url"]) as node:
        assert node.execute("SELECT fleet.current_node()").fetchone() == (joined["node"],)
    assert {"targets": [ENTRY["scrape_address"]], "labels": {"node": "tower"}} in api.call(
        "sd", "GET", "/sd/nodes"
    ).json
    invited, entered = api.audit()
    assert invited["action"] == "nodes.invite"
    assert (entered["actor"], entered["role"], entered["action"], entered["target"]) == (
        "admin-token", "invitation", "nodes.join", "node tower",
    )  # fmt: skip


def test_code_is_good_once(api, joined):
    """The second machine is refused, as one with a code that never was; both are written down."""
    code = invite(api)
    api.owner.execute("UPDATE fleet.node_invitations SET used_at = now()")

    refused = [enter(api, wrong) for wrong in (code, "guessed")]

    assert [response.status_code for response in refused] == [401, 401]
    assert {response.json["detail"] for response in refused} == {
        "the code is unknown, used or expired"
    }
    assert api.audit()[-1]["outcome"] == "refused"


def test_codes_are_not_guessed(lasting_api):
    """Past the limit of its address a machine is told to wait."""
    statuses = [enter(lasting_api, "guessed").status_code for _ in range(25)]

    assert (statuses[0], statuses[-1]) == (401, 429)


def test_copy_of_a_living_node_is_refused(api):
    """The id of a node that lives is a conflict, and its password stays what it was."""
    alpha = api.owner.execute(
        "UPDATE fleet.nodes SET last_heartbeat_at = now() WHERE node = 'alpha' RETURNING node_id"
    ).fetchone()["node_id"]

    response = enter(api, invite(api), node_id=str(alpha))

    assert response.status_code == 409
    assert "is that of node alpha, which is alive" in response.json["detail"]
    assert api.audit()[-1]["outcome"] == "refused"


def test_removed_node_is_gone(api, joined):
    """No target and no login; the session that it had is ended; a second time it is unknown."""
    with psycopg.connect(joined["database_url"], autocommit=True) as node:
        response = api.call("admin", "DELETE", "/nodes/tower", json={"reason": "sold"})

        assert response.json == {"node": "tower", "state": "removed"}
        with pytest.raises(psycopg.Error):
            node.execute("SELECT fleet.current_node()")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(joined["database_url"])
    targets = api.call("sd", "GET", "/sd/nodes").json
    assert "tower" not in [target["labels"]["node"] for target in targets]
    assert api.call("admin", "DELETE", "/nodes/tower").status_code == 404


def test_code_does_not_stand_in_the_audit_log(api):
    """Neither does the password that a machine gets."""
    code = invite(api)

    assert code not in str(api.audit())


@pytest.mark.parametrize(
    ("client", "dsn", "is_refused"),
    [
        ("127.0.0.1", "host=127.0.0.1", False),
        ("10.0.0.9", "host=127.0.0.1", True),
        ("10.0.0.9", "host=db.example", False),
        ("10.0.0.9", "host=/run/postgresql", True),
    ],
)
def test_machine_that_could_not_reach_the_database_is_refused(client, dsn, is_refused):
    """Before its code is used up."""
    if not is_refused:
        check_way(client, dsn)
        return
    with pytest.raises(ConflictError, match="its own machine only"):
        check_way(client, dsn)


@pytest.mark.parametrize(
    ("host", "answer"), [("::1", True), ("127.8.9.1", True), ("localhost", True), ("db", False)]
)
def test_loopback(host, answer):
    """Addresses and the name of this machine."""
    assert is_loopback(host) is answer


def test_address_of_the_database_for_a_node():
    """Place, name and mode are ours, the login is the node's; odd characters are escaped."""
    dsn = "postgresql://fleet_control:x@db.example:5433/fleet?sslmode=require"

    url = render_url(dsn, "fleet_node_tower", "a/b@c")

    assert url == ("postgresql://fleet_node_tower:a%2Fb%40c@db.example:5433/fleet?sslmode=require")


@pytest.fixture
def scrape(api, tmp_path):
    """The folder of the scrape token, as `up` leaves it."""
    for name in ("token", "next"):
        (tmp_path / name).write_text(f"{name}-1\n")
    api.use(scrape=ScrapeToken(tmp_path))
    hashes = [digest(f"{name}-1") for name in ("token", "next")]
    api.owner.execute("SELECT fleet.put_scrape_token(%s, %s)", hashes)
    api.owner.execute("UPDATE fleet.scrape_token SET changed_at = now() - interval '1 hour'")
    return tmp_path


def accepted(api):
    """What exporters accept, as their agents bring it."""
    return api.owner.execute("SELECT fleet.scrape_hashes() AS hashes").fetchone()["hashes"]


def test_removal_renews_the_scrape_token(api, joined, scrape):
    """Prometheus goes on with the one that exporters know already; they learn the one after it."""
    before = accepted(api)

    api.call("admin", "DELETE", "/nodes/tower")

    shown, following = (digest((scrape / n).read_text().strip()).hex() for n in ("token", "next"))
    assert shown == digest("next-1").hex()
    assert shown in before
    assert accepted(api) == [shown, following, digest("token-1").hex()]
    assert (scrape / "token").stat().st_mode & 0o777 == 0o600


def test_second_removal_waits_until_exporters_know_the_next_token(api, scrape):
    """Several nodes that leave at once renew it once, and once more after a while."""
    api.owner.execute("UPDATE fleet.nodes SET removed_at = now()")
    token = ScrapeToken(scrape)
    database = api.app.extensions["fleet"].database
    token.renew(database)
    renewed = token.read()
    api.owner.execute("UPDATE fleet.nodes SET removed_at = clock_timestamp()")

    token.renew(database)
    assert token.read() == renewed

    api.owner.execute("UPDATE fleet.scrape_token SET changed_at = changed_at - interval '1 hour'")
    token.renew(database)
    assert token.read() != renewed


def test_renewal_looks_now_and_then(api, scrape, clock):
    """What a removal could not do is done within some seconds."""
    api.owner.execute("UPDATE fleet.nodes SET removed_at = now() WHERE node = 'beta'")
    token, database = ScrapeToken(scrape, clock), api.app.extensions["fleet"].database
    token.look(database)
    assert token.read() == "next-1"
    api.owner.execute("UPDATE fleet.scrape_token SET changed_at = now() - interval '1 hour'")

    token.look(database)
    assert token.read() == "next-1"

    clock.now += 5
    token.look(database)
    assert token.read() != "next-1"


def test_machine_that_joins_gets_the_scrape_token(api, scrape):
    """With it the exporter is closed and scraped from its first moment."""
    answer = enter(api, invite(api)).json

    assert answer["scrape_token"] == "token-1"
    api.owner.execute(f'DROP ROLE "fleet_node_{answer["node"]}"')


def test_model_servers_are_listed(api, database):
    """What the worker of a node said last of its model server; nodes that said nothing are none."""
    with database.connect("alpha") as node:
        node.execute(
            "SELECT fleet.report_endpoint('llama_cpp', 'qwen', 'ready', 4, 8192, '{qwen}'::text[])"
        )
    (shown,) = api.call("viewer", "GET", "/endpoints").json["endpoints"]

    assert (shown["node"], shown["kind"], shown["model"], shown["state"], shown["slots"]) == (
        "alpha", "llama_cpp", "qwen", "ready", 4,
    )  # fmt: skip
