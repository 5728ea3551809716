"""The house rules that a test can hold: who imports whom, what loads what, how long things are."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import styler

ROOT = Path(styler.__file__).parent

# A file imports from folders of lower rank only, and from its own.
RANKS = [
    {"errors", "version"},
    {"events", "signals", "options"},
    {"device", "processes", "image"},
    {"networks"},
    {"features"},
    {"losses"},
    {"engine", "storage"},
    {"tasks"},
    {"jobs"},
    {"ui"},
    {"__init__", "__main__"},
]
# The same inside folders that have an order of their own; a file that is not named stands last.
INSIDE = {
    "storage": [
        {"magic", "names"},
        {"disk"},
        {"format", "cards", "translation", "pictures", "runs"},
        {"films", "datasets", "foreign"},
        {"models", "inputs"},
    ],
    "jobs": [{"records"}, {"pictures", "films"}, {"batch"}],
    "jobs.training": [{"diary"}, {"run", "styles"}],
    "tasks": [{"onepass", "optimize"}],
}
NEVER = {"tasks": "storage", "ui": "tasks"}

# Longer than the house allows, each with the reason.
LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}


def modules() -> dict[str, ast.Module]:
    """`storage.files` -> its syntax tree, for every module of the package."""
    paths = [path for path in ROOT.rglob("*.py") if path.relative_to(ROOT).parts[0] != "styles"]
    names = {path: ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths}
    return {name: ast.parse(path.read_text("utf-8")) for path, name in names.items()}


MODULES = modules()


def imports(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """All import statements, in functions too, but not those for the type checker only."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield from imports(node)


def imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    """The full names of what a statement imports; of `from package import module` the module."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    assert node.level == 0, "imports are absolute here"
    names = [f"{node.module}.{alias.name}" for alias in node.names]
    return [name if name.removeprefix("styler.") in MODULES else str(node.module) for name in names]


def ours(tree: ast.AST) -> set[str]:
    """The modules of styler that a tree imports, without the package's name, and without the package."""
    names = {name for node in imports(tree) for name in imported(node) if name.startswith("styler.")}
    return {name.removeprefix("styler.") for name in names}


def outside(tree: ast.AST) -> set[str]:
    """The top-level names of all that a tree imports at module level."""
    nodes = [node for node in ast.iter_child_nodes(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    return {name.partition(".")[0] for node in nodes for name in imported(node)}


def room(name: str) -> str:
    """The folder right below the package that a module is in, or the module itself."""
    return name.partition(".")[0]


# Modules and packages that are loaded when `styler --help` is asked for: no torch there.
LIGHT = (
    *("__init__", "__main__", "errors", "version", "events", "signals"),
    *(name for name in MODULES if room(name) in ("options", "ui")),
)
HEAVY = {"torch", "torchvision", "numpy", "scipy", "PIL", "safetensors"}
TORCHVISION = {f"storage.{name}" for name in ("models.vgg", "datasets.photos", "pictures.load", "doctor")}


# Who imports whom


def rank(name: str, ranks: list[set[str]]) -> int:
    """The first rank that has the module's room; behind the last for one that is not named."""
    return next((index for index, rooms in enumerate(ranks) if room(name) in rooms), len(ranks))


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_lower_ranks_only(name):
    assert rank(name, RANKS) < len(RANKS), f"{name} is in no room: give it one, here and in CONTRIBUTING.md"
    for other in ours(MODULES[name]):
        same = room(other) == room(name)
        assert same or rank(other, RANKS) < rank(name, RANKS), (
            f"{name} imports {other}, of the same rank or above"
        )
        assert NEVER.get(room(name)) != room(other), f"{name} imports {other}"


@pytest.mark.parametrize("folder", INSIDE)
def test_a_folder_with_an_order_keeps_it(folder):
    """Files of one rank may know each other, and those behind all ranks may not."""
    ranks = INSIDE[folder]
    inside = {name.removeprefix(f"{folder}."): name for name in MODULES if name.startswith(f"{folder}.")}
    for short, name in inside.items():
        for other in ours(MODULES[name]) & set(inside.values()):
            below = other.removeprefix(f"{folder}.")
            in_order = rank(below, ranks) <= rank(short, ranks) and rank(below, ranks) < len(ranks)
            assert in_order or room(below) == room(short), f"{name} imports {other}"


def test_imports_have_no_circle():
    """Kahn's algorithm: take away what imports nothing that is left, until nothing is left."""
    left = {name: ours(tree) - {name} for name, tree in MODULES.items()}
    while left:
        free = [name for name, others in left.items() if not others & left.keys()]
        assert free, f"a circle among {', '.join(left)}"
        left = {name: others for name, others in left.items() if name not in free}


def test_packages_are_empty():
    for name in MODULES:
        if name.endswith(".__init__"):
            assert not list(imports(MODULES[name])), f"{name} imports something"


def test_only_commands_import_styler_or_torch_where_they_need_it():
    """A local import could dodge the ranks; commands have them so that `--help` is quick."""
    for name, tree in MODULES.items():
        if room(name) == "ui":
            continue
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        local = {other for f in functions for node in imports(f) for other in imported(node)}
        found = {other.partition(".")[0] for other in local} & {"styler", "torch"}
        assert not found, f"{name} imports {found} inside a function"


def test_torchvision_is_imported_in_functions_of_four_modules_only():
    for name, tree in MODULES.items():
        assert "torchvision" not in outside(tree), name
        everywhere = {other.partition(".")[0] for node in imports(tree) for other in imported(node)}
        assert "torchvision" not in everywhere or name in TORCHVISION, name


# What is loaded when


@pytest.mark.parametrize("name", LIGHT)
def test_light_modules_import_nothing_heavy_at_the_top(name):
    assert not outside(MODULES[name]) & HEAVY


PROBE = """
import json, sys
import styler
after_import = sorted(sys.modules.keys() & set({heavy}))
import click
from styler.ui.cli import styler as root

def ask(command, words):
    try:
        command.main([*words, "--help"], standalone_mode=False)
    finally:
        for name, sub in getattr(command, "commands", {{}}).items():
            asked.append(name)
            ask(sub, [])

asked = []
ask(root, [])
from styler.__main__ import main
sys.argv = ["styler", "--help"]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print(json.dumps([after_import, sorted(sys.modules.keys() & set({heavy})), asked]))
"""


def test_help_and_import_load_neither_torch_nor_pillow_nor_numpy():
    """Asked of one fresh process, for every command."""
    code = PROBE.format(heavy=sorted(HEAVY))
    environment = {"PYTHONPATH": str(ROOT.parent), "PATH": "", "HOME": "/nowhere"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    after_import, after_help, asked = json.loads(done.stdout.splitlines()[-1])
    assert after_import == [] and after_help == []
    assert {"optimize", "show", "doctor", "weights", "fetch"} <= set(asked)


def test_every_public_name_is_there():
    for name in styler.__all__:
        assert getattr(styler, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        _ = styler.nonsense


def test_what_is_tested_is_what_is_installed():
    """`pytest` has tests/ on its path and not the checkout, so an installed styler is the one imported."""
    found = list(importlib.metadata.distributions(name="styler"))
    whole = [entry for entry in found if any(str(file) == "styler/ui/cli.py" for file in entry.files or [])]
    places = {Path(str(entry.locate_file("styler"))).resolve() for entry in whole}
    installed = places - {(Path(__file__).parents[1] / "styler").resolve()}
    if not installed:
        pytest.skip("styler is not installed here, or in a way that follows its source")
    assert ROOT.resolve() in installed


# How it reads


def test_every_module_says_what_it_is_for():
    for name, tree in MODULES.items():
        assert ast.get_docstring(tree), f"{name} has no docstring"


def test_only_the_console_prints():
    """ruff's T20 holds it too; the command line itself prints through the console."""
    for name, tree in MODULES.items():
        called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        names = {node.id for node in called if isinstance(node, ast.Name)}
        assert name == "ui.console" or not names & {"print", "input"}, name


def test_exits_are_in_the_command_line_only():
    for name, tree in MODULES.items():
        text = ast.unparse(tree)
        assert name == "ui.cli" or "sys.exit" not in text, name


def test_pickles_hold_weights_only():
    """Each `torch.load` says so where it stands, and nothing else opens a pickle."""
    for name, tree in MODULES.items():
        assert not re.search(r"pickle\.(load|Unpickler)|shelve|marshal", ast.unparse(tree)), name
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                assert "weights_only=True" in ast.unparse(node), name


def test_files_are_short():
    long = {f"{name}.py" for name, tree in MODULES.items() if _lines_of(name) > 400}
    assert long == LONG_FILES.keys()


def _lines_of(name: str) -> int:
    return len((ROOT / Path(*name.split("."))).with_suffix(".py").read_text("utf-8").splitlines())


def test_functions_are_short():
    found = {f"{name}.{function.name}" for name in MODULES for function in _long_functions(MODULES[name])}
    assert found == LONG_FUNCTIONS.keys()


def _long_functions(tree: ast.Module) -> list[ast.FunctionDef]:
    """Those of more than 40 lines, the signature counted and the docstring not."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return [function for function in functions if _length(function) > 40]


def _length(function: ast.FunctionDef) -> int:
    first = function.body[0]
    documented = ast.get_docstring(function, clean=False) is not None
    text = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
    return (function.end_lineno or 0) - function.lineno + 1 - text
