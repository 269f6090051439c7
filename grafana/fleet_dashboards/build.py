"""
Write every dashboard as JSON beside this package: `python -m fleet_dashboards.build`.

Grafana reads the written files; the tests compare them with what the builders say now.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_dashboards import overview

if TYPE_CHECKING:
    from fleet_dashboards.datasources import Json

FOLDER = Path(__file__).parents[1] / "dashboards"


def dashboards() -> dict[str, Json]:
    """Return all dashboards by file name."""
    built = [overview.build()]
    return {f"{dashboard['uid']}.json": dashboard for dashboard in built}


def render(dashboard: Json) -> str:
    """Return the text of a dashboard file."""
    return json.dumps(dashboard, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main(folder: Path = FOLDER) -> int:
    """Write the files and name them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, dashboard in dashboards().items():
        (folder / name).write_text(render(dashboard), encoding="utf-8")
        sys.stdout.write(f"{folder / name}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
