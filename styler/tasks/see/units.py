"""Units of a network, a layer, a channel or a class, and how strongly a picture excites them."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from styler.classifiers import Network, activation
from styler.errors import InputError
from styler.events import Event, Step, relay

Value = Callable[[Tensor], Tensor]
"""Image [1, 3, H, W], or an activation [1, C, H, W] -> scalar."""

_MOST = 100
"""Channels that may be named at once."""


@dataclass(frozen=True)
class Unit:
    """A layer, or one channel of it; `name` is for people."""

    layer: str
    channel: int | None = None
    name: str = ""

    def __str__(self) -> str:
        return self.name or (self.layer if self.channel is None else f"{self.layer}:{self.channel}")


def parse_units(text: str, network: Network) -> list[Unit]:
    """`conv4_2:17` -> one channel, `conv4_2:0-8` -> nine, `relu4_2` -> the layer.

    Raises InputError for what is none of them, or not in the network.
    """
    match = re.fullmatch(r"(\w+)(?::(\d{1,6})(?:-(\d{1,6}))?)?", text.strip())
    if not match:
        raise InputError(f"'{text}' names no channel: write LAYER:NUMBER, as in conv4_2:17 (styler layers)")
    layer, first, last = match.groups()
    network.needed({layer})
    if first is None:
        return [Unit(layer)]
    low, high, width = int(first), int(last or first), network.widths()[layer]
    if not low <= high < width:
        raise InputError(f"{layer} has the channels 0 to {width - 1}, and '{text}' asks for others")
    if high - low >= _MOST:
        raise InputError(f"'{text}' are {high - low + 1} channels: name at most {_MOST} at once")
    return [Unit(layer, channel) for channel in range(low, high + 1)]


def excitation(x: Tensor, channel: int | None) -> Tensor:
    """Excitation of a layer [N, C, H, W]: the mean of a channel, or the mean square of them all.

    Half the sum of the squares is what DeepDream raises (Mordvintsev et al. 2015); its steps are the same.
    """
    return x.square().mean() if channel is None else x[:, channel].mean()


def value_of(network: Network, unit: Unit) -> Value:
    """How strongly a picture excites a unit."""
    return lambda image: excitation(activation(network, image, unit.layer), unit.channel)


def descent(value: Value, image: Tensor) -> tuple[Tensor, Tensor]:
    """The value at an Image, and the gradient of its negative, which a solver makes fall."""
    leaf = image.detach().requires_grad_()
    raised = value(leaf)
    (gradient,) = torch.autograd.grad(-raised, leaf)
    return raised.detach(), gradient


def raising(steps: Generator[Event, None, Tensor]) -> Generator[Event, None, Tensor]:
    """Steps of `minimize` whose losses are negative excitations, shown as the excitations that they are."""

    def shown(event: Event) -> tuple[Event]:
        if not isinstance(event, Step):
            return (event,)
        losses: Mapping[str, float] = event.losses or {}
        return (replace(event, losses={name: -loss for name, loss in losses.items()}),)

    return relay(steps, shown)
