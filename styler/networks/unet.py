"""The U-Net of Isola et al. 2017 (pix2pix), and the encoder-decoder, which is one without skips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from styler.device import Form
from styler.networks.flow import Memory, Run, X, whole
from styler.networks.layers import LEAK, PICTURE, Join, Layer, Mode, Norm, listed
from styler.options.translate import GeneratorNorm
from styler.plans import Upsampling, bounded

WIDEST = 8
"""Channels of the deepest layers of U-Net and discriminator, relative to the first's."""


@dataclass(frozen=True, kw_only=True)
class UNetArchitecture:
    """Configuration of a U-Net.

    Attributes:
        skips: whether it has them; without, it is an encoder-decoder.
        inputs, outputs: channels of the pictures.
        width: channels of the first layer.
        halvings: of the picture's sides.
        norm: all have gains and offsets.
        upsampling: how layers double.
        dropout: the layers of the way up, counted from the bottleneck, that have it; numbers of layers that
            are not there count for nothing.
        bias: whether the first and the innermost convolution, which no norm follows, have biases, as the
            last always has.
        bottleneck_norm: whether the innermost map is normalized, too.
        slope: of the ReLUs below zero through which skips pass.
        last: how the last layer doubles, if not like the others.
        grain: of the noise that its inputs get, see `image.grain`; 0: none.
    """

    skips: bool = True
    inputs: int = bounded(3, 1, 64)
    outputs: int = bounded(3, 1, 64)
    width: int = bounded(64, 1, 512)
    halvings: int = bounded(8, 1, 12)
    norm: GeneratorNorm = "batch"
    upsampling: Literal["transposed", "resize"] = "transposed"
    dropout: tuple[int, ...] = bounded((1, 2, 3), 1, 12)
    bias: bool = False
    bottleneck_norm: bool = False
    slope: float = bounded(0.0, 0, 1)
    last: Literal["same", "shifted"] = "same"
    grain: float = bounded(0.0, 0, 1)


class UNet(nn.Module):
    """Image [N, inputs, H, W] -> Image [N, outputs, H, W] in [0, 1]; H and W are 16 at least.

    Isola et al. 2017, section 6.1.1: convolutions halve the picture down to a bottleneck and double it. The
    map of a layer on the way down is seen again by its counterpart on the way up. There is no norm on the
    first map, on the last, and usually on the innermost: it may be a single pixel.
    """

    scale, reach, corrects = 1, None, False

    def __init__(self, config: UNetArchitecture = UNetArchitecture()) -> None:
        super().__init__()
        self.config, self.stride = config, 1 << config.halvings
        self.memory = Memory(2.5, 3 / 8, 4) if config.skips else Memory(2.25, 1 / 4, 4)
        widths = [config.width * min(2**k, WIDEST) for k in range(config.halvings)]
        self.down = listed(map(self._down, range(config.halvings), [config.inputs, *widths[:-1]], widths))
        levels = reversed(range(config.halvings))
        self.up = listed(self._up(k, widths[k], [config.outputs, *widths][k]) for k in levels)

    def _down(self, level: int, before: int, after: int) -> Layer:
        """From `level` halvings to one more."""
        innermost = level == self.config.halvings - 1
        bare = level == 0 or (innermost and not self.config.bottleneck_norm)
        norm = None if bare else self._norm(after)
        bias = self.config.bias or self.config.norm == "none"
        return Layer(
            (before, after), 4, norm=norm, bias=bias, stride=2, borders="zero", slope=LEAK, enters=level == 0
        )

    def _up(self, level: int, before: int, after: int) -> Layer:
        """From one more than `level` halvings to `level`."""
        config, place = self.config, self.config.halvings - level
        up: Upsampling = "shifted" if level == 0 and config.last == "shifted" else config.upsampling
        return Layer(
            (2 * before if config.skips and place > 1 else before, after),
            3 if up == "resize" else 4,
            norm=self._norm(after) if level else None,
            up=up,
            slope=1,
            place=place if place in config.dropout and level else 0,
            leaves=level == 0,
        )

    def _norm(self, channels: int) -> Norm | None:
        return None if self.config.norm == "none" else Norm(channels, self.config.norm)

    def forward(self, image: Tensor, mode: Mode = PICTURE, form: Form | None = None) -> Tensor:
        """Translate; see `flow.whole`."""
        return whole(self, image, mode, form=form)

    def flow(self, x: X, run: Run[X]) -> X:
        """As in `flow.Flowing`.

        A skip is that of the map before its leaky ReLU, but two ReLUs in a row are as good as the one.
        """
        skips, join = list[X](), Join(self.config.slope / LEAK)
        for level, layer in enumerate(self.down, start=1):
            x = run.layer(layer, x, level)
            if self.config.skips and level < len(self.down):
                skips.append(x)
        x = run.joined(join, x)
        for level, layer in zip(reversed(range(len(self.up))), self.up, strict=True):
            x = run.layer(layer, x, level)
            if level:
                x = run.joined(join, skips.pop(), x) if skips else run.joined(Join(), x)
        return x
