"""The network that a command looks through, and the units that its options name."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from styler.classifiers import SCORES, Network
from styler.device import free_memory, gigabytes
from styler.errors import DeviceError, InputError, WeightsError
from styler.events import Event
from styler.image.size import Size
from styler.jobs.recipes import Record
from styler.jobs.records import prepare
from styler.options.see import SeeOptions
from styler.storage.models import classifiers, vgg
from styler.storage.models.known import WEIGHTS
from styler.storage.names import display
from styler.tasks.see.gradients import memory
from styler.tasks.see.units import Unit, parse_units

NO_CLASSIFIER = (
    "no network that scores classes is installed; to get one of 5 MB: styler weights fetch squeezenet"
)


@dataclass(frozen=True, eq=False)
class View:
    """A network on its device, and its name and sha256 for recipes."""

    network: Network
    about: Record
    device: torch.device

    @property
    def count(self) -> int:
        """Number of its classes."""
        return self.network.widths()[self.network.classes]

    def require_memory(self, layers: Iterable[str], size: Size, flag: str = "--size") -> None:
        """Raise DeviceError if gradients of `layers` at (height, width) `size` need more than is free.

        `flag` is the option by which the size can be less.
        """
        needed, free = memory(self.network, layers, size), free_memory(self.device)
        if free is not None and needed > free:
            least = int(max(size) * math.sqrt(free / needed))
            needs, may = gigabytes(needed, free)
            raise DeviceError(
                f"{size[1]} x {size[0]} pixels need about {needs} of memory and {may} are free: "
                f"use {flag} {least} or less"
            )

    def find_class(self, text: str) -> int:
        """The number of a class by name or number; raises InputError."""
        return classifiers.find_class(text, self.count)

    def class_of(self, index: int) -> Unit:
        """The unit of a class that a picture is to excite: before any ReLU, which stops gradients."""
        return Unit(self.network.classes, index, classifiers.class_name(index, self.count))

    def score_of(self, index: int) -> Unit:
        """The unit of a class that is to be explained: its score."""
        return replace(self.class_of(index), layer=SCORES)

    def units(self, text: str) -> list[Unit]:
        """Units of a layer as `--channel` and `--layer` name them; raises InputError."""
        return parse_units(text, self.network)


def open_view(options: SeeOptions, classes: bool) -> Generator[Event, None, View]:
    """Load the network that the options name, with `classes` one that scores them.

    Raises WeightsError where there is none, or InputError where it has no classes.
    """
    device, name = prepare(options), options.network
    if name == "auto" and classes:
        name = classifiers.default_classifier()
        if not name:
            raise WeightsError(NO_CLASSIFIER)
    elif name == "auto":
        name = vgg.BUILT_IN
    elif not classes and name in WEIGHTS:
        name = yield from vgg.choose(name)
    if classes and name == vgg.BUILT_IN:
        raise InputError(f"the built-in network has no classes: leave out --network. Then {NO_CLASSIFIER}")
    network = classifiers.load(name, classes)
    assert isinstance(network, nn.Module)
    network.to(device)
    return View(network, {"name": Path(display(name)).name, "sha256": vgg.sha256(name)}, device)
