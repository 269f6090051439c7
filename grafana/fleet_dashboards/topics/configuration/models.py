"""Panels about models: which a machine has, which it writes with, and tries of others."""

from __future__ import annotations

from fleet_dashboards import links
from fleet_dashboards.actions import Button, buttons_column, field
from fleet_dashboards.datasources import Json, sql
from fleet_dashboards.looks import SERVER_STATES
from fleet_dashboards.panels import (
    COLOURED,
    HIDDEN,
    LONG,
    Head,
    absent,
    matching,
    override,
    table,
    words,
)

USE = Button(
    verb="node-model",
    label="Use it",
    question=f"Have {field('Node')} write with {field('Model')}? It is tried at its server first, "
    "and set only if that answers.",
    variant="primary",
    arguments=[
        ("node", field("Node")),
        ("model", field("Model")),
        ("version", field("version")),
    ],
)
PROBE_STATES = words(
    requested=("is tried", "blue"),
    set=("set", "green"),
    refused=("refused", "red"),
    expired=("not tried in time", "orange"),
)


def offered(number: int = 250) -> Json:
    """Return each model of each machine, with the button that has the machine write with it."""
    head = Head(
        number,
        "Models of the machines",
        "Every model that the server of a machine lists, and the one that its worker asks for. "
        "Use it has the machine try the model and then write with it; it needs the role Admin. "
        "Source: analytics.endpoints.",
        "string",
        "no machine has told of a model server yet",
    )
    query = sql("""
        SELECT e.node AS "Node", m.model AS "Model",
          CASE WHEN m.model = e.model THEN 'in use' ELSE 'offered' END AS "Use",
          e.kind AS "Server", e.state AS "State", e.slots AS "Slots",
          e.context_tokens AS "Context", e.checked_at AS "Told", '' AS "Change it",
          coalesce((SELECT max(h.version) FROM analytics.config_history h
            WHERE h.key = 'llm_model' AND h.scope = 'node:' || e.node), 0)::text AS version
        FROM analytics.endpoints e
        CROSS JOIN LATERAL (SELECT unnest(e.models) UNION SELECT e.model) m(model)
        WHERE m.model IS NOT NULL ORDER BY e.node, m.model
        """)
    overrides = [
        override("Node", custom__width=150, links=links.to_node()),
        override("Model", custom__inspect=True),
        override(
            "Use",
            mappings=[matching("/^in use$/", "green")],
            custom__cellOptions=COLOURED,
            custom__width=80,
        ),
        override("Server", custom__width=100),
        override("State", mappings=SERVER_STATES, custom__cellOptions=COLOURED, custom__width=130),
        override("Slots", unit="locale", custom__width=65, mappings=absent("not told")),
        override("Context", unit="suffix: tokens", custom__width=120, mappings=absent("not told")),
        override("Told", unit="dateTimeFromNow", custom__width=135),
        buttons_column("Change it", 85, USE),
        override("version", **HIDDEN),
    ]
    return table(head, query, overrides=overrides)


def tries(number: int = 251) -> Json:
    """Return what became of the models that people wanted."""
    head = Head(
        number,
        "Models that people wanted",
        "The last 50 wishes for a model of a machine, newest first: it is tried at its server, and "
        "set if that answers. Source: analytics.model_probes.",
        "string",
        "nobody has wanted another model yet",
    )
    query = sql("""
        SELECT requested_at AS "When", node AS "Node", model AS "Model", state AS "State",
          result AS "Result", author AS "Who", reason AS "Why"
        FROM analytics.model_probes ORDER BY requested_at DESC LIMIT 50
        """)
    overrides = [
        override("When", unit="dateTimeFromNow", custom__width=135),
        override("Node", custom__width=100, links=links.to_node()),
        override("Model", custom__width=130, custom__inspect=True),
        override("State", mappings=PROBE_STATES, custom__cellOptions=COLOURED, custom__width=120),
        override("Result", **LONG),
        override("Who", custom__width=90, custom__inspect=True),
        override("Why", custom__width=120, **LONG),
    ]
    return table(head, query, overrides=overrides)
