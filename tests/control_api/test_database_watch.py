"""Whether the database answers, as the metrics page tells it."""

from __future__ import annotations

import math
from contextlib import contextmanager

import psycopg
import pytest
from fleet_control_api.service.database_watch import PATIENCE, DatabaseWatch
from fleet_control_api.service.metrics import Metrics


class FakeDatabase:
    """Answers, or is away."""

    is_away = False

    @contextmanager
    def statements(self, wait):
        if self.is_away:
            raise psycopg.OperationalError("away")
        yield self

    def execute(self, statement):
        assert statement == "SELECT 1"


@pytest.fixture
def database():
    return FakeDatabase()


@pytest.fixture
def watch(database, clock):
    return DatabaseWatch(database, clock)


def test_nothing_is_known_before_the_first_look(watch):
    """A 0 would be an alarm at each start."""
    assert math.isnan(watch.read())


def test_answer_and_absence_are_told(watch, database):
    """What the last look found holds, in both directions."""
    told = []
    for database.is_away in (False, True, False):
        watch.look()
        told.append(watch.read())

    assert told == [1, 0, 1]


def test_look_that_hangs_is_an_absence(watch, clock):
    """A frozen server answers neither yes nor no."""
    watch.look()
    clock.now += PATIENCE

    assert watch.read() == 0


def test_metrics_page_tells_it(watch):
    """The page asks at each scrape."""
    metrics = Metrics()
    metrics.database_up.set_function(watch.read)
    watch.look()

    assert "fleet_database_up 1.0" in metrics.render().decode()
