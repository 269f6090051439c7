"""The closing table of `up`: where to look, and how to get in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_stack.home.stack import ABSENT, EXTERNAL, NAMES, Decision

if TYPE_CHECKING:
    from fleet_stack.home.homes import Home

# What people open, in the order in which they would.
TITLES = {
    "grafana": "Grafana",
    "control-api": "Control API",
    "prometheus": "Prometheus",
    "alertmanager": "Alertmanager",
    "postgres": "PostgreSQL",
    "llm": "Model server",
}
CONFIGURED = (
    "grafana",
    "prometheus",
    "alertmanager",
)  # by files that only their owner can put there


def render(home: Home, decision: Decision) -> str:
    """Return the table."""
    lines = [""]
    for name, title in TITLES.items():
        part = decision.parts[name]
        remark = {
            ABSENT: f"absent: {part.reason}",
            EXTERNAL: f"{part.url}  (your own{_configuration(home, name)})",
        }.get(part.state, part.url)
        if name == "llm" and part.state != ABSENT:
            remark += f"  {part.reason}"
        lines.append(f"  {title:<14}{remark}")
    lines += [f"  {'Mails':<14}{home.path('mail')}", ""]
    lines += [
        "  Logins: ./fleet logins   State: ./fleet status   Logs: ./fleet logs   Stop: ./fleet down"
    ]
    return "\n".join(lines)


def _configuration(home: Home, name: str) -> str:
    """Say where the configuration stands that an external program needs from us."""
    return f"; its configuration: {home.path(name)}" if name in CONFIGURED else ""


def render_status(rows: dict[str, dict[str, object]]) -> str:
    """
    Return the table of `status`.

    Name, state, process, address, and the reason when something is amiss.
    """
    lines = []
    for name in NAMES:
        row = rows[name]
        lines.append(
            f"{name:<14}{row['state']!s:<10}{row['pid'] or '':<9}"
            f"{row['url'] or ''}  {row['reason'] or ''}".rstrip()
        )
    return "\n".join(lines)
