"""The texture network of Ulyanov et al. 2016: noise at several scales in, texture of any size out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styler.device import Form
from styler.networks.layers import Layer, Mode, Norm, listed
from styler.plans import bounded

PLAIN = Form()
SLOPE = 0.01
"""Of the leaky ReLUs below zero."""


@dataclass(frozen=True)
class TextureArchitecture:
    """Configuration of a texture network.

    Attributes:
        scales: sizes of noise, each twice the one before; K below.
        channels: what each scale adds to the width; the finest has K times as many.
        styles: rows of each norm's gains and offsets.
        eps: what the norms add to the variance.
    """

    scales: int = bounded(5, 1, 12)
    channels: int = bounded(8, 1, 256)
    styles: int = bounded(1, 1, 1000)
    eps: float = bounded(1e-5, 1e-12, 1)


class Trio(nn.Module):
    """Layers of 3x3, 3x3 and 1x1 whose borders meet, as they always come together here."""

    def __init__(self, config: TextureArchitecture, before: int, after: int) -> None:
        super().__init__()
        widths = ((before, after), (after, after), (after, after))
        self.blocks = listed(map(partial(_layer, config), widths, (3, 3, 1)))

    def forward(self, x: Tensor, mode: Mode) -> Tensor:
        """[N, C, H, W] -> [N, C', H, W]."""
        for layer in self.blocks:
            x = layer(x, mode)
        return x


def _layer(config: TextureArchitecture, channels: tuple[int, int], kernel: int) -> Layer:
    return Layer(channels, kernel, norm=_norm(config, channels[1]), bias=False, borders="wrap", slope=SLOPE)


def _norm(config: TextureArchitecture, channels: int) -> Norm:
    return Norm(channels, styles=config.styles, eps=config.eps)


class Scale(nn.Module):
    """A finer scale: the map of the coarser ones, doubled, beside its noise, both normalized."""

    def __init__(self, config: TextureArchitecture, coarse: int) -> None:
        super().__init__()
        fine, joined = config.channels, coarse + config.channels
        self.noise = Trio(config, 3, fine)
        self.coarse_norm, self.fine_norm = _norm(config, coarse), _norm(config, fine)
        self.joined = Trio(config, joined, joined)
        for norm in (self.coarse_norm, self.fine_norm):
            norm.bias.requires_grad_(False)  # the next norm takes out what it adds

    def forward(self, x: Tensor, noise: Tensor, mode: Mode) -> Tensor:
        """x [N, C, H, W] and noise [N, 3, 2H, 2W] -> [N, C + channels, 2H, 2W]."""
        # Doubling changes no moment: the norm before it is the norm after it, at a quarter of the work.
        coarse = F.interpolate(self.coarse_norm(x, mode), scale_factor=2, mode="nearest")
        fine = self.fine_norm(self.noise(noise, mode), mode)
        joined: Tensor = self.joined(torch.cat([coarse, fine], 1), mode)
        return joined


class TextureNetwork(nn.Module):
    """Noise, K tensors [N, 3, h, w] from coarse to fine -> [N, 3, H, W], not clamped.

    Ulyanov et al. 2016, section 3.1, with conditional instance norms in place of batch norms (Ulyanov et al.
    2017), so that one network holds S textures and a sample depends on no other. 70,067 parameters and 1,136
    for each style at the default architecture, 112 of which stay 0. Convolutions wrap around: what comes out
    tiles, and noise that moves by whole coarse pixels moves the picture. It computes in the number type and
    the memory format of the noise it is given.
    """

    def __init__(self, config: TextureArchitecture = TextureArchitecture()) -> None:
        super().__init__()
        self.config, c = config, config.channels
        self.coarsest = Trio(config, 3, c)
        self.joins = listed(Scale(config, c * scale) for scale in range(1, config.scales))
        self.last = Layer((c * config.scales, 3), 1, borders="wrap", slope=1)
        assert self.last.conv.bias is not None
        nn.init.constant_(self.last.conv.bias, 0.5)

    def forward(self, noise: Sequence[Tensor], mode: Mode) -> Tensor:
        """The texture, as large as the finest noise; the mode's mix weighs the styles of each sample."""
        x: Tensor = self.coarsest(noise[0], mode)
        for join, fine in zip(self.joins, noise[1:], strict=True):
            x = join(x, fine, mode)
        y: Tensor = self.last(x, mode)
        return y

    def noise(self, height: int, width: int, seed: int, count: int = 1) -> list[Tensor]:
        """Uniform noise for `count` samples of that size, or of the next that `stride` divides.

        It depends on the arguments alone, not on the device, and the first samples not on how many follow.
        """
        draw = torch.Generator().manual_seed(seed)
        sizes = list(self.sizes(height, width))
        samples = [[torch.rand(3, *size, generator=draw) for size in sizes] for _ in range(count)]
        return [torch.stack(scale).to(self.last.conv.weight.device) for scale in zip(*samples, strict=True)]

    def sizes(self, height: int, width: int) -> Iterable[tuple[int, int]]:
        """Heights and widths of the noise, from coarse to fine."""
        rows, columns = -(-height // self.stride), -(-width // self.stride)
        return ((rows << scale, columns << scale) for scale in range(self.config.scales))

    @property
    def stride(self) -> int:
        """Pixels of the picture that one of the coarsest noise stands for."""
        return 1 << (self.config.scales - 1)

    def sample(self, height: int, width: int, mix: Tensor, seed: int, form: Form = PLAIN) -> Tensor:
        """Image [N, 3, height, width] of texture for each row of mix [N, S], the same for the same seed.

        Its opposite edges fit when `stride` divides both sides; otherwise it is cut out of one that does.
        `form` is the number type and memory format to compute in, and what comes out has.
        """
        painted: Tensor = self(list(map(form, self.noise(height, width, seed, len(mix)))), Mode(mix=mix))
        return painted[..., :height, :width].clamp(0, 1)
