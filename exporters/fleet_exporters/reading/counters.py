"""
Read the worker's counters.json, so that one scrape target tells about machine and work.

The file outlives the worker: its last values are published while the worker is down.
"""

from __future__ import annotations

import json
import logging
import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

from fleet_exporters.catalogue import SPEC_BY_SERIES, WORKER_METRICS
from fleet_exporters.errors import CountersError
from fleet_exporters.reading.changed_file import ChangedFile
from fleet_exporters.reading.sampler import clean
from fleet_exporters.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

logger = logging.getLogger(__name__)

FILE = "counters.json"
VERSION = 1


def parse_counters(text: str) -> list[Sample]:
    """
    Return the worker's counters, and when they were written.

    Raises CountersError if the file is not of our version or one row is not as the catalogue says.
    """
    try:
        content = json.loads(text)
        if content["version"] != VERSION:
            raise CountersError(
                f"{FILE} has version {content['version']}, not {VERSION}; "
                "update worker and exporter together"
            )
        written = datetime.fromisoformat(content["time"]).timestamp()
        samples = [_parse_row(row) for row in content["counters"]]
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise CountersError(f"{FILE} is not as expected: {exc!r}; restart the worker") from exc
    samples.sort(key=_bucket_order)
    return [*samples, Sample("fleet_worker_counters_timestamp_seconds", {}, written)]


def _parse_row(row: Mapping[str, Any]) -> Sample:
    name, labels, value = row["name"], row["labels"], float(row["value"])
    spec = SPEC_BY_SERIES.get(name)
    if spec is None or spec.name not in WORKER_METRICS:
        raise CountersError(f"{FILE} has {name}, which is not a counter of the worker")
    expected = {*spec.labels, "le"} if name.endswith("_bucket") else {*spec.labels}
    if labels.keys() != expected:
        raise CountersError(f"{name} has labels {sorted(labels)}, not {sorted(expected)}")
    if not math.isfinite(value) or value < 0:
        raise CountersError(f"{name} cannot be {value}")
    return clean(Sample(name, {key: str(label) for key, label in labels.items()}, value))


def _bucket_order(sample: Sample) -> tuple[Any, ...]:
    """Order as a histogram is read: by metric and labels, then buckets upwards, sum, count."""
    labels = dict(sample.labels)
    limit = float(labels.pop("le", "inf"))
    spec = SPEC_BY_SERIES[sample.name]
    suffix = sample.name.removeprefix(spec.name)
    return spec.name, sorted(labels.items()), ("_bucket", "_sum", "_count", "").index(suffix), limit


class Counters:
    """Checks at each tick whether the file has changed, and publishes its content."""

    def __init__(self, directory: Path, publish: Callable[[list[Sample]], None]) -> None:
        self._file = ChangedFile(directory / FILE)
        self._publish = publish

    def refresh(self) -> bool:
        """Publish the counters if the file has changed; True if they were published."""
        try:
            text = self._file.read()
            if text is None:
                return False
            self._publish(parse_counters(text))
        except FileNotFoundError:
            return False  # no worker has run on this node yet
        except (OSError, CountersError) as exc:
            logger.warning(
                "counters.json cannot be used; the previous counters stay",
                extra={"error": str(exc)},
            )
            return False
        return True
