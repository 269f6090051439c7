"""The first people in Grafana, asked of a double of its HTTP interface."""

from __future__ import annotations

import base64
import json

import pytest
from fix_http import QuietHandler, listen, serving
from fleet_stack.home.errors import StartError
from fleet_stack.run.grafana import add_people

PASSWORDS = {"admin": "a-secret", "operator": "o-secret", "viewer": "v-secret"}


class Grafana(QuietHandler):
    def answer(self, code, content):
        self.reply(code, json.dumps(content).encode())

    def read(self):
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def do_GET(self):
        expected = "Basic " + base64.b64encode(f"admin:{self.server.password}".encode()).decode()
        if self.headers["Authorization"] != expected:
            self.answer(401, {"message": "Invalid username or password"})
        elif self.path == "/api/org/users":
            self.answer(200, self.server.users)
        else:
            self.answer(404, {"message": "not found"})

    def do_POST(self):
        person = self.read()
        if self.server.is_full:
            self.answer(500, {"message": "disk full"})
            return
        self.server.made[len(self.server.made) + 2] = person
        self.answer(200, {"id": len(self.server.made) + 1})

    def do_PATCH(self):
        person = self.server.made[int(self.path.rpartition("/")[2])]
        person["role"] = self.read()["role"]
        self.answer(200, {})


@pytest.fixture
def server():
    server = listen(Grafana)
    server.users, server.made, server.password = [{"login": "admin"}], {}, "a-secret"
    server.is_full = False
    with serving(server) as server.url:
        yield server


def test_missing_people_are_made_with_their_roles(server):
    """The passwords are those that `./fleet logins` prints."""
    assert add_people(server.url, PASSWORDS) == ""
    assert {(p["login"], p["password"], p["role"]) for p in server.made.values()} == {
        ("operator", "o-secret", "Editor"),
        ("viewer", "v-secret", "Viewer"),
    }


def test_known_people_are_left_as_they_are(server):
    """Whoever was given another role keeps it."""
    server.users += [{"login": "operator"}, {"login": "viewer"}]

    assert add_people(server.url, PASSWORDS) == ""
    assert server.made == {}


def test_changed_admin_password_is_no_failure(server):
    """A person may change it; the start goes on and says so."""
    server.password = "changed"

    assert "another password" in add_people(server.url, PASSWORDS)


def test_refusal_names_grafana_and_its_log(server):
    """A full disk is not passed over."""
    server.is_full = True

    with pytest.raises(StartError, match=r"disk full.*fleet logs grafana"):
        add_people(server.url, PASSWORDS)
