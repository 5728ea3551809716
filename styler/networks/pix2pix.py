"""The generators of Isola et al. 2017 (pix2pix): U-Net, encoder-decoder and residual network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styler.networks.layers import bounded
from styler.networks.transform import Moments, divisible, doubled, normalized, reflected
from styler.options.translate import GeneratorKind, GeneratorNorm

LEAK = 0.2
"""Slope below zero of the ReLUs on the way down."""
EPS, MOMENTUM = 1e-5, 0.1
WIDEST = 8
"""Channels of the deepest layers of U-Net and discriminator, relative to the first's."""

Upsampling = Literal["transposed", "resize", "shifted"]
"""How a layer doubles: a transposed convolution; nearest pixels and a 3x3 convolution with reflected borders;
or nearest pixels, a row and a column of zeros at the top and the left, and a 4x4 convolution."""
Dropout = int | None
"""A seed: the masks are a function of it, the layer, and the shape of its map. None: no dropout."""


@dataclass(frozen=True)
class GeneratorArchitecture:
    """What a generator is built from.

    Attributes:
        kind: U-Net, the same without its skips, or residual network.
        inputs, outputs: channels of the pictures.
        width: channels of the first layer.
        halvings: of the picture's sides; residual networks usually have 2.
        blocks: of a residual network.
        norm: all of them have gains and offsets.
        upsampling: how layers double.
        dropout: the layers of a U-Net's way up, counted from the bottleneck, that have it (numbers of layers
            that are not there count for nothing); of a residual network all blocks, unless it is empty.
        bias: whether a U-Net's first and innermost convolutions, which no norm follows, have biases, as the
            last always has. Norms take out what biases add; from stored moments it can be taken beforehand.
        bottleneck_norm: whether a U-Net's innermost map is normalized too.
        slope: of the ReLUs below zero through which a U-Net's skips pass.
        last: how the last layer of a U-Net doubles, if not like the others.
    """

    kind: GeneratorKind = "unet"
    inputs: int = bounded(3, 1, 64)
    outputs: int = bounded(3, 1, 64)
    width: int = bounded(64, 1, 512)
    halvings: int = bounded(8, 1, 12)
    blocks: int = bounded(9, 0, 64)
    norm: GeneratorNorm = "batch"
    upsampling: Literal["transposed", "resize"] = "transposed"
    dropout: tuple[int, ...] = bounded((1, 2, 3), 1, 12)
    bias: bool = False
    bottleneck_norm: bool = False
    slope: float = bounded(0.0, 0, 1)
    last: Literal["same", "shifted"] = "same"


@dataclass(frozen=True)
class Mode:
    """How a generator runs.

    Attributes:
        statistics: of what batch norms take their moments: of the batch, which also moves those that are
            stored, as in training; of each picture, as instance norms always do; or those stored.
        dropout: seed of the masks, or None.
        moments: one of each norm in the order of `norms()`, to use in place of all those.
    """

    statistics: Literal["batch", "picture", "stored"] = "picture"
    dropout: Dropout = None
    moments: Sequence[Moments] | None = None


class Norm(nn.Module):
    """Batch or instance norm with gains and offsets [C]; a batch norm keeps running moments if `tracked`."""

    running_mean: Tensor | None
    running_var: Tensor | None

    def __init__(self, channels: int, kind: GeneratorNorm, tracked: bool = True) -> None:
        super().__init__()
        self.kind, tracked = kind, tracked and kind == "batch"
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels) if tracked else None)
        self.register_buffer("running_var", torch.ones(channels) if tracked else None)

    def forward(self, x: Tensor, mode: Mode, moments: Moments | None = None) -> Tensor:
        """Normalize x [N, C, H, W] by the moments that are given, or else by those of `mode`."""
        if moments is None and self.kind == "batch" and mode.statistics == "batch":
            running = self.running_mean, self.running_var
            return F.batch_norm(x, running[0], running[1], self.weight, self.bias, True, MOMENTUM, EPS)
        gain, offset = (table.expand(len(x), -1) for table in (self.weight, self.bias))
        return normalized(x, gain, offset, EPS, moments or self.stored(mode))

    def stored(self, mode: Mode) -> Moments | None:
        """The running moments, [1, C] each, where there are any and `mode` asks for them."""
        if mode.statistics != "stored" or self.running_mean is None or self.running_var is None:
            return None
        return Moments(self.running_mean[None], self.running_var[None])


class Layer(nn.Module):
    """A convolution, maybe a norm, and maybe dropout; activations are its caller's.

    Attributes:
        stride: 2 halves height and width.
        up: how it doubles them, or None.
        reflect: whether the border is reflected, else it is zero.
        place: number by which its dropout is told from that of others; 0: it has none.
    """

    def __init__(
        self,
        channels: tuple[int, int],
        kernel: int,
        *,
        norm: Norm | None = None,
        bias: bool = False,
        stride: int = 1,
        up: Upsampling | None = None,
        reflect: bool = False,
        place: int = 0,
    ) -> None:
        super().__init__()
        self.stride, self.up, self.reflect, self.place = stride, up, reflect, place
        kind = nn.ConvTranspose2d if up == "transposed" else nn.Conv2d
        self.conv = kind(*channels, kernel, bias=bias)
        self.norm = norm

    def forward(self, x: Tensor, mode: Mode, given: Iterator[Moments]) -> Tensor:
        """[N, C, H, W] -> [N, C', H', W']; the norm's moments are the next of `given`, if there are any."""
        y = self.convolved(x)
        if self.norm is not None:
            y = self.norm(y, mode, next(given, None))
        return self.dropped(y, mode.dropout)

    def convolved(self, x: Tensor) -> Tensor:
        """What the norm sees."""
        weight = self.conv.weight.to(x.dtype)
        bias = None if self.conv.bias is None else self.conv.bias.to(x.dtype)
        side = weight.shape[-1]
        if self.up == "transposed":
            return F.conv_transpose2d(x, weight, bias, stride=2, padding=1, output_padding=side % 2)
        if self.up == "resize" and not torch.is_grad_enabled():  # the quicker way has the slower way back
            return doubled(x, weight, bias)
        if self.up is not None:
            x = F.interpolate(x, scale_factor=2, mode="nearest")
        if self.up == "shifted":
            return F.conv2d(F.pad(x, (2, 1, 2, 1)), weight, bias)
        if self.reflect or self.up is not None:
            return F.conv2d(reflected(x, side // 2), weight, bias, stride=self.stride)
        return F.conv2d(x, weight, bias, stride=self.stride, padding=(side - 1) // 2)

    def dropped(self, x: Tensor, seed: Dropout, top: int = 0) -> Tensor:
        """x [N, C, H, W], which are the rows of a map from `top` on, after dropout if there is any here."""
        if seed is None or not self.place:
            return x
        return x * mask(x.shape, seed, self.place, top).to(x.device, x.dtype)


def mask(shape: Sequence[int], seed: int, place: int, top: int = 0) -> Tensor:
    """Random zeros and twos of a shape [N, C, H, W], uint8: dropout with probability 1/2.

    Each row is a function of its number, counted from `top`, and of the other arguments, on any device: so
    the rows of a map can be made a few at a time.
    """
    n, c, h, w = shape
    words = -(-n * c * w // 64)
    rows = (np.random.Philox(key=seed, counter=[0, top + y, place, 0]).random_raw(words) for y in range(h))
    bits = np.unpackbits(np.stack(list(rows)).astype("<u8").view(np.uint8), axis=1, count=n * c * w)
    return torch.from_numpy(bits << 1).view(h, n, c, w).permute(1, 2, 0, 3)


class Generator(nn.Module):
    """Image [N, inputs, H, W] -> Image [N, outputs, H, W] in [0, 1]; H and W are 16 at least.

    The sides are padded by reflection until `stride` divides them, and the result is cropped. It computes in
    the number type and the memory format of the image it is given; norms take their moments in float32.
    """

    def __init__(self, made: GeneratorArchitecture) -> None:
        super().__init__()
        self.made = made
        self.stride = 1 << made.halvings

    def norms(self) -> list[Norm]:
        """All norms in the order in which they work."""
        return [module for module in self.modules() if isinstance(module, Norm)]

    def forward(self, image: Tensor, mode: Mode = Mode()) -> Tensor:
        """Translate."""
        height, width = image.shape[-2:]
        moments = mode.moments or ()
        assert len(moments) in (0, len(self.norms()))
        made = self.translated(signed(divisible(image, self.stride)), mode, iter(moments))
        return unsigned(made)[..., :height, :width]

    def translated(self, x: Tensor, mode: Mode, given: Iterator[Moments]) -> Tensor:
        """From the picture in [-1, 1] to what becomes one by `unsigned`."""
        raise NotImplementedError

    def new_norm(self, channels: int) -> Norm | None:
        """As the architecture has them."""
        return None if self.made.norm == "none" else Norm(channels, self.made.norm)


def signed(image: Tensor) -> Tensor:
    """From [0, 1] to [-1, 1]."""
    return image.mul(2).sub_(1)


def unsigned(x: Tensor) -> Tensor:
    """(tanh(x) + 1) / 2, in [0, 1]."""
    return torch.sigmoid(2 * x)


class UNet(Generator):
    """Isola et al. 2017, section 6.1.1: convolutions halve the picture down to a bottleneck and double it.

    What a layer on the way down made is seen again by its counterpart on the way up, but not in an
    encoder-decoder. There is no norm on the first map, on the last, and usually on the innermost: it may be a
    single pixel.
    """

    def __init__(self, made: GeneratorArchitecture) -> None:
        super().__init__(made)
        widths = [made.width * min(2**k, WIDEST) for k in range(made.halvings)]
        self.down = nn.ModuleList(map(self._down, range(made.halvings), [made.inputs, *widths[:-1]], widths))
        levels = reversed(range(made.halvings))
        self.up = nn.ModuleList(self._up(k, widths[k], [made.outputs, *widths][k]) for k in levels)

    def _down(self, level: int, before: int, after: int) -> Layer:
        """From `level` halvings to one more."""
        innermost = level == self.made.halvings - 1
        bare = level == 0 or (innermost and not self.made.bottleneck_norm)
        norm = None if bare else self.new_norm(after)
        bias = norm is None and (self.made.bias or self.made.norm == "none")
        return Layer((before, after), 4, norm=norm, bias=bias, stride=2)

    def _up(self, level: int, before: int, after: int) -> Layer:
        """From one more than `level` halvings to `level`."""
        made, place = self.made, self.made.halvings - level
        if made.kind == "unet" and place > 1:
            before *= 2
        norm = self.new_norm(after) if level else None
        up: Upsampling = "shifted" if level == 0 and made.last == "shifted" else made.upsampling
        return Layer(
            (before, after),
            3 if up == "resize" else 4,
            norm=norm,
            bias=norm is None,
            up=up,
            place=place if place in made.dropout and level else 0,
        )

    def translated(self, x: Tensor, mode: Mode, given: Iterator[Moments]) -> Tensor:
        """[N, inputs, H, W] in [-1, 1] -> [N, outputs, H, W]."""
        skips = []
        for layer in self.down:
            x = F.leaky_relu_(layer(x, mode, given), LEAK)
            skips.append(x)
        above: Any = None
        for layer in self.up:
            above = layer(self.joined(skips.pop(), above), mode, given)
        made: Tensor = above
        return made

    def joined(self, skip: Tensor, above: Tensor | None) -> Tensor:
        """What a layer on the way up sees: a map of the way down after its leaky ReLU, and what came up.

        The skip is that of the map before the ReLU, but two ReLUs in a row are as good as the one.
        """
        if above is not None and self.made.kind == "encoder-decoder":
            return F.relu(above)
        if self.made.slope:
            skip = F.leaky_relu(skip, self.made.slope / LEAK)
            return skip if above is None else torch.cat([skip, F.relu(above)], 1)
        return F.relu(skip) if above is None else F.relu_(torch.cat([skip, above], 1))


class Residual(nn.Module):
    """Two layers, with a ReLU between them, whose result is added to what they were given."""

    def __init__(self, first: Layer, second: Layer) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x: Tensor, mode: Mode, given: Iterator[Moments]) -> Tensor:
        """[N, C, H, W] -> the same."""
        y = F.relu_(self.first(x, mode, given))
        changed: Tensor = self.second(y, mode, given)
        return changed + x


class ResidualGenerator(Generator):
    """Johnson et al. 2016 as the authors of pix2pix changed it: 7x7 ends and zero borders where it halves."""

    def __init__(self, made: GeneratorArchitecture) -> None:
        super().__init__(made)
        widths = [made.width * 2**k for k in range(made.halvings + 1)]
        pairs = list(pairwise(widths))
        self.first = self._layer((made.inputs, made.width), 7, reflect=True)
        self.down = nn.ModuleList(self._layer(pair, stride=2) for pair in pairs)
        self.residual = nn.ModuleList(self._block(widths[-1], place + 1) for place in range(made.blocks))
        self.up = nn.ModuleList(self._layer((b, a), up=made.upsampling) for a, b in reversed(pairs))
        self.last = Layer((made.width, made.outputs), 7, bias=True, reflect=True)

    def _layer(self, channels: tuple[int, int], kernel: int = 3, **how: Any) -> Layer:
        """With a norm, or else a bias; `how` are other arguments of Layer."""
        norm = self.new_norm(channels[1])
        return Layer(channels, kernel, norm=norm, bias=norm is None, **how)

    def _block(self, channels: int, place: int) -> Residual:
        place = place if self.made.dropout else 0
        first = self._layer((channels, channels), reflect=True, place=place)
        return Residual(first, self._layer((channels, channels), reflect=True))

    def translated(self, x: Tensor, mode: Mode, given: Iterator[Moments]) -> Tensor:
        """[N, inputs, H, W] in [-1, 1] -> [N, outputs, H, W]."""
        for layer in (self.first, *self.down):
            x = F.relu_(layer(x, mode, given))
        for block in self.residual:
            x = block(x, mode, given)
        for layer in self.up:
            x = F.relu_(layer(x, mode, given))
        made: Tensor = self.last(x, mode, given)
        return made


def build(made: GeneratorArchitecture) -> Generator:
    """A generator with torch's own random weights."""
    return ResidualGenerator(made) if made.kind == "residual" else UNet(made)


def initialize(network: nn.Module, seed: int) -> None:
    """Draw all parameters as Isola et al. did: weights N(0, 0.02), gains of norms N(1, 0.02), biases 0."""
    draw = torch.Generator().manual_seed(seed)
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        else:
            nn.init.normal_(parameter, 0 if parameter.dim() > 1 else 1, 0.02, generator=draw)
