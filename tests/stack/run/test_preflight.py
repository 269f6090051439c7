"""External addresses: what is one, and that a home keeps its own."""

from __future__ import annotations

import pytest
from fleet_stack.home.errors import HomeError, StackError
from fleet_stack.home.homes import Record
from fleet_stack.home.secrets import Secrets
from fleet_stack.run.preflight import keep_externals, parse_externals


def test_external_address_must_be_one():
    """A host name alone is refused with the variable's name."""
    with pytest.raises(StackError, match="FLEET_EXTERNAL_PROMETHEUS_URL"):
        parse_externals({"FLEET_EXTERNAL_PROMETHEUS_URL": "prometheus.lan"})


def test_external_addresses_are_fixed_at_the_first_start(tmp_path):
    """The next start needs no variable, and another address is refused."""
    secrets, record = Secrets(tmp_path), Record(externals=("postgres",))
    given = {"postgres": "postgresql://a:b@db/x"}

    assert given == keep_externals(record, given, secrets) == keep_externals(record, {}, secrets)
    with pytest.raises(HomeError, match="FLEET_EXTERNAL_DATABASE_URL differs"):
        keep_externals(record, {"postgres": "postgresql://a:b@other/x"}, secrets)
    with pytest.raises(HomeError, match="FLEET_EXTERNAL_GRAFANA_URL differs"):
        keep_externals(record, {"grafana": "http://grafana.lan"}, secrets)
