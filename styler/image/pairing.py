"""A pair of pictures: what goes into a translation, and what is to come out of it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Pair:
    """Pictures and what they are to become, pixel on pixel: Images [N, I, H, W] and [N, O, H, W]."""

    inputs: Tensor
    targets: Tensor
