"""Enlarging of files, folders and videos with trained networks. A generator of events."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from styler.errors import InputError
from styler.events import Event, Note
from styler.image.masks import bled
from styler.image.size import Size
from styler.jobs.batch import Summary
from styler.jobs.passes.apply import Session, apply, unfinished
from styler.jobs.recipes import Record
from styler.jobs.records import prepare
from styler.options.enlarge import EnlargeOptions
from styler.options.fast import FastOptions
from styler.options.fields import format_size
from styler.options.optimize import OptimizeOptions
from styler.options.translate import TranslateOptions
from styler.storage.models import enlargers
from styler.storage.pictures.load import Picture
from styler.tasks.enlarge import enlarger as task
from styler.tasks.enlarge.enlarger import Networks
from styler.tasks.onepass import OnePass, budgeted, formed


def enlarge(
    sources: Sequence[str],
    output: str | None,
    options: EnlargeOptions,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event, None, Summary]:
    """Enlarge pictures, folders of pictures and videos with trained networks; a Result for each.

    Args:
        sources: files, folders, globs and "-".
        output: file, folder or "-", see `inputs.plan`.
        options: everything else; with `dry_run` nothing is written, and the Results are forecasts.
        stop: asked between pictures and between frames; once true, the picture in hand is finished.

    Raises:
        StylerError: as `passes.apply`; also where a network is asked for --detail or --clean that it lacks.
    """
    if not sources:
        raise InputError("no input given: name a picture, a video or a folder")
    if options.size is not None and "scale" in options.changed():
        yield Note("--size says how large the output is, so --scale is not used")
    model = open_networks(options, prepare(options))
    sized = partial(task.target_size, wanted=options.size, scale=options.scale)

    def adapt(size: Size) -> OnePass:
        height, width = sized(size)
        return task.enlarger(model.networks, max(height / size[0], width / size[1]), sized)

    certain: Record = {"detail": model.detail, "clean": model.clean}
    certain |= {"scale": options.scale} if options.size is None else {}
    certain |= {"model": Path(options.model).name} if options.model else {}
    first = task.enlarger(model.networks, options.scale, sized)
    session = Session("enlarge", model.entry, certain, options, first, _enlarge_picture, adapt)
    label = f"x{options.scale:g}" if options.size is None else format_size(options.size)
    return (yield from apply(unfinished(sources, output, label, options), session, stop))


def _enlarge_picture(picture: Picture, network: OnePass) -> Generator[Event, None, Picture]:
    """Enlarge a picture; its alpha stays, and its colors bleed below that."""
    yield from ()
    image = picture.image if picture.alpha is None else bled(picture.image, picture.alpha)
    return replace(picture, image=network(image))


def larger(options: FastOptions | TranslateOptions | OptimizeOptions, device: torch.device) -> OnePass | None:
    """The pass that enlarges what a command makes by its --enlarge, with styler's networks; None for 1.

    Raises CheckpointError if these networks are missing.
    """
    if options.enlarge == 1:
        return None
    scale = options.enlarge
    model = open_networks(EnlargeOptions(scale=scale), device)
    enlarger = task.enlarger(model.networks, scale, partial(task.target_size, wanted=None, scale=scale))
    return formed(budgeted(enlarger, options.memory), options.precision, None, math.inf)


# Networks


@dataclass(frozen=True)
class _Model:
    """Networks that enlarge, on their device.

    Attributes:
        entry: name and sha256, for recipes.
        detail, clean: what they are mixed for.
    """

    networks: Networks
    entry: Mapping[str, str]
    detail: float
    clean: float


def open_networks(options: EnlargeOptions, device: torch.device) -> _Model:
    """Load and mix the networks that the options ask for.

    Raises:
        CheckpointError: if a network does not enlarge, or there is none of that name.
        InputError: for --detail or --clean where a network does not have that.
    """
    paths = list(map(enlargers.locate, [options.model] if options.model else enlargers.OURS))
    asked = options.changed()
    detail, clean = (getattr(options, name) if name in asked else None for name in ("detail", "clean"))
    models = [enlargers.mixture(path, detail, clean) for path in paths]
    entry = {
        "name": ",".join(path.stem for path in paths),
        "sha256": ",".join(model.sha256 for model in models),
    }
    networks = {model.network.scale: model.network.to(device) for model in models}
    return _Model(networks, entry, models[-1].detail, models[-1].clean)
