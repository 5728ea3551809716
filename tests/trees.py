"""The package as syntax trees: its modules, and what each imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import styler

ROOT = Path(styler.__file__).parent


def modules() -> dict[str, ast.Module]:
    """`storage.disk` -> its syntax tree, for every module of the package."""
    paths = [path for path in ROOT.rglob("*.py") if path.relative_to(ROOT).parts[0] != "shipped"]
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
    """Full names of what a statement imports; of `from package import module` the module."""
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
