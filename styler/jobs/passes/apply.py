"""One pass of a trained network over many inputs, pictures and videos. Generators of events."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from styler.errors import InputError
from styler.events import Event
from styler.jobs.batch import Selection, Summary, select, work
from styler.jobs.passes import films, pictures
from styler.jobs.passes.pictures import Session
from styler.jobs.recipes import Record, prove
from styler.options.shared import PassOptions
from styler.storage import disk, inputs
from styler.storage.films.parts import is_unfinished
from styler.storage.films.video import open_video
from styler.storage.inputs import Job
from styler.storage.names import display


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
