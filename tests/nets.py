"""Small networks of every architecture, whose norms are not what they start as, and pictures for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from styler.networks.enlarge import EnlargeArchitecture, EnlargeNetwork
from styler.networks.kinds import PictureArchitecture, PictureNetwork, build
from styler.networks.layers import Mode, initialize, norms_of
from styler.networks.unet import UNetArchitecture
from styler.plans import PIX2PIX, ResidualArchitecture

MIX = torch.tensor([[0.7, 0.3]])
STYLED = Mode(mix=MIX)
"""How a network with two styles runs."""
TRANSLATORS = ("unet", "encoder-decoder", "residual")


def architecture(kind: str = "unet", **fields: Any) -> PictureArchitecture:
    """Of a translator as `train-translate --generator` names them, or of "johnson" with styles."""
    if kind == "johnson":
        return ResidualArchitecture(**fields)
    if kind == "residual":
        return replace(PIX2PIX, **fields)
    return UNetArchitecture(skips=kind == "unet", **fields)


def small(kind: str = "unet", **more: Any) -> PictureNetwork:
    """A network of few channels; with two styles if it is Johnson's."""
    fields: dict[str, dict[str, Any]] = {"johnson": {"styles": 2}, "residual": {"blocks": 2}}
    config = architecture(kind, **{"width": 4, **fields.get(kind, {"halvings": 5}), **more})
    if kind != "johnson":
        return stirred(build(config))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build(config)
        for norm in norms_of(network):  # so that no two rows of the tables are alike
            nn.init.normal_(norm.weight, 1, 0.3)
            nn.init.normal_(norm.bias, 0, 0.3)
    return network


def mode_of(network: PictureNetwork, **more: Any) -> Mode:
    """How it runs, with a mix of styles if it has two."""
    return replace(STYLED if getattr(network.config, "styles", 0) == 2 else Mode(), **more)


def stirred(network: PictureNetwork, seed: int = 0) -> PictureNetwork:
    """The network with other random values, also in what starts as ones and zeros."""
    initialize(network, seed)
    draw = torch.Generator().manual_seed(seed)
    for name, values in (*network.named_parameters(), *network.named_buffers()):
        if "norm" not in name and values.dim() > 1:
            nn.init.normal_(values, 0, values[0].numel() ** -0.5, generator=draw)
        else:
            least = 0.5 if "var" in name or "weight" in name else -0.5
            nn.init.uniform_(values, least, 1.5, generator=draw)
    return network


def picture(height: int, width: int, seed: int = 0, *, count: int = 1, channels: int = 3) -> Tensor:
    """Noise, an Image [count, channels, height, width]."""
    return torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(seed))


def psnr(x: Tensor, y: Tensor) -> float:
    """Of pictures; very large for the same."""
    return -10 * float(torch.log10((x.double() - y.double()).square().mean() + 1e-30))


def enlarger(config: EnlargeArchitecture, seed: int = 0) -> EnlargeNetwork:
    """A network that enlarges, with random values that show: its norms' and its last layer's, too."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = EnlargeNetwork(config).eval()
        for norm in norms_of(network):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            if norm.running_mean is not None and norm.running_var is not None:
                nn.init.normal_(norm.running_mean, 0, 0.2)
                nn.init.uniform_(norm.running_var, 0.1, 0.5)
        spread = 0.1 if config.pixels == "signed" else 1.0  # a tanh must not be at its end
        nn.init.normal_(network.last.conv.weight, 0, spread * network.last.conv.weight[0].numel() ** -0.5)
    return network
