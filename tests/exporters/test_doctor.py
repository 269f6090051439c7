"""What the doctor finds on machines that have something, nothing, or something broken."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest
from fleet_exporters import doctor
from fleet_exporters.collectors import make_families
from fleet_exporters.decision.activity import Signals
from fleet_exporters.diagnosis import by_hand, sensors, signals
from fleet_exporters.diagnosis.finding import (
    ABSENT,
    BROKEN,
    FOUND,
    OK,
    WARNING,
    Diagnosis,
    Finding,
)
from fleet_exporters.diagnosis.probe import examine
from fleet_exporters.diagnosis.report import render, render_json
from fleet_exporters.diagnosis.values import render_signal, render_values
from fleet_exporters.errors import NoDevice, SensorError
from fleet_exporters.sample import Dropped, Sample
from fleet_exporters.signals.sources import Source

LOAD = Sample("fleet_load_1m", {}, 0.5)


def gpu(value, **labels):
    return Sample("fleet_gpu_temperature_celsius", {"gpu": "0", **labels}, value)


def yields(*samples):
    """A family that always says this."""
    return lambda: iter(samples)


def fails(problem, *samples):
    """A family that says something and then fails."""

    def read():
        yield from samples
        raise problem

    return read


def examine_one(read, **options):
    return examine(sensors.make_probes({"gpu": read}), apart_seconds=0, **options)[0]


@pytest.mark.parametrize(
    ("read", "state", "reason"),
    [
        (yields(LOAD), FOUND, ""),
        (fails(NoDevice("no NVIDIA driver")), ABSENT, "no NVIDIA driver"),
        (fails(SensorError("GPU is lost"), LOAD), BROKEN, "GPU is lost"),
        (
            fails(ZeroDivisionError("division by zero")),
            BROKEN,
            "ZeroDivisionError: division by zero",
        ),
    ],
    ids=["found", "absent", "broken", "unforeseen"],
)
def test_family_is_found_absent_or_broken(read, state, reason):
    """No such device and a device that broke are different, each with its reason."""
    finding = examine_one(read)

    assert (finding.state, finding.reason) == (state, reason)


def test_what_came_before_a_fault_is_shown():
    """One lost GPU does not hide the other."""
    assert examine_one(fails(SensorError("gpu 1 is lost"), LOAD)).samples == (LOAD,)


def test_family_that_hangs_is_broken_and_holds_up_nobody():
    """The others are told all the same."""
    never = threading.Event()

    def hang():
        never.wait()
        yield LOAD

    probes = sensors.make_probes({"gpu": hang, "cpu": yields(LOAD)})
    hung, other = examine(probes, deadline_seconds=0.2, apart_seconds=0)
    never.set()

    assert (hung.state, hung.reason) == (BROKEN, "does not answer within 0.2 s")
    assert (other.state, other.samples) == (FOUND, (LOAD,))


def test_family_that_answers_later_is_asked_again():
    """A share needs two readings, py-cpuinfo some seconds."""
    answers = iter([[], [], [LOAD]])

    assert examine_one(lambda: iter(next(answers))).samples == (LOAD,)


def test_member_that_fails_is_named():
    """A dying drive hides no other, and is no fault of the family."""
    usb = Dropped("/mnt/usb", "Input/output error")
    finding = examine_one(yields(usb, LOAD))

    assert (finding.state, finding.samples) == (FOUND, (LOAD,))
    assert finding.reason == "/mnt/usb: Input/output error"


def test_family_without_any_member_is_broken():
    """The reason is told once."""
    finding = examine_one(yields(Dropped("/mnt/usb", "Input/output error")))

    assert (finding.state, finding.reason) == (BROKEN, "/mnt/usb: Input/output error")


def test_impossible_values_are_told_and_not_shown():
    """-273.15 is a driver's way to say nothing."""
    finding = examine_one(yields(gpu(-273.15), LOAD))

    assert finding.samples == (LOAD,)
    assert finding.reason == "1 impossible value left out"


@pytest.mark.parametrize(
    ("sample", "text"),
    [
        (Sample("fleet_gpu_temperature_celsius", {"gpu": "0"}, 61), "temperature 0 61.0 °C"),
        (Sample("fleet_gpu_utilization_ratio", {"gpu": "1"}, 0.125), "utilization 1 12.5 %"),
        (Sample("fleet_gpu_power_watts", {"gpu": "0"}, 250.04), "power 0 250.0 W"),
        (Sample("fleet_gpu_memory_used_bytes", {"gpu": "0"}, 3 * 2**30), "memory used 0 3.0 GiB"),
        (Sample("fleet_cpu_frequency_hertz", {}, 2.4e9), "cpu frequency 2.4 GHz"),
        (Sample("fleet_swap_used_bytes", {}, 12), "swap used 12 B"),
        (Sample("fleet_load_1m", {}, 0.4567), "load 1m 0.457"),
        (
            Sample("fleet_gpu_throttle_seconds_total", {"gpu": "0", "reason": "power_cap"}, 90),
            "throttle 0 power_cap 90 s",
        ),
        (Sample("fleet_gpu_info", {"gpu": "0", "name": "T4", "uuid": "GPU-1"}, 1), "0, T4, GPU-1"),
    ],
    ids=lambda value: value.name if isinstance(value, Sample) else "",
)
def test_value_has_its_unit(sample, text):
    """The unit at the end of a metric's name becomes one that people know."""
    assert render_values([sample], "gpu") == [text]


def test_values_of_a_metric_stand_together_and_sums_last():
    """What a machine does now tells more than a sum since its start."""
    energy = Sample("fleet_gpu_throttle_seconds_total", {"gpu": "0", "reason": "thermal"}, 1)
    hot = [gpu(61), gpu(70, gpu="1")]

    assert render_values([energy, *hot], "gpu") == [
        "temperature 0 61.0 °C, 1 70.0 °C",
        "throttle 0 thermal 1 s",
    ]


REPORT = """\
Sensors
  cpu           found    load 1m 0.5
                         $ head -1 /proc/stat
  temperatures  absent   no sensor
                         $ sensors
  gpu           broken   temperature 0 61.0 °C; gpu 1 is lost

Activity signals
  logind        found    input idle 12 s
                         $ loginctl

Home
  mail links    warning  lead to this machine

Broken: gpu. To look at: mail links."""

DIAGNOSIS = Diagnosis(
    sensors=(
        Finding("cpu", FOUND, "", (LOAD,), "head -1 /proc/stat"),
        Finding("temperatures", ABSENT, "no sensor", (), "sensors"),
        Finding("gpu", BROKEN, "gpu 1 is lost", (gpu(61),)),
    ),
    signals=(Finding("logind", FOUND, signals={"input_idle_seconds": 12.0}, by_hand="loginctl"),),
    home=(Finding("mail links", WARNING, "lead to this machine"),),
)


def source(read):
    return Source("logind", read, 5.0, "loginctl")


@pytest.mark.parametrize(
    ("read", "state", "reason"),
    [
        (lambda: Signals(is_interactive=False), FOUND, ""),
        (Signals, FOUND, "tells nothing now"),
        (
            lambda: raises(NoDevice("systemd does not run here")),
            ABSENT,
            "systemd does not run here",
        ),
        (lambda: raises(KeyError("Id")), BROKEN, "KeyError: 'Id'"),
    ],
    ids=["found", "silent", "absent", "broken"],
)
def test_source_of_signals_is_found_absent_or_broken(read, state, reason):
    """As with sensors; what is unknown is not shown as no."""
    (finding,) = examine(signals.make_probes([source(read)]), apart_seconds=0)

    assert (finding.state, finding.reason, finding.by_hand) == (state, reason, "loginctl")


def raises(problem):
    raise problem


def test_source_shows_only_what_it_knows():
    """A signal that is false is known."""
    found = signals.look(source(lambda: Signals(is_interactive=False, steam_game="")))

    assert found.signals == {"is_interactive": False, "steam_game": ""}


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("is_interactive", False, "interactive no"),
        ("is_on_battery", True, "on battery yes"),
        ("steam_game", "", "steam game none"),
        ("listed_game", "doom", "listed game doom"),
        ("foreign_cpu_ratio", 0.031, "foreign cpu 3.1 %"),
        ("input_idle_seconds", 12.34, "input idle 12.3 s"),
        ("gamemode_games", 0, "gamemode games 0"),
    ],
)
def test_signal_is_written_for_people(name, value, text):
    """With its unit, and yes or no."""
    assert render_signal(name, value) == text


NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def state(age_seconds, version=1):
    return json.dumps(
        {
            "version": version,
            "time": (NOW - timedelta(seconds=age_seconds)).isoformat(),
            "mode": "work",
            "throttle_factor": 0.5,
            "reason": "input 3 s ago",
        }
    )


@pytest.mark.parametrize(
    ("text", "state", "words"),
    [
        (state(4), OK, "work, factor 0.5: input 3 s ago"),
        (state(31), WARNING, "31 s ago, no exporter runs"),
        (state(4, version=2), WARNING, "version 2"),
        ("{}", WARNING, "not as expected"),
    ],
    ids=["fresh", "stale", "newer", "damaged"],
)
def test_verdict_is_what_the_exporter_wrote(text, state, words):
    """An old one is told as such."""
    found = signals.parse_verdict(text, NOW)

    assert found.state == state
    assert words in found.reason


def test_no_verdict_without_an_exporter(tmp_path):
    """Nothing runs here, which is no fault."""
    assert signals.read_verdict(tmp_path, NOW).state == ABSENT
    assert signals.read_verdict(None, NOW).state == ABSENT


def test_report_is_aligned():
    """Name, state, values or reason, and below them the command that shows the same."""
    assert render(DIAGNOSIS) == REPORT


def test_long_values_end_somewhere():
    """A machine with a hundred GPUs does not flood the screen; nothing is wider than it."""
    samples = tuple(gpu(index, gpu=str(index)) for index in range(100))
    lines = render(Diagnosis((Finding("gpu", FOUND, "", samples),), (), ())).splitlines()

    assert len(lines) < 10
    assert max(map(len, lines)) <= 100
    assert any(line.endswith("… (--json)") for line in lines)


def test_json_has_every_value():
    """Programs get metric, labels, value and unit."""
    shown = json.loads(render_json(DIAGNOSIS))

    assert shown["healthy"] is False
    assert shown["sensors"][2]["values"] == [
        {
            "metric": "fleet_gpu_temperature_celsius",
            "labels": {"gpu": "0"},
            "value": 61,
            "unit": "celsius",
        }
    ]
    assert shown["sensors"][1] == {
        "name": "temperatures",
        "state": "absent",
        "reason": "no sensor",
        "by_hand": "sensors",
    }


@pytest.mark.parametrize(
    ("state", "is_healthy"),
    [(FOUND, True), (ABSENT, True), (OK, True), (WARNING, True), (BROKEN, False)],
)
def test_only_what_broke_is_a_fault(state, is_healthy):
    """Absence is a fact about the machine, a warning a matter of taste."""
    assert Diagnosis((Finding("gpu", state),), (), ()).is_healthy is is_healthy


def test_every_family_has_a_command(tmp_path):
    """Whoever doubts a value can look for themselves."""
    families = make_families([tmp_path])

    assert [name for name, read in families.items() if not by_hand.find(read)] == []


@pytest.mark.parametrize(
    ("docstring", "commands"),
    [
        ("Read.\n\nBy hand: `cat a.b`, or\n`grep . c`. Not `rm d`.", "cat a.b; grep . c"),
        ("Read.\n\nBy hand: `free --bytes` (used is total minus free).", "free --bytes"),
        ("By hand: `a\nb`", "a b"),
        ("Read `x`.", ""),
    ],
)
def test_commands_stand_in_the_docstring(docstring, commands):
    """All of the sentence, none of the next; a point within a command ends nothing."""
    assert by_hand.parse(docstring) == commands


def test_doctor_needs_nothing_but_the_machine(capsys):
    """No database, no exporter, no setting: this machine has memory and says so."""
    code = doctor.main(["--json"], facts=[("home disk", OK, "plenty")])
    shown = json.loads(capsys.readouterr().out)

    assert {"processes", "verdict"} <= {entry["name"] for entry in shown["signals"]}
    (memory,) = [entry for entry in shown["sensors"] if entry["name"] == "memory"]
    assert memory["values"][0]["value"] > 0
    assert shown["home"] == [
        {"name": "home disk", "state": "ok", "reason": "plenty", "by_hand": None}
    ]
    assert code == (0 if shown["healthy"] else 1)


def test_held_back_readings_are_found(tmp_path):
    """As the node agent says it, with what to do."""
    content = {"version": 1, "settings": {}, "process_ids": [], "held_back": "it is a copy"}
    (tmp_path / "settings.json").write_text(json.dumps(content))

    diagnosis = doctor.diagnose({}, [], tmp_path, [])

    assert diagnosis.home == (Finding("readings", WARNING, "are not stored: it is a copy"),)
