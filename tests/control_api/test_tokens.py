"""API tokens: made, used, listed, revoked."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest


def make(api, **values):
    body = {"name": "nightly report", "scope": "viewer", **values}
    return api.call("admin", "POST", "/tokens", json=body)


def use(api, token):
    headers = {"Authorization": f"Bearer {token}"}
    return api.client.get("/api/v1/jobs", headers=headers).status_code


def find(api, name="nightly report"):
    tokens = api.call("admin", "GET", "/tokens").json["tokens"]
    return next(token for token in tokens if token["name"] == name)


def test_token_lives_from_making_to_revoking(api):
    """It works in its scope, shows when it was used, and is worth nothing once revoked."""
    made = make(api).json
    assert (find(api)["state"], find(api)["last_used_at"]) == ("live", None)
    assert use(api, made["token"]) == 200
    assert find(api)["last_used_at"]
    revoked = api.call("admin", "DELETE", f"/tokens/{made['token_id']}")

    assert (revoked.status_code, revoked.json["state"]) == (200, "revoked")
    assert use(api, made["token"]) == 401
    assert "token" not in find(api)


def test_token_expires(api):
    """It is good for the days that were asked for."""
    made = make(api, expires_in_days=2).json
    days = (datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)).total_seconds() / 86400
    api.owner.execute("UPDATE control.tokens SET expires_at = now() WHERE scope = 'viewer'")

    assert 1.9 < days <= 2
    assert (use(api, made["token"]), find(api)["state"]) == (401, "expired")


def test_name_is_taken_while_its_token_lives(api):
    """A second one is a conflict; after revoking, the name may be used again."""
    first = make(api).json
    assert make(api).status_code == 409
    api.call("admin", "DELETE", f"/tokens/{first['token_id']}")
    second = make(api)

    assert (second.status_code, second.json["token_id"] != first["token_id"]) == (201, True)
    assert (use(api, first["token"]), use(api, second.json["token"])) == (401, 200)


def test_scope_bounds_the_token(api):
    """A viewer's token changes nothing; one of a narrow scope reads nothing else."""
    for scope, status in (("viewer", 403), ("operator", 200), ("sd", 403)):
        token = make(api, name=scope, scope=scope).json["token"]
        headers = {"Authorization": f"Bearer {token}"}
        assert api.client.post("/api/v1/fleet/pause", headers=headers).status_code == status


def test_key_makes_one_token_and_shows_it_once(api):
    """A repeat under an idempotency key is answered without the secret, which is kept nowhere."""
    key = {"Idempotency-Key": "monday"}
    body = {"name": "n", "scope": "viewer"}
    first, again = (
        api.call("admin", "POST", "/tokens", json=body, headers=key).json for _ in range(2)
    )
    kept = api.owner.execute("SELECT to_jsonb(a)::text AS row FROM control.answers a").fetchall()

    assert (first["token_id"], again["token"]) == (again["token_id"], None)
    assert first["token"] not in str(kept)


@pytest.mark.parametrize("days", [0, -1, 3651, "7", 1.5, None])
def test_unusable_days_are_named(lasting_api, days):
    """A token is good for a day to ten years."""
    answer = make(lasting_api, expires_in_days=days)

    assert (answer.status_code, answer.json["detail"][:16]) == (422, "expires_in_days ")


def test_use_is_noted_once_a_minute(api):
    """Reading requests do not each write a row."""
    token = make(api).json["token"]
    use(api, token)
    noted = find(api)["last_used_at"]
    use(api, token)

    assert find(api)["last_used_at"] == noted
