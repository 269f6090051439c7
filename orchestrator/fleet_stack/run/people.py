"""The first people in Grafana. Loaded only where there is one: its client takes half a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_client import GrafanaApi
from grafana_client.client import GrafanaException, GrafanaUnauthorizedError

from fleet_stack.home.errors import StartError
from fleet_stack.run.grafana import ADMIN, PEOPLE

if TYPE_CHECKING:
    from collections.abc import Mapping


def add_people(url: str, passwords: Mapping[str, str]) -> str:
    """
    Make the people that Grafana lacks, with their passwords and roles; who exists is left as is.

    Return what people should know, if anything. Raises StartError when Grafana refuses otherwise.
    """
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
