"""
Take the pictures of the README from a running home, whose address `./fleet env` gives.

    FLEET_HOME=.fleet-twin .venv/bin/python tests/acceptance/screenshots.py [FOLDER]

FOLDER is grafana/screenshots, unless another is named. `./fleet test` installs what it needs, a
Chromium is the system's. Look at each picture before it is committed.
"""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from visitor import PHONE, Visitor, find_chromium, start_browser

CHECKOUT = Path(__file__).parents[2]
BYTES_MAX = 200_000
COLOURS = 128


@dataclass(frozen=True)
class Picture:
    """A dashboard as its first screens look, in pixels."""

    uid: str
    width: int
    height: int


PICTURES = {
    "overview": Picture("fleet-overview", 1440, 960),
    "node": Picture("fleet-node", 1440, 1122),
    "jobs": Picture("fleet-jobs", 1440, 1130),
    "phone": Picture("fleet-phone", PHONE, 1400),
}


def fleet(command: str) -> str:
    """Return what a command of the home prints."""
    return subprocess.run(
        [CHECKOUT / "fleet", command], check=True, capture_output=True, text=True
    ).stdout


def read_address() -> str:
    """Return where Grafana is. Exits where the home has none."""
    (line,) = (each for each in fleet("env").splitlines() if "FLEET_GRAFANA_URL=" in each)
    return line.partition("=")[2].strip("'") or sys.exit("this home has no Grafana")


def read_password(login: str) -> str:
    """Return the password of one of the first users."""
    lines = [line.split() for line in fleet("logins").splitlines()]
    return next(words[1] for words in lines if words and words[0] == login)


def render_small(png: bytes) -> bytes:
    """Return a picture with few colours. Exits when it is larger than a README should load."""
    small = io.BytesIO()
    with Image.open(io.BytesIO(png)) as picture:
        palette = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        palette.save(small, "PNG", optimize=True)
    if small.tell() > BYTES_MAX:
        sys.exit(f"a picture has {small.tell()} bytes, more than {BYTES_MAX}: make it lower")
    return small.getvalue()


def main(folder: Path) -> None:
    """Take each picture."""
    folder.mkdir(parents=True, exist_ok=True)
    chromium = find_chromium() or sys.exit("needs a Chromium on PATH")
    url, password = read_address(), read_password("admin")
    with start_browser(chromium) as browser:
        for name, picture in PICTURES.items():
            visitor = Visitor(browser, url, "admin", password, picture.width)
            visitor.close_menu()
            visitor.open(picture.uid, picture.height)
            path = folder / f"{name}.png"
            path.write_bytes(render_small(visitor.page.screenshot()))
            sys.stdout.write(f"{path}: {path.stat().st_size} bytes\n")


if __name__ == "__main__":
    main(Path(*sys.argv[1:] or [CHECKOUT / "grafana" / "screenshots"]))
