"""Panels about settings: what is in force for whom, what was, and who runs which version."""

from __future__ import annotations

from fleet_dashboards import links
from fleet_dashboards.actions import REASON, Button, buttons_column, field
from fleet_dashboards.datasources import Json, sql
from fleet_dashboards.looks import NODE_STATES
from fleet_dashboards.panels import (
    COLOURED,
    GAUGE,
    HIDDEN,
    LONG,
    Head,
    absent,
    matching,
    override,
    stat,
    table,
    thresholds,
)
from fleet_dashboards.variables import picked

KEY, SCOPE, VERSION = field("key"), field("scope"), field("version")
# Two people who change one setting at once are told: the second one's version is not the newest.
OF_SETTING = [("key", KEY), ("scope", SCOPE), ("version", VERSION)]
SET = Button(
    verb="config-set",
    label="Set",
    question=f"Set {KEY} for {SCOPE}? It is {field('Value')} now; it takes {field('Allowed')}. "
    "Machines run it within seconds.",
    variant="primary",
    arguments=OF_SETTING,
    prompts=(("value", "New value"), REASON),
)
DEFAULT = Button(
    verb="config-rollback",
    label="Unset",
    question=f"Take back what was set for {SCOPE} of {KEY}? The wider scope holds then, or the "
    "default.",
    variant="secondary",
    arguments=[*OF_SETTING, ("to", "0")],
)
AGAIN = Button(
    verb="config-rollback",
    label="Roll back to it",
    question=f"Put {KEY} of {SCOPE} back to {field('Value')}, as in version {field('to')}?",
    variant="primary",
    arguments=[*OF_SETTING, ("to", field("to"))],
)


def variables() -> list[Json]:
    """Return for whom settings are shown and set, and what two versions are compared."""
    versions = """
        SELECT version::text AS __value, format('%s: %s of %s by %s', version, key, scope, author)
          AS __text FROM analytics.config_history
        """
    return [
        picked(
            "scope",
            "Settings of",
            """
            SELECT scope AS __value, scope AS __text FROM (
              SELECT 'fleet' AS scope, 0 AS place
              UNION ALL VALUES ('role:generate', 1), ('role:quality', 1)
              UNION ALL SELECT 'node:' || node, 2 FROM analytics.nodes) s ORDER BY place, scope
            """,
        ),
        picked(
            "older",
            "Compare version",
            "SELECT '0' AS __value, '0: before the first' AS __text UNION ALL ("
            + versions
            + " ORDER "
            "BY version DESC LIMIT 300)",
        ),
        picked(
            "newer",
            "with version",
            "SELECT 'newest' AS __value, 'the newest' AS __text UNION ALL ("
            + versions
            + " ORDER BY "
            "version DESC LIMIT 300)",
        ),
    ]


def standing(number: int = 240) -> Json:
    """Return how far the newest settings have come."""
    head = Head(
        number,
        "Newest version, and who runs it",
        "The newest version of the configuration, how many online machines run it, how many run "
        "an older one, and how many values people have set. A machine runs a new version within "
        "seconds; one that stays behind needs a look. Source: analytics.config_history, "
        "analytics.nodes and analytics.config.",
        "locale",
        "unknown: the database does not answer",
    )
    query = sql("""
        WITH newest AS (SELECT coalesce(max(version), 0) AS version FROM analytics.config_history)
        SELECT version,
          (SELECT count(*) FROM analytics.nodes n
           WHERE n.state = 'online' AND n.settings_version = newest.version) AS "run it",
          (SELECT count(*) FROM analytics.nodes n
           WHERE n.state = 'online' AND (n.settings_version = newest.version) IS NOT TRUE)
            AS "behind",
          (SELECT count(*) FROM analytics.config WHERE scope <> 'default') AS "set by people",
          (SELECT count(*) FROM analytics.config WHERE scope NOT IN ('default', 'fleet'))
            AS "of them for a role or node"
        FROM newest
        """)
    behind = override("behind", thresholds=thresholds("text", (1, "orange")))
    return stat(head, query, decimals=0, thresholds=thresholds("text"), overrides=[behind])


def in_force(number: int, title: str, areas: str, about: str) -> Json:
    """Return the settings of some areas (a list with commas) as they hold for the chosen scope."""
    head = Head(
        number,
        title,
        f"{about} Only what can be set for the chosen scope is shown. Comes from: the scope whose "
        "value holds, default where nobody has set one. Set asks for a value and a reason, Unset "
        "gives the scope back to the wider one; both need the role Admin, and are refused when "
        "somebody else has changed the setting since this page was read. "
        "Source: analytics.config and analytics.config_history.",
        "string",
        "none of these can be set for this scope: choose a wider one at the top",
    )
    query = sql(
        """
        WITH chosen AS (
          SELECT ${scope:sqlstring} AS scope
        ), roles AS (
          SELECT 'role:' || unnest(string_to_array(n.role, '+')) AS scope
          FROM analytics.nodes n JOIN chosen c ON c.scope = 'node:' || n.node
        ), holds AS (
          SELECT DISTINCT ON (v.key) v.* FROM analytics.config v, chosen c
          WHERE v.area = ANY (string_to_array('{areas}', ',')) AND (
            v.scope IN ('default', 'fleet', c.scope) OR v.scope IN (SELECT scope FROM roles))
          ORDER BY v.key, CASE split_part(v.scope, ':', 1) WHEN 'node' THEN 1 WHEN 'role' THEN 2
            ELSE 3 END, v.version DESC
        )
        SELECT h.key AS "Setting", h.value #>> '{}' AS "Value",
          h.scope AS "Comes from", h.default_value #>> '{}' AS "Default",
          CASE h.kind WHEN 'choice' THEN array_to_string(h.choices, ', ') WHEN 'text' THEN 'a text'
            ELSE trim(h.minimum || ' to ' || h.maximum || ' ' || h.unit) END AS "Allowed",
          h.description AS "What it does", h.valid_from AS "Set",
          h.author || coalesce(': ' || nullif(h.reason, ''), '') AS "By whom, why",
          '' AS "Change it", h.key AS key, c.scope AS scope,
          coalesce((SELECT max(n.version) FROM analytics.config_history n
            WHERE n.key = h.key AND n.scope = c.scope), 0)::text AS version
        FROM holds h, chosen c WHERE split_part(c.scope, ':', 1) = ANY (h.scopes)
        ORDER BY h.area, h.key
        """.replace("{areas}", areas)
    )
    overrides = [
        override("Setting", custom__width=230, custom__inspect=True),
        override("Value", custom__width=95, custom__inspect=True),
        override(
            "Comes from",
            mappings=[matching("/^(fleet|role|node)/", "orange")],
            custom__cellOptions=COLOURED,
            custom__width=120,
        ),
        override("Default", custom__width=90, custom__inspect=True),
        override("Allowed", custom__width=190, custom__inspect=True),
        override("What it does", **LONG),
        override("Set", unit="dateTimeFromNow", custom__width=130),
        override("By whom, why", custom__width=190, **LONG),
        buttons_column("Change it", 130, SET, DEFAULT),
        *(override(name, **HIDDEN) for name in ("key", "scope", "version")),
    ]
    return table(head, query, overrides=overrides)


def narrower(number: int = 244) -> Json:
    """Return the values of roles and single machines, which hold before those of the fleet."""
    head = Head(
        number,
        "Set for a role or a machine",
        "Values of narrower scopes than the fleet; they hold before it. A role holds for machines "
        "of that role, a machine before its role. Source: analytics.config.",
        "string",
        "nothing is set for a role or a single machine",
    )
    query = sql("""
        SELECT scope AS "For", key AS "Setting", value #>> '{}' AS "Value", author AS "Set by",
          valid_from AS "Since", reason AS "Why", '' AS "Change it", key AS key, scope AS scope,
          version::text AS version
        FROM analytics.config WHERE scope NOT IN ('default', 'fleet') ORDER BY scope, key LIMIT 500
        """)
    overrides = [
        override("For", custom__width=150, custom__inspect=True),
        override("Setting", custom__width=230, custom__inspect=True),
        override("Value", custom__width=130, custom__inspect=True),
        override("Set by", custom__width=100, custom__inspect=True),
        override("Since", unit="dateTimeFromNow", custom__width=135),
        override("Why", **LONG),
        buttons_column("Change it", 80, DEFAULT),
        *(override(name, **HIDDEN) for name in ("key", "scope", "version")),
    ]
    return table(head, query, overrides=overrides)


def history(number: int = 245) -> Json:
    """Return every change, newest first, each of which can be put in force again."""
    head = Head(
        number,
        "History",
        "The last 200 changes of settings, newest first; a rollback is a change too. Roll back to "
        "it puts the value of its row in force again, as a new version; it needs the role Admin. "
        "Source: analytics.config_history.",
        "string",
        "no setting has ever been changed",
    )
    query = sql("""
        SELECT h.version AS "Version", h.valid_from AS "When", h.key AS "Setting", h.scope AS "For",
          coalesce(h.value_before #>> '{}', 'not set') AS "Before",
          coalesce(h.value #>> '{}', 'not set') AS "Value",
          CASE WHEN h.valid_to IS NULL THEN 'in force' ELSE 'replaced' END AS "State",
          h.author AS "Who", h.reason AS "Why", '' AS "Again", h.key AS key, h.scope AS scope,
          h.version::text AS to, n.version::text AS version
        FROM analytics.config_history h
        JOIN analytics.config_history n ON n.key = h.key AND n.scope = h.scope
          AND n.valid_to IS NULL
        ORDER BY h.version DESC LIMIT 200
        """)
    overrides = [
        override("Version", unit="locale", custom__width=75),
        override("When", unit="dateTimeFromNow", custom__width=135),
        override("Setting", custom__width=230, custom__inspect=True),
        override("For", custom__width=130, custom__inspect=True),
        override("Before", custom__width=100, custom__inspect=True),
        override("Value", custom__width=100, custom__inspect=True),
        override(
            "State",
            mappings=[matching("/^in force$/", "green")],
            custom__cellOptions=COLOURED,
            custom__width=85,
        ),
        override("Who", custom__width=110, custom__inspect=True),
        override("Why", **LONG),
        buttons_column("Again", 125, AGAIN),
        *(override(name, **HIDDEN) for name in ("key", "scope", "to", "version")),
    ]
    return table(head, query, overrides=overrides)


def difference(number: int = 246) -> Json:
    """Return what differs between two versions of the configuration."""
    head = Head(
        number,
        "What differs between two versions",
        "Every setting whose value differs between the two versions chosen at the top, with who "
        "brought the newer one; not set: the wider scope or the default held. "
        "Source: analytics.config_history.",
        "string",
        "nothing differs",
    )
    query = sql("""
        WITH ends AS (
          SELECT least(a, b) AS older, greatest(a, b) AS newer FROM (SELECT
            coalesce(substring(${older:sqlstring} FROM '^[0-9]{1,15}$')::bigint, 0) AS a,
            coalesce(substring(${newer:sqlstring} FROM '^[0-9]{1,15}$')::bigint, 1e15::bigint) AS b
          ) given
        ), after AS (
          SELECT DISTINCT ON (h.key, h.scope) h.* FROM analytics.config_history h, ends
          WHERE h.version <= newer ORDER BY h.key, h.scope, h.version DESC
        ), before AS (
          SELECT DISTINCT ON (h.key, h.scope) h.* FROM analytics.config_history h, ends
          WHERE h.version <= older ORDER BY h.key, h.scope, h.version DESC
        )
        SELECT a.key AS "Setting", a.scope AS "For",
          coalesce(b.value #>> '{}', 'not set') AS "Older value",
          coalesce(a.value #>> '{}', 'not set') AS "Newer value", a.version AS "Version",
          a.author AS "Who", a.valid_from AS "When", a.reason AS "Why"
        FROM after a LEFT JOIN before b USING (key, scope)
        WHERE a.value IS DISTINCT FROM b.value ORDER BY a.key, a.scope
        """)
    overrides = [
        override("Setting", custom__width=230, custom__inspect=True),
        override("For", custom__width=130, custom__inspect=True),
        override("Older value", custom__width=110, custom__inspect=True),
        override("Newer value", custom__width=110, custom__inspect=True),
        override("Version", unit="locale", custom__width=75),
        override("Who", custom__width=100, custom__inspect=True),
        override("When", unit="dateTimeFromNow", custom__width=135),
        override("Why", **LONG),
    ]
    return table(head, query, overrides=overrides)


def nodes(number: int = 247) -> Json:
    """Return which version each machine runs."""
    head = Head(
        number,
        "What each machine runs",
        "The version of the configuration that each machine said it runs at its last heartbeat, "
        "and how many changes it is behind the newest one. "
        "Source: analytics.nodes, settings_version, and analytics.config_history.",
        "string",
        "no machine is enrolled",
    )
    query = sql("""
        SELECT n.node AS "Node",
          CASE WHEN n.is_expected OR n.state = 'online' THEN n.state ELSE 'off' END AS "State",
          n.settings_version AS "Runs version",
          CASE WHEN n.settings_version IS NULL THEN 'never told'
            WHEN n.settings_version = v.version THEN 'the newest'
            ELSE (SELECT count(*) FROM analytics.config_history h
                  WHERE h.version > n.settings_version) || ' behind' END AS "Standing",
          n.last_heartbeat_at AS "Last heartbeat"
        FROM analytics.nodes n,
          (SELECT coalesce(max(version), 0) AS version FROM analytics.config_history) v
        ORDER BY n.node
        """)
    standings = [matching("/^the newest$/", "green"), matching("/behind$/", "orange")]
    overrides = [
        override("Node", links=links.to_node()),
        override("State", mappings=NODE_STATES, custom__cellOptions=COLOURED, custom__width=110),
        override("Runs version", unit="locale", custom__width=105),
        override("Standing", mappings=standings, custom__cellOptions=COLOURED, custom__width=100),
        override("Last heartbeat", unit="dateTimeFromNow", custom__width=140),
    ]
    return table(head, query, overrides=overrides)


def weights(number: int = 248) -> Json:
    """Return what mixed jobs ask for, and what came of it."""
    head = Head(
        number,
        "Scenario weights: asked and effective",
        "Weight of each scenario in mixed jobs, its share of all weights, and its share of what "
        "the last day accepted; jobs of one scenario and rejections move the two apart. Set "
        "changes the weight for mixed jobs that are ordered from then on; it needs the role Admin. "
        "Source: analytics.scenarios.",
        "string",
        "no scenario to show",
    )
    query = sql("""
        SELECT s.title AS "Scenario", s.weight AS "Value", s.asked_ratio AS "Asked",
          s.effective_ratio_1d AS "Effective", s.accepted_1d AS "Accepted",
          '' AS "Change it", c.minimum || ' to ' || c.maximum AS "Allowed", c.key AS key,
          'fleet' AS scope, coalesce((SELECT max(h.version) FROM analytics.config_history h
            WHERE h.key = c.key AND h.scope = 'fleet'), 0)::text AS version
        FROM analytics.scenarios s
        JOIN analytics.config c ON c.key = 'scenario_weight_' || s.scenario
          AND c.scope IN ('default', 'fleet')
        ORDER BY s.title
        """)
    share = {
        "unit": "percentunit",
        "decimals": 0,
        "min": 0,
        "max": 1,
        "custom__cellOptions": GAUGE,
        "thresholds": thresholds("blue"),
    }
    overrides = [
        override("Scenario", custom__width=220),
        override("Value", custom__width=70, displayName="Weight"),
        override("Asked", **share),
        override("Effective", **share, mappings=absent("none accepted")),
        override("Accepted", unit="locale", custom__width=85),
        buttons_column("Change it", 130, SET, DEFAULT),
        *(override(name, **HIDDEN) for name in ("Allowed", "key", "scope", "version")),
    ]
    return table(head, query, overrides=overrides)
