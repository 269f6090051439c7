"""Buttons of one job, in its row or on its page, and of all that are picked."""

from __future__ import annotations

from dataclasses import replace

from fleet_dashboards.actions import REASON, Button


def of_job(job_id: str, name: str) -> list[Button]:
    """Return all buttons of a job; the arguments are written by `field` or as `${variable}`."""
    return [*of_open_job(job_id, name), retry(job_id, name)]


def of_open_job(job_id: str, name: str) -> list[Button]:
    """Return the buttons that fit into a row; what was given up is tried again on its page."""
    ids = [("job_id", job_id)]
    return [
        Button(
            verb="job-pause",
            label="Pause",
            question=f"Pause {name}? What is being written of it is finished, nothing more begun.",
            variant="primary",
            arguments=ids,
        ),
        Button(
            verb="job-resume",
            label="Resume",
            question=f"Resume {name}? Machines take its conversations again at once.",
            variant="success",
            arguments=ids,
        ),
        Button(
            verb="job-move",
            label="First",
            question=f"Write {name} before all other jobs of its priority?",
            variant="secondary",
            arguments=[*ids, ("to", "first")],
        ),
        Button(
            verb="job-move",
            label="Last",
            question=f"Write {name} only after all other jobs of its priority?",
            variant="secondary",
            arguments=[*ids, ("to", "last")],
        ),
        Button(
            verb="job-cancel",
            label="Cancel",
            question=f"End {name}? What is being written of it is dropped; what is written stays. "
            "This cannot be undone.",
            variant="destructive",
            arguments=ids,
        ),
    ]


def retry(job_id: str, name: str) -> Button:
    """Return the button that has given-up conversations of a job tried again."""
    return Button(
        verb="job-retry",
        label="Retry",
        question=f"Try the given-up conversations of {name} again? If it has ended, it goes on.",
        variant="primary",
        arguments=[("job_id", job_id)],
    )


def _of_picked(change: str, label: str, said: str, variant: str) -> Button:
    return Button(
        verb="jobs-change",
        label=label,
        question=f"{said}: ${{jobs:text}}? Those that do not allow it are left out.",
        variant=variant,
        arguments=[("change", change), ("job_ids", "${jobs:csv}")],
    )


PICKED = [
    _of_picked("pause", "Pause", "Pause all picked jobs", "primary"),
    _of_picked("resume", "Resume", "Resume all picked jobs", "success"),
    _of_picked("retry", "Retry", "Try what was given up of all picked jobs", "primary"),
    _of_picked("cancel", "Cancel", "End all picked jobs for good", "destructive"),
]
PICKED_ORDER = [
    _of_picked("move_first", "First", "Write these before others of their priority", "secondary"),
    _of_picked("move_last", "Last", "Write these after others of their priority", "secondary"),
    replace(
        _of_picked("set_priority", "Priority", "Give all picked jobs this priority", "secondary"),
        prompts=(("priority", "Priority, 0 to 10"), REASON),
    ),
]
