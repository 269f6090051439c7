"""The list of logins, and how they are ended."""

from __future__ import annotations

import pytest
from fix_control import make_token, make_user

PASSWORD = "correct horse battery"
MISSING = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def people(api):
    """Ada, a viewer with two logins, and root, an admin with one; their headers."""
    headers = {}
    for login, role in (("ada", "viewer"), ("ada", "viewer"), ("root", "admin")):
        make_user(api.owner, login, role, PASSWORD) if login not in headers else None
        credentials = {"login": login, "password": PASSWORD}
        answer = api.client.post("/api/v1/auth/login", json=credentials)
        headers[login] = {"Authorization": f"Bearer {answer.json['access_token']}"}
    return headers


def list_sessions(api, headers, query=""):
    return api.client.get(f"/api/v1/sessions{query}", headers=headers).json["sessions"]


def test_people_see_their_own_sessions(api, people):
    """A viewer sees two of hers, one of them this one; an admin sees everybody's."""
    own = list_sessions(api, people["ada"])

    assert [(each["login"], each["is_own"]) for each in own] == [("ada", True), ("ada", False)]
    assert [each["login"] for each in list_sessions(api, people["root"])] == ["root", "ada", "ada"]


def test_namesake_token_sees_nothing(api, people):
    """A token that is called like a person is not that person."""
    token = make_token(api.owner, "viewer", "ada")

    assert list_sessions(api, {"Authorization": f"Bearer {token}"}) == []


def test_session_is_ended_by_its_owner(api, people):
    """The ended login is refused at once, and is listed as ended; a second time is fine."""
    other = list_sessions(api, people["ada"])[1]["session_id"]
    path = f"/api/v1/sessions/{other}"
    answers = [api.client.delete(path, headers=people["ada"]) for _ in range(2)]

    assert [(each.status_code, each.json["state"]) for each in answers] == [(200, "ended")] * 2
    ended = list_sessions(api, people["ada"], "?state=ended")
    assert [each["session_id"] for each in ended] == [other]
    assert ended[0]["ended_at"]


def test_somebody_elses_session_is_not_there(api, people):
    """A viewer who names an admin's session gets what one gets for a session that is none."""
    of_root = list_sessions(api, people["root"])[0]["session_id"]
    answers = [
        api.client.delete(f"/api/v1/sessions/{each}", headers=people["ada"])
        for each in (of_root, MISSING)
    ]

    assert [each.status_code for each in answers] == [404, 404]
    assert answers[0].json["detail"] == f"no session {of_root}"
    assert len(list_sessions(api, people["root"])) == 3


def test_admin_ends_anybodys_session(api, people):
    """The person is out with the next request."""
    hers = list_sessions(api, people["root"])[1]["session_id"]
    answer = api.client.delete(f"/api/v1/sessions/{hers}", headers=people["root"])

    assert answer.json["login"] == "ada"
    assert api.client.get("/api/v1/jobs", headers=people["ada"]).status_code == 401


def test_view_has_neither_secrets_nor_addresses(owner):
    """What Grafana's viewers can read of sessions."""
    columns = owner.execute("SELECT * FROM analytics.sessions").description

    assert [column.name for column in columns] == [
        "session_id", "login", "role", "state", "created_at", "last_used_at", "expires_at",
        "ended_at",
    ]  # fmt: skip
