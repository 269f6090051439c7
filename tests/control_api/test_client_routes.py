"""Every operation of the API has a verb of the command line."""

from __future__ import annotations

import argparse
import re

from fleet_control_api.client import make_parser

# By programs, in a browser, or on the way of another verb.
NOT_FOR_PEOPLE = {
    "GET /healthz": "asked by `./fleet status`",
    "GET /metrics": "scraped by Prometheus",
    "GET /sd/nodes": "asked by Prometheus",
    "POST /alerts/webhook": "called by Alertmanager",
    "GET /openapi.json": "for programs",
    "GET /docs": "a page",
    "POST /jobs/estimate": "`jobs submit --dry-run`",
    "POST /jobs/update/preview": "`jobs update` shows it first",
    "POST /nodes/join": "`./fleet node join` on the machine itself",
    "POST /auth/refresh": "by every verb, when what `login` got is spent",
    "POST /auth/password": "of somebody who has logged in; `users set-password` needs no old one",
    "POST /auth/invitation": "the page that an invitation leads to",
}
BUTTON = re.compile(r"\w+ /buttons/.*")  # pressed in Grafana; each stands for a route that is here


def find_verbs(parser):
    """The parsers of all verbs below one."""
    groups = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not groups:
        return [parser]
    return [
        verb for group in groups for each in group.choices.values() for verb in find_verbs(each)
    ]


def find_routes():
    """The operations that verbs name, as the end of their --help does."""
    return {verb.get_default("route") for verb in find_verbs(make_parser())}


def test_every_operation_has_a_verb(lasting_api):
    """What people may ask of the API they can ask at the command line, and the other way round."""
    paths = lasting_api.call("nobody", "GET", "/openapi.json").json["paths"]
    operations = {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, methods in paths.items()
        for method in methods
        if method in {"get", "post", "put", "delete"}
    }
    expected = {o for o in operations if not BUTTON.fullmatch(o)} - NOT_FOR_PEOPLE.keys()

    assert find_routes() == expected
