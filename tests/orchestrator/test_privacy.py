"""No value of a persona is readable in analytics, whatever way it takes."""

from __future__ import annotations

from fix_fleet import wait_until
from fleet_orchestrator.generation.persona import make_persona
from fleet_orchestrator.judging import judge_batch
from model_server import Answer

COLUMNS = """
    SELECT c.relname AS view, a.attname AS column_name
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = 'analytics'::regnamespace AND a.attnum > 0
      AND a.atttypid::regtype::text IN ('text', 'json', 'jsonb', 'text[]', 'name')
    ORDER BY 1, 2"""


def personal_strings(persona):
    """Everything that must not be found: the values, and the parts of names."""
    values = [persona["values"][name] for name in persona["personal"]]
    number = persona["values"]["phone_number"]
    return {*values, *persona["values"]["customer_name"].split(), number.split(maxsplit=1)[1]}


def search(fleet, strings):
    """Where in the text columns of analytics one of these strings stands."""
    found = []
    for column in fleet.rows(COLUMNS):
        view, name = column["view"], column["column_name"]
        texts = fleet.rows(f"SELECT {name}::text AS text FROM analytics.{view}")
        for text in (row["text"] for row in texts if row["text"]):
            found += [(view, name, s) for s in strings if s.casefold() in text.casefold()]
    return found


def test_nothing_personal_is_in_analytics(fleet, attempt, store, model_server):
    """
    Accepted and rejected turns, evidence, errors of servers and models, and events.

    Each conversation speaks all of its persona's values; one is rejected by its evidence, one
    attempt ends with a server that quotes the prompt, one task is given up over a bad turn.
    """
    fleet.set("task_attempts_max", 1)
    fleet.submit("healthcare_appointment", 2, min_turns=10, max_turns=10)
    for _ in range(2):
        attempt()
    for task in fleet.rows("SELECT task_id, position, persona FROM fleet.tasks"):
        said = ", ".join(task["persona"]["values"][name] for name in task["persona"]["personal"])
        end = "." if task["position"] == 1 else " and"  # cut off: rejected
        fleet.rows(
            "UPDATE fleet.turns SET text = text || ' ' || %s WHERE task_id = %s AND position = 6",
            said + end, task["task_id"],
        )  # fmt: skip
    fleet.submit("healthcare_appointment", 2, min_turns=10, max_turns=10)
    model_server.plan.extend([Answer("wrong_speaker", 5), Answer("broken")])
    attempt()
    fleet.decide(can_write=True)
    attempt()
    judge_batch(store)

    personas = [row["persona"] for row in fleet.rows("SELECT persona FROM fleet.tasks")]
    strings = {string for persona in personas for string in personal_strings(persona)}
    raw = str(fleet.rows("SELECT text FROM fleet.turns"))
    assert [s for persona in personas[:2] for s in personal_strings(persona) if s not in raw] == []
    states = {row["state"] for row in fleet.rows("SELECT state FROM analytics.conversations")}
    assert states == {"accepted", "rejected"}
    assert fleet.rows("SELECT * FROM analytics.events WHERE kind = 'task_failed'")
    assert "[PII]" in fleet.value("SELECT string_agg(evidence, ' ') FROM analytics.rejections")
    assert fleet.value("SELECT error FROM analytics.tasks WHERE state = 'pending'")
    assert search(fleet, strings) == []


def test_search_would_find_a_leak(fleet, attempt, store):
    """The search above sees a value that quality has missed."""
    fleet.submit("complaint")
    attempt()
    judge_batch(store)
    fleet.rows("UPDATE fleet.turns SET text_scrubbed = text")
    (task,) = fleet.rows("SELECT persona FROM fleet.tasks")

    found = search(fleet, personal_strings(task["persona"]))

    assert ("turns", "text") in {(view, name) for view, name, _ in found}


def test_running_worker_writes_nothing_personal(fleet, worker, beside):
    """The same for conversations as they really come: written, judged, accepted."""
    fleet.submit("mixed", 10)
    beside(worker.judge_all)
    beside(worker.generate)
    judged = "SELECT count(*) FROM analytics.conversations"
    wait_until(lambda: fleet.value(judged) == 10, "ten judged conversations")
    worker.end()

    strings = {
        string
        for row in fleet.rows(
            "SELECT seed, definition FROM fleet.tasks JOIN fleet.scenarios USING (scenario)"
        )
        for string in personal_strings(make_persona(row["definition"], row["seed"]))
    }
    assert search(fleet, strings) == []
