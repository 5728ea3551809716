"""Training states on disk: the last one and the one before, so that a broken write never costs the run."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from styler.errors import CheckpointError
from styler.storage import disk
from styler.storage.names import display

LAST, PREVIOUS = "last.pt", "previous.pt"


def save_state(folder: Path | str, state: Mapping[str, Any]) -> None:
    """Write tensors, numbers, texts and containers of these to `folder`; the former state stays as previous.

    Raises:
        OutputError: if the folder cannot be written.
    """
    last = Path(folder) / LAST
    last.parent.mkdir(parents=True, exist_ok=True)
    if last.exists():
        last.replace(last.with_name(PREVIOUS))
    with disk.atomic(last) as file:
        torch.save(dict(state), file)


def exists(folder: Path | str) -> bool:
    """Whether there is a state in `folder`, readable or not."""
    return any((Path(folder) / name).is_file() for name in (LAST, PREVIOUS))


def discard(folder: Path | str) -> None:
    """Remove the states in `folder`, and the folder if nothing else is in it."""
    for name in (LAST, PREVIOUS):
        (Path(folder) / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # not there, or something else is in it
        Path(folder).rmdir()


def load_state(folder: Path | str) -> dict[str, Any]:
    """The last state in `folder` that can be read; no code in it is run.

    Raises:
        CheckpointError: if there is none.
    """
    reason = "there is none"
    for name in (LAST, PREVIOUS):
        path = Path(folder) / name
        if not path.is_file():
            continue
        try:
            return dict(torch.load(path, map_location="cpu", weights_only=True))
        except Exception as error:  # decoding a foreign file: torch raises a dozen kinds
            reason = f"{name} is damaged ({type(error).__name__})"
    raise CheckpointError(f"no training state in {display(folder)} ({reason}): start without --resume")
