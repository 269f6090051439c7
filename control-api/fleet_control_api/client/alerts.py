"""`fleet alerts <verb>`: what fired, and what to do about it."""

from __future__ import annotations

import argparse
import re
from functools import partial
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.markdown import Markdown

from fleet_control_api.client.remote import quote
from fleet_control_api.client.tables import render_table
from fleet_control_api.client.verbs import add, add_noun, pick_given

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fleet_control_api.client.remote import Remote
    from fleet_control_api.client.verbs import Answer

ALERT_COLUMNS = (
    "alert_id", "time", "alertname", "node", "severity", "state", "acknowledged_by", "ended_at",
    "summary", "comment",
)  # fmt: skip
SILENCE_COLUMNS = (
    "silence_id", "state", "ends_at", "owner", "matchers", "reason", "time", "ended_by",
)  # fmt: skip
WISH = ("alert_id", "alertname", "node", "matchers", "minutes", "ends_at", "starts_at", "reason")
MATCHER = re.compile(r"([a-zA-Z_]\w*)(=~|!~|!=|=)(.*)", re.ASCII)


def list_alerts(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """List alerts."""
    answer = remote.read_all("/alerts", "alerts", {"state": arguments.state}, arguments.limit)
    return answer, render_table(answer["alerts"], ALERT_COLUMNS)


def show_runbook(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """Show a runbook."""
    with remote.open("GET", f"/runbooks/{quote(arguments.alert)}") as response:
        text = response.content.decode()
    return {"alert": arguments.alert, "runbook": text}, Markdown(text)


def list_silences(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """List silences, and what Alertmanager says of them."""
    query = {"state": arguments.state}
    answer = remote.read_all("/alerts/silences", "silences", query, arguments.limit)
    parts: list[RenderableType] = [render_table(answer["silences"], SILENCE_COLUMNS)]
    parts += [
        f"Silence {s['silence_id']} is not in force: Alertmanager does not have it."
        for s in answer["silences"]
        if s["state"] != "ended" and s["is_in_force"] is False
    ]
    if answer["strays"]:
        parts += ["Set past this API:", render_table(answer["strays"], SILENCE_COLUMNS)]
    if answer["alertmanager_error"]:
        parts.append(f"Whether they are in force is not known: {answer['alertmanager_error']}.")
    return answer, Group(*parts)


def silence_alerts(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """Mute alerts for a while."""
    body = pick_given(arguments, *WISH)
    silence = remote.call("POST", "/alerts/silence", body=body)
    return silence, f"Silence {silence['silence_id']} mutes {silence['matchers']}."


def end_silence(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """End a silence before its time."""
    path = f"/alerts/silences/{quote(arguments.silence_id)}/end"
    silence = remote.call("POST", path, body=pick_given(arguments, "reason"))
    return (
        silence,
        f"Silence {silence['silence_id']} is ended; {silence['matchers']} is told again.",
    )


def note_alert(verb: str, said: str, remote: Remote, arguments: argparse.Namespace) -> Answer:
    """Acknowledge an alert or comment it; `said` has the names of its fields in braces."""
    path = f"/alerts/{quote(arguments.alert_id)}/{verb}"
    alert = remote.call("POST", path, body=pick_given(arguments, "reason", "comment"))
    return alert, f"Alert {alert['alert_id']} ({alert['alertname']}) {said.format_map(alert)}"


def parse_matcher(text: str) -> dict[str, Any]:
    """Return the matcher of node=nova, gpu=~"0|1", mount!=/. Raises what argparse tells."""
    found = MATCHER.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not like node=nova or gpu=~'0|1'")
    name, sign, value = found.groups()
    return {"name": name, "value": value, "is_regex": "~" in sign, "is_equal": sign[0] == "="}


def add_alerts(nouns: Any) -> None:
    """Add the noun with its verbs to the command line."""
    verbs = add_noun(nouns, "alerts", "see what fired, and what to do about it")
    listing = add(verbs, "list", list_alerts, "list alerts, newest first", route="GET /alerts")
    listing.add_argument("--state", choices=("pending", "firing", "resolved"), help="only these")
    listing.add_argument("--limit", type=int, default=50, help="at most so many")
    summary = "show what to do when an alert fires"
    runbook = add(verbs, "runbook", show_runbook, summary, route="GET /runbooks/{alert}")
    runbook.add_argument("alert", metavar="ALERT")
    route = "GET /alerts/silences"
    silences = add(verbs, "silences", list_silences, "list silences, newest first", route=route)
    silences.add_argument("--state", choices=("pending", "active", "ended"), help="only these")
    silences.add_argument("--limit", type=int, default=50, help="at most so many")
    summary = "mute alerts for a while"
    _add_silence(add(verbs, "silence", silence_alerts, summary, route="POST /alerts/silence"))
    summary, route = "end a silence before its time", "POST /alerts/silences/{silence_id}/end"
    ending = add(verbs, "unsilence", end_silence, summary, route=route)
    ending.add_argument("silence_id", metavar="SILENCE")
    ending.add_argument("--reason", help="why, for the list of silences")
    said = "is taken on by {acknowledged_by}."
    taking = _add_note(verbs, "acknowledge", said, "take an alert that fires on")
    taking.add_argument("--reason", help="what you do about it")
    writing = _add_note(verbs, "comment", "has the comment.", "write something to an alert")
    writing.add_argument("comment", metavar="TEXT", help="what others should know")


def _add_note(verbs: Any, verb: str, said: str, summary: str) -> argparse.ArgumentParser:
    route = f"POST /alerts/{{alert_id}}/{verb}"
    note = add(verbs, verb, partial(note_alert, verb, said), summary, route=route)
    note.add_argument("alert_id", metavar="NUMBER", help="of the alert, as `alerts list` shows it")
    return note


def _add_silence(silence: argparse.ArgumentParser) -> None:
    silence.add_argument(
        "alert_id", metavar="NUMBER", nargs="?", type=int, help="of an alert, from `alerts list`"
    )
    silence.add_argument("--alertname", help="or the alerts of this name at --node")
    silence.add_argument("--node", help="the machine of --alertname")
    silence.add_argument(
        "--matcher",
        dest="matchers",
        action="append",
        type=parse_matcher,
        metavar="LABEL=VALUE",
        help="or what alerts must fulfil, two at least; also !=, =~ and !~",
    )
    silence.add_argument("--minutes", type=int, help="for how long")
    silence.add_argument("--until", dest="ends_at", metavar="TIME", help="or until when")
    silence.add_argument("--from", dest="starts_at", metavar="TIME", help="from when on, else now")
    silence.add_argument("--reason", required=True, help="why")
