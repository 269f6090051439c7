"""Panels about one machine, that of the variable `node`: how it stands, and what it was told."""

from __future__ import annotations

from fleet_dashboards import links
from fleet_dashboards.actions import Box, element, label
from fleet_dashboards.datasources import Json, instant, sql
from fleet_dashboards.looks import COMMAND_STATES, MODES, NODE_STATES, SEVERITIES, WORKER_STATES
from fleet_dashboards.panels import (
    COLOURED,
    LONG,
    Head,
    absent,
    canvas,
    override,
    stat,
    table,
    thresholds,
    tile,
    words,
)
from fleet_dashboards.topics.fleet import work

# Where the four buttons stand: side by side also on a phone, 390 pixels wide.
ABREAST = ((8, 74), (88, 74), (168, 100), (274, 74))


def state() -> Json:
    """Return the tile that says whether the machine is there."""
    head = Head(
        100,
        "State",
        "Online: heartbeat of its agent within 30 s; stale: one of agent and exporter spoke within "
        "120 s; offline: both are silent; off on purpose: so, and people or its calendar say that "
        "it is off. Source: analytics.nodes, state and is_expected.",
        "string",
        "no such node",
    )
    query = sql("""
        SELECT CASE WHEN is_expected OR state = 'online' THEN state ELSE 'off' END AS state
        FROM analytics.nodes WHERE node = ${node:sqlstring}
        """)
    return tile(head, query, "state", NODE_STATES)


def mode() -> Json:
    """Return the tile that says what the machine is used for."""
    head = Head(
        101,
        "Mode",
        "What the machine does: idle, work (its owner works), gaming, throttling (too hot). "
        "Its exporter decides each 5 s. Source: analytics.nodes, mode; NULL after a minute without "
        "reading.",
        "string",
        "no reading",
    )
    query = sql("SELECT mode FROM analytics.nodes WHERE node = ${node:sqlstring}")
    return tile(head, query, "mode", MODES)


def allowed() -> Json:
    """Return the share of full speed that the worker may use, and what holds it back."""
    head = Head(
        102,
        "Speed allowed",
        "Share of full speed that the worker may use (0 % stops it), and each thing that holds it "
        "back: heat, battery, gaming, work (of its owner), manual (a setting). "
        "Source: Prometheus, fleet_throttle_factor and fleet_throttle_limit.",
        "percentunit",
        "no reading",
    )
    expr = """
        max by (limit) (fleet_throttle_limit{node="${node}"} == 1)
          * scalar(max(fleet_throttle_factor{node="${node}"}))
        or label_replace(
          max(fleet_throttle_factor{node="${node}"})
            unless on () (fleet_throttle_limit{node="${node}"} == 1),
          "limit", "nothing", "", "")
        """
    return stat(
        head,
        instant(expr, "limited by {{limit}}"),
        text="value_and_name",
        decimals=0,
        thresholds=thresholds("red", (0.01, "orange"), (0.99, "green")),
    )


def heartbeat() -> Json:
    """Return how long ago the agent of the machine spoke."""
    head = Head(
        103,
        "Last heartbeat",
        "How long ago its agent spoke to the database; it does so every 5 s. Yellow after 30 s, "
        "red after 120 s. Source: analytics.nodes, last_heartbeat_at.",
        "s",
        "never came",
    )
    query = sql("""
        SELECT round(extract(epoch FROM now() - last_heartbeat_at))::double precision AS "ago"
        FROM analytics.nodes WHERE node = ${node:sqlstring}
        """)
    colours = thresholds("green", (30, "yellow"), (120, "red"))
    return stat(head, query, decimals=0, thresholds=colours)


def buttons() -> Json:
    """Return what can be told to the machine; Viewers see the buttons, but cannot use them."""
    head = Head(
        104,
        "Start, stop, restart, drain",
        "Each button asks for a reason and for consent; they need the role Editor or Admin. What "
        "the machine made of it shows under Commands, also when it was refused under Recent "
        "control actions of the overview. Source: analytics.nodes.",
        "string",
    )
    query = sql("""
        SELECT 'Worker: ' || worker_state || coalesce('. Silent: ' || silent, '') AS worker,
          'Roles ' || role || ', class ' || node_class || ', agent ' || coalesce(agent_version, '-')
            AS machine
        FROM analytics.nodes WHERE node = ${node:sqlstring}
        """)
    elements = [
        *(
            element(button, Box(top=4, left=left, width=width, height=40))
            for button, (left, width) in zip(work.node_buttons("${node}"), ABREAST, strict=True)
        ),
        label("worker", Box(top=48, left=8, width=340, height=26)),
        label("machine", Box(top=74, left=8, width=340, height=26)),
    ]
    return canvas(head, query, elements=elements)


def settings() -> Json:
    """Return which settings the machine runs, beside what its worker and agent are."""
    head = Head(
        112,
        "Worker and settings",
        "What its agent last said of the worker, and whether the machine runs the newest version "
        "of the settings; it takes a new one within some seconds. "
        "Source: analytics.nodes and analytics.config_history.",
        "string",
        "no such node",
    )
    query = sql("""
        SELECT n.worker_state AS "Worker", n.settings_version AS "Runs version",
          v.newest AS "Newest",
          CASE WHEN n.settings_version IS NULL THEN 'unknown'
            WHEN n.settings_version >= v.newest THEN 'current' ELSE 'behind' END AS "Settings",
          n.enrolled_at AS "Enrolled"
        FROM analytics.nodes n,
          (SELECT coalesce(max(version), 0) AS newest FROM analytics.config_history) AS v
        WHERE n.node = ${node:sqlstring}
        """)
    standing = words(
        current=("up to date", "green"), behind=("behind", "orange"), unknown=("never told", "text")
    )
    to_settings = [
        {"title": "Open settings", "url": f"/d/{links.CONFIGURATION}", "targetBlank": False}
    ]
    overrides = [
        override("Worker", mappings=WORKER_STATES, custom__cellOptions=COLOURED),
        override("Settings", mappings=standing, custom__cellOptions=COLOURED, links=to_settings),
        override("Enrolled", unit="dateTimeFromNow"),
    ]
    return table(head, query, overrides=overrides)


def commands() -> Json:
    """Return what the machine was told, and what became of it."""
    head = Head(
        133,
        "Commands",
        "The last 20 commands to this machine, newest first: when it was asked, how long until the "
        "agent began, how long until it was done, and how it ended. "
        "Source: analytics.commands.",
        "string",
        "nothing was asked of it yet",
    )
    query = sql("""
        SELECT time AS "Asked", verb AS "Command", state AS "State", requested_by AS "By",
          nullif(reason, '') AS "Reason",
          extract(epoch FROM acknowledged_at - time)::double precision AS "Begun after",
          duration_seconds AS "Ended after", result AS "Result"
        FROM analytics.commands WHERE node = ${node:sqlstring} ORDER BY time DESC LIMIT 20
        """)
    after = {"unit": "s", "decimals": 1, "custom__width": 105}
    overrides = [
        override("Asked", unit="dateTimeFromNow", custom__width=140),
        override("Command", custom__width=120),
        override("State", mappings=COMMAND_STATES, custom__cellOptions=COLOURED, custom__width=90),
        override("By", custom__width=100),
        override("Reason", **LONG),
        override("Begun after", **after, mappings=absent("not begun")),
        override("Ended after", **after, mappings=absent("not ended")),
        override("Result", **LONG),
    ]
    return table(head, query, overrides=overrides)


def events() -> Json:
    """Return what happened to the machine in the time range."""
    head = Head(
        134,
        "What happened on this node",
        "The last 50 events of this machine in the time range, newest first. "
        "Source: analytics.events.",
        "string",
        "nothing happened in this time",
    )
    query = sql("""
        SELECT time AS "When", severity AS "Severity", message AS "What" FROM analytics.events
        WHERE node = ${node:sqlstring} AND $__timeFilter(time) ORDER BY time DESC LIMIT 50
        """)
    overrides = [
        override("When", unit="dateTimeFromNow", custom__width=140),
        override("Severity", mappings=SEVERITIES, custom__cellOptions=COLOURED, custom__width=90),
        override("What", **LONG),
    ]
    return table(head, query, overrides=overrides)
