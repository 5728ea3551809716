"""What a training does in one process or in several: who claims its folder, who talks, what all have lost."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from styler.engine.fit import TrainingState
from styler.errors import OutputError
from styler.events import Event, TrainStep, relay
from styler.jobs.training import run as resuming
from styler.processes import Group
from styler.storage import disk, runs
from styler.storage.names import display

WORKERS = 8
"""Threads that decode pictures, at most; a core decodes about 200 a second."""
SUFFIX = ".safetensors"


@contextlib.contextmanager
def claimed(
    output: str, inputs: Sequence[Path | str], group: Group, resume: bool, overwrite: bool
) -> Iterator[None]:
    """Prove that a network can be written to `output` and nothing is lost by it; the main process does so.

    Raises:
        OutputError: if it cannot, if it is one of `inputs`, or if another training is there.
    """
    if not group.main:
        yield
        return
    if Path(output).suffix.lower() != SUFFIX:
        raise OutputError(f"{display(output)} must end in {SUFFIX}, as trained networks do")
    disk.prove_writable(output, overwrite=overwrite, inputs=inputs)
    states = resuming.folder_for(output)
    with resuming.claimed(states):
        if not resume and not group.restarts:
            resuming.begin(states, overwrite)
        yield


def told(run: Generator[Event, None, dict[str, Any]], group: Group) -> Generator[Event, None, dict[str, Any]]:
    """Pass on what a run yields and returns, if this process is the one that talks."""
    with contextlib.closing(run):
        record = yield from relay(run, lambda event: (event,) if group.main else ())
    return record if group.main else {}


def averaged(
    run: Generator[TrainStep | TrainingState, None, TrainingState], group: Group
) -> Generator[TrainStep | TrainingState, None, TrainingState]:
    """Pass on what a training yields, with the means of all processes' losses for this one's."""

    def answer(event: TrainStep | TrainingState) -> Iterator[TrainStep | TrainingState]:
        if isinstance(event, TrainStep) and event.losses:
            event = dataclasses.replace(event, losses=group.mean(event.losses))
        yield event

    return relay(run, answer)


def workers(group: Group) -> int:
    """How many threads of a process decode: in all processes together about one for each core."""
    return min(WORKERS, max(2, (os.cpu_count() or 2) // group.size))


def saved(
    states: Path, made_of: Mapping[str, object], command: str, group: Group, resume: bool
) -> resuming.Saved | None:
    """The state to go on from, if there is one and it is wanted, as `resuming.found`."""
    if resume or (group.restarts and runs.exists(states)):
        return resuming.found(states, made_of, command)
    return None
