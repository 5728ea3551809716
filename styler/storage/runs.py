"""OUTPUT.training, the folder of a training: lock, states, log."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import filelock
import torch

from styler.errors import CheckpointError, OutputError, is_shortage
from styler.storage import disk, pickles
from styler.storage.names import STATES, display

LAST, PREVIOUS = "last.pt", "previous.pt"
"""States: the last one and the one before, so that a broken write never costs the run."""
LOCK, OWNER = ".lock", ".pid"
LOG = "log.jsonl"
_END = ".diverged"
"""What a training that diverged leaves for the processes that torchrun starts again."""

Entry = Mapping[str, Any]


def folder_for(output: Path | str) -> Path:
    """The folder of the training whose network is written to `output`."""
    return Path(f"{output}{STATES}")


def refuse_links(folder: Path, maker: str) -> None:
    """Raise OutputError where a folder that a `maker` writes into is a link, or has links in it."""
    inside = folder.iterdir() if folder.is_dir() else ()
    if link := next((path for path in (folder, *inside) if path.is_symlink()), None):
        raise OutputError(f"{display(link)} is a link, which no {maker} makes: move it away")


@contextlib.contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Be the only process that trains in `folder`, which is made, and removed if nothing is left in it.

    Raises:
        OutputError: if another process trains there, with its number; if the folder cannot be written, is a
            link or has links, through which other files would be.
    """
    try:
        refuse_links(folder, "training")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{display(folder)} cannot be made: {error.strerror}") from error
    owner, file = folder / OWNER, filelock.FileLock(folder / LOCK)
    try:
        file.acquire(timeout=0)
    except filelock.Timeout as error:
        raise OutputError(
            f"process {_read_owner(owner)} is training with {display(folder)}: "
            "wait for it, stop it, or choose another --output"
        ) from error
    except (OSError, NotImplementedError):
        yield  # a file system without locks
        return
    try:
        disk.write(owner, str(os.getpid()).encode())
        yield
    finally:
        owner.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # Windows does not remove an open file
            (folder / LOCK).unlink(missing_ok=True)
        file.release()
        with contextlib.suppress(OSError):  # something is in it
            folder.rmdir()


def _read_owner(file: Path) -> str:
    try:
        return display(file.read_text("ascii"))
    except (OSError, ValueError):
        return "of unknown number"


# States


def save_state(folder: Path | str, state: Mapping[str, Any]) -> None:
    """Write tensors, numbers, texts and containers of these; the last state becomes the previous one.

    Raises:
        OutputError: if the folder cannot be written.
    """
    last = Path(folder) / LAST
    last.parent.mkdir(parents=True, exist_ok=True)
    if last.exists():
        last.replace(last.with_name(PREVIOUS))
    with disk.atomic(last) as file:
        torch.save(dict(state), file)


def has_state(folder: Path | str) -> bool:
    """Whether there is a state, readable or not."""
    return any((Path(folder) / name).is_file() for name in (LAST, PREVIOUS))


def remove_states(folder: Path | str) -> None:
    """Remove the states, and the folder if nothing else is in it."""
    for name in (LAST, PREVIOUS):
        (Path(folder) / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # not there, or something else is in it
        Path(folder).rmdir()


def note_end(folder: Path | str, message: str) -> None:
    """Leave word for processes of the same parent that the training in `folder` has diverged."""
    disk.write(Path(folder) / _END, json.dumps([os.getppid(), message]).encode())


def noted_end(folder: Path | str) -> str:
    """The message of `note_end` by a process of the same parent; "" without one."""
    try:
        parent, message = json.loads((Path(folder) / _END).read_bytes())
    except (OSError, ValueError):
        return ""
    return str(message) if parent == os.getppid() else ""


def forget_end(folder: Path | str) -> None:
    """Remove the word that `note_end` left."""
    (Path(folder) / _END).unlink(missing_ok=True)


def load_state(folder: Path | str) -> dict[str, Any]:
    """Load the last state that can be read; no code in it is run.

    Raises:
        CheckpointError: if there is none.
    """
    reason, advice = "there is none", "start without --resume"
    for name in (LAST, PREVIOUS):
        path = Path(folder) / name
        if not path.is_file():
            continue
        try:
            with disk.open_input(path) as file:
                return dict(pickles.load(file))
        except Exception as error:  # decoding a foreign file: torch raises a dozen kinds
            if is_shortage(error):
                raise
            reason = f"{name} is damaged: {type(error).__name__}"
            advice = "start again with --overwrite instead of --resume"
    raise CheckpointError(f"no training state in {display(folder)} ({reason}): {advice}")


# The log


class Log:
    """Log of a training or a painting: one JSON object a line, with its `step` and maybe `losses`.

    Args:
        folder: in which it is.
        done: steps done. Entries of later steps, which an interrupted run had logged, are removed, as those
            steps are done again: no step is logged twice.
        name: of the file.

    Raises:
        OutputError: if the file cannot be written.
    """

    def __init__(self, folder: Path, done: int = 0, name: str = LOG) -> None:
        self.path = folder / name
        self.entries: list[Entry] = [entry for entry in _read_entries(self.path) if entry["step"] <= done]
        disk.write(self.path, "".join(map(_line, self.entries)).encode())

    def add(self, entry: Entry) -> None:
        """Append an entry; raises OutputError."""
        self.entries.append(entry)
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_line(entry))
        except OSError as error:
            raise OutputError(f"{display(self.path)} cannot be written: {error.strerror}") from error

    @property
    def last(self) -> Entry:
        """The newest entry with losses; one of step 0 if somebody has removed the file."""
        return self.before(sys.maxsize)

    def before(self, step: int) -> Entry:
        """The newest entry with losses up to a step, as `last`."""
        entries = (e for e in reversed(self.entries) if "losses" in e and e["step"] <= step)
        return next(entries, {"step": 0, "losses": {}, "seconds": 0.0})

    def curves(self) -> dict[str, list[tuple[float, float]]]:
        """Losses by name, their total first, as points (step, value)."""
        curves: dict[str, list[tuple[float, float]]] = {"total": []}
        for step, losses in self.values("losses"):
            for name, value in {"total": sum(losses.values()), **losses}.items():
                curves.setdefault(name, []).append((step, value))
        return curves

    def values(self, key: str) -> list[tuple[int, Any]]:
        """Steps and values of the entries that have `key`."""
        return [(entry["step"], entry[key]) for entry in self.entries if key in entry]


def _line(entry: Entry) -> str:
    return json.dumps(entry) + "\n"


def _read_entries(path: Path) -> list[dict[str, Any]]:
    """Entries of a log, up to the first broken line: a killed process leaves half of one."""
    entries: list[dict[str, Any]] = []
    if not path.is_file():
        return entries
    with disk.open_input(path) as file:
        for line in file.read().decode(errors="replace").splitlines():
            try:
                entry = json.loads(line)
                losses = {"losses": dict(entry["losses"])} if "losses" in entry else {}
                entries.append({**entry, "step": int(entry["step"]), **losses})
            except (ValueError, KeyError, TypeError):
                break
    return entries
