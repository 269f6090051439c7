"""Health checks ask the part itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fix_http import QuietHandler, listen, serving
from fix_ports import free_port
from fleet_stack.run import health


class Page(QuietHandler):
    def do_GET(self):
        self.reply(500 if self.path == "/broken" else 200, b"fleet_node_info 1", "text/plain")


@pytest.fixture(scope="module")
def url():
    with serving(listen(Page)) as url:
        yield url


def test_page_that_answers_with_its_content_is_healthy(url):
    """An empty string is good news."""
    assert health.check_page(url, b"fleet_node_info") == ""


def test_page_without_its_content_is_not(url):
    """Another program on the same port is not ours."""
    assert health.check_page(url, b"fleet_jobs") == "its page lacks fleet_jobs"


def test_error_code_is_told(url):
    """The code says where to look."""
    assert health.check_page(f"{url}/broken") == "answers 500"


def test_closed_port_is_told():
    """A part that is down does not raise."""
    port = free_port()

    assert "does not answer" in health.check_page(f"http://127.0.0.1:{port}")
    assert "does not answer" in health.check_mail(port)


def test_other_server_on_the_mail_port_is_told(url):
    """A greeting that is none."""
    port = int(url.rpartition(":")[2])

    assert health.check_mail(port)


def test_database_that_answers_is_healthy(database):
    """The check is a query, made as the owner."""
    assert health.check_database(database.dsn()) == ""
    assert "does not answer" in health.check_database("postgresql://nobody@127.0.0.1:1/none")


HOLD = "SELECT * FROM fleet.hold_node('here', 'tower')"


@pytest.fixture
def beat(database):
    """A heartbeat of alpha's agent on the machine `here`."""

    def send(state="running"):
        with database.connect("alpha") as node:
            node.execute(HOLD)
            node.execute("SELECT fleet.heartbeat('1', %s, 0)", [state])

    return send


@pytest.fixture
def own(database):
    return health.Own(database.dsn("alpha"), "here")


def test_agent_must_have_sent_a_heartbeat_since_its_start(own, beat):
    """A fresh heartbeat of the process before says nothing."""
    assert health.check_agent(own, 0) == "sends no heartbeat"
    beat()

    assert health.check_agent(own, 0) == ""
    assert health.check_agent(own, 9e9) == "sends no heartbeat"


def test_copy_of_a_home_is_told(own, beat):
    """The heartbeat is that of another machine; ours is refused."""
    beat()

    told = health.check_agent(replace(own, machine="elsewhere"), 0)

    assert told == "is refused: tower runs as node alpha already"


def test_removed_node_is_told(own, owner):
    """Also of its worker, with the way back."""
    owner.execute("UPDATE fleet.nodes SET removed_at = now() WHERE node = 'alpha'")

    assert health.check_agent(own, 0) == health.REMOVED
    assert health.REMOVED in health.check_worker(own, 0)


def test_login_that_was_taken_back_is_told():
    """Or a server that is away: the reason is passed on."""
    assert "the database refuses" in health.check_agent(health.Own("", "here"), 0)


@pytest.mark.parametrize(
    ("state", "found"),
    [("running", ""), ("draining", ""), ("stopped", ""), ("restarting", "is restarting")],
)
def test_worker_is_what_its_agent_says(own, beat, state, found):
    """Stopped is on purpose; between two runs is not."""
    assert health.check_worker(own, 0).startswith("is unknown: its agent sends no heartbeat")
    beat(state)

    assert health.check_worker(own, 0) == found


def test_twin_is_well_while_any_of_its_nodes_beats(database, owner):
    """A node that a fault has taken away is no fault of the twin."""
    assert health.check_twin(database.dsn(), 0) == "no node sends a heartbeat"
    owner.execute("UPDATE fleet.nodes SET last_heartbeat_at = now() WHERE node = 'alpha'")

    assert health.check_twin(database.dsn(), 0) == ""
    assert health.count_beating(database.dsn(), 0) == 1
    assert health.check_twin(database.dsn(), 9e9) == "no node sends a heartbeat"


def test_checks_run_side_by_side():
    """Each finds its own answer."""
    assert health.run({"a": lambda: "", "b": lambda: "is ill"}) == {"a": "", "b": "is ill"}
