"""How often a caller may try something, and how many rows that makes in the audit log."""

from __future__ import annotations

from fleet_control_api.audit.log import Entry
from fleet_control_api.audit.rate_limit import AuditRateLimit
from fleet_control_api.callers.identity import ANONYMOUS, Identity
from fleet_control_api.permissions.limits import RateLimit


def test_limit_opens_again(clock):
    """After the time has passed a caller may go on; others were never stopped."""
    limit = RateLimit(2, 60, clock)

    assert [limit.take("a"), limit.take("a"), limit.take("a"), limit.take("b")] == [0, 0, 60, 0]
    clock.now += 60
    assert limit.take("a") == 0


def attempt(source="10.0.0.1", who=ANONYMOUS, action="fleet.pause"):
    return Entry(who, action, "/p", "refused", "no login", source)


def test_audit_rows_past_the_limit_are_summarised(clock):
    """The first attempt of a minute is a row, the others one row in the next minute."""
    limit = AuditRateLimit(clock)
    rows = [limit.take(attempt(), 1) for _ in range(5)]
    clock.now += 60
    later = limit.take(attempt("10.0.0.2"), 1)

    assert [len(row) for row in rows] == [1, 0, 0, 0, 0]
    assert [(row.source, row.reason.split(" in ")[0]) for row in later] == [
        ("10.0.0.1", "4 more"), ("10.0.0.2", "no login"),
    ]  # fmt: skip


def test_audit_rows_are_bounded_by_sources(clock):
    """A thousand addresses in one minute make no thousand rows."""
    limit = AuditRateLimit(clock)

    assert sum(len(limit.take(attempt(f"10.0.{i // 250}.{i % 250}"), 1)) for i in range(1000)) == 51


def test_audit_summaries_tell_people_apart_by_name_and_way(clock):
    """One row for each person and way in, wherever they come from, whatever they wanted."""
    ada, grafana_ada = Identity("ada", "login"), Identity("ada", "grafana")
    limit = AuditRateLimit(clock)
    for address in ("10.0.0.1", "10.0.0.2"):
        limit.take(attempt(address, ada), 0)
        limit.take(attempt(address, grafana_ada), 0)
    limit.take(attempt(who=ada, action="jobs.submit"), 0)

    rows = limit.take_all()
    assert [(row.identity, row.action, row.reason.split(" ")[0]) for row in rows] == [
        (ada, "several", "3"), (grafana_ada, "fleet.pause", "2"),
    ]  # fmt: skip
    assert limit.take_all() == []


def test_summaries_are_due_after_a_quiet_minute(clock):
    """They need no later attempt, and are handed out once."""
    limit = AuditRateLimit(clock)
    limit.take(attempt(), 0)

    assert limit.take_ended() == []
    clock.now += 60
    [row] = limit.take_ended()
    assert row.reason == "1 more in the minute 1970-01-01 00:16 UTC, the last: no login"
    assert limit.take_ended() == []
