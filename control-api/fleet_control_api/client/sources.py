"""Where the names are that an argument takes: which list of the API, and which of its columns."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """A list of the API whose rows have names that an argument takes."""

    path: str
    key: str
    name: str
    about: str  # the column that tells them apart
    prefix: str = ""
    more: tuple[str, ...] = ()


# By the attribute that an argument sets.
SOURCES = {
    "node": Source("/nodes", "nodes", "node", "state"),
    "job_id": Source("/jobs", "jobs", "job_id", "state"),
    "other_job_id": Source("/jobs", "jobs", "job_id", "state"),
    "job": Source("/jobs", "jobs", "job_id", "state"),
    "key": Source("/config", "settings", "key", "description"),
    "scope": Source("/nodes", "nodes", "node", "state", "node:", ("fleet", "role:")),
    "scenario": Source("/config/scenarios", "scenarios", "scenario", "weight", "", ("mixed",)),
    "login": Source("/users", "users", "login", "role"),
    "token_id": Source("/tokens", "tokens", "token_id", "name"),
    "session_id": Source("/sessions", "sessions", "session_id", "login"),
    "silence_id": Source("/alerts/silences", "silences", "silence_id", "matchers"),
    "alert": Source("/alerts", "alerts", "alertname", "summary"),
}
