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

# A module imports lower ranks only.
RANKS = {
    "errors": 0,
    "fields": 1,
    "options": 1,
    "events": 1,
    "interrupt": 1,
    "device": 2,
    "distributed": 2,
    "networks": 2,
    "features": 2,
    "color": 2,
    "geometry": 2,
    "pairing": 2,
    "edges": 2,
    "conditions": 2,
    "losses": 3,
    "adversarial": 3,
    "metrics": 3,
    "parameterization": 3,
    "solvers": 3,
    "engine": 4,
    "storage": 4,
    "tasks": 5,
    "flags": 6,
    "console": 6,
    "workflows": 6,
    "commands": 7,
    "cli": 8,
    "__main__": 9,
}

# The packages inside one rank: each module with those of its own package or rank that it may import.
WITHIN = {
    "options": {"fields"},
    "features": {"networks"},
    "edges": {"color"},
    "conditions": {"color", "edges", "geometry"},
    "networks": set[str](),
    "networks.narrow": {"networks.vgg"},
    "networks.pix2pix": {"networks.transform"},
    "networks.patch": {"networks.pix2pix"},
    "networks.pix2pix_strips": {"networks.pix2pix", "networks.strips", "networks.transform", "device"},
    "networks.strips": {"networks.transform", "device"},
    "networks.texture": {"networks.transform", "device"},
    "storage.files": set[str](),
    "storage.kinds": set[str](),
    "storage.places": set[str](),
    "storage.pixels": set[str](),
    "storage.teachers": {"storage.files"},
    "storage.recipe": set[str](),
    "storage.known": {"storage.files"},
    "storage.fetch": {"storage.files"},
    "storage.pillow": set[str](),
    "storage.sheets": {"storage.files"},
    "storage.curves": {"storage.files"},
    "storage.journal": {"storage.files"},
    "storage.report": set[str](),
    "storage.sealed": {"storage.kinds"},
    "storage.slim": {"storage.files", "storage.kinds", "storage.sealed"},
    "storage.pict": set[str](),
    "storage.translation": set[str](),
    "storage.foreign": {"storage.files", "storage.kinds", "storage.pict"},
    "storage.layouts": {"storage.files", "storage.foreign"},
    "storage.dialects": set[str](),
    "storage.generators": {
        "storage.cards",
        "storage.dialects",
        "storage.foreign",
        "storage.translation",
    },
    "storage.junyanz": {"storage.dialects", "storage.files", "storage.generators"},
    "storage.cards": {"storage.files", "storage.sealed", "storage.translation"},
    "storage.models": {
        "storage.files",
        "storage.foreign",
        "storage.generators",
        "storage.layouts",
        "storage.places",
        "storage.sealed",
        "storage.cards",
        "storage.translation",
    },
    "storage.graphs": {"storage.files"},
    "storage.onnx": {"storage.graphs"},
    "storage.onnx_generators": {"storage.graphs", "storage.translation"},
    "storage.converting": {
        "storage.cards",
        "storage.files",
        "storage.graphs",
        "storage.junyanz",
        "storage.layouts",
        "storage.models",
        "storage.onnx",
        "storage.onnx_generators",
        "storage.translation",
    },
    "storage.inputs": {"storage.animation", "storage.files", "storage.images", "storage.video"},
    "storage.footage": set[str](),
    "storage.animation": {"storage.files", "storage.footage", "storage.pixels", "storage.recipe"},
    "storage.video": {
        "storage.animation",
        "storage.files",
        "storage.footage",
        "storage.kinds",
        "storage.recipe",
    },
    "storage.segments": {"storage.files", "storage.footage", "storage.video"},
    "storage.remux": {"storage.files", "storage.recipe", "storage.segments", "storage.video"},
    "storage.images": {
        "storage.files",
        "storage.kinds",
        "storage.pillow",
        "storage.pixels",
        "storage.recipe",
        "storage.sheets",
    },
    "storage.checkpoint": {"storage.files"},
    "storage.data": {"storage.files", "storage.images"},
    "storage.twofold": {"storage.data", "storage.files", "storage.images"},
    "storage.pairs": {"storage.data", "storage.twofold"},
    "storage.weights": {"storage.files", "storage.fetch", "storage.known", "storage.places", "storage.slim"},
    "storage.health": {"storage.files", "storage.known", "storage.weights"},
    "tasks.fast": {"tasks.bounded"},
    "tasks.sampling": {"tasks.bounded"},
    "tasks.translate": {"tasks.bounded"},
    "workflows.applying": {"workflows.filming", "workflows.studio"},
    "workflows.stylizing": {"workflows.applying", "workflows.studio"},
    "workflows.translating": {"workflows.applying", "workflows.studio"},
    "workflows.pairing": {"workflows.applying", "workflows.studio"},
    "workflows.distillation": {"workflows.resuming"},
    "workflows.processes": {"workflows.resuming"},
    "workflows.logbook": {"workflows.resuming"},
    "workflows.diary": {"workflows.logbook"},
    "workflows.translate_diary": {"workflows.logbook", "workflows.validating"},
    "workflows.translate_training": {
        "workflows.logbook",
        "workflows.processes",
        "workflows.resuming",
        "workflows.translate_diary",
        "workflows.validating",
    },
    "workflows.fast_training": {
        "workflows.diary",
        "workflows.fast_models",
        "workflows.feeds",
        "workflows.processes",
        "workflows.resuming",
    },
    "commands.machine": {"commands.completion", "commands.settings"},
    "commands.models": {"commands.completion", "commands.settings"},
    "commands.networks": {"commands.settings"},
    "commands.batches": {"commands.settings"},
    "commands.pairing": {"commands.batches", "commands.settings"},
    "commands.painting": {"commands.batches", "commands.completion", "commands.settings"},
    "commands.translating": {"commands.batches", "commands.completion", "commands.settings"},
    "commands.training": {"commands.completion", "commands.settings"},
}

# What these may import of styler, where it is less than all lower ranks.
ONLY = {
    "tasks": {0, 1, 2, 3, "engine"},
    "console": {"errors", "events"},
    "flags": {"errors", "fields", "options"},
    "engine": {0, 1, 2, 3},
    "storage": {0, 1, 2},
}

# Modules and packages that are loaded when `styler --help` is asked for: no torch there.
LIGHT = (
    *(
        "__init__",
        "__main__",
        "errors",
        "fields",
        "options",
        "events",
        "console",
        "cli",
        "flags",
        "interrupt",
    ),
    *(f"commands.{name}" for name in ("settings", "batches", "painting", "translating", "training")),
    *(f"commands.{name}" for name in ("models", "networks", "machine", "pairing")),
)
HEAVY = {"torch", "torchvision", "numpy", "scipy", "PIL", "safetensors"}
TORCHVISION = {f"storage.{name}" for name in ("weights", "data", "images", "health")}

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


def place(name: str) -> str:
    """The row of `RANKS` that a module is in."""
    return name.partition(".")[0]


# Who imports whom


@pytest.mark.parametrize("name", [name for name in MODULES if not name.endswith("__init__")])
def test_a_module_imports_lower_ranks_only(name):
    assert place(name) in RANKS, f"{name} has no rank: give it one, here and in the architecture"
    for other in ours(MODULES[name]):
        lower = RANKS[place(other)] < RANKS[place(name)]
        inside = other in WITHIN.get(name, ()) or place(other) in WITHIN.get(name, ())
        assert lower or inside, f"{name} (rank {RANKS[place(name)]}) imports {other} ({RANKS[place(other)]})"
        if (allowed := ONLY.get(place(name))) and not inside:
            known = {place(other), RANKS[place(other)]}
            assert known & allowed, f"{name} may not import {other}"


def test_the_edges_inside_a_rank_have_no_cycle():
    """Kahn's algorithm: take away what imports nothing that is left, until nothing is left."""
    left = dict(WITHIN)
    while left:
        free = [name for name, edges in left.items() if not edges & left.keys()]
        assert free, f"a cycle among {', '.join(left)}"
        left = {name: edges for name, edges in left.items() if name not in free}


def test_every_storage_module_is_in_the_table():
    found = {name for name in MODULES if place(name) == "storage" and not name.endswith("__init__")}
    assert found == {name for name in WITHIN if place(name) == "storage"}


def test_packages_are_empty():
    for name in MODULES:
        if name.endswith(".__init__"):
            assert not list(imports(MODULES[name])), f"{name} imports something"


def test_only_commands_import_styler_or_torch_where_they_need_it():
    """A local import could dodge the ranks; commands have them so that `--help` is quick."""
    for name, tree in MODULES.items():
        if place(name) == "commands":
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
from styler.cli import styler as root

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
    whole = [entry for entry in found if any(str(file) == "styler/cli.py" for file in entry.files or [])]
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
        assert name == "console" or not names & {"print", "input"}, name


def test_exits_are_in_the_command_line_only():
    for name, tree in MODULES.items():
        text = ast.unparse(tree)
        assert name == "cli" or "sys.exit" not in text, name


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
