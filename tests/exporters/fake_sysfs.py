"""Files of a tree like /sys that fail; the tree itself comes from the fixture `sysfs`."""

from __future__ import annotations


def break_file(path):
    """Have reads of the file fail: a folder cannot be read as one."""
    path.unlink()
    path.mkdir()
