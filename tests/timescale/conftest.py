"""The database that these tests share: see fix_fleet."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fix_fleet import fleet, module_database  # noqa: F401
