"""How many conversations at once, and how much rest between them."""

from __future__ import annotations

import pytest
from fleet_orchestrator.model_server.watch import Report
from fleet_orchestrator.pace import Share, decide_places, decide_rest, decide_share


@pytest.mark.parametrize(
    ("report", "places"),
    [
        (None, 1),
        (Report("llama_cpp", "ready", slots=2), 2),
        (Report("llama_cpp", "ready", slots=16), 4),
        (Report("ollama", "ready"), 1),
        (Report("vllm", "ready"), 4),
    ],
)
def test_as_many_places_as_slots_within_the_setting(report, places):
    """A server that tells none has one, but for vLLM, which batches whatever comes."""
    assert decide_places(report, at_once_max=4) == places


@pytest.mark.parametrize(
    ("places", "factor", "share"),
    [
        (4, 1.0, Share(4, 1.0)),
        (4, 0.5, Share(2, 1.0)),
        (1, 0.5, Share(1, 0.5)),
        (4, 0.6, Share(3, 0.8)),
        (10, 0.3, Share(3, 1.0)),
        (4, 0.0, Share(0, 0.0)),
    ],
)
def test_throttling_takes_places_first_and_time_for_the_rest(places, factor, share):
    """Places times busy time is the factor's part of the server."""
    found = decide_share(places, factor)

    assert found == Share(share.places, pytest.approx(share.busy_ratio))


@pytest.mark.parametrize(
    ("busy", "ratio", "rest"),
    [(10, 1, 0), (10, 0.5, 10), (10, 0.25, 30), (300, 0.5, 60), (10, 0, 0)],
)
def test_rest_makes_the_share_of_busy_time(busy, ratio, rest):
    """The pause after work is such that work takes its share, within a minute."""
    assert decide_rest(busy, ratio) == rest
