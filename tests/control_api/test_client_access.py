"""`fleet users|tokens|sessions <verb>` against a running control API."""

from __future__ import annotations

import io
import json
import re

import requests


def log_in(url, password, login="ada"):
    credentials = {"login": login, "password": password}
    return requests.post(f"{url}/auth/login", json=credentials, timeout=60)


def test_person_from_invitation_to_the_end(fleet, served_url, monkeypatch):
    """Made, invited, given a password, listed, disabled."""
    code, out, _ = fleet("users", "make", "ada", "--role", "operator")
    assert (code, "/password?code=" in out) == (0, True)
    assert "/password?code=" in fleet("users", "invite", "ada")[1]

    monkeypatch.setattr("sys.stdin", io.StringIO("a good long password\n"))
    assert fleet("users", "set-password", "ada")[0] == 0
    assert log_in(served_url, "a good long password").status_code == 200
    assert re.search(r"ada +operator", fleet("users", "list")[1])

    assert (
        json.loads(fleet("users", "edit", "ada", "--role", "viewer", "--json")[1])["role"]
        == "viewer"
    )
    assert fleet("users", "edit", "ada", "--disable", "--version", "1")[0] == 1
    assert "true" in fleet("users", "edit", "ada", "--disable", "--json")[1]
    assert log_in(served_url, "a good long password").status_code == 401


def test_token_from_making_to_revoking(fleet, served_url):
    """The first line is the token; revoked, it is worth nothing."""
    token = fleet("tokens", "make", "report", "--scope", "viewer")[1].splitlines()[0]
    headers = {"Authorization": f"Bearer {token}"}

    def read():
        return requests.get(f"{served_url}/jobs", headers=headers, timeout=60).status_code

    assert read() == 200
    listed = json.loads(fleet("tokens", "list", "--json")[1])["tokens"]
    token_id = next(each["token_id"] for each in listed if each["name"] == "report")
    assert token_id in fleet("tokens", "list")[1]
    assert fleet("tokens", "revoke", token_id)[1].startswith("Token report ")
    assert read() == 401


def test_session_is_listed_and_ended(fleet, served_url, api):
    """An admin ends a login from the command line."""
    body = {"login": "ada", "role": "viewer", "password": "a good long password"}
    api.call("admin", "POST", "/users", json=body)
    log_in(served_url, "a good long password")
    session = json.loads(fleet("sessions", "list", "--json")[1])["sessions"][0]["session_id"]

    assert fleet("sessions", "end", session)[1] == "The session of ada has ended.\n"
    assert session not in fleet("sessions", "list", "--state", "live")[1]
