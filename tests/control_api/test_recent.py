"""Who has just shown that they are logged in: not asked for again within a second."""

from __future__ import annotations

from fleet_control_api.callers.identity import Identity, Role
from fleet_control_api.callers.recent import SECONDS, RecentCallers

ADA = Identity("ada", "login", Role.VIEWER)


class Database:
    """Counts how often it is asked; `meanwhile` happens while it answers."""

    def __init__(self, meanwhile=lambda: None):
        self.asked = 0
        self.meanwhile = meanwhile

    def __call__(self):
        self.asked += 1
        self.meanwhile()
        return ADA


def test_caller_is_asked_for_once_a_second(clock):
    """The second request is free; a second later the database is asked again."""
    recent, database = RecentCallers(clock), Database()
    people = [recent.find("Bearer a", database) for _ in range(3)]
    clock.now += SECONDS
    recent.find("Bearer a", database)

    assert (people, database.asked) == ([ADA] * 3, 2)


def test_another_header_is_another_caller(clock):
    """Nobody is taken for somebody else."""
    recent, database = RecentCallers(clock), Database()
    for header in ("Bearer a", "Bearer b", "bearer a"):
        recent.find(header, database)

    assert database.asked == 3


def test_change_makes_it_forget_also_who_is_being_asked_for(clock):
    """A login that ends while it is looked up is not remembered as a live one."""
    recent = RecentCallers(clock)
    database = Database(recent.forget)
    recent.find("Bearer a", database)
    recent.find("Bearer a", database)

    assert database.asked == 2


def test_revocation_through_the_api_counts_at_once(api):
    """The request after the one that revokes a token is refused, within the same second."""
    made = api.call("admin", "POST", "/tokens", json={"name": "bot", "scope": "viewer"}).json
    headers = {"Authorization": f"Bearer {made['token']}"}
    before = [api.client.get("/api/v1/jobs", headers=headers).status_code for _ in range(2)]
    api.call("admin", "DELETE", f"/tokens/{made['token_id']}")

    after = api.client.get("/api/v1/jobs", headers=headers).status_code

    assert (before, after) == ([200, 200], 401)


def test_change_without_its_audit_row_is_undone(api):
    """What cannot be written down does not happen, though both are sent at once."""
    state = "SELECT state FROM fleet.state"
    api.owner.execute(
        "CREATE FUNCTION control.fail() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE 'no room'; END $$"
    )
    api.owner.execute(
        "CREATE TRIGGER fail BEFORE INSERT ON control.audit EXECUTE FUNCTION control.fail()"
    )
    answer = api.call("operator", "POST", "/fleet/pause")

    assert answer.status_code == 500
    assert api.owner.execute(state).fetchone() == {"state": "running"}
