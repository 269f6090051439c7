"""
Make Debian's Alertmanager run where it is not installed.

It opens its default template below /usr/share/prometheus/alertmanager, a path that is compiled in
and that no flag changes; without root there is no way to put a file there. So the copy in the cache
gets a path of the same length instead, /proc/self/fd/9, and a wrapper that opens the
unpacked folder under that number before it becomes the program.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_stack.home import StackError

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = "usr/bin/prometheus-alertmanager"
TEMPLATES = "usr/share/prometheus/alertmanager"
COMPILED = b"/usr/share/prometheus/alertmanager"
DESCRIPTOR = b"/proc/self/fd/9"
WRAPPER = """\
#!/bin/sh
# Written by fleet: opens the folder of templates where the program looks for it.
here=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")" && pwd -P)
exec 9<"$here/../../{templates}"
exec "$here/{program}" "$@"
"""


class RelocateError(StackError):
    """A program of Debian's cannot be used without being installed."""


def patch(content: bytes) -> bytes:
    """
    Return a program that looks below descriptor 9; the length of nothing changes.

    Raises RelocateError when it does not contain the path.
    """
    if COMPILED not in content:
        raise RelocateError(
            "this Alertmanager of Debian's looks for its templates in an unknown place; "
            "name another one in FLEET_ALERTMANAGER_HOME"
        )
    return content.replace(COMPILED, DESCRIPTOR.ljust(len(COMPILED), b"/"))


def relocate(folder: Path) -> None:
    """Change the program below a folder of unpacked packages, when there is one that needs it."""
    program = folder / PROGRAM
    real = program.with_name(f"{program.name}.debian")
    if real.exists() or not program.exists() or not (folder / TEMPLATES).is_dir():
        return  # newer packages of Debian's carry their templates inside
    real.write_bytes(patch(program.read_bytes()))
    real.chmod(0o755)
    scratch = program.with_name(f".{program.name}.new")
    scratch.write_text(WRAPPER.format(templates=TEMPLATES, program=real.name))
    scratch.chmod(0o755)
    scratch.rename(program)
