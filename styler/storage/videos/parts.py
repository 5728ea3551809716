"""The folder TARGET.parts, which holds what an interrupted video goes on from."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from styler.errors import OutputError
from styler.storage import disk
from styler.storage.names import display, fit_name

IDENTITY = "film.json"
"""The file that says which video the parts are of."""


def parts_of(target: Path | str) -> Path:
    """The folder beside `target` that holds its parts while it is unfinished."""
    path = Path(target)
    return path.with_name(fit_name(path.name, ".parts"))


def is_unfinished(target: Path | str) -> bool:
    """Whether parts lie beside `target`, so that what is there may be replaced."""
    return parts_of(target).exists() and not Path(target).is_symlink()


def sweep(target: Path | str) -> None:
    """Remove what is left where a run was killed while it removed the parts of `target`."""
    shutil.rmtree(_removed(parts_of(target)), ignore_errors=True)


def identity_of(target: Path | str) -> dict[str, Any]:
    """The identity of the parts beside `target`, see `claim`; empty if there is none to read."""
    try:
        identity = json.loads((parts_of(target) / IDENTITY).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return identity if isinstance(identity, dict) else {}


def claim(target: Path | str, identity: Mapping[str, Any], *, resume: bool, overwrite: bool) -> Path:
    """The folder beside `target`, made if need be, for the video of an identity in plain JSON values.

    Raises OutputError if there are parts of an interrupted run and neither `resume` nor `overwrite` says what
    to do with them, if their identity is another one, or if something else is in the way.
    """
    folder, identity = parts_of(target), json.loads(json.dumps(identity))
    name, note = display(folder), folder / IDENTITY
    sweep(target)
    if folder.is_symlink() or (folder.exists() and not note.exists() and _is_foreign(folder)):
        raise OutputError(f"{name} is in the way and not of an interrupted video: move it away")
    if note.exists() and not resume:
        if not overwrite:
            raise OutputError(f"{name} is left of an interrupted run: add --resume to go on, or --overwrite")
        remove(folder)
    if note.exists():
        _compare(target, identity)
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{name} cannot be made ({error.strerror}): choose another --output") from error
    disk.write(note, json.dumps(identity, indent=1).encode())
    return folder


def _is_foreign(folder: Path) -> bool:
    """Whether a folder without identity has more in it than the half-written one of a killed run."""
    return any(not path.name.startswith(f".{IDENTITY}.") for path in folder.iterdir())


def remove(folder: Path) -> None:
    """Remove a folder of parts; wherever a kill comes, it is there whole or not at all."""
    with contextlib.suppress(OSError):
        folder.rename(_removed(folder))
    shutil.rmtree(_removed(folder), ignore_errors=True)


def _removed(folder: Path) -> Path:
    """The hidden name under which a folder is removed."""
    return folder.with_name(fit_name(f".{folder.name}", ".removed"))


def _compare(target: Path | str, identity: Mapping[str, Any]) -> None:
    """Raise OutputError if the parts beside `target` have another identity."""
    if different := sorted(_differences(identity_of(target), identity)):
        raise OutputError(
            f"{display(parts_of(target))} was begun with another {', '.join(different)}: "
            "repeat that command with --resume, or start anew with --overwrite and no --resume"
        )


def _differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    """Keys, of nested mappings too, whose values differ."""
    for key in {*one, *other}:
        a, b = one.get(key), other.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            yield from _differences(a, b)
        elif a != b:
            yield key
