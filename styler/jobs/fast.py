"""Painting files, folders and videos with a trained network of styles. A generator of events."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from styler.errors import InputError
from styler.events import Event, Note, Result
from styler.jobs.batch import Summary, apply
from styler.jobs.pictures import Session, check_size, precision_name
from styler.jobs.records import Record, prepare, prove, recipe_of, record_of, save
from styler.networks.kinds import KINDS
from styler.options.fast import FastOptions
from styler.storage.cards import mix, weights
from styler.storage.inputs import picture_target
from styler.storage.models import library
from styler.storage.models.library import Model
from styler.storage.names import display
from styler.tasks import fast as task


def fast(
    sources: Sequence[str],
    output: str | None,
    options: FastOptions,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event, None, Summary]:
    """Paint pictures, folders of pictures and videos with a trained network; a Result for each.

    Args:
        sources: files, folders, globs and "-"; none for a texture network, which makes one picture.
        output: file, folder or "-", see `inputs.plan`.
        options: everything else; with `dry_run` nothing is written, and the Results are forecasts.
        stop: asked between pictures and between frames; once true, the picture in hand is finished.

    Raises:
        StylerError: as `batch.apply`.
    """
    path = library.locate(options.model, options.style)
    model = library.read(path)
    if model.origin:
        yield Note(f"{display(path.name)}: {model.origin}")
    _check_kind(model, path, sources)
    blend = _Blend.of(model, path, options)
    if not sources:
        yield Result(texture(output, blend, options))
        return Summary(done=1)
    painter = task.painter(blend.network, blend.mix, options)
    session = Session("fast", blend.entry, blend.certain, options, painter)
    return (yield from apply(sources, output, blend.label, session, stop))


def _check_kind(model: Model, path: Path, sources: Sequence[str]) -> None:
    """Raise InputError unless the network needs pictures and has some, or neither."""
    shown, takes = display(path.name), KINDS[model.card.kind].takes
    if takes == "pair":
        advice = f"styler translate --checkpoint {library.called(path)}"
        raise InputError(f"{shown} is a translator and has no styles: {advice}")
    if takes == "noise" and sources:
        raise InputError(f"{shown} makes texture from noise, of nothing else: leave the inputs out")
    if takes == "photo" and not sources:
        raise InputError("no input given: name a photo, a video or a folder")


@dataclass(frozen=True, eq=False)
class _Blend:
    """A trained network with a mix of its styles, on its device.

    Attributes:
        mix: weights of the styles, [1, S].
        label: names of the styles, for the names of outputs.
        entry: name and sha256 of the network, for recipes.
        certain: options that recipes always have.
    """

    network: nn.Module
    mix: Tensor
    label: str
    entry: Record
    certain: Record

    @classmethod
    def of(cls, model: Model, path: Path, options: FastOptions) -> _Blend:
        """The blend that the options ask for; raises InputError for a style that the model does not have."""
        shares = mix(model.card, options.style).to(prepare(options))
        names = list(weights(options.style)) if options.style else [model.card.styles[0].name]
        model_name = Path(options.model).name or path.stem
        return cls(
            model.network.to(shares.device).eval(),
            shares,
            "-".join(names),
            {"name": model_name, "sha256": model.card.sha256},
            {"model": model_name, "style": options.style or names[0]},
        )


# Texture, which has no input


def texture(output: str | None, blend: _Blend, options: FastOptions) -> Record:
    """Make a picture of texture, STYLE-texture.png unless `output` says otherwise; returns its record."""
    begun, size = time.monotonic(), task.texture_size(options)
    target = picture_target(output, f"{blend.label}-texture")
    check_size(size, options)
    if options.dry_run:
        record = record_of("", target, options, blend.mix.device, begun, [size])
        return {**record, "output": None, "message": f"would make {display(target)}"}
    prove(target, options.overwrite, [])
    image = task.texture(blend.network, blend.mix, size, options)
    precision = precision_name(task.texture_form(options, blend.mix.device).dtype)
    recipe = recipe_of(
        "fast", options, {**blend.certain, "precision": precision}, model=blend.entry, size=[size[1], size[0]]
    )
    save(target, image, recipe, options)
    return record_of("", target, options, blend.mix.device, begun, [size])
