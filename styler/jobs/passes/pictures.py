"""One picture through a trained network, and forecasts of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from styler.device import gigabytes
from styler.events import Event, Note
from styler.image.levels import to_levels
from styler.image.size import Size, long_side, resize
from styler.jobs.recipes import Record, check_size, forecast_of, output_size, record_of, source_of
from styler.jobs.records import recipe_of, save
from styler.options.fields import OutputSize
from styler.options.shared import OutputOptions, PassOptions, Precision
from styler.storage.inputs import STREAM, Job
from styler.storage.names import display
from styler.storage.pictures.load import Picture, load_picture, measure
from styler.tasks.onepass import SAMPLE, OnePass, budgeted, formed, shrunk

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
        certain = {**self.certain, "precision": precision_name(self.network.form.dtype)}
        return recipe_of(self.command, self.options, certain, model=self.model, **entries)

    def notes(self) -> Generator[Event, None, None]:
        """Show what the pass has noted since the last time."""
        while self.network.budget.notes:
            yield Note(self.network.budget.notes.pop(0))


def precision_name(dtype: torch.dtype) -> str:
    """A number type as `--precision` takes it."""
    return str(dtype).removeprefix("torch.")


def apply(job: Job, session: Session) -> Generator[Event, None, Record]:
    """Load a picture, let the network work on it and save the result, or with `dry_run` forecast that."""
    begun, options = time.monotonic(), session.options
    if options.dry_run:
        return _forecast_picture(job, session)
    picture = yield from open_picture(job.source, options, session.wanted)
    height, width = size = session.seen(size_of(picture.image))
    picture = replace(picture, image=resize(picture.image, size))
    network = session.suit(picture.image, height * width)
    if session.make:
        picture = yield from session.make(picture, network)
    else:
        output = network.run(network.prepare(picture.image))
        image = network.finish(picture.image, output)
        if torch.equal(to_levels(image), to_levels(picture.image)):
            yield Note(f"{display(job.source)}: the result is the input, to the last level")
        picture = replace(picture, image=image)
    if network.after:
        picture = replace(picture, image=network.after(picture.image))
    yield from session.notes()
    size = size_of(picture.image)
    recipe = session.recipe(content=source_of(picture), size=[size[1], size[0]])
    save(job.target, picture.image, recipe, options, picture)
    return record_of(job.source, job.target, options, network.device, begun, [size])


def open_picture(source: str, options: OutputOptions, wanted: OutputSize) -> Generator[Event, None, Picture]:
    """Load a picture, shrunk as it is read to what an output of the wanted size needs; notes its warnings."""
    picture = load_picture(source, max_pixels=options.max_pixels, long_side=long_side(wanted))
    for text in picture.warnings:
        yield Note(f"{display(source)}: {text}")
    return picture


def own_size(source: str, options: OutputOptions) -> Size:
    """(height, width) of a picture, by its header; standard input is read for it."""
    if source == STREAM:
        return size_of(load_picture(source, max_pixels=options.max_pixels).image)
    return measure(source, max_pixels=options.max_pixels)


def size_of(image: Tensor) -> Size:
    """(height, width) of an Image [1, 3, H, W]."""
    return image.shape[-2], image.shape[-1]


# Dry runs


def _forecast_picture(job: Job, session: Session) -> Record:
    """Forecast of a picture, by its header; the first one is timed, and seen small."""
    options = session.options
    if job.source == STREAM:  # which can be read once only
        image = load_picture(job.source, max_pixels=options.max_pixels).image
        return forecast(job, session, session.seen(size_of(image)), image)
    size, sample = session.seen(own_size(job.source, options)), None
    if session.seconds is None:
        sample = load_picture(job.source, max_pixels=options.max_pixels, long_side=SAMPLE).image
    return forecast(job, session, size, sample)


def forecast(job: Job, session: Session, size: Size, sample: Tensor | None, frames: int = 1) -> Record:
    """Forecast of a picture, or of a video of so many frames: size, strips, memory and time."""
    pixels = frames * size[0] * size[1]
    rows, needed = session.suit(sample, pixels).plan(*size)
    seconds = pixels * session.pace(sample)
    output = session.network.output(size)
    facts = [f"{output[1]} x {output[0]}"]
    if job.film:
        facts.append(f"{frames} frames")
    if session.passes > 1:
        facts.append(f"a sheet of {session.passes} such")
    facts.append(f"strips of {rows} rows" if rows < size[0] else "whole")
    return forecast_of(job, [output], [*facts, *gigabytes(needed), f"about {seconds:.1f} s"])
