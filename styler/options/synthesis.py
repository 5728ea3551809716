"""Options of `styler texture` and `styler invert`, which make pictures of features alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from styler.options.fields import OutputSize, again, opt
from styler.options.shared import (
    LossOptions,
    MachineOptions,
    NetworkOptions,
    OutputOptions,
    Pooling,
    SolverOptions,
    StyleLoss,
)

Regularizer = Literal["tv", "alpha", "none"]
TEXTURE_LAYERS = ("relu1_1", "pool1", "pool2", "pool3", "pool4")
"""Style layers of Gatys et al. 2015, shallow to deep."""


@dataclass(frozen=True, kw_only=True)
class TextureOptions(NetworkOptions, SolverOptions, MachineOptions, OutputOptions):
    """Options of `styler texture`."""

    size: OutputSize = opt(
        256, "Size of the texture: the side of a square, width and height, or full: the style's own."
    )
    style_size: OutputSize = opt(512, "Size at which the style is seen; never more than its own.")
    up_to: str = opt("pool4", "Deepest layer that is matched: relu1_1, pool1 to pool4, ...", metavar="LAYER")
    tileable: bool = opt(False, "Let the texture repeat itself without a seam.")
    sheet: bool = opt(False, "One texture for each depth from relu1_1 to --up-to, beside the style.")
    style_loss: StyleLoss = again(LossOptions, "style_loss", "gram")
    parameterization: Literal["pyramid", "pixels"] = opt(
        "pyramid", "Parameters of the image: a pyramid of luma and chroma, or its pixels."
    )
    scales: int = opt(
        0, "Number of scales, coarse to fine, each half the next; 0 lets styler choose.", low=0, high=16
    )
    pooling: Pooling = again(NetworkOptions, "pooling", "average")
    steps: int = again(SolverOptions, "steps", 60)
    coarse_steps: int = again(SolverOptions, "coarse_steps", 80, "Steps at each coarser scale.")


@dataclass(frozen=True, kw_only=True)
class InvertOptions(NetworkOptions, MachineOptions, OutputOptions):
    """Options of `styler invert`."""

    size: OutputSize = opt(
        128, "Size of each picture: its long side, a box that it fits into, or full: the input's own."
    )
    layers: str = opt("relu1_1,relu2_1,relu3_1,relu4_1,relu5_1", "Layers to invert.", metavar="LAYER,...")
    seeds: int = opt(2, "Reconstructions of each layer, from different noise.", low=1, high=16)
    regularizer: Regularizer = opt("tv", "Preference among pictures: total variation, the alpha-norm, none.")
    strength: float = opt(1.0, "Weight of the regularizer, where 1 suits each layer.", low=0, high=1e9)
    beta: float = opt(2.0, "Exponent of the total variation.", low=1, high=3)
    steps: int = opt(150, "Steps for each picture.", low=1, high=1_000_000)
