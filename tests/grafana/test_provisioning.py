"""What Grafana reads at its start, rendered as the launcher renders it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from fleet_dashboards import build, datasources
from jinja2 import Environment, StrictUndefined

FOLDER = build.FOLDER.parent / "provisioning"
VALUES = {
    "prometheus_url": "http://127.0.0.1:9090",
    "postgres_address": "127.0.0.1:5432",
    "control_url": "http://127.0.0.1:8080/api/v1/buttons",
    "postgres_password_file": "/home/ada/secrets/grafana_password",
    "proxy_secret_file": "/home/ada/secrets/proxy_secret",
    "dashboards_dir": str(build.FOLDER),
}


def render(name, **values):
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    text = (FOLDER / name / "fleet.yml.j2").read_text()
    return yaml.safe_load(environment.from_string(text).render(VALUES | values))


@pytest.fixture
def sources():
    return {source["uid"]: source for source in render("datasources")["datasources"]}


def test_panels_find_their_sources(sources):
    """Uid and type are those that the builders write into panels."""
    for used in (datasources.PROMETHEUS, datasources.POSTGRES):
        assert sources[used["uid"]]["type"] == used["type"]
    assert datasources.CONTROL_UID in sources


def test_there_are_three_sources_and_nobody_edits_them(sources):
    """No Alertmanager source: an Editor could silence and inject alerts through it."""
    assert set(sources) == {"fleet-prometheus", "fleet-postgres", "fleet-control"}
    assert not any(source["editable"] for source in sources.values())
    assert {source["access"] for source in sources.values()} == {"proxy"}


def test_buttons_end_at_the_door_of_the_control_api(sources):
    """The proxy appends the verb to this address."""
    assert sources["fleet-control"]["url"].endswith("/api/v1/buttons")
    assert sources["fleet-control"]["jsonData"]["httpHeaderName1"] == "X-Fleet-Proxy-Secret"


def test_secrets_stay_in_their_files(sources):
    """Grafana itself reads them; nothing secret stands in the rendered file."""
    secrets = [source.get("secureJsonData", {}) for source in sources.values()]
    values = [value for each in secrets for value in each.values()]

    assert values == [
        "$__file{/home/ada/secrets/grafana_password}",
        "$__file{/home/ada/secrets/proxy_secret}",
    ]


def test_database_is_read_as_the_read_only_role(sources):
    """The values that break the source in some version (0) are not there."""
    postgres = sources["fleet-postgres"]

    assert postgres["user"] == "fleet_grafana"
    assert postgres["jsonData"]["database"] == "fleet"
    assert postgres["jsonData"]["maxOpenConns"] >= 1
    assert postgres["jsonData"]["connMaxLifetime"] > 0


def test_a_dollar_in_a_path_stays_a_dollar():
    """Grafana expands variables in values; two dollars stand for one."""
    rendered = render("dashboards", dashboards_dir="/srv/$HOME/dashboards")

    assert rendered["providers"][0]["options"]["path"] == "/srv/$$HOME/dashboards"


def test_a_quote_in_a_path_stays_in_its_value():
    """Whatever the path, the YAML has the same keys."""
    path = '/srv/a "b": {c}\n- d'

    assert render("dashboards", dashboards_dir=path)["providers"][0]["options"]["path"] == path


def test_dashboards_come_from_a_folder_that_exists():
    """The provider's folder holds every dashboard; nobody saves over them in the browser."""
    (provider,) = render("dashboards")["providers"]
    folder = Path(provider["options"]["path"])

    assert set(build.dashboards()) == {path.name for path in folder.glob("*.json")}
    assert provider["allowUiUpdates"] is False
    assert provider["type"] == "file"
