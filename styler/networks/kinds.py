"""The kinds of trained networks: how each is built, what it takes, and whether it has styles."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

import torch
from torch import nn

from styler.networks import pix2pix
from styler.networks.pix2pix import GeneratorArchitecture
from styler.networks.texture import TextureArchitecture, TextureNetwork
from styler.networks.transform import Architecture, TransformNetwork


@dataclass(frozen=True)
class Kind:
    """A kind of trained network.

    Attributes:
        architecture: the class of its configurations, whose fields have bounds (see `layers.bounded`).
        build: a network, with random weights, of a configuration.
        takes: photos to paint, noise to make texture of, or one side of a pair to translate into the other.
        styles: whether its norms have gains and offsets for each of several styles.
    """

    architecture: type[Any]
    build: Callable[[Any], nn.Module]
    takes: Literal["photo", "noise", "pair"]
    styles: bool


KINDS: Mapping[str, Kind] = {
    "transform": Kind(Architecture, TransformNetwork, "photo", styles=True),
    "texture": Kind(TextureArchitecture, TextureNetwork, "noise", styles=True),
    "translate": Kind(GeneratorArchitecture, pix2pix.build, "pair", styles=False),
}


def empty(kind: str, fields: Mapping[str, Any]) -> nn.Module:
    """A network without values, on the device "meta", of the fields of its configuration.

    Raises:
        ValueError: for a field that is out of bounds. TypeError: for one that there is not.
    """
    chosen = KINDS[kind]
    config = chosen.architecture(**{key: _tuples(value) for key, value in fields.items()})
    check(config)
    with torch.device("meta"):
        return chosen.build(config)


def _tuples(value: Any) -> Any:
    """JSON has lists where configurations have tuples."""
    return tuple(value) if isinstance(value, list) else value


def check(config: Any) -> None:
    """Raise ValueError if a field of a configuration is of another type, or out of bounds.

    A header that lies must not make us build for hours.
    """
    hints = get_type_hints(type(config))
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if not _fits(value, field, get_args(hints[field.name])):
            raise ValueError(f"{field.name} is {value!r}")


def _fits(value: object, field: dataclasses.Field[Any], choices: tuple[object, ...]) -> bool:
    """Whether a value is one of a Literal's choices, a truth value, or numbers in the field's bounds."""
    if isinstance(field.default, str):
        return value in choices
    if isinstance(field.default, bool):
        return isinstance(value, bool)
    low, high = field.metadata["low"], field.metadata["high"]
    if isinstance(field.default, tuple):
        numbers = value if isinstance(value, tuple) else (None,)
        return all(_within(number, int, low, high) for number in numbers) and len(set(numbers)) == len(
            numbers
        )
    return _within(value, type(field.default), low, high)


def _within(value: object, kind: type, low: float, high: float) -> bool:
    return type(value) is kind and isinstance(value, int | float) and low <= value <= high
