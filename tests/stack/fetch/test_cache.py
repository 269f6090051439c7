"""The cache that homes share: where it is, and that nothing incomplete stays in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from fleet_stack.fetch.cache import Cache, CacheError, decide_cache_root


@pytest.mark.parametrize(
    ("environ", "user", "root"),
    [
        ({"HOME": "/root"}, 0, "/var/cache/fleet"),
        ({"HOME": "/home/a"}, 1000, "/home/a/.cache/fleet"),
        ({"HOME": "/home/a", "XDG_CACHE_HOME": "/big"}, 1000, "/big/fleet"),
        ({"HOME": "/home/a", "XDG_CACHE_HOME": "relative"}, 1000, "/home/a/.cache/fleet"),
    ],
)
def test_cache_lies_where_its_user_can_write(environ, user, root):
    """Root's cache is the system's; everybody else has one of their own."""
    assert decide_cache_root(environ, user) == Path(root)


def test_unusable_cache_is_named(tmp_path):
    """A place that cannot be made is an error with the place and the remedy."""
    (tmp_path / "file").touch()
    cache = Cache(tmp_path / "file" / "fleet")

    with (
        pytest.raises(CacheError, match=r"file/fleet cannot be written .* XDG_CACHE_HOME"),
        cache.lock("x"),
    ):
        pytest.fail("the lock was given")


def test_leftover_of_a_killed_run_is_removed(cache):
    """A half-made folder does not become part of the next one."""
    (cache.path(".it.new") / "half").mkdir(parents=True)

    with cache.lock("it"), cache.scratch("it") as scratch:
        assert list(scratch.iterdir()) == []
