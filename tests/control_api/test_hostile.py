"""What nobody honest sends, to every route there is: an answer each time, and nothing changed."""

from __future__ import annotations

import json
import re

import pytest
from fleet_control_api.app import create_app
from fleet_control_api.permissions.limits import RateLimit
from fleet_control_api.service.settings import Settings

TEXTS = (
    "'; DROP TABLE fleet.jobs; --", "\x00", "..%2f..%2fetc%2fpasswd", "../../etc/passwd", "%00",
    "${7*7}{{7*7}}", "<script>alert(1)</script>", "\u202e", "a\r\nSet-Cookie: x=1", "\U0001f600",
)  # fmt: skip
VALUES = (*TEXTS, "\ud800", "x" * 10_000, 10**40, -1, 1.5, True, None, [], {}, [[{}]])
NAMES = (
    "reason", "scenario", "count", "login", "password", "role", "version", "name", "scope",
    "alert_id", "minutes", "matchers", "ends_at", "comment", "code", "refresh_token", "value",
    "idempotency_key", "is_disabled", "new_password",
)  # fmt: skip
BODIES = (
    b"[" * 100_000, b'{"a":' * 20_000, b"\xff\xfe", b"null", b'{"reason": "\\ud800"}',
    b'{"reason": "' + b"x" * 2**20 + b'"}', b'{"count": 1e999}', b'{"count": -0}', b"\x00",
)  # fmt: skip


def list_routes():
    app = create_app(Settings("", "k" * 32, "s", "", "/", "http://localhost"))
    for rule in app.url_map.iter_rules():
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            yield f"{method} {rule.rule}"


@pytest.fixture
def hostile(lasting_api):
    """An admin's API without limits, whose streams end after their first piece."""
    limits = ("writes", "refreshes", "logins_by_source", "logins_by_name")
    lasting_api.use(**{name: RateLimit(10**6, 60) for name in limits})
    lasting_api.app.extensions["fleet"].ending.set()
    return lasting_api


def count_rows(owner):
    """The rows that a change would touch."""
    return owner.execute(
        "SELECT (SELECT count(*) FROM fleet.jobs) AS jobs, "
        "(SELECT count(*) FROM control.users) AS users, "
        "(SELECT count(*) FROM fleet.config) AS settings, "
        "(SELECT count(*) FROM control.silences) AS silences, "
        "(SELECT count(*) FROM control.alert_notes) AS notes, "
        "(SELECT count(*) FROM control.sessions) AS sessions"
    ).fetchone()


@pytest.mark.parametrize("route", [*list_routes()])
def test_route_survives_whatever_is_sent(hostile, route):
    """Addresses, queries, headers, bodies: each is answered below 500, and no row is made."""
    method, rule = route.split()
    sent = [{"data": body, "content_type": "application/json"} for body in BODIES]
    sent += [
        {"data": json.dumps(dict.fromkeys(NAMES, value)), "content_type": "application/json"}
        for value in VALUES
    ]
    sent += [{"query_string": {"limit": text, "cursor": text, "no": text}} for text in TEXTS]
    sent += [{"headers": {"Idempotency-Key": "x" * 600, "Last-Event-ID": "x" * 600}}]
    before = count_rows(hostile.owner)
    wrong = []
    for number, options in enumerate(sent):
        path = re.sub("<.*?>", TEXTS[number % len(TEXTS)].replace("\r\n", "%0d%0a"), rule)
        headers = hostile.headers("admin") | options.pop("headers", {})
        answer = hostile.client.open(path, method=method, headers=headers, buffered=True, **options)
        if answer.status_code >= 500:
            wrong.append((path, options, answer.status_code))

    assert wrong == []
    assert count_rows(hostile.owner) == before
