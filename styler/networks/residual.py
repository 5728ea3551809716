"""The residual network of Johnson et al. 2016, which paints in styles, and pix2pix's, which translates."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from torch import Tensor, nn

from styler.device import Form
from styler.networks.flow import Memory, Run, X, whole
from styler.networks.layers import PICTURE, Layer, Mode, Norm, bounded, listed
from styler.options.translate import GeneratorNorm

WIDTHS = {"full": 32, "small": 16, "tiny": 8}
"""Channels at full resolution by `--model-size`."""
GRAY = 0.5


@dataclass(frozen=True, kw_only=True)
class ResidualArchitecture:
    """Configuration of a residual network; the defaults are Johnson's, with nearest pixels to double.

    Attributes:
        inputs, outputs: channels of the pictures.
        width: channels at full resolution; each halving doubles them.
        halvings: of the picture's sides.
        blocks: at the lowest resolution.
        kernel: side of the first and the last convolution's.
        borders: of the convolutions that halve; the others' are reflected.
        norm: all have gains and offsets.
        styles: rows of each norm's gains and offsets; 0: they are but one.
        eps: what the norms add to the variance.
        upsampling: how layers double.
        dropout: whether blocks have it.
        grain: of the noise that photos get before they are painted, see `image.grain`; 0: none.
        pixels: whether pictures are in [0, 1] inside, too, or in [-1, 1] and end in a tanh.
    """

    inputs: int = bounded(3, 1, 64)
    outputs: int = bounded(3, 1, 64)
    width: int = bounded(32, 1, 512)
    halvings: int = bounded(2, 1, 12)
    blocks: int = bounded(5, 0, 64)
    kernel: Literal[7, 9] = 9
    borders: Literal["reflect", "zero"] = "reflect"
    norm: GeneratorNorm = "instance"
    styles: int = bounded(1, 0, 1000)
    eps: float = bounded(1e-5, 1e-12, 1)
    upsampling: Literal["resize", "transposed"] = "resize"
    dropout: bool = False
    grain: float = bounded(0.0, 0, 1)
    pixels: Literal["unsigned", "signed"] = "unsigned"


PIX2PIX = ResidualArchitecture(
    width=64,
    blocks=9,
    kernel=7,
    borders="zero",
    norm="batch",
    styles=0,
    upsampling="transposed",
    dropout=True,
    pixels="signed",
)
"""As the authors of pix2pix changed it: 7x7 ends, and zero borders where it halves."""


class Block(nn.Module):
    """Two layers whose result is added to their input."""

    def __init__(self, first: Layer, second: Layer) -> None:
        super().__init__()
        self.first, self.second = first, second


class ResidualNetwork(nn.Module):
    """Image [N, inputs, H, W] -> Image [N, outputs, H, W], not clamped; H and W are 16 at least.

    Johnson et al. 2016 with instance norms, reflected borders, no ReLU after the sums of blocks, and nearest
    upsampling before a convolution in place of transposed ones.
    """

    scale, reach, corrects = 1, None, False

    def __init__(self, config: ResidualArchitecture = ResidualArchitecture()) -> None:
        super().__init__()
        self.config, self.stride = config, 1 << config.halvings
        widths = [config.width * 2**k for k in range(config.halvings + 1)]
        pairs, signed = list(pairwise(widths)), config.pixels == "signed"
        self.memory = Memory(4.25, 1 / 2, 4) if signed else Memory(4, 1 / 2, 5)
        first = self._layer((config.inputs, config.width), config.kernel, enters=signed)
        halving = (self._layer(pair, stride=2, borders=config.borders) for pair in pairs)
        self.down = listed([first, *halving])
        self.blocks = listed(self._block(widths[-1], place + 1) for place in range(config.blocks))
        self.up = listed(self._layer((b, a), up=config.upsampling) for a, b in reversed(pairs))
        self.last = Layer((config.width, config.outputs), config.kernel, slope=1, leaves=signed)
        assert self.last.conv.bias is not None
        if not signed:
            nn.init.constant_(self.last.conv.bias, GRAY)

    def _layer(self, channels: tuple[int, int], kernel: int = 3, **more: Any) -> Layer:
        """A layer with a norm as the configuration has them; `more` are arguments of Layer."""
        kind, styles, eps = self.config.norm, self.config.styles, self.config.eps
        norm = None if kind == "none" else Norm(channels[1], kind, styles=styles, eps=eps)
        return Layer(channels, kernel, norm=norm, **more)

    def _block(self, channels: int, place: int) -> Block:
        first = self._layer((channels, channels), place=place if self.config.dropout else 0)
        return Block(first, self._layer((channels, channels), slope=1))

    def forward(self, image: Tensor, mode: Mode = PICTURE, form: Form | None = None) -> Tensor:
        """Paint; see `flow.whole`."""
        return whole(self, image, mode, form=form)

    def flow(self, x: X, run: Run[X]) -> X:
        """As in `flow.Flowing`."""
        for level, layer in enumerate(self.down):
            x = run.layer(layer, x, level)
        for block in self.blocks:
            x = run.residual(block.first, block.second, x)
        for level, layer in zip(reversed(range(len(self.up))), self.up, strict=True):
            x = run.layer(layer, x, level)
        return run.layer(self.last, x)
