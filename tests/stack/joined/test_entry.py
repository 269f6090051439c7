"""What a joining machine asks, and what it makes of the answers."""

from __future__ import annotations

import json
import uuid

import pytest
from fix_http import QuietHandler, listen, serving
from fix_ports import free_port
from fix_tls import make_files, serving_tls
from fleet_stack.home import HomeError
from fleet_stack.joined.entry import Entry, Joined, join, parse_url, render_host

ENTRY = Entry("the-code", uuid.uuid4(), "tower", "127.0.0.1:20006")


class Api(QuietHandler):
    """Lets in who has the code."""

    def do_POST(self):
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/api/v1/nodes/join":
            self.reply(404, b"not here", "text/plain")
        elif sent["code"] != "the-code":
            problem = {"detail": "the code is used", "remedy": "Ask an admin for a new one."}
            self.reply(401, json.dumps(problem).encode(), "application/problem+json")
        else:
            answer = {"node": sent["host"], "database_url": "postgresql://x", "scrape_token": "t"}
            self.reply(200, json.dumps(answer).encode(), "application/json")


@pytest.fixture(scope="module")
def url():
    with serving(listen(Api)) as url:
        yield url


def test_machine_with_a_code_is_let_in(url):
    """It learns its name and its way to the database."""
    assert join(url, ENTRY) == Joined("tower", "postgresql://x", "t")


def test_refusal_is_passed_on(url):
    """What the control API says, and what to do about it."""
    entry = Entry("another", ENTRY.node_id, ENTRY.host, ENTRY.scrape_address)

    with pytest.raises(HomeError, match=r"the code is used\. Ask an admin for a new one\."):
        join(url, entry)


def test_machine_joins_by_tls(tmp_path):
    """Its code goes to who has a certificate of the authority that it is told to trust."""
    files = make_files(tmp_path, addresses=("127.0.0.1",))
    with serving_tls(listen(Api), files.certificate, files.key) as url:
        assert join(url, ENTRY, str(files.authority)).node == "tower"
        with pytest.raises(HomeError, match=r"is not trusted.*--ca-file names"):
            join(url, ENTRY)


def test_silence_and_strangers_are_told(url):
    """A closed port, and a server that is no control API."""
    with pytest.raises(HomeError, match="does not answer"):
        join(f"http://127.0.0.1:{free_port()}", ENTRY)
    with pytest.raises(HomeError, match="does not answer"):
        join(f"{url}/elsewhere", ENTRY)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("http://127.0.0.1:20408", "http://127.0.0.1:20408"),
        ("http://localhost:20408/api/v1", "http://localhost:20408"),
        ("https://[::1]:20408/", "https://[::1]:20408"),
    ],
)
def test_address_is_cut_to_its_place(given, found):
    """With or without the path that `./fleet env` prints."""
    assert parse_url(given) == found


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("127.0.0.1:20408", "no address of a control API"),
        ("ftp://127.0.0.1", "no address of a control API"),
        ("http://a:b@127.0.0.1", "no address of a control API"),
        ("http://127.0.0.1:99999", "no address of a control API"),
        ("http://192.0.2.1:20408", "another machine"),
    ],
)
def test_unusable_address_is_named(given, said):
    """Also one of another machine: the way there is not encrypted."""
    with pytest.raises(HomeError, match=said):
        parse_url(given)


@pytest.mark.parametrize(
    ("name", "host"),
    [("tower", "tower"), ("Ada's PC", "Ada-s-PC"), ("_x.lan", "x.lan"), ("", "node")],
)
def test_host_name_is_made_usable(name, host):
    """What the control API would refuse becomes a hyphen."""
    assert render_host(name) == host
