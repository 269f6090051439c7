"""Each fault: which series it moves, that it clears, and how it is set."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fleet_twin import faults
from fleet_twin.faults import FAULTS, FaultError
from simulated import BEGIN, PLACES

ALL = list(PLACES.values())
THROTTLE = {"fleet_activity_mode", "fleet_throttle_factor", "fleet_throttle_limit"}
# By fault: the machine, and the metrics that an idle machine shows otherwise with it.
MOVES = {
    "gpu-hot": ("desktop", THROTTLE | {
        "fleet_gpu_temperature_celsius", "fleet_gpu_temperature_margin_celsius",
        "fleet_gpu_fan_ratio"}),
    "cpu-hot": ("epyc", {"fleet_cpu_temperature_celsius", "fleet_temperature_celsius"} | THROTTLE),
    "under-voltage": ("raspberry", {"fleet_pi_throttled", "fleet_pi_throttled_seconds_total"}),
    "disk-filling": ("epyc", {
        "fleet_disk_free_bytes", "fleet_model_disk_free_bytes",
        "fleet_disk_read_bytes_total", "fleet_disk_written_bytes_total",
        "fleet_disk_reads_total", "fleet_disk_writes_total", "fleet_disk_busy_seconds_total"}),
    "disk-leaking": ("epyc", {
        "fleet_disk_free_bytes", "fleet_model_disk_free_bytes",
        "fleet_disk_read_bytes_total", "fleet_disk_written_bytes_total",
        "fleet_disk_reads_total", "fleet_disk_writes_total", "fleet_disk_busy_seconds_total"}),
    "model-disk-full": ("epyc", {
        "fleet_disk_free_bytes", "fleet_model_disk_free_bytes",
        "fleet_disk_read_bytes_total", "fleet_disk_written_bytes_total",
        "fleet_disk_reads_total", "fleet_disk_writes_total", "fleet_disk_busy_seconds_total"}),
    "sensors-blind": ("epyc", {
        "fleet_collector_up", "fleet_disk_read_bytes_total", "fleet_disk_written_bytes_total",
        "fleet_disk_reads_total", "fleet_disk_writes_total", "fleet_disk_busy_seconds_total"}),
    "node-twice": ("gamer", set()),
    "exporter-frozen": ("gamer", set()),
    "agent-frozen": ("gamer", set()),
    "readings-stuck": ("gamer", set()),
    "page-too-long": ("gamer", set()),
    "model-down": ("gamer", set()),
    "model-failing": ("gamer", set()),
    "model-missing": ("gamer", set()),
    "small-context": ("gamer", set()),
    "slow-model": ("gamer", set()),
    "wedged-model": ("gamer", set()),
    "bad-output": ("gamer", set()),
    "duplicate-output": ("gamer", set()),
    "login-page": ("gamer", set()),
    "clock-skew": ("gamer", set()),
}  # fmt: skip


def moved(before, after):
    """Return the metrics of which a series differs, came or went."""
    return {
        series[0] for series in before.keys() | after.keys()
        if before.get(series) != after.get(series)
    }  # fmt: skip


@pytest.mark.parametrize("fault", MOVES)
def test_a_fault_moves_exactly_its_series(run, fault):
    """Against the same idle machine without it, after two minutes."""
    kind, expected = MOVES[fault]

    with_it = run(kind, frozenset({fault}), writes=False).go(120)

    assert moved(run(kind, writes=False).go(120), with_it) == expected


@pytest.mark.parametrize(
    ("fault", "kind", "series"),
    [
        ("gpu-hot", "desktop", ("fleet_gpu_temperature_celsius", "0")),
        ("cpu-hot", "laptop", ("fleet_cpu_temperature_celsius", "coretemp Package id 0")),
        ("cpu-hot", "raspberry", ("fleet_cpu_temperature_celsius", "cpu_thermal")),
        ("cpu-hot", "gamer", ("fleet_cpu_temperature_celsius", "amdcpu 0 Core (Tctl/Tdie)")),
    ],
)
def test_a_badly_cooled_chip_gets_above_the_alert_and_back(run, fault, kind, series):
    """Also while nobody uses it; the other card stays as it is."""
    one = run(kind, frozenset({fault}), writes=False)

    assert one.go(180)[series] > 80
    one.machine.faults = frozenset()
    assert one.go(180)[series] < 60


def test_a_hot_card_stops_the_worker(run):
    """The exporter's own decision sees it, and lets go when it is cool again."""
    one = run("gamer", frozenset({"gpu-hot"}))
    hot = one.go(120)["fleet_throttle_factor",]
    one.machine.faults = frozenset()

    assert hot == 0
    assert one.go(300)["fleet_throttle_factor",] == 1


def test_a_lost_card_is_told_and_comes_back(run):
    """The other one is read on; the model goes on on the CPU."""
    one = run("desktop")
    one.go(60)
    one.machine.faults = frozenset({"gpu-lost"})
    lost = dict(one.go(30))
    one.machine.faults = frozenset()
    back = one.go(120)

    assert lost["fleet_gpu_up", "0"] == 0
    assert lost["fleet_gpu_up", "1"] == 1
    assert ("fleet_gpu_temperature_celsius", "0") not in lost
    assert lost["fleet_cpu_utilization_ratio",] > 0.5
    assert back["fleet_gpu_up", "0"] == 1


def test_fallback_to_the_cpu_leaves_the_card_cold(run):
    """The card has nothing to do and its memory is free; the CPU does all."""
    card, cpu = run("gamer"), run("gamer", frozenset({"cpu-fallback"}))
    on_card, on_cpu = card.go(60), cpu.go(60)

    assert on_cpu["fleet_gpu_utilization_ratio", "0"] == 0
    assert on_cpu["fleet_gpu_memory_used_bytes", "0"] < on_card["fleet_gpu_memory_used_bytes", "0"]
    assert on_cpu["fleet_cpu_utilization_ratio",] > 0.5


@pytest.mark.parametrize("kind", ["gamer", "desktop", "laptop"])
def test_a_game_takes_the_machine(run, kind):
    """The exporter knows it at the next tick; the model leaves the card when it is unloaded."""
    one = run(kind)
    one.go(60)
    one.machine.faults = frozenset({"game-starts"})

    assert one.go(10)["fleet_activity_mode", "gaming"] == 1
    assert one.machine.is_model_loaded
    one.machine.has_model = False
    assert not one.machine.is_model_loaded


def test_a_filling_disk_leaves_three_percent(run):
    """And what was written is gone when the fault is."""
    one = run("epyc", frozenset({"disk-filling"}))
    free, total = ("fleet_disk_free_bytes", "/"), ("fleet_disk_total_bytes", "/")
    filled = one.go(240)[free] / one.value(*total)
    one.machine.faults = frozenset()

    assert filled < 0.05
    assert one.go(10)[free] / one.value(*total) > 0.2


def test_a_full_model_disk_has_a_gigabyte(run):
    """Less than any model needs, on a disk of any size."""
    one = run("raspberry", frozenset({"model-disk-full"}))

    assert 0 <= one.go(60)["fleet_model_disk_free_bytes",] <= 10**9


def test_a_leaking_disk_fills_slowly_and_never_up(run):
    """Its trend is what is to be seen, not that it is full."""
    one = run("laptop", frozenset({"disk-leaking"}))
    free, total = ("fleet_disk_free_bytes", "/"), ("fleet_disk_total_bytes", "/")
    shares = [one.go(120)[free] / one.value(*total) for _ in range(8)]

    assert sorted(shares, reverse=True) == shares
    assert shares[0] - shares[1] > shares[-2] - shares[-1]
    assert shares[-1] > 0.1


@pytest.mark.parametrize("kind", ["gamer", "laptop", "raspberry"])
def test_nobody_takes_a_machine_whose_owner_is_away(run, kind):
    """Neither a person nor the weather, at any hour of two days."""
    machine = run(kind).machine
    machine.faults = frozenset({"owner-away"})
    for hour in range(48):
        machine.advance(hour * 3600.0, BEGIN + timedelta(hours=hour), 1.0)
        assert (machine.doing, machine.is_online, machine.is_unplugged) == ("away", True, False)
        assert not machine.has_weak_supply


@pytest.mark.parametrize(
    ("fault", "share"), [("slow-model", 0.2), ("cpu-fallback", 0.12), ("gpu-lost", 0.12)]
)
def test_what_slows_the_model(run, fault, share):
    """To a share of its speed, whatever else slows it."""
    machine = run("gamer").machine
    usual = machine.tokens_per_second
    machine.faults = frozenset({fault})

    assert machine.tokens_per_second == pytest.approx(usual * share)


def test_a_skewed_clock_is_ahead(run):
    """By a minute and a half."""
    machine = run("gamer").machine
    machine.faults = frozenset({"clock-skew"})

    assert machine.clock_offset_seconds == 90


@pytest.mark.parametrize(
    ("fault", "node", "said"),
    [
        ("gpu-melts", "gamer-1", ["'gpu-melts'", "gpu-hot", "login-page"]),
        ("gpu-hot", "gamer-9", ["'gamer-9'", "gamer-1", "laptop-1"]),
        ("gpu-hot", "epyc-1", ["a graphics card", "gamer-1, desktop-1"]),
        ("under-voltage", "laptop-1", ["raspberry-1"]),
        ("game-starts", "epyc-1", ["an owner", "gamer-1"]),
    ],
)
def test_what_cannot_be_set_is_refused(fault, node, said):
    """The error lists what there is."""
    with pytest.raises(FaultError) as caught:
        faults.check(fault, node, ALL)

    assert [part for part in said if part not in str(caught.value)] == []


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_can_be_set_somewhere(fault):
    """In a fleet with one of each kind."""
    able = []
    for place in ALL:
        try:
            faults.check(fault, place.node, ALL)
        except FaultError:
            continue
        able.append(place.node)

    assert able


def test_faults_are_stored_and_cleared(tmp_path):
    """Of one node, or of all."""
    held = faults.with_fault({}, "gpu-hot", "gamer-1")
    held = faults.with_fault(held, "slow-model", "gamer-1")
    held = faults.with_fault(held, "cpu-hot", "epyc-1")

    faults.store(tmp_path, held)

    assert faults.read(tmp_path) == {
        "gamer-1": {"gpu-hot", "slow-model"}, "epyc-1": {"cpu-hot"}
    }  # fmt: skip
    assert faults.without_fault(held, "gpu-hot", "gamer-1") == {
        "gamer-1": {"slow-model"}, "epyc-1": {"cpu-hot"}
    }  # fmt: skip
    assert faults.without_fault(held, "cpu-hot", "epyc-1") == {"gamer-1": {"gpu-hot", "slow-model"}}
    assert faults.without(held, "gamer-1") == {"epyc-1": {"cpu-hot"}}
    assert faults.without(held, None) == {}


def test_no_file_means_no_faults(tmp_path):
    """A new twin has none."""
    assert faults.read(tmp_path) == {}


@pytest.mark.parametrize("text", ["", "[]", "{", '{"version": 2}', '{"version": 1, "faults": 3}'])
def test_a_damaged_file_is_refused_with_the_remedy(text):
    """`fleet twin clear` writes a new one."""
    with pytest.raises(FaultError, match="fleet twin clear"):
        faults.parse(text)
