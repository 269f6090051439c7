"""Energy counters of CPU packages; see fixtures/README.md."""

from __future__ import annotations

import pytest
from fake_sysfs import break_file
from fleet_exporters.collectors.energy import Energy, Zone, choose_power, read_zones
from fleet_exporters.errors import NoDevice
from fleet_exporters.sample import Dropped, Sample


def values(samples):
    """Return value by metric and label values."""
    return {(sample.name, *sample.labels.values()): sample.value for sample in samples}


def test_parts_of_a_package_are_left_out(sysfs):
    """What its cores use, the package has counted."""
    assert read_zones(sysfs("rapl")) == [
        Zone("package-0", 262143.0, 262143.32885),
        Zone("package-1", 5.0, 262143.32885),
    ]


def test_wrap_is_no_reset():
    """At its range the counter begins again; the sum goes on."""
    zones, times = [[Zone("package-0", 5.0, 100.0)], [Zone("package-0", 95.0, 100.0)]], [10.0, 0.0]
    energy = Energy(zones.pop, times.pop)

    first, second = values(energy.read()), values(energy.read())

    assert first == {("fleet_energy_joules_total", "package-0"): 0}
    assert second == {
        ("fleet_energy_joules_total", "package-0"): 10,
        ("fleet_power_watts",): 1,
    }


def test_zone_that_fails_leaves_the_others(sysfs):
    """Its energy is missing, and so is the power of all together; the other zone goes on."""
    root = sysfs("rapl")
    file = root / "class/powercap/intel-rapl:1/energy_uj"
    now = iter([0.0, 5.0, 10.0])
    energy = Energy(lambda: read_zones(root), lambda: next(now))
    list(energy.read())
    break_file(file)

    found = list(energy.read())

    assert [each.what for each in found if isinstance(each, Dropped)] == [str(file.parent)]
    assert values(each for each in found if isinstance(each, Sample)) == {
        ("fleet_energy_joules_total", "package-0"): 0
    }


def test_board_counts_more_than_packages():
    """Where the whole board is measured, its packages are in it."""
    assert choose_power({"package-0": 30.0, "package-1": 20.0}) == 50
    assert choose_power({"package-0": 30.0, "psys": 45.0}) == 45


def test_counters_for_root_only_are_absent_with_the_remedy(sysfs):
    """A counter that we may not read is no failure; how to open it is said."""
    root = sysfs("rapl")
    for file in root.glob("class/powercap/*/energy_uj"):
        file.unlink()

    with pytest.raises(NoDevice, match="chgrp"):
        read_zones(root)


def test_no_counters_is_no_device(tmp_path):
    """A guest sees none."""
    with pytest.raises(NoDevice, match="RAPL"):
        read_zones(tmp_path)
