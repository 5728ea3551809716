"""Options of the distillation."""

from __future__ import annotations

from dataclasses import dataclass

from styler.options.fields import opt
from styler.options.shared import Precision, TrainingOptions


@dataclass(frozen=True, kw_only=True)
class DistillOptions(TrainingOptions):
    """Widths, data and schedule of the distillation; the defaults made the built-in network."""

    steps: int = opt(1500, "Training steps.", low=1, high=100_000_000)
    batch: int = opt(12, "Pictures in a batch.", low=1, high=4096)
    learning_rate: float = opt(
        0.02, "Highest learning rate, relative to the size of each layer's weights.", low=0, high=1
    )
    widths: str = opt(
        "32,32,64,64,128,96,96,96,80,80,80,80,96",
        "Channels of the narrow network: of its five blocks, or of its thirteen convolutions.",
        metavar="N,N,...",
    )
    crop: int = opt(160, "Side of the training crops in pixels.", low=32, high=4096)
    paintings: float = opt(0.25, "Share of paintings in a batch, if any are given.", low=0, high=1)
    whitening: float = opt(
        0.5,
        "How loud quiet channels are made: 0 leaves the wide network's proportions, 1 makes all alike.",
        low=0,
        high=1,
    )
    precision: Precision = opt("auto", "Number type in training; auto: bfloat16 where it is fast.")
