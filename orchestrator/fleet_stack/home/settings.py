"""
The settings of a home: variables that hold until they are set to something else.

One that is set replaces what the home keeps, an unset one leaves it, an empty one clears it.
home.json keeps them, without logins; an address with a login is a secret of the home.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_stack.home import addresses, homes
from fleet_stack.home.stack import INPUTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_stack.home.homes import Home, Record
    from fleet_stack.home.secrets import Secrets

LLM, PUBLIC, GAMES = "FLEET_LLM", "FLEET_PUBLIC_URL", "FLEET_GAME_EXECUTABLES"
LLM_SECRET = "llm_url"  # noqa: S105 - the name of a file


def parse(environ: Mapping[str, str]) -> dict[str, str]:
    """
    Return the settings that are given, in one form each; an empty one is given as well.

    Raises StackError for an address that is none.
    """
    return {name: _parse(name, environ[name]) for name in INPUTS if name in environ}


def _parse(name: str, value: str) -> str:
    if not value:
        return ""
    if name == LLM:
        return value if value == "auto" else addresses.parse_llm(name, value)
    if name == PUBLIC:
        return addresses.parse_public(name, value)
    if name == GAMES:
        return value
    # The next command may be called from another folder.
    return str(Path(value).expanduser().absolute())


def merge(given: Mapping[str, str], kept: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that hold."""
    return {name: value for name, value in {**kept, **given}.items() if value}


def apply(environ: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in which exactly these settings are set."""
    others = {name: value for name, value in environ.items() if name not in INPUTS}
    return {**others, **settings}


def load(record: Record, secrets: Secrets) -> dict[str, str]:
    """Return what the home keeps."""
    kept = dict(record.settings)
    if kept.get(LLM) and secrets.has(LLM_SECRET):
        kept[LLM] = secrets.read(LLM_SECRET)
    return kept


def store(home: Home, settings: Mapping[str, str], secrets: Secrets) -> None:
    """Keep what holds now."""
    shown = {name: value for name, value in settings.items() if name in INPUTS}
    url = shown.get(LLM, "")
    if addresses.has_login(url):
        secrets.put(LLM_SECRET, url)
        shown[LLM] = addresses.hide_login(url)
    else:
        secrets.remove(LLM_SECRET)
    record = homes.load(home)
    if record.settings != shown:
        homes.store(home, replace(record, settings=shown))
