"""Kinds of trained networks: what each takes, whether it has styles, and its architectures."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from styler.networks.enlarge import EnlargeArchitecture, EnlargeNetwork
from styler.networks.residual import ResidualNetwork
from styler.networks.texture import TextureArchitecture, TextureNetwork
from styler.networks.unet import UNet, UNetArchitecture
from styler.plans import KINDS, ResidualArchitecture, check, tuples

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
    config = architecture(**{key: tuples(fields[key]) for key in fields if key != "architecture"})
    check(config)
    if (getattr(config, "styles", 0) > 0) != chosen.styles:
        raise ValueError(f"styles is {getattr(config, 'styles', 0)}")
    with torch.device("meta"):
        return network(config)


def build(config: PictureArchitecture) -> PictureNetwork:
    """A network from pictures to pictures, with torch's own random weights."""
    return UNet(config) if isinstance(config, UNetArchitecture) else ResidualNetwork(config)
