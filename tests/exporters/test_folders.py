"""The way of a reading through the folders is the one that the README shows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "exporters"
PACKAGE = ROOT / "fleet_exporters"
SHARED = {"sample", "catalogue", "errors"}  # what all folders may import of the root
ROWS = dict(
    re.findall(r"^\| `(\w+)/` \| .* \|(.*)\|$", (ROOT / "README.md").read_text(), re.MULTILINE)
)


def find_imports(folder):
    """Return the folders and root modules of the package that the files of a folder import."""
    trees = [ast.parse(path.read_text()) for path in folder.rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    modules = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.split(".")[1] for name in modules if name.startswith("fleet_exporters.")}


def test_every_folder_is_in_the_table():
    """A new folder says what it is for."""
    assert ROWS.keys() == {path.parent.name for path in PACKAGE.glob("*/__init__.py")}


@pytest.mark.parametrize("folder", ROWS)
def test_folder_imports_what_the_table_says(folder):
    """No more, and no less: a row that is not true any more is corrected."""
    found = find_imports(PACKAGE / folder) - {folder} - SHARED

    assert found == set(re.findall(r"`(\w+)`", ROWS[folder]))
