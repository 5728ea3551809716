"""Options of the distillation."""

from __future__ import annotations

from dataclasses import dataclass

from styler.options.fields import Layers, opt
from styler.options.shared import Precision, TrainingOptions

LAYERS: Layers = (
    ("relu1_1", 1.0),
    ("relu1_2", 0.5),
    ("relu2_1", 1.0),
    ("relu2_2", 0.5),
    ("relu3_1", 1.0),
    ("relu3_2", 0.5),
    ("relu3_4", 0.5),
    ("relu4_1", 1.0),
    ("relu4_2", 0.5),
    ("relu4_4", 0.25),
    ("relu5_1", 1.0),
)
"""The usual layers of style and content, and some between."""


@dataclass(frozen=True, kw_only=True)
class DataOptions(TrainingOptions):
    """Crops that the network is trained on; they are made once, with the teacher's features."""

    crop: int = opt(224, "Side of the crops in pixels, a multiple of 16.", low=32, high=4096)
    crops: int = opt(6000, "Number of crops that are made and kept.", low=1, high=1_000_000)
    painting_share: float = opt(0.35, "Share of paintings among the crops, if any are given.", low=0, high=1)
    painted_share: float = opt(
        0.1, "Share of half-painted pictures and of noise, a third of it, if any are given.", low=0, high=1
    )


@dataclass(frozen=True, kw_only=True)
class DistillOptions(DataOptions):
    """Widths, losses and schedule of the distillation."""

    steps: int = opt(3000, "Training steps; 0 keeps the closed form.", low=0, high=100_000_000)
    batch: int = opt(8, "Crops in a batch.", low=1, high=4096)
    learning_rate: float = opt(
        0.02, "Highest learning rate, relative to the size of each layer's weights.", low=0, high=1
    )
    widths: str = opt(
        "32,32,64,64,128,128,128,128,160,160,160,160,256",
        "Channels of the narrow network: of its five blocks, or of its thirteen convolutions.",
        metavar="N,N,...",
    )
    freeze: str = opt(
        "",
        "Last convolution that stays as --start has it, with all before it, as in conv3_1.",
        metavar="NAME",
    )
    layers: Layers = opt(LAYERS, "Layers whose features are to be predicted, with weights.")
    sample: int = opt(600, "Crops that the closed form is solved on.", low=1, high=1_000_000)
    whitening: float = opt(
        0.5,
        "How loud quiet channels are made: 0 leaves the wide network's proportions, 1 makes all alike.",
        low=0,
        high=1,
    )
    precision: Precision = opt("auto", "Number type in training; auto: bfloat16 where it is fast.")
