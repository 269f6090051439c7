"""
Store the conversations of the past: one job a day, with tasks, turns, calls and verdicts.

Rows go in by COPY past the triggers; what those would have counted is counted at the end.
"""

from __future__ import annotations

import json
import random
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from fleet_orchestrator.quality.order import CHECKS
from fleet_orchestrator.quality.verdict import JUDGE

from fleet_twin.history.rows import copy_rows
from fleet_twin.history.writing import MAX_TURNS, MIN_TURNS, Written, write
from fleet_twin.machine.kinds import ROW

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet_timescale.connection import Connection

    from fleet_twin.history.stretches import Stretch

MOST_A_DAY = 12  # conversations of the fastest kind of machine, slower ones as many less:
LEAST_A_DAY = 2
JUDGED_AFTER = timedelta(seconds=2)
CHECKS_TOTAL = len(CHECKS) + 1  # the last one is the database's
COLUMNS = {
    "fleet.jobs": "job_id mix wanted min_turns max_turns state seed split requested_by created_at"
    " finished_at",
    "fleet.tasks": "task_id job_id position place scenario seed state attempt node worker_id"
    " prompt_id persona created_at claimed_at started_at finished_at",
    "fleet.turns": "task_id position speaker text text_scrubbed attempt created_at",
    "fleet.conversations": "conversation_id task_id job_id node model scenario prompt_id persona"
    " state turns tries prompt_tokens completion_tokens generation_seconds content_hash created_at"
    " judging_attempts judged_by judged_at",
    "fleet.grades": "conversation_id judge checks_passed checks_total created_at",
    "fleet.rejections": "conversation_id reason stage evidence created_at",
    "fleet.turn_tries": "request_id task_id restart position try node reason completion_tokens"
    " duration_seconds created_at",
    "telemetry.llm_requests": "time node request_id task_id model prompt_tokens"
    " cached_prompt_tokens completion_tokens duration_seconds time_to_first_token_seconds outcome",
}


@dataclass(frozen=True)
class Scenario:
    """A kind of call, and how often it is asked for."""

    name: str
    definition: dict[str, Any]
    weight: float


@dataclass
class Teller:
    """Writes one day after the other; remembers what has been accepted."""

    scenarios: list[Scenario]
    prompt_id: int
    seed: int
    accepted: dict[bytes, uuid.UUID] = field(default_factory=dict)

    def write_day(self, day: datetime, stretches: list[Stretch]) -> list[Written]:
        """Return the conversations of a day, in the order in which they were finished."""
        draw = random.Random(f"{self.seed} {day}")  # noqa: S311 - a past, no secret
        weights = [scenario.weight for scenario in self.scenarios]
        found = []
        for started_at, stretch in _choose_times(stretches, draw):
            scenario = draw.choices(self.scenarios, weights)[0]
            seed = draw.getrandbits(40)
            written = write(stretch.place, scenario.name, scenario.definition, started_at, seed)
            if written.finished_at < stretch.end:
                found.append(written)
        return sorted(found, key=lambda written: written.finished_at)

    def render_day(self, day: datetime, day_written: list[Written]) -> dict[str, list[list[Any]]]:
        """Return the rows of a day by table."""
        rows: dict[str, list[list[Any]]] = {table: [] for table in COLUMNS}
        job_id = uuid.UUID(int=random.Random(f"{self.seed} job {day}").getrandbits(128), version=4)  # noqa: S311
        count = len(day_written)
        mix = json.dumps({scenario.name: scenario.weight for scenario in self.scenarios})
        finished_at = day_written[-1].finished_at + JUDGED_AFTER
        rows["fleet.jobs"].append(
            [job_id, mix, count, MIN_TURNS, MAX_TURNS, "done", self.seed, count, "twin history",
             day, finished_at]
        )  # fmt: skip
        for position, written in enumerate(day_written, 1):
            self._render(written, job_id, position, day, rows)
        return rows

    def _render(
        self,
        written: Written,
        job_id: uuid.UUID,
        position: int,
        day: datetime,
        rows: dict[str, list[list[Any]]],
    ) -> None:
        node, model = written.place.node, written.place.kind.model
        persona, judged_at = json.dumps(written.persona), written.finished_at + JUDGED_AFTER
        requests = written.requests
        tries = [request for request in requests if request.refused_for]
        first = self.accepted.get(written.content_hash)
        rejection = _decide_rejection(written, first)
        if rejection is None:
            self.accepted[written.content_hash] = written.conversation_id
        rows["fleet.tasks"].append(
            [written.task_id, job_id, position, position, written.scenario, written.seed, "done", 1,
             node, written.task_id, self.prompt_id, persona, day, written.started_at,
             written.started_at, written.finished_at]
        )  # fmt: skip
        rows["fleet.conversations"].append(
            [written.conversation_id, written.task_id, job_id, node, model, written.scenario,
             self.prompt_id, persona, "rejected" if rejection else "accepted", len(written.turns),
             len(tries), sum(request.prompt_tokens for request in requests),
             sum(request.completion_tokens for request in requests),
             sum(request.seconds for request in requests), written.content_hash,
             written.finished_at, 1, node, judged_at]
        )  # fmt: skip
        passed = CHECKS_TOTAL - (rejection is not None)
        rows["fleet.grades"].append(
            [written.conversation_id, JUDGE, passed, CHECKS_TOTAL, judged_at]
        )
        if rejection:
            rows["fleet.rejections"].append([written.conversation_id, *rejection, judged_at])
        _render_calls(written, rows)


def _render_calls(written: Written, rows: dict[str, list[list[Any]]]) -> None:
    node, model = written.place.node, written.place.kind.model
    ends = {request.position: request.ended_at for request in written.requests}
    for place, turn in enumerate(written.turns):
        rows["fleet.turns"].append(
            [written.task_id, place + 1, turn["speaker"], turn["text"], written.scrubbed[place], 1,
             ends[place + 1]]
        )  # fmt: skip
    refused = 0
    for request in written.requests:
        rows["telemetry.llm_requests"].append(
            [request.ended_at, node, request.request_id, written.task_id, model,
             request.prompt_tokens, request.cached_tokens, request.completion_tokens,
             request.seconds, request.first_token_seconds, "ok"]
        )  # fmt: skip
        if request.refused_for:
            refused += 1
            rows["fleet.turn_tries"].append(
                [request.request_id, written.task_id, 0, request.position, refused, node,
                 request.refused_for, request.completion_tokens, request.seconds,
                 request.ended_at]
            )  # fmt: skip


def _decide_rejection(written: Written, first: uuid.UUID | None) -> tuple[str, str, str] | None:
    """Return reason, stage and evidence; None for a conversation that is accepted."""
    if written.refused_for:
        stage = "shape" if written.refused_for == "cut_off" else "checks"
        evidence = f"turn {len(written.turns) + 1} was refused in all its tries"
        return written.refused_for, stage, evidence
    if first:
        return "exact_duplicate", "duplicate", f"same text as conversation {first}"
    return None


def _choose_times(
    stretches: list[Stretch], draw: random.Random
) -> Iterator[tuple[datetime, Stretch]]:
    """Yield when each machine began a conversation: while it was writing, fast ones more often."""
    by_node: dict[str, list[Stretch]] = {}
    for stretch in stretches:
        if stretch.is_writing:
            by_node.setdefault(stretch.place.node, []).append(stretch)
    fastest = max(kind.tokens_per_second for kind in ROW)
    for own in by_node.values():
        share = own[0].place.kind.tokens_per_second / fastest
        for _ in range(max(LEAST_A_DAY, round(MOST_A_DAY * share))):
            stretch = draw.choice(own)
            yield stretch.begin + timedelta(seconds=draw.uniform(0, stretch.seconds)), stretch


def store(connection: Connection, rows: dict[str, list[list[Any]]]) -> None:
    """Write the rows of a day, each table at once."""
    with connection.transaction():
        for table, columns in COLUMNS.items():
            copy_rows(connection, table, columns.split(), rows[table])


def read_scenarios(connection: Connection) -> list[Scenario]:
    """Return the scenarios that jobs of all kinds are made of."""
    rows = connection.execute(
        "SELECT scenario, definition, weight FROM fleet.scenarios WHERE weight > 0"
        " ORDER BY scenario"
    )
    return [Scenario(row["scenario"], row["definition"], row["weight"]) for row in rows]


def read_prompt(connection: Connection) -> int:
    """Return the newest prompt that writes line by line. Raises LookupError without one."""
    row = connection.execute(
        "SELECT prompt_id FROM fleet.prompts WHERE method = 'line_by_line'"
        " ORDER BY version DESC, prompt_id DESC LIMIT 1"
    ).fetchone()
    if row is None:
        raise LookupError("no prompt")
    return int(row["prompt_id"])
