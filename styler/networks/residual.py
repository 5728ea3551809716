"""The residual network of Johnson et al. 2016, which paints in styles, and pix2pix's, which translates."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from styler.device import Form
from styler.networks.flow import Memory, whole
from styler.networks.layers import PICTURE, Layer, Mode, Norm, listed, norms_of
from styler.plans import JOHNSON, LayerPlan, ResidualArchitecture, ResidualPlan, residual_flow

WIDTHS = {"full": 32, "small": 16, "tiny": 8}
"""Channels at full resolution by `--model-size`."""
GRAY = 0.5


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
    flow = residual_flow

    def __init__(self, config: ResidualArchitecture = JOHNSON) -> None:
        super().__init__()
        self.config, self.stride = config, 1 << config.halvings
        plan, signed = ResidualPlan.of(config), config.pixels == "signed"
        self.memory = Memory(4.25, 1 / 2, 4) if signed else Memory(4, 1 / 2, 5)
        self.down = listed(map(self._layer, plan.down))
        self.blocks = listed(Block(*map(self._layer, block)) for block in plan.blocks)
        self.up = listed(map(self._layer, plan.up))
        self.last = self._layer(plan.last)
        assert self.last.conv.bias is not None
        if not signed:
            nn.init.constant_(self.last.conv.bias, GRAY)

    def _layer(self, plan: LayerPlan) -> Layer:
        """A layer as planned, with a norm as the configuration has them."""
        kind, styles, eps = self.config.norm, self.config.styles, self.config.eps
        return Layer(
            plan.channels,
            plan.kernel,
            norm=Norm(plan.channels[1], kind, styles=styles, eps=eps) if plan.normed else None,
            stride=plan.stride,
            up=plan.up,
            borders=plan.borders,
            slope=plan.slope,
            place=plan.place,
            enters=plan.enters,
            leaves=plan.leaves,
        )

    def forward(self, image: Tensor, mode: Mode = PICTURE, form: Form | None = None) -> Tensor:
        """Paint; see `flow.whole`."""
        return whole(self, image, mode, form=form)


@torch.no_grad()
def single(network: ResidualNetwork, mix: Tensor) -> ResidualNetwork:
    """A network of one style that paints as one of S styles does in the mix [1, S] of them."""
    alone = copy.deepcopy(network)
    alone.config = dataclasses.replace(network.config, styles=1)
    for norm in norms_of(alone):
        for name in ("weight", "bias"):
            rows = getattr(norm, name).detach()
            setattr(norm, name, nn.Parameter(mix.to(rows) @ rows))
    return alone


@torch.no_grad()
def mean_of(networks: Sequence[ResidualNetwork], shares: Sequence[float]) -> ResidualNetwork:
    """A network whose weights are a mean of others', of one shape, and so is the grain that it is shown.

    It paints between them if all were trained further from one network (Wang et al. 2018, section 3.4).
    """
    first, states = networks[0], [network.state_dict() for network in networks]
    mean = copy.deepcopy(first)
    grains = [network.config.grain for network in networks]
    mean.config = dataclasses.replace(
        first.config, grain=sum(s * grain for s, grain in zip(shares, grains, strict=True))
    )
    mean.load_state_dict(
        {
            name: sum((s * state[name] for s, state in zip(shares, states, strict=True)), torch.zeros(()))
            for name in states[0]
        }
    )
    return mean
