"""The keys that Grafana signs with: fetched, rotated, out of date."""

from __future__ import annotations

import pytest
import requests
from fleet_control_api.callers.grafana import KEYS_LIFE, REFETCH_PAUSE, Keys
from fleet_control_api.service.errors import RefusedError, UnavailableError


class FakeGrafana:
    """Serves the keys of the double, while it is not silent."""

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
