"""Which hosts can be reached, within one time limit."""

from __future__ import annotations

import threading

from fix_http import QuietHandler, listen, serving
from fleet_stack.fetch.hosts import probe


class Host(QuietHandler):
    """A host that has something for everybody."""

    def do_HEAD(self):
        self.reply(200, b"")


def test_reachable_hosts_are_told_from_others():
    """One that answers counts, one that refuses the connection does not."""
    with serving(listen(Host)) as good:
        assert probe([good, "http://127.0.0.1:1/"], seconds=3.0) == {good}


def test_host_that_never_answers_does_not_hold_up_the_start():
    """The time for all hosts together is limited."""
    never = threading.Event()

    assert (
        probe(["http://a", "http://b"], is_reachable=lambda url: never.wait(30.0), seconds=0.05)
        == frozenset()
    )

    never.set()
