"""Trained networks: where they are kept, how they are found and read, whichever tool wrote them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from styler.errors import CheckpointError, InputError, OutputError
from styler.networks.kinds import PictureNetwork, described, empty
from styler.networks.residual import ResidualNetwork
from styler.storage import disk, format, header
from styler.storage.cards import USES, VGG, Card, Style, Translation, shares
from styler.storage.foreign import pix2pix, residual
from styler.storage.foreign import read as foreign
from styler.storage.format import read_thumbnails
from styler.storage.header import SUFFIX, read_card
from styler.storage.models.find import (
    Entry,
    called,
    cards,
    entry,
    files,
    folder,
    learned_folder,
    locate,
    locate_generator,
    locate_start,
    named,
    require_use,
    styles,
)
from styler.storage.names import SLUG, display, nearest, one_line, slug

__all__ = [  # found here too
    "Card",
    "Entry",
    "Style",
    "Translation",
    "called",
    "cards",
    "folder",
    "learned_folder",
    "locate",
    "locate_generator",
    "locate_start",
    "named",
    "read_card",
    "read_thumbnails",
    "require_use",
    "slug",
    "styles",
]


@dataclass(frozen=True)
class Model:
    """A network, its card, and uint8 thumbnails [S, 3, h, w] of the styles if there are any.

    `origin` says what another tool's file was, and is "" for ours.
    """

    network: nn.Module
    card: Card
    thumbnails: Tensor | None = None
    origin: str = ""


class _Transform(NamedTuple):
    """A network that paints photos, its card, and what another tool's file was, as in `Model`."""

    network: ResidualNetwork
    card: Card
    origin: str


class Translator(NamedTuple):
    """A network that translates pictures, its card, and what another tool's file was, as in `Model`."""

    network: PictureNetwork
    card: Card
    origin: str

    @property
    def about(self) -> Translation:
        """What it translates, and how."""
        return Translation.of(self.card.information)


# Files


def write(path: Path | str, model: Model, dtype: torch.dtype = torch.float16, overwrite: bool = True) -> None:
    """Write a model with its values as `dtype`; raises as `format.write`."""
    format.write(path, model.card, model.network.state_dict(), model.thumbnails, dtype, overwrite)


def read(path: Path | str) -> Model:
    """Read the model in a file of ours, after all in it was checked, or in another tool's.

    Raises:
        CheckpointError: if it is neither, or damaged. InputError: if there is no such file.
    """
    if not header.is_ours(path):
        return _read_foreign(Path(path))
    card, tensors, thumbnails = format.read(path)
    if card.kind == VGG:
        raise CheckpointError(
            f"{display(path)} is feature weights, which --loss-network takes, and no style network: "
            "styler models lists what there is"
        )
    network = empty(card.kind, card.network)
    network.load_state_dict({key: tensor.float() for key, tensor in tensors.items()}, assign=True)
    return Model(network.eval(), card, thumbnails)


def read_transform(path: Path | str) -> _Transform:
    """As `read`, of a network that paints photos; CheckpointError if it does anything else."""
    return transform_of(path, read(path))


def transform_of(path: Path | str, model: Model) -> _Transform:
    """As `read_transform`, of what was read."""
    require_use(path, model.card, "photo")
    return _Transform(cast(ResidualNetwork, model.network), model.card, model.origin)


def mix(card: Card, style: str) -> Tensor:
    """Weights [1, S] of a model's styles; see `cards.shares`."""
    return torch.tensor([shares(card, style)])


def read_generator(path: Path | str) -> Translator:
    """As `read`, of a network that translates pictures; CheckpointError if it does anything else."""
    return generator_of(path, read(path))


def generator_of(path: Path | str, model: Model) -> Translator:
    """As `read_generator`, of what was read."""
    require_use(path, model.card, "pair")
    network = cast(PictureNetwork, model.network)
    inputs, outputs = network.config.inputs, network.config.outputs
    if inputs > 4 or outputs not in (1, 3):
        raise CheckpointError(
            f"{display(path)} makes {outputs} channels of {inputs}: it must make 1 or 3, of 4 at most"
        )
    return Translator(network, model.card, model.origin)


def check_no_style(path: Path | str, card: Card, style: str) -> None:
    """Raise InputError if a style is asked of a network that has none."""
    if style:
        noun, _ = USES[card.takes]
        raise InputError(f"{display(Path(path).name)} is {noun} and has no styles: leave out --style")


def _read_foreign(path: Path) -> Model:
    """Read another tool's model; a style is called as the file unless that has names for several."""
    state = foreign.read(path)
    network: PictureNetwork
    styles: tuple[Style, ...] = ()
    if pix2pix.knows(state):
        network, origin, about = pix2pix.adopt(path, state)
        kind, information = "translate", about.information
    else:
        network, origin, titles = residual.adopt(path, state)
        kind, styles, information = "transform", _styles(path.stem, titles), {}
    information = {"origin": origin, "file": path.name, **information}
    card = Card(kind, described(network.config), styles, "unknown", information, disk.sha256_of(path))
    return Model(network.eval(), card, origin=origin)


def _styles(stem: str, titles: Sequence[str]) -> tuple[Style, ...]:
    """Styles by the names that a file has for them, or else by its own."""
    titles = [one_line(title) for title in titles]
    styles = tuple(Style(slug(title), title=title) for title in titles) or (Style(slug(stem)),)
    if len({style.name for style in styles}) == len(styles):
        return styles
    return tuple(Style(f"{slug(stem)}-{row}", title=title) for row, title in enumerate(titles, 1))


# To install them


def installed() -> list[Entry]:
    """All models that a name finds, their headers checked: the bundled ones, the user's, the learned ones."""
    entries = (entry(path, shelf, format.prove_card) for path, shelf in files())
    return [one for one in entries if not (one.card and one.card.kind == VGG)]


def add(path: Path | str, name: str, overwrite: bool = False) -> Path:
    """Install a model, converted if it is another tool's; returns where it is now.

    Raises:
        InputError: if the name is not written like starry-night. OutputError: if it is taken.
        CheckpointError: if the file is no model.
    """
    if not SLUG.fullmatch(name):
        raise InputError(f"a model's name is written like {slug(name)}, not '{display(name)}'")
    if any(shelf == "styler" and path.stem == name for path, shelf in files()):
        raise OutputError(f"a model that came with styler is called {name}: choose another name")
    target = folder() / f"{name}{SUFFIX}"
    keep(path, read(path), target, overwrite)
    return target


def suggested(path: Path) -> str:
    """The name by which to install a model: the file's, or of one that was learned its style's."""
    if path.parent == learned_folder():
        return read_card(path).styles[0].name
    return slug(path.stem)


def remove(name: str) -> Path:
    """Remove a model of the user's, or one that was learned; returns where it was.

    Raises:
        CheckpointError: if there is none of that name. OutputError: if it came with styler, or cannot be
            removed.
    """
    own = {path.stem: path for path, shelf in reversed([*files()]) if shelf != "styler"}
    if name not in own:
        if any(path.stem == name for path, _ in files()):
            raise OutputError(f"{name} came with styler, and goes with it: only your own can be removed")
        raise CheckpointError(f"no model of yours is called '{display(name)}'{nearest(name, own)}")
    disk.remove(own[name])
    return own[name]


def keep(path: Path | str, model: Model, target: Path | str, overwrite: bool) -> None:
    """Write the model that was read from `path` as one of ours: without loss, ours byte by byte."""
    disk.prove_writable(target, overwrite=overwrite, inputs=[path])
    if model.origin:
        write(target, model, torch.float32, overwrite)
    else:
        disk.write(target, Path(path).read_bytes(), overwrite=overwrite)
