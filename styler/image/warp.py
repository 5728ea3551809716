"""Smooth random movements, as between the frames of a video; shifts, turns and changes of size."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

WAVE, BEND, SHIFT = 50, 2.0, 8.0
"""Pixels: length of the waves, their standard deviation, largest common shift."""


def displacement(shape: Sequence[int], seed: int, first: int = 0) -> Tensor:
    """Random smooth displacements [N, 2, H, W] of images of `shape` [N, C, H, W], in pixels right and down.

    A few pixels everywhere, in another direction every 50 pixels or so, as between two frames of a video. The
    field of image i depends on (seed, first + i) alone. Wang et al. 2020 (ReReVST), section 4.2.
    """
    height, width = shape[-2:]
    coarse = (height // WAVE + 2, width // WAVE + 2)
    fields = []
    for index in range(shape[0]):
        draw = np.random.default_rng((seed, 3, first + index))
        waves = draw.normal(0, BEND, (2, *coarse)) + draw.uniform(-SHIFT, SHIFT, (2, 1, 1))
        fields.append(torch.from_numpy(waves.astype(np.float32)))
    return F.interpolate(torch.stack(fields), (height, width), mode="bicubic", align_corners=True)


def displaced(image: Tensor, field: Tensor) -> Tensor:
    """Move the pixels of an image [N, C, H, W] by a field [N, 2, H, W] in pixels; borders reflect."""
    height, width = image.shape[-2:]
    axes = torch.arange(width, device=image.device), torch.arange(height, device=image.device)[:, None]
    sides = (width, height)
    places = [(2 * (axes[i] + field[:, i]) + 1) / sides[i] - 1 for i in (0, 1)]
    grid = torch.stack(places, -1).to(image.dtype)
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def turned(image: Tensor, angle: float, scale: float, shift: tuple[float, float]) -> Tensor:
    """An Image [N, C, H, W] turned by radians, enlarged and then shifted by pixels (down, right).

    All about its middle; borders reflect. Differentiable.
    """
    height, width = image.shape[-2:]
    cosine, sine = math.cos(angle) / scale, math.sin(angle) / scale
    down, right = 2 * shift[0] / height, 2 * shift[1] / width
    rows = ((cosine, sine * height / width, -right), (-sine * width / height, cosine, -down))
    theta = image.new_tensor([rows]).expand(len(image), -1, -1)
    grid = F.affine_grid(theta, list(image.shape), align_corners=False)
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
