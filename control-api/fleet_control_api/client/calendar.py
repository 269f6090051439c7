"""`fleet nodes calendar` and `fleet nodes set-calendar`: when a machine is off on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fleet_control_api.client.remote import quote
from fleet_control_api.client.verbs import add, pick_given
from fleet_control_api.service.errors import ClientError

if TYPE_CHECKING:
    import argparse

    from fleet_control_api.client.remote import Remote
    from fleet_control_api.client.verbs import Answer

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def show_calendar(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """Show when a node is off."""
    calendar = remote.call("GET", f"/nodes/{quote(arguments.node)}/calendar")
    return calendar, render(calendar)


def set_calendar(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """Replace the times at which a node is off."""
    times = [parse_time(text, arguments.zone) for text in arguments.off]
    body = {"times": times, **pick_given(arguments, "reason")}
    calendar = remote.call("PUT", f"/nodes/{quote(arguments.node)}/calendar", body=body)
    return calendar, render(calendar)


def parse_time(text: str, zone: str) -> dict[str, Any]:
    """Return the time that a text such as mon-fri@23:00-07:00 means. Raises ClientError."""
    days, _, clock = text.partition("@")
    begin, _, end = clock.partition("-")
    if not end:
        raise ClientError(
            f"{text!r} is no time of the week", remedy="Write it as mon-fri@23:00-07:00."
        )
    weekdays = sorted({day for part in days.split(",") for day in parse_days(part)})
    return {"weekdays": weekdays, "off_from": begin, "off_to": end, "time_zone": zone}


def parse_days(text: str) -> list[int]:
    """Return the weekdays, 1 for Monday, of mon or fri-sun. Raises ClientError."""
    first, _, last = text.strip().lower().partition("-")
    try:
        begin, end = DAYS.index(first), DAYS.index(last or first)
    except ValueError as exc:
        raise ClientError(
            f"{text!r} is no weekday", remedy=f"Use {', '.join(DAYS)}, or mon-fri."
        ) from exc
    span = (end - begin) % 7
    return [(begin + step) % 7 + 1 for step in range(span + 1)]


def render(calendar: dict[str, Any]) -> str:
    """Return a calendar for people."""
    lines = [
        f"{calendar['node']} is off {','.join(DAYS[day - 1] for day in time['weekdays'])} from "
        f"{time['off_from']} to {time['off_to']} ({time['time_zone']})."
        for time in calendar["times"]
    ] or [f"{calendar['node']} has no times at which it is off."]
    now = "expected" if calendar["is_expected"] else "off on purpose"
    return "\n".join([*lines, f"Now it is {now}."])


def add_calendar(verbs: Any) -> None:
    """Add the verbs to the noun `nodes`."""
    route = "/nodes/{node}/calendar"
    shown = add(
        verbs, "calendar", show_calendar, "show when a node is off on purpose", route=f"GET {route}"
    )
    shown.add_argument("node", metavar="NODE")
    summary = "say when a node is off on purpose, in place of what was said before"
    put = add(verbs, "set-calendar", set_calendar, summary, route=f"PUT {route}")
    put.add_argument("node", metavar="NODE")
    put.add_argument(
        "--off", action="append", default=[], metavar="DAYS@FROM-TO",
        help="such as mon-fri@23:00-07:00; several times for several, not at all for never",
    )  # fmt: skip
    put.add_argument("--zone", default="UTC", help="time zone, such as Europe/Berlin (UTC)")
    put.add_argument("--reason", help="why, for the audit log")
