"""Load the shipped scenarios and prompt templates into their tables. Called by `fleet migrate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from fleet_orchestrator.errors import ScenarioError

if TYPE_CHECKING:
    from fleet_timescale.connection import Connection

FOLDER = Path(__file__).parent
REQUIRED = ("companies", "agent_role", "goal", "customers", "facts", "phases", "closing", "example")
PHASE = ("phase", "is_required", "agent", "customer")
EXAMPLE = ("values", "texts")
PUT_WEIGHTS = """
INSERT INTO fleet.settings AS s
  (key, description, default_value, minimum, maximum, area, kind, scopes)
SELECT 'scenario_weight_' || c.scenario,
  format('Share of "%s" in mixed jobs, relative to the other scenarios; 0 leaves it out.', c.title),
  to_jsonb(c.weight), 0, 1000, 'scenarios', 'number', '{fleet}' FROM fleet.scenarios c
ON CONFLICT (key) DO UPDATE SET description = excluded.description,
  default_value = excluded.default_value
WHERE (s.description, s.default_value) IS DISTINCT FROM
  (excluded.description, excluded.default_value)"""


def parse_scenario(name: str, text: str) -> dict[str, Any]:
    """
    Return one scenario as the row of fleet.scenarios.

    Raises ScenarioError for JSON that does not parse and for a missing part.
    """
    try:
        entry = json.loads(text)
        missing = find_missing(entry["definition"])
        row = {
            "scenario": name,
            "title": entry["title"],
            "is_healthcare": entry["is_healthcare"],
            "definition": Jsonb(entry["definition"]),
            "weight": entry.get("weight", 1),
        }
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ScenarioError(
            f"scenario {name} cannot be read: {exc!r}; compare with a shipped one"
        ) from exc
    if missing:
        raise ScenarioError(f"scenario {name} lacks {', '.join(missing)}")
    return row


def find_missing(definition: dict[str, Any]) -> list[str]:
    """Return the names of the parts that a definition lacks, such as `phases[2].customer`."""
    missing = [key for key in REQUIRED if not definition.get(key)]
    for number, phase in enumerate(definition.get("phases") or ()):
        missing += [f"phases[{number}].{key}" for key in PHASE if key not in phase]
    example = definition.get("example") or {}
    return missing + [f"example.{key}" for key in EXAMPLE if example and not example.get(key)]


def load(connection: Connection, folder: Path = FOLDER) -> None:
    """
    Put every scenario file, its weight as a setting, and every prompt template into the database.

    A changed prompt becomes a new version.
    """
    with connection.transaction():
        for path in sorted((folder / "scenarios").glob("*.json")):
            connection.execute(
                "INSERT INTO fleet.scenarios (scenario, title, is_healthcare, definition, weight) "
                "VALUES (%(scenario)s, %(title)s, %(is_healthcare)s, %(definition)s, %(weight)s) "
                "ON CONFLICT (scenario) DO UPDATE SET title = excluded.title, "
                "is_healthcare = excluded.is_healthcare, definition = excluded.definition",
                parse_scenario(path.stem, path.read_text()),
            )
        connection.execute(PUT_WEIGHTS)
        for path in sorted((folder / "prompts").glob("*.j2")):
            connection.execute(
                "INSERT INTO fleet.prompts (name, version, method, template) "
                "SELECT %(name)s, coalesce(max(version), 0) + 1, %(method)s, %(template)s "
                "FROM fleet.prompts WHERE name = %(name)s HAVING NOT coalesce("
                "(array_agg(template ORDER BY version DESC))[1] = %(template)s, false)",
                {"name": path.stem, "method": path.stem, "template": path.read_text()},
            )
