"""Translation of files, folders and videos with a trained generator. A generator of events."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from torch import Tensor

from styler.errors import InputError
from styler.events import Event, Note
from styler.image.palette import Labels
from styler.jobs.batch import Summary
from styler.jobs.enlarge import larger
from styler.jobs.passes.apply import Session, apply, unfinished
from styler.jobs.records import prepare
from styler.networks.layers import norms_of
from styler.options.translate import TranslateOptions
from styler.storage.models import library
from styler.storage.models.library import Translation, Translator
from styler.storage.names import display, slug
from styler.storage.pictures.load import Picture
from styler.storage.pictures.sheet import sheet
from styler.tasks import translate as task
from styler.tasks.onepass import OnePass
from styler.tasks.translate import Preparation, Reading, Statistics

_CHANNELS = (1, 3)
"""Channels that a network may take and make."""


def translate(
    sources: Sequence[str],
    output: str | None,
    options: TranslateOptions,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event, None, Summary]:
    """Translate pictures, folders of pictures and videos with a trained generator; a Result for each.

    Args:
        sources: files, folders, globs and "-".
        output: file, folder or "-", see `inputs.plan`.
        options: everything else; with `dry_run` nothing is written, and the Results are forecasts.
        stop: asked between pictures and between frames; once true, the picture in hand is finished.

    Raises:
        StylerError: as `passes.apply`; also where options contradict the checkpoint, or leave something open.
    """
    path = library.locate_generator(options.checkpoint)
    model = library.read_generator(path)
    if model.origin:
        yield Note(f"{display(path.name)}: {model.origin}")
    settings = _settings_of(model, options, display(path.name))
    if not sources:
        raise InputError("no input given: name a picture, a video or a folder")
    network = model.network.to(prepare(options)).eval()
    name = Path(options.checkpoint).name or path.stem
    seed = options.seed if settings.dropout else None
    about = model.about
    preparation = Preparation(
        network.config.inputs,
        settings.reading,
        about.condition,
        about.tints,
        network.config.grain,
        about.margin,
        options.seed,
    )
    translator = task.translator(network, settings.statistics, seed, preparation)
    session = Session(
        "translate",
        {"name": name, "sha256": model.card.sha256},
        {"checkpoint": name, "statistics": settings.statistics, "dropout": settings.dropout},
        options,
        replace(translator, after=larger(options, translator.device)),
        partial(_translate_picture, preparation=preparation, settings=settings, name=name, options=options),
        passes=options.samples,
        labels=Labels.of(about.labels) if about.labels else None,
    )
    selection = unfinished(sources, output, slug(path.stem), options)
    return (yield from apply(selection, session, stop))


# Options and checkpoint together


@dataclass(frozen=True)
class TranslateSettings:
    """Statistics of the norms, dropout, kind of the inputs, and the condition they were made by, or ""."""

    statistics: Statistics
    dropout: bool
    reading: Reading
    made_by: str


def _settings_of(model: Translator, options: TranslateOptions, name: str) -> TranslateSettings:
    """Settings from the options and a checkpoint, called `name` in messages.

    Raises InputError if the options contradict the checkpoint, or leave out what its file does not tell.
    """
    about = model.about
    _check_channels(model, name)
    _check_known(about, options, name)
    if options.direction not in ("auto", about.direction or options.direction):
        raise InputError(
            f"{name} was trained {about.direction} ({about}), and --direction is {options.direction}: "
            "leave it out"
        )
    return TranslateSettings(
        _statistics_of(model, options, name),
        _dropout_of(model, options, name),
        _reading_of(about, options, name),
        (about.condition or {"name": ""})["name"],
    )


def _check_channels(model: Translator, name: str) -> None:
    """Raise InputError for a network whose inputs or outputs are no pictures."""
    config = model.network.config
    for what, channels in (("takes", config.inputs), ("makes", config.outputs)):
        if channels not in _CHANNELS:
            raise InputError(
                f"{name} {what} {channels} channels, and pictures have 1 or 3: give another network"
            )


def _check_known(about: Translation, options: TranslateOptions, name: str) -> None:
    """Raise InputError, which names the flags, for what neither the file nor the options tell."""
    flags = []
    if about.direction is None and options.direction == "auto":
        flags.append("--direction AtoB or --direction BtoA")
    if about.dropout is None and options.dropout is None:
        flags.append("--dropout or --no-dropout")
    if flags:
        raise InputError(f"{name} does not say how it was trained: add {', and '.join(flags)}")


def _statistics_of(model: Translator, options: TranslateOptions, name: str) -> Statistics:
    """Statistics that the norms work by."""
    stored = any(norm.running_mean is not None for norm in norms_of(model.network))
    if options.statistics == "stored" and not stored:
        raise InputError(f"{name} has stored no statistics, and --statistics is stored: leave it out")
    chosen = model.about.statistics if options.statistics == "auto" else options.statistics
    return chosen if stored else "picture"


def _dropout_of(model: Translator, options: TranslateOptions, name: str) -> bool:
    """Whether there is dropout."""
    able = bool(model.network.config.dropout) and model.about.dropout is not False
    same = options.samples > 1 and not model.about.tints and not model.network.config.grain
    if not able and (options.dropout or same):
        flag = "--dropout" if options.dropout else "--samples: they would all be the same"
        raise InputError(f"{name} was trained without dropout: leave out {flag}")
    if same and options.dropout is False:
        raise InputError("without dropout all samples are the same: leave out --no-dropout or --samples")
    return able and options.dropout is not False


def _reading_of(about: Translation, options: TranslateOptions, name: str) -> Reading:
    """Kind of the inputs."""
    made_by = (about.condition or {"name": ""})["name"]
    if options.from_photo and options.from_sketch:
        raise InputError("an input is either a photo or a drawing: give --from-photo or --from-sketch")
    if about.labels and (options.from_photo or options.from_sketch):
        flag = "--from-photo" if options.from_photo else "--from-sketch"
        raise InputError(f"{name} takes pictures of labels ({', '.join(about.labels)}): leave out {flag}")
    if options.from_photo and not made_by:
        raise InputError(
            f"{name} does not say how its inputs are made of photos: leave out --from-photo, "
            "and make them with styler pairs"
        )
    if options.from_sketch and made_by not in ("", "edges"):
        raise InputError(f"{name} takes {made_by}, not drawings: leave out --from-sketch")
    if about.condition and (options.from_photo or options.from_sketch):
        task.condition_of(about.condition)  # raises for one that cannot be followed
    return "photo" if options.from_photo else "sketch" if options.from_sketch else "picture"


# The work


def _translate_picture(
    picture: Picture,
    network: OnePass,
    preparation: Preparation,
    settings: TranslateSettings,
    name: str,
    options: TranslateOptions,
) -> Generator[Event, None, Picture]:
    """Translate a picture by a checkpoint called `name`, or make a sheet of samples of it."""
    reading, takes_lines = settings.reading, settings.reading == "picture" and settings.made_by == "edges"
    # Inputs that styler makes are made of pictures on white.
    image = picture.on_white if reading != "picture" or settings.made_by else picture.image
    x = preparation.drawn(image)
    if takes_lines and not task.is_drawn(x):
        yield Note(
            f"{display(picture.name)} does not look like a line drawing; {name} expects black lines on "
            "white: --from-photo draws the lines of a photo, --from-sketch cleans a drawing"
        )
    if (reading == "sketch" or (reading, settings.made_by) == ("photo", "edges")) and task.is_blank(x):
        yield Note(f"{display(picture.name)}: no lines were found in it, so {name} colors a blank sheet")
    if options.samples > 1:
        inputs = partial(preparation.sown, x)
        return replace(
            picture, image=_sheet_of(network, x, inputs, options.seed, options.samples), alpha=None
        )
    opaque = takes_lines or reading == "sketch"  # whose transparency is paper
    image = network.finish(image, network.run(preparation.sown(x)))
    return replace(picture, image=image, alpha=None if opaque else picture.alpha)


def _sheet_of(network: OnePass, x: Tensor, inputs: Callable[[int], Tensor], seed: int, count: int) -> Tensor:
    """Sheet of what is drawn, samples of the network's output, and a map of where they differ.

    Each is shrunk to a cell and has its seed written below, by which it alone comes at full size.
    """
    cells, size, most = task.sample_cells(network, x, inputs, count)
    captions = ["input", *(f"seed {seed + n}" for n in range(count)), f"differences, white is {most:.1%}"]
    columns = math.ceil(math.sqrt(len(cells)))
    rows = range(0, len(cells), columns)
    return sheet(
        [cells[row : row + columns] for row in rows],
        captions=[captions[row : row + columns] for row in rows],
        cell=size,
    )
