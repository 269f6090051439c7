"""Who draws on an NVIDIA card, as NVML tells."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from fake_nvml import FakeNvml, NVMLError
from fleet_exporters.decision.activity import Signals
from fleet_exporters.errors import NoDevice, SensorError
from fleet_exporters.signals.graphics import Graphics, average

NAMES = {10: "Xorg", 11: "doom", 12: "quake", 13: "llama-vulkan", 14: ""}


def watch(nvml):
    return Graphics(lambda pid: pid == 13, lambda: nvml, NAMES.get)


def shares(*pairs):
    """Return NVML's samples of (pid, smUtil) pairs."""
    return [
        SimpleNamespace(pid=pid, smUtil=util, timeStamp=1000 + number)
        for number, (pid, util) in enumerate(pairs)
    ]


def card(drawing, utilization):
    """Return a card on which these processes draw, and what it answers when asked for shares."""
    return {
        "nvmlDeviceGetGraphicsRunningProcesses": [SimpleNamespace(pid=pid) for pid in drawing],
        "nvmlDeviceGetProcessUtilization": utilization,
    }


def test_player_that_draws_most():
    """Desktop, ourselves and nobody are left out; shares are means since the last reading."""
    used = shares((10, 90), (11, 20), (11, 60), (12, 30), (13, 99), (14, 99))
    nvml = FakeNvml(card(NAMES, used))

    assert watch(nvml).read() == Signals(graphics_process="doom", graphics_ratio=0.4)


def test_samples_are_read_once():
    """The second question begins where the first has ended."""
    asked = []
    used = shares((11, 50), (11, 50))
    graphics = watch(FakeNvml(card([11], lambda since: asked.append(since) or used)))
    graphics.read()
    graphics.read()

    assert asked == [0, 1001]


@pytest.mark.parametrize(
    ("drawing", "utilization", "expected"),
    [
        ([10], [], Signals(graphics_process="", graphics_ratio=0.0)),
        (
            [11],
            NVMLError(FakeNvml.NVML_ERROR_NOT_FOUND),
            Signals(graphics_process="", graphics_ratio=0.0),
        ),
        ([11], NVMLError(FakeNvml.NVML_ERROR_NOT_SUPPORTED), Signals()),
    ],
    ids=["only the desktop", "nobody used the card", "driver does not tell"],
)
def test_quiet_card_and_silent_driver_differ(drawing, utilization, expected):
    """Nobody draws is an answer; a driver that cannot tell is unknown."""
    assert watch(FakeNvml(card(drawing, utilization))).read() == expected


def test_lost_card_is_an_error():
    """Any other code is told, and NVML is opened anew at the next reading."""
    loads = []

    def load():
        loads.append(1)
        return FakeNvml(card([11], NVMLError(FakeNvml.NVML_ERROR_GPU_IS_LOST)))

    graphics = Graphics(lambda pid: False, load, NAMES.get)
    for _ in range(2):
        with pytest.raises(SensorError, match="15"):
            graphics.read()

    assert len(loads) == 2


@pytest.mark.parametrize(
    ("first", "drawing", "expected"),
    [
        (None, [11], Signals(graphics_process="doom", graphics_ratio=0.5)),
        (None, [10], Signals(graphics_process="", graphics_ratio=0.0)),
        ({}, [11], Signals(graphics_process="doom", graphics_ratio=0.5)),
        ({}, [10], Signals()),
    ],
    ids=["lost, other draws", "lost, other rests", "cannot tell, other draws", "cannot tell"],
)
def test_card_that_fails_leaves_the_others(first, drawing, expected):
    """Nobody draws on a lost card; on one that cannot tell somebody may."""
    assert watch(FakeNvml(first, card(drawing, shares((11, 50))))).read() == expected


def test_no_driver_is_no_device():
    """A machine without a card has no such signal."""

    def load():
        raise NoDevice("no NVIDIA driver")

    with pytest.raises(NoDevice):
        Graphics(lambda pid: False, load).read()


def test_average_of_each_process():
    """Several samples of one process are one share."""
    assert average([(1, 0.2), (1, 0.4), (2, 1.0)]) == {1: pytest.approx(0.3), 2: 1.0}
