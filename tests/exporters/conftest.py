"""What several tests of the exporter need: promtool, a tree like /sys; fakes are beside them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from fleet_stack.parts.programs import find_tools

sys.path.insert(0, str(Path(__file__).parent))

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture(scope="session")
def promtool():
    return find_tools(os.environ, print)["promtool"]


@pytest.fixture
def sysfs(tmp_path):
    """Return a function that builds a tree like /sys from a recording, and returns its root."""

    def build(name):
        for line in (FIXTURES / "sysfs" / f"{name}.txt").read_text().splitlines():
            path, _, text = line.partition(" ")
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text + "\n")
        for device in tmp_path.glob("bus/pci/devices/*"):
            if (device / "device").exists():
                add_card(tmp_path, device)
        return tmp_path

    return build


def add_card(root, device):
    """Give a PCI device its entry among graphics cards, as the kernel does: a link."""
    cards = root / "class" / "drm"
    cards.mkdir(parents=True, exist_ok=True)
    card = cards / f"card{len(list(cards.iterdir()))}"
    card.mkdir()
    (card / "device").symlink_to(device)
