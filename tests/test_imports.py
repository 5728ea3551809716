"""Who imports whom, and what is loaded when."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import pytest
from trees import MODULES, ROOT, imported, imports, ours, outside, room

import styler

# Ranks, from the lowest: in each folder a file imports from lower ranks only. In "", the package, every room
# has a rank; in other folders what is not named stands last. Files of one rank do not know each other.
ORDER = {
    "": [
        *("errors version", "events signals options", "device processes image plans", "networks", "features"),
        *(
            "classifiers",
            "losses",
            "engine storage",
            "tasks",
            "jobs",
            "web",
            "ui",
            "api",
            "__init__ __main__",
        ),
    ],
    "storage": [
        *("names pickles", "disk", "magic cards", "header", "format pictures runs"),
        "videos datasets foreign onnx",
        *("models inputs", "doctor styles"),
    ],
    "storage.onnx": ["encoding", "graph", "run", "export"],
    "jobs.see": ["view", "apply", "dream"],
    "jobs.passes": ["videos", "apply"],
    "tasks.see": ["units", "gradients"],
    "jobs": ["recipes", "records batch", "passes watch onnx", "enlarge", "studio", "optimize training"],
    "jobs.training": ["diary", "run styles", "fast"],
    "tasks": ["onepass train_translate", "optimize"],
    "api": ["errors keywords", "picture", "arguments", "painting styles", "display"],
    "web": ["shelf", "menu", "desk", "guard", "app", "server"],
    "ui": ["help live completion", "flags", "console remake", "follow", "commands", "cli"],
}
NEVER = {"tasks": "storage", "ui": "tasks"}


def rank(folder: str, name: str) -> tuple[int, str]:
    """The rank of a module in a folder that it is in, and the module's or its subfolder's name there."""
    child = room(name.removeprefix(f"{folder}."))
    ranks = ORDER.get(folder, [])
    return next((i for i, names in enumerate(ranks) if child in names.split()), len(ranks)), child


def common(name: str, other: str) -> str:
    """The innermost folder that two modules are in; "" for the package."""
    folders = [name.rpartition(".")[0]]
    while folders[-1]:
        folders.append(folders[-1].rpartition(".")[0])
    return next(folder for folder in folders if not folder or other.startswith(f"{folder}."))


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_lower_ranks_only(name):
    assert rank("", name)[0] < len(ORDER[""]), f"{name} is in no room: give it one, here and in the docs"
    for other in ours(MODULES[name]):
        folder = common(name, other)
        (mine, child), (below, sibling) = rank(folder, name), rank(folder, other)
        free = child == sibling or folder not in ORDER
        assert free or below < mine, f"{name} imports {other}, which is not below it"
        assert NEVER.get(room(name)) != room(other), f"{name} imports {other}"


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


def test_torchvision_is_imported_nowhere():
    """Only the doctor tries it, by its name."""
    for name, tree in MODULES.items():
        everywhere = {other.partition(".")[0] for node in imports(tree) for other in imported(node)}
        assert "torchvision" not in everywhere, name


# Modules and packages that are loaded when `styler --help` is asked for: no torch there.
LIGHT = (
    *("__init__", "__main__", "errors", "version", "events", "signals"),
    *(name for name in MODULES if room(name) in ("options", "ui")),
)
HEAVY = {"torch", "torchvision", "numpy", "scipy", "PIL", "safetensors"}


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
