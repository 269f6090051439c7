"""
The settings that decide how far the machine is held back, and what else the node agent brings.

settings.json holds until it is replaced, however old it is; without it the defaults hold.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fleet_exporters.errors import ExporterError
from fleet_exporters.reading.changed_file import ChangedFile

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

logger = logging.getLogger(__name__)

FILE = "settings.json"
VERSION = 1


class RulesError(ExporterError):
    """The settings of this node cannot be read."""


@dataclass(frozen=True)
class Bands:
    """Where a level begins and where it ends again; celsius."""

    warm: float = 75
    warm_ends: float = 67
    hot: float = 80
    hot_ends: float = 72


@dataclass(frozen=True)
class Rules:
    """Bands by kind of device, factors from 0 to 1, which processes are ours, who may scrape."""

    bands: Mapping[str, Bands] = field(default_factory=lambda: {"cpu": Bands(), "gpu": Bands()})
    manual_factor: float = 1.0
    warm_factor: float = 0.6
    work_factor: float = 0.5
    battery_factor: float = 0.0
    process_ids: tuple[int, ...] = ()
    scrape_hashes: tuple[str, ...] = ()
    #: why readings are not stored; empty while they are
    held_back: str = ""


DEFAULTS = Rules()


def parse_rules(text: str) -> Rules:
    """
    Return the rules; a setting that is not there keeps its default.

    Raises RulesError if the file is not of our version or a value is no number.
    """
    try:
        content = json.loads(text)
        if content["version"] != VERSION:
            raise RulesError(
                f"{FILE} has version {content['version']}, not {VERSION}; "
                "update node agent and exporter together"
            )
        settings = content["settings"]
        return Rules(
            bands={kind: _parse_bands(settings, kind) for kind in DEFAULTS.bands},
            manual_factor=float(settings.get("manual_throttle_factor", DEFAULTS.manual_factor)),
            warm_factor=float(settings.get("warm_throttle_factor", DEFAULTS.warm_factor)),
            work_factor=float(settings.get("work_throttle_factor", DEFAULTS.work_factor)),
            battery_factor=float(settings.get("on_battery_throttle_factor",
                                              DEFAULTS.battery_factor)),
            process_ids=tuple(int(pid) for pid in content["process_ids"]),
            scrape_hashes=tuple(str(known) for known in content.get("scrape_hashes", ())),
            held_back=str(content.get("held_back", "")),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise RulesError(f"{FILE} is not as expected: {exc!r}; restart the node agent") from exc


def _parse_bands(settings: Mapping[str, Any], kind: str) -> Bands:
    """Return the bands of a kind; a level never ends above where it begins."""
    default = DEFAULTS.bands[kind]
    warm = float(settings.get(f"throttle_{kind}_warm_celsius", default.warm))
    hot = float(settings.get(f"throttle_{kind}_hot_celsius", default.hot))
    warm_ends = float(settings.get(f"throttle_{kind}_warm_ends_celsius", default.warm_ends))
    hot_ends = float(settings.get(f"throttle_{kind}_hot_ends_celsius", default.hot_ends))
    return Bands(warm, min(warm, warm_ends), hot, min(hot, hot_ends))


class RulesFile:
    """Checks at each tick whether the file has changed; an unreadable file changes nothing."""

    def __init__(self, directory: Path) -> None:
        self._file = ChangedFile(directory / FILE)
        #: what the last reading gave; for other threads
        self.last = DEFAULTS

    def read(self) -> Rules:
        """Return the rules in force."""
        try:
            text = self._file.read()
            if text is not None:
                self.last = parse_rules(text)
        except FileNotFoundError:
            pass  # no agent has run on this node yet
        except (OSError, RulesError) as exc:
            logger.warning(
                "settings.json cannot be used; the previous settings stay in force",
                extra={"error": str(exc)},
            )
        return self.last
