"""The database that these tests share: see fix_fleet."""

from __future__ import annotations

from fix_fleet import fleet, module_database  # noqa: F401
