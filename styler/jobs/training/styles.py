"""Styles of a network in training: their files, the network with room for them, and the file with both."""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from styler.errors import InputError
from styler.events import Event, Note
from styler.image.levels import to_levels
from styler.image.size import long_side
from styler.networks.kinds import described
from styler.networks.layers import norms_of
from styler.networks.residual import WIDTHS, ResidualNetwork, single
from styler.networks.texture import TextureArchitecture, TextureNetwork
from styler.options.fast import TrainFastOptions
from styler.options.fields import OutputSize
from styler.plans import KINDS, ResidualArchitecture
from styler.storage.cards import weights
from styler.storage.models import library
from styler.storage.models.library import Card, Model, Style
from styler.storage.names import display, file_of, slug
from styler.storage.pictures.load import load_picture

_THUMBNAIL = 64
"""Side of the styles' thumbnails in pixels."""

Network = ResidualNetwork | TextureNetwork


@dataclass(frozen=True)
class LearnedStyle:
    """A style to learn: its entry in the network's file, Image [1, 3, H, W], and its file's hash."""

    style: Style
    image: Tensor
    sha256: str


def open_styles(files: Sequence[str], size: OutputSize) -> Generator[Event, None, list[LearnedStyle]]:
    """Open the styles of FILE or NAME=FILE, shrunk while they are read to what `size` needs at most.

    Raises:
        InputError: for a file that is no picture, no style at all, or two of one name.
    """
    if not files:
        raise InputError("no style is given: name a picture with --style FILE")
    styles: dict[str, LearnedStyle] = {}
    for text in files:
        picture = load_picture(file_of(text), long_side=long_side(size))
        for warning in picture.warnings:
            yield Note(f"{display(file_of(text))}: {warning}")
        style = _style(text, picture.credits)
        if style.name in styles:
            raise InputError(f"two styles are called {style.name}: name one with --style NAME=FILE")
        styles[style.name] = LearnedStyle(style, picture.image, picture.sha256)
    return list(styles.values())


def name_of(text: str) -> str:
    """The name of the style in FILE or NAME=FILE, as it is given."""
    file = file_of(text)
    return text.removesuffix(f"={file}") if file != text else Path(file).stem


def _style(text: str, credits: Mapping[str, str]) -> Style:
    file, name = file_of(text), name_of(text)
    if file != text and not re.search("[a-z0-9]", name.lower()):
        raise InputError(f"a style's name is made of a to z and digits, and '{display(name)}' has none")
    about = {key: credits.get(key, "") for key in ("description", "artist", "copyright")}
    return Style(slug(name), about["description"], about["artist"], about["copyright"])


# The network


def network_for(
    options: TrainFastOptions, styles: Sequence[str], base: Model | None, first: Model | None = None
) -> Network:
    """Network to train for the styles: a new one, that of `first`, or that of `base` with room for them.

    Raises:
        InputError: if `base` is of another kind, or has one of the styles; if `first` is of another kind, or
            has neither as many styles nor a single one, with which all begin.
    """
    if first:
        return _started_from(options, len(styles), first)
    width = WIDTHS[options.model_size]
    if base is None and options.network == "texture":
        return TextureNetwork(TextureArchitecture(channels=width // 2, styles=len(styles)))
    if base is None:
        config = ResidualArchitecture(width=width, styles=len(styles), grain=options.grain)
        return ResidualNetwork(config)
    if base.card.kind != options.network:
        raise InputError(
            f"the model is a {base.card.kind} network: add to it with --network {base.card.kind}"
        )
    for name in {style.name for style in base.card.styles} & set(styles):
        raise InputError(f"the model has a style {name} already: call the new one --style NAME=FILE")
    assert isinstance(base.network, Network)
    return extended(base.network, len(styles))


def read_start(path: Path, names: str = "") -> Model:
    """Read a network to train further: of several styles a single one, or a mix, where `names` says which.

    Args:
        names: styles of it, with weights, as `library.mix` takes them; "" for all as they are.

    Raises:
        CheckpointError: if it has no styles, or not these.
    """
    model = read_styled(path)
    if not names or len(model.card.styles) == 1:
        return model
    network, card, _ = library.transform_of(path, model)
    alone = single(network, library.mix(card, names))
    seal = hashlib.sha256(f"{card.sha256} {names}".encode()).hexdigest()
    style = Style("-".join(weights(names)))
    return Model(alone, replace(card, network=described(alone.config), styles=(style,), sha256=seal))


def read_styled(path: Path) -> Model:
    """Read a network that has styles; CheckpointError if it does anything else."""
    model = library.read(path)
    if not KINDS[model.card.kind].styles:
        library.require_use(path, model.card, "photo")
    return model


def _started_from(options: TrainFastOptions, count: int, first: Model) -> Network:
    """Copy the network of a model, to be trained further."""
    if first.card.kind != options.network:
        raise InputError(f"--start-from is a {first.card.kind} network, and --network {options.network}")
    known = len(first.card.styles)
    if known not in (1, count):
        raise InputError(f"--start-from has {known} styles, and {count} are to be learned: name as many")
    assert isinstance(first.network, Network)
    network = first.network if known == count else extended(first.network, count - 1)
    network = copy.deepcopy(network).requires_grad_(True)
    if isinstance(network, ResidualNetwork):
        network.config = replace(network.config, grain=options.grain)
    return network


def extended(network: Network, count: int) -> Network:
    """Copy a network with `count` more styles, which start as the mean of its own and alone can be trained.

    A training must give its own styles no weight: their gradients are then 0 and they stay bit for bit.
    """
    copied = copy.deepcopy(network).requires_grad_(False)
    copied.config = replace(copied.config, styles=copied.config.styles + count)
    for norm in norms_of(copied):
        for name in ("weight", "bias"):
            rows = getattr(norm, name).detach()
            more = rows.mean(0, keepdim=True).expand(count, -1)
            setattr(norm, name, torch.nn.Parameter(torch.cat([rows, more])))
    return copied


# Its file


def model_of(
    network: Network,
    styles: Sequence[LearnedStyle],
    base: Model | None,
    first: Model | None,
    training: Mapping[str, Any],
) -> Model:
    """A trained network with its card, which also keeps what the cards of `base` and `first` say.

    Args:
        styles: the last ones of the network.
        base: the model that the styles were added to.
        first: the model that the network started from.
        training: how it was trained.
    """
    information = {**(base.card.information if base else {}), "training": training}
    if base and "training" in base.card.information:
        information["added_to"] = base.card.information["training"]
    if first and "training" in first.card.information:
        information["started_from"] = first.card.information["training"]
    card = Card(
        kind="texture" if isinstance(network, TextureNetwork) else "transform",
        network=described(network.config),
        styles=(*(base.card.styles if base else ()), *(one.style for one in styles)),
        licence=base.card.licence if base else "",
        information=information,
        sha256="",
    )
    pictures = torch.cat([*_thumbnails(base), *(_thumbnail(one.image) for one in styles)])
    return Model(copy.deepcopy(network).cpu(), card, pictures)


def _thumbnails(base: Model | None) -> list[Tensor]:
    """Thumbnails of the styles that a network has, gray if its file has none."""
    if base is None:
        return []
    if base.thumbnails is None:
        return [torch.full((len(base.card.styles), 3, _THUMBNAIL, _THUMBNAIL), 128, dtype=torch.uint8)]
    small = F.interpolate(base.thumbnails.float(), (_THUMBNAIL, _THUMBNAIL), mode="bilinear", antialias=True)
    return [small.round().to(torch.uint8)]


def _thumbnail(image: Tensor) -> Tensor:
    """Middle square of an Image [1, 3, H, W] as bytes [1, 3, THUMBNAIL, THUMBNAIL]."""
    height, width = image.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[..., top : top + side, left : left + side]
    small = F.interpolate(square, (_THUMBNAIL, _THUMBNAIL), mode="bilinear", antialias=True)
    return to_levels(small)
