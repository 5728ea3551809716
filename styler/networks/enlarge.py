"""Networks that enlarge pictures: ours, that of Johnson et al. 2016, and SRResNet (Ledig et al. 2017)."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from styler.device import Form
from styler.networks.flow import Memory, Run, X, whole
from styler.networks.layers import PICTURE, Layer, Mode, Norm, listed
from styler.networks.residual import Block
from styler.plans import Upsampling, bounded

_SLOPE = 0.05
"""Of our leaky ReLUs below zero."""
_WAYS: dict[str, Upsampling] = {
    "shuffle": "shuffle",
    "nearest": "resize",
    "bilinear": "bilinear",
    "transposed": "transposed",
}


@dataclass(frozen=True, kw_only=True)
class EnlargeArchitecture:
    """Configuration of a network that enlarges; the defaults are ours.

    Attributes:
        inputs: channels; a fourth one says how damaged the picture is, from 0 to 1 everywhere.
        outputs: channels.
        factor: sides of its output, relative to its input's.
        width: channels of its maps.
        blocks: of two convolutions each.
        kernel: side of the first convolution's and, unless `direct`, the last one's.
        norm: of all layers but the first of an SRResNet, and the last.
        activation: leaky, with a learned slope, or none below zero.
        skip: whether a convolution follows the blocks, whose result is added to the first map.
        upsampling: how it enlarges.
        direct: whether it does so in one step, a shuffle to the pixels; otherwise each step doubles.
        residual: whether it corrects the bilinearly enlarged picture, or makes one from nothing.
        pixels: whether pictures end in a tanh.
    """

    inputs: int = bounded(4, 3, 4)
    outputs: int = bounded(3, 3, 3)
    factor: Literal[2, 4] = 4
    width: int = bounded(64, 1, 512)
    blocks: int = bounded(9, 0, 64)
    kernel: Literal[3, 9] = 3
    norm: Literal["none", "batch"] = "none"
    activation: Literal["leaky", "learned", "relu"] = "leaky"
    skip: bool = True
    upsampling: Literal["shuffle", "nearest", "bilinear", "transposed"] = "shuffle"
    direct: bool = True
    residual: bool = True
    pixels: Literal["unsigned", "signed"] = "unsigned"


JOHNSON = EnlargeArchitecture(
    inputs=3,
    blocks=4,
    kernel=9,
    norm="batch",
    activation="relu",
    skip=False,
    upsampling="transposed",
    direct=False,
    residual=False,
    pixels="signed",
)
"""Johnson et al. 2016, supplement, table 2."""
SRRESNET = EnlargeArchitecture(
    inputs=3, blocks=16, kernel=9, norm="batch", activation="learned", direct=False, residual=False
)
"""Ledig et al. 2017, figure 4."""


class EnlargeNetwork(nn.Module):
    """Image [N, inputs, H, W] -> Image [N, 3, factor * H, factor * W], not clamped.

    Ours has no norms: so contrast stays as it is, and a pixel depends on those around it alone. At first it
    is nearly bilinear.
    """

    stride = 1

    def __init__(self, config: EnlargeArchitecture = EnlargeArchitecture()) -> None:
        super().__init__()
        self.config, self.corrects = config, config.residual
        self.scale: int = config.factor
        width, steps = config.width, 0 if self._direct else int(math.log2(config.factor))
        normed = config.norm != "none" and not config.skip  # of an SRResNet's first layer there is no norm
        self.first = self._layer(
            (config.inputs, width), config.kernel, norm=normed, active=config.norm != "none"
        )
        self.blocks = listed(
            Block(self._layer((width, width)), self._layer((width, width), active=False))
            for _ in range(config.blocks)
        )
        self.after = self._layer((width, width), active=False) if config.skip else None
        self.up = listed(self._doubling() for _ in range(steps))
        self.last = self._last()
        reaches = [config.kernel // 2, 2 * config.blocks, int(config.skip), 2 * steps]
        self.reach = sum(reaches) + (1 if self._direct else config.kernel // 2)
        self.memory = Memory(6, 0, 0) if self._direct else Memory(3.0 * config.factor**2, 0, 0)

    @property
    def _direct(self) -> bool:
        return self.config.direct and self.config.upsampling == "shuffle"

    def _layer(
        self,
        channels: tuple[int, int],
        kernel: int = 3,
        *,
        norm: bool = True,
        active: bool = True,
        up: Upsampling | None = None,
    ) -> Layer:
        """A layer with norm and activation as the configuration has them."""
        kind, activation = self.config.norm, self.config.activation
        return Layer(
            channels,
            kernel,
            norm=Norm(channels[1], kind) if norm and kind != "none" else None,
            up=up,
            slope=(_SLOPE if activation == "leaky" else 0.0) if active else 1.0,
            learned=active and activation == "learned",
        )

    def _doubling(self) -> Layer:
        """A step that doubles; only Johnson's have a norm."""
        width, up = self.config.width, _WAYS[self.config.upsampling]
        channels = (width, 4 * width if up == "shuffle" else width)
        kernel = 4 if up == "transposed" and self.config.norm == "none" else 3  # 3 leaves a checkerboard
        return self._layer(channels, kernel, norm=not self.config.skip, up=up)

    def _last(self) -> Layer:
        """The layer that makes pixels."""
        config = self.config
        if self._direct:
            channels = (config.width, config.outputs * config.factor**2)
            last = Layer(channels, slope=1, up="shuffle", factor=config.factor)
        else:
            leaves = config.pixels == "signed"
            last = Layer((config.width, config.outputs), config.kernel, slope=1, leaves=leaves)
        if config.residual:
            with torch.no_grad():
                for parameter in last.parameters():
                    parameter.mul_(0.1)
        return last

    def forward(self, image: Tensor, mode: Mode = PICTURE, form: Form | None = None) -> Tensor:
        """Enlarge; see `flow.whole`."""
        return whole(self, image, mode, form=form)

    def flow(self, x: X, run: Run[X]) -> X:
        """As in `flow.Flowing`."""
        first = x = run.layer(self.first, x)
        for block in self.blocks:
            x = run.residual(block.first, block.second, x)
        if self.after is not None:
            x = run.added(run.layer(self.after, x), first)
        for layer in self.up:
            x = run.layer(layer, x)
        return run.layer(self.last, x)


@torch.no_grad()
def between(start: EnlargeNetwork, end: EnlargeNetwork, share: float) -> EnlargeNetwork:
    """A network with the weights of `start` at a share of 0 and of `end`, of the same shape, at 1."""
    network, others = copy.deepcopy(start), end.state_dict()
    weights = {
        name: torch.lerp(value, others[name].to(value), share) for name, value in start.state_dict().items()
    }
    network.load_state_dict(weights)
    return network


@torch.no_grad()
def mixed(
    faithful: EnlargeNetwork, detailed: EnlargeNetwork | None, detail: float, clean: float
) -> EnlargeNetwork:
    """A network of three channels, as fast as each: both mixed, for one level of cleaning.

    Args:
        faithful: at `detail` 0.
        detailed: at `detail` 1, trained further from the weights of `faithful`, so that all between are
            networks as well (Wang et al. 2018, section 3.4); None is as good as 0.
        clean: the level, of a network that has it as a fourth channel. The same everywhere, it is no more
            than a bias: exactly so, as borders are reflected.
    """
    weights = dict((faithful if detailed is None else between(faithful, detailed, detail)).state_dict())
    if faithful.config.inputs == 4:
        first = weights["first.conv.weight"]
        weights["first.conv.weight"] = first[:, :3].contiguous()
        weights["first.conv.bias"] = weights["first.conv.bias"] + clean * first[:, 3].sum((1, 2))
    network = EnlargeNetwork(replace(faithful.config, inputs=3))
    network.load_state_dict(weights)
    return network.eval()
