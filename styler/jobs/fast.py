"""Painting files, folders and videos with a trained network of styles. A generator of events."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from styler.errors import InputError
from styler.events import Event, Item, Note, Result
from styler.image.size import resize, size_of
from styler.jobs import onnx
from styler.jobs.batch import Selection, Summary
from styler.jobs.enlarge import larger
from styler.jobs.passes.apply import Session, apply, prove_target, unfinished
from styler.jobs.recipes import Record, check_size, output_size, prove, record_of, source_of
from styler.jobs.records import open_picture, partial_for, prepare, recipe_of, save
from styler.jobs.studio import check_shape, protection
from styler.jobs.training.learn import Part, learn
from styler.networks.residual import mean_of
from styler.options.fast import ALL, FastOptions
from styler.plans import KINDS
from styler.storage.cards import weights
from styler.storage.inputs import picture_target
from styler.storage.models import library
from styler.storage.models.library import Model
from styler.storage.names import display
from styler.storage.pictures.load import Picture
from styler.storage.pictures.sheet import sheet
from styler.storage.styles import Asked, asked
from styler.tasks import fast as task
from styler.tasks.onepass import OnePass, budgeted

SHEET_SIDE = 256
"""Long side of the pictures of a sheet of all styles, unless --size says otherwise."""


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
        stop: asked between steps of a learning, between pictures and between frames; once true, the
            learning ends, or the picture in hand is finished.

    Raises:
        StylerError: as `passes.apply`.
    """
    if options.engine == "onnx":
        return (yield from onnx.fast(sources, output, options, stop))
    if options.style == ALL:
        yield Result((yield from all_styles(sources, output, options, stop)))
        return Summary(done=1)
    if (wish := asked(options.style, library.styles)).paintings:
        return (yield from _paint_learned(wish, sources, output, options, stop))
    path = library.locate(options.model, options.style)
    model = library.read(path)
    if model.origin:
        yield Note(f"{display(path.name)}: {model.origin}")
    _check_kind(model, path, sources)
    blend = _Blend.of(model, path, options)
    if not sources:
        yield Result(texture(output, blend, options))
        return Summary(done=1)
    selection = unfinished(sources, output, blend.label, options)
    return (yield from _paint(selection, blend, [], options, stop))


def _paint(
    selection: Selection,
    blend: _Blend,
    files: Sequence[str],
    options: FastOptions,
    stop: Callable[[], bool],
) -> Generator[Event, None, Summary]:
    """Paint what was selected; `files` must not be written over."""
    painter, certain = task.painter(blend.network, blend.mix, options), blend.certain
    painter = replace(painter, after=larger(options, painter.device))
    if options.protect:
        mask = yield from open_picture(options.protect, options, None)
        painter, certain = _protecting(painter, mask), {**certain, "protect": mask.name}
        files = [*files, options.protect]
    session = Session("fast", blend.entry, certain, options, painter, sources=files)
    return (yield from apply(selection, session, stop))


def _protecting(painter: OnePass, picture: Picture) -> OnePass:
    """A pass that leaves the photo as it is where a mask is white."""
    mask, name = protection(picture), display(picture.name)

    def prepare(photo: Tensor) -> Tensor:
        check_shape(name, size_of(mask), "the picture", size_of(photo))
        return painter.prepare(photo)

    def finish(photo: Tensor, painted: Tensor) -> Tensor:
        return torch.lerp(painter.finish(photo, painted), photo, resize(mask, size_of(photo)))

    return replace(painter, prepare=prepare, finish=finish)


def _check_kind(model: Model, path: Path, sources: Sequence[str]) -> None:
    """Raise InputError unless the network needs pictures and has some, or neither; or if it has no styles."""
    texture = KINDS[model.card.kind].takes == "noise"
    if texture and sources:
        raise InputError(
            f"{display(path.name)} makes texture from noise, of nothing else: leave the inputs out"
        )
    if not texture:
        library.require_use(path, model.card, "photo")
    if not texture and not sources:
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
        shares = library.mix(model.card, options.style).to(prepare(options))
        names = list(weights(options.style)) if options.style else [model.card.styles[0].name]
        model_name = Path(options.model).name or path.stem
        return cls(
            model.network.to(shares.device).eval(),
            shares,
            "-".join(names),
            {"name": model_name, "sha256": model.card.sha256},
            {"model": model_name, "style": options.style or names[0]},
        )

    @classmethod
    def learned(cls, parts: Sequence[Part], wish: Asked, options: FastOptions) -> _Blend:
        """Paintings that were learned, as one network; recipes have their hashes, and their files' names."""
        device, entries = prepare(options), [part.entry for part in parts]
        network = mean_of([part.network for part in parts], [part.share for part in parts])
        return cls(
            network.to(device).eval(),
            torch.ones(1, 1, device=device),
            wish.label,
            entries[0] if len(parts) == 1 else {"name": wish.label, "blend": entries},
            {"style": wish.shown},
        )


# Paintings, which are learned first


def _paint_learned(
    wish: Asked,
    sources: Sequence[str],
    output: str | None,
    options: FastOptions,
    stop: Callable[[], bool],
) -> Generator[Event, None, Summary]:
    """Learn paintings on what is to be painted, and paint that."""
    files = wish.paintings
    if options.model:
        raise InputError(f"--model has styles of its own: leave it out to learn {display(files[0])}")
    if not sources:
        raise InputError(
            f"{display(files[0])} is learned on what it paints: give a picture, or a folder of them"
        )
    selection = unfinished(sources, output, wish.label, options)
    if not selection.many and not options.dry_run:
        for job in selection.jobs:
            prove_target(job, options, files)
    if not selection.jobs:
        return Summary(skipped=selection.skipped)
    parts = yield from learn(wish, selection.jobs, options, stop)
    if any("interrupted" in part.entry for part in parts):
        stop = _never  # the signal was for the learning; another one ends the command at once
        if selection.many:  # or the next run would take them for done
            jobs = tuple(replace(job, target=partial_for(job.target)) for job in selection.jobs)
            selection = replace(selection, jobs=jobs)
    return (yield from _paint(selection, _Blend.learned(parts, wish, options), files, options, stop))


def _never() -> bool:
    return False


# A sheet of all styles


def all_styles(
    sources: Sequence[str], output: str | None, options: FastOptions, stop: Callable[[], bool]
) -> Generator[Event, None, Record]:
    """Paint one picture in all styles of the installed networks, small, on one labeled sheet."""
    begun, names = time.monotonic(), library.styles()
    if len(sources) != 1:
        raise InputError(f"--style {ALL} paints one picture in all styles: give one")
    if options.model or options.protect or options.enlarge != 1:
        raise InputError(
            f"--style {ALL} is a sheet of every network: leave out --model, --protect and --enlarge"
        )
    target = picture_target(output, f"{Path(sources[0]).stem}-{ALL}")
    prove(target, options.overwrite, sources)
    small = replace(options, size=options.size or SHEET_SIDE)
    picture = yield from open_picture(sources[0], small, small.size)
    photo = resize(picture.image, output_size(size_of(picture.image), small.size, small))
    cells, labels = [photo], ["photo"]
    for index, name in enumerate(names, 1):
        if stop():
            break
        yield Item(index, len(names), name)
        path = library.locate("", name)
        blend = _Blend.of(library.read(path), path, replace(small, style=name))
        cells.append(budgeted(task.painter(blend.network, blend.mix, small), small.memory)(photo))
        labels.append(name)
    image = _laid_out(cells, labels)
    recipe = recipe_of(
        "fast", options, {"style": ALL}, content=source_of(picture), size=[*image.shape[:-3:-1]]
    )
    save(target, image, recipe, options)
    return record_of(sources[0], target, options, prepare(options), begun, [size_of(image)])


def _laid_out(cells: Sequence[Tensor], labels: Sequence[str]) -> Tensor:
    """Pictures of one size on a sheet about as wide as high, with their names."""
    height, width = size_of(cells[0])
    columns = max(1, round(math.sqrt(len(cells) * height / width)))
    starts = range(0, len(cells), columns)
    rows = [cells[start : start + columns] for start in starts]
    captions = [labels[start : start + columns] for start in starts]
    return sheet(rows, captions=captions, cell=(height, width))


# Texture, which has no input


def texture(output: str | None, blend: _Blend, options: FastOptions) -> Record:
    """Make a picture of texture, STYLE-texture.png unless `output` says otherwise; returns its record."""
    begun, own = time.monotonic(), task.texture_size(options)
    target = picture_target(output, f"{blend.label}-texture")
    after = larger(options, blend.mix.device)
    size = own if after is None else after.output(own)
    check_size(size, options)
    if options.dry_run:
        record = record_of("", target, options, blend.mix.device, begun, [size])
        return {**record, "output": None, "message": f"would make {display(target)}"}
    prove(target, options.overwrite, [])
    image = task.texture(blend.network, blend.mix, own, options)
    image = image if after is None else after(image)
    precision = task.texture_form(options, blend.mix.device).precision
    recipe = recipe_of(
        "fast", options, {**blend.certain, "precision": precision}, model=blend.entry, size=[size[1], size[0]]
    )
    save(target, image, recipe, options)
    return record_of("", target, options, blend.mix.device, begun, [size])
