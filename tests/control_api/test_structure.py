"""The way of a request through the modules: who imports whom."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

CONTROL_API = Path(__file__).parents[2] / "control-api"


def imports_of_modules():
    """Each module with the modules of ours that it imports, those for types included."""
    paths = sorted((CONTROL_API / "fleet_control_api").rglob("*.py"))
    names = {".".join(p.relative_to(CONTROL_API).with_suffix("").parts): p for p in paths}
    names = {name.removesuffix(".__init__"): path for name, path in names.items()}
    found = {}
    for name, path in names.items():
        nodes = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ImportFrom)]
        # `from package import module` names the module only together with what it imports.
        wanted = {n.module for n in nodes}
        wanted |= {f"{n.module}.{alias.name}" for n in nodes for alias in n.names}
        found[name] = wanted & names.keys() - {"fleet_control_api", name}
    return found


def test_no_module_imports_itself_by_a_detour():
    """There is an order in which the modules can be read, each after those that it imports."""
    try:
        TopologicalSorter(imports_of_modules()).prepare()
    except CycleError as exc:
        pytest.fail(" imports ".join(reversed(exc.args[1])))
