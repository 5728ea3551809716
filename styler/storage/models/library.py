"""Trained networks: the one file format they have, where they are kept, and how they are found.

A model is a sealed safetensors file (see `sealed`) with a network's tensors, maybe a thumbnail of each style,
and a description from which the network is rebuilt. `read` opens other tools' files too (see `layouts`).
"""

from __future__ import annotations

import importlib.resources
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

import styler
from styler.errors import CheckpointError, InputError, OutputError, StylerError
from styler.networks.kinds import empty
from styler.networks.pix2pix import Generator
from styler.networks.transform import TransformNetwork
from styler.storage import disk, format
from styler.storage.cards import THUMBNAILS, Card, Style, card_of, mix, weights
from styler.storage.foreign import pix2pix, residual
from styler.storage.foreign import read as foreign
from styler.storage.names import SLUG, display, nearest, slug, user_folder
from styler.storage.translation import Translation

__all__ = ["Card", "Style", "Translation", "mix", "slug"]  # found here too, beside what is below

FORMAT = 1
SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Model:
    """A network, its card, and uint8 thumbnails [S, 3, h, w] of the styles if there are any.

    `found` tells what another tool's file was, and is "" for ours.
    """

    network: nn.Module
    card: Card
    thumbnails: Tensor | None = None
    found: str = ""


class Transform(NamedTuple):
    """A network that paints photos, its card, and what another tool's file was, as in `Model`."""

    network: TransformNetwork
    card: Card
    found: str


class Translator(NamedTuple):
    """A network that translates pictures, its card, and what another tool's file was, as in `Model`."""

    network: Generator
    card: Card
    found: str

    @property
    def about(self) -> Translation:
        """What it translates, and how."""
        return Translation.of(self.card.information)


@dataclass(frozen=True)
class Entry:
    """A model that is installed; `card` is None and `problem` says why where its file cannot be used."""

    name: str
    path: Path
    card: Card | None
    bundled: bool
    problem: str = ""


# Files


def write(path: Path | str, model: Model, dtype: torch.dtype = torch.float16, overwrite: bool = True) -> None:
    """Write a model with its values as `dtype`, atomically and sealed; equal arguments give equal bytes.

    Raises:
        CheckpointError: if card, network and thumbnails do not fit, or values are not finite as `dtype`.
        OutputError: if the file cannot be written, or exists without `overwrite`.
    """
    tensors = {key: tensor.detach().to(dtype) for key, tensor in model.network.state_dict().items()}
    if model.thumbnails is not None:
        tensors[THUMBNAILS] = model.thumbnails
    described = {key: value for key, value in asdict(model.card).items() if key != "sha256"}
    data = format.pack(tensors, {**described, "format": FORMAT})
    try:
        _check_values(tensors)
        card_of(format.parse(data))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{display(path)} is not written: {error}") from error
    disk.write(path, data, overwrite=overwrite)


def read(path: Path | str) -> Model:
    """The model in a file of ours, after its seal, shapes and values were checked, or in another tool's.

    Raises:
        CheckpointError: if it is neither, or damaged. InputError: if there is no such file.
    """
    if not _is_ours(path):
        return _adopted(Path(path))
    with disk.open_input(path) as file:
        card = _parse(path, file)  # which proves the size, before all is read
        file.seek(0)
        data = file.read()
    if fault := format.fault(format.parse(data), card.sha256, data):
        raise CheckpointError(f"{display(path)} is damaged: {fault}. Get it again")
    try:
        tensors = safetensors.torch.load(data)
        thumbnails = tensors.pop(THUMBNAILS, None)
        _check_values(tensors)
    except (safetensors.SafetensorError, ValueError) as error:
        raise CheckpointError(f"{display(path)} is damaged ({display(str(error))}): get it again") from error
    network = empty(card.kind, card.network)
    network.load_state_dict({key: tensor.float() for key, tensor in tensors.items()}, assign=True)
    return Model(network.eval(), card, thumbnails)


def read_transform(path: Path | str) -> Transform:
    """As `read`, of a network that paints photos; CheckpointError if it makes textures or translates."""
    return transform_of(path, read(path))


def transform_of(path: Path | str, model: Model) -> Transform:
    """As `read_transform`, of what was read."""
    shown = display(path)
    if isinstance(model.network, Generator):
        raise CheckpointError(
            f"{shown} is a translator and has no styles: styler translate --checkpoint {called(path)}"
        )
    if not isinstance(model.network, TransformNetwork):
        raise CheckpointError(f"{shown} makes textures from noise: give one that paints photos")
    return Transform(model.network, model.card, model.found)


def read_generator(path: Path | str) -> Translator:
    """As `read`, of a network that translates pictures; CheckpointError if it has styles."""
    model, shown = read(path), display(path)
    if not isinstance(model.network, Generator):
        raise CheckpointError(
            f"{shown} is a style network and translates nothing: styler fast --model {called(path)}"
        )
    made = model.network.made
    if made.inputs > 4 or made.outputs not in (1, 3):
        raise CheckpointError(
            f"{shown} makes {made.outputs} channels of {made.inputs}: it must make 1 or 3, of 4 at most"
        )
    return Translator(model.network, model.card, model.found)


def check_no_style(path: Path | str, style: str) -> None:
    """Raise InputError if a style is asked of a translator."""
    if style:
        raise InputError(f"{display(path)} is a translator and has no styles: leave out --style")


def read_card(path: Path | str) -> Card:
    """What a file of ours says of itself, from its header only: nothing is checked against the seal.

    Raises:
        CheckpointError: if it is no model of ours. InputError: if there is no such file.
    """
    with disk.open_input(path) as file:
        return _parse(path, file)


def read_thumbnails(path: Path | str) -> Tensor | None:
    """The thumbnails in a file of ours as in `Model`, None without; nothing is checked against the seal.

    Raises as `read_card`.
    """
    read_card(path)  # which proves type and shape
    with safetensors.safe_open(path, "pt") as file:
        return file.get_tensor(THUMBNAILS).clone() if THUMBNAILS in file.keys() else None  # noqa: SIM118


def _is_ours(path: Path | str) -> bool:
    """Whether a file claims to be of ours, whatever its state."""
    mark = f'"{format.KEY}":'.encode()
    with disk.open_input(path) as file:
        head = file.read(format.HEADER_BYTES)
    return format.is_safetensors(head) and mark in head


def _adopted(path: Path) -> Model:
    """Another tool's model."""
    state = foreign.read(path)
    card = Card("transform", {}, (), "unknown", {"file": path.name}, disk.sha256_of(path))
    return _generator(path, state, card) if pix2pix.knows(state) else _style_network(path, state, card)


def _style_network(path: Path, state: foreign.State, card: Card) -> Model:
    """One that paints photos; its file's name is its style's unless that has names for several."""
    network, found, names = residual.adopt(path, state)
    stem = slug(path.stem)
    styles = tuple(Style(slug(name), title=name) for name in names) or (Style(stem),)
    if len({style.name for style in styles}) < len(styles):
        styles = tuple(Style(f"{stem}-{row}", title=name) for row, name in enumerate(names, 1))
    information = {"found": found, **card.information}
    card = replace(card, network=asdict(network.made), styles=styles, information=information)
    return Model(network.eval(), card, found=found)


def _generator(path: Path, state: foreign.State, card: Card) -> Model:
    network, found, about = pix2pix.adopt(path, state)
    information = {"found": found, **card.information, **about.information}
    card = replace(card, kind="translate", network=asdict(network.made), information=information)
    return Model(network.eval(), card, found=found)


def _parse(path: Path | str, file: BinaryIO) -> Card:
    """The card in the first bytes of a file of ours, checked against all but the values."""
    shown, data = display(path), file.read(8 + format.HEADER_BYTES)
    if not format.is_safetensors(data):
        raise CheckpointError(
            f"{shown} is no model of styler's: styler models convert {shown} -o NEW{SUFFIX}"
        )
    try:
        header = format.parse(data)
        _check_format(shown, header.about or {})
        card = card_of(header)
        size, told = file.seek(0, os.SEEK_END), header.bytes
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{shown} is damaged ({display(str(error))}): get it again") from error
    if size != told:
        raise CheckpointError(f"{shown} has {size:,} bytes and should have {told:,}: get it again")
    return card


def _check_format(shown: str, about: Mapping[str, Any]) -> None:
    """Raise CheckpointError for a file of another kind or of a newer styler."""
    if "kind" not in about:
        what = "feature weights, which --loss-network takes," if "normalization" in about else "another file"
        raise CheckpointError(f"{shown} is {what} and no style network: styler models lists what there is")
    if about["format"] > FORMAT:
        raise CheckpointError(
            f"{shown} has format {about['format']:.6g}, and this styler reads up to {FORMAT}: "
            "pip install --upgrade styler"
        )


def _check_values(tensors: Mapping[str, Tensor]) -> None:
    for key, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise ValueError(f"values of {key} are not finite")


# Where they are


def folder() -> Path:
    """Where the user's models are kept: $STYLER_HOME/models, or the platform's place for data."""
    return user_folder("data", "models")


def installed() -> list[Entry]:
    """All models that a name finds: the bundled ones, then the user's; each by name."""
    return [*_entries(_bundled(), bundled=True), *_entries(folder(), bundled=False)]


def _bundled() -> Path | None:
    """The folder of the networks that came with styler; in a checkout that is not installed, its own."""
    try:
        resource = importlib.resources.files("styler.styles")
    except ModuleNotFoundError:
        resource = Path(styler.__file__).parents[1] / "styles"
    return resource if isinstance(resource, Path) else None


def called(path: Path | str) -> str:
    """By what a model is found again: its name if it is installed, else its path."""
    path = Path(path)
    return display(path.stem if path.parent in (folder(), _bundled()) else path)


def _entries(place: Path | None, bundled: bool) -> Iterable[Entry]:
    for path in sorted(place.glob(f"*{SUFFIX}"), key=lambda path: path.stem) if place else ():
        try:
            yield Entry(path.stem, path, read_card(path), bundled)
        except (StylerError, OSError) as error:
            yield Entry(path.stem, path, None, bundled, str(error))


def locate(model: str, style: str) -> Path:
    """The file of a model's name or path; without one, of the only transform network that has all the styles.

    `style` is as for `mix`. Without either it is the first bundled network, or else the first of the user's.

    Raises:
        CheckpointError: if there is none, with the nearest names, or more than one.
    """
    entries = installed()
    if model:
        return _named(model, entries, entries)
    usable = [entry for entry in entries if entry.card and entry.card.kind == "transform"]
    if not usable:
        raise CheckpointError(
            "no style network is installed: styler train-fast makes one, or give --model FILE"
        )
    wanted = weights(style) if style else {}
    fitting = [e for e in usable if e.card and wanted.keys() <= {s.name for s in e.card.styles}]
    if not fitting:
        raise CheckpointError(_unheld(wanted, usable))
    if style and len(fitting) > 1:
        names = ", ".join(entry.name for entry in fitting)
        raise CheckpointError(f"several networks have style {style}: choose with --model one of {names}")
    return fitting[0].path


def locate_generator(checkpoint: str) -> Path:
    """The file of a translator's name or path; without one, the only translator that is here.

    Raises:
        CheckpointError: if there is none, with the nearest names, or more than one.
    """
    entries = installed()
    usable = [entry for entry in entries if entry.card and entry.card.kind == "translate"]
    if checkpoint:
        return _named(checkpoint, entries, usable)
    if len(usable) == 1:
        return usable[0].path
    names = ", ".join(entry.name for entry in usable)
    raise CheckpointError(
        f"there are several translators: choose with --checkpoint one of {names}"
        if usable
        else "no translator is installed: styler train-translate makes one, or give --checkpoint FILE"
    )


def _named(model: str, entries: Sequence[Entry], likely: Sequence[Entry]) -> Path:
    """The file of that name or path; if there is none, CheckpointError names `likely` ones."""
    if found := [entry for entry in entries if entry.name == model]:
        return found[0].path
    if Path(model).suffix or Path(model).is_file():
        return Path(model)
    raise CheckpointError(f"no model is called '{display(model)}'{nearest(model, [e.name for e in likely])}")


def _unheld(wanted: Iterable[str], usable: list[Entry]) -> str:
    """Why no network has the styles: one that none has, or no network that has all."""
    names = [style.name for entry in usable if entry.card for style in entry.card.styles]
    for name in wanted:
        if name not in names:
            return f"no installed network has style '{display(name)}'{nearest(name, names)}"
    return (
        f"no one network has all of {', '.join(wanted)}, and only styles of one can be blended: styler models"
    )


def add(path: Path | str, name: str, overwrite: bool = False) -> Path:
    """Install a model, converted if it is another tool's; returns where it is now.

    Raises:
        InputError: if the name is not written like starry-night. OutputError: if it is taken.
        CheckpointError: if the file is no model.
    """
    if not SLUG.fullmatch(name):
        raise InputError(f"a model's name is written like {slug(name)}, not '{display(name)}'")
    if any(entry.name == name for entry in installed() if entry.bundled):
        raise OutputError(f"a model that came with styler is called {name}: choose another name")
    target = folder() / f"{name}{SUFFIX}"
    keep(path, read(path), target, overwrite)
    return target


def keep(path: Path | str, model: Model, target: Path | str, overwrite: bool) -> None:
    """Write the model that was read from `path` as one of ours: without loss, ours byte by byte."""
    disk.prove_writable(target, overwrite=overwrite, inputs=[path])
    if model.found:
        write(target, model, torch.float32, overwrite)
    else:
        disk.write(target, Path(path).read_bytes(), overwrite=overwrite)
