"""What the launcher tells the doctor of a home."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from fix_mail import PASSWORD, USER, mail_server
from fleet_stack.commands import doctor
from fleet_stack.home import stack
from fleet_stack.home.homes import NEEDED_BYTES, Home, Record, store
from fleet_stack.home.secrets import Secrets
from fleet_stack.home.stack import Decision

PLENTY = 50 * NEEDED_BYTES


@pytest.mark.parametrize(
    ("url", "is_loopback"),
    [
        ("http://127.0.0.1:20008", True),
        ("http://127.9.9.9", True),
        ("http://localhost:8000/", True),
        ("https://fleet.localhost", True),
        ("http://[::1]:8000", True),
        ("http://0.0.0.0:8000", True),
        ("http://192.168.1.20:8000", False),
        ("https://fleet.example.org", False),
        ("https://localhost.example.org", False),
    ],
)
def test_loopback_is_known(url, is_loopback):
    """Also written as a name, in IPv6, or as the address that means every interface."""
    assert doctor.is_loopback(url) is is_loopback


@pytest.mark.parametrize(
    ("url", "state"),
    [("", "warning"), ("http://127.0.0.1:20008", "warning"), ("http://box.lan:8000", "ok")],
)
def test_links_that_nobody_can_open_are_told(url, state):
    """A mail on a phone must lead somewhere; the text names the setting."""
    name, said, text = doctor.describe_links(url)

    assert (name, said) == ("mail links", state)
    assert ("FLEET_PUBLIC_URL" in text) is (state == "warning")


@pytest.mark.parametrize(("free", "state"), [(PLENTY, "ok"), (NEEDED_BYTES - 1, "warning")])
def test_full_disk_is_told(tmp_path, free, state):
    """Before a start fails for want of space."""
    name, said, text = doctor.describe_space(tmp_path, free, PLENTY)

    assert (name, said) == ("home disk", state)
    assert str(tmp_path) in text


def test_links_are_those_that_the_last_start_made(tmp_path):
    """What the shell says now has not reached the mails yet."""
    home = Home(tmp_path / "home")
    environ = {"FLEET_PUBLIC_URL": "http://box.lan:8000"}
    home.root.mkdir()

    assert doctor.find_public_url(home, environ) == "http://box.lan:8000"

    store(home, Record())
    decision = stack.decide_first(dict.fromkeys(["postgres"], 1), str(tmp_path))
    stack.store(home, Decision(**{**vars(decision), "public_url": "http://127.0.0.1:9"}))

    assert doctor.find_public_url(home, environ) == "http://127.0.0.1:9"


def test_runtime_folder_is_that_of_the_last_start(tmp_path):
    """Exporter and agent meet there; before the first start they meet nowhere."""
    home = Home(tmp_path / "home")

    assert doctor.find_runtime(home) is None

    home.root.mkdir()
    store(home, Record())
    decision = stack.decide_first(dict.fromkeys(["postgres"], 1), "/run/x")
    stack.store(home, Decision(**{**vars(decision), "node": "alpha"}))

    assert doctor.find_runtime(home) == Path("/run/x/alpha")


def test_a_home_that_is_none_yet_is_looked_at(tmp_path):
    """Before anything is started; and nothing is made by looking."""
    facts = doctor.collect_facts(Home(tmp_path / "none"), {})

    assert [name for name, _, _ in facts] == [
        "home disk", "mail links", "mail server", "model server",
    ]  # fmt: skip
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ({"model": "qwen", "does": "continues"}, "continues a begun answer: .* by line (qwen)"),
        ({"model": "qwen", "does": "starts_over"}, "starts a begun answer over: .* call (qwen)"),
        ({"model": "qwen", "does": "refuses"}, "refuses a begun answer: .* call (qwen)"),
        ({"model": "qwen", "does": None}, "not asked yet"),
        (None, "not asked yet"),
    ],
)
def test_what_the_model_server_does_is_told(tmp_path, told, text):
    """Whether conversations can be written line by line, as the worker last found it."""
    (tmp_path / "counters.json").write_text(json.dumps({"begun_answer": told}))

    name, state, said = doctor.describe_model_server(doctor.read_begun_answer(tmp_path))

    assert (name, state) == ("model server", "ok")
    assert re.match(text.replace("(", r"\(").replace(")", r"\)"), said)


def test_model_server_before_the_first_start(tmp_path):
    """Without a home, and without a worker that has said anything, nothing is known."""
    assert doctor.read_begun_answer(None) is None
    assert doctor.read_begun_answer(tmp_path) is None


def test_mail_server_is_asked(tmp_path):
    """With the login of the home: a page that nobody can get is found before it is needed."""
    home = Home(tmp_path / "home")
    with mail_server(tmp_path) as server:
        given = {
            "FLEET_SMTP_URL": f"smtp://{USER}@{server.host}:{server.port}",
            "FLEET_MAIL_TO": "operator@fleet.example",
            "FLEET_SMTP_PASSWORD_FILE": "/gone",
            "FLEET_SMTP_CA_FILE": "/gone",
        }
        secrets = Secrets(home.path("secrets"))
        secrets.put("smtp_password", PASSWORD)
        secrets.put("smtp_ca.pem", Path(server.certificate).read_text())
        taken = doctor.describe_mail_server(home, given)
        secrets.put("smtp_password", "an old one")
        refused = doctor.describe_mail_server(home, given)

    assert taken[1:] == (
        "ok",
        f"smtp://127.0.0.1:{server.port} takes mails to operator@fleet.example",
    )
    assert refused[1] == "warning"
    assert "refuses the login" in refused[2]


def test_nobody_being_told_is_told():
    """A home without a mail server of its own wakes nobody."""
    _, state, text = doctor.describe_mail_server(Home(Path("/none")), {})

    assert (state, "FLEET_SMTP_URL" in text) == ("warning", True)
