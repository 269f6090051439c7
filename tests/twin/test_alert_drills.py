"""The rehearsal of alerts: which drills there are, how they are played, what is called a miss."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import fix_fleet
import psutil
import pytest
import yaml
from fix_fleet import wait_until
from fleet_control_api.service.errors import ClientError
from fleet_twin import faults
from fleet_twin.machine.kinds import list_places
from fleet_twin.rehearse.alerts import past, watchers
from fleet_twin.rehearse.alerts.catalogue import DRILLS, NOT_REHEARSED
from fleet_twin.rehearse.alerts.command import list_others
from fleet_twin.rehearse.alerts.drill import Drill, Expected, Row
from fleet_twin.rehearse.alerts.mails import MailFolder, list_doubled, parse
from fleet_twin.rehearse.alerts.play import Play
from fleet_twin.rehearse.alerts.stage import Stage, together
from fleet_twin.rehearse.alerts.table import HEAD, render_end, render_row
from fleet_twin.rehearse.alerts.watch import Watch
from fleet_twin.rehearse.scene import RehearsalError, Scene

fleet, module_database = fix_fleet.fleet, fix_fleet.module_database

RULES = Path(__file__).parents[2] / "prometheus/rules"
MAIL = """\
Subject: [{status} critical] CpuHot on gamer-1: A CPU is too hot.
Content-Type: text/plain; charset=UTF-8

CpuHot: A CPU is too hot.

FIRING critical (1)

* gamer-1
  The CPU of node gamer-1 is at 91 \N{DEGREE SIGN}C.
  since: {since}

RESOLVED (1)

* epyc-1 (gpu 0)
  It was hot.
  since: 2026-11-28 07:00:00 UTC
  until: 2026-11-28 07:01:00 UTC
"""


class Calls:
    """A control API that is silent at first."""

    def __init__(self, silent=0):
        self.silent, self.asked = silent, []

    def call(self, method, path, body):
        if self.silent:
            self.silent -= 1
            raise ClientError("it does not answer")
        self.asked.append((method, path, body.get("value")))
        return {"job_id": "j"}


def make_stage(tmp_path, calls=None, dsn=""):
    return Stage(
        Scene(calls or Calls(), dsn, "http://127.0.0.1:9", tmp_path, list_places(10), dict)
    )


@pytest.fixture
def stage(tmp_path):
    """A twin of ten whose programs are not there."""
    return make_stage(tmp_path)


def write_mail(folder, name, status="FIRING", since="2026-11-28 07:30:01 UTC"):
    (folder / name).write_text(MAIL.format(status=status, since=since))


class Firing:
    """What Prometheus says and which mails come; a test changes it."""

    def __init__(self, folder):
        self.watch = Watch("http://127.0.0.1:9", MailFolder(folder))

    def set(self, *alerts):
        self.watch.take(
            {"state": "firing", "labels": {"alertname": name, "node": node}}
            for name, node in alerts
        )


@pytest.fixture
def firing(tmp_path):
    """A Prometheus of which nothing fires yet."""
    return Firing(tmp_path)


def test_every_alert_has_a_drill_or_a_reason():
    """And each that is drilled has a rule; none is both."""
    rules = {
        rule["alert"]
        for path in RULES.glob("*.rules.yml")
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    drilled = {expected.alert for drill in DRILLS for expected in drill.expected}

    assert drilled | NOT_REHEARSED.keys() == rules
    assert not drilled & NOT_REHEARSED.keys()


def test_each_drill_can_begin():
    """What it waits for are other drills, and none waits for itself in the end."""
    begun = set()
    while new := {d.name for d in DRILLS if set(d.after) <= begun} - begun:
        begun |= new

    assert len({drill.name for drill in DRILLS}) == len(DRILLS)
    assert begun == {drill.name for drill in DRILLS}


def test_alert_without_a_drill_is_a_miss():
    """Except where it is known that none is possible, and why."""
    one, other = list_others(["Watchdog", "CertificateExpiring", "NewAlert"], DRILLS)

    assert (one.alert, one.is_miss) == ("CertificateExpiring", False)
    assert (other.alert, other.is_miss) == ("NewAlert", True)


def test_drill_fires_is_mailed_and_clears(stage, firing, tmp_path):
    """Its fault ends once both were seen, and its row has all three times."""

    def begin(_):
        firing.set(("CpuHot", "gamer-1"))
        write_mail(tmp_path, "1.eml")
        firing.watch._folder.look()
        return firing.set

    drill = Drill("hot", (Expected("CpuHot", "gamer-1"),), begin)

    (row,) = Play(stage, firing.watch).run([drill])

    assert (row.is_miss, row.note) == (False, "gamer-1")
    assert None not in (row.fire, row.mail, row.clear)


@pytest.mark.parametrize(
    ("fires", "note"), [(False, "did not fire, no mail came"), (True, "no mail came")]
)
def test_what_is_not_seen_is_a_miss(stage, firing, monkeypatch, fires, note):
    """An alert that does not fire, one that nobody is told of."""
    monkeypatch.setattr("fleet_twin.rehearse.alerts.play.MAIL_SECONDS", 0)

    def begin(_):
        firing.set(*[("CpuHot", "gamer-1")] * fires)
        return firing.set

    drill = Drill("hot", (Expected("CpuHot"),), begin, fire_seconds=0)

    (row,) = Play(stage, firing.watch).run([drill])

    assert (row.is_miss, row.note) == (True, note)


def test_what_fires_already_proves_nothing(stage, firing, monkeypatch):
    """The drill does not begin."""
    monkeypatch.setattr("fleet_twin.rehearse.alerts.play.QUIET_SECONDS", 0)
    firing.set(("CpuHot", "gamer-1"))
    begun = []
    drill = Drill("hot", (Expected("CpuHot"),), lambda _: begun.append(1))

    (row,) = Play(stage, firing.watch).run([drill])

    assert (row.is_miss, row.note, begun) == (True, "CpuHot fires already", [])


def test_drill_begins_after_the_others_are_over(stage, firing):
    """Also where that one could not be done."""
    order = []

    def fail(_):
        order.append("first")
        raise RehearsalError("there is no such machine")

    def begin(_):
        order.append("second")
        return lambda: None

    drills = [
        Drill("second", (Expected("B", has_mail=False),), begin, ("first",), fire_seconds=0),
        Drill("first", (Expected("A"),), fail),
    ]

    rows = list(Play(stage, firing.watch).run(drills))

    assert order == ["first", "second"]
    assert rows[0] == Row("first", "A", is_miss=True, note="there is no such machine")


def test_faults_end_when_the_rehearsal_is_left(stage, firing):
    """Somebody presses Ctrl-C while a program is frozen: it goes on."""
    begun, ended = threading.Event(), []

    def begin(_):
        begun.set()
        return lambda: ended.append(1)

    drills = [
        Drill("quick", (Expected("A", has_mail=False),), lambda _: firing.set, fire_seconds=0),
        Drill("long", (Expected("B"),), begin),
    ]
    rows = Play(stage, firing.watch).run(drills)
    next(rows)
    begun.wait()

    rows.close()

    assert ended == [1]


def test_spells_are_told_apart(firing):
    """One that ended and came again has fired twice; another node's is another's."""
    one, other = Expected("CpuHot", "gamer-1"), Expected("CpuHot", "epyc-1")
    firing.set(("CpuHot", "gamer-1"))
    firing.set()
    cleared = firing.watch.find_cleared(one)
    firing.set(("CpuHot", "gamer-1"))

    assert len(firing.watch.spells) == 2
    assert cleared is not None
    assert firing.watch.find_cleared(one) is None
    assert firing.watch.is_firing(one)
    assert not firing.watch.is_firing(other)


def test_mail_tells_what_fires_and_where():
    """Not what is over; others than Alertmanager's are none."""
    mail = parse(MAIL.format(status="FIRING", since="x").encode(), 3.0)

    assert mail.tells_of("CpuHot", "gamer-1")
    assert mail.tells_of("CpuHot", None)
    assert not mail.tells_of("CpuHot", "epyc-1")
    assert not mail.tells_of("GpuHot", None)
    assert parse(b"Subject: Welcome\n\nHello", 3.0) is None


def test_mail_that_says_the_same_again_is_doubled(tmp_path):
    """One with another time or state is news; what was there before is not read."""
    write_mail(tmp_path, "0.eml")
    folder = MailFolder(tmp_path)
    write_mail(tmp_path, "1.eml")
    write_mail(tmp_path, "2.eml", since="2026-11-28 08:00:00 UTC")
    folder.look()
    assert (len(folder.mails), list_doubled(folder.mails)) == (2, [])

    write_mail(tmp_path, "3.eml")
    folder.look()
    assert [mail.alert for mail in list_doubled(folder.mails)] == ["CpuHot"]


def test_frozen_program_goes_on_with_all_that_it_started(tmp_path):
    """A stopped server, children included, and back."""
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    process = psutil.Process(parent.pid)
    stage = make_stage(tmp_path)
    stage.scene.read_processes = lambda: {"master": parent.pid}
    try:
        (child,) = wait_until(process.children, "the child runs")
        thaw = stage.freeze("master")
        for each in (process, child):
            wait_until(lambda each=each: each.status() == psutil.STATUS_STOPPED, "it is stopped")
        thaw()
        for each in (process, child):
            wait_until(lambda each=each: each.status() != psutil.STATUS_STOPPED, "it goes on")
    finally:
        parent.send_signal(signal.SIGCONT)
        parent.communicate(b"\n")
    with pytest.raises(RehearsalError, match="mail does not run"):
        stage.freeze("mail")


def test_setting_is_given_back_once_the_control_api_answers(tmp_path):
    """A drill may have stopped it meanwhile."""
    calls = Calls(silent=1)
    end = make_stage(tmp_path, calls).set("cpu_hot_celsius", 60)
    calls.silent = 1
    end()

    assert calls.asked == [
        ("PUT", "/config/cpu_hot_celsius", 60), ("PUT", "/config/cpu_hot_celsius", None)
    ]  # fmt: skip


def test_one_fault_of_a_machine_ends_alone(stage, tmp_path):
    """Two drills may share it."""
    stage.fault("cpu-hot", "gamer-1")
    end = stage.fault("slow-model", "gamer-1", "gamer-2")
    end()

    assert faults.read(tmp_path) == {"gamer-1": {"cpu-hot"}}


def test_rows_are_refused_for_a_while(tmp_path, fleet):
    """By the table itself, and taken again afterwards."""
    fleet.beat("alpha")
    stage = make_stage(tmp_path, dsn=fleet.database.dsn())
    put = "INSERT INTO telemetry.hardware (time, node) VALUES (now(), 'alpha') RETURNING node"
    end = stage.refuse_rows("telemetry.hardware", "node <> 'alpha'")

    with pytest.raises(Exception, match="rehearsal_hardware"):
        fleet.rows(put)
    end()
    assert fleet.rows(put) == [{"node": "alpha"}]


def test_all_ends_are_tried(stage):
    """The last one first; one that fails is told after the others."""
    ended = []

    def fail():
        raise RehearsalError("no")

    with pytest.raises(RehearsalError):
        together(lambda: ended.append(1), fail, lambda: ended.append(2))()

    assert ended == [2, 1]


def test_configuration_loses_its_nodes_or_its_sense():
    """All other jobs stay; what is wrong is still YAML: it is Prometheus that refuses it."""
    told = "scrape_configs:\n- job_name: fleet-node\n- job_name: fleet-master\n"

    assert yaml.safe_load(watchers.forget_nodes(told)) == {
        "scrape_configs": [{"job_name": "fleet-master"}]
    }
    assert yaml.safe_load(watchers.break_syntax(told))["scrape_configurations"] == []


def test_past_is_what_is_now():
    """Each series at each step, as OpenMetrics writes it."""
    series = [({"__name__": "free", "mount": 'C:\\ "x"'}, 0.5)]

    lines = list(past.render_past(series, 0, 2 * past.STEP_SECONDS))

    name = 'free{mount="C:\\\\ \\"x\\""}'
    assert lines == [f"{name} 0.5 0.000\n", f"{name} 0.5 30.000\n", "# EOF\n"]


def test_table_says_what_was_missed_and_doubled():
    """A line an alert; the last lines count."""
    rows = [
        Row("cpu-hot", "CpuHot", 1.04, 2.0, 3.0, note="gamer-1"),
        Row("gpu-hot", "GpuHot", is_miss=True, note="did not fire"),
        Row("", "CertificateExpiring", note="not rehearsed: no certificate"),
    ]

    assert render_row(rows[0]).split() == [
        "cpu-hot",
        "CpuHot",
        "1.0",
        "2.0",
        "3.0",
        "ok",
        "gamer-1",
    ]
    assert render_row(rows[1]).split()[2:6] == ["-", "-", "-", "MISS"]
    assert HEAD.split()[:2] == ["fault", "alert"]
    assert render_end(rows, 4, ["CpuHot"]).splitlines() == [
        "1 alerts fired, were mailed and cleared",
        "missed: GpuHot",
        "not rehearsed: CertificateExpiring",
        "4 mails, twice the same: CpuHot",
    ]
