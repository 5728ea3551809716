"""Kinds of trained networks: what each takes, whether it has styles, and its architectures."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

import torch
from torch import nn

from styler.networks.enlarge import EnlargeArchitecture, EnlargeNetwork
from styler.networks.residual import ResidualArchitecture, ResidualNetwork
from styler.networks.texture import TextureArchitecture, TextureNetwork
from styler.networks.unet import UNet, UNetArchitecture

PictureArchitecture = ResidualArchitecture | UNetArchitecture
PictureNetwork = ResidualNetwork | UNet
"""A network from pictures to pictures of the same size."""
ImageNetwork = PictureNetwork | EnlargeNetwork
"""A network from pictures to pictures."""
Config = PictureArchitecture | TextureArchitecture | EnlargeArchitecture

ARCHITECTURES: Mapping[str, tuple[type[Config], type[nn.Module]]] = {
    "residual": (ResidualArchitecture, ResidualNetwork),
    "unet": (UNetArchitecture, UNet),
    "texture": (TextureArchitecture, TextureNetwork),
    "enlarge": (EnlargeArchitecture, EnlargeNetwork),
}
"""The classes of an architecture's configurations, whose fields have bounds, and of its networks."""


@dataclass(frozen=True)
class Kind:
    """A kind of trained network.

    Attributes:
        takes: photos to paint, noise to make texture of, one side of a pair to translate into the other, or
            small pictures to enlarge.
        styles: whether its norms have gains and offsets for each of several styles.
        architectures: those of `ARCHITECTURES` that do for it.
    """

    takes: Literal["photo", "noise", "pair", "small"]
    styles: bool
    architectures: tuple[str, ...]


KINDS: Mapping[str, Kind] = {
    "transform": Kind("photo", True, ("residual",)),
    "texture": Kind("noise", True, ("texture",)),
    "translate": Kind("pair", False, ("unet", "residual")),
    "enlarge": Kind("small", False, ("enlarge",)),
}


def described(config: Config) -> dict[str, Any]:
    """The name of a configuration's architecture, and its fields, for a file."""
    (name,) = (name for name, (known, _) in ARCHITECTURES.items() if isinstance(config, known))
    return {"architecture": name, **dataclasses.asdict(config)}


def empty(kind: str, fields: Mapping[str, Any]) -> nn.Module:
    """A network without values, on the device "meta", as `described` for a kind.

    Raises:
        ValueError: for a field that is out of bounds, or an architecture that is not the kind's.
        TypeError: for a field that there is not.
    """
    name, chosen = fields.get("architecture"), KINDS[kind]
    if name not in chosen.architectures:
        raise ValueError(f"its architecture is {name!r}, and not {' or '.join(chosen.architectures)}")
    architecture, network = ARCHITECTURES[name]
    config = architecture(**{key: _tuples(fields[key]) for key in fields if key != "architecture"})
    check(config)
    if (getattr(config, "styles", 0) > 0) != chosen.styles:
        raise ValueError(f"styles is {getattr(config, 'styles', 0)}")
    with torch.device("meta"):
        return network(config)


def build(config: PictureArchitecture) -> PictureNetwork:
    """A network from pictures to pictures, with torch's own random weights."""
    return UNet(config) if isinstance(config, UNetArchitecture) else ResidualNetwork(config)


def _tuples(value: Any) -> Any:
    """JSON has lists where configurations have tuples."""
    return tuple(value) if isinstance(value, list) else value


def check(config: Config) -> None:
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
    if isinstance(field.default, bool):
        return isinstance(value, bool)
    if "low" not in field.metadata:
        return any(type(value) is type(choice) and value == choice for choice in choices)
    low, high = field.metadata["low"], field.metadata["high"]
    if isinstance(field.default, tuple):
        numbers = value if isinstance(value, tuple) else (None,)
        return all(_within(number, int, low, high) for number in numbers) and len(set(numbers)) == len(
            numbers
        )
    return _within(value, type(field.default), low, high)


def _within(value: object, kind: type, low: float, high: float) -> bool:
    return type(value) is kind and isinstance(value, int | float) and low <= value <= high
