"""Trained networks: where they are kept, how they are found and read, whichever tool wrote them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, cast

import torch
from torch import Tensor, nn

from styler.errors import CheckpointError, InputError, OutputError, StylerError
from styler.networks.kinds import KINDS, PictureNetwork, described, empty
from styler.networks.residual import ResidualNetwork
from styler.storage import disk, format
from styler.storage.cards import VGG, Card, Style, Translation, mix, weights
from styler.storage.foreign import pix2pix, residual
from styler.storage.foreign import read as foreign
from styler.storage.format import SUFFIX, read_card, read_thumbnails
from styler.storage.names import SLUG, display, nearest, one_line, slug, user_folder
from styler.storage.names import bundled as _bundled
from styler.storage.styles import pictures

__all__ = ["Card", "Style", "Translation", "mix", "read_card", "read_thumbnails", "slug"]  # found here too


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


START = "mosaic"
"""The style from whose network paintings are learned: one of the two from which few steps lead farthest."""
Shelf = Literal["styler", "you", "learned"]
"""Where a model is from: it came with styler, was added by the user, or was learned by `styler fast`."""


@dataclass(frozen=True)
class Entry:
    """A model that is installed; `card` is None and `problem` says why where its file cannot be used."""

    name: str
    path: Path
    card: Card | None
    origin: Shelf
    problem: str = ""

    @property
    def bundled(self) -> bool:
        """Whether it came with styler."""
        return self.origin == "styler"


# Files


def write(path: Path | str, model: Model, dtype: torch.dtype = torch.float16, overwrite: bool = True) -> None:
    """Write a model with its values as `dtype`; raises as `format.write`."""
    format.write(path, model.card, model.network.state_dict(), model.thumbnails, dtype, overwrite)


def read(path: Path | str) -> Model:
    """Read the model in a file of ours, after all in it was checked, or in another tool's.

    Raises:
        CheckpointError: if it is neither, or damaged. InputError: if there is no such file.
    """
    if not format.is_ours(path):
        return _read_foreign(Path(path))
    if read_card(path).kind == VGG:
        raise CheckpointError(
            f"{display(path)} is feature weights, which --loss-network takes, and no style network: "
            "styler models lists what there is"
        )
    card, tensors, thumbnails = format.read(path)
    network = empty(card.kind, card.network)
    network.load_state_dict({key: tensor.float() for key, tensor in tensors.items()}, assign=True)
    return Model(network.eval(), card, thumbnails)


def read_transform(path: Path | str) -> _Transform:
    """As `read`, of a network that paints photos; CheckpointError if it makes textures or translates."""
    return transform_of(path, read(path))


def transform_of(path: Path | str, model: Model) -> _Transform:
    """As `read_transform`, of what was read."""
    shown = display(path)
    takes = KINDS[model.card.kind].takes
    if takes == "pair":
        raise CheckpointError(
            f"{shown} is a translator and has no styles: styler translate --checkpoint {called(path)}"
        )
    if takes == "small":
        raise CheckpointError(f"{shown} enlarges and has no styles: styler enlarge --model {called(path)}")
    if takes == "noise":
        raise CheckpointError(f"{shown} makes textures from noise: give one that paints photos")
    return _Transform(cast(ResidualNetwork, model.network), model.card, model.origin)


def read_generator(path: Path | str) -> Translator:
    """As `read`, of a network that translates pictures; CheckpointError if it has styles."""
    return generator_of(path, read(path))


def generator_of(path: Path | str, model: Model) -> Translator:
    """As `read_generator`, of what was read."""
    shown = display(path)
    if KINDS[model.card.kind].takes != "pair":
        raise CheckpointError(
            f"{shown} is a style network and translates nothing: styler fast --model {called(path)}"
        )
    network = cast(PictureNetwork, model.network)
    inputs, outputs = network.config.inputs, network.config.outputs
    if inputs > 4 or outputs not in (1, 3):
        raise CheckpointError(
            f"{shown} makes {outputs} channels of {inputs}: it must make 1 or 3, of 4 at most"
        )
    return Translator(network, model.card, model.origin)


def check_no_style(path: Path | str, style: str) -> None:
    """Raise InputError if a style is asked of a translator."""
    if style:
        raise InputError(f"{display(path)} is a translator and has no styles: leave out --style")


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


# Where they are


def folder() -> Path:
    """Where the user's models are kept: $STYLER_HOME/models, or the platform's place for data."""
    return user_folder("data", "models")


def learned_folder() -> Path:
    """Where networks are that `styler fast` has learned: $STYLER_HOME/learned, or the place for caches."""
    return user_folder("cache", "learned")


def installed() -> list[Entry]:
    """All models that a name finds, their headers checked: the bundled ones, the user's, the learned ones."""
    entries = (_entry(path, shelf, format.prove_card) for path, shelf in _files())
    return [entry for entry in entries if not (entry.card and entry.card.kind == VGG)]


def _files() -> Iterator[tuple[Path, Shelf]]:
    """The files of all models, and where they are from, sorted by name within each folder."""
    places: tuple[tuple[Path | None, Shelf], ...] = (
        (_bundled(), "styler"),
        (folder(), "you"),
        (learned_folder(), "learned"),
    )
    for place, shelf in places:
        for path in sorted(place.glob(f"*{SUFFIX}"), key=lambda path: path.stem) if place else ():
            yield path, shelf


def _entry(path: Path, shelf: Shelf, read: Callable[[Path], Card] = read_card) -> Entry:
    try:
        return Entry(path.stem, path, read(path), shelf)
    except (StylerError, OSError) as error:
        return Entry(path.stem, path, None, shelf, str(error))


def styles() -> list[str]:
    """Names of the styles of all installed networks that paint photos."""
    return sorted({style.name for card in cards("photo").values() for style in card.styles})


def cards(takes: str) -> dict[Path, Card]:
    """The cards of the models that take such input, from their headers; those that are learned have no name.

    A painting that was learned is found by the painting.
    """
    entries = (_entry(path, shelf) for path, shelf in _files() if shelf != "learned")
    cards = {entry.path: entry.card for entry in entries if entry.card and entry.card.kind != VGG}
    return {path: card for path, card in cards.items() if KINDS[card.kind].takes == takes}


def _is_whole(path: Path) -> bool:
    """Whether a file of ours is as it was written, its values included."""
    try:
        format.read(path)
    except (StylerError, OSError):
        return False
    return True


def called(path: Path | str) -> str:
    """By what a model is found again: its name if it is installed, else its path."""
    path = Path(path)
    return display(path.stem if path.parent in (folder(), learned_folder(), _bundled()) else path)


def locate(model: str, style: str) -> Path:
    """Find the file of a model's name or path; without one, of the only network that has all the styles.

    `style` is as for `mix`. Without either it is the only network that is installed.
    Headers are read at most; of several networks with the styles, damaged ones do not count.

    Raises:
        CheckpointError: if there is none, with the nearest names, or more than one.
    """
    if model:
        return named(model, [path.stem for path, _ in _files()])
    usable = cards("photo")
    if not usable:
        raise CheckpointError(
            "no style network is installed: styler train-fast makes one, or give --model FILE"
        )
    if not style and len(usable) > 1:
        raise CheckpointError(f"there are several styles: choose with --style from {', '.join(styles())}")
    names = weights(style).keys() if style else set()
    fitting = [path for path, card in usable.items() if names <= {known.name for known in card.styles}]
    if not fitting:
        raise CheckpointError(_unheld(names, usable.values()))
    if style and len(fitting) > 1:
        fitting = [path for path in fitting if _is_whole(path)] or fitting[:1]
    if style and len(fitting) > 1:
        listed = ", ".join(path.stem for path in fitting)
        raise CheckpointError(f"several networks have style {style}: choose with --model one of {listed}")
    return fitting[0]


def locate_start() -> Path:
    """Find the network from which a painting is learned: that of the style `START`, or any of one style.

    Raises CheckpointError if there is none.
    """
    single = {path: card for path, card in cards("photo").items() if len(card.styles) == 1}
    for path in [path for path, card in single.items() if card.styles[0].name == START] or single:
        return path
    raise CheckpointError("no network of one style is installed to start from: styler train-fast makes one")


def locate_generator(checkpoint: str) -> Path:
    """Find the file of a translator's name or path; without one, the only translator that is installed.

    Raises:
        CheckpointError: if there is none, with the nearest names, or more than one.
    """
    usable = [path.stem for path in cards("pair")]
    if checkpoint:
        return named(checkpoint, usable)
    if len(usable) == 1:
        return named(usable[0], usable)
    raise CheckpointError(
        f"there are several translators: choose with --checkpoint one of {', '.join(usable)}"
        if usable
        else "no translator is installed: styler train-translate makes one, or give --checkpoint FILE"
    )


def named(model: str, likely: Iterable[str]) -> Path:
    """The file of that name or path; if there is none, CheckpointError names `likely` ones."""
    for path, _ in _files():
        if path.stem == model:
            return path
    if Path(model).suffix or Path(model).is_file():
        return Path(model)
    raise CheckpointError(f"no model is called '{display(model)}'{nearest(model, likely)}")


def _unheld(names: Iterable[str], usable: Iterable[Card]) -> str:
    """Why no network has the styles: one that none has, or no network that has all."""
    known = [style.name for card in usable for style in card.styles]
    for name in names:
        if name not in known:
            picture = ", which is a style picture for styler optimize" if name in pictures() else ""
            return f"no installed network has style '{display(name)}'{picture}{nearest(name, known)}"
    return (
        f"no one network has all of {', '.join(names)}, and only styles of one can be blended: styler models"
    )


def add(path: Path | str, name: str, overwrite: bool = False) -> Path:
    """Install a model, converted if it is another tool's; returns where it is now.

    Raises:
        InputError: if the name is not written like starry-night. OutputError: if it is taken.
        CheckpointError: if the file is no model.
    """
    if not SLUG.fullmatch(name):
        raise InputError(f"a model's name is written like {slug(name)}, not '{display(name)}'")
    if any(shelf == "styler" and path.stem == name for path, shelf in _files()):
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
    own = {path.stem: path for path, shelf in reversed([*_files()]) if shelf != "styler"}
    if name not in own:
        if any(path.stem == name for path, _ in _files()):
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
