"""What the exporter is told by its environment; read once, at start."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_timescale import settings
from fleet_timescale.errors import SettingsError

from fleet_exporters.signals.executables import parse_list

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Settings:
    """Where to listen, who we are, where the others read."""

    node: str
    host: str
    port: int
    runtime_dir: Path
    #: their file systems are watched: the model's, the home's, the root
    watched: tuple[Path, ...]
    #: file of the model; None where its server is not ours
    model: Path | None
    tick_seconds: float
    #: page of LibreHardwareMonitor; empty means its usual one, on Windows only
    monitor_url: str
    #: file names, in lower case, of what the owner calls games
    games: frozenset[str]
    #: where rows wait for the database; None means in memory
    spool_dir: Path | None
    database_url: str = field(repr=False)
    #: of the fleet; counts until the node agent has told which are good
    scrape_token: str = field(default="", repr=False)


def parse_address(text: str) -> tuple[str, int]:
    """Return host and port of `host:port` or `[host]:port`. Raises SettingsError otherwise."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise SettingsError(f"FLEET_LISTEN must be HOST:PORT, not {text!r}")
    return host.strip("[]"), int(port)


def parse_monitor_url(text: str) -> str:
    """Return the address; empty if there is none. Raises SettingsError unless it is plain HTTP."""
    text = text.strip()
    if text and not text.startswith("http://"):
        raise SettingsError(f"FLEET_HARDWARE_MONITOR_URL must begin with http://, not be {text!r}")
    return text


def read_scrape_token(environ: Mapping[str, str]) -> str:
    """Return the token of the launcher's file; empty where it names none."""
    name = "FLEET_SCRAPE_TOKEN"
    return settings.secret(environ, name) if environ.get(f"{name}_FILE") else ""


def from_env(environ: Mapping[str, str]) -> Settings:
    """Return the settings. Raises SettingsError, naming the variable."""
    host, port = parse_address(settings.text(environ, "FLEET_LISTEN"))
    tick_seconds = settings.number(environ, "FLEET_TICK_SECONDS", 5)
    if not 0.1 <= tick_seconds <= 60:
        raise SettingsError(f"FLEET_TICK_SECONDS must be from 0.1 to 60, not {tick_seconds:g}")
    runtime_dir = Path(settings.text(environ, "FLEET_RUNTIME_DIR"))
    if not runtime_dir.is_dir():
        raise SettingsError(
            f"FLEET_RUNTIME_DIR {runtime_dir} is not a directory; `./fleet up` creates it"
        )
    node, home = settings.text(environ, "FLEET_NODE"), environ.get("FLEET_HOME", "").strip()
    model = environ.get("FLEET_MODEL_PATH", "").strip()
    return Settings(
        node=node,
        host=host,
        port=port,
        runtime_dir=runtime_dir,
        watched=(Path("/"), *(Path(path) for path in (model, home) if path)),
        model=Path(model) if model else None,
        tick_seconds=tick_seconds,
        monitor_url=parse_monitor_url(environ.get("FLEET_HARDWARE_MONITOR_URL", "")),
        games=parse_list(environ.get("FLEET_GAME_EXECUTABLES", "")),
        spool_dir=Path(home, "spool", node) if home else None,
        database_url=settings.secret(environ, "FLEET_DATABASE_URL"),
        scrape_token=read_scrape_token(environ),
    )
