"""The audit log: append-only, and a chain that shows what was tampered with."""

from __future__ import annotations

import pytest
from fix_fleet import fleet_error

WRITE = (
    "SELECT control.write_audit('ada', 'operator', 'token', 'pause', 'fleet', 'done', %s, "
    "'10.0.0.1') AS value"
)
VERIFY = "SELECT fault FROM control.verify_audit()"

OWN_HASH = (
    "control.audit_hash({0}, time, 'eve', role, way, action, target, outcome, reason, source,"
    " previous_hash)"
)
WITH_ITS_OWN_HASH = (
    f"UPDATE control.audit SET actor = 'eve', hash = {OWN_HASH} WHERE audit_id = {{0}}"
)
COPY = "INSERT INTO control.audit SELECT {} FROM control.audit WHERE audit_id = {}"
LAST = "time, 'eve', role, way, action, target, outcome, reason, source, previous_hash, hash"
ROOM = (
    "UPDATE control.audit SET audit_id = audit_id + 100 WHERE audit_id >= 3;"
    "UPDATE control.audit SET audit_id = audit_id - 99 WHERE audit_id >= 100;"
)
REST = "time, 'eve', role, way, action, target, outcome, reason, source, "
REST_HASH = OWN_HASH.format(3).replace("previous_hash", "hash")
TAKEN_OUT = "DELETE FROM control.audit WHERE audit_id = 3;"
CLOSED = "UPDATE control.audit SET audit_id = audit_id - 1 WHERE audit_id > 3;"

WIDEN = "UPDATE fleet.settings SET maximum = 9 WHERE key = 'temperature';"
NARROW = "UPDATE fleet.settings SET maximum = 2 WHERE key = 'temperature'"
PUT_TOKEN = (
    "INSERT INTO control.tokens (name, token_hash, scope, created_by)"
    " VALUES ('t', 'hidden', 'admin', 'eve')"
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
    ("sql", "fault", "row", "said"),
    [
        ("UPDATE control.audit SET actor = 'eve' WHERE audit_id = 3", "changed", 3, "row 3 does"),
        ("UPDATE control.audit SET outcome = 'refused' WHERE audit_id = 1", "changed", 1, "row 1"),
        ("UPDATE control.audit SET source = '10.0.0.2' WHERE audit_id = 5", "changed", 5, "row 5"),
        ("UPDATE control.audit SET time = time + interval '1 us' WHERE audit_id = 2", "changed", 2,
         "row 2 does not have the content"),
        (WITH_ITS_OWN_HASH.format(3), "changed", 3, "row 3 is not the one that row 4"),
        ("DELETE FROM control.audit WHERE audit_id = 2", "removed", 2, "row 2 was removed"),
        ("DELETE FROM control.audit WHERE audit_id < 3", "removed", 1, "rows 1 to 2 were removed"),
        (TAKEN_OUT + CLOSED, "removed", 3, "row 3 was written as row 4"),
        (ROOM + COPY.format(f"3, {LAST}", 2), "inserted", 3, "row 4 follows row 2"),
        (ROOM + COPY.format(f"3, {REST} hash, {REST_HASH}", 2), "inserted",
         3, "row 4 follows row 2"),
        (COPY.format(f"6, {LAST}", 2), "inserted", 6, "row 6 does not belong here"),
    ],
    ids=["actor", "outcome", "source", "time", "with its own hash", "row gone", "first rows gone",
         "row gone, numbered anew", "in the middle", "in the middle, hashed", "at the end"],
)  # fmt: skip
def test_tampering_is_found_and_named(chain, sql, fault, row, said):
    """What a superuser changes, inserts or removes is found, and the first such row named."""
    tamper(chain, sql)

    (found,) = chain.rows("SELECT * FROM control.verify_audit()", user="fleet_control")

    assert (found["fault"], found["row_number"]) == (fault, row)
    assert said in found["explanation"]


@pytest.mark.parametrize(
    ("sql", "with_number", "fault", "said"),
    [
        ("DELETE FROM control.audit WHERE audit_id = 5", True, "cut off", "row 5 was cut off"),
        ("DELETE FROM control.audit WHERE audit_id > 2", True, "cut off", "rows 3 to 5 were cut"),
        ("DELETE FROM control.audit WHERE audit_id > 2", False, "cut off", "row 2; the row of"),
        ("DELETE FROM control.audit", True, "cut off", "the log ends at row 0; rows 1 to 5"),
        (WITH_ITS_OWN_HASH.format(5), True, "changed", "row 5 or one before it was written anew"),
    ],
    ids=["last", "several", "several, hash alone", "all", "written anew"],
)  # fmt: skip
def test_head_shows_what_was_cut_off(chain, sql, with_number, fault, said):
    """What a chain alone cannot show, an earlier head does: rows that are no longer at its end."""
    head = chain.value("SELECT head FROM control.verify_audit()")
    tamper(chain, sql)
    assert chain.value(VERIFY) is None

    given = head if with_number else head.partition(":")[2][:16]
    (found,) = chain.rows("SELECT * FROM control.verify_audit(%s)", given, user="fleet_control")

    assert found["fault"] == fault
    assert said in found["explanation"]


def test_head_holds_while_the_log_grows(chain):
    """An earlier head is found in a log that has more rows by now; another form is refused."""
    head = chain.value("SELECT head FROM control.verify_audit()")
    chain.rows(WRITE, "one more", user="fleet_control")

    (found,) = chain.rows("SELECT * FROM control.verify_audit(%s)", head)

    assert (found["fault"], found["audit_rows"]) == (None, 6)
    with fleet_error("head must be like", "not 5:xyz", "the log of the control API"):
        chain.rows("SELECT * FROM control.verify_audit('5:xyz')")


def test_intact_chain_holds(chain):
    """Numbers go up from 1 and each row carries the hash before it."""
    rows = chain.rows("SELECT audit_id, previous_hash, hash FROM control.audit ORDER BY audit_id")

    assert [row["audit_id"] for row in rows] == [1, 2, 3, 4, 5]
    assert [row["previous_hash"] for row in rows[1:]] == [row["hash"] for row in rows[:-1]]
    assert chain.value(VERIFY) is None


def written(fleet):
    """The audit log in a line each."""
    rows = fleet.rows("SELECT * FROM control.audit ORDER BY audit_id")
    return [f"{r['actor']} {r['way']} {r['action']} {r['target']} {r['reason']}" for r in rows]


def test_setting_changed_by_sql_is_written_down(fleet):
    """Who calls set_config in psql leaves a row with login, key and value; the next change too."""
    for value in (0.5, 0.6):
        fleet.set("temperature", value)

    _, second = written(fleet)
    version = fleet.value("SELECT max(version) FROM fleet.config")
    assert second.startswith(f"fleet_owner sql sql.insert fleet.config {version} ")
    assert '"key": "temperature"' in second
    assert '"value": 0.6' in second
    assert fleet.value(VERIFY) is None


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("UPDATE fleet.config SET value = '1.5'", ["sql.update fleet.config", "value: 0.5 -> 1.5"]),
        ("DELETE FROM fleet.config", ["sql.delete fleet.config", '"value": 0.5']),
        ("UPDATE fleet.config SET valid_to = now()", ["sql.update", "valid_to: null -> "]),
        (WIDEN + NARROW, ["sql.update fleet.settings temperature", "maximum: 2 -> 9"]),
        ("UPDATE fleet.state SET state = 'paused', changed_by = 'eve'",
         ["fleet.state paused", "state: running -> paused"]),
        ("INSERT INTO control.users VALUES ('eve', 'hidden', 'admin')",
         ["sql.insert control.users eve", '"role": "admin"']),
        (PUT_TOKEN, ["sql.insert control.tokens t"]),
    ],
)  # fmt: skip
def test_tables_changed_by_the_owner_are_written_down(fleet, sql, said):
    """An UPDATE, INSERT or DELETE past all functions leaves a row each, without secrets."""
    fleet.set("temperature", 0.5)
    before = len(written(fleet))

    fleet.rows(sql)

    rows = written(fleet)[before:]
    assert [part for part in said if part not in rows[0]] == []
    assert rows[0].startswith("fleet_owner sql ")
    assert "hidden" not in str(rows)


def test_change_with_a_row_of_its_own_gets_no_second(fleet):
    """What the control API changes and writes down in one transaction is not written twice."""
    with fleet.connection("fleet_control").transaction():
        fleet.rows(
            "SELECT fleet.set_config('fleet', 'temperature', 1, 'ada', 'why')", user="fleet_control"
        )
        fleet.rows(WRITE, "why", user="fleet_control")
    fleet.rows(
        "SELECT fleet.set_config('fleet', 'temperature', 0, 'ada', 'why')", user="fleet_control"
    )

    assert [row.split()[:2] for row in written(fleet)] == [
        ["ada", "token"],
        ["fleet_control", "sql"],
    ]


def test_use_of_a_token_is_no_change(fleet):
    """A token's last use, and putting the same token again, leave no row."""
    put = "SELECT control.put_token('t', %s, 'admin', 'tests', NULL)"
    fleet.rows(put, b"x")

    fleet.rows(put, b"x")
    fleet.rows("SELECT control.use_token(%s)", b"x")

    assert len(written(fleet)) == 1


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
