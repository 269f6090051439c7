"""
What differs between what Grafana has and what it should have. Pure.

A dashboard that `push` saved carries a mark with the number of the version that it then was. One
that has another number, or no mark, was saved by somebody else since.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleet_dashboards.push.wanted import FOLDER_UID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet_dashboards.datasources import Json

MARK = "fleetPush"  # a field of the dashboard, which Grafana keeps and its editor drops
SAME, MISSING, DIFFERS, EDITED = "same", "missing", "differs", "edited"
SHOWN_PLACES = 3


@dataclass(frozen=True)
class Finding:
    """One thing in Grafana, and how it stands; `detail` is for people."""

    kind: str  # folder, source, dashboard or setting
    name: str
    state: str
    detail: str = ""
    is_locked: bool = False  # provisioned from files there: the HTTP API cannot change it


def judge_folder(found: Json | None) -> Finding:
    """Return how the folder stands; people may call it what they like."""
    return Finding("folder", FOLDER_UID, MISSING if found is None else SAME)


def judge_source(wanted: Json, found: Json | None) -> Finding:
    """Return how a data source stands. Secrets cannot be read back: only that they are there."""
    uid = str(wanted["uid"])
    if found is None:
        return Finding("source", uid, MISSING)
    places = [
        f"{key}{inner} is {_show(_at(found.get(key), inner))}"
        for key in ("type", "url", "access", "user", "jsonData")
        for inner in find_differences(wanted[key], found.get(key))
    ]
    kept = found.get("secureJsonFields") or {}
    places += [f"no {name} is set" for name in wanted["secureJsonData"] if not kept.get(name)]
    is_locked = bool(found.get("readOnly"))
    return Finding("source", uid, DIFFERS if places else SAME, _list(places), is_locked)


def judge_dashboard(wanted: Json, found: Json | None) -> Finding:
    """Return how a dashboard stands: found as GET /api/dashboards/uid/UID answers."""
    uid = str(wanted["uid"])
    if found is None:
        return Finding("dashboard", uid, MISSING)
    there, meta = found["dashboard"], found.get("meta", {})
    said = _list([place.lstrip(".") for place in find_differences(_content(wanted), there)])
    if meta.get("provisioned"):
        return Finding("dashboard", uid, DIFFERS if said else SAME, said, is_locked=True)
    is_moved = meta.get("folderUid", "") != FOLDER_UID
    if not is_moved and read_mark(there) == there.get("version"):
        return Finding("dashboard", uid, DIFFERS if said else SAME, said)
    whose = f"by {meta.get('updatedBy') or 'somebody'} at {meta.get('updated') or 'some time'}"
    what = "lies in another folder" if is_moved else said or "something was added"
    return Finding("dashboard", uid, EDITED, f"{whose}: {what}")


def read_mark(dashboard: Json) -> int | None:
    """Return the version that `push` saved; None for a dashboard that it never did."""
    mark = dashboard.get(MARK)
    return mark.get("version") if isinstance(mark, dict) else None


def mark(wanted: Json, found: Json | None) -> Json:
    """Return the dashboard to save over what was found, with the version that it will be."""
    version = int(found["dashboard"]["version"]) if found else 0
    return {**_content(wanted), "version": version, MARK: {"version": version + 1}}


def find_differences(wanted: Any, found: Any) -> Iterator[str]:
    """Yield the places where something wanted is not there; what else is there does not count."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key, value in wanted.items():
            for place in find_differences(value, found.get(key)):
                yield f".{key}{place}"
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for index, value in enumerate(wanted):
            for place in find_differences(value, found[index]):
                yield f"[{index}]{place}"
    elif wanted != found and (wanted or found):
        yield ""


def _content(dashboard: Json) -> Json:
    """Return a dashboard without what Grafana counts."""
    return {key: value for key, value in dashboard.items() if key not in {"id", "version", MARK}}


def _at(value: Any, place: str) -> Any:
    """Return what is at a place below a dictionary."""
    for key in filter(None, place.split(".")):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _show(value: Any) -> str:
    return "not set" if value in (None, "") else repr(value)


def _list(places: list[str]) -> str:
    shown = [place or "all of it" for place in places[:SHOWN_PLACES]]
    rest = len(places) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")
