"""Parameterizations of an image: modules whose call gives the Image."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PixelImage(nn.Module):
    """An image [N, 3, H, W] whose parameters are its pixels.

    Kept contiguous and in [0, 1], where one step of L-BFGS or Adam is worth a visible change; not clamped
    while it is optimized, since a box would falsify L-BFGS's curvature. The finished picture is clamped.
    """

    def __init__(self, start: Tensor) -> None:
        super().__init__()
        self.pixels = nn.Parameter(start.detach().clone(memory_format=torch.contiguous_format))

    def forward(self) -> Tensor:
        """The image as it stands."""
        return self.pixels
