"""Temperatures: which one is the CPU's, and which are none at all; see fixtures/README.md."""

from __future__ import annotations

import pytest
from fake_sysfs import break_file
from fleet_exporters.collectors import temperatures
from fleet_exporters.collectors.temperatures import LIST_SECONDS, Temperatures
from fleet_exporters.decision.verdict import Decider
from fleet_exporters.errors import NoDevice, SensorError
from fleet_exporters.reading.family import take
from fleet_exporters.reading.sampler import Sampler
from fleet_exporters.sample import IMPOSSIBLE, UNREADABLE, Dropped, Sample

CPU = "fleet_cpu_temperature_celsius"


def values(items):
    """Return value by metric and label values."""
    return {
        (item.name, *item.labels.values()): item.value for item in items if isinstance(item, Sample)
    }


def cpu(items):
    """Return what is told of the CPU, by sensor."""
    return {sensor: value for (name, sensor), value in values(items).items() if name == CPU}


@pytest.mark.parametrize(
    ("sensors", "expected"),
    [
        ({"k10temp": [("Tctl", 70.0), ("Tdie", 60.0), ("Tccd1", 65.0)]}, {"k10temp Tdie": 60.0}),
        ({"k10temp": [("Tctl", 70.0), ("Tccd1", 61.0), ("Tccd2", 65.0)]}, {"k10temp Tccd": 65.0}),
        ({"k10temp": [("Tctl", 70.0)]}, {"k10temp Tctl": 70.0}),
        (
            {
                "coretemp": [
                    ("Package id 0", 50.0),
                    ("Core 0", 49.0),
                    ("Package id 1", 55.0),
                ]
            },
            {"coretemp Package id 0": 50.0, "coretemp Package id 1": 55.0},
        ),
        ({"cpu_thermal": [("", 48.3)]}, {"cpu_thermal": 48.3}),
        ({"acpitz": [("", 27.8)], "cpu_thermal": [("", 51.0)]}, {"cpu_thermal": 51.0}),
        ({"acpitz": [("", 27.8)]}, {"acpitz": 27.8}),
    ],
    ids=["tdie", "hottest-ccd", "tctl", "two-packages", "raspberry", "acpitz-last", "acpitz-only"],
)  # fmt: skip
def test_best_cpu_sensor_is_chosen(sensors, expected):
    """Of what a driver shows, the reading nearest to the die is the CPU's temperature."""
    assert cpu(temperatures.parse(sensors)) == expected


def test_other_sensors_keep_apart():
    """Two drives of one driver get two names; they are not the CPU's."""
    found = values(temperatures.parse({"nvme": [("Composite", 40.0), ("Composite", 45.0)]}))

    assert found == {
        ("fleet_temperature_celsius", "nvme Composite"): 40.0,
        ("fleet_temperature_celsius", "nvme Composite #2"): 45.0,
    }


def test_gpus_are_left_to_their_families():
    """A card's own sensor is not read twice under two names."""
    found = values(temperatures.parse({"amdgpu": [("edge", 60.0)], "cpu_thermal": [("", 40.0)]}))

    assert found == {("fleet_cpu_temperature_celsius", "cpu_thermal"): 40.0}


def test_no_sensor_is_no_device():
    """A virtual machine shows no temperature: the metric is absent, never 0."""
    with pytest.raises(NoDevice, match="no temperature sensor"):
        list(temperatures.parse({"empty": []}))


@pytest.mark.parametrize(
    ("board", "expected"),
    [
        ("nct6798", {"nct6798 CPUTIN": 44.5}),
        ("it8728", {"it8728 CPU": 58.0}),
        ("f71882fg", {"f71882fg": 47.0}),
        ("dell", {"dell_smm CPU": 63.0}),
        ("thinkpad", {"thinkpad CPU": 52.0}),
        ("asus_wmi", {"asus_wmi_sensors CPU Temperature": 49.0}),
        ("asus_ec", {"asusec CPU": 46.0}),
        (
            "rk3588",
            {"bigcore0_thermal": 45.25, "bigcore1_thermal": 46.25, "littlecore_thermal": 44.375},
        ),
        ("allwinner", {"cpu0_thermal": 51.0}),
        ("soc", {"soc_thermal": 56.0}),
        ("intel_zone", {"x86_pkg_temp": 61.0}),
        ("raspberry", {"cpu_thermal": 51.6}),
        ("nct6779_floating", {"acpitz": 27.8}),
    ],
)
def test_cpu_is_found_on_every_board(sysfs, board, expected):
    """Without a driver of the CPU a label of the board tells, or a thermal zone; acpitz is last."""
    assert cpu(Temperatures(sysfs(board)).read()) == expected


def test_rest_of_a_board_chip_is_told_too(sysfs):
    """What is not the CPU's is a temperature of the board."""
    found = values(Temperatures(sysfs("dell")).read())

    assert found["fleet_temperature_celsius", "dell_smm Ambient"] == 41
    assert found["fleet_temperature_celsius", "acpitz"] == 25


def test_sensors_of_gpus_are_not_read(sysfs):
    """Their own families know whether a card sleeps; reading would wake it."""
    root = sysfs("raspberry")
    (root / "class/hwmon/hwmon1/temp1_input").mkdir(parents=True)  # fails when it is read
    (root / "class/hwmon/hwmon1/name").write_text("amdgpu\n")

    assert [type(item) for item in Temperatures(root).read()] == [Sample]


def test_zone_that_hwmon_shows_is_told_once(sysfs):
    """The kernel shows most thermal zones in both places."""
    found = values(Temperatures(sysfs("rk3588")).read())

    assert [key for key in found if "soc" in key[1]] == [
        ("fleet_temperature_celsius", "soc_thermal")
    ]


def test_floating_inputs_are_dropped_and_named(sysfs):
    """127, 127.5, 128, -128 and 255 mean that nothing is wired there; 0 of the chipset likewise."""
    reading = take(Temperatures(sysfs("nct6798")).read, lambda: 0.0)

    assert [sample.labels["sensor"] for sample in reading.samples] == [
        "nct6798 CPUTIN",
        "nct6798 SYSTIN",
    ]
    assert {each.what: each.reason for each in reading.dropped} == dict.fromkeys(
        [
            "nct6798 AUXTIN0", "nct6798 AUXTIN1", "nct6798 AUXTIN2", "nct6798 AUXTIN3",
            "nct6798 PCH_CPU_TEMP", "nct6798 TSI0_TEMP",
        ],
        IMPOSSIBLE,
    )  # fmt: skip
    assert reading.problem is None


def test_file_that_fails_leaves_the_others(sysfs):
    """One bad input is named; the other sensors are read."""
    root = sysfs("dell")
    break_file(root / "class/hwmon/hwmon1/temp1_input")

    found = list(Temperatures(root).read())

    assert cpu(found) == {"dell_smm CPU": 63.0}
    assert [(each.what, each.reason) for each in found if isinstance(each, Dropped)] == [
        ("dell_smm Ambient", UNREADABLE)
    ]


def test_name_that_fails_costs_no_reading(sysfs):
    """Without its label an input is told under the name of its driver, or of its folder."""
    root = sysfs("dell")
    break_file(root / "class/hwmon/hwmon1/temp1_label")
    break_file(root / "class/hwmon/hwmon0/name")

    found = values(Temperatures(root).read())

    assert found["fleet_temperature_celsius", "dell_smm"] == 41
    assert found["fleet_temperature_celsius", "hwmon0"] == 25


def test_family_is_broken_when_no_file_answers(sysfs):
    """Sensors that all fail are no machine without sensors."""
    root = sysfs("raspberry")
    break_file(root / "class/hwmon/hwmon0/temp1_input")

    problem = take(Temperatures(root).read, lambda: 0.0).problem

    assert isinstance(problem, SensorError)
    assert "cpu_thermal" in str(problem)


def test_new_sensor_is_found_within_a_minute(sysfs):
    """A drive that is plugged in later shows without a restart."""
    root, now = sysfs("raspberry"), [0.0]
    family = Temperatures(root, lambda: now[0])
    list(family.read())
    (root / "class/hwmon/hwmon7").mkdir()
    (root / "class/hwmon/hwmon7/name").write_text("nvme\n")
    (root / "class/hwmon/hwmon7/temp1_input").write_text("40000\n")
    now[0] = LIST_SECONDS

    assert values(family.read())["fleet_temperature_celsius", "nvme"] == 40


def run(family, happens):
    """Return mode and factor at each tick of five seconds; before it something happens."""
    sampler, clock = Sampler({"temperatures": family.read}), iter(range(0, 1000, 5))
    decider = Decider(clock=lambda: next(clock))
    verdicts = []
    for happen in happens:
        happen()
        verdicts.append(decider.decide(sampler.sample()))
    return [(verdict.mode, verdict.throttle_factor) for verdict in verdicts]


def nothing():
    """Let a tick be like the one before."""


class Firmware:
    """A Raspberry Pi whose firmware says these thousandths of a degree, one a reading."""

    def __init__(self, root, *readings):
        self.file = root / "class/hwmon/hwmon0/temp1_input"
        self.readings = iter(readings)
        self.family = Temperatures(root)

    def read(self):
        self.file.write_text(f"{next(self.readings)}\n")
        return self.family.read()


@pytest.mark.parametrize("spike", [85000, 2**31, -2147483648, -21000, 255000])
def test_single_spike_changes_neither_mode_nor_factor(sysfs, spike):
    """The firmware of a Raspberry Pi errs for one reading, when it is cool and when it is hot."""
    for calm, expected in ((51600, ("idle", 1.0)), (81500, ("throttling", 0.0))):
        firmware = Firmware(sysfs("raspberry"), *[calm] * 12, spike, *[calm] * 3)

        assert set(run(firmware, [nothing] * 16)) == {expected}


def test_spike_is_counted(sysfs):
    """What was not believed is no silence."""
    firmware = Firmware(sysfs("raspberry"), 51600, 85000)
    sampler = Sampler({"temperatures": firmware.read})
    sampler.sample()

    counts = {
        sample.labels["reason"]: sample.value
        for sample in sampler.sample()
        if sample.name == "fleet_samples_dropped_total"
    }
    assert counts == {"unreadable": 0, "impossible": 1}


def test_jump_that_lasts_is_believed_at_the_second_reading(sysfs):
    """A desktop CPU heats by forty degrees in a second."""
    firmware = Firmware(sysfs("raspberry"), 45000, 85000, 88000, 89000)

    assert [list(cpu(firmware.read()).values()) for _ in range(4)] == [[45], [], [88], [89]]


def test_load_that_comes_and_goes_is_believed_at_its_second_peak(sysfs):
    """Peaks that return within ten seconds are no error of the firmware."""
    firmware = Firmware(sysfs("raspberry"), 45000, 85000, 46000, 86000)

    assert [list(cpu(firmware.read()).values()) for _ in range(4)] == [[45], [], [46], [86]]


def test_spikes_far_apart_are_not_believed(sysfs):
    """Each is alone."""
    firmware = Firmware(sysfs("raspberry"), 45000, 85000, *[45000] * 5, 85000)

    assert [list(cpu(firmware.read()).values()) for _ in range(8)][-1] == []


def test_spikes_to_both_sides_are_not_believed(sysfs):
    """Two errors in a row that contradict each other confirm nothing."""
    firmware = Firmware(sysfs("raspberry"), 50000, 85000, 10000, 51000)

    assert [list(cpu(firmware.read()).values()) for _ in range(4)] == [[50], [], [], [51]]


def test_nothing_stands_for_the_cpu_while_its_sensor_is_silent(sysfs):
    """A substitute for one reading would be missed ever after, and slow the worker down."""
    root = sysfs("intel_zone")
    file = root / "class/thermal/thermal_zone1/temp"
    family = Temperatures(root)
    list(family.read())
    file.write_text("")

    found = values(family.read())

    assert found == {("fleet_temperature_celsius", "acpitz"): 27.8}
    file.write_text("61000")
    assert cpu(family.read()) == {"x86_pkg_temp": 61.0}


@pytest.mark.parametrize("name", ["coretemp", "x86_pkg_temp"])
def test_driver_that_is_loaded_later_slows_nothing_down(sysfs, name):
    """The sensor that stood for the CPU until then is not missed."""
    root, now = sysfs("intel_zone"), [0.0]
    zone = root / "class/thermal/thermal_zone1/type"
    hidden = root / "class/hwmon/hwmon3"
    if name == "x86_pkg_temp":
        zone.write_text("other")

    def load():
        now[0] = LIST_SECONDS
        zone.write_text("x86_pkg_temp")
        if name == "coretemp":
            hidden.mkdir()
            (hidden / "name").write_text("coretemp")
            (hidden / "temp1_label").write_text("Package id 0")
            (hidden / "temp1_input").write_text("62000")

    family = Temperatures(root, lambda: now[0])
    assert run(family, [nothing, load, *[nothing] * 10])[-1] == ("idle", 1.0)
