"""Grafana's door: real and forged identities, and the proxy's header rules."""

from __future__ import annotations

import time

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from fix_control import SECRET

ORDER = {"scenario": "healthcare_billing", "count": "3"}


def press(api, token, *, secret=SECRET, verb="fleet-pause", **options):
    headers = {"X-Fleet-Proxy-Secret": secret, "X-Grafana-Id": token}
    headers = {k: v for k, v in headers.items() if v is not None}
    return api.client.post(f"/api/v1/buttons/{verb}", headers=headers, **options)


def test_button_does_what_the_route_does(api):
    """A button submits a job through the same command, in the person's name."""
    response = api.call("grafana:editor", "POST", "/buttons/job-submit", query_string=ORDER)

    assert (response.status_code, response.json["wanted"]) == (200, 3)
    [row] = api.audit()
    assert (row["actor"], row["role"], row["way"], row["action"]) == (
        "editor",
        "operator",
        "grafana",
        "jobs.submit",
    )


def test_buttons_steer_fleet_and_job(api):
    """Pause, resume and cancel work through the door as well."""
    job = api.call("grafana:admin", "POST", "/buttons/job-submit", query_string=ORDER).json[
        "job_id"
    ]
    answers = [
        api.call("grafana:editor", "POST", f"/buttons/{verb}", query_string=query).json["state"]
        for verb, query in (
            ("fleet-pause", {"reason": "noise"}),
            ("fleet-resume", {}),
            ("job-cancel", {"job_id": job}),
        )
    ]

    assert answers == ["paused", "running", "cancelled"]


@pytest.mark.parametrize(
    "query", ["reason=$reason", "reason=", "reason=%20", "reason=a&reason=b", "why=x", "reason=$"]
)
def test_untouched_prompt_is_refused(lasting_api, query):
    """A prompt left alone or cleared, a doubled or an unknown value: 422, and nothing happens."""
    response = lasting_api.call(
        "grafana:editor", "POST", "/buttons/fleet-pause", query_string=query
    )

    assert response.status_code == 422
    assert lasting_api.call("viewer", "GET", "/fleet").json["state"] == "running"
    assert [row["outcome"] for row in lasting_api.audit()] == ["failed"]


def test_viewer_is_refused_with_403_and_a_row(lasting_api):
    """What a Viewer sends reaches the API, and ends there."""
    response = lasting_api.call("grafana:viewer", "POST", "/buttons/fleet-pause")

    assert response.status_code == 403
    [row] = lasting_api.audit()
    assert (row["actor"], row["role"], row["outcome"]) == ("viewer", "viewer", "refused")


FORGERIES = {
    "no identity": lambda g: None,
    "empty": lambda g: "",
    "no token": lambda g: "gibberish",
    "another key": lambda g: g.sign(g.claims(), key=ec.generate_private_key(ec.SECP256R1())),
    "unknown key id": lambda g: g.sign(g.claims(), key_id="id-2030-01-es256"),
    "no signature": lambda g: jwt.encode(g.claims(), None, "none", headers={"kid": g.key_id}),
    "symmetric": lambda g: g.sign(g.claims(), key="k" * 40, alg="HS256"),
    "expired": lambda g: g.sign(g.claims(exp=int(time.time()) - 11)),
    "without exp": lambda g: g.sign(g.claims(exp=None)),
    "another Grafana": lambda g: g.sign(g.claims(iss="http://grafana.example/")),
    "another organisation": lambda g: g.sign(g.claims(aud="org:2")),
    "service account": lambda g: g.sign(g.claims("robot")),
    "anonymous": lambda g: g.sign(g.claims(type="anonymous")),
    "no type": lambda g: g.sign(g.claims(type=None)),
    "unprintable name": lambda g: g.sign(g.claims(username="ed\x00itor")),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_forged_identity_is_refused(lasting_api, forgery):
    """Whatever is not Grafana's word for a person is 403, never 401, and changes nothing."""
    response = press(lasting_api, FORGERIES[forgery](lasting_api.grafana))

    assert (response.status_code, response.mimetype) == (403, "application/problem+json")
    assert lasting_api.call("viewer", "GET", "/fleet").json["state"] == "running"
    assert [(row["way"], row["outcome"]) for row in lasting_api.audit()] == [("none", "refused")]


@pytest.mark.parametrize("secret", ["wrong", "", None, "ключ"])
def test_wrong_proxy_secret_is_refused(lasting_api, secret):
    """A true identity without the data source's secret is a replay."""
    # WSGI carries header bytes as latin-1.
    sent = secret.encode().decode("latin-1") if secret else secret

    assert (
        press(
            lasting_api, lasting_api.grafana.sign(lasting_api.grafana.claims()), secret=sent
        ).status_code
        == 403
    )


def test_expiry_has_a_small_leeway(api):
    """Clocks that differ by a few seconds refuse nobody."""
    assert (
        press(api, api.grafana.sign(api.grafana.claims(exp=int(time.time()) - 3))).status_code
        == 200
    )


def test_unknown_role_is_a_viewer(lasting_api):
    """A role that is neither Admin nor Editor may press nothing."""
    assert (
        press(
            lasting_api, lasting_api.grafana.sign(lasting_api.grafana.claims(role="Owner"))
        ).status_code
        == 403
    )


def test_keys_are_fetched_once(api):
    """Known keys are remembered, and unknown ids do not make us fetch again and again."""
    for _ in range(5):
        press(api, api.grafana.sign(api.grafana.claims()))
        press(api, api.grafana.sign(api.grafana.claims(), key_id="forged"))

    assert api.grafana.keys_served == 1


def test_logins_do_not_open_the_door(lasting_api):
    """An admin's token presses no button, and Grafana's identity opens no REST route."""
    assert lasting_api.call("admin", "POST", "/buttons/fleet-pause").status_code == 403
    assert lasting_api.call("grafana:admin", "POST", "/fleet/pause").status_code == 401


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
def test_only_post_presses(lasting_api, method):
    """Nothing happens on any other method."""
    response = lasting_api.call("grafana:admin", method, "/buttons/fleet-pause")

    assert response.status_code == 405
    assert lasting_api.call("viewer", "GET", "/fleet").json["state"] == "running"


@pytest.mark.parametrize(
    "path",
    [
        "/fleet-pause/",
        "//fleet-pause",
        "/x/../fleet-pause",
        "/x/%2e%2e/fleet-pause",
        "/Fleet-Pause",
        "/fleet-pause%00",
    ],
)
def test_paths_match_exactly(lasting_api, path):
    """A path that merely resembles a button is none."""
    assert lasting_api.call("grafana:admin", "POST", f"/buttons{path}").status_code == 404


def test_graphite_questions_are_answered(lasting_api):
    """What Grafana's data source asks by itself gets harmless answers."""
    assert lasting_api.call("nobody", "POST", "/buttons/render").json == []
    assert lasting_api.call("nobody", "GET", "/buttons/events/get_data").json == []
    assert "version" in lasting_api.call("nobody", "GET", "/buttons/version").json


def through(grafana, path, user="editor", method="POST", **headers):
    return requests.request(
        method, grafana.proxy_url + path, auth=(user, user), headers=headers, timeout=10
    )


def test_click_through_the_proxy(grafana_proxy, api_server):
    """Through the proxy a Viewer gets 403, an Editor and an Admin are obeyed."""
    codes = [
        through(grafana_proxy, "/fleet-pause?reason=noise", user).status_code
        for user in ("viewer", "editor", "admin")
    ]

    assert codes == [403, 200, 200]
    rows = api_server.call("GET", "/audit").json()["audit"]
    assert [(row["actor"], row["outcome"]) for row in rows] == [
        ("admin", "done"), ("editor", "done"), ("viewer", "refused"),
    ]  # fmt: skip


def test_client_headers_cannot_pretend(grafana_proxy):
    """Own secrets, identities and underscore names that pass the proxy give a Viewer nothing."""
    admin = grafana_proxy.sign(grafana_proxy.claims("admin"))

    tricks = [
        {"X-Grafana-Id": admin},
        {"X_Grafana_Id": admin},
        {"X-Grafana_Id": admin, "X_Fleet_Proxy_Secret": "own"},
        {"X-Fleet-Proxy-Secret": "own"},
        {"Connection": "close, X-Grafana-Id"},
        {"Connection": "close, X-Grafana-Id", "X_Grafana_Id": admin},
        {"X-Role": "admin", "X-WebAuth-Role": "Admin", "X-Grafana-User": "admin"},
        {"X-DS-Authorization": "Bearer whatever"},
    ]
    assert {
        through(grafana_proxy, "/fleet-pause", "viewer", **trick).status_code for trick in tricks
    } == {403}


def test_stripped_identity_refuses_editors_too(grafana_proxy):
    """A Connection header that strips the identity leaves nobody."""
    assert (
        through(grafana_proxy, "/fleet-pause", Connection="close, X-Grafana-Id").status_code == 403
    )


def test_proxy_cannot_leave_the_buttons(grafana_proxy, api_server):
    """Paths are passed on unnormalised, and match nothing outside the buttons."""
    for path in ("/../fleet/pause", "/%2e%2e/fleet/pause", "/..%2Ffleet%2Fpause"):
        session = requests.Session()
        prepared = requests.Request(
            "POST", grafana_proxy.proxy_url, auth=("admin", "admin")
        ).prepare()
        prepared.url = grafana_proxy.proxy_url + path
        with session:
            assert session.send(prepared, timeout=10).status_code in {404, 403}

    assert api_server.call("GET", "/fleet").json()["state"] == "running"


def test_silent_grafana_fails_closed(lasting_api):
    """While Grafana's keys cannot be fetched nobody gets in, and the answer says why."""
    token = lasting_api.grafana.sign(lasting_api.grafana.claims())
    lasting_api.grafana.server.shutdown()
    lasting_api.grafana.server.server_close()

    response = press(lasting_api, token)

    assert (response.status_code, response.json["detail"]) == (
        503,
        "Grafana's signing keys cannot be fetched.",
    )
