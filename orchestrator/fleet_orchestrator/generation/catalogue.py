"""Load the shipped scenarios, prompts and healthcare rules. Called by `fleet migrate`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from fleet_orchestrator.errors import ScenarioError
from fleet_orchestrator.quality.healthcare.rules import load_rules

if TYPE_CHECKING:
    from fleet_timescale.connection import Connection

FOLDER = Path(__file__).parent
REQUIRED = ("companies", "agent_role", "goal", "customers", "facts", "phases", "closing", "example")
PHASE = ("phase", "is_required", "agent", "customer")
EXAMPLE = ("values", "texts")
PUT_RULES = """
WITH shipped AS (
  SELECT s.* FROM jsonb_to_recordset(%s) AS s (rule text, theme text, text text, source text)
), gone AS (
  DELETE FROM fleet.healthcare_rules r USING (SELECT array_agg(rule) AS rules FROM shipped) s
  WHERE r.rule <> ALL (s.rules)
)
INSERT INTO fleet.healthcare_rules (rule, theme, text, source) SELECT * FROM shipped
ON CONFLICT (rule) DO UPDATE
SET theme = excluded.theme, text = excluded.text, source = excluded.source"""
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
        if entry["is_healthcare"] and "healthcare" not in entry["definition"]:
            missing.append("healthcare")
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

    A changed prompt becomes a new version. The rules of health care go the same way.
    """
    with connection.transaction():
        connection.execute(PUT_RULES, [Jsonb([asdict(rule) for rule in load_rules()])])
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
