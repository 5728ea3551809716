"""The PatchGAN of Isola et al. 2017: a discriminator that judges each patch of a picture by itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styler.networks.layers import LEAK, Mode, Norm, listed, signed
from styler.networks.unet import WIDEST
from styler.options.translate import GeneratorNorm

HALVINGS = {1: 0, 16: 1, 34: 2, 70: 3, 142: 4, 286: 5}
"""Halvings by the side of the patches in pixels."""
BATCH = Mode("batch")
EPS = 1e-12


@dataclass(frozen=True)
class PatchArchitecture:
    """Configuration of a discriminator.

    Attributes:
        inputs: channels of what it judges, often two pictures.
        width: channels of the first layer.
        halvings: layers that halve the picture; 0: it judges single pixels.
        norm: batch norms always take their moments of the batch.
        scales: discriminators, each of which sees the picture at half the size of the one before.
        spectral: whether weights have a spectral norm of 1; then there are no other norms.
    """

    inputs: int = 6
    width: int = 64
    halvings: int = 3
    norm: GeneratorNorm = "batch"
    scales: int = 1
    spectral: bool = False


class PatchLayer(nn.Module):
    """A convolution with zero borders, and maybe a norm: of its weights, or of what comes of it."""

    direction: Tensor | None

    def __init__(
        self,
        channels: tuple[int, int],
        kernel: int,
        *,
        stride: int = 1,
        norm: Norm | None = None,
        bias: bool = True,
        spectral: bool = False,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(*channels, kernel, stride, (kernel - 1) // 2, bias=bias)
        self.norm = norm
        start = torch.full(channels[1:], channels[1] ** -0.5) if spectral else None
        self.register_buffer("direction", start)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, C', H', W']."""
        weight, bias = self.conv.weight, self.conv.bias
        if self.direction is not None:
            weight = self.spectral(weight, self.direction)
        bias = None if bias is None else bias.to(x.dtype)
        y = F.conv2d(x, weight.to(x.dtype), bias, self.conv.stride, self.conv.padding)
        return y if self.norm is None else self.norm(y, BATCH)

    def spectral(self, weight: Tensor, direction: Tensor) -> Tensor:
        """The weights over their largest singular value (Miyato et al. 2018, algorithm 1).

        `direction` is its left singular vector, to which each call in training makes a step.
        """
        matrix = weight.flatten(1)
        with torch.no_grad():
            right = F.normalize(matrix.mT @ direction, dim=0, eps=EPS)
            left = F.normalize(matrix @ right, dim=0, eps=EPS)
            if self.training:
                direction.copy_(left)
        return weight / (left @ matrix @ right)


class PatchDiscriminator(nn.Module):
    """Image [N, inputs, H, W] -> for each scale the maps of its layers, the last logits [N, 1, h, w].

    Isola et al. 2017, section 6.1.2: 4x4 convolutions. The maps are those after the ReLUs. It computes in the
    number type and the memory format of the image; the sides are `smallest_side` at least.
    """

    def __init__(self, config: PatchArchitecture = PatchArchitecture()) -> None:
        super().__init__()
        self.config = config
        self.scales = nn.ModuleList(nn.Sequential(*layers(config)) for _ in range(config.scales))

    def forward(self, image: Tensor) -> list[list[Tensor]]:
        """Judge each patch, at each scale."""
        x = signed(image)
        judged: list[list[Tensor]] = []
        for scale in self.scales.children():
            if judged:
                x = F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
            judged.append(maps(scale.children(), x))
        return judged


class DenseDiscriminator(nn.Module):
    """Image [N, 3, side, side] -> maps of its layers, the last logits [N, 1, 1, 1].

    Ledig et al. 2017, figure 4: eight 3x3 convolutions, every other one of which halves the picture, and two
    dense layers, so that it judges whole crops of one size.
    """

    def __init__(self, side: int, width: int = 64) -> None:
        super().__init__()
        widths = [width * 2**k for k in range(4) for _ in range(2)]
        pairs = enumerate(pairwise([3, *widths]))
        self.hidden = listed(
            PatchLayer(pair, 3, stride=1 + k % 2, norm=Norm(pair[1], "batch", tracked=False) if k else None)
            for k, pair in pairs
        )
        for _ in range(4):
            side = -(-side // 2)
        flat, inner = widths[-1] * side**2, 16 * width
        self.dense = listed(PatchLayer(pair, 1) for pair in ((flat, inner), (inner, 1)))

    def forward(self, image: Tensor) -> list[list[Tensor]]:
        """Judge each picture, at one scale."""
        *inner, last = maps(self.hidden, signed(image))
        x = F.leaky_relu_(last, LEAK).flatten(1)[..., None, None]
        return [[*inner, x, *maps(self.dense, x)]]


Discriminator = PatchDiscriminator | DenseDiscriminator


def layers(config: PatchArchitecture) -> list[PatchLayer]:
    """Of one scale, from the picture to the logits."""
    kernel = 4 if config.halvings else 1
    count = config.halvings + 1 if config.halvings else 2
    widths = [config.width * min(2**k, WIDEST) for k in range(count)]
    normless = config.spectral or config.norm == "none"
    first = PatchLayer(
        (config.inputs, widths[0]), kernel, stride=2 if config.halvings else 1, spectral=config.spectral
    )
    hidden = [
        PatchLayer(
            channels,
            kernel,
            stride=2 if k < config.halvings else 1,
            norm=None if normless else Norm(channels[1], config.norm, tracked=False),
            bias=normless,
            spectral=config.spectral,
        )
        for k, channels in enumerate(pairwise(widths), start=1)
    ]
    last = PatchLayer((widths[-1], 1), kernel, bias=bool(config.halvings), spectral=config.spectral)
    return [first, *hidden, last]


def maps(scale: Iterable[nn.Module], x: Tensor) -> list[Tensor]:
    """Outputs of the layers for x [N, C, H, W], logits last."""
    *hidden, last = scale
    outputs = []
    for layer in hidden:
        x = F.leaky_relu_(layer(x), LEAK)
        outputs.append(x)
    return [*outputs, last(x)]


def receptive_field(halvings: int) -> int:
    """Side in pixels of the patch that one logit sees."""
    field = 1
    for stride in [1, 1, *[2] * halvings] if halvings else []:
        field = (field - 1) * stride + 4
    return field


def smallest_side(config: PatchArchitecture) -> int:
    """Of pictures that leave something to judge, in pixels."""
    alone = 3 << config.halvings if config.halvings else 1
    return ((alone - 1) << (config.scales - 1)) + 1
