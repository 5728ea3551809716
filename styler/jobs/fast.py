"""From files, folders and films to painted ones, by a network of styles. A generator of events."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

from torch import Tensor

from styler import device
from styler.errors import InputError
from styler.events import Event, Note, Result
from styler.image.size import Size
from styler.jobs.batch import Summary, apply, check_size, save
from styler.jobs.records import Record, Studio
from styler.networks.residual import ResidualNetwork
from styler.networks.texture import TextureNetwork
from styler.options.fast import FastOptions
from styler.options.fields import OutputSize
from styler.options.shared import PassOptions
from styler.storage import cards, disk, inputs
from styler.storage.inputs import Job
from styler.storage.models import library
from styler.storage.models.library import Model
from styler.storage.names import display, fit_name
from styler.storage.pictures.save import format_of
from styler.tasks import fast as task
from styler.tasks import sampling
from styler.tasks.fast import Painter

TEXTURE_SIDE = 512
"""Height and width in pixels of a texture of which no size is asked."""


def fast(
    sources: Sequence[str],
    output: str | None,
    options: FastOptions,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event, None, Summary]:
    """Paint pictures, folders of pictures and films with a trained network; a Result for each.

    Args:
        sources: files, folders, globs and "-"; none for a texture network, which makes one picture.
        output: file, folder or "-", see `inputs.plan`.
        options: everything else; with `dry_run` nothing is written, and the Results tell what would be.
        stop: asked between pictures and between frames; once true, what is in hand is finished.

    Raises:
        StylerError: as `apply`.
    """
    path = library.locate(options.model, options.style)
    model = library.read(path)
    if model.origin:
        yield Note(f"{display(path.name)}: {model.origin}")
    check_kind(model, path, sources)
    library.mix(model.card, options.style)  # raises for a style that the model does not have
    label = "-".join(styles_of(model, options))
    device.prepare(options.seed, options.threads)
    if not sources:
        yield Result(texture(output, label, StyleStudio(path, model, options, 1)))
        return Summary(done=1)
    studio_for = partial(StyleStudio, path, model, options)
    return (yield from apply(sources, output, label, options, studio_for, stop))


def check_kind(model: Model, path: Path, sources: Sequence[str]) -> None:
    """Raise InputError unless the network needs pictures and has some, or neither."""
    shown = display(path.name)
    if model.card.kind == "translate":
        advice = f"styler translate --checkpoint {library.called(path)}"
        raise InputError(f"{shown} is a translator and has no styles: {advice}")
    if model.card.kind == "texture" and sources:
        raise InputError(f"{shown} makes texture from noise, of nothing else: leave the inputs out")
    if model.card.kind == "transform" and not sources:
        raise InputError(f"{shown} paints pictures: give one, or a folder of them")


class StyleStudio(Studio):
    """A network of styles with its styles mixed."""

    command = "fast"

    def __init__(self, path: Path, model: Model, options: FastOptions, count: int) -> None:
        super().__init__(Path(options.model).name or path.stem, model.card.sha256, options, count)
        self.model, self.wishes = model, options
        self.mix = library.mix(model.card, options.style).to(self.place)
        self.network = model.network.to(self.place).eval()

    def employ(self, options: PassOptions, sample: Tensor, work: int | None) -> Painter:
        """As in `Studio`."""
        network = cast(ResidualNetwork, self.network)
        wishes = replace(self.wishes, precision=options.precision)
        return task.painter(network, self.mix, wishes, self.place, sample, work)

    def particulars(self) -> Record:
        """The network and the style."""
        return {"model": self.name, "style": self.wishes.style or styles_of(self.model, self.wishes)[0]}

    def texture(self, size: Size) -> Tensor:
        """Texture of that (height, width) as an Image [1, 3, H, W] on the CPU."""
        form = sampling.form_of(self.wishes, self.place)
        return sampling.sample(cast(TextureNetwork, self.network), self.mix, size, self.wishes, form)

    @property
    def precision(self) -> str:
        """As in `Studio`, also of textures, which no worker makes."""
        if self.model.card.kind != "texture":
            return super().precision
        return str(sampling.form_of(self.wishes, self.place).dtype).removeprefix("torch.")


def styles_of(model: Model, options: FastOptions) -> list[str]:
    """The names in "waves:0.6,ink:0.4", or the model's only style if none is named."""
    return list(cards.weights(options.style)) if options.style else [model.card.styles[0].name]


# No input: texture


def texture(output: str | None, label: str, studio: StyleStudio) -> Record:
    """Make a picture of texture, STYLE-texture.png unless `output` says otherwise; returns its record."""
    begun, options = time.monotonic(), studio.options
    name = fit_name(f"{label}-texture", ".png")
    job = Job("", output if output and not inputs.is_folder_name(output) else str(Path(output or ".") / name))
    size = texture_size(options.size)
    check_size(size, options)
    if job.target != inputs.STREAM:
        format_of(job.target)
    if options.dry_run:
        return {**studio.record(job, size, begun), "output": None, "message": f"would make {job.target}"}
    disk.prove_writable(job.target, overwrite=options.overwrite)
    save(job.target, studio.texture(size), studio)
    return studio.record(job, size, begun)


def texture_size(size: OutputSize) -> Size:
    """The (height, width) of a texture of that size: exactly a box, or a square with that side."""
    side = TEXTURE_SIDE if size is None else size
    return (side, side) if isinstance(side, int) else side
