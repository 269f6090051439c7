"""The audit log: append-only, and a chain that shows what was tampered with."""

from __future__ import annotations

import pytest
from fix_fleet import fleet_error

WRITE = (
    "SELECT control.write_audit('ada', 'operator', 'token', 'pause', 'fleet', 'done', %s, "
    "'10.0.0.1') AS value"
)
VERIFY = "SELECT control.verify_audit() AS value"

WITH_ITS_OWN_HASH = (
    "UPDATE control.audit SET actor = 'eve', hash = control.audit_hash(audit_id, time, 'eve', role,"
    " way, action, target, outcome, reason, source, previous_hash) WHERE audit_id = 3"
)


@pytest.fixture
def chain(fleet):
    """Five rows of audit."""
    for number in range(5):
        fleet.rows(WRITE, f"reason {number}", user="fleet_control")
    return fleet


def tamper(fleet, sql):
    """Change the log as only the owner of the server can: with the trigger switched off."""
    fleet.rows("ALTER TABLE control.audit DISABLE TRIGGER audit_append_only")
    fleet.rows(sql)
    fleet.rows("ALTER TABLE control.audit ENABLE TRIGGER audit_append_only")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE control.audit SET actor = 'eve'",
        "DELETE FROM control.audit",
        "TRUNCATE control.audit",
    ],
    ids=["update", "delete", "truncate"],
)
@pytest.mark.parametrize("user", ["fleet_owner", "fleet_control"])
def test_nobody_changes_what_was_logged(chain, user, sql):
    """Not the API's role and not even the owner, as long as the trigger stands."""
    with fleet_error(sqlstate="42501"):
        chain.rows(sql, user=user)

    assert chain.value(VERIFY, user="fleet_control") is None


@pytest.mark.parametrize(
    ("sql", "first_broken"),
    [
        ("UPDATE control.audit SET actor = 'eve' WHERE audit_id = 3", 3),
        ("UPDATE control.audit SET outcome = 'refused' WHERE audit_id = 1", 1),
        ("UPDATE control.audit SET source = '10.0.0.2' WHERE audit_id = 5", 5),
        ("UPDATE control.audit SET time = time + interval '1 us' WHERE audit_id = 2", 2),
        ("DELETE FROM control.audit WHERE audit_id = 2", 3),
        ("DELETE FROM control.audit WHERE audit_id = 1", 2),
        (WITH_ITS_OWN_HASH, 4),
    ],
    ids=["actor", "outcome", "source", "time", "row gone", "first row gone", "with its own hash"],
)
def test_tampering_is_found(chain, sql, first_broken):
    """verify_audit names the first row that does not follow from the one before."""
    tamper(chain, sql)

    assert chain.value(VERIFY, user="fleet_control") == first_broken


def test_intact_chain_holds(chain):
    """Numbers go up from 1 and each row carries the hash before it."""
    rows = chain.rows("SELECT audit_id, previous_hash, hash FROM control.audit ORDER BY audit_id")

    assert [row["audit_id"] for row in rows] == [1, 2, 3, 4, 5]
    assert [row["previous_hash"] for row in rows[1:]] == [row["hash"] for row in rows[:-1]]
    assert chain.value(VERIFY) is None


def test_time_zone_of_the_reader_does_not_matter(chain):
    """The hash is over an instant, however a session writes it."""
    chain.rows("SET timezone = 'Asia/Tokyo'")

    assert chain.value(VERIFY) is None


def test_source_is_not_for_readers(chain):
    """Who reads analytics does not learn from where people came."""
    (row, *_) = chain.rows("SELECT * FROM analytics.audit", user="fleet_grafana")

    assert row["actor"] == "ada"
    assert "10.0.0.1" not in str(row)
    assert "source" not in row
