"""Parts with a clock or a fetch of their own, with fakes handed in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
import requests
from fleet_control_api.audit.log import Entry
from fleet_control_api.audit.rate_limit import AuditRateLimit
from fleet_control_api.callers.grafana import KEYS_LIFE, REFETCH_PAUSE, Keys
from fleet_control_api.callers.identity import ANONYMOUS, Identity
from fleet_control_api.changes.commands import Done
from fleet_control_api.changes.debounce import Debounce
from fleet_control_api.permissions.limits import RateLimit
from fleet_control_api.service.errors import RefusedError, UnavailableError


def test_limit_opens_again(clock):
    """After the time has passed a caller may go on; others were never stopped."""
    limit = RateLimit(2, 60, clock)

    assert [limit.take("a"), limit.take("a"), limit.take("a"), limit.take("b")] == [0, 0, 60, 0]
    clock.now += 60
    assert limit.take("a") == 0


def attempt(source="10.0.0.1", who=ANONYMOUS, action="fleet.pause", outcome="refused"):
    return Entry(who, action, "/p", outcome, "no login", source)


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


def test_sums_are_due_after_a_quiet_minute(clock):
    """They need no later attempt, and are handed out once."""
    limit = AuditRateLimit(clock)
    limit.take(attempt(), 0)

    assert limit.take_ended() == []
    clock.now += 60
    [row] = limit.take_ended()
    assert row.reason == "1 more in the minute 1970-01-01 00:16 UTC, the last: no login"
    assert limit.take_ended() == []


DONE = Done({"state": "paused"}, "fleet", "noise")


def test_second_press_gets_the_answer_of_the_first(clock):
    """For two seconds; afterwards, and under another key, it is a press of its own."""
    debounce = Debounce(clock)
    once = [debounce.once(key, lambda: DONE) for key in ("ada", "ada")]
    clock.now += 3
    later = debounce.once("ada", lambda: DONE)

    assert [*once, later] == [(DONE, False), (DONE, True), (DONE, False)]
    assert debounce.once("eve", lambda: DONE) == (DONE, False)


def test_press_after_another_change_is_none_of_the_same(clock):
    """Whatever was changed meanwhile, by a press or otherwise, makes the next press count."""
    debounce = Debounce(clock)
    debounce.once("pause", lambda: DONE)
    debounce.once("resume", lambda: DONE)
    again = debounce.once("pause", lambda: DONE)
    debounce.count_change()

    assert again == (DONE, False)
    assert debounce.once("pause", lambda: DONE) == (DONE, False)


def test_press_during_another_change_is_not_remembered(clock):
    """Nobody knows which of the two was the last: the next press counts."""
    debounce = Debounce(clock)

    def change():
        debounce.count_change()
        return DONE

    debounce.once("pause", change)

    assert debounce.once("pause", lambda: DONE) == (DONE, False)


def test_failed_press_is_not_remembered(clock):
    """The press after a failure tries again."""
    debounce = Debounce(clock)

    with pytest.raises(ZeroDivisionError):
        debounce.once("ada", lambda: 1 / 0)
    assert debounce.once("ada", lambda: DONE) == (DONE, False)


def test_second_press_waits_for_the_first():
    """Two clicks that arrive together are one change."""
    debounce = Debounce()
    begun, go_on = Event(), Event()

    def change():
        begun.set()
        assert go_on.wait(10)
        return DONE

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(debounce.once, "ada", change)
        assert begun.wait(10)
        second = pool.submit(debounce.once, "ada", lambda: 1 / 0)
        go_on.set()

        assert [first.result(10), second.result(10)] == [(DONE, False), (DONE, True)]


class FakeGrafana:
    """Serves the keys it is given; counts."""

    def __init__(self, double):
        self.double = double
        self.is_silent = False

    def __call__(self, url):
        if self.is_silent:
            raise requests.ConnectionError
        return self.double.keys()


@pytest.fixture
def keys(grafana_double, clock):
    fake = FakeGrafana(grafana_double)
    return Keys("http://grafana", fake, clock), clock, fake


def test_rotated_key_is_fetched(keys):
    """A new key id leads to a new fetch, once the pause is over."""
    known, clock, fake = keys
    known.get(fake.double.key_id)
    fake.double.key_id = "id-2026-12-es256"

    with pytest.raises(RefusedError):
        known.get("id-2026-12-es256")
    clock.now += REFETCH_PAUSE
    assert known.get("id-2026-12-es256").key_id == "id-2026-12-es256"


def test_keys_outlive_a_short_silence_only(keys):
    """While Grafana is silent known keys are good for their hour, then nobody gets in."""
    known, clock, fake = keys
    known.get(fake.double.key_id)
    fake.is_silent = True

    assert known.get(fake.double.key_id)
    clock.now += KEYS_LIFE + 1
    for _ in range(2):
        with pytest.raises(UnavailableError):
            known.get(fake.double.key_id)


def test_odd_answer_is_unavailable(grafana_double):
    """Something that answers in Grafana's place without keys lets nobody in."""
    for answer in ({}, {"keys": [{"kty": "EC", "kid": "x"}]}, [], {"keys": 5}):
        with pytest.raises(UnavailableError):
            Keys("http://grafana", lambda _, a=answer: a).get("x")
