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
    "fleet_sms": "alertmanager",
}
# The twin runs the real loops of two over machines that do not exist; the third it calls.
EXTRA = {"fleet_twin": {"fleet_exporters", "fleet_orchestrator", "fleet_control_api"}}
COMPONENTS = {"exporters", "orchestrator", "control-api", "grafana", "prometheus", "alertmanager",
              "timescale"}  # fmt: skip
# The rooms of the launcher, from the top; `servers` stands beside them and imports none.
ROOMS = ("commands", "joined", "trial", "run", "parts", "fetch", "home", "paging")
ROOM_FILES_MAX = 12
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


def find_door(room):
    """Return the names that the front door of a room lists."""
    door = ast.parse((ROOT / "orchestrator/fleet_stack" / room / "__init__.py").read_text())
    lists = [node.value for node in door.body if isinstance(node, ast.Assign)]
    return set(ast.literal_eval(lists[0])) if lists else set()


def find_trespasses(room, source):
    """Return what a module of a room imports from other rooms, but may not."""
    below = ROOMS[ROOMS.index(room) + 1 :] if room in ROOMS else ()
    allowed = {(f"fleet_stack.{other}", name) for other in below for name in find_door(other)}
    imported = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            imported += [(node.module, alias.name) for alias in node.names]
        if isinstance(node, ast.Import):
            imported += [(alias.name, "all") for alias in node.names]
    return [
        f"{name} from {module}"
        for module, name in imported
        if module.split(".")[0] == "fleet_stack"
        and not f"{module}.".startswith(f"fleet_stack.{room}.")
        and (module, name) not in allowed
    ]


@pytest.mark.parametrize("room", [*ROOMS, "servers"])
def test_rooms_of_the_launcher_enter_those_below_by_the_front_door(room):
    """What a door does not name can be changed without looking outside of its room."""
    files = sorted((ROOT / "orchestrator/fleet_stack" / room).glob("*.py"))

    wrong = [
        f"{path.relative_to(ROOT)}: {trespass}"
        for path in files
        for trespass in find_trespasses(room, path.read_text())
    ]

    assert wrong == []
    assert len(files) <= ROOM_FILES_MAX


@pytest.mark.parametrize(
    ("room", "source", "wrong"),
    [
        ("run", "from fleet_stack.home import Home", []),
        ("run", "from fleet_stack.run.health import plan", []),
        ("run", "from fleet_stack.home.homes import Home", ["Home from fleet_stack.home.homes"]),
        ("run", "from fleet_stack.home import files", ["files from fleet_stack.home"]),
        ("run", "from fleet_stack.commands import up", ["up from fleet_stack.commands"]),
        ("home", "from fleet_stack import cli", ["cli from fleet_stack"]),
        ("run", "import fleet_stack.home", ["all from fleet_stack.home"]),
        ("servers", "from fleet_stack.home import Home", ["Home from fleet_stack.home"]),
    ],
)
def test_ways_around_a_front_door_are_found(room, source, wrong):
    """Into a room's module, to a name that its door does not list, upwards."""
    assert find_trespasses(room, source) == wrong


def test_the_launcher_consists_of_its_rooms():
    """Nothing but the table of subcommands stands outside of them."""
    root = ROOT / "orchestrator/fleet_stack"

    assert {path.parent.name for path in root.glob("*/*.py")} == {*ROOMS, "servers"}
    assert {path.name for path in root.glob("*.py")} == {"__init__.py", "__main__.py", "cli.py"}


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


def test_no_merge_is_half_done():
    """No file carries the marks of a conflict that nobody has resolved."""
    marks = ("<" * 7 + " ", ">" * 7 + " ")
    marked = [
        str(path.relative_to(ROOT))
        for path in files(".py", ".sql", ".yml", ".md", ".j2", ".tmpl", ".toml", ".json")
        if any(line.startswith(marks) for line in path.read_text().splitlines())
    ]

    assert marked == []


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


def test_migrations_are_numbered():
    """NNNN_verb_object.sql, no number twice; a gap is a number that was not needed."""
    names = [path.name for path in sorted((ROOT / "timescale/migrations").glob("*.sql"))]

    assert len({int(name[:4]) for name in names}) == len(names)
    assert all(name[4] == "_" for name in names)
