"""Grafana: its settings and command, and the first users in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_stack.home import CHECKOUT, StartError, addresses
from fleet_stack.run.supervisor import Service

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fleet_stack.run.assembly import Stack

ADMIN = "admin"  # made by Grafana itself
PEOPLE = {"operator": "Editor", "viewer": "Viewer"}  # login of ours, and its role in Grafana
OFF = (
    "ANALYTICS_REPORTING_ENABLED",
    "ANALYTICS_CHECK_FOR_UPDATES",
    "ANALYTICS_CHECK_FOR_PLUGIN_UPDATES",
    "NEWS_NEWS_FEED_ENABLED",
    "PLUGINS_PLUGIN_ADMIN_ENABLED",
    "PLUGINS_PREINSTALL_AUTO_UPDATE",
    "SNAPSHOTS_ENABLED",
    "USERS_ALLOW_SIGN_UP",
    "USERS_VIEWERS_CAN_EDIT",
    "AUTH_ANONYMOUS_ENABLED",
    "PANELS_DISABLE_SANITIZE_HTML",
    "SECURITY_ALLOW_EMBEDDING",
)
ON = (
    "PLUGINS_PREINSTALL_DISABLED",
    "PLUGINS_PUBLIC_KEY_RETRIEVAL_DISABLED",
    "SECURITY_DISABLE_GRAVATAR",
    "DATAPROXY_SEND_USER_HEADER",
)
ACTIONS = "/api/datasources/proxy/uid/fleet-control/**"  # the only path that a button may post to
# Grafana logs an error for each of these that is missing.
READ = (
    "provisioning/plugins",
    "provisioning/alerting",
    "provisioning/datasources",
    "provisioning/dashboards",
)
WRITTEN = ("data", "plugins")
DASHBOARDS = CHECKOUT / "grafana" / "dashboards"


def render_environment(stack: Stack) -> dict[str, str]:
    """Return Grafana's settings as environment variables; secrets as files that it reads."""
    folder = stack.base.home.path("grafana")
    host, _, port = stack.address("grafana").partition(":")
    settings = {
        "SERVER_HTTP_ADDR": host,
        "SERVER_HTTP_PORT": port,
        "SERVER_ROOT_URL": f"{stack.decision.grafana_public_url}/",
        "SECURITY_ADMIN_USER": ADMIN,
        "SECURITY_ADMIN_PASSWORD": _file(stack.base.secrets.path("user_admin_password")),
        "SECURITY_SECRET_KEY": _file(stack.base.secrets.path("grafana_secret_key")),
        "SECURITY_ACTIONS_ALLOW_POST_URL": ACTIONS,
        "SECURITY_DATA_SOURCE_PROXY_WHITELIST": " ".join(
            [stack.address("control-api"), addresses.parse_place(stack.url("prometheus"))]
        ),
        "DASHBOARDS_MIN_REFRESH_INTERVAL": "5s",
        "DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": str(DASHBOARDS / "fleet-overview.json"),
        "PATHS_DATA": str(folder / "data"),
        "PATHS_PLUGINS": str(folder / "plugins"),
        "PATHS_PROVISIONING": str(folder / "provisioning"),
        "LOG_MODE": "console",
        "LOG_LEVEL": "warn",
        "FEATURE_TOGGLES_DASHBOARDNEWLAYOUTS": "false",
    }
    settings |= dict.fromkeys(OFF, "false") | dict.fromkeys(ON, "true")
    return {f"GF_{name}": value for name, value in settings.items()}


def _file(path: Path) -> str:
    """Return a reference to a file, as Grafana's settings expand it."""
    return f"$__file{{{path}}}"


def service(stack: Stack) -> Service:
    """Return how Grafana is run."""
    program = stack.programs["grafana"]
    arguments = (str(program.path), "server", *program.extra)
    return Service(
        "grafana",
        arguments,
        stack.user,
        render_environment(stack),
        is_group=True,
    )


def add_people(url: str, passwords: Mapping[str, str]) -> str:
    """
    Create the missing users with passwords and roles; existing ones are not changed.

    Return a note for people, if any. Raises StartError on other errors of Grafana.
    """
    # Loading it takes half a second: only where there is a Grafana of ours.
    from grafana_client import GrafanaApi  # noqa: PLC0415
    from grafana_client.client import GrafanaException, GrafanaUnauthorizedError  # noqa: PLC0415

    api = GrafanaApi.from_url(url, credential=(ADMIN, passwords[ADMIN]))
    try:
        known = {user["login"] for user in api.organization.get_current_organization_users()}
        for login, role in PEOPLE.items():
            if login in known:
                continue
            person = {"name": login, "login": login, "password": passwords[login]}
            made = api.admin.create_user(person)
            api.organization.update_user_current_organization(made["id"], {"role": role})
    except GrafanaUnauthorizedError:
        return "its admin has another password by now; people there are left as they are"
    except GrafanaException as exc:
        raise StartError(
            f"Grafana at {url} refuses to add people: {exc}; see `./fleet logs grafana`"
        ) from exc
    return ""
