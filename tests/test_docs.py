"""README, docs/ and the house files against the program.

`python tests/test_docs.py --write` renews the tables of options, rooms and ranks.
"""

from __future__ import annotations

import ast
import configparser
import dataclasses
import importlib.resources
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
import typing
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
import pytest
import torch
from test_imports import ORDER
from trees import MODULES

import styler
from styler.options.enlarge import EnlargeOptions, TrainEnlargeOptions
from styler.options.fast import FastOptions, TrainFastOptions
from styler.options.fields import TEXT_FORMS, Files, Numbers, Options, fields_of, flag_of, plain
from styler.options.optimize import GridOptions, OptimizeOptions
from styler.options.see import DreamOptions, FeaturesOptions, ImagineOptions, SaliencyOptions
from styler.options.synthesis import InvertOptions, TextureOptions
from styler.options.translate import PairsOptions, TrainTranslateOptions, TranslateOptions
from styler.options.web import WebOptions
from styler.ui import cli

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
RENEW = "a table is old; renew all: python tests/test_docs.py --write"
OPTIONS: dict[str, type[Options]] = {
    "optimize": OptimizeOptions,
    "fast": FastOptions,
    "translate": TranslateOptions,
    "train-fast": TrainFastOptions,
    "train-translate": TrainTranslateOptions,
    "pairs": PairsOptions,
    "saliency": SaliencyOptions,
    "features": FeaturesOptions,
    "imagine": ImagineOptions,
    "dream": DreamOptions,
    "grid": GridOptions,
    "enlarge": EnlargeOptions,
    "train-enlarge": TrainEnlargeOptions,
    "texture": TextureOptions,
    "invert": InvertOptions,
    "web": WebOptions,
}
"""Commands whose options docs/options.md lists, or the page of their own."""
PAGES = {
    **dict.fromkeys(("saliency", "features", "imagine", "dream"), "docs/seeing.md"),
    **dict.fromkeys(("enlarge", "train-enlarge"), "docs/enlarge.md"),
    "web": "docs/web.md",
}


def option_table(name: str) -> str:
    """The table of a command's options, from the very fields that its flags are made of."""
    return table("Option | Default |", [row(field, hint) for field, hint in fields_of(OPTIONS[name]).items()])


def table(head: str, rows: list[str]) -> str:
    """A table of Markdown."""
    return "\n".join([f"| {head} |", f"|{' --- |' * (head.count('|') + 1)}", *rows]) + "\n"


def first_sentence(name: str) -> str:
    """That of a module's docstring, or of a folder's."""
    text = ast.get_docstring(MODULES.get(name) or MODULES[f"{name}.__init__"])
    return text.split("\n\n")[0].replace("\n", " ").removesuffix(".")


def rooms() -> str:
    """The map of the house, from the top: each folder with its files, and the files that are rooms alone."""
    folders = sorted(name.removesuffix(".__init__") for name in MODULES if name.endswith(".__init__"))
    lines = []
    for rank in reversed(ORDER[""][:-1]):
        for room in rank.split():
            inside = [folder for folder in folders if f"{folder}.".startswith(f"{room}.")]
            lines += [folder_row(folder) for folder in inside] or [
                f"| `{room}.py` | {first_sentence(room)} | |"
            ]
    return table("Room | What it touches | Files", lines)


def folder_row(folder: str) -> str:
    files = [name.rpartition(".")[2] for name in MODULES if name.rpartition(".")[0] == folder]
    named = ", ".join(f"`{file}`" for file in sorted(files) if file != "__init__")
    return f"| `{folder.replace('.', '/')}/` | {first_sentence(folder)} | {named} |"


def ranks() -> str:
    """Who may import whom: the rooms of each rank."""
    lines = []
    for index, rank in enumerate(ORDER[""][:-1]):
        rooms = ", ".join(f"`{room}/`" if room not in MODULES else f"`{room}`" for room in rank.split())
        lines.append(f"| {index} | {rooms} |")
    return table("Rank | Rooms", lines)


def row(field: dataclasses.Field[typing.Any], hint: typing.Any) -> str:
    flag, default = flag_of(field.name), plain(field.default, hint)
    default = default or ("none" if default in ("", []) else default)
    if hint in (bool, bool | None):
        flag = f"{flag}`, `--no-{flag[2:]}"
        default = {True: "yes", False: "no", None: "auto"}[default]
    choices = typing.get_args(hint) if typing.get_origin(hint) is typing.Literal else ()
    text = field.metadata["help"] + (f" One of {', '.join(choices)}." if choices else "")
    return f"| `{flag}` | {default} | {text.replace('|', chr(92) + '|')} |"


FILES_ONLY = {
    *("overwrite", "metadata", "quality", "shard", "dry_run", "save_every"),
    *("steady", "crf", "resume", "checkpoint_every"),
}
"""Options of files, batches and videos, which a picture in memory has not."""
GIVEN = {"fast": {"style"}, "translate": {"checkpoint"}, "paint": {"checkpoint"}}
"""Arguments of Python's functions that have a place of their own, or that need files."""


def keywords(name: str) -> str:
    """The fields of a TypedDict of `styler.api.keywords`, and the start of the comment that closes it."""
    kind = OPTIONS["optimize" if name == "paint" else name]
    skipped = FILES_ONLY | GIVEN[name]
    types = {key: text for parent in reversed(kind.__mro__) for key, text in annotations_of(parent).items()}
    lines = []
    for field, hint in fields_of(kind).items():
        kinds = types[field.name]
        if hint in TEXT_FORMS or hint is str or hint == Files:
            kinds = " | ".join(dict.fromkeys([kinds, "str", *(["float"] if hint == Numbers else [])]))
            kinds += " | os.PathLike[str]" if re.search("FILE|MASK", field.metadata["metavar"] or "") else ""
        if field.name not in skipped:
            lines.append(f"    {field.name}: {kinds}\n")
    return "".join([*lines, "    # "])


def annotations_of(kind: type) -> dict[str, str]:
    """A class's own annotations as they are written."""
    return {name: str(text).replace("'", '"') for name, text in vars(kind).get("__annotations__", {}).items()}


TABLES: dict[str, tuple[str, Callable[[], str]]] = {
    **{
        f"options of {name}": (PAGES.get(name, "docs/options.md"), partial(option_table, name))
        for name in OPTIONS
    },
    **{f"keywords of {name}": ("styler/api/keywords.py", partial(keywords, name)) for name in GIVEN},
    "rooms": ("docs/architecture.md", rooms),
    "ranks": ("CONTRIBUTING.md", ranks),
}
"""File and text of each generated table, which stands between `<!-- NAME -->` and `<!-- /... -->`."""


def parts(text: str, name: str) -> tuple[str, str, str]:
    """A document before, in and after a table's marks."""
    mark, closing = f"<!-- {name} -->\n", f"<!-- /{name.partition(' ')[0]} -->\n"
    before, begin, rest = text.partition(mark)
    inside, end, after = rest.partition(closing)
    assert begin and end, f"there is no {mark.strip()} ... {closing.strip()}"
    return before + begin, inside, end + after


def commands(group: click.Group = cli.styler, words: str = "styler") -> list[str]:
    """Every command as it is typed: `styler weights list`."""
    found = []
    for name, command in group.commands.items():
        inner = isinstance(command, click.Group)
        found += commands(command, f"{words} {name}") if inner else [f"{words} {name}"]
    return found


def block(readme: str, start: str) -> str:
    """The line of README that begins so."""
    (line,) = {line.strip() for line in readme.splitlines() if line.strip().startswith(start)}
    return line


@pytest.fixture
def readme() -> str:
    return README.read_text("utf-8")


@pytest.fixture
def documents() -> str:
    """README and all pages."""
    return "\n".join(path.read_text("utf-8") for path in (README, *DOCS))


@pytest.mark.parametrize("name", TABLES)
def test_generated_tables_are_those_of_the_program(name):
    path, text = TABLES[name]
    assert parts((ROOT / path).read_text("utf-8"), name)[1] == text(), RENEW


@pytest.mark.parametrize("path", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_files_in_the_documents_exist(path):
    for name in re.findall(r"`([\w/.]+(?:\.py|/))`", (ROOT / path).read_text("utf-8")):
        assert (ROOT / "styler" / name).exists() or (ROOT / name).exists(), f"{path}: there is no {name}"


def test_names_in_the_documents_exist():
    """Constants that the map sends people to."""
    text = (ROOT / "docs/architecture.md").read_text("utf-8")
    code = {node.id for tree in MODULES.values() for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert set(re.findall(r"`([A-Z][A-Z_]+)`", text)) <= code


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_of_the_program_is_in_the_table_or_the_text(documents, name):
    flags = {flag for p in cli.styler.commands[name].params if isinstance(p, click.Option) for flag in p.opts}
    elsewhere = {"--output", "-o", "--quiet", "-q", "--verbose", "-v", "--json", "--debug"}
    listed = set(re.findall(r"^\| `(--[\w-]+)`", option_table(name), re.MULTILINE))
    assert listed <= flags
    assert all(re.search(rf"{flag}\b", documents) for flag in flags - listed - elsewhere)


@pytest.mark.parametrize("command", commands())
def test_every_command_is_in_the_list_of_commands(command):
    page = (ROOT / "docs/commands.md").read_text("utf-8")
    assert f"`{command}" in page, f"docs/commands.md does not name `{command}`"


def test_no_command_in_the_documents_is_made_up(documents):
    known = {command.split()[1] for command in commands()}
    named = re.findall(r"(?:^|`|&& )styler ([a-z][\w-]*)", documents, re.MULTILINE)
    assert named and set(named) <= known


def test_the_readme_is_short(readme):
    assert len(readme.splitlines()) <= 150


def test_the_first_command_can_be_typed_as_it_stands(readme):
    """`pip install . && styler optimize CONTENT STYLE`, with files that are here."""
    line = block(readme, "pip install . &&")
    install, _, command = line.partition(" && ")
    program, name, *pictures = command.split()
    assert install == "pip install ." and (program, name) == ("styler", "optimize")
    assert len(pictures) == 2 and all((ROOT / picture).is_file() for picture in pictures)


def test_the_second_command_is_the_tests(readme):
    assert block(readme, "pip install '.[test]'") == "pip install '.[test]' && pytest"


def test_the_python_examples_run(documents, tmp_path, monkeypatch):
    """Of README and docs/python.md, one after another, at a small size, with pictures of those names."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "holiday").mkdir()
    for name in ("photo.jpg", "painting.jpg", "holiday/sea.jpg", "sketch.png"):
        styler.save(name, torch.rand(1, 3, 48, 64))
    names: dict[str, object] = {}
    for code in re.findall("```python\n(.*?)```", documents, re.DOTALL):
        small = re.sub("size=(384|1024)", "size=32, steps=1, coarse_steps=1", code)
        exec(small.replace('save("out.png")', 'save("out.png", overwrite=True)'), names)
    assert {path.name for path in tmp_path.glob("*.png")} == {
        "out.png",
        "wave.png",
        "tensor.png",
        "sketch.png",
    }
    assert sum(path.is_file() for path in (tmp_path / "painted").rglob("*")) == 2


@pytest.mark.parametrize("page", [README, *DOCS], ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    """Files; anchors within them are `mkdocs build --strict`'s."""
    text = page.read_text("utf-8")
    for link in re.findall(r"\]\((?!https?://|#)([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text):
        assert (page.parent / link.partition("#")[0]).exists(), f"{page.name} links to {link}"


def test_every_page_is_in_the_sites_menu():
    menu = (ROOT / "mkdocs.yml").read_text("utf-8").partition("nav:")[2]
    assert [page.name for page in DOCS if f" {page.name}" not in menu] == []


def test_the_changelog_tells_of_this_version():
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.findall(r"^## (\d+\.\d+\.\d+)", text, re.MULTILINE)[0] == styler.__version__


def test_ci_runs_the_readmes_test_command(readme):
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    command = block(readme, "pip install '.[test]'")
    assert f"\n({command})\n" in script.read_text("utf-8")
    assert "\nmkdocs build --strict" in script.read_text("utf-8")
    checked = subprocess.run(["bash", "-n", script], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


@pytest.fixture
def setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_every_package_is_installed(setup):
    """A folder that setup.cfg forgets would be missing after an install."""
    folders = [path.parent.relative_to(ROOT) for path in (ROOT / "styler").rglob("__init__.py")]
    found = {".".join(folder.parts) for folder in folders}
    assert set(setup["options"]["packages"].split()) == found | {"styler.shipped"}


def test_every_import_is_asked_for_and_nothing_else(setup):
    trees = [ast.parse(path.read_text("utf-8")) for path in (ROOT / "styler").rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    imported = {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"styler"}
    lines = setup["options"]["install_requires"] + "".join(setup["options.extras_require"].values())
    asked = {name.replace("-", "_") for name in re.findall(r"^([\w-]+)", lines, re.MULTILINE)}
    assert {{"PIL": "pillow"}.get(name, name) for name in imported} <= asked
    needed = set(re.findall(r"^([\w-]+)", setup["options"]["install_requires"], re.MULTILINE))
    unused = needed - {{"PIL": "pillow"}.get(name, name) for name in imported}
    assert unused <= {"torchvision"}  # which `doctor` looks at, for it breaks torch when it does not fit


def test_tests_are_no_package():
    """Else pytest would put the checkout on the path, and test it instead of what is installed."""
    assert not (ROOT / "tests/__init__.py").exists()
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert setup["tool:pytest"]["pythonpath"] == "tests tools" and "pytest" not in tool


def test_an_installed_styler_brings_its_styles_and_its_network():
    """In a checkout `styles/` is no part of the package, and there is nothing to see."""
    if importlib.util.find_spec("styler.shipped") is None:
        pytest.skip("styler is not installed")
    brought = {path.name for path in importlib.resources.files("styler.shipped").iterdir()}
    assert {
        path.name for path in (ROOT / "styles").iterdir() if path.suffix in (".jpg", ".safetensors")
    } <= brought
    assert (importlib.resources.files("styler.networks") / "compact.safetensors").is_file()


def test_pictures_in_the_project_are_small():
    for folder in ("examples", "styles"):
        for path in (ROOT / folder).glob("*.jpg"):
            assert path.stat().st_size <= 300_000 or path.name in ("contact_sheet.jpg", "fast_sheet.jpg"), (
                path.name
            )


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: python tests/test_docs.py --write")
    for name, (path, text) in TABLES.items():
        before, _, after = parts((ROOT / path).read_text("utf-8"), name)
        (ROOT / path).write_text(before + text() + after, "utf-8")
