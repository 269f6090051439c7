"""Who may read an exporter's page."""

from __future__ import annotations

from hashlib import sha256

import pytest
from fleet_exporters.decision.rules import RulesFile
from fleet_exporters.sinks.page.access import Access

HERE, ELSEWHERE = "127.0.0.1", "192.0.2.7"


def digest(token):
    return sha256(token.encode()).hexdigest()


@pytest.mark.parametrize("token", ["current", "next", "previous"])
def test_tokens_around_a_change_are_all_good(token):
    """A scrape under way with the token of before, and one that is quicker than the agent."""
    access = Access(lambda: [digest(known) for known in ("current", "next", "previous")])

    assert access.admits(f"Bearer {token}".encode(), ELSEWHERE)


@pytest.mark.parametrize(
    "authorization",
    [b"", b"Bearer", b"Bearer stolen", b"Basic current", b"current", "Bearer currént".encode()],
)
def test_anything_else_is_refused(authorization):
    """Also on this machine, and the hash of a token is none."""
    access = Access(lambda: [digest("current")])

    assert not access.admits(authorization, HERE)
    assert not access.admits(f"Bearer {digest('current')}".encode(), HERE)


def test_launcher_s_token_is_good_until_the_agent_has_told():
    """A node is scraped at once, and closed from its first moment."""
    told = []
    access = Access(lambda: told, "first")
    assert access.admits(b"Bearer first", ELSEWHERE)
    assert not access.admits(b"", HERE)

    told.append(digest("second"))

    assert access.admits(b"Bearer second", ELSEWHERE)
    assert not access.admits(b"Bearer first", ELSEWHERE)


@pytest.mark.parametrize(
    ("client", "answer"), [(HERE, True), ("::1", True), (ELSEWHERE, False), ("fe80::1%2", False)]
)
def test_nobody_else_reads_a_page_for_which_there_is_no_token(client, answer):
    """An exporter that is run by hand is read on its own machine."""
    assert Access().admits(b"Bearer anything", client) is answer


def test_hashes_come_with_the_settings(tmp_path):
    """The agent of before knew none; that is no error."""
    file = tmp_path / "settings.json"
    file.write_text('{"version": 1, "settings": {}, "process_ids": [], "scrape_hashes": ["ab"]}')
    rules = RulesFile(tmp_path)
    assert rules.read().scrape_hashes == ("ab",)

    file.write_text('{"version": 1, "settings": {}, "process_ids": []}')

    assert rules.read().scrape_hashes == ()
