"""`fleet config <verb>`: see and change settings, scenarios and the models of nodes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from fleet_control_api.client.remote import quote
from fleet_control_api.client.tables import render_fields, render_table
from fleet_control_api.client.verbs import add, add_noun, pick_given
from fleet_control_api.service.errors import ClientError

if TYPE_CHECKING:
    import argparse

    from fleet_control_api.client.remote import Remote
    from fleet_control_api.client.verbs import Answer

TRY_SECONDS, LOOK_SECONDS = 300.0, 1.0  # a large model takes minutes to load
SETTING_COLUMNS = ("key", "value", "unit", "origin", "range", "description")
CHANGE_COLUMNS = ("version", "valid_from", "scope", "value_before", "value", "author", "reason")
DIFFERENCE_COLUMNS = ("key", "scope", "before", "after", "version", "changed_at", "author")
SHARE_COLUMNS = ("scenario", "weight", "asked_ratio", "effective_ratio_1d", "accepted_1d")


def list_settings(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """List settings in force."""
    answer = remote.call("GET", "/config", query={"scope": arguments.scope})
    if arguments.area is not None:
        answer["settings"] = [s for s in answer["settings"] if s["area"] == arguments.area]
    rows = [{**setting, "range": render_range(setting)} for setting in answer["settings"]]
    return answer, render_table(rows, SETTING_COLUMNS)


def render_range(setting: dict[str, Any]) -> str | None:
    """Return what a number may be; None for what is no number."""
    limits = setting["minimum"], setting["maximum"]
    return None if None in limits else "{:g}..{:g}".format(*limits)


def get_setting(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """Show one setting."""
    settings = remote.call("GET", "/config", query={"scope": arguments.scope})["settings"]
    found = next((setting for setting in settings if setting["key"] == arguments.key), None)
    if found is None:
        raise ClientError(
            f"unknown setting {arguments.key}", remedy="`./fleet config list` lists all."
        )
    return found, render_fields(found)


def set_setting(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """Set a value, as a text that the API reads by the kind of the setting."""
    return _change(remote, arguments, {"value": arguments.value})


def unset_setting(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """Give a scope back to the next wider one."""
    return _change(remote, arguments, {"value": None})


def _change(remote: Remote, arguments: argparse.Namespace, value: dict[str, str | None]) -> Answer:
    body = {**pick_given(arguments, "scope", "reason", "version"), **value}
    answer = remote.call("PUT", f"/config/{quote(arguments.key)}", body=body)
    return answer, _describe(answer)


def roll_back(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """Go back to an older value."""
    body = pick_given(arguments, "scope", "reason", "version", "to")
    path = f"/config/{quote(arguments.key)}/rollback"
    answer = remote.call("POST", path, body=body)
    return answer, _describe(answer)


def _describe(change: dict[str, Any]) -> str:
    now, before = (
        "not set" if change[name] is None else change[name] for name in ("value", "value_before")
    )
    what = f"{change['key']} of {change['scope']}"
    return f"{what} is {now} now, was {before} (version {change['version']})."


def show_history(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """List the versions of a setting."""
    path = f"/config/{quote(arguments.key)}/history"
    answer = remote.read_all(path, "history", {"scope": arguments.scope}, arguments.limit)
    return answer, render_table(answer["history"], CHANGE_COLUMNS)


def show_diff(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """Show what differs between two versions or times."""
    query = {}
    for side in ("from", "to"):
        given = getattr(arguments, f"{side}_point")
        if given is not None:
            query[f"{side}_{'version' if given.isdecimal() else 'time'}"] = given
    answer = remote.call("GET", "/config/diff", query=query)
    return answer, render_table(answer["changes"], DIFFERENCE_COLUMNS)


def try_model(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """Have a node try a model; wait for what comes of it. Raises ClientError when it is refused."""
    path = _path_of_model(arguments.node)
    body = {"model": arguments.model, **pick_given(arguments, "reason", "version")}
    probe = remote.call("POST", path, body=body)
    deadline = time.monotonic() + arguments.wait
    while probe["state"] == "requested" and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
        probe = remote.call("GET", path)
    if probe["state"] not in {"requested", "set"}:
        raise ClientError(_describe_probe(probe))
    return probe, _describe_probe(probe)


def show_probe(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """Tell what came of the model that was wanted last for a node."""
    probe = remote.call("GET", _path_of_model(arguments.node))
    return probe, _describe_probe(probe)


def _path_of_model(node: str) -> str:
    return f"/nodes/{quote(node)}/model"


def _describe_probe(probe: dict[str, Any]) -> str:
    node, model = probe["node"], probe["model"]
    if probe["state"] == "requested":
        return f"{node} has not tried {model} yet, or is at it; see `fleet config probe {node}`."
    if probe["state"] == "set":
        return f"{model} was set for {node}: {probe['result']}."
    return f"{node} does not write with {model}: {probe['result']}"


def show_scenarios(remote: Remote, _: argparse.Namespace) -> Answer:
    """Compare asked and effective shares of scenarios."""
    answer = remote.call("GET", "/config/scenarios")
    return answer, render_table(answer["scenarios"], SHARE_COLUMNS)


def add_config(nouns: Any) -> None:
    """Add `config` with its verbs to the command line."""
    verbs = add_noun(nouns, "config", "see and change settings")
    summary = "list the settings in force, and their origin"
    listing = add(verbs, "list", list_settings, summary, route="GET /config")
    listing.add_argument("--scope", default="fleet", help="fleet, role:NAME or node:NAME")
    listing.add_argument("--area", help="generation, throttle, thresholds, queue or scenarios")
    summary = "compare asked and effective shares of scenarios"
    add(verbs, "scenarios", show_scenarios, summary, route="GET /config/scenarios")
    summary = "show what differs between two versions or times"
    diff = add(verbs, "diff", show_diff, summary, route="GET /config/diff")
    diff.add_argument("--from", dest="from_point", metavar="VERSION|TIME", help="else the start")
    diff.add_argument("--to", dest="to_point", metavar="VERSION|TIME", help="else the present")
    show = add(verbs, "get", get_setting, "show one setting", route="GET /config")
    show.add_argument("key", metavar="KEY")
    show.add_argument("--scope", default="fleet", help="fleet, role:NAME or node:NAME")
    summary = "list the versions of a setting, newest first"
    history = add(verbs, "history", show_history, summary, route="GET /config/{key}/history")
    history.add_argument("key", metavar="KEY")
    history.add_argument("--scope", help="only those for this scope")
    history.add_argument("--limit", type=int, default=50, help="at most so many")
    summary = "have a node try a model, and write with it then"
    model = add(verbs, "model", try_model, summary, route="POST /nodes/{node}/model")
    model.add_argument("node", metavar="NODE")
    model.add_argument("model", metavar="MODEL")
    model.add_argument("--reason", help="why, for history and audit log")
    model.add_argument("--version", type=int, help="the version of its llm_model that you saw")
    model.add_argument(
        "--wait", type=float, default=TRY_SECONDS, metavar="S", help="seconds, for its end"
    )
    summary = "tell what came of the model that was wanted last for a node"
    probe = add(verbs, "probe", show_probe, summary, route="GET /nodes/{node}/model")
    probe.add_argument("node", metavar="NODE")
    for name, handler, summary, route in (
        ("set", set_setting, "set a value; nodes run it within seconds", "PUT /config/{key}"),
        ("unset", unset_setting, "give a scope back to the next wider one", "PUT /config/{key}"),
        (
            "rollback",
            roll_back,
            "go back to an older value, as a new version",
            "POST /config/{key}/rollback",
        ),
    ):
        verb = add(verbs, name, handler, summary, route=route)
        verb.add_argument("key", metavar="KEY")
        if handler is set_setting:
            verb.add_argument("value", metavar="VALUE")
        if handler is roll_back:
            verb.add_argument(
                "--to", type=int, help="the version to go back to; else the one before"
            )
        verb.add_argument("--scope", help="fleet, role:NAME or node:NAME; else fleet")
        verb.add_argument("--reason", help="why, for history and audit log")
        verb.add_argument("--version", type=int, help="the version that you saw")
