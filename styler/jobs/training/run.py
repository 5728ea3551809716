"""What surrounds every training: states are saved and found again, and nobody else may interfere."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from styler.engine.fit import TrainingState
from styler.errors import CheckpointError, InputError, OutputError
from styler.events import Event, Note, relay
from styler.options.shared import TrainingOptions
from styler.storage import disk, runs
from styler.storage.datasets.photos import Pictures
from styler.storage.datasets.photos import skipped as told
from styler.storage.names import STATES, display

LOCK, OWNER = ".lock", ".pid"
BESIDE = "beside"


def folder_for(output: str) -> Path:
    """Where a training keeps its states until it is done."""
    return Path(f"{output}{STATES}")


def frozen(options: TrainingOptions) -> dict[str, Any]:
    """The options that a resumed run must have too."""
    return {f.name: getattr(options, f.name) for f in dataclasses.fields(options) if f.metadata["recipe"]}


@dataclass(frozen=True)
class Saved:
    """A state to go on from, and what the run had kept beside it."""

    state: TrainingState
    beside: Mapping[str, Any]


def nothing() -> dict[str, Any]:
    """What a run keeps beside its state that needs no more than that."""
    return {}


def saving(
    run: Generator[Any, None, Any],
    states: Path,
    made_of: Mapping[str, Any],
    beside: Callable[[], Mapping[str, Any]] = nothing,
) -> Generator[Event, None, Any]:
    """Pass events on and write each TrainingState that comes between them, with what the run is made of.

    `beside` is asked at each state for what else is to be kept with it: tensors, numbers, texts and
    containers of these.
    """

    def saved(event: Event | TrainingState) -> Iterator[Event]:
        if isinstance(event, TrainingState):
            runs.save_state(states, {**vars(event), **made_of, BESIDE: dict(beside())})
        else:
            yield event

    try:
        return (yield from relay(run, saved))
    except OutputError as error:
        if not runs.exists(states):
            raise
        raise OutputError(f"{error}, then go on with --resume") from error


def found(states: Path, made_of: Mapping[str, Any], command: str) -> Saved:
    """The last state in a folder, if its run was made of the same.

    Raises:
        CheckpointError: if there is none, or another command's.
        InputError: if something differs; names it.
    """
    saved = runs.load_state(states)
    beside = saved.pop(BESIDE, {})
    for name, value in made_of.items():
        if saved.pop(name, None) != value:
            raise InputError(
                f"{display(states)} was made with other {name}; repeat those, or leave --resume out"
            )
    try:
        return Saved(TrainingState(**saved), beside)
    except TypeError as error:
        raise CheckpointError(f"{display(states)} holds no state of {command}") from error


def begin(states: Path, overwrite: bool) -> None:
    """Start anew in a folder; raises OutputError if a state would be lost by it, or removes that."""
    if not runs.exists(states):
        return
    if not overwrite:
        raise OutputError(
            f"{display(states)} holds a training that was interrupted: "
            "go on with --resume, or start again with --overwrite"
        )
    runs.discard(states)


def stopped(states: Path) -> Note:
    """What to tell of a run that ended early."""
    return Note(f"stopped; go on with --resume (the state is in {display(states)})")


def skipped(parts: Sequence[Pictures]) -> Generator[Event, None, None]:
    """Tell of pictures that could not be used, if there are any."""
    if text := told(parts):
        yield Note(text)


@contextmanager
def claimed(states: Path) -> Iterator[None]:
    """Be the only process that trains with this folder, which is made if it is not there.

    Raises:
        OutputError: if another one does; tells which. Or if the folder cannot be written.
    """
    try:
        states.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{display(states)} cannot be made: {error.strerror}") from error
    owner, lock = states / OWNER, filelock.FileLock(states / LOCK)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise OutputError(
            f"process {_owner(owner)} is training with {display(states)}: "
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
            (states / LOCK).unlink(missing_ok=True)
        lock.release()
        with contextlib.suppress(OSError):  # something is in it
            states.rmdir()


def _owner(file: Path) -> str:
    try:
        return display(file.read_text("ascii"))
    except (OSError, ValueError):
        return "of unknown number"
