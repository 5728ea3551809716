"""From picture files to a picture file: open, plan, paint, save with the recipe. A generator of events."""

from __future__ import annotations

import itertools
import time
import typing
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from styler import device
from styler.errors import DivergedError, InputError
from styler.events import Event, Note, Step, relay
from styler.image import size as geometry
from styler.options.optimize import INITS, OptimizeOptions
from styler.storage import disk
from styler.storage.models import vgg
from styler.storage.names import display, fit_name
from styler.storage.pictures.load import Picture, load_picture
from styler.storage.pictures.save import format_of, save_picture
from styler.tasks import optimize as transfer
from styler.version import __version__


def optimize(
    content: str,
    styles: Sequence[str],
    output: str | None,
    options: OptimizeOptions,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event, None, dict[str, Any]]:
    """Paint a picture file in the manner of others; returns the record of what was done.

    Args:
        content: file, or "-" for standard input.
        styles: files; several are blended.
        output: file, folder, "-" for standard output, or None for CONTENT-STYLE.png in this folder.
        options: everything else.
        stop: asked after each step; once true, the picture is saved as it stands.

    Raises:
        StylerError: each kind; DivergedError comes after the best picture was saved beside as -partial.
    """
    begun = time.monotonic()
    init = [] if options.init in INITS else [options.init]
    sources, target = [content, *styles, *init], output_for(output, content, styles)
    check(target, sources, options)
    place = device.choose(options.device)
    device.prepare(options.seed, options.threads)
    name = yield from network_for(options)
    extractor = vgg.load(name).until(transfer.layers(options)).to(place)
    pictures = yield from open_pictures(sources, options)
    opened = [picture.image.to(place) for picture in pictures]
    size = transfer.output_size((opened[0].shape[-2], opened[0].shape[-1]), options)
    device.require(transfer.memory(extractor, options, size), place)
    task = transfer.optimize(
        opened[0], opened[1 : 1 + len(styles)], extractor, options, opened[-1] if init else None, stop
    )
    recipe = recipe_of(options, name, pictures, len(styles), size)
    try:
        image = yield from _noting_losses(task, recipe)
    except DivergedError as error:
        partial = partial_for(target)
        save(partial, typing.cast(Tensor, error.image), recipe, pictures[0], options)
        raise DivergedError(f"{error}; the best picture so far is {display(partial)}") from error
    if stop():
        recipe["interrupted"] = True
    save(target, image, recipe, pictures[0], options)
    record = {"input": content, "output": target, "seed": options.seed, "device": str(place)}
    sizes = [list(scale) for scale in geometry.scales(size, options.scales)]
    seconds = round(time.monotonic() - begun, 2)
    return {**record, "seconds": seconds, "sizes": sizes, "losses": recipe["losses"]}


def output_for(output: str | None, content: str, styles: Sequence[str]) -> str:
    """The file to write: as given, or CONTENT-STYLE.png in the folder given or in this one."""
    if output is not None and not disk.is_folder(output):
        return output
    stems = ["stdin" if source == "-" else Path(source).stem for source in (content, *styles)]
    return str(Path(output or ".") / fit_name("-".join(stems), ".png"))


def partial_for(target: str) -> str:
    """Where the best picture goes if the work diverges: NAME-partial.png, or with a number if that exists."""
    if target == "-":
        return target
    path = Path(target)
    stems = (f"{path.stem}-partial" + f"-{n}" * (n > 1) for n in itertools.count(1))
    places = (path.with_name(fit_name(stem, path.suffix)) for stem in stems)
    return str(next(place for place in places if not (place.exists() or place.is_symlink())))


def check(target: str, sources: Sequence[str], options: OptimizeOptions) -> None:
    """Refuse now what would only fail after the work: an unwritable output, an input that is not there."""
    if sources.count("-") > 1:
        raise InputError("standard input (-) can only be one of the pictures")
    if target != "-":
        format_of(target)
    for source in sources:
        if source != "-":
            disk.open_input(source).close()
    inputs = [source for source in sources if source != "-"]
    disk.prove_writable(target, overwrite=options.overwrite, inputs=inputs)


def network_for(options: OptimizeOptions) -> Generator[Event, None, str]:
    """The name of the network, or its file, that `options.network` means here."""
    if options.network != "auto":
        return options.network
    name = vgg.default_network()
    if name == vgg.BUILT_IN:
        yield Note(vgg.DEFAULT_NOTE)
    return name


def open_pictures(sources: Sequence[str], options: OptimizeOptions) -> Generator[Event, None, list[Picture]]:
    """The pictures, shrunk as they are read to what the output needs of them, so that memory is bounded."""
    size = geometry.long_side(options.size)
    # As many pixels as a style is looked at with, if that is more than the content's.
    long_side = None if size is None else round(size * max(1.0, options.style_scale))
    pictures = [
        load_picture(source, max_pixels=options.max_pixels, long_side=long_side if index else size)
        for index, source in enumerate(sources)
    ]
    for text in (text for picture in pictures for text in picture.warnings):
        yield Note(text)
    return pictures


def recipe_of(
    options: OptimizeOptions, network: str, pictures: Sequence[Picture], styles: int, size: tuple[int, int]
) -> dict[str, Any]:
    """What made a picture and can make it again; no path, no time."""
    inputs = [{"name": picture.name, "sha256": picture.sha256} for picture in pictures]
    certain = {"seed": options.seed, "threads": torch.get_num_threads(), "network": Path(network).name}
    changed = options.changed() | certain
    if len(inputs) > 1 + styles:
        changed["init"] = inputs[-1]["name"]
    return {
        "version": 1,
        "command": "optimize",
        "options": dict(sorted(changed.items())),
        "network": {"name": Path(network).name, "sha256": vgg.sha256(network)},
        "size": [size[1], size[0]],
        "content": inputs[0],
        "styles": inputs[1 : 1 + styles],
        **({"init": inputs[-1]} if len(inputs) > 1 + styles else {}),
        "versions": {"styler": __version__, "torch": torch.__version__},
        "losses": {},
    }


def save(
    target: str, image: Tensor, recipe: Mapping[str, object], content: Picture, options: OptimizeOptions
) -> None:
    """Write a picture with the content's transparency, and with its recipe and credits unless unwanted."""
    save_picture(
        target,
        image,
        alpha=content.alpha,
        recipe=recipe if options.metadata else None,
        credits=content.credits if options.metadata else None,
        overwrite=options.overwrite,
        quality=options.quality,
    )


def _noting_losses(
    task: Generator[Event, None, Tensor], recipe: dict[str, Any]
) -> Generator[Event, None, Tensor]:
    """Pass on what a task yields and returns; the recipe gets the losses of its last step."""

    def noted(event: Event) -> Iterator[Event]:
        if isinstance(event, Step) and event.losses:
            recipe["losses"] = {name: float(f"{value:.4g}") for name, value in event.losses.items()}
        yield event

    return relay(task, noted)
