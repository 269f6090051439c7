"""Logins, sessions and API tokens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import jwt
import pytest
from fix_control import KEY, make_user
from fleet_control_api.callers.passwords import hash_password, is_password

PASSWORD = "correct horse"


@pytest.fixture
def ada(api):
    make_user(api.owner, "ada", "operator", PASSWORD)


def log_in(api, login="ada", password=PASSWORD):
    return api.client.post("/api/v1/auth/login", json={"login": login, "password": password})


def read_jobs(api, token):
    return api.client.get("/api/v1/jobs", headers={"Authorization": f"Bearer {token}"})


def test_login_gives_tokens_that_work(api, ada):
    """A login is answered with 15 minutes of access in the user's role, and audited."""
    tokens = log_in(api).json

    assert (tokens["token_type"], tokens["expires_in"], tokens["role"]) == (
        "Bearer",
        900,
        "operator",
    )
    assert read_jobs(api, tokens["access_token"]).status_code == 200
    assert [(r["actor"], r["action"], r["outcome"]) for r in api.audit()] == [
        ("ada", "auth.login", "done")
    ]


@pytest.mark.parametrize(
    ("login", "password", "target"),
    [
        ("ada", "wrong", "ada"),
        ("eve", PASSWORD, "an unknown user"),
        (PASSWORD, "x", "an unknown user"),
    ],
)
def test_wrong_login_is_refused_without_a_hint(api, ada, login, password, target):
    """A wrong password and an unknown user get the same answer; what was typed is not logged."""
    response = log_in(api, login, password)

    assert (response.status_code, response.json["detail"]) == (401, "login or password is wrong")
    [row] = api.audit()
    assert (row["outcome"], row["target"], row["actor"]) == ("refused", target, "unknown")


def test_disabled_user_is_nobody(api, ada):
    """A disabled user cannot log in, and open sessions end at once."""
    token = log_in(api).json["access_token"]
    api.owner.execute("UPDATE control.users SET is_disabled = true")

    assert log_in(api).status_code == 401
    assert read_jobs(api, token).status_code == 401


def test_logins_are_limited_per_name(api, ada):
    """After five attempts a minute even the right password has to wait, and is told how long."""
    codes = [log_in(api, password="wrong").status_code for _ in range(5)]
    response = log_in(api)

    assert codes == [401] * 5
    assert response.status_code == 429
    assert 0 < int(response.headers["Retry-After"]) <= 60


def test_refresh_renews_and_ends_the_old_token(api, ada):
    """A refresh token works once; the new ones work on."""
    first = log_in(api).json["refresh_token"]
    renewed = api.client.post("/api/v1/auth/refresh", json={"refresh_token": first})

    assert read_jobs(api, renewed.json["access_token"]).status_code == 200
    again = api.client.post("/api/v1/auth/refresh", json={"refresh_token": first})
    assert (renewed.status_code, again.status_code) == (200, 401)


def test_logout_revokes_both_tokens(api, ada):
    """After logout neither token is worth anything, though the signature still holds."""
    tokens = log_in(api).json
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert api.client.post("/api/v1/auth/logout", headers=headers).status_code == 200

    assert read_jobs(api, tokens["access_token"]).status_code == 401
    assert api.client.post(
        "/api/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]}
    ).status_code == 401  # fmt: skip


def test_role_is_the_present_one(api, ada):
    """A demotion shows in the next request."""
    token = log_in(api).json["access_token"]
    api.owner.execute("UPDATE control.users SET role = 'viewer'")
    headers = {"Authorization": f"Bearer {token}"}

    assert api.client.post("/api/v1/fleet/pause", headers=headers).status_code == 403


def forge(token, **changed):
    claims = jwt.decode(token, options={"verify_signature": False}) | changed
    return {k: v for k, v in claims.items() if v is not None}


FORGERIES = {
    "another key": lambda t: jwt.encode(forge(t), "x" * 40),
    "no signature": lambda t: jwt.encode(forge(t), None, "none"),
    "another hash": lambda t: jwt.encode(forge(t), KEY * 2, "HS512"),
    "expired": lambda t: jwt.encode(forge(t, exp=datetime.now(UTC) - timedelta(seconds=1)), KEY),
    "without exp": lambda t: jwt.encode(forge(t, exp=None), KEY),
    "another user": lambda t: jwt.encode(forge(t, sub="root"), KEY),
    "no session": lambda t: jwt.encode(forge(t, sid="00000000-0000-4000-8000-000000000000"), KEY),
    "bad session": lambda t: jwt.encode(forge(t, sid=5), KEY),
    "another audience": lambda t: jwt.encode(forge(t, aud="grafana"), KEY),
    "dots": lambda t: "a.b.c",
    "words": lambda t: "open sesame",
    "empty": lambda t: "",
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_forged_access_token_is_refused(lasting_api, forgery):
    """Whatever is not our own valid word is 401."""
    make_user(lasting_api.owner, "ada", "operator", PASSWORD)
    token = log_in(lasting_api).json["access_token"]

    response = read_jobs(lasting_api, FORGERIES[forgery](token))

    assert read_jobs(lasting_api, token).status_code == 200
    assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("change", ["expires_at = now()", "revoked_at = now()"])
def test_ended_api_token_is_refused(api, change):
    """An expired or revoked API token is worth nothing."""
    token = api.token("admin")
    api.owner.execute(f"UPDATE control.tokens SET {change}")

    assert read_jobs(api, token).status_code == 401


def test_secrets_are_not_stored(api, ada):
    """The database holds hashes: neither the refresh token nor the API token can be read there."""
    secrets = {log_in(api).json["refresh_token"], api.token("admin")}
    rows = api.owner.execute(
        "SELECT to_jsonb(s)::text AS row FROM control.sessions s "
        "UNION ALL SELECT to_jsonb(t)::text FROM control.tokens t"
    ).fetchall()

    assert not any(secret in row["row"] for secret in secrets for row in rows)


def test_password_hash_is_argon2id():
    """Hashes are argon2id, salted, and tell right from wrong; nobody has no password."""
    stored = hash_password(PASSWORD)

    assert stored.startswith("$argon2id$")
    assert stored != hash_password(PASSWORD)
    assert [is_password(p, stored) for p in (PASSWORD, "wrong")] == [True, False]
    assert not is_password("the password of nobody", None)


def test_refresh_token_that_is_used_twice_ends_the_session(api, ada):
    """Somebody has a copy: the session ends for both, and the audit log says whose it was."""
    first = log_in(api).json["refresh_token"]
    renewed = api.client.post("/api/v1/auth/refresh", json={"refresh_token": first}).json
    copied = api.client.post("/api/v1/auth/refresh", json={"refresh_token": first})
    headers = {"Authorization": f"Bearer {renewed['access_token']}"}
    with_access = api.client.get("/api/v1/jobs", headers=headers)
    sent = {"refresh_token": renewed["refresh_token"]}
    with_refresh = api.client.post("/api/v1/auth/refresh", json=sent)

    assert [each.status_code for each in (copied, with_access, with_refresh)] == [401] * 3
    (told,) = [row for row in api.audit() if "second time" in row["reason"]]
    assert (told["actor"], told["action"], told["outcome"]) == ("ada", "auth.refresh", "refused")
