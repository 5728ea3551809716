"""Opening pictures, their recipes, and saving: once for all commands."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from styler import device, processes
from styler.events import Event, Note
from styler.image.size import Size, long_side, size_of
from styler.jobs.recipes import Record, recipe_by
from styler.options.fields import OutputSize
from styler.options.shared import MachineOptions, OutputOptions
from styler.storage.inputs import STREAM
from styler.storage.names import display, fit_name
from styler.storage.pictures.load import Picture, load_picture, measure
from styler.storage.pictures.save import save_picture


def prepare(options: MachineOptions) -> torch.device:
    """Seed, set the number of threads, and choose this process's device, which recipes and records name."""
    chosen = processes.placed(device.choose(options.device))
    device.prepare(options.seed, options.threads)
    return chosen


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


def recipe_of(
    command: str, options: MachineOptions, certain: Mapping[str, object], **entries: object
) -> Record:
    """Recipe of a picture that torch computes; see `recipe_by`."""
    certain = {"threads": torch.get_num_threads(), **certain}
    return recipe_by({"torch": torch.__version__}, command, options, certain, **entries)


def save(
    target: str | Path,
    image: Tensor,
    recipe: Mapping[str, object],
    options: OutputOptions,
    content: Picture | None = None,
) -> None:
    """Write a picture with its recipe, and with the content's transparency and credits."""
    save_picture(
        target,
        image,
        alpha=content.alpha if content else None,
        recipe=recipe if options.metadata else None,
        credits=content.credits if content and options.metadata else None,
        overwrite=options.overwrite,
        quality=options.quality,
    )


def partial_for(target: str) -> str:
    """File of the best picture if the work diverges: NAME-partial.png, or with a number if that exists."""
    if target == STREAM:
        return target
    path = Path(target)
    stems = (f"{path.stem}-partial" + (f"-{n}" if n > 1 else "") for n in itertools.count(1))
    paths = (path.with_name(fit_name(stem, path.suffix)) for stem in stems)
    return str(next(path for path in paths if not (path.exists() or path.is_symlink())))
