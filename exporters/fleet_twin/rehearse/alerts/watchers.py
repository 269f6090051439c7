"""Prometheus and Alertmanager: frozen, without a disk, with a wrong configuration, overfed."""

from __future__ import annotations

import os
import resource
import signal
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from fleet_twin import faults
from fleet_twin.rehearse.alerts.drill import Drill, Expected
from fleet_twin.rehearse.scene import ask_prometheus

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_twin.rehearse.alerts.stage import Stage

AWAY_SECONDS = 20.0  # longer than any group of rules waits
DISK_SECONDS = 15.0
LINGER_SECONDS = 900.0  # five minutes in the range of the rule, five more kept


def configure(change: Callable[[str], str], stage: Stage) -> Callable[[], object]:
    """Change the configuration of Prometheus by hand, and have it loaded."""
    flags = ask_prometheus(stage.scene.prometheus, "/api/v1/status/flags")
    file, pid = Path(flags["config.file"]), stage.scene.find_process("prometheus")
    before = file.read_text(encoding="utf-8")

    def load(content: str) -> None:
        file.write_text(content, encoding="utf-8")
        os.kill(pid, signal.SIGHUP)

    load(change(before))
    return lambda: load(before)


def break_syntax(content: str) -> str:
    """Return a configuration that no Prometheus takes."""
    return f"{content}\nscrape_configurations: []\n"


def forget_nodes(content: str) -> str:
    """Return a configuration that has lost the job of the nodes."""
    told = yaml.safe_load(content)
    jobs = [job for job in told["scrape_configs"] if job["job_name"] != "fleet-node"]
    return yaml.safe_dump({**told, "scrape_configs": jobs})


def freeze_prometheus(stage: Stage) -> Callable[[], object]:
    """Stop Prometheus for some evaluations, and let it go on: it tells it afterwards itself."""
    end = stage.freeze("prometheus")
    time.sleep(AWAY_SECONDS)
    end()
    return end


def fill_disk(stage: Stage) -> Callable[[], object]:
    """Let no write of Prometheus through, as on a full disk; it tells it once it can again."""
    pid = stage.scene.find_process("prometheus")
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)

    def end() -> None:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)

    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
    time.sleep(DISK_SECONDS)
    end()
    return end


DRILLS = (
    Drill(
        "alertmanager-frozen",
        (Expected("ServiceDown", "alertmanager"), Expected("AlertsNotSent")),
        lambda stage: stage.freeze("alertmanager"),  # nobody gets any mail meanwhile
        clear_seconds=LINGER_SECONDS,
        holds_mail=True,
    ),
    Drill(
        "prometheus-frozen",
        (Expected("RulesFailing"),),
        freeze_prometheus,
        ("alertmanager-frozen",),
        clear_seconds=LINGER_SECONDS,
        is_blow=True,
    ),
    Drill(
        "prometheus-disk-full",
        (Expected("MetricsNotStored"),),
        fill_disk,
        ("prometheus-frozen",),
        clear_seconds=LINGER_SECONDS,
        is_blow=True,
    ),
    Drill(
        faults.PAGE_TOO_LONG,
        (Expected("PagesRefused"),),
        lambda stage: stage.fault(faults.PAGE_TOO_LONG, "raspberry-2"),
        ("prometheus-disk-full",),
        clear_seconds=LINGER_SECONDS,
    ),
    Drill(
        "configuration-refused",
        (Expected("ConfigurationRefused"),),
        partial(configure, break_syntax),
        ("prometheus-disk-full",),
    ),
    Drill("no-fault", (Expected("Watchdog", has_mail=False),), lambda _: lambda: None, ends=False),
)
LAST = (
    Drill(
        "fleet-unwatched",
        (Expected("FleetUnwatched"),),
        partial(configure, forget_nodes),
        # It blinds all others.
        (
            "nothing-written", "configuration-refused", "node-twice", "disk-leaking",
            "cpu-hot", "gpu-hot", "pi-hot", "model-missing", "gpu-lost", "cpu-fallback",
            "model-disk-full",
        ),
    ),
)  # fmt: skip
