"""Pictures of features alone, from a picture file to one: textures and inversions. Generators of events."""

from __future__ import annotations

import time
import typing
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from styler.device import room_for
from styler.engine.memory import memory
from styler.errors import DeviceError, DivergedError, InputError
from styler.events import Event
from styler.features import Extractor
from styler.image.color import colored
from styler.image.size import Size, fit, resize, seen, size_of
from styler.jobs.recipes import Record, check_sheet, check_size, output_size, prove, record_of, source_of
from styler.jobs.records import open_picture, partial_for, prepare, recipe_of, save
from styler.options.fields import OutputSize
from styler.options.optimize import OptimizeOptions
from styler.options.synthesis import InvertOptions, TextureOptions
from styler.signals import Heeded
from styler.storage.inputs import STREAM, picture_target
from styler.storage.models import vgg
from styler.storage.names import display
from styler.storage.pictures.load import Picture
from styler.storage.pictures.sheet import sheet
from styler.tasks import synthesis as task
from styler.tasks.onepass import shortage, too_large
from styler.tasks.optimize import SHARE

_CELL = 160
"""Least side in pixels of a sheet's cells, so that captions can be read."""
_WHITE = 0.25
"""Standard deviation of reconstructions that is white in a map."""


@dataclass(frozen=True, eq=False)
class _Bench:
    """An input, the file of the result, and a feature network on its device."""

    options: TextureOptions | InvertOptions
    begun: float
    target: str
    picture: Picture
    image: Tensor
    extractor: Extractor
    network: Record

    def save(self, image: Tensor, command: str, interrupted: bool, **sources: object) -> Record:
        """Write the result; returns its record."""
        size = size_of(image)
        recipe = recipe_of(
            command,
            self.options,
            {"network": self.network["name"]},
            network=self.network,
            size=[size[1], size[0]],
            **sources,
            **({"interrupted": True} if interrupted else {}),
        )
        save(self.target, image, recipe, self.options)
        source, device = self.picture.name, self.image.device
        return record_of(source, self.target, self.options, device, self.begun, [size], losses={})

    def guarded(self, run: Generator[Event, None, Tensor]) -> Generator[Event, None, Tensor]:
        """Pass on a run; of one that diverges the best picture is saved as -partial."""
        try:
            return (yield from run)
        except DivergedError as error:
            partial = partial_for(self.target)
            save(partial, typing.cast(Tensor, error.best), {}, self.options)
            raise DivergedError(f"{error}; the best picture so far is {display(partial)}") from error


def _open(
    source: str,
    output: str | None,
    options: TextureOptions | InvertOptions,
    wanted: OutputSize,
    needed: Callable[[Extractor], set[str]],
) -> Generator[Event, None, _Bench]:
    """Open the input, prove the output and load the network up to the layers that are needed."""
    begun, device = time.monotonic(), prepare(options)
    command = "texture" if isinstance(options, TextureOptions) else "invert"
    target = picture_target(output, f"{'stdin' if source == STREAM else Path(source).stem}-{command}")
    picture = yield from open_picture(source, options, wanted)
    prove(target, options.overwrite, [source])
    name = yield from vgg.choose(options.network)
    whole = vgg.load(name)
    extractor = whole.until(needed(whole)).to(device)
    network = {"name": Path(name).name, "sha256": vgg.sha256(name)}
    return _Bench(options, begun, target, picture, picture.image.to(device), extractor, network)


def texture(
    source: str, output: str | None, options: TextureOptions, stop: Callable[[], bool] = lambda: False
) -> Generator[Event, None, Record]:
    """Make a texture of a style, or a sheet of several depths; returns the record of what was done.

    Args:
        source: file or "-".
        output: file, folder or "-"; STYLE-texture.png without one.
        options: everything else.
        stop: asked between steps; once true, the texture is saved as it stands.

    Raises:
        StylerError: of each kind; DivergedError comes after the best picture was saved as -partial.
    """
    wanted = options.style_size if options.size is not None else None
    bench = yield from _open(source, output, options, wanted, lambda network: {options.up_to})
    network, names = bench.extractor, task.depths(bench.extractor, options.up_to)
    size = task.texture_size(size_of(bench.image), options)
    check_size(size, options)
    if options.sheet:
        check_sheet(1, 1 + len(names), size, options)
    likeness = task.as_painting(options, bench.extractor, options.up_to)
    _check_memory(bench, likeness, task.sizes(size, options)[-1], "use a smaller --size or --history 3")
    style = _shrunk(bench.image, options.style_size)
    textures, captions = list[Tensor](), list[str]()
    heeded, wanted_depths = Heeded(stop), names if options.sheet else names[-1:]
    for up_to in wanted_depths:
        run = task.texture(style, size, network, options, up_to, heeded)
        textures.append((yield from bench.guarded(run)))
        widths = [network.widths()[name] for name in task.depths(network, up_to)]
        captions.append(f"{up_to}: {task.count(widths, options.style_loss):,} parameters")
        if len(textures) < len(wanted_depths) and heeded():
            break
    cell = max(_CELL, *size)
    strip = [["style", *captions]]
    image = sheet([[style, *textures]], captions=strip, cell=cell) if options.sheet else textures[0]
    record = bench.save(image, "texture", heeded.yes, styles=[source_of(bench.picture)])
    shown = f"{image.shape[-1]} x {image.shape[-2]}; up to {'; '.join(captions)}"
    return {**record, "message": f"Wrote {display(bench.target)} ({shown})"}


def _check_memory(bench: _Bench, likeness: OptimizeOptions, size: Size, advice: str) -> None:
    """Raise DeviceError, with advice, if memory does not suffice for a picture of (height, width) `size`."""
    needed = memory(bench.extractor, likeness, size)
    room = room_for(0, bench.image.device, SHARE)
    if needed > room:
        raise DeviceError(f"{too_large(size)}: {shortage(needed, room)}; {advice}")


def _shrunk(style: Tensor, wanted: OutputSize) -> Tensor:
    """A style that is no larger than the size at which it is to be seen."""
    own = size_of(style)
    return resize(style, seen(own, max(fit(own, wanted))))


def invert(
    source: str, output: str | None, options: InvertOptions, stop: Callable[[], bool] = lambda: False
) -> Generator[Event, None, Record]:
    """Reconstruct a picture from its features at several layers; returns the record of what was done.

    Writes a sheet: a row for each seed, with relative errors, and a map of where the reconstructions differ.
    Arguments and errors as of `texture`.
    """
    layers = list(dict.fromkeys(name.strip() for name in options.layers.split(",")))
    if "image" in layers:
        raise InputError("image is no layer to invert: name layers such as relu3_1")
    bench = yield from _open(source, output, options, options.size, lambda network: set(layers))
    image = resize(bench.image, output_size(size_of(bench.image), options.size, options))
    check_sheet(options.seeds + (options.seeds > 1), 1 + len(layers), size_of(image), options)
    _check_memory(bench, task.as_inversion(layers), size_of(image), "use a smaller --size")
    walk = task.walk_of(bench.extractor, options)
    with torch.no_grad():
        features = dict(walk(image, set(layers)))
    columns: list[list[Tensor]] = []
    heeded, last = Heeded(stop), (layers[-1], options.seeds - 1)
    for layer in layers:
        columns.append([])
        for seed in range(options.seeds):
            start = task.noise(image, options.seed + seed)
            run = task.invert(features[layer], layer, start, bench.extractor, options, heeded)
            columns[-1].append((yield from bench.guarded(run)))
            if heeded.yes or ((layer, seed) != last and heeded()):
                break
        if heeded.yes:
            break
    errors = [
        [float(task.relative_error(dict(walk(x, {layer}))[layer], features[layer])) for x in column]
        for layer, column in zip(layers, columns, strict=False)
    ]
    picture = _rows(image, layers, columns, errors, options)
    return bench.save(picture, "invert", heeded.yes, content=source_of(bench.picture))


def _rows(
    image: Tensor,
    layers: Sequence[str],
    columns: Sequence[Sequence[Tensor]],
    errors: Sequence[Sequence[float]],
    options: InvertOptions,
) -> Tensor:
    """The sheet of an inversion: rows of seeds, and one of maps where there are several."""
    empty, count = torch.ones_like(image), max(map(len, columns))
    rows, captions, labels = [], [], []
    for index in range(count):
        reached = [column[index] if index < len(column) else empty for column in columns]
        rows.append([image if index == 0 else empty, *reached])
        errors_there = [f"error {e[index]:.1g}" if index < len(e) else "" for e in errors]
        captions.append(["", *errors_there])
        labels.append(f"seed {options.seed + index}")
    if count > 1:
        spreads = [task.spread(torch.cat(list(column))) for column in columns]
        rows.append([empty, *(colored((x / _WHITE).clamp(0, 1)) for x in spreads)])
        captions.append(["", *(f"deviation {float(x.square().mean().sqrt()):.2g}" for x in spreads)])
        labels.append("differ")
    cell = max(_CELL, *image.shape[-2:])
    return sheet(rows, row_labels=labels, column_labels=["picture", *layers], captions=captions, cell=cell)
