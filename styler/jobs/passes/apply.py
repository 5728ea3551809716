"""One pass of a trained network over many pictures and videos, and forecasts. Generators of events."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from styler.device import gigabytes
from styler.errors import InputError
from styler.events import Event, Note
from styler.image.levels import to_levels
from styler.image.palette import Labels
from styler.image.size import Size, resize, size_of
from styler.jobs.batch import Selection, Summary, select, work
from styler.jobs.passes import videos
from styler.jobs.recipes import Record, check_size, forecast_of, output_size, prove, record_of, source_of
from styler.jobs.records import open_picture, own_size, recipe_of, save
from styler.options.fields import OutputSize
from styler.options.shared import PassOptions, Precision
from styler.storage import disk, inputs
from styler.storage.inputs import STREAM, Job
from styler.storage.names import display
from styler.storage.pictures.load import Picture, load_picture
from styler.storage.videos.footage import Frame
from styler.storage.videos.parts import is_unfinished, sweep
from styler.storage.videos.video import Video, open_video
from styler.tasks.onepass import SAMPLE, OnePass, budgeted, formed, shrunk

_LABELLED = 0.5
"""Share of pixels of a label's color below which a picture is hardly a label picture."""

Make = Callable[[Picture, OnePass], Generator[Event, None, Picture]]
"""Makes the finished picture of one that has the output's size."""


@dataclass(eq=False)
class Session:
    """A trained network at work for a command.

    Attributes:
        command: its name.
        model: name and sha256 of the network, for recipes.
        certain: options that recipes always have.
        options: of the command.
        network: the pass that the command wants, with a memory budget and in the last picture's number type.
        make: for pictures that need more than the pass.
        adapt: gives the pass for inputs of a (height, width), which are seen at their own size then.
        passes: how often the network goes over each picture.
        sources: files that all pictures are made of, and that none may replace.
        labels: in whose colors the network is to see pictures, if it takes label pictures.
        seconds: for each pixel, once measured.
    """

    command: str
    model: Mapping[str, str]
    certain: Mapping[str, object]
    options: PassOptions
    network: OnePass
    make: Make | None = None
    adapt: Callable[[Size], OnePass] | None = None
    passes: int = 1
    sources: Sequence[str] = ()
    labels: Labels | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        """Set the budget."""
        self.network = budgeted(self.network, self.options.memory)

    @property
    def wanted(self) -> OutputSize:
        """Size at which inputs are seen, None for their own."""
        return None if self.adapt else self.options.size

    def seen(self, own: Size) -> Size:
        """(height, width) at which the network sees an input; InputError for an output that is too large."""
        size = output_size(own, self.wanted, self.options)
        if self.adapt:
            self.network = replace(self.adapt(own), budget=self.network.budget)
        check_size(self.network.output(size), self.options)
        return size

    def open(self, source: str) -> Generator[Event, None, Picture]:
        """Load a picture at the size at which the network sees it."""
        picture = yield from open_picture(source, self.options, None if self.labels else self.wanted)
        size = self.seen(size_of(picture.image))
        if self.labels is None:
            return replace(picture, image=resize(picture.image, size))
        image, share = self.labels.pure(picture.image, picture.alpha, size)
        yield from self.doubts(picture.name, share)
        return replace(picture, image=image, alpha=None)

    def open_video(self, path: Path) -> Video:
        """Open a video whose frames come at the size at which the network sees them."""
        video, labels = open_video(path, self.wanted, self.options.max_pixels), self.labels
        self.seen(video.size)
        if labels is None:
            return video

        def pure(frame: Frame, size: Size) -> Frame:
            return replace(frame, image=labels.pure(frame.image, frame.alpha, size)[0], alpha=None)

        return replace(video, resized=pure)

    def doubts(self, name: str, share: float) -> Generator[Event, None, None]:
        """Say so if only that share of a picture's pixels have about the color of a label, as of a photo."""
        if self.labels and share < _LABELLED:
            yield Note(
                f"{display(name)}: {share:.0%} of the pixels have about the color of a label, and "
                f"{self.model['name']} takes pictures of nothing but {', '.join(self.labels.names)}"
            )

    def suit(
        self, sample: Tensor | None, pixels: float = math.inf, precision: Precision | None = None
    ) -> OnePass:
        """The pass in the number type for an input of so many pixels, and a sample [1, 3, H, W] of it.

        `precision`, if given, takes the place of the options'.
        """
        wanted = precision or self.options.precision
        self.network = formed(self.network, wanted, sample, pixels * self.passes)
        return self.network

    def pace(self, sample: Tensor | None) -> float:
        """Seconds for each pixel, measured on the first sample."""
        if self.seconds is None:
            assert sample is not None
            network, piece = self.network, shrunk(sample)
            network(piece)  # the first time takes longer
            begun = time.monotonic()
            network(piece)
            self.seconds = self.passes * (time.monotonic() - begun) / (piece.shape[-2] * piece.shape[-1])
        return self.seconds

    def recipe(self, **entries: object) -> Record:
        """Recipe of a picture."""
        certain = {**self.certain, "precision": self.network.form.precision}
        return recipe_of(self.command, self.options, certain, model=self.model, **entries)

    def notes(self, name: str, size: Size) -> Generator[Event, None, None]:
        """Show what the pass has noted since the last time, and that it left an input of that size small."""
        if self.network.shrinks(size):
            yield Note(f"{display(name)} is {size[1]} x {size[0]} already, so it is not enlarged")
        while self.network.budget.notes:
            yield Note(self.network.budget.notes.pop(0))


def unfinished(sources: Sequence[str], output: str | None, label: str, options: PassOptions) -> Selection:
    """The pictures and videos that a network is to work on; where killed runs left a part hidden, it goes.

    Args:
        sources: files, folders, globs and "-".
        output: file, folder or "-", see `inputs.plan`.
        label: what distinguishes an output's name from the input's.
    """
    plan = inputs.plan(sources, output, label)
    if not options.dry_run:
        for job in plan.jobs:
            if job.video:
                sweep(job.target)
    batch = plan.many or options.dry_run or options.resume
    return select(plan, options, lambda job: batch and _finished(job, options))


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
    return work(selection, partial(_do, session=session, many=selection.many, stop=stop), stop)


def _finished(job: Job, options: PassOptions) -> bool:
    """Whether a job's output exists and is to be left alone."""
    return not _replaces(job, options) and Path(job.target).exists()


def prove_target(job: Job, options: PassOptions, sources: Sequence[str]) -> None:
    """Raise OutputError unless the job's output can be written, and is none of the files it is made of."""
    prove(job.target, _replaces(job, options), [job.source, *sources])


def _replaces(job: Job, options: PassOptions) -> bool:
    """Whether an output that exists is to be replaced: if asked, or if it is an unfinished video."""
    return options.overwrite or (job.video and is_unfinished(job.target))


def _do(job: Job, session: Session, many: bool, stop: Callable[[], bool]) -> Generator[Event, None, Record]:
    """Events of one job, after what can be checked before it is begun."""
    if job.video and session.passes > 1:
        raise InputError(f"{display(job.source)} is a video, and only pictures have --samples")
    if not session.options.dry_run:
        prove_target(job, session.options, session.sources)
    return _apply_to_video(job, session, many, stop) if job.video else _apply_to_picture(job, session)


def _apply_to_picture(job: Job, session: Session) -> Generator[Event, None, Record]:
    """Load a picture, let the network work on it and save the result, or with `dry_run` forecast that."""
    begun, options = time.monotonic(), session.options
    if options.dry_run:
        return _forecast_picture(job, session)
    picture = yield from session.open(job.source)
    height, width = size = size_of(picture.image)
    network = session.suit(picture.image, height * width)
    if session.make:
        picture = yield from session.make(picture, network)
    else:
        output = network.run(network.prepared(picture.image))
        image = network.finish(picture.image, output)
        if torch.equal(to_levels(image), to_levels(picture.image)):
            yield Note(f"{display(job.source)}: the result is the input, to the last level")
        picture = replace(picture, image=image)
    if network.after:
        picture = replace(picture, image=network.after(picture.image))
    yield from session.notes(job.source, size)
    size = size_of(picture.image)
    recipe = session.recipe(content=source_of(picture), size=[size[1], size[0]])
    save(job.target, picture.image, recipe, options, picture)
    return record_of(job.source, job.target, options, network.device, begun, [size])


def _apply_to_video(
    job: Job, session: Session, many: bool, stop: Callable[[], bool]
) -> Generator[Event, None, Record]:
    """Let a network work on a video, or with `dry_run` forecast it; returns its record.

    Of many, one that was interrupted is gone on with, as all that is done is skipped.
    """
    options, target = session.options, Path(job.target)
    if many and not options.overwrite:
        options = replace(options, resume=True)
    video = session.open_video(Path(job.source))
    frame = video.sample()
    if session.labels:
        yield from session.doubts(job.source, session.labels.pure(frame, None, size_of(frame))[1])
    if options.dry_run:
        return _forecast(job, session, video.size, frame, video.count)
    content = {"name": video.path.name, "sha256": disk.sha256_of(video.path)}
    network = session.suit(frame, precision=videos.precision_begun(target, options))
    record = yield from videos.apply(video, target, network, options, session.recipe(content=content), stop)
    yield from session.notes(job.source, video.size)
    return record


# Dry runs


def _forecast_picture(job: Job, session: Session) -> Record:
    """Forecast of a picture, by its header; the first one is timed, and seen small."""
    options = session.options
    if job.source == STREAM:  # which can be read once only
        image = load_picture(job.source, max_pixels=options.max_pixels).image
        return _forecast(job, session, session.seen(size_of(image)), image)
    size, sample = session.seen(own_size(job.source, options)), None
    if session.seconds is None:
        sample = load_picture(job.source, max_pixels=options.max_pixels, long_side=SAMPLE).image
    return _forecast(job, session, size, sample)


def _forecast(job: Job, session: Session, size: Size, sample: Tensor | None, frames: int = 1) -> Record:
    """Forecast of a picture, or of a video of so many frames: size, strips, memory and time."""
    pixels = frames * size[0] * size[1]
    rows, needed = session.suit(sample, pixels).plan(*size)
    seconds = pixels * session.pace(sample)
    output = session.network.output(size)
    facts = [f"{output[1]} x {output[0]}"]
    if job.video:
        facts.append(f"{frames} frames")
    if session.passes > 1:
        facts.append(f"a sheet of {session.passes} such")
    facts.append(f"strips of {rows} rows" if rows < size[0] else "whole")
    return forecast_of(job, [output], [*facts, *gigabytes(needed), f"about {seconds:.1f} s"])
