"""Options of `styler translate`, `styler pairs` and `styler train-translate`, and presets of the latter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from styler.options.fields import SMALLEST, Options, OutputSize, Range, again, opt, require_weight, weight
from styler.options.shared import (
    AverageOptions,
    BatchOptions,
    Decay,
    LargerOptions,
    LossNetworkOptions,
    MachineOptions,
    OutputOptions,
    PassOptions,
    TrainingOptions,
)

GeneratorKind = Literal["unet", "encoder-decoder", "residual"]
GeneratorNorm = Literal["batch", "instance", "none"]
Keep = Literal["perceptual", "kernel", "last"]
Adversary = Literal["bce", "least-squares", "hinge"]
Field = Literal["1", "16", "34", "70", "142", "286"]
Direction = Literal["AtoB", "BtoA"]


@dataclass(frozen=True, kw_only=True)
class TranslateOptions(LargerOptions, PassOptions):
    """Options of `styler translate`."""

    checkpoint: str = opt("", "Trained generator: one of `styler models`, or a file.", metavar="NAME|FILE")
    direction: Literal["auto", "AtoB", "BtoA"] = opt(
        "auto", "What the checkpoint must have learned; auto: any."
    )
    statistics: Literal["auto", "picture", "stored"] = opt(
        "auto", "Statistics of the norms: the picture's, or those of the training; auto: as it was trained."
    )
    dropout: bool | None = opt(None, "Dropout, noise within the network; auto: as it was trained.")
    samples: int = opt(
        1, "Translations of each picture: a sheet, with a map of where they differ.", low=1, high=64
    )
    from_photo: bool = opt(
        False, "The input is a photo: draw the edges, or whatever the network takes, first."
    )
    from_sketch: bool = opt(False, "The input is a drawing: clean it to the lines that the network takes.")


@dataclass(frozen=True, kw_only=True)
class EdgeOptions(Options):
    """Edge detection, all lengths in pixels of the picture."""

    sigma: Range = opt(
        (1.0, 3.0),
        "Width of the blur before edges are sought; of a range each picture draws one.",
        low=0.3,
        high=50,
    )
    strong: float = opt(90.0, "Percentile of the gradient from which an edge begins.", low=0, high=100)
    weak: float = opt(75.0, "Percentile of the gradient down to which it goes on.", low=0, high=100)
    shortest: int = opt(10, "Edges of fewer pixels are left out.", low=0, high=100_000)


@dataclass(frozen=True, kw_only=True)
class PairsOptions(EdgeOptions, BatchOptions, MachineOptions, OutputOptions):
    """Options of `styler pairs`; each kind of input has a flag of its own: --edges, --gray, ..."""

    sigma: Range = again(EdgeOptions, "sigma", (2.0, 2.0))
    layout: Literal["side-by-side", "folders"] = opt(
        "side-by-side", "Input and photo in one picture, or in two folders A and B."
    )
    radius: float = opt(4.0, "Blur of --blur, and rounding of --segments, in pixels.", low=0, high=1000)
    factor: int = opt(4, "How many times smaller --low-resolution makes a picture.", low=1, high=64)
    colors: int = opt(8, "Colors of --palette and --segments.", low=2, high=256)
    size: OutputSize = opt(
        None, "Size of the pictures: the long side, a box that they fit into, or full: the photo's own."
    )


@dataclass(frozen=True, kw_only=True)
class AdversarialOptions(AverageOptions):
    """Losses of a generator, and its discriminator."""

    gan: Adversary = opt("bce", "Loss of generator and discriminator.")
    conditional: bool = opt(True, "Show the discriminator the input as well.")
    field: Field = opt("70", "Side in pixels of the patches that the discriminator judges.")
    scales: int = opt(1, "Discriminators, each at half the size of the one before.", low=1, high=4)
    discriminator_width: int = opt(64, "Channels of the discriminator's first layer.", low=1, high=512)
    spectral: bool = opt(False, "Spectral norm in the discriminator in place of its other norm.")
    gan_weight: float = weight(1.0, "Weight of the discriminator's judgement; 0 trains without one.")
    l1_weight: float = weight(100.0, "Weight of the absolute difference, of values in [-1, 1].")
    feature_weight: float = weight(0.0, "Weight of the difference in the discriminator's layers.")
    perceptual_weight: float = weight(0.0, "Weight of the difference in the loss network's layers.")
    discriminator_rate: float = opt(
        1.0, "Learning rate of the discriminator, relative to the generator's.", low=0
    )
    average: float = again(AverageOptions, "average", 0.999)

    def __post_init__(self) -> None:
        """Raise InputError also where nothing has a weight."""
        super().__post_init__()
        require_weight((self.gan_weight, self.l1_weight, self.feature_weight, self.perceptual_weight))


@dataclass(frozen=True, kw_only=True)
class TrainTranslateOptions(EdgeOptions, AdversarialOptions, LossNetworkOptions, TrainingOptions):
    """Options of `styler train-translate`; the defaults are the preset for machines without a GPU."""

    direction: Direction = opt("AtoB", "Which pictures become which: left, or trainA, is A.")
    labels: bool = opt(False, "The inputs are label pictures: no color between two labels is ever made.")
    generator: GeneratorKind = opt("unet", "Network that translates.")
    width: int = opt(32, "Channels of the generator's first layer.", low=1, high=512)
    halvings: int = opt(
        0, "How often a U-Net halves the picture; 0: as often as the crops allow, up to 8.", low=0, high=10
    )
    blocks: int = opt(9, "Residual blocks of the residual generator.", low=0, high=64)
    norm: GeneratorNorm = opt("instance", "Norm of the generator.")
    upsampling: Literal["transposed", "resize"] = opt(
        "resize", "How the generator enlarges: transposed convolutions, or nearest pixels and a convolution."
    )
    dropout: bool = opt(True, "Dropout in the generator, a noise in its coarse layers.")
    grain: float = opt(
        0.0,
        "Gray noise that inputs get in training and in translation, of values in [0, 1]: what fine textures "
        "as fur are made of, as blank paper gives nothing to tell one hair from the next by.",
        low=0,
        high=0.5,
    )
    steps: int = again(TrainingOptions, "steps", 10_000)
    epochs: float = opt(
        0.0, "Passes over the pairs, in place of --steps; 0: as many steps as that says.", low=0
    )
    batch: int = again(TrainingOptions, "batch", 4, "Pairs in a batch, of each process.")
    crop: int = opt(128, "Side of the training crops in pixels.", low=SMALLEST, high=4096)
    jitter: float = opt(1.12, "Largest size relative to the crop at which a pair is cropped.", low=1, high=16)
    mirror: bool = opt(True, "Mirror half of the pairs.")
    learning_rate: float = again(TrainingOptions, "learning_rate", 2e-4)
    warmup: int = again(TrainingOptions, "warmup", 0)
    decay: Decay = again(TrainingOptions, "decay", "linear")
    clip: float = again(TrainingOptions, "clip", 1e4)
    validation: float = opt(0.1, "Share of the pairs that is held out to measure progress.", low=0, high=0.9)
    validation_most: int = opt(64, "Most pairs that are held out.", low=0, high=100_000)
    keep: Keep = opt("perceptual", "Weights that are kept: by least distance of held-out pairs, or last.")


TRANSLATE_PRESETS: dict[str, dict[str, Any]] = {
    "laptop": {},
    "classic": {
        "width": 64,
        "norm": "batch",
        "upsampling": "transposed",
        "batch": 1,
        "crop": 256,
        "jitter": 286 / 256,
        "epochs": 200.0,
        "average": 0.0,
        "decay": "linear",
    },
    "sharp": {
        "width": 64,
        "crop": 256,
        "gan": "least-squares",
        "scales": 2,
        "spectral": True,
        "l1_weight": 10.0,
        "feature_weight": 10.0,
        "perceptual_weight": 10.0,
        "discriminator_rate": 0.5,
        "epochs": 200.0,
    },
}
"""Defaults that `train-translate --preset` sets, by field name; flags and environment win."""
