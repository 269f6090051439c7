"""Settings hold until they are set to something else."""

from __future__ import annotations

from pathlib import Path

import pytest
from fleet_stack.home import homes, settings
from fleet_stack.home.addresses import AddressError
from fleet_stack.home.errors import HomeError
from fleet_stack.home.homes import Home, Record
from fleet_stack.home.secrets import Secrets

URL = "http://me:pw7@10.0.0.2/v1"


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "home")
    homes.create(home, Record())
    return home


@pytest.fixture
def secrets(home):
    return Secrets(home.path("secrets"))


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, {"FLEET_MODEL": "/a.gguf", "FLEET_LLM": "auto"}),
        ({"FLEET_MODEL": "/b.gguf"}, {"FLEET_MODEL": "/b.gguf", "FLEET_LLM": "auto"}),
        ({"FLEET_LLM": ""}, {"FLEET_MODEL": "/a.gguf"}),
        (
            {"FLEET_PUBLIC_URL": "https://x/"},
            {"FLEET_MODEL": "/a.gguf", "FLEET_LLM": "auto", "FLEET_PUBLIC_URL": "https://x"},
        ),
    ],
    ids=["unset keeps", "set replaces", "empty clears", "new is added"],
)
def test_given_settings_meet_kept_ones(environ, expected):
    """A plain `up` undoes nothing."""
    kept = {"FLEET_MODEL": "/a.gguf", "FLEET_LLM": "auto"}

    assert expected == settings.merge(settings.parse(environ), kept)


def test_environment_has_exactly_the_settings_that_hold():
    """A cleared one is not seen by whoever looks for the variable."""
    environ = {"PATH": "/bin", "FLEET_LLM": "", "FLEET_OFFLINE": "1"}

    assert settings.apply(environ, {"FLEET_MODEL": "/a.gguf"}) == {
        "PATH": "/bin",
        "FLEET_OFFLINE": "1",
        "FLEET_MODEL": "/a.gguf",
    }


def test_list_of_names_stays_a_list():
    """Programs that the owner calls games are no path."""
    given = {"FLEET_GAME_EXECUTABLES": "doom.exe,factorio"}

    assert settings.parse(given) == given


def test_address_for_peers_stays_one():
    """Host and port are no path either."""
    given = {"FLEET_PEER_LISTEN": "192.0.2.7:9810", "FLEET_PEER_ADDRESS": "[2001:db8::7]:9810"}

    assert settings.parse(given) == given


@pytest.mark.parametrize("value", ["192.0.2.7", ":9810", "box:http", "box:70000"])
def test_address_for_peers_has_host_and_port(value):
    """Anything else is refused by name before anything is started."""
    with pytest.raises(AddressError, match=f"FLEET_PEER_LISTEN is '{value}', not HOST:PORT"):
        settings.parse({"FLEET_PEER_LISTEN": value})


def test_paths_mean_the_same_in_every_folder():
    """The next `up` may be called from elsewhere."""
    given = settings.parse({"FLEET_MODEL": "x.gguf", "FLEET_GRAFANA_HOME": "~/grafana"})

    assert given == {
        "FLEET_MODEL": str(Path.cwd() / "x.gguf"),
        "FLEET_GRAFANA_HOME": str(Path.home() / "grafana"),
    }


def test_unusable_setting_is_refused_before_anything_is_made():
    """A host name alone is no address."""
    with pytest.raises(AddressError, match=r"FLEET_PUBLIC_URL is 'fleet\.example\.com'"):
        settings.parse({"FLEET_PUBLIC_URL": "fleet.example.com"})


def test_kept_settings_come_back(home, secrets):
    """The home keeps them, and only them."""
    held = {"FLEET_MODEL": "/a.gguf", "FLEET_PUBLIC_URL": "https://x"}
    settings.store(home, {**held, "PATH": "/bin"}, secrets)

    assert held == settings.load(homes.load(home), secrets)


def test_address_with_a_login_is_kept_as_a_secret(home, secrets):
    """home.json is readable by all."""
    settings.store(home, {"FLEET_LLM": URL}, secrets)

    assert "pw7" not in home.path("home.json").read_text()
    assert settings.load(homes.load(home), secrets) == {"FLEET_LLM": URL}
    assert secrets.path(settings.LLM_SECRET).stat().st_mode & 0o777 == 0o600


def test_replaced_login_is_forgotten(home, secrets):
    """Another server gets no old password."""
    settings.store(home, {"FLEET_LLM": URL}, secrets)
    settings.store(home, {"FLEET_LLM": "http://other/v1"}, secrets)

    assert settings.load(homes.load(home), secrets) == {"FLEET_LLM": "http://other/v1"}
    assert not secrets.has(settings.LLM_SECRET)


def test_heartbeat_address_is_a_secret(home, secrets):
    """Who knows it can say that we live; home.json may be read by others."""
    url = "https://hc-ping.com/8d3f-a-secret"
    settings.store(home, {"FLEET_HEARTBEAT_URL": url}, secrets)

    assert "a-secret" not in home.path("home.json").read_text()
    assert settings.load(homes.load(home), secrets) == {"FLEET_HEARTBEAT_URL": url}
    settings.store(home, {}, secrets)
    assert not secrets.has("heartbeat_url")


def test_files_of_people_are_copied(secrets, tmp_path):
    """Whoever runs the servers may not read the original; one that is gone by now stays known."""
    file = tmp_path / "password"
    chosen = {"FLEET_SMTP_PASSWORD_FILE": str(file)}
    file.write_text("pw1\n")
    settings.copy_files(chosen, secrets)
    file.write_text("pw2\n")
    settings.copy_files(chosen, secrets)
    file.unlink()
    settings.copy_files(chosen, secrets)

    # All of the file is the password, for Alertmanager 0.25.
    assert secrets.path("smtp_password").read_text() == "pw2"
    settings.copy_files({}, secrets)
    assert not secrets.has("smtp_password")


@pytest.mark.parametrize("content", [None, "\n"], ids=["missing", "empty"])
def test_file_without_content_is_refused(secrets, tmp_path, content):
    """The message names variable and file."""
    file = tmp_path / "password"
    if content is not None:
        file.write_text(content)

    with pytest.raises(HomeError, match=f"FLEET_SMTP_PASSWORD_FILE names {file}"):
        settings.copy_files({"FLEET_SMTP_PASSWORD_FILE": str(file)}, secrets)
