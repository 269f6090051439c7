"""Panels about control: state, buttons, what happened, and who did what."""

from __future__ import annotations

from fleet_dashboards import links
from fleet_dashboards.actions import REASON, Box, Button, element, label
from fleet_dashboards.datasources import Json, sql
from fleet_dashboards.looks import HEADLINES, OUTCOMES, SEVERITIES
from fleet_dashboards.panels import (
    AGO,
    COLOURED,
    LONG,
    Head,
    canvas,
    override,
    table,
    tile,
)

PAUSE = Button(
    verb="fleet-pause",
    label="Pause",
    question="Pause the whole fleet? Each node finishes the conversation it is writing and starts "
    "no other. Nothing is lost.",
    variant="primary",
)
RESUME = Button(
    verb="fleet-resume",
    label="Resume",
    question="Resume the whole fleet? Every node starts to write conversations again at once.",
    variant="success",
)
STOP = Button(
    verb="fleet-emergency-stop",
    label="EMERGENCY STOP",
    question="Stop every worker of the fleet at once? What is being written is cut off; finished "
    "turns stay. Nothing is written until somebody resumes.",
    variant="destructive",
    prompts=(("confirm", "Type STOP"), REASON),
)


def state(number: int = 1) -> Json:
    """Return the tile that says what the fleet does, to be read from across the room."""
    head = Head(
        number,
        "Fleet",
        "What the fleet does, the first that holds of: EMERGENCY STOP, No master (no task is made "
        "or taken back), Paused, Writing, Waiting (there is work, but nobody writes), Idle. "
        "Source: analytics.fleet_now.",
        "string",
        "unknown: the database does not answer",
    )
    return tile(head, sql("SELECT headline FROM analytics.fleet_now"), "headline", HEADLINES)


EXPLANATION = """
    SELECT explanation,
      'Last change: ' || to_char(changed_at AT TIME ZONE 'UTC', 'FMDD Mon HH24:MI:SS')
        || ' UTC, by ' || changed_by || coalesce(': ' || nullif(left(reason, 80), ''), '') AS since
    FROM analytics.fleet_now
    """


def buttons() -> Json:
    """Return the buttons above what the fleet does; Viewers see them, but cannot use them."""
    head = Head(
        2,
        "Pause, resume, stop",
        "Each button asks for a reason and for consent, the emergency stop also for the word STOP; "
        "they need the role Editor or Admin. What came of it shows in Recent control actions "
        "within 5 seconds. Source: analytics.fleet_now.",
        "string",
    )
    elements = [
        element(PAUSE, Box(top=4, left=8, width=92, height=46)),
        element(RESUME, Box(top=4, left=108, width=98, height=46)),
        element(STOP, Box(top=4, left=226, width=190, height=46)),
        label("explanation", Box(top=60, left=8, width=420, height=62)),
        label("since", Box(top=124, left=8, width=420, height=44)),
    ]
    return canvas(head, sql(EXPLANATION), elements=elements)


def events() -> Json:
    """Return what happened in the time range, so that nobody has to read logs to know."""
    head = Head(
        18,
        "What happened",
        "The last 50 events of the time range, newest first: programs that started or ended, lost "
        "connections, tasks that were taken back, changes of the leader and of the fleet's state. "
        "An event may be told late, but stands where it happened. Source: analytics.events.",
        "string",
        "nothing happened in this time",
    )
    query = sql("""
        SELECT time AS "When", severity AS "Severity", node AS "Node", message AS "What"
        FROM analytics.events WHERE $__timeFilter(time) ORDER BY time DESC LIMIT 50
        """)
    overrides = [
        override("When", **AGO),
        override("Severity", mappings=SEVERITIES, custom__cellOptions=COLOURED, custom__width=90),
        override("Node", custom__width=120, links=links.to_node()),
        override("What", **LONG),
    ]
    return table(head, query, overrides=overrides)


# Alertmanager hands alerts over each few minutes, which would hide what people did.
BY_PEOPLE = "action <> 'alerts.deliver' OR outcome <> 'done'"


def audit(number: int = 17, only: str = BY_PEOPLE) -> Json:
    """Return who tried to change what, also when it was refused; only is a condition in SQL."""
    head = Head(
        number,
        "Recent control actions",
        "The last 50 attempts to change something, newest first, refused ones with the reason of "
        "the refusal; ids are cut to eight digits, alerts that Alertmanager delivered are left "
        "out. Source: analytics.audit.",
        "string",
        "nobody has changed anything yet",
    )
    query = sql(
        r"""
        SELECT time AS "When", concat_ws(' as ', nullif(actor, ''), nullif(role, '')) AS "Who",
          action AS "What",
          regexp_replace(target, '([0-9a-f]{8})-[0-9a-f-]{27}', '\1', 'g') AS "To what",
          outcome AS "Outcome", reason AS "Why"
        FROM analytics.audit WHERE {only} ORDER BY audit_id DESC LIMIT 50
        """.replace("{only}", only)
    )
    overrides = [
        override("When", **AGO),
        override("Who", custom__width=150, custom__inspect=True),
        override("What", custom__width=150, custom__inspect=True),
        override("To what", custom__width=110, **LONG),
        override("Outcome", mappings=OUTCOMES, custom__cellOptions=COLOURED, custom__width=80),
        override("Why", **LONG),
    ]
    return table(head, query, overrides=overrides)
