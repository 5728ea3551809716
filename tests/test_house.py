"""How the house reads: docstrings, lengths, and the one place that prints, exits or opens pickles."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

from trees import MODULES, ROOT


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
        assert name in ("ui.cli", "__main__") or "sys.exit" not in text, name


def test_pickles_hold_weights_only():
    """Each `torch.load` says so where it stands, and nothing else opens a pickle."""
    for name, tree in MODULES.items():
        assert not re.search(r"pickle\.(load|Unpickler)|shelve|marshal", ast.unparse(tree)), name
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                assert "weights_only=True" in ast.unparse(node), name


def test_files_are_short():
    for name in MODULES:
        path = (ROOT / Path(*name.split("."))).with_suffix(".py")
        assert len(path.read_text("utf-8").splitlines()) <= 400, name


def test_folders_are_small():
    files = Counter(name.rpartition(".")[0] for name in MODULES)
    assert max(files.values()) <= 12, files.most_common(1)


def test_functions_are_short():
    """At most 40 lines, the signature counted and the docstring not."""
    for name, tree in MODULES.items():
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            first = function.body[0]
            documented = ast.get_docstring(function, clean=False) is not None
            text = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
            length = (function.end_lineno or 0) - function.lineno + 1 - text
            assert length <= 40, f"{name}.{function.name} has {length} lines"
