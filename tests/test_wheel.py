"""What `pip wheel .` makes: all that styler runs with is in it, and it runs from there alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
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
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source: a build leaves folders behind."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in SOURCE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def wheel(folder: Path) -> Path:
    """The wheel, built from a copy."""
    pip("wheel", folder, "--no-deps", "--no-build-isolation", "--no-index", "-w", folder)
    (made,) = folder.glob("*.whl")
    return made


def test_it_holds_all_that_ships(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    shipped = {f"styler/shipped/{path.name}" for path in (ROOT / "styles").iterdir() if path.is_file()}
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "styler").rglob("*.py")}
    assert shipped | modules | {"styler/py.typed", "styler/networks/compact.safetensors"} <= names
    assert not [name for name in names if name.startswith("tests") or name.endswith(".pyc")]
    assert [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]


def test_a_source_distribution_holds_what_a_wheel_is_built_of(folder: Path) -> None:
    code = "from setuptools import build_meta; print(build_meta.build_sdist('sdist'))"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with tarfile.open(folder / "sdist" / done.stdout.splitlines()[-1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    folders = [folder / name for name in SOURCE if (folder / name).is_dir()]
    files = {str(path.relative_to(folder)) for root in folders for path in root.rglob("*") if path.is_file()}
    assert {*files, *(name for name in SOURCE if (folder / name).is_file())} <= names


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
    run("-m", "styler", "optimize", "cat.jpg", "waves", "--size", "32", "--steps", "1")
    assert {path.name for path in tmp_path.glob("cat*.png")} == {"cat-starry-night.png", "cat-waves.png"}
