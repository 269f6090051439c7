"""Health checks ask the part itself."""

from __future__ import annotations

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


def test_agent_must_have_sent_a_heartbeat_since_its_start(database, owner):
    """A fresh heartbeat of the process before says nothing."""
    assert health.check_agent(database.dsn(), "alpha", 0) == "sends no heartbeat"
    owner.execute("UPDATE fleet.nodes SET last_heartbeat_at = now() WHERE node = 'alpha'")

    assert health.check_agent(database.dsn(), "alpha", 0) == ""
    assert health.check_agent(database.dsn(), "alpha", 9e9) == "sends no heartbeat"


def test_worker_is_what_its_agent_says(database, owner):
    """Stopped, restarting or running."""
    assert health.check_worker(database.dsn(), "alpha") == "is stopped"
    owner.execute("UPDATE fleet.nodes SET worker_state = 'running' WHERE node = 'alpha'")

    assert health.check_worker(database.dsn(), "alpha") == ""


def test_checks_run_side_by_side():
    """Each finds its own answer."""
    assert health.run({"a": lambda: "", "b": lambda: "is ill"}) == {"a": "", "b": "is ill"}
