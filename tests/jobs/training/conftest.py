"""Folders for trainings, and what unbroken ones make there."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from studio import KINDS, shrink_pictures, train, write_studio


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A studio with a finished training of each kind: transform.safetensors, ..."""
    folder = tmp_path_factory.mktemp("studio")
    write_studio(folder)
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(folder):
        shrink_pictures(patch)
        for kind in KINDS:
            train(kind, f"{kind}.safetensors")
    return folder


@pytest.fixture
def studio(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of it as the current folder."""
    shutil.copytree(folder, tmp_path / "studio")
    monkeypatch.chdir(tmp_path / "studio")
    shrink_pictures(monkeypatch)
    yield tmp_path / "studio"
