"""Batches of inputs: plan, share out, skip, go on after failures, sum up. Generators of events."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

from styler.errors import DeviceError, OutputError, is_shortage
from styler.events import Event, Item, Note, Result
from styler.jobs.recipes import Record
from styler.options.shared import BatchOptions
from styler.storage import disk, inputs
from styler.storage.inputs import Job, Plan
from styler.storage.names import display

Doer = Callable[[Job], Generator[Event, None, Record]]
"""Does one job, and returns its record."""


@dataclass(frozen=True)
class Summary:
    """Numbers of inputs: done, skipped as their output exists, failed, and not begun."""

    done: int = 0
    skipped: int = 0
    failed: int = 0
    left: int = 0

    @property
    def exit_code(self) -> int:
        """1 if an input failed, else 0; a skipped one is no failure."""
        return int(self.failed > 0)

    def __str__(self) -> str:
        parts = {
            "done": self.done,
            "skipped (their outputs exist)": self.skipped,
            "failed": self.failed,
            "not begun": self.left,
        }
        return ", ".join(f"{count} {what}" for what, count in parts.items() if count or what == "done")


@dataclass(frozen=True)
class Selection:
    """This process's share of a plan.

    Attributes:
        jobs: to do.
        skipped: how many are finished already.
        many: whether it is a batch, in which a job may fail alone, even if it is a batch of one.
        notes: about inputs that are left out.
    """

    jobs: tuple[Job, ...]
    skipped: int
    many: bool
    notes: tuple[str, ...]


def select(plan: Plan, options: BatchOptions, finished: Callable[[Job], bool]) -> Selection:
    """The jobs of this process's share of a plan that are not finished.

    Raises InputError for a shard that is none.
    """
    jobs, notes = inputs.part(plan.jobs, options.shard, *process()), plan.notes
    if len(jobs) < len(plan.jobs):
        notes += (f"{len(jobs)} of {len(plan.jobs)} inputs are in this part",)
    todo = tuple(job for job in jobs if job.problem or not finished(job))
    return Selection(todo, len(jobs) - len(todo), plan.many, notes)


def process() -> tuple[int, int]:
    """Number of this process and of all, as torchrun says; (0, 1) without it."""
    if not {"TORCHELASTIC_RUN_ID", "RANK"} <= os.environ.keys():
        return 0, 1
    return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])


def work(selection: Selection, do: Doer, stop: Callable[[], bool]) -> Generator[Event, None, Summary]:
    """Do the jobs one after another; of many, one that fails has a Result too, and the next is begun."""
    jobs, done, failed = selection.jobs, 0, 0
    for text in selection.notes:
        yield Note(text)
    for index, job in enumerate(jobs, 1):
        if selection.many:
            if stop():
                break
            yield Item(index, len(jobs), display(job.source))
        try:
            if job.problem:
                raise OutputError(job.problem)
            record = yield from do(job)
            done += 1
        except Exception as error:
            if not selection.many or _ends_all(error, job):
                raise
            record, failed = _failure(job, error), failed + 1
        yield Result(record)
    return Summary(done, selection.skipped, failed, len(jobs) - done - failed)


def _ends_all(error: Exception, job: Job) -> bool:
    """Whether an error would come again with each input: the disk is full, or the folder not writable."""
    if not isinstance(error, OutputError):
        return False
    if getattr(error.__cause__, "errno", None) in disk.FULL:
        return True
    try:
        disk.prove_writable(job.target, overwrite=True)
    except OutputError:
        return not Path(job.target).is_dir()
    return False


def _failure(job: Job, error: Exception) -> Record:
    """Record of an input that failed."""
    if is_shortage(error):
        error = DeviceError("out of memory: use a smaller --size")
    text = " ".join(str(error).split())
    message = text if display(job.source) in text else f"{display(job.source)}: {text}"
    return {"input": job.source, "output": None, "error": type(error).__name__, "message": message}
