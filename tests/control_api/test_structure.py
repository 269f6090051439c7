"""The way of a request through the modules: who imports whom."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

CONTROL_API = Path(__file__).parents[2] / "control-api"
PACKAGE = "fleet_control_api"
# From what everything stands on up to what calls everything; `client` is a program of its own.
FOLDERS = ("service", "values", "callers", "audit", "permissions", "changes", "exports",
           "description", "routes")  # fmt: skip


def read_imports(path, *, for_types):
    """The names that a module imports from; those for types only when asked for."""
    tree = ast.parse(path.read_text())
    if not for_types:
        guarded = [
            n for n in tree.body if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.dump(n.test)
        ]
        tree.body = [node for node in tree.body if node not in guarded]
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    # `from package import module` names the module only together with what it imports.
    return {n.module for n in nodes} | {f"{n.module}.{a.name}" for n in nodes for a in n.names}


def imports_of_modules(*, for_types):
    """Each module with the modules of ours that it imports."""
    names = {}
    for path in sorted((CONTROL_API / PACKAGE).rglob("*.py")):
        name = ".".join(path.relative_to(CONTROL_API).with_suffix("").parts)
        names[name.removesuffix(".__init__")] = path
    return {
        name: read_imports(path, for_types=for_types) & names.keys() - {PACKAGE, name}
        for name, path in names.items()
    }


def find_cycle(imports):
    """The modules of a detour, each imported by the one after it; none when there is an order."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as exc:
        return exc.args[1]
    return []


def folder_of(module):
    return module.split(".")[1] if module.count(".") > 1 else ""


def test_no_module_imports_itself_by_a_detour():
    """There is an order in which the modules can be read, each after those that it imports."""
    assert find_cycle(imports_of_modules(for_types=True)) == []


def test_detours_are_found():
    """Each module of a detour is named, from one back to itself."""
    detour = find_cycle({"app": {"routes"}, "routes": {"values"}, "values": {"routes"}})

    assert detour in (["routes", "values", "routes"], ["values", "routes", "values"])


def test_folders_import_what_is_below_them():
    """A folder runs on those before it in the list; only the program's own modules see all."""
    wrong = [
        f"{module} imports {other}"
        for module, others in imports_of_modules(for_types=False).items()
        for other in others
        if folder_of(module) in FOLDERS
        and folder_of(other) not in FOLDERS[: FOLDERS.index(folder_of(module)) + 1]
        and other.removeprefix(f"{PACKAGE}.") not in FOLDERS
    ]

    assert wrong == []


def test_command_line_stands_alone():
    """The client speaks HTTP with the API and shares nothing with it but the errors."""
    others = {
        other
        for module, imported in imports_of_modules(for_types=True).items()
        if module.startswith(f"{PACKAGE}.client")
        for other in imported
        if not other.startswith(f"{PACKAGE}.client")
    }

    assert others <= {f"{PACKAGE}.service", f"{PACKAGE}.service.errors"}
