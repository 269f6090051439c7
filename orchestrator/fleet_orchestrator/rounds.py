"""What a round of the master consists of, and the sentence that tells what it did and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

STANDING_BY = "Did nothing, since another master leads."
NOTHING = "Did nothing, since no lease has ended and no job or node has news."


@dataclass(frozen=True)
class Step:
    """One step of the upkeep, as fleet.do_upkeep knows it, and how people read what it did."""

    name: str
    verb: str
    thing: str
    why: str

    def render(self, count: int) -> str:
        """Return what was done: "took back 2 tasks, since …"."""
        return f"{self.verb} {count} {self.thing}{'' if count == 1 else 's'}, since {self.why}"


# One transaction each: together they would hold locks of tasks while they wait for jobs.
STEPS = (
    Step("sweep_tasks", "took back", "task", "their workers let the leases end"),
    Step("sweep_judgements", "rejected", "conversation", "no worker could judge them"),
    Step("split_jobs", "made", "task", "open jobs want conversations"),
    Step("settle_jobs", "closed", "job", "all of their tasks have ended"),
    Step("expire_commands", "ended", "command", "no node obeyed by the deadline"),
    Step("watch_nodes", "noted", "node", "their agents or exporters fell silent or spoke again"),
)

SAMPLE = Step(
    "sample_alerts", "noted", "alert", "Prometheus says that they began to fire, or ended"
)


@dataclass(frozen=True)
class Round:
    """What one round did."""

    sentence: str
    has_done: bool = False  # false: the sentence says why there was nothing to do


def describe_round(done: Mapping[str, int], news: str = "") -> Round:
    """Return the round in which these steps did so much of their kind, and what else is new."""
    parts = [step.render(done[step.name]) for step in (*STEPS, SAMPLE) if done.get(step.name)]
    if news:
        parts.append(news.removesuffix("."))
    if not parts:
        return Round(NOTHING)
    text = "; ".join(parts)
    return Round(f"{text[0].upper()}{text[1:]}.", has_done=True)
