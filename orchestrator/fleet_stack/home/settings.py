"""
The settings of a home: FLEET_* variables that `up` remembers.

A variable that is set replaces the stored value, an empty one clears it, an unset one keeps it.
home.json stores them without logins; an address with a login becomes a secret of the home, and so
does what is in the files that some settings name.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_stack.home import addresses, homes
from fleet_stack.home.errors import HomeError
from fleet_stack.home.stack import INPUTS
from fleet_stack.paging import COPIED_FILES, PARSERS, SECRET_URLS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_stack.home.homes import Home, Record
    from fleet_stack.home.secrets import Secrets

LLM, PUBLIC, GAMES = "FLEET_LLM", "FLEET_PUBLIC_URL", "FLEET_GAME_EXECUTABLES"
PEERS = ("FLEET_PEER_LISTEN", "FLEET_PEER_ADDRESS")
LLM_SECRET = "llm_url"  # noqa: S105 - the name of a file


def parse(environ: Mapping[str, str]) -> dict[str, str]:
    """
    Return the settings that are given, normalised; an empty one counts as given.

    Raises StackError for an invalid address.
    """
    return {name: _parse(name, environ[name]) for name in INPUTS if name in environ}


def _parse(name: str, value: str) -> str:
    if not value or name == GAMES:
        return value
    if name in PARSERS:
        return PARSERS[name](name, value.strip())
    if name == LLM:
        return value if value == "auto" else addresses.parse_llm(name, value)
    if name == PUBLIC:
        return addresses.parse_public(name, value)
    if name in PEERS:
        return addresses.parse_endpoint(name, value)
    # The next command may be called from another folder.
    return str(Path(value).expanduser().absolute())


def merge(given: Mapping[str, str], kept: Mapping[str, str]) -> dict[str, str]:
    """Return the settings in effect."""
    return {name: value for name, value in {**kept, **given}.items() if value}


def apply(environ: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with exactly these settings set."""
    others = {name: value for name, value in environ.items() if name not in INPUTS}
    return {**others, **settings}


def load(record: Record, secrets: Secrets) -> dict[str, str]:
    """Return the stored settings."""
    kept = dict(record.settings)
    if kept.get(LLM) and secrets.has(LLM_SECRET):
        kept[LLM] = secrets.read(LLM_SECRET)
    for name, secret in SECRET_URLS.items():
        if kept.get(name) and secrets.has(secret):
            kept[name] = secrets.read(secret)
    return kept


def copy_files(settings: Mapping[str, str], secrets: Secrets) -> None:
    """
    Copy what people have in files into secrets of the home, for whoever runs the servers.

    A file that is gone by now leaves the copy as it is. Raises HomeError when there is none.
    """
    for name, secret in COPIED_FILES.items():
        if not settings.get(name):
            secrets.remove(secret)
            continue
        try:
            content = Path(settings[name]).read_text().strip()
        except (OSError, UnicodeDecodeError) as exc:
            if secrets.has(secret):
                continue
            raise HomeError(f"{name} names {settings[name]}, which cannot be read: {exc}") from exc
        if not content:
            raise HomeError(f"{name} names {settings[name]}, which is empty")
        secrets.put(secret, content, end="")  # Alertmanager 0.25 takes all of a file as a password


def store(home: Home, settings: Mapping[str, str], secrets: Secrets) -> None:
    """Store the settings in effect."""
    shown = {name: value for name, value in settings.items() if name in INPUTS}
    url = shown.get(LLM, "")
    if addresses.has_login(url):
        secrets.put(LLM_SECRET, url)
        shown[LLM] = addresses.hide_login(url)
    else:
        secrets.remove(LLM_SECRET)
    for name, secret in SECRET_URLS.items():
        if shown.get(name):
            secrets.put(secret, shown[name])
            shown[name] = addresses.show_host(shown[name])
        else:
            secrets.remove(secret)
    record = homes.load(home)
    if record.settings != shown:
        homes.store(home, replace(record, settings=shown))
