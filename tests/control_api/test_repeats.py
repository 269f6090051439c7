"""Pages of lists, and requests that are sent again."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor

import pytest

ORDER = {"scenario": "healthcare_billing", "count": 5}


def read_pages(api, path, name, limit=2):
    """All rows of a list, page by page, and the number of pages."""
    rows, pages, cursor = [], 0, None
    while cursor is not None or pages == 0:
        query = {"limit": limit} | ({"cursor": cursor} if cursor else {})
        answer = api.call("admin", "GET", path, query_string=query).json
        rows += answer[name]
        cursor, pages = answer["next_cursor"], pages + 1
    return rows, pages


def test_pages_hold_each_row_once(api):
    """Page by page a list is what it is at once, whatever is added meanwhile."""
    for _ in range(5):
        api.call("operator", "POST", "/jobs", json=ORDER)
    first = api.call("viewer", "GET", "/jobs", query_string={"limit": 2}).json
    api.call("operator", "POST", "/jobs", json=ORDER)
    rest = api.call("viewer", "GET", "/jobs", query_string={"cursor": first["next_cursor"]}).json
    whole = api.call("viewer", "GET", "/jobs").json["jobs"]

    assert [j["job_id"] for j in (*first["jobs"], *rest["jobs"])] == [
        j["job_id"] for j in whole[1:]
    ]


@pytest.mark.parametrize(
    ("path", "name", "key"),
    [
        ("/jobs", "jobs", "job_id"),
        ("/nodes", "nodes", "node"),
        ("/audit", "audit", "audit_id"),
        ("/users", "users", "login"),
        ("/tokens", "tokens", "name"),
        ("/sessions", "sessions", "session_id"),
        ("/alerts", "alerts", "alert_id"),
    ],
)
def test_every_list_has_pages(api, path, name, key):
    """The rows of all pages are those of one large page, in its order."""
    for number in range(5):
        api.call("operator", "POST", "/jobs", json=ORDER)
        user = {"login": f"u{number}", "role": "viewer", "password": "correct horse battery"}
        api.call("admin", "POST", "/users", json=user)
        api.client.post("/api/v1/auth/login", json={k: user[k] for k in ("login", "password")})
        api.owner.execute(
            "INSERT INTO control.alerts (labels, summary, started_at, ended_at) "
            "VALUES ('{\"alertname\": \"CpuHot\"}', 'hot', now(), now())"
        )
    whole = api.call("admin", "GET", path).json
    rows, pages = read_pages(api, path, name)

    assert [row[key] for row in rows] == [row[key] for row in whole[name]]
    assert pages == max((len(rows) + 1) // 2, 1)
    assert whole["next_cursor"] is None


CURSORS = {
    "words": "nonsense",
    "no json": base64.urlsafe_b64encode(b"{").decode(),
    "an object": base64.urlsafe_b64encode(b"{}").decode(),
    "a number": base64.urlsafe_b64encode(b"5").decode(),
    "other keys": base64.urlsafe_b64encode(b'["5"]').decode(),
    "no zone": base64.urlsafe_b64encode(
        b'["2026-01-01T00:00:00", "00000000-0000-4000-8000-000000000000"]'
    ).decode(),
    "injection": base64.urlsafe_b64encode(b'["now()", "\'; DROP TABLE x; --"]').decode(),
    "bomb": base64.urlsafe_b64encode(b"[" * 300).decode(),
}


@pytest.mark.parametrize("cursor", CURSORS)
def test_foreign_cursor_is_said(lasting_api, cursor):
    """What is no cursor of ours is no page, whatever it spells."""
    text = CURSORS[cursor].rstrip("=")
    answer = lasting_api.call("viewer", "GET", "/jobs", query_string={"cursor": text})

    assert (answer.status_code, answer.json["detail"]) == (404, f"there is no page {text}")


@pytest.mark.parametrize("key", ['["\\u0000"]', '["\\ud800"]', "[5]", "[null]"])
def test_cursor_of_a_name_is_checked(lasting_api, key):
    """NUL and half a surrogate reach no database."""
    text = base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")
    answer = lasting_api.call("viewer", "GET", "/nodes", query_string={"cursor": text})

    assert answer.status_code == 404


def test_repeat_is_answered_as_the_first(api):
    """A pause under one key is one change; the second answer says what the first said."""
    key = {"Idempotency-Key": "night"}
    body = {"reason": "noise"}
    first = api.call("operator", "POST", "/fleet/pause", json=body, headers=key)
    api.call("operator", "POST", "/fleet/resume")
    again = api.call("operator", "POST", "/fleet/pause", json=body, headers=key)

    assert (first.status_code, first.json) == (again.status_code, again.json)
    assert api.call("viewer", "GET", "/fleet").json["state"] == "running"
    assert api.audit()[-1]["reason"].startswith("the same request again")


def test_key_is_for_one_request(api):
    """Another body or another address under a used key is a conflict and changes nothing."""
    key = {"Idempotency-Key": "night"}
    api.call("operator", "POST", "/fleet/pause", json={"reason": "noise"}, headers=key)
    answers = [
        api.call("operator", "POST", "/fleet/pause", json={"reason": "heat"}, headers=key),
        api.call("operator", "POST", "/fleet/resume", json={"reason": "noise"}, headers=key),
    ]

    assert [answer.status_code for answer in answers] == [409, 409]
    assert api.call("viewer", "GET", "/fleet").json["state"] == "paused"


def test_key_belongs_to_its_caller(api):
    """Somebody else's request under the same key is a request of its own."""
    key = {"Idempotency-Key": "night"}
    for who in ("operator", "admin"):
        api.call(who, "POST", "/fleet/pause", headers=key)

    assert [row["reason"] for row in api.audit()] == ["", "was paused already"]


def test_failed_request_may_be_sent_again(api):
    """What failed under a key has left nothing, so that the same key works later."""
    key = {"Idempotency-Key": "night"}
    wrong = api.call("operator", "POST", "/jobs", json={**ORDER, "scenario": "x"}, headers=key)
    right = api.call("operator", "POST", "/jobs", json=ORDER, headers=key)

    assert (wrong.status_code, right.status_code) == (422, 201)


def test_same_request_twice_at_once_is_one_change(api):
    """The second waits for the first and is answered with its job."""
    headers = {"Idempotency-Key": "night", **api.headers("operator")}

    def submit(_):
        return api.client.post("/api/v1/jobs", json=ORDER, headers=headers).json["job_id"]

    with ThreadPoolExecutor(4) as several:
        assert len(set(several.map(submit, range(4)))) == 1


def test_answers_are_forgotten_after_a_day(api):
    """The same key is free again then."""
    key = {"Idempotency-Key": "night"}
    first = api.call("operator", "POST", "/jobs", json=ORDER, headers=key).json["job_id"]
    api.owner.execute("UPDATE control.answers SET created_at = now() - interval '25 hours'")
    later = api.call("operator", "POST", "/jobs", json=ORDER, headers=key).json["job_id"]

    assert first != later
