"""Our exporter on a machine whose thermometers never answer. Started by the benchmark."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from fleet_exporters import cli
from fleet_exporters.collectors import SLOW_PERIODS, make_families

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from fleet_exporters.sample import Read, Sample

FAMILY = "temperatures"


def hang() -> Iterator[Sample]:
    """Wait as a driver waits for a bus that is stuck."""
    threading.Event().wait()
    yield from ()


def make_hung_families(watched: Sequence[Path], **options: object) -> dict[str, Read]:
    """Return all families, one of them hung."""
    if FAMILY not in SLOW_PERIODS:
        raise RuntimeError(
            f"{FAMILY} is not read in the background any more; choose another family"
        )
    return {**make_families(watched, **options), FAMILY: hang}


if __name__ == "__main__":
    cli.make_families = make_hung_families
    sys.exit(cli.main(sys.argv[1:]))
