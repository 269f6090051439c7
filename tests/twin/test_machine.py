"""What the sensors of a simulated machine say over time, through the exporter's own collectors."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fleet_twin.machine import weather
from fleet_twin.machine.kinds import GIB, list_places
from fleet_twin.machine.simulation import KEEP_MODEL_SECONDS, make_machine
from simulated import BEGIN, PLACES

UP = "fleet_collector_up"


@pytest.mark.parametrize("kind", PLACES)
def test_every_family_of_a_kind_can_be_read(run, kind):
    """No family fails and no value is impossible."""
    found = run(kind).go(30)

    assert {value for series, value in found.items() if series[0] == UP} == {1.0}
    dropped = "fleet_samples_dropped_total"
    assert {value for series, value in found.items() if series[0] == dropped} == {0}


@pytest.mark.parametrize("kind", PLACES)
def test_a_run_can_be_repeated(run, kind):
    """The same seed and the same steps give the same values."""
    assert run(kind).go(120) == run(kind).go(120)


def test_nodes_of_one_kind_differ():
    """Each has a seed of its own."""
    first, _, _, _, _, second, *_ = (make_machine(place, "tests") for place in list_places(6))
    for machine in (first, second):
        for second_ in range(60):
            machine.advance(second_, BEGIN + timedelta(seconds=second_))

    assert first.kind is second.kind
    assert first.disk.used != second.disk.used
    assert first.cpu.celsius != second.cpu.celsius


@pytest.mark.parametrize("kind", PLACES)
def test_values_change_within_a_minute(run, kind):
    """A panel of a machine is never a straight line."""
    one = run(kind)
    before = dict(one.go(60))
    after = one.go(60)

    for metric in ("fleet_cpu_utilization_ratio", "fleet_memory_used_bytes"):
        assert before[metric,] != after[metric,]
    assert any(before[s] != after[s] for s in before if s[0] == "fleet_cpu_temperature_celsius")


def test_the_model_fills_vram_and_frees_it(run):
    """Loaded at the first token, unloaded when nobody has asked for long."""
    one = run("gamer")
    used = ("fleet_gpu_memory_used_bytes", "0")
    loaded = one.go(60)[used]
    one.writes = False
    freed = one.go(KEEP_MODEL_SECONDS + 60)[used]

    assert loaded - freed == pytest.approx(9 * GIB, rel=0.01)


def test_a_machine_without_a_card_keeps_the_model_in_memory(run):
    """Nine gigabytes on an EPYC."""
    busy = run("epyc").go(60)["fleet_memory_used_bytes",]
    idle = run("epyc", writes=False).go(60)["fleet_memory_used_bytes",]

    assert busy - idle == pytest.approx(9 * GIB, rel=0.02)


def test_writing_heats_the_card(run):
    """Power, temperature and fan follow the load."""
    busy, idle = run("gamer").go(180), run("gamer", writes=False).go(180)

    for metric in ("temperature_celsius", "power_watts", "utilization_ratio", "fan_ratio"):
        series = (f"fleet_gpu_{metric}", "0")
        assert busy[series] > idle[series]


def test_network_follows_the_tokens(run):
    """A machine that writes sends more than one that does not."""
    sent = ("fleet_network_transmit_bytes_total", "eno1")
    busy, idle = run("epyc"), run("epyc", writes=False)
    difference = busy.go(100)[sent] - idle.go(100)[sent]

    assert difference > 500_000


def test_disks_slowly_fill(run):
    """Hour by hour there is less room."""
    one = run("desktop")
    free = ("fleet_disk_free_bytes", "/")

    assert one.go(600)[free] > one.go(600)[free]


def test_wireless_links_drop_now_and_then():
    """A few times an hour for less than a minute; the same times for the same seed."""
    times = [BEGIN.timestamp() + 5 * n for n in range(24 * 720)]
    lost = [not weather.decide_online("laptop", at) for at in times]

    assert 0.001 < sum(lost) / len(lost) < 0.02
    assert lost == [not weather.decide_online("laptop", at) for at in times]


def test_a_larger_fleet_begins_like_a_smaller_one():
    """More nodes change nothing for those that are there; names are unique."""
    many = list_places(200)

    assert many[:7] == list_places(7)
    assert len({place.node for place in many}) == 200
    assert {place.kind.name for place in list_places(5)} == set(PLACES)
