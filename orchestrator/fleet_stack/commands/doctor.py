"""
`fleet doctor`: the exporter's doctor, given what only the launcher knows about this home.

Needs neither a home nor a running program; a machine that was never started is no fault.
"""

from __future__ import annotations

import importlib
import ipaddress
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fleet_stack.home import HomeError, Secrets, homes, stack
from fleet_stack.paging import COPIED_FILES, decide_sender, find_recipients, find_server, session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_stack.home import Home

DOCTOR = "fleet_exporters.doctor"
OK, WARNING = "ok", "warning"
GIBI = 2**30

Fact = tuple[str, str, str]

BEGUN_ANSWER = {
    "continues": "continues a begun answer: conversations are written line by line",
    "starts_over": "starts a begun answer over: conversations are written in one call",
    "refuses": "refuses a begun answer: conversations are written in one call",
}


def main(argv: list[str]) -> int:
    """Run the command."""
    home = homes.locate(os.environ)
    doctor = importlib.import_module(DOCTOR)
    return int(
        doctor.main(
            argv,
            watched=[homes.find_existing(home.root)],
            runtime_dir=find_runtime(home),
            facts=collect_facts(home, os.environ),
        )
    )


def collect_facts(home: Home, environ: Mapping[str, str]) -> list[Fact]:
    """Look at the home, or at where it would be."""
    space = shutil.disk_usage(homes.find_existing(home.root))
    return [
        describe_space(home.root, space.free, space.total),
        describe_links(find_public_url(home, environ)),
        describe_mail_server(home, read_paging(home)),
        describe_model_server(read_begun_answer(find_runtime(home))),
    ]


def describe_space(root: Path, free_bytes: int, total_bytes: int) -> Fact:
    """Return whether the home's disk has room for a start, as name, state and text."""
    text = f"{free_bytes / GIBI:.1f} of {total_bytes / GIBI:.1f} GiB free for {root}"
    if free_bytes < homes.NEEDED_BYTES:
        return "home disk", WARNING, f"{text}; a start needs {homes.NEEDED_BYTES / GIBI:.1f}"
    return "home disk", OK, text


def find_runtime(home: Home) -> Path | None:
    """Return where exporter and agent of this node exchange files; None before the first `up`."""
    decision = stack.load(home) if homes.exists(home) else None
    return Path(decision.runtime) / decision.node if decision and decision.node else None


def find_public_url(home: Home, environ: Mapping[str, str]) -> str:
    """
    Return the address that links in mails begin with.

    Decided by the last `up`; before the first one, what FLEET_PUBLIC_URL says now.
    """
    decision = stack.load(home) if homes.exists(home) else None
    return decision.public_url if decision else environ.get("FLEET_PUBLIC_URL", "")


def describe_links(url: str) -> Fact:
    """Return whether people elsewhere can open the links in mails, as name, state and text."""
    if url and not is_loopback(url):
        return "mail links", OK, f"lead to {url}"
    text = (
        f"lead to {url or 'this machine'}, which nobody can open elsewhere; "
        "set FLEET_PUBLIC_URL=http://HOST:PORT and run `./fleet up`"
    )
    return "mail links", WARNING, text


def read_paging(home: Home) -> Mapping[str, str]:
    """Return the settings of the last `up`; none before the first one."""
    return homes.load(home).settings if homes.exists(home) else {}


def describe_mail_server(home: Home, given: Mapping[str, str]) -> Fact:
    """Return whether the mail server takes our mails, as it says itself; name, state and text."""
    server = find_server(given)
    if server is None:
        text = "none: mails stay on this machine, and nobody is told of alerts; FLEET_SMTP_URL"
        return "mail server", WARNING, f"{text}, FLEET_SMTP_PASSWORD_FILE and FLEET_MAIL_TO name it"
    receivers = sorted({one.strip() for one in ",".join(find_recipients(given)).split(",")})
    secrets = Secrets(home.path("secrets"))
    try:
        password = secrets.read(COPIED_FILES["FLEET_SMTP_PASSWORD_FILE"]) if server.user else ""
    except HomeError as exc:
        return "mail server", WARNING, f"{server.url} cannot be asked: {exc}"
    authority = ""
    if given.get("FLEET_SMTP_CA_FILE"):
        authority = str(secrets.path(COPIED_FILES["FLEET_SMTP_CA_FILE"]))
    objection = session.read_objection(
        server, decide_sender(given, server), receivers, session.Means(password, authority)
    )
    if objection:
        return "mail server", WARNING, f"{server.url} {objection}"
    return "mail server", OK, f"{server.url} takes mails to {', '.join(receivers)}"


def read_begun_answer(runtime: Path | None) -> tuple[str, str] | None:
    """Return the model and what its server does with a begun answer, as the worker last said it."""
    if runtime is None:
        return None
    try:
        told = json.loads((runtime / "counters.json").read_text())["begun_answer"]
        return str(told["model"]), str(told["does"] or "")
    except (OSError, ValueError, KeyError, TypeError):
        return None  # before the first task, or written by an older worker


def describe_model_server(told: tuple[str, str] | None) -> Fact:
    """Return whether the model server continues what we begin; name, state and text."""
    model, does = told or ("", "")
    if does not in BEGUN_ANSWER:
        return (
            "model server",
            OK,
            "not asked yet whether it continues a begun answer; a job asks it",
        )
    return "model server", OK, f"{BEGUN_ANSWER[does]} ({model})"


def is_loopback(url: str) -> bool:
    """True for an address that reaches only the machine on which it is opened."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified
