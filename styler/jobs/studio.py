"""What all contents of a painting have in common: feature network, styles, masks, picture to start from."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from styler.device import form_for, room_for
from styler.engine import memory
from styler.engine.memory import Plan
from styler.engine.terms import Style
from styler.errors import InputError
from styler.events import Checkpoint, Event
from styler.features import Extractor
from styler.image.masks import fits, is_colored, paired, soft
from styler.image.size import Size, resize, size_of
from styler.jobs.enlarge import larger
from styler.jobs.recipes import Record, prove, source_of
from styler.jobs.records import open_picture, prepare, recipe_of
from styler.options.optimize import REST, OptimizeOptions, all_masks, mask_files
from styler.storage.inputs import Job
from styler.storage.models import vgg
from styler.storage.names import display, picture_name
from styler.storage.pictures.load import Picture
from styler.tasks import optimize as task
from styler.tasks.onepass import OnePass

Pairs = list[tuple[Tensor, Tensor | None]]
"""Regions of the content [1, 1, h, w], each with that of the style, None for all of it."""


@dataclass(frozen=True, eq=False)
class Studio:
    """A feature network on its device, and the pictures that all contents have in common.

    Attributes:
        network: name and sha256, for recipes.
        sources: files of the styles, of the picture to start from if there is one, and of the masks.
        pictures: what those of styles and start hold, in the same order.
        styles: on the device.
        init: Image to start from, on the device.
        masks: where styles are painted, and nothing is.
        larger: pass that enlarges what is painted, if that is asked for.
    """

    options: OptimizeOptions
    network: Record
    extractor: Extractor
    sources: Sequence[str]
    pictures: Sequence[Picture]
    styles: Sequence[Style]
    init: Tensor | None
    masks: Masks
    device: torch.device
    larger: OnePass | None = None

    def paint(
        self, content: Tensor, plan: Plan, stop: Callable[[], bool], resume: Checkpoint | None
    ) -> Generator[Event, None, Tensor]:
        """Paint an Image [1, 3, H, W] on the device, by a plan, from the start or from a checkpoint."""
        options = replace(self.options, tile=plan.side or "off", history=plan.history)
        return task.optimize(
            content, self.styles, self.extractor, options, self.init, stop, self.masks.protect, resume
        )

    def plan(self, size: Size) -> Plan:
        """Plan of the memory for a picture; raises DeviceError if it is too large."""
        room = room_for(self.options.memory, self.device, task.SHARE)
        return memory.plan(self.extractor, self.options, size, room)

    def recipe(self, content: Picture, size: Size, plan: Plan) -> Record:
        """Recipe of a picture that is painted by a plan."""
        entries = [source_of(picture) for picture in self.pictures]
        styles, init = entries[: len(self.styles)], entries[len(self.styles) :]
        more: Record = {"init": init[0]} if init else {}
        if self.masks.pictures:
            more["masks"] = [source_of(picture) for picture in self.masks.pictures]
        precision = form_for(self.options.precision, self.device).precision
        certain = {"network": self.network["name"], "precision": precision, **plan.chosen()}
        certain |= {**self.masks.recipe(self.options), **({"init": init[0]["name"]} if init else {})}
        for entry, style, file in zip(styles, self.styles, self.sources, strict=False):
            entry["name"] = picture_name(file) or entry["name"]
            entry |= {} if style.weight == 1 else {"weight": style.weight}
        return recipe_of(
            "optimize",
            self.options,
            certain,
            network=self.network,
            size=[size[1], size[0]],
            content=source_of(content),
            styles=styles,
            **more,
            losses={},
        )


def open_studio(
    jobs: Sequence[Job],
    styles: Sequence[str],
    weights: Sequence[float],
    inits: Sequence[str],
    options: OptimizeOptions,
) -> Generator[Event, None, Studio]:
    """Load the styles, the picture to start from if there is one, the masks, and the network.

    Raises OutputError if the outputs of `jobs` cannot be written, before the network is loaded.
    """
    device = prepare(options)
    sources, pictures = [*styles, *inits], []
    for source in sources:
        pictures.append((yield from open_picture(source, options, task.style_side(options))))
    masks = yield from open_masks(options, pictures[: len(styles)], device)
    sources += all_masks(options)
    for job in jobs if not options.dry_run else ():
        prove(job.target, options.overwrite, [job.source, *sources])
    name = yield from vgg.choose(options.network)
    extractor = vgg.load(name).until(memory.layers(options)).to(device)
    extractor.compute_in(form_for(options.precision, device))
    network = {"name": Path(name).name, "sha256": vgg.sha256(name)}
    used = [
        Style(picture.image.to(device), weight, masks=pairs)
        for picture, weight, pairs in zip(pictures, weights, masks.styles, strict=False)
    ]
    init = pictures[-1].image.to(device) if inits else None
    after = larger(options, device)
    return Studio(options, network, extractor, sources, pictures, used, init, masks, device, after)


# Styles and their masks


def remarks(styles: Sequence[str], weights: Sequence[float]) -> list[str]:
    """Notes on styles that are ours and on weights that change nothing; InputError if these leave nothing."""
    if not sum(weights):
        raise InputError("all weights of the styles are 0; give one of them a weight, as in waves.jpg:0.3")
    ours = [name for name in map(picture_name, styles) if name]
    notes = [f"{name} is the style picture that comes with styler" for name in ours]
    if len(weights) == 1 and weights[0] != 1:
        notes.append("a weight is a share among several styles; of one alone use --style-weight")
    return notes


@dataclass(frozen=True, eq=False)
class Masks:
    """Masks that all contents have in common.

    Attributes:
        styles: regions of each style; none for a style that is painted everywhere.
        protect: mask [1, 1, h, w] of what stays of the content.
        sizes: (height, width) by name, of those that have to have the content's shape.
        pictures: what the files hold, in the order of `mask_files`.
    """

    styles: Sequence[Pairs]
    protect: Tensor | None
    sizes: Mapping[str, Size]
    pictures: Sequence[Picture]

    def check(self, content: Size, name: str) -> None:
        """Raise InputError if a mask does not have the shape of a content of (height, width)."""
        for mask, size in self.sizes.items():
            check_shape(mask, size, name, content)

    def recipe(self, options: OptimizeOptions) -> dict[str, object]:
        """Options of a recipe that name the masks."""
        names = iter(picture.name for picture in self.pictures)
        pairs = [[next(names) for _ in mask_files(text)] or [REST] for text in options.style_mask]
        style_mask = {"style_mask": ["=".join(pair) for pair in pairs]} if pairs else {}
        return {**style_mask, **({"protect": next(names)} if options.protect else {})}


def check_count(options: OptimizeOptions, styles: int) -> None:
    """Raise InputError unless there are no masks of styles, or as many as styles."""
    if options.style_mask and len(options.style_mask) != styles:
        raise InputError(
            f"--style-mask was given {len(options.style_mask)} times, and the number of styles is {styles}: "
            "give one for each style, in the same order"
        )
    rests = sum(not mask_files(text) for text in options.style_mask)
    if rests > 1 or rests == styles:
        raise InputError(f"--style-mask {REST} is for one style, where the masks of the others are black")


def open_masks(
    options: OptimizeOptions, styles: Sequence[Picture], device: torch.device
) -> Generator[Event, None, Masks]:
    """Load all masks; InputError for one that is empty, or has not the shape of its style."""
    pictures = []
    for file in all_masks(options):
        pictures.append((yield from open_picture(file, options, None)))
    left = iter(pictures)
    pairs: list[Pairs] = []
    sizes = {}
    for text, style in zip(options.style_mask, styles, strict=False):
        if not mask_files(text):
            pairs.append([])
            continue
        where, *source = (next(left) for _ in mask_files(text))
        sizes[display(where.name)] = size_of(where.image)
        found = _paired(where, source[0], style) if source else _alone(where)
        pairs.append([(mask.to(device), None if own is None else own.to(device)) for mask, own in found])
    if pairs and [] in pairs:
        pairs[pairs.index([])] = [(_rest([mask for found in pairs for mask, _ in found]), None)]
    protect = None
    for picture in left:
        sizes[display(picture.name)] = size_of(picture.image)
        protect = protection(picture).to(device)
    return Masks(pairs or [[] for _ in styles], protect, sizes, pictures)


def protection(picture: Picture) -> Tensor:
    """Mask [1, 1, h, w] of what stays of a photo; InputError if that is all of it."""
    mask = soft(picture.image, picture.alpha)
    if mask.min() > 1 - 0.5 / 255:
        raise InputError(f"{display(picture.name)} protects the whole photo: make it black somewhere")
    return mask


def _alone(where: Picture) -> Pairs:
    if is_colored(where.image):
        raise InputError(
            f"{display(where.name)} has colors: make it gray, or pair it with the style's regions of the "
            f"same colors, as {display(where.name)}=REGIONS"
        )
    return [(_mask(where), None)]


def _paired(where: Picture, source: Picture, style: Picture) -> Pairs:
    check_shape(display(source.name), size_of(source.image), style.name, size_of(style.image))
    if not is_colored(where.image) and not is_colored(source.image):
        return [(_mask(where), _mask(source))]
    try:
        return [*paired(where.image, source.image)]
    except InputError as error:
        raise InputError(f"{display(where.name)} and {display(source.name)}: {error}") from error


def _mask(picture: Picture) -> Tensor:
    mask = soft(picture.image, picture.alpha)
    if mask.max() < 0.5 / 255:
        raise InputError(f"{display(picture.name)} is black everywhere, and a mask is white where it counts")
    return mask


def _rest(masks: Sequence[Tensor]) -> Tensor:
    """The mask of what is left by others of one shape, in the size of the largest; InputError for nothing."""
    height, width = max((size_of(mask) for mask in masks), key=math.prod)
    rest = (1 - torch.stack([resize(mask, (height, width)) for mask in masks]).sum(0)).clamp(0, 1)
    if rest.max() < 0.5 / 255:
        raise InputError(f"the other masks leave nothing to --style-mask {REST}: make one blacker")
    return rest


def check_shape(mask: str, size: Size, picture: str, wanted: Size) -> None:
    """Raise InputError unless a mask of (height, width) `size` has the shape of a picture."""
    if not fits(size, wanted):
        shown = [f"{width} x {height}" for height, width in (size, wanted)]
        raise InputError(
            f"{mask} is {shown[0]} pixels and {display(picture)} {shown[1]}: a mask has the size of its "
            "picture, or the same shape"
        )
