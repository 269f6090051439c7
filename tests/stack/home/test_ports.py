"""Ports: a free block a home, kept; a foreign listener is named."""

from __future__ import annotations

import json
import socket

import pytest
from fleet_stack.home import ports
from fleet_stack.home.errors import HomeError, PortError
from fleet_stack.home.homes import Home


def test_block_is_in_the_range_and_its_ports_differ():
    """Twenty ports below those that Linux gives to outgoing connections."""
    chosen = ports.choose_block("/srv/fleet", lambda _port: True)

    assert set(ports.SERVICES) == set(chosen)
    assert len(set(chosen.values())) == len(ports.SERVICES)
    assert all(ports.FIRST <= port < ports.LAST for port in chosen.values())


def test_home_gets_its_old_block_again():
    """The path decides, so that bookmarks outlive a purge."""
    first = ports.choose_block("/srv/fleet", lambda _port: True)

    assert first == ports.choose_block("/srv/fleet", lambda _port: True)
    assert first != ports.choose_block("/srv/other", lambda _port: True)


def test_block_with_a_taken_port_is_skipped():
    """One port in use anywhere in the block moves the home to the next one."""
    wanted = ports.choose_block("/srv/fleet", lambda _port: True)
    taken = wanted["postgres"] + ports.BLOCK - 1  # also one that no service has yet

    chosen = ports.choose_block("/srv/fleet", lambda port: port != taken)

    assert wanted["postgres"] + ports.BLOCK == chosen["postgres"]


def test_full_machine_is_told():
    """No free block is an error with the range, not an endless search."""
    with pytest.raises(PortError, match="20000 and 32000"):
        ports.choose_block("/srv/fleet", lambda _port: False)


def test_ports_are_kept(tmp_path):
    """The second start does not choose again."""
    home = Home(tmp_path)

    assert ports.settle(home) == ports.settle(home) == ports.load(home)


def test_damaged_ports_are_named(tmp_path):
    """The file and the remedy are in the sentence."""
    (tmp_path / "ports.json").write_text("[]")

    with pytest.raises(HomeError, match=r"ports.json is damaged"):
        ports.load(Home(tmp_path))


def test_foreign_listener_is_named_with_port_and_service():
    """A kept port that somebody else took meanwhile stops the start before anything runs."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]

        with pytest.raises(PortError, match=rf"port {port} of grafana is used by .*ports.json"):
            ports.check({"grafana": port}, ["grafana"])


def test_port_of_an_ended_listener_is_free():
    """Connections that linger after their end do not keep a port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            assert not ports.is_free(port)

    assert ports.is_free(port)


def test_home_of_an_older_version_gets_a_port_for_the_sms_bridge(tmp_path):
    """Its block has room; addresses that people know stay."""
    chosen = ports.choose_block("/srv/fleet", lambda _port: True)
    bridge = chosen.pop("sms-bridge")
    (tmp_path / "ports.json").write_text(json.dumps(chosen))

    assert ports.load(Home(tmp_path)) == {**chosen, "sms-bridge": bridge}
