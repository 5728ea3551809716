"""Batches of inputs: plan, share out, skip, go on after failures, sum up. Generators of events."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from styler import processes
from styler.device import is_shortage
from styler.errors import DeviceError, InputError, OutputError
from styler.events import Event, Item, Note, Result
from styler.jobs import films, pictures
from styler.jobs.pictures import Session
from styler.jobs.records import Record, prove
from styler.options.shared import BatchOptions, PassOptions
from styler.storage import disk, inputs
from styler.storage.films.encode import is_unfinished
from styler.storage.films.video import open_video
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
    if not processes.launched():
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


# One pass of a trained network


def unfinished(sources: Sequence[str], output: str | None, label: str, options: PassOptions) -> Selection:
    """The pictures and videos that a network is to work on.

    Args:
        sources: files, folders, globs and "-".
        output: file, folder or "-", see `inputs.plan`.
        label: what distinguishes an output's name from the input's.
    """
    plan = inputs.plan(sources, output, label)
    batch = plan.many or options.dry_run or options.resume
    return select(plan, options, lambda job: batch and finished(job, options))


def apply(
    selection: Selection, session: Session, stop: Callable[[], bool]
) -> Generator[Event, None, Summary]:
    """Let a network work on pictures, folders of pictures and videos; a Result for each.

    Args:
        selection: as of `unfinished`.
        session: the network; with `dry_run` nothing is written, and the Results are forecasts.
        stop: asked between pictures and between frames; once true, the picture in hand is finished.

    Raises:
        StylerError: for one input, what is wrong with it. For many, only what would stop all of them;
            what is wrong with one is in its Result, as `error` and `message`.
    """
    return work(selection, partial(do, session=session, many=selection.many, stop=stop), stop)


def finished(job: Job, options: PassOptions) -> bool:
    """Whether a job's output exists and is to be left alone."""
    return not _replaces(job, options) and Path(job.target).exists()


def prove_target(job: Job, options: PassOptions, sources: Sequence[str]) -> None:
    """Raise OutputError unless the job's output can be written, and is none of the files it is made of."""
    prove(job.target, _replaces(job, options), [job.source, *sources])


def _replaces(job: Job, options: PassOptions) -> bool:
    """Whether an output that exists is to be replaced: if asked, or if it is an unfinished video."""
    return options.overwrite or (job.film and is_unfinished(job.target))


def do(job: Job, session: Session, many: bool, stop: Callable[[], bool]) -> Generator[Event, None, Record]:
    """Events of one job, after what can be checked before it is begun."""
    if job.film and session.passes > 1:
        raise InputError(f"{display(job.source)} is a video, and only pictures have --samples")
    if not session.options.dry_run:
        prove_target(job, session.options, session.sources)
    return _apply_to_video(job, session, many, stop) if job.film else pictures.apply(job, session)


def _apply_to_video(
    job: Job, session: Session, many: bool, stop: Callable[[], bool]
) -> Generator[Event, None, Record]:
    """Let a network work on a video, or with `dry_run` forecast it; returns its record.

    Of many, one that was interrupted is gone on with, as all that is done is skipped.
    """
    options, target = session.options, Path(job.target)
    if many and not options.overwrite:
        options = replace(options, resume=True)
    video = open_video(Path(job.source), session.wanted, options.max_pixels)
    frame = video.sample()
    session.seen(video.size)
    if options.dry_run:
        return pictures.forecast(job, session, video.size, frame, video.count)
    content = {"name": video.path.name, "sha256": disk.sha256_of(video.path)}
    network = session.suit(frame, precision=films.precision_begun(target, options))
    record = yield from films.apply(video, target, network, options, session.recipe(content=content), stop)
    yield from session.notes()
    return record
