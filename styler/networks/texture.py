"""The texture network of Ulyanov et al. 2016: noise at several scales in, texture of any size out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styler.device import Form
from styler.networks.layers import bounded
from styler.networks.transform import Norm

PLAIN = Form()
SLOPE = 0.01
"""Of the leaky ReLUs below zero."""


@dataclass(frozen=True)
class TextureArchitecture:
    """What a texture network is built from.

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


class Block(nn.Module):
    """A convolution whose borders meet, a norm and a leaky ReLU; the norm takes out what a bias would add."""

    def __init__(self, made: TextureArchitecture, channels: tuple[int, int], kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(*channels, kernel, bias=False)
        self.norm = Norm(channels[1], made.styles, made.eps)

    def forward(self, x: Tensor, mix: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, C', H, W]."""
        weight = self.conv.weight.to(x.dtype)
        y = F.conv2d(wrapped(x, weight.shape[-1] // 2), weight)
        return F.leaky_relu_(self.norm(y, mix), SLOPE)


class Trio(nn.Module):
    """Blocks of 3x3, 3x3 and 1x1, as they always come together here."""

    def __init__(self, made: TextureArchitecture, before: int, after: int) -> None:
        super().__init__()
        widths = ((before, after), (after, after), (after, after))
        self.blocks = nn.ModuleList(map(Block, (made,) * 3, widths, (3, 3, 1)))

    def forward(self, x: Tensor, mix: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, C', H, W]."""
        for block in self.blocks:
            x = block(x, mix)
        return x


class Join(nn.Module):
    """What the coarser scales made, doubled, joins the noise of the next; normalized, so that both count."""

    def __init__(self, made: TextureArchitecture, coarse: int) -> None:
        super().__init__()
        fine, joined = made.channels, coarse + made.channels
        self.noise = Trio(made, 3, fine)
        self.coarse_norm = Norm(coarse, made.styles, made.eps)
        self.fine_norm = Norm(fine, made.styles, made.eps)
        self.joined = Trio(made, joined, joined)
        for norm in (self.coarse_norm, self.fine_norm):
            norm.bias.requires_grad_(False)  # the next norm takes out what it adds

    def forward(self, x: Tensor, noise: Tensor, mix: Tensor) -> Tensor:
        """x [N, C, H, W] and noise [N, 3, 2H, 2W] -> [N, C + channels, 2H, 2W]."""
        # Doubling changes no moment: the norm before it is the norm after it, at a quarter of the work.
        coarse = F.interpolate(self.coarse_norm(x, mix), scale_factor=2, mode="nearest")
        fine = self.fine_norm(self.noise(noise, mix), mix)
        joined: Tensor = self.joined(torch.cat([coarse, fine], 1), mix)
        return joined


class TextureNetwork(nn.Module):
    """Noise, K tensors [N, 3, h, w] from coarse to fine, and mix [N, S] -> [N, 3, H, W], not clamped.

    Ulyanov et al. 2016, section 3.1, with conditional instance norms in place of batch norms (Ulyanov et al.
    2017), so that one network holds S textures and a sample depends on no other. 70,067 parameters and 1,136
    for each style at the default architecture, 112 of which stay 0. Convolutions wrap around: what comes out
    tiles, and noise that moves by whole coarse pixels moves the picture. It computes in the number type and
    the memory format of the noise it is given.
    """

    def __init__(self, made: TextureArchitecture = TextureArchitecture()) -> None:
        super().__init__()
        self.made, c = made, made.channels
        self.coarsest = Trio(made, 3, c)
        self.joins = nn.ModuleList(Join(made, c * scale) for scale in range(1, made.scales))
        self.last = nn.Conv2d(c * made.scales, 3, 1)
        assert self.last.bias is not None
        nn.init.constant_(self.last.bias, 0.5)

    def forward(self, noise: Sequence[Tensor], mix: Tensor) -> Tensor:
        """The texture, as large as the finest noise; `mix` weighs the styles of each sample."""
        x = self.coarsest(noise[0], mix)
        for join, fine in zip(self.joins, noise[1:], strict=True):
            x = join(x, fine, mix)
        assert self.last.bias is not None
        return F.conv2d(x, self.last.weight.to(x.dtype), self.last.bias.to(x.dtype))

    def noise(self, height: int, width: int, seed: int, count: int = 1) -> list[Tensor]:
        """Uniform noise for `count` samples of that size, or of the next that `stride` divides.

        It depends on the arguments alone, not on the device, and the first samples not on how many follow.
        """
        draw = torch.Generator().manual_seed(seed)
        sizes = list(self.sizes(height, width))
        samples = [[torch.rand(3, *size, generator=draw) for size in sizes] for _ in range(count)]
        return [torch.stack(scale).to(self.last.weight.device) for scale in zip(*samples, strict=True)]

    def sizes(self, height: int, width: int) -> Iterable[tuple[int, int]]:
        """Heights and widths of the noise, from coarse to fine."""
        rows, columns = -(-height // self.stride), -(-width // self.stride)
        return ((rows << scale, columns << scale) for scale in range(self.made.scales))

    @property
    def stride(self) -> int:
        """Pixels of the picture that one of the coarsest noise stands for."""
        return 1 << (self.made.scales - 1)

    def sample(self, height: int, width: int, mix: Tensor, seed: int, form: Form = PLAIN) -> Tensor:
        """Image [N, 3, height, width] of texture for each row of mix [N, S], the same for the same seed.

        Its opposite edges fit when `stride` divides both sides; otherwise it is cut out of one that does.
        `form` is the number type and memory format to compute in, and what comes out has.
        """
        painted: Tensor = self(list(map(form, self.noise(height, width, seed, len(mix)))), mix)
        return painted[..., :height, :width].clamp(0, 1)


def wrapped(x: Tensor, margin: int) -> Tensor:
    """The same with `margin` pixels from the opposite edge on each side.

    Unlike circular padding, joining keeps the memory format, and is quicker on the way back.
    """
    if not margin:
        return x
    x = torch.cat([x[..., -margin:, :], x, x[..., :margin, :]], -2)
    return torch.cat([x[..., -margin:], x, x[..., :margin]], -1)
