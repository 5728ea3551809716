"""Painting pictures with a trained network of styles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from styler.image.color import luminance_only
from styler.networks import strips
from styler.networks.layers import Mode, Moments
from styler.networks.residual import ResidualNetwork
from styler.options.fast import FastOptions
from styler.tasks.onepass import Bounded, suited


@dataclass(eq=False)
class Painter(Bounded):
    """A network that paints Images, one at a time.

    Attributes:
        network: on its device.
        mix: weights of the styles, [1, S], on the same.
        options: `strength` and `color` apply to the result.
    """

    network: ResidualNetwork
    mix: Tensor
    options: FastOptions

    @property
    def place(self) -> torch.device:
        """Where the network is."""
        return self.mix.device

    @property
    def measures(self) -> bool:
        """Without strength the network is not asked."""
        return self.options.strength > 0

    def __call__(self, image: Tensor, moments: Sequence[Moments] | None = None) -> Tensor:
        """As in `Bounded`: the painted Image."""
        content = self.seen(image)
        if self.options.strength == 0:
            return content.clone()
        painted = self.made(content, moments).clamp_(0, 1)
        if self.options.color == "luminance":
            painted = luminance_only(painted, content)
        return torch.lerp(content, painted, self.options.strength)

    def seen(self, image: Tensor) -> Tensor:
        """The Image itself."""
        return image.to("cpu", torch.float32)

    def run(
        self, x: Tensor, rows: int, moments: Sequence[Moments] | None, found: list[Moments] | None
    ) -> Tensor:
        """As in `Bounded`."""
        mode = Mode(mix=self.mix, moments=moments)
        return strips.paint(self.network, x, mode, rows, record=found, form=self.form)

    def needed(self, height: int, width: int, rows: int) -> int:
        """As in `Bounded`."""
        return strips.memory(self.network, height, width, rows, self.form.dtype)

    def thinnest(self, width: int) -> int:
        """As in `Bounded`."""
        return strips.thinnest(self.network, width, self.form.dtype)


def painter(
    network: ResidualNetwork,
    mix: Tensor,
    options: FastOptions,
    place: torch.device,
    sample: Tensor,
    work: int | None = None,
) -> Painter:
    """A Painter on `place` that obeys `options`.

    Args:
        network: it is moved to `place`.
        mix: weights of the styles, [1, S].
        options: precision and memory are obeyed, or chosen where they are left open.
        place: where to paint.
        sample: an Image [1, 3, H, W] such as will be painted.
        work: pixels that will be painted in all, or None for many.
    """
    return suited(Painter(network.to(place).eval(), mix.to(place), options), options, sample, work)
