"""From files, folders and films to translated ones, by a trained generator. A generator of events."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from styler import device
from styler.errors import InputError
from styler.events import Event, Note
from styler.image import size as geometry
from styler.image.color import colored
from styler.jobs.batch import Summary, apply
from styler.jobs.records import Record, Studio
from styler.networks.kinds import PictureArchitecture
from styler.networks.layers import Mode, norms_of
from styler.options.shared import PassOptions
from styler.options.translate import TranslateOptions
from styler.storage.inputs import Job
from styler.storage.models import library
from styler.storage.models.library import Translation
from styler.storage.names import display, slug
from styler.storage.pictures.load import Picture
from styler.storage.pictures.sheet import sheet
from styler.tasks import translate as task
from styler.tasks.onepass import Bounded
from styler.tasks.translate import Preparation, Reading, Spread, Translator

CELL, LEAST_CELL = 512, 128
"""Sides in pixels of the largest and the smallest cells of a sheet of samples."""
CHANNELS = (1, 3)
"""How many a network may take and make, here where pictures are grey or in color."""


def translate(
    sources: Sequence[str],
    output: str | None,
    options: TranslateOptions,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event, None, Summary]:
    """Translate pictures, folders of pictures and films with a trained generator; a Result for each.

    Args:
        sources: files, folders, globs and "-".
        output: file, folder or "-", see `inputs.plan`.
        options: everything else; with `dry_run` nothing is written, and the Results tell what would be.
        stop: asked between pictures and between frames; once true, what is in hand is finished.

    Raises:
        StylerError: as `apply`, and where options contradict the checkpoint or leave out what it leaves open.
    """
    path = library.locate_generator(options.checkpoint)
    model = library.read_generator(path)
    if model.origin:
        yield Note(f"{display(path.name)}: {model.origin}")
    way = way_of(model, options, display(path.name))
    if not sources:
        raise InputError(f"{display(path.name)} translates pictures: give one, or a folder of them")
    device.prepare(options.seed, options.threads)
    studio_for = partial(TranslateStudio, path, model, way, options)
    return (yield from apply(sources, output, slug(path.stem), options, studio_for, stop))


# What options and checkpoint say together


@dataclass(frozen=True)
class Way:
    """How pictures are translated."""

    statistics: Literal["picture", "stored"]
    dropout: bool
    reading: Reading


def way_of(model: library.Translator, options: TranslateOptions, name: str) -> Way:
    """How to translate by a checkpoint, called `name` in messages, as it was trained to and as is asked for.

    Raises InputError if the options contradict the checkpoint, or leave out what its file does not tell.
    """
    about = model.about
    check_channels(model.network.config, name)
    check_known(about, options, name)
    if options.direction not in ("auto", about.direction or options.direction):
        told = f"was trained {about.direction} ({about})"
        raise InputError(f"{name} {told}, and --direction is {options.direction}: leave it out")
    return Way(
        statistics_of(model, options, name),
        dropout_of(model, options, name),
        reading_of(about, options, name),
    )


def check_channels(config: PictureArchitecture, name: str) -> None:
    """Raise InputError for a network whose inputs or outputs are no pictures."""
    for what, channels in (("takes", config.inputs), ("makes", config.outputs)):
        if channels not in CHANNELS:
            raise InputError(
                f"{name} {what} {channels} channels, and pictures have 1 or 3: give another network"
            )


def check_known(about: Translation, options: TranslateOptions, name: str) -> None:
    """Raise InputError, which names the flags, for what neither the file nor the options tell."""
    flags = []
    if about.direction is None and options.direction == "auto":
        flags.append("--direction AtoB or --direction BtoA")
    if about.dropout is None and options.dropout is None:
        flags.append("--dropout or --no-dropout")
    if flags:
        raise InputError(f"{name} does not tell how it was trained: add {', and '.join(flags)}")


def statistics_of(
    model: library.Translator, options: TranslateOptions, name: str
) -> Literal["picture", "stored"]:
    """By which statistics its norms work."""
    kept = any(norm.running_mean is not None for norm in norms_of(model.network))
    if options.statistics == "stored" and not kept:
        raise InputError(f"{name} has stored no statistics, and --statistics is stored: leave it out")
    wanted = model.about.statistics if options.statistics == "auto" else options.statistics
    return wanted if kept else "picture"


def dropout_of(model: library.Translator, options: TranslateOptions, name: str) -> bool:
    """Whether there is dropout."""
    able = bool(model.network.config.dropout) and model.about.dropout is not False
    if not able and (options.dropout or options.samples > 1):
        flag = "--dropout" if options.dropout else "--samples: they would all be the same"
        raise InputError(f"{name} was trained without dropout: leave out {flag}")
    if options.samples > 1 and options.dropout is False:
        raise InputError("without dropout all samples are the same: leave out --no-dropout or --samples")
    return able and options.dropout is not False


def reading_of(about: Translation, options: TranslateOptions, name: str) -> Reading:
    """What the inputs are."""
    made_by = (about.condition or {"name": ""})["name"]
    if options.from_photo and options.from_sketch:
        raise InputError("an input is either a photo or a drawing: give --from-photo or --from-sketch")
    if options.from_photo and not made_by:
        raise InputError(
            f"{name} does not tell how its inputs are made of photos: leave out --from-photo, "
            "and make them with styler pairs"
        )
    if options.from_sketch and made_by not in ("", "edges"):
        raise InputError(f"{name} takes {made_by}, not drawings: leave out --from-sketch")
    if about.condition and (options.from_photo or options.from_sketch):
        task.condition_of(about.condition)  # raises for one that cannot be followed
    return "photo" if options.from_photo else "sketch" if options.from_sketch else "picture"


# The work


class TranslateStudio(Studio):
    """A generator with the way in which it translates."""

    command = "translate"

    def __init__(
        self, path: Path, model: library.Translator, way: Way, options: TranslateOptions, count: int
    ) -> None:
        super().__init__(Path(options.checkpoint).name or path.stem, model.card.sha256, options, count)
        self.network, self.about = model.network.to(self.place).eval(), model.about
        self.way, self.wishes, self.passes = way, options, options.samples

    def employ(self, options: PassOptions, sample: Tensor, work: int | None) -> Translator:
        """As in `Studio`."""
        mode = Mode(self.way.statistics, self.options.seed if self.way.dropout else None)
        prepare = Preparation(self.network.config.inputs, self.way.reading, self.about.condition)
        wishes = replace(self.wishes, precision=options.precision)
        return task.translator(self.network, mode, prepare, wishes, sample, work)

    def particulars(self) -> Record:
        """The network and the way."""
        return {"checkpoint": self.name, "statistics": self.way.statistics, "dropout": self.way.dropout}

    def refusal(self, job: Job) -> str:
        """Films have no samples."""
        refused = job.film and self.wishes.samples > 1
        return f"{display(job.source)} is a video, and only pictures have --samples" if refused else ""

    def finish(self, picture: Picture, worker: Bounded) -> Picture:
        """The translation, or a sheet of samples."""
        assert isinstance(worker, Translator)
        # Inputs that styler makes are made of pictures on white.
        made_here = self.way.reading != "picture" or self.about.condition
        x = worker.seen(picture.on_white if made_here else picture.image)
        if self.takes_lines and not task.is_drawn(x):
            worker.notes.append(
                f"{display(picture.name)} is no drawing on white, which {self.name} takes: "
                "--from-photo draws the lines of a photo, --from-sketch cleans a drawing"
            )
        if self.wishes.samples > 1:
            return replace(
                picture, image=sheet_of(worker, x, self.options.seed, self.wishes.samples), alpha=None
            )
        drawn = self.takes_lines or self.way.reading == "sketch"  # whose transparency is paper
        return replace(picture, image=worker.finished(x), alpha=None if drawn else picture.alpha)

    @property
    def takes_lines(self) -> bool:
        """Whether inputs should be drawings, and are given as they are."""
        made_by = self.about.condition or {"name": ""}
        return self.way.reading == "picture" and made_by["name"] == "edges"


def sheet_of(worker: Translator, x: Tensor, seed: int, count: int) -> Tensor:
    """What the network was given, samples of what it makes of that, and a map of where they differ.

    Each is shrunk to a cell and has its seed written below, by which it alone comes at full size.
    """
    side = min(max(*x.shape[-2:], LEAST_CELL), CELL)
    size = geometry.fit((x.shape[-2], x.shape[-1]), side)
    samples = worker.samples(x, count)
    spread = Spread(first := next(samples))
    pictures = [colored(x), geometry.resize(first, size)]
    for sample in samples:
        spread.add(sample)
        pictures.append(geometry.resize(sample, size))
    differences = F.interpolate(spread.map(), size, mode="area")
    most = float(differences.max())
    pictures.append(colored(differences / max(most, 1e-6)))
    captions = ["input", *(f"seed {seed + n}" for n in range(count)), f"differences, white is {most:.1%}"]
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = range(0, len(pictures), columns)
    return sheet(
        [pictures[row : row + columns] for row in rows],
        captions=[captions[row : row + columns] for row in rows],
        cell=size,
    )
