"""Layers of all networks: convolution, norm, dropout, activation; their borders and random masks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeVar, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styler.options.translate import GeneratorNorm
from styler.plans import Borders, Upsampling

T = TypeVar("T")
M = TypeVar("M", bound=nn.Module)

EPS, MOMENTUM = 1e-5, 0.1
LEAK = 0.2
"""Slope below zero of pix2pix's leaky ReLUs."""
SLOPE = 0.25
"""Slope at which a learned one begins (He et al. 2015)."""
FEW = 4
"""Channels of output that are few: four times as many take a CPU about as long."""


class Moments(NamedTuple):
    """Mean and variance of a norm's input over its positions, float32 [N, C] each."""

    mean: Tensor
    variance: Tensor


@dataclass(frozen=True, eq=False)
class Mode:
    """How a network runs.

    Attributes:
        statistics: of what norms take their moments: batch norms of the batch, which also moves those that
            are stored, as in training; all of each picture; or batch norms those stored.
        dropout: seed of the masks, which are a function of it, the layer, and the shape of its map; or None.
        moments: one of each norm in the order in which they work, to use in place of all those.
        mix: weights of the styles, [N, S] or [1, S]; None for a network without styles.
    """

    statistics: Literal["batch", "picture", "stored"] = "picture"
    dropout: int | None = None
    moments: Sequence[Moments] | None = None
    mix: Tensor | None = None


PICTURE = Mode()


class Norm(nn.Module):
    """Instance or batch norm with gains and offsets [C], or conditional ones [S, C] (Dumoulin et al. 2017).

    A batch norm keeps running moments if it is `tracked`. S is `styles`; with 0 there is but one, [C].
    """

    running_mean: Tensor | None
    running_var: Tensor | None

    def __init__(
        self,
        channels: int,
        kind: GeneratorNorm = "instance",
        *,
        styles: int = 0,
        eps: float = EPS,
        tracked: bool = True,
    ) -> None:
        super().__init__()
        self.kind, self.eps, tracked = kind, eps, tracked and kind == "batch"
        shape = (styles, channels) if styles else (channels,)
        self.weight = nn.Parameter(torch.ones(shape))
        self.bias = nn.Parameter(torch.zeros(shape))
        self.register_buffer("running_mean", torch.zeros(channels) if tracked else None)
        self.register_buffer("running_var", torch.ones(channels) if tracked else None)

    def forward(self, x: Tensor, mode: Mode = PICTURE, moments: Moments | None = None) -> Tensor:
        """Normalize x [N, C, H, W] by the moments that are given, or else by those of `mode`."""
        if moments is None and self.kind == "batch" and mode.statistics == "batch":
            running = self.running_mean, self.running_var
            return F.batch_norm(x, running[0], running[1], self.weight, self.bias, True, MOMENTUM, self.eps)
        gain, offset = self.affine(mode, len(x))
        return normalized(x, gain, offset, self.eps, moments or self.stored(mode))

    def affine(self, mode: Mode, count: int = 1) -> tuple[Tensor, Tensor]:
        """Gains and offsets, [N, C] each, for so many pictures; of a mix of styles where there are any."""
        if self.weight.dim() == 1:
            return self.weight.expand(count, -1), self.bias.expand(count, -1)
        assert mode.mix is not None
        return (mode.mix @ self.weight).expand(count, -1), (mode.mix @ self.bias).expand(count, -1)

    def stored(self, mode: Mode) -> Moments | None:
        """The running moments, [1, C] each, where there are any and `mode` asks for them."""
        if mode.statistics != "stored" or self.running_mean is None or self.running_var is None:
            return None
        return Moments(self.running_mean[None], self.running_var[None])


def normalized(x: Tensor, gain: Tensor, offset: Tensor, eps: float, moments: Moments | None = None) -> Tensor:
    """x [N, C, H, W] by its own moments or by those given, times gain [N, C] plus offset [N, C]."""
    if moments is None:
        y: Tensor = _InstanceNorm.apply(x, gain, offset, eps)
        return y
    gain = gain * (moments.variance + eps).rsqrt()
    return scaled(x, gain, offset - moments.mean * gain)


class _InstanceNorm(torch.autograd.Function):
    """Instance norm with gains and offsets [N, C].

    Group norm with a channel a group is by far the fastest of the equivalent norms on a CPU, but not on the
    way back, least of all in bfloat16 with channels last.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, offset: Tensor, eps: float) -> Tensor:
        n, c, h, w = x.shape
        y, _, scale = torch.native_group_norm(x, None, None, n, c, h * w, c, eps)
        ctx.save_for_backward(y, gain * scale)
        return scaled(y, gain, offset)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        y, slope = ctx.saved_tensors
        (gradient,) = gradients
        on_offset, on_gain = sums(gradient), sums(gradient * y)
        count = y.shape[2] * y.shape[3]
        on_x = scaled(gradient, slope, -slope * on_offset / count)
        on_x = on_x.addcmul_(y, (-slope * on_gain / count).to(y.dtype)[:, :, None, None])
        return on_x, on_gain, on_offset, None


def scaled(x: Tensor, gain: Tensor, offset: Tensor) -> Tensor:
    """x [N, C, H, W] times gain [N, C] plus offset [N, C]."""
    return torch.addcmul(offset.to(x.dtype)[:, :, None, None], x, gain.to(x.dtype)[:, :, None, None])


def sums(x: Tensor) -> Tensor:
    """The sum over positions of x [N, C, H, W], float32 [N, C]; a product is the fastest sum."""
    flat = x.flatten(2)
    return (flat @ flat.new_ones(flat.shape[2], 1))[..., 0].float()


class Layer(nn.Module):
    """A convolution, maybe a norm, dropout, and an activation, in this order.

    Before a norm there is no bias: the norm would take it out. Convolutions with `bias` are drawn with one.

    Attributes:
        norm: None where there is none.
        stride: 2 halves height and width.
        up: how it enlarges them, or None.
        factor: by which it enlarges; only a shuffle has another than 2.
        borders: pixels beyond the border; a layer that doubles has those of its way to double.
        slope: of the ReLU below zero; 1 where there is none.
        prelu: the slope where it is learned (He et al. 2015), [1], or None.
        place: number by which its dropout is told from that of others; 0: it has none.
        enters: whether it is given pixels in [0, 1], which it takes to [-1, 1] first.
        leaves: whether it makes pixels in [0, 1] by a tanh.
    """

    def __init__(
        self,
        channels: tuple[int, int],
        kernel: int = 3,
        *,
        norm: Norm | None = None,
        bias: bool = True,
        stride: int = 1,
        up: Upsampling | None = None,
        factor: int = 2,
        borders: Borders = "reflect",
        slope: float = 0.0,
        learned: bool = False,
        place: int = 0,
        enters: bool = False,
        leaves: bool = False,
    ) -> None:
        super().__init__()
        self.stride, self.up, self.borders, self.slope, self.place = stride, up, borders, slope, place
        self.enters, self.leaves, self.factor = enters, leaves, factor
        self.prelu = nn.Parameter(torch.full((1,), SLOPE)) if learned else None
        kind = nn.ConvTranspose2d if up == "transposed" else nn.Conv2d
        self.conv = kind(*channels, kernel, bias=bias)
        if norm is not None:
            self.conv.bias = None
        self.norm = norm

    def forward(self, x: Tensor, mode: Mode = PICTURE, moments: Moments | None = None) -> Tensor:
        """[N, C, H, W] -> [N, C', H', W']; `moments` take the place of the norm's own."""
        return self.finished(self.convolved(x), mode, moments)

    def convolved(self, x: Tensor) -> Tensor:
        """The input of the norm."""
        weight = self.conv.weight.to(x.dtype)
        bias = None if self.conv.bias is None else self.conv.bias.to(x.dtype)
        side = weight.shape[-1]
        if self.enters:
            x = signed(x)
        if self.up == "transposed":
            return F.conv_transpose2d(x, weight, bias, stride=2, padding=1, output_padding=side % 2)
        if self.up == "resize" and not torch.is_grad_enabled():  # the quicker way has the slower way back
            return doubled(x, weight, bias)
        if self.up == "bilinear":
            x = F.interpolate(x, scale_factor=2, mode="bilinear")
        elif self.up in ("resize", "shifted"):
            x = F.interpolate(x, scale_factor=2, mode="nearest")
        if self.up == "shifted":
            return F.conv2d(F.pad(x, (2, 1, 2, 1)), weight, bias)
        if self.borders == "zero" and self.up is None:
            return F.conv2d(x, weight, bias, stride=self.stride, padding=(side - 1) // 2)
        return self.bordered((wrapped if self.borders == "wrap" else reflected)(x, side // 2))

    @property
    def reflects(self) -> bool:
        """Whether it is `bordered` of its input with reflected pixels around."""
        return self.borders == "reflect" and self.up in (None, "shuffle") and not self.enters

    def bordered(self, x: Tensor) -> Tensor:
        """The convolution of a map that has its border around it, and the shuffle if there is one."""
        weight = self.conv.weight.to(x.dtype)
        bias = None if self.conv.bias is None else self.conv.bias.to(x.dtype)
        if self.stride == 1 and len(weight) <= FEW and len(weight[0, 0]) > 3 and x.device.type == "cpu":
            return by_fours(x, weight, bias)
        y = F.conv2d(x, weight, bias, stride=self.stride)
        return F.pixel_shuffle(y, self.factor) if self.up == "shuffle" else y

    def finished(self, x: Tensor, mode: Mode, moments: Moments | None = None, top: int = 0) -> Tensor:
        """Norm, dropout and activation of rows of a convolved map, the first of which is row `top`.

        Without a norm and without dropout it works in place.
        """
        if self.norm is not None:
            x = self.norm(x, mode, moments)
        if mode.dropout is not None and self.place:
            x = x * mask(x.shape, mode.dropout, self.place, top).to(x.device, x.dtype)
        if self.leaves:
            return unsigned(x)
        if self.prelu is not None:
            return F.prelu(x, self.prelu.to(x.dtype))
        if self.slope == 1:
            return x
        return F.leaky_relu_(x, self.slope) if self.slope else F.relu_(x)


@dataclass(frozen=True)
class Join:
    """ReLUs of maps, side by side; that of the first may have a slope below zero."""

    slope: float = 0.0

    def __call__(self, first: Tensor, *others: Tensor) -> Tensor:
        """[N, C, H, W], [N, C', H, W], ... -> [N, C + C' + ..., H, W]."""
        if not others:
            return F.leaky_relu(first, self.slope) if self.slope else F.relu(first)
        if self.slope:
            return torch.cat([F.leaky_relu(first, self.slope), *map(F.relu, others)], 1)
        return F.relu_(torch.cat([first, *others], 1))


def listed(modules: Iterable[M]) -> Sequence[M]:
    """A ModuleList, typed by what it holds."""
    return cast("Sequence[M]", nn.ModuleList(modules))


def layers_of(network: nn.Module) -> list[Layer]:
    """All layers of a network, in the order in which they work."""
    return [module for module in network.modules() if isinstance(module, Layer)]


def norms_of(network: nn.Module) -> list[Norm]:
    """All norms of a network, in the order in which they work."""
    return [module for module in network.modules() if isinstance(module, Norm)]


def initialize(network: nn.Module, seed: int) -> None:
    """Draw all parameters as Isola et al. did: weights N(0, 0.02), gains of norms N(1, 0.02), biases 0."""
    draw = torch.Generator().manual_seed(seed)
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        else:
            nn.init.normal_(parameter, 0 if parameter.dim() > 1 else 1, 0.02, generator=draw)


# Pixels


def signed(image: Tensor) -> Tensor:
    """From [0, 1] to [-1, 1]."""
    return image.mul(2).sub_(1)


def unsigned(x: Tensor) -> Tensor:
    """(tanh(x) + 1) / 2, in [0, 1]."""
    return torch.sigmoid(2 * x)


def divisible(image: Tensor, stride: int) -> Tensor:
    """The image with reflected pixels at the right and the bottom until `stride` divides both sides.

    A side too short for it is reflected again and again; it has two pixels at least.
    """
    height, width = image.shape[-2:]
    down, right = -height % stride, -width % stride
    while down or right:
        height, width = image.shape[-2:]
        below, beside = min(down, height - 1), min(right, width - 1)
        image = F.pad(image, (0, beside, 0, below), mode="reflect")
        down, right = down - below, right - beside
    return image


def extended(image: Tensor, margin: int) -> Tensor:
    """The image with its last pixels repeated `margin` times at the right and the bottom."""
    return F.pad(image, (0, margin, 0, margin), mode="replicate") if margin else image


def reflected(x: Tensor, margin: int) -> Tensor:
    """The same with `margin` reflected pixels on each side, or replicated ones where there are too few."""
    mode = "reflect" if min(x.shape[-2:]) > margin else "replicate"
    return F.pad(x, (margin,) * 4, mode=mode)


def wrapped(x: Tensor, margin: int) -> Tensor:
    """The same with `margin` pixels from the opposite edge on each side.

    Unlike circular padding, joining keeps the memory format, and is quicker on the way back.
    """
    if not margin:
        return x
    x = torch.cat([x[..., -margin:, :], x, x[..., :margin, :]], -2)
    return torch.cat([x[..., -margin:], x, x[..., :margin]], -1)


def by_fours(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Convolution with few channels of output, four pixels at once: the same, in a third of a CPU's time.

    CPUs compute 8 or 16 channels at once, and throw away what is not asked for. A kernel with a row and a
    column more, in four places, makes 2x2 pixels in each step of two.
    """
    count, channels, side, _ = weight.shape
    height, width = (length - side + 1 for length in x.shape[-2:])
    wide = weight.new_zeros(count, 2, 2, channels, side + 1, side + 1)
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        wide[:, row, column, :, row : row + side, column : column + side] = weight
    if height % 2 or width % 2:
        x = F.pad(x, (0, width % 2, 0, height % 2))
    biases = None if bias is None else bias.repeat_interleave(4)
    y = F.conv2d(x, wide.flatten(0, 2), biases, stride=2)
    return F.pixel_shuffle(y, 2)[..., :height, :width]


def doubled(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Nearest upsampling by 2, reflection and a 3x3 convolution, at 4/9 of the work.

    Each of the four pixels that come of one sees but 2x2 different pixels. So four 2x2 kernels, whose taps
    are sums of the 3x3 one's, do before the upsampling what that one does after it; and reflection of the
    doubled picture is replication of the picture.
    """
    n, _, h, w = x.shape
    kernels = torch.cat([kernel for rows in _halved(weight, 2) for kernel in _halved(rows, 3)])
    biases = None if bias is None else bias.repeat(4)
    y = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), kernels, biases).view(n, 2, 2, -1, h + 1, w + 1)
    layout = (
        torch.channels_last if x.is_contiguous(memory_format=torch.channels_last) else torch.contiguous_format
    )
    size = (n, len(weight), 2 * h, 2 * w)
    out = torch.empty(size, dtype=x.dtype, device=x.device, memory_format=layout)
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        out[:, :, row::2, column::2] = y[:, row, column, :, row : row + h, column : column + w]
    return out


def _halved(kernel: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Three taps along `dim` on doubled pixels as two on the pixels: for a pair's first and second."""
    a, b, c = (kernel.narrow(dim, tap, 1) for tap in range(3))
    return torch.cat([a, b + c], dim), torch.cat([a + b, c], dim)


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
