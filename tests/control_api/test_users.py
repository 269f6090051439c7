"""Users: made, edited, invited; and the passwords that they choose."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from fix_control import make_user

PASSWORD = "correct horse battery"
NEW = "a longer and better one"


def make(api, login="ada", **values):
    return api.call("admin", "POST", "/users", json={"login": login, "role": "operator", **values})


def log_in(api, password, login="ada"):
    return api.client.post("/api/v1/auth/login", json={"login": login, "password": password})


def bearer(answer):
    return {"Authorization": f"Bearer {answer.json['access_token']}"}


def test_invited_person_chooses_the_password(api):
    """Without a password the answer has a code, which is good once; nobody logs in before."""
    invitation = make(api).json["invitation"]
    early = log_in(api, PASSWORD)
    sent = {"code": invitation["code"], "password": PASSWORD}
    first, second = (api.client.post("/api/v1/auth/invitation", json=sent) for _ in range(2))

    assert (early.status_code, first.status_code, second.status_code) == (401, 200, 401)
    assert first.json == {"login": "ada"}
    assert log_in(api, PASSWORD).json["role"] == "operator"
    assert invitation["url"].endswith(f"/password?code={invitation['code']}")


def test_invitation_is_replaced_and_expires(api):
    """A new invitation makes the one before void, time makes the last one void."""
    old = make(api).json["invitation"]["code"]
    new = api.call("admin", "POST", "/users/ada/invite").json["code"]
    replaced = api.client.post("/api/v1/auth/invitation", json={"code": old, "password": PASSWORD})
    api.owner.execute("UPDATE control.invitations SET expires_at = now()")
    expired = api.client.post("/api/v1/auth/invitation", json={"code": new, "password": PASSWORD})

    assert (replaced.status_code, expired.status_code) == (401, 401)


def test_admin_sets_a_password(api):
    """The new password works, the old one does not, and the sessions have ended."""
    make(api, password=PASSWORD)
    headers = bearer(log_in(api, PASSWORD))
    answer = api.call("admin", "POST", "/users/ada/password", json={"password": NEW})

    assert (answer.status_code, answer.json["sessions"]) == (200, 0)
    assert api.client.get("/api/v1/jobs", headers=headers).status_code == 401
    assert [log_in(api, each).status_code for each in (PASSWORD, NEW)] == [401, 200]


def test_own_password_is_changed(api):
    """Whoever knows the present password changes it and stays logged in here, nowhere else."""
    make(api, password=PASSWORD)
    here, elsewhere = (bearer(log_in(api, PASSWORD)) for _ in range(2))
    change = {"password": PASSWORD, "new_password": NEW}
    done = api.client.post("/api/v1/auth/password", json=change, headers=here)
    wrong = api.client.post("/api/v1/auth/password", json=change, headers=here)

    assert (done.status_code, wrong.status_code) == (200, 403)
    assert api.client.get("/api/v1/jobs", headers=here).status_code == 200
    assert api.client.get("/api/v1/jobs", headers=elsewhere).status_code == 401
    assert log_in(api, NEW).status_code == 200


@pytest.mark.parametrize("password", ["short", "", None, 12 * ["x"]])
def test_weak_password_is_refused(lasting_api, password):
    """A new password has twelve characters at least; the answer does not repeat it."""
    answer = lasting_api.call(
        "admin", "POST", "/users/nobody/password", json={"password": password}
    )

    assert (answer.status_code, "short" in answer.text) == (422, False)


def test_edit_names_the_version(api):
    """An edit of an old version is a conflict and changes nothing."""
    made = make(api, password=PASSWORD).json
    first = api.call(
        "admin", "POST", "/users/ada", json={"version": made["version"], "role": "viewer"}
    )
    second = api.call(
        "admin", "POST", "/users/ada", json={"version": made["version"], "role": "admin"}
    )

    assert (first.json["role"], first.json["version"]) == ("viewer", 2)
    assert (second.status_code, second.json["detail"]) == (
        409, "user ada has version 2 by now, not 1",
    )  # fmt: skip
    assert api.call("admin", "GET", "/users/ada").json["role"] == "viewer"


def test_disabled_user_is_out_at_once(api):
    """Sessions end, a login is refused, and enabling lets the same password in again."""
    make(api, password=PASSWORD)
    headers = bearer(log_in(api, PASSWORD))

    def edit(version, *, is_disabled):
        body = {"version": version, "is_disabled": is_disabled}
        return api.call("admin", "POST", "/users/ada", json=body).json["is_disabled"]

    assert edit(1, is_disabled=True) is True
    assert api.client.get("/api/v1/jobs", headers=headers).status_code == 401
    assert log_in(api, PASSWORD).status_code == 401
    assert api.call("admin", "POST", "/users/ada/invite").status_code == 409
    assert edit(2, is_disabled=False) is False
    assert log_in(api, PASSWORD).status_code == 200


@pytest.mark.parametrize("change", [{"role": "viewer"}, {"is_disabled": True}])
def test_last_admin_stays(api, change):
    """Nobody can lock everybody out."""
    make_user(api.owner, "root", "admin", PASSWORD)
    answer = api.call("admin", "POST", "/users/root", json={"version": 1, **change})

    assert (answer.status_code, answer.json["detail"]) == (409, "root is the last admin")
    assert api.call("admin", "GET", "/users/root").json["version"] == 1


def test_two_last_admins_cannot_remove_each_other(api):
    """Two edits at the same time leave one admin."""
    for login in ("ann", "bob"):
        make_user(api.owner, login, "admin", PASSWORD)
    api.token("admin")

    def demote(login):
        body = {"version": 1, "role": "viewer"}
        return api.call("admin", "POST", f"/users/{login}", json=body).status_code

    with ThreadPoolExecutor(2) as both:
        assert sorted(both.map(demote, ("ann", "bob"))) == [200, 409]


def test_names_are_taken_once(api):
    """A second user of a name is a conflict."""
    assert [make(api, password=PASSWORD).status_code for _ in range(2)] == [201, 409]


@pytest.mark.parametrize("login", ["Ada", "a b", "", ".ada", "a/b", "a\x00", "x" * 64, 5, None])
def test_names_have_a_form(lasting_api, login):
    """What cannot be a name is named, whatever it is."""
    answer = make(lasting_api, login=login)

    assert (answer.status_code, answer.json["detail"][:6]) == (422, "login ")


def test_unknown_user_is_said(lasting_api):
    """Each address of a user who is none is 404."""
    calls = {
        "": {"version": 1},
        "/password": {"password": PASSWORD},
        "/invite": {},
    }
    for path, body in calls.items():
        answer = lasting_api.call("admin", "POST", f"/users/nobody{path}", json=body)
        assert (answer.status_code, answer.json["detail"]) == (404, "no user nobody")
    assert lasting_api.call("admin", "GET", "/users/nobody").status_code == 404


def test_no_secret_stands_in_the_log(api):
    """Neither codes nor passwords reach the audit log or the database."""
    invitation = make(api, login="eve").json["invitation"]
    make(api, password=PASSWORD)
    api.call("admin", "POST", "/users/ada/password", json={"password": NEW})
    kept = str(api.audit()) + str(
        api.owner.execute("SELECT to_jsonb(u)::text, to_jsonb(i)::text FROM control.users u "
                          "LEFT JOIN control.invitations i USING (login)").fetchall()
    )  # fmt: skip

    assert not any(secret in kept for secret in (invitation["code"], PASSWORD, NEW))
    assert [row["action"] for row in api.audit()] == ["users.make"] * 2 + ["users.set_password"]
