"""The feed-forward network of Johnson et al. 2016: residual, instance-normalized, for one style or many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styler.networks.layers import bounded

WIDTHS = {"full": 32, "small": 16, "tiny": 8}
"""Channels at full resolution by `--model-size`."""
STRIDE = 4
"""Pixels that one of the residual blocks' stands for; the network works on multiples of it."""
RESIDUALS = 5

Upsampling = Literal["nearest", "transpose"]


@dataclass(frozen=True)
class Architecture:
    """What a transform network is built from.

    Attributes:
        width: channels at full resolution; twice and four times as many lie below.
        styles: rows of each norm's gains and offsets.
        upsampling: nearest pixels and a convolution, or a transposed convolution, as some other tools' have.
        eps: what the norms add to the variance.
    """

    width: int = bounded(32, 1, 512)
    styles: int = bounded(1, 1, 1000)
    upsampling: Upsampling = "nearest"
    eps: float = bounded(1e-5, 1e-12, 1)


class Moments(NamedTuple):
    """Mean and variance of a norm's input over its positions, float32 [N, C] each."""

    mean: Tensor
    variance: Tensor


class Norm(nn.Module):
    """Conditional instance norm (Dumoulin et al. 2017): gains and offsets [S, C] of S styles, mixed."""

    def __init__(self, channels: int, styles: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(styles, channels))
        self.bias = nn.Parameter(torch.zeros(styles, channels))

    def forward(self, x: Tensor, mix: Tensor, moments: Moments | None = None) -> Tensor:
        """Normalize x [N, C, H, W] by its own moments or by those given; `mix` [N, S] weighs the styles."""
        return normalized(x, mix @ self.weight, mix @ self.bias, self.eps, moments)


def normalized(x: Tensor, gain: Tensor, offset: Tensor, eps: float, moments: Moments | None = None) -> Tensor:
    """x [N, C, H, W] by its own moments or by those given, times gain [N, C] plus offset [N, C]."""
    if moments is None:
        made: Tensor = _InstanceNorm.apply(x, gain, offset, eps)
        return made
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


class Block(nn.Module):
    """A convolution with reflected borders, a norm, and maybe a ReLU.

    `up` 2 doubles height and width, `stride` 2 halves them. The norm takes out what a bias adds, so the bias
    is neither trained nor added; it is there because other tools' networks have it.
    """

    def __init__(
        self,
        made: Architecture,
        channels: tuple[int, int],
        kernel: int = 3,
        *,
        stride: int = 1,
        up: int = 1,
        relu: bool = True,
    ) -> None:
        super().__init__()
        self.stride, self.up, self.relu = stride, up, relu
        self.transposed = up > 1 and made.upsampling == "transpose"
        kind = nn.ConvTranspose2d if self.transposed else nn.Conv2d
        self.conv = kind(*channels, kernel)
        assert self.conv.bias is not None
        nn.init.zeros_(self.conv.bias)
        self.conv.bias.requires_grad_(False)
        self.norm = Norm(channels[1], made.styles, made.eps)

    def forward(self, x: Tensor, mix: Tensor, moments: Moments | None = None) -> Tensor:
        """[N, C, H, W] -> [N, C', H * up / stride, W * up / stride]."""
        y = self.norm(self.convolved(x), mix, moments)
        return F.relu_(y) if self.relu else y

    def convolved(self, x: Tensor) -> Tensor:
        """What the norm sees."""
        weight = self.conv.weight.to(x.dtype)
        if self.transposed:
            return F.conv_transpose2d(x, weight, stride=2, padding=1, output_padding=1)
        if self.up == 1:
            return F.conv2d(reflected(x, weight.shape[-1] // 2), weight, stride=self.stride)
        if torch.is_grad_enabled():  # the quicker way has the slower way back
            return F.conv2d(reflected(F.interpolate(x, scale_factor=2, mode="nearest"), 1), weight)
        return doubled(x, weight)


class Residual(nn.Module):
    """Two blocks whose result is added to what they were given, with no ReLU after the sum."""

    def __init__(self, made: Architecture, channels: int) -> None:
        super().__init__()
        self.first = Block(made, (channels, channels))
        self.second = Block(made, (channels, channels), relu=False)

    def forward(self, x: Tensor, mix: Tensor, moments: Sequence[Moments | None] = (None, None)) -> Tensor:
        """[N, C, H, W] -> the same."""
        y = self.first(x, mix, moments[0])
        changed: Tensor = self.second(y, mix, moments[1])
        return changed.add_(x)


class TransformNetwork(nn.Module):
    """Image [N, 3, H, W] and mix [N, S] -> Image of the same size, not clamped; H and W are 16 at least.

    Johnson et al. 2016 with instance norms, reflected borders, and nearest upsampling before a convolution in
    place of transposed ones. `mix` weighs the styles of each picture. It computes in the number type and the
    memory format of the image it is given; norms take their moments in float32.
    """

    def __init__(self, made: Architecture = Architecture()) -> None:
        super().__init__()
        self.made, w = made, made.width
        self.down = nn.ModuleList(
            [
                Block(made, (3, w), 9),
                Block(made, (w, 2 * w), stride=2),
                Block(made, (2 * w, 4 * w), stride=2),
            ]
        )
        self.residual = nn.ModuleList([Residual(made, 4 * w) for _ in range(RESIDUALS)])
        self.up = nn.ModuleList([Block(made, (4 * w, 2 * w), up=2), Block(made, (2 * w, w), up=2)])
        self.last = nn.Conv2d(w, 3, 9)
        assert self.last.bias is not None
        nn.init.constant_(self.last.bias, 0.5)

    def blocks(self) -> list[Block]:
        """All blocks in order."""
        return [module for module in self.modules() if isinstance(module, Block)]

    def forward(self, image: Tensor, mix: Tensor, moments: Sequence[Moments] | None = None) -> Tensor:
        """Paint; `moments`, one of each block, take the place of the image's own, as for a shot of a film."""
        height, width = image.shape[-2:]
        given: Sequence[Moments | None] = moments or [None] * len(self.blocks())
        x = divisible(image)
        for block, known in zip(self.down, given[:3], strict=True):
            x = block(x, mix, known)
        for index, residual in enumerate(self.residual):
            x = residual(x, mix, given[3 + 2 * index : 5 + 2 * index])
        for block, known in zip(self.up, given[-2:], strict=True):
            x = block(x, mix, known)
        return self.painted(x)[..., :height, :width]

    def painted(self, x: Tensor) -> Tensor:
        """The last convolution, [N, C, H, W] -> [N, 3, H, W]."""
        assert self.last.bias is not None
        return F.conv2d(reflected(x, 4), self.last.weight.to(x.dtype), self.last.bias.to(x.dtype))


def divisible(image: Tensor, stride: int = STRIDE) -> Tensor:
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


def reflected(x: Tensor, margin: int) -> Tensor:
    """The same with `margin` reflected pixels on each side, or replicated ones where there are too few."""
    mode = "reflect" if min(x.shape[-2:]) > margin else "replicate"
    return F.pad(x, (margin,) * 4, mode=mode)


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
