"""What `pip wheel .` makes: all that styler runs with is in it, and it runs from there alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ("styler", "styles", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")


def pip(*words: str | Path) -> None:
    """Run pip; what it says is shown if it fails."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the source: a build leaves folders behind."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in SOURCE:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    pip("wheel", folder, "--no-deps", "--no-build-isolation", "--no-index", "-w", folder)
    (made,) = folder.glob("*.whl")
    return made


def test_it_holds_all_that_ships(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    shipped = {f"styler/styles/{path.name}" for path in (ROOT / "styles").iterdir() if path.is_file()}
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "styler").rglob("*.py")}
    assert shipped | modules | {"styler/py.typed", "styler/networks/compact.safetensors"} <= names
    assert not [name for name in names if name.startswith("tests") or name.endswith(".pyc")]


def test_it_runs_where_nothing_else_of_ours_is(wheel: Path, tmp_path: Path) -> None:
    """In an empty place of its own, with the packages that it requires and no checkout."""
    pip("install", wheel, "--no-deps", "--no-index", "--target", tmp_path / "site")
    elsewhere = {name: value for name, value in os.environ.items() if not name.startswith("STYLER")}
    environment = {**elsewhere, "PYTHONPATH": str(tmp_path / "site"), "STYLER_HOME": str(tmp_path / "home")}

    def run(*words: str) -> str:
        command = [sys.executable, *words]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    place = run("-c", "import styler; print(styler.__file__)").strip()
    assert Path(place).is_relative_to(tmp_path)
    shutil.copy(ROOT / "examples" / "cat.jpg", tmp_path)
    run("-m", "styler", "fast", "cat.jpg", "--style", "starry-night", "--size", "64")
    style = str(Path(place).parent / "styles" / "waves.jpg")
    run("-m", "styler", "optimize", "cat.jpg", style, "--size", "32", "--steps", "1")
    assert {path.name for path in tmp_path.glob("cat*.png")} == {"cat-starry-night.png", "cat-waves.png"}
