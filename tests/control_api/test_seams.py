"""Parts with a clock or a fetch of their own, with fakes handed in."""

from __future__ import annotations

import pytest
import requests
from fleet_control_api.audit import Tally
from fleet_control_api.errors import RefusedError, UnavailableError
from fleet_control_api.grafana import KEYS_LIFE, REFETCH_PAUSE, Keys
from fleet_control_api.limits import RateLimit


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def test_limit_opens_again():
    """After the time has passed a caller may go on; others were never stopped."""
    clock = Clock()
    limit = RateLimit(2, 60, clock)

    assert [limit.take("a"), limit.take("a"), limit.take("a"), limit.take("b")] == [0, 0, 60, 0]
    clock.now += 60
    assert limit.take("a") == 0


def test_tally_sums_what_followed():
    """The first attempt of a minute is a row, the others one row in the next minute."""
    clock = Clock()
    tally = Tally(clock)
    rows = [tally.note("fleet.pause", "/p", "no login", "10.0.0.1") for _ in range(5)]
    clock.now += 60
    later = tally.note("fleet.pause", "/p", "no login", "10.0.0.2")

    assert [len(row) for row in rows] == [1, 0, 0, 0, 0]
    assert [(row.source, row.reason.split(" in ")[0]) for row in later] == [
        ("10.0.0.1", "4 more"), ("10.0.0.2", "no login"),
    ]  # fmt: skip


def test_tally_is_bounded_by_sources():
    """A thousand addresses in one minute make no thousand rows."""
    tally = Tally(Clock())

    assert (
        sum(len(tally.note("x", "/", "r", f"10.0.{i // 250}.{i % 250}")) for i in range(1000)) == 51
    )


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
def keys(grafana_double):
    clock = Clock()
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
