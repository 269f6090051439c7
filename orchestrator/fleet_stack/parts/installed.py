"""Find a program that is here already: named by the user, on PATH, or in the cache."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_stack.fetch import debian, vendor
from fleet_stack.parts.program import Program, ProgramError, ask_version, from_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fleet_stack.fetch import Cache

ON_PATH = {
    "grafana": ("grafana",),
    "prometheus": ("prometheus",),
    "alertmanager": ("alertmanager", "prometheus-alertmanager"),
}
DEBIAN_HAS = ("prometheus", "alertmanager")
DEBIAN = debian.Bundle(
    "Prometheus and Alertmanager",
    ("prometheus", "prometheus-alertmanager"),
    # Debian's Prometheus takes its pages from these; newer releases pack promtool and amtool apart.
    ("promtool", "amtool", "fonts-glyphicons-halflings", "libjs-bootstrap4", "libjs-d3",
     "libjs-eonasdan-bootstrap-datetimepicker", "libjs-jquery", "libjs-jquery-hotkeys",
     "libjs-moment", "libjs-moment-timezone", "libjs-mustache", "libjs-popper.js",
     "libjs-rickshaw"),
    needed_bytes=600_000_000,
)  # fmt: skip
GRAFANA_PACKAGE_HOME = Path("/usr/share/grafana")  # its .deb and .rpm put all but the program here


@dataclass(frozen=True)
class Machine:
    """Where to look."""

    environ: Mapping[str, str]
    cache: Cache
    report: Callable[[str], None]
    ask: Callable[[Path], str] = ask_version


def find_here(name: str, pin: vendor.Pin, machine: Machine) -> Program | None:
    """
    Return the program when nothing has to be fetched for it.

    Raises ProgramError when FLEET_<NAME>_HOME names something that cannot be used.
    """
    url = machine.environ.get(f"FLEET_EXTERNAL_{name.upper()}_URL", "")
    if url:
        return Program(name, origin="external", url=url)
    return (
        from_named_folder(name, pin, machine)
        or from_path(name, pin, machine)
        or from_cache(name, pin, machine)
    )


def from_named_folder(name: str, pin: vendor.Pin, machine: Machine) -> Program | None:
    """Return the program in the folder that FLEET_<NAME>_HOME names."""
    variable = f"FLEET_{name.upper()}_HOME"
    folder = machine.environ.get(variable, "")
    if not folder:
        return None
    try:
        return from_folder(name, pin, Path(folder).absolute(), "home", machine.ask)
    except ProgramError as exc:
        raise ProgramError(f"{variable} cannot be used: {exc}; correct it, or unset it") from exc


def from_path(name: str, pin: vendor.Pin, machine: Machine) -> Program | None:
    """Return an acceptable program on PATH; report one that is there but not acceptable."""
    for command in ON_PATH[name]:
        where = shutil.which(command, path=machine.environ.get("PATH", ""))
        folder = _release_folder(name, Path(where).resolve()) if where else None
        if folder is None:
            continue
        try:
            return from_folder(name, pin, folder, "path", machine.ask)
        except ProgramError as exc:
            machine.report(f"{name} on PATH is not used: {exc}")
    return None


def _release_folder(name: str, binary: Path) -> Path | None:
    if name != "grafana":
        return binary.parent
    # Grafana is of no use without its pages.
    homes = (binary.parent.parent, GRAFANA_PACKAGE_HOME)
    return next((home for home in homes if (home / "conf").is_dir()), None)


def from_cache(name: str, pin: vendor.Pin, machine: Machine) -> Program | None:
    """Return what an earlier run fetched: the pinned release, else Debian's if that was in use."""
    pinned = machine.cache.path(vendor.folder_name(name, pin))
    if pinned.is_dir():
        return from_folder(name, pin, pinned, "vendor", machine.ask)
    unpacked = machine.cache.path(DEBIAN.folder_name)
    if name in DEBIAN_HAS and unpacked.is_dir() and older_release(name, machine.cache) is None:
        return from_folder(name, pin, unpacked, "debian", machine.ask)
    return None


def older_release(name: str, cache: Cache) -> Path | None:
    """Return the vendor's release that was fetched last, of any version."""
    folders = [path for path in cache.root.glob(f"{name}-[0-9]*") if path.is_dir()]
    return max(folders, key=lambda path: path.stat().st_mtime, default=None)
