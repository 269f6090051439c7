"""A newer checkout is noticed, and restarts what has loaded something of it."""

from __future__ import annotations

import pytest
from fleet_stack.home.homes import CHECKOUT
from fleet_stack.run import checksums


@pytest.fixture
def checkout(tmp_path):
    for name in ("exporters/fleet_exporters/cli.py", "timescale/functions/1.sql",
                 "prometheus/rules/a.rules.yml", "grafana/dashboards/a.json"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("old")
    return tmp_path


@pytest.mark.parametrize(
    ("changed", "programs"),
    [
        ("exporters/fleet_exporters/cli.py", {"exporter", "twin"}),
        ("prometheus/rules/a.rules.yml", {"prometheus"}),
        ("timescale/functions/1.sql", set()),
        ("grafana/dashboards/a.json", set()),
    ],
)
def test_change_is_noticed_by_up_and_by_whoever_loaded_it(checkout, changed, programs):
    """`git pull` must not leave old code running; a new dashboard must not restart a model."""
    whole, each = checksums.digest(checksums.ALL, checkout), checksums.digest_programs(checkout)
    (checkout / changed).write_text("new")
    after = checksums.digest_programs(checkout)

    assert whole != checksums.digest(checksums.ALL, checkout)
    assert programs == {name for name in each if each[name] != after[name]}


def test_renamed_file_is_a_change(checkout):
    """Functions are applied in the order of their names."""
    before = checksums.digest(checksums.ALL, checkout)
    sql = checkout / "timescale/functions/1.sql"
    sql.rename(sql.with_name("2.sql"))

    assert before != checksums.digest(checksums.ALL, checkout)


def test_compiled_modules_are_no_change(checkout):
    """They appear at the first start."""
    before = checksums.digest(checksums.ALL, checkout)
    (checkout / "exporters/fleet_exporters/cli.pyc").write_bytes(b"x")

    assert before == checksums.digest(checksums.ALL, checkout)


@pytest.mark.parametrize(
    "place", sorted({place for places in checksums.LOADED.values() for place in places})
)
def test_every_place_is_in_the_checkout(place):
    """A renamed folder would be watched no more."""
    assert (CHECKOUT / place).exists()
