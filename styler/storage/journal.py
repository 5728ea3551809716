"""The log of a training: one JSON object a line, added to as it goes and read again when it goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from styler.errors import OutputError
from styler.storage import disk
from styler.storage.names import display

Entry = Mapping[str, Any]


class Journal:
    """A file of entries, each with its `step` and maybe `losses`; `entries` are all that are in it.

    Args:
        path: of the file, whose folder is there.
        done: steps that the training has done. What an interrupted run has told of later ones goes, as those
            are done again; so no step is told twice.

    Raises:
        OutputError: if the file cannot be written.
    """

    def __init__(self, path: Path, done: int = 0) -> None:
        self.path = path
        self.entries: list[Entry] = [entry for entry in _read(path) if entry["step"] <= done]
        disk.write(path, "".join(map(_line, self.entries)).encode())

    def add(self, entry: Entry) -> None:
        """Write one more line; raises OutputError."""
        self.entries.append(entry)
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_line(entry))
        except OSError as error:
            raise OutputError(f"{display(self.path)} cannot be written: {error.strerror}") from error

    @property
    def last(self) -> Entry:
        """The newest entry that tells losses; one of no step if somebody has removed the file."""
        told = (entry for entry in reversed(self.entries) if "losses" in entry)
        return next(told, {"step": 0, "losses": {}, "seconds": 0.0})

    def curves(self) -> dict[str, list[tuple[float, float]]]:
        """The losses by name, and their total first, as points (step, value)."""
        found: dict[str, list[tuple[float, float]]] = {"total": []}
        for step, losses in self.told("losses"):
            for name, value in {"total": sum(losses.values()), **losses}.items():
                found.setdefault(name, []).append((step, value))
        return found

    def told(self, key: str) -> list[tuple[int, Any]]:
        """What the entries that have `key` say there, each with its step."""
        return [(entry["step"], entry[key]) for entry in self.entries if key in entry]


def _line(entry: Entry) -> str:
    return json.dumps(entry) + "\n"


def _read(path: Path) -> list[dict[str, Any]]:
    """The entries of a log, up to the first line that is none: a killed process leaves half of one."""
    found: list[dict[str, Any]] = []
    if not path.is_file():
        return found
    with disk.open_input(path) as file:
        for line in file.read().decode(errors="replace").splitlines():
            try:
                entry = json.loads(line)
                losses = {"losses": dict(entry["losses"])} if "losses" in entry else {}
                found.append({**entry, "step": int(entry["step"]), **losses})
            except (ValueError, KeyError, TypeError):
                break
    return found
