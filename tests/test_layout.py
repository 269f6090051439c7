"""The shape of the repository: who may import whom, how long files are, what is where."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "fleet_timescale": "timescale",
    "fleet_exporters": "exporters",
    "fleet_orchestrator": "orchestrator",
    "fleet_stack": "orchestrator",
    "fleet_twin": "exporters",
    "fleet_control_api": "control-api",
    "fleet_dashboards": "grafana",
}
# The twin runs the real loops of both over machines that do not exist.
EXTRA = {"fleet_twin": {"fleet_exporters", "fleet_orchestrator"}}
COMPONENTS = {"exporters", "orchestrator", "control-api", "grafana", "prometheus", "alertmanager",
              "timescale"}  # fmt: skip
LINES_MAX = 500
VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "manager", "managers", "misc"}


def files(*suffixes):
    """Files that people write, in the components, the tests and the root, whose names end so."""
    folders = [ROOT / name for name in sorted(COMPONENTS | {"tests"})]
    found = [path for folder in folders for path in folder.rglob("*")] + list(ROOT.iterdir())
    return sorted(
        path
        for path in found
        if path.name.endswith(suffixes) and path.is_file() and "__pycache__" not in path.parts
    )


def find_imports(source):
    """Return the top-level names that a module imports by statement, wherever in the file."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where a name comes from"
            names.add(node.module.split(".")[0])
    return names


def modules():
    """(package, file) of every module of ours."""
    return [
        (package, path)
        for package, folder in PACKAGES.items()
        for path in sorted((ROOT / folder / package).rglob("*.py"))
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_down_to_the_database(package):
    """A component imports itself and fleet_timescale; the roots load others by name at run time."""
    allowed = {package, "fleet_timescale"} | EXTRA.get(package, set())

    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for owner, path in modules()
        if owner == package
        for name in sorted(find_imports(path.read_text()) & PACKAGES.keys() - allowed)
    ]

    assert wrong == []


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import fleet_stack.cli", {"fleet_stack"}),
        ("from fleet_exporters.sample import Sample", {"fleet_exporters"}),
        ("def f():\n    import fleet_stack", {"fleet_stack"}),
        ("if TYPE_CHECKING:\n    from fleet_stack import cli", {"fleet_stack"}),
        ('load("fleet_stack.cli")', set()),
    ],
)
def test_imports_are_found(source, names):
    """Also within functions and for types; a name in a string is none."""
    assert find_imports(source) == names


def test_every_package_is_known():
    """A new import package is entered here, so that the rule holds for it as well."""
    found = {path.parent.name for path in ROOT.glob("*/fleet_*/__init__.py")}

    assert found <= PACKAGES.keys()


def test_files_are_short():
    """No file that people write is longer than what one reads in a sitting."""
    long = {
        str(path.relative_to(ROOT)): lines
        for path in files(".py", ".sql", ".yml", ".md", ".j2", ".tmpl", ".toml", "fleet")
        if (lines := len(path.read_text().splitlines())) > LINES_MAX
    }

    assert long == {}


def test_functions_are_short():
    """No function is longer than a screen."""
    long = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for _, path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= 60
    ]

    assert long == []


def test_modules_have_telling_names():
    """No drawer for what belongs nowhere."""
    vague = [path for path in files(".py") if {path.stem, path.parent.name} & VAGUE]

    assert vague == []


def test_every_module_says_what_it_is():
    """Each module of a package begins with a docstring."""
    silent = [
        str(path.relative_to(ROOT))
        for _, path in modules()
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]

    assert silent == []


def test_every_component_has_a_readme():
    """Who opens a folder finds out what it is."""
    folders = [ROOT / name for name in sorted(COMPONENTS) if (ROOT / name).is_dir()]

    assert [folder.name for folder in folders if not (folder / "README.md").is_file()] == []
    assert (ROOT / "README.md").is_file()


def test_top_level_folders_are_those_of_the_design():
    """Nothing of ours grows beside the components and the tests."""
    tops = {path.parent for path in ROOT.glob("*/*") if path.suffix in (".py", ".sql", ".md")}

    strange = {top.name for top in tops if not top.name.startswith(".")} - COMPONENTS
    assert strange <= {"tests", "shared"}  # shared: lent to a checkout, not part of it


def test_migrations_are_numbered_without_gaps():
    """NNNN_verb_object.sql, in one row."""
    names = [path.name for path in sorted((ROOT / "timescale/migrations").glob("*.sql"))]

    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
    assert all(name[4] == "_" for name in names)
