"""When a failing model server is left alone, and when it is asked again."""

from __future__ import annotations

import pytest
from fleet_orchestrator.circuit import FAILURES_MAX, Circuit


def failed(times):
    """A circuit after so many failures in a row."""
    circuit = Circuit()
    for _ in range(times):
        circuit = circuit.after_failure()
    return circuit


def test_circuit_opens_after_failures_in_a_row():
    """One failure less than the limit leaves it closed."""
    assert not failed(FAILURES_MAX - 1).is_open
    assert failed(FAILURES_MAX).is_open


def test_answered_canary_closes_it():
    """The server is used again, and one more failure is enough to leave it alone again."""
    circuit = failed(FAILURES_MAX).after_canary(has_answered=True)

    assert not circuit.is_open
    assert circuit.after_failure().is_open


def test_failed_canary_opens_it():
    """A server that fails on a short sentence too needs no third failure."""
    assert failed(1).after_canary(has_answered=False).is_open


@pytest.mark.parametrize(("canaries", "seconds"), [(0, 1), (1, 2), (3, 8), (8, 256), (5000, 300)])
def test_wait_doubles_up_to_five_minutes(canaries, seconds):
    """A server that stays sick is asked less and less often, each worker at its own moments."""
    circuit = failed(FAILURES_MAX)
    for _ in range(canaries):
        circuit = circuit.after_canary(has_answered=False)

    assert circuit.decide_wait(0.5) == seconds
    assert circuit.decide_wait(0.0) == seconds / 2


def test_wait_grows_while_only_canaries_succeed():
    """A server that says hello but fails all conversations is asked less and less often too."""
    circuit = failed(FAILURES_MAX)
    for _ in range(3):
        circuit = circuit.after_canary(has_answered=True).after_failure()

    assert circuit.is_open
    assert circuit.decide_wait(0.5) == 8
