"""Options of `styler fast` and `styler train-fast`, and presets of the latter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from styler.options.fields import Layers, OutputSize, again, opt, weight
from styler.options.shared import (
    AverageOptions,
    ColorOptions,
    ContentLoss,
    LargerOptions,
    LossNetworkOptions,
    LossOptions,
    MomentLoss,
    PassOptions,
    TrainingOptions,
)

Generator = Literal["transform", "texture"]
ModelSize = Literal["full", "small", "tiny"]
Length = Literal["fast", "normal", "long"]
Engine = Literal["torch", "onnx"]

ALL = "all"
"""The style that stands for all styles, on one sheet."""


@dataclass(frozen=True, kw_only=True)
class FastOptions(ColorOptions, LargerOptions, PassOptions):
    """Options of `styler fast`."""

    style: str = opt(
        "",
        "Style, or a painting's file, which is learned first; several with weights, as in "
        "wave:0.6,painting.jpg:0.4; or all: a sheet of all styles.",
        metavar="NAME|FILE[:WEIGHT],...",
    )
    learn: Length = opt("normal", "Steps in which a painting is learned: 75, 150 or 400.")
    relearn: bool = opt(False, "Learn a painting anew, on these pictures.", recipe=False)
    model: str = opt("", "Trained network: one of `styler models`, or a file.", metavar="NAME|FILE")
    size: OutputSize = again(
        PassOptions,
        "size",
        None,
        "Size of the output: its long side, a box that it fits into, or full: the input's own; of texture "
        "exactly width and height.",
    )
    style_scale: float = opt(
        1.0,
        "Size of the strokes: 2 doubles them; 4 at 2048 pixels gives those that 512 pixels have.",
        low=0.1,
        high=20,
    )
    strength: float = opt(
        1.0, "From the photo (0) to the full style (1): a mean of their pixels.", low=0, high=1
    )
    engine: Engine = opt(
        "torch", "What computes: torch, or onnxruntime, which paints pictures alike and needs no torch."
    )
    protect: str = opt("", "Where the photo stays: white in a picture of its shape.", metavar="MASK")


@dataclass(frozen=True, kw_only=True)
class TrainFastOptions(LossOptions, LossNetworkOptions, AverageOptions, TrainingOptions):
    """Options of `styler train-fast`; the defaults are the preset for machines without a GPU."""

    network: Generator = opt(
        "transform", "Network to train: one that paints photos, or one that makes texture from noise."
    )
    model_size: ModelSize = opt("small", "Width of the network: 32, 16 or 8 channels.")
    steps: int = again(TrainingOptions, "steps", 3000)
    batch: int = again(TrainingOptions, "batch", 4)
    crop: int = opt(192, "Side of the training crops in pixels.", low=32, high=4096)
    style_size: OutputSize = opt(
        512, "Size at which a style is learned, for photos of that size; never more than its own."
    )
    style_crops: int = opt(
        0, "Random squares of each style to learn from; 0: the whole style at once.", low=0, high=1000
    )
    style_loss: MomentLoss = again(
        LossOptions,
        "style_loss",
        "covariance",
        "Statistic of the style: channel means and covariances; Gatys' Gram matrices; means alone; the "
        "Wasserstein distance of Gaussians.",
    )
    content_loss: ContentLoss = again(LossOptions, "content_loss", "squared")
    content_layers: Layers = again(LossOptions, "content_layers", (("relu4_2", 1.0),))
    video_stable: bool = opt(False, "Learn to paint moved and noisy pictures alike, for steady videos.")
    stable_weight: float = weight(30.0, "Weight of --video-stable.")
    grid_weight: float = weight(
        100.0, "Weight against patterns in step with the network's grid of 4 pixels, as weaves and dots."
    )

    range_weight: float = weight(
        0.0, "Weight against values outside the range of pixels, which show as white and colored blobs."
    )
    grain: float = opt(
        0.0,
        "Gray noise that photos get in training and in painting, of values in [0, 1], so that flat areas are "
        "not woven; 0.02 is enough.",
        low=0,
        high=0.5,
    )
    norm_rate: float = opt(
        10.0,
        "Learning rate of the norms, relative to that of the convolutions; 3 is better for few steps.",
        low=0,
        high=1000,
    )
    these_photos: bool = opt(
        False, "The photos are those to be painted: train on few without advice to take more."
    )

    def weights(self) -> list[float]:
        """Weights of all terms of the loss; textures are not compared with photos."""
        if self.network == "texture":
            return [self.style_weight, self.tv_weight]
        own = (self.grid_weight, self.range_weight, self.stable_weight * self.video_stable)
        return [*super().weights(), *own]


LEARNING_STEPS: dict[Length, int] = {"fast": 75, "normal": 150, "long": 400}
"""Steps of `fast --learn`."""
LEARNING: dict[str, Any] = {
    "batch": 1,
    "crop": 224,
    "warmup": 10,
    "learning_rate": 2e-3,
    "norm_rate": 3.0,
    "content_weight": 2.3,
    "grid_weight": 400.0,
    "range_weight": 10.0,
    "grain": 0.02,
    "average": 0.98,
    "these_photos": True,
    "style_layers": (
        ("relu1_1", 1.0),
        ("relu2_1", 1.0),
        ("relu3_1", 2.0),
        ("relu4_1", 2.0),
        ("relu5_1", 1.0),
    ),
}
"""Options of `train-fast` with which `fast --style FILE` learns, by field name."""
FAST_PRESETS: dict[str, dict[str, Any]] = {
    "laptop": {},
    "paper": {
        "model_size": "full",
        "steps": 40_000,
        "crop": 256,
        "grid_weight": 0.0,
        "loss_network": "vgg16",
        "style_loss": "gram",
        "style_layers": tuple((name, 1.0) for name in ("relu1_2", "relu2_2", "relu3_3", "relu4_3")),
        "content_layers": (("relu2_2", 1.0),),
    },
}
"""Defaults that `train-fast --preset` sets, by field name; flags and environment win."""
