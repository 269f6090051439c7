"""Addresses in variables: what is refused, and that no message shows a password."""

from __future__ import annotations

import pytest
from fleet_stack.home import addresses
from fleet_stack.home.addresses import AddressError, hide_login, parse_llm
from fleet_stack.run.preflight import parse_externals


@pytest.mark.parametrize(
    "url", ["prometheus.lan", "ftp://me:pw7@host", "http://", "http://[fd00::1", "http://host:port"]
)
def test_what_is_no_address_is_refused_without_its_password(url):
    """The sentence names the variable and shows the value, which may hold a login."""
    with pytest.raises(AddressError, match=r"FLEET_X is .*correct it, or unset it") as caught:
        addresses.split("FLEET_X", url)
    assert "pw7" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://me:pw7@host:1/v1", "http://host:1/v1"),
        ("http://pw7@[::1]:1/v1", "http://[::1]:1/v1"),
        ("http://host/v1", "http://host/v1"),
    ],
)
def test_login_is_hidden_and_nothing_else(url, shown):
    """What people see is still where it is."""
    assert shown == hide_login(url)
    assert addresses.has_login(url) == (shown != url)


@pytest.mark.parametrize("options", ["user=me&password=pw7", "sslmode=require&passfile=/x"])
def test_login_behind_the_question_mark_of_a_database_is_refused(options):
    """It would win over the login of each role: every program would be the owner."""
    environ = {"FLEET_EXTERNAL_DATABASE_URL": f"postgresql://db.lan/fleet?{options}"}

    with pytest.raises(AddressError, match="write the login before the host") as caught:
        parse_externals(environ)
    assert "pw7" not in str(caught.value)


def test_options_of_a_database_that_are_no_login_are_kept():
    """TLS and timeouts are the user's business."""
    url = "postgresql://me:pw@db.lan/fleet?sslmode=verify-full&connect_timeout=3"

    assert parse_externals({"FLEET_EXTERNAL_DATABASE_URL": url}) == {"postgres": url}


@pytest.mark.parametrize("url", ["fleet.example.com", "https://me:pw7@fleet.lan", "https://x/?a=b"])
def test_public_address_that_links_cannot_begin_with_is_refused(url):
    """It would stand in mails as `://None:20003`."""
    with pytest.raises(AddressError, match="FLEET_PUBLIC_URL"):
        addresses.parse_public("FLEET_PUBLIC_URL", url)


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434/v1"),
        ("http://127.0.0.1:11434/v1/", "http://127.0.0.1:11434/v1"),
        ("https://gpu.example/openai/v1", "https://gpu.example/openai/v1"),
    ],
)
def test_addresses_get_their_version(url, base):
    """With or without /v1, the address of the API is the same."""
    assert parse_llm("FLEET_LLM", url) == base


@pytest.mark.parametrize("url", ["ollama", "127.0.0.1:11434", "ftp://host", "http://"])
def test_what_is_no_address_is_refused(url):
    """The error names the value and shows a good one."""
    with pytest.raises(AddressError, match=f"FLEET_LLM is '{url}'"):
        parse_llm("FLEET_LLM", url)
