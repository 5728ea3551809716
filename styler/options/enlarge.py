"""Options of `styler enlarge` and `styler train-enlarge`, and presets of the latter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from styler.errors import InputError
from styler.options.fields import Layers, Options, OutputSize, again, opt, weight
from styler.options.shared import STYLE_LAYERS, LossNetworkOptions, PassOptions, TrainingOptions
from styler.options.translate import AdversarialOptions

Enlarger = Literal["plain", "johnson", "srresnet"]
Factor = Literal["2", "4"]
Judge = Literal["patch", "dense"]
Way = Literal["shuffle", "nearest", "bilinear", "transposed"]
LARGEST_SCALE = 16.0


@dataclass(frozen=True, kw_only=True)
class EnlargeOptions(PassOptions):
    """Options of `styler enlarge`."""

    model: str = opt(
        "",
        "Trained network that enlarges, or a file; those that came with styler if none.",
        metavar="NAME|FILE",
    )
    scale: float = opt(4.0, "How many times as wide and high the output is; above 1.", high=LARGEST_SCALE)
    size: OutputSize = again(
        PassOptions,
        "size",
        None,
        "Size of the output in place of --scale: its long side, or a box that it fits into.",
    )
    detail: float = opt(0.5, "From nearest to the pixels (0) to crisper detail (1).", low=0, high=1)
    clean: float = opt(0.3, "How much JPEG damage and noise is taken out; 0 touches none.", low=0, high=1)

    def __post_init__(self) -> None:
        """Raise InputError also for a scale that enlarges nothing."""
        super().__post_init__()
        if self.scale <= 1:
            raise InputError(f"--scale is {self.scale:g}, which enlarges nothing: use more than 1, as 2 or 4")


@dataclass(frozen=True, kw_only=True)
class DegradationOptions(Options):
    """The worst that the small pictures of a training have been through."""

    clean_pairs: float = opt(
        0.3, "Share of pairs without noise and JPEG, from which --clean 0 is learned.", low=0, high=1
    )
    blur: float = opt(0.55, "Widest blur, in pixels of the small pictures.", low=0, high=10)
    noise: float = opt(10.0, "Strongest noise, in levels of 255.", low=0, high=255)
    jpeg: float = opt(45.0, "Lowest quality of JPEG; 100: none.", low=1, high=100)


@dataclass(frozen=True, kw_only=True)
class TrainEnlargeOptions(DegradationOptions, AdversarialOptions, LossNetworkOptions, TrainingOptions):
    """Options of `styler train-enlarge`; the defaults are the preset for machines without a GPU."""

    network: Enlarger = opt("plain", "Network to train: ours, Johnson's of 2016, or SRResNet.")
    factor: Factor = opt("4", "How many times as wide and high its pictures become.")
    width: int = opt(64, "Channels of its maps.", low=1, high=512)
    blocks: int = opt(9, "Residual blocks.", low=0, high=64)
    upsampling: Way = opt(
        "shuffle",
        "How it enlarges: channels become pixels; nearest or bilinear pixels and a convolution; a transposed "
        "convolution.",
    )
    crop: int = opt(
        40, "Side of the small training crops in pixels, of which 8 are cut off.", low=16, high=1024
    )
    shrink: float = opt(
        1.5,
        "Most that photos are shrunk before they are cropped, which makes small ones sharp.",
        low=1,
        high=100,
    )
    l1_weight: float = again(AdversarialOptions, "l1_weight", 1.0)
    gan_weight: float = again(AdversarialOptions, "gan_weight", 0.0)
    conditional: bool = again(AdversarialOptions, "conditional", False)
    discriminator: Judge = opt(
        "patch", "Discriminator: of patches, or that of Ledig et al. 2017, of whole crops."
    )
    perceptual_layers: Layers = opt(
        tuple((name, 1.0) for name in STYLE_LAYERS), "Layers of --perceptual-weight, with weights."
    )
    grid_weight: float = weight(
        0.0, "Weight against patterns in step with the enlarged pixels, as dots on flat color."
    )
    blend: float = opt(
        1.0,
        "Share of the trained weights in the network that is written; the others are those of --start-from.",
        low=0,
        high=1,
    )
    steps: int = again(TrainingOptions, "steps", 3000)
    batch: int = again(TrainingOptions, "batch", 8)
    warmup: int = again(TrainingOptions, "warmup", 100)


ENLARGE_PRESETS: dict[str, dict[str, Any]] = {
    "laptop": {},
    "detail": {
        "steps": 600,
        "batch": 4,
        "learning_rate": 4e-4,
        "warmup": 20,
        "average": 0.99,
        "perceptual_weight": 0.5,
        "perceptual_layers": (
            ("relu1_1", 1.0),
            ("relu2_1", 1.0),
            ("relu3_1", 1.0),
            ("relu4_1", 0.5),
            ("relu5_1", 0.15),
        ),
        "grid_weight": 3000.0,
        "blend": 0.65,
    },
    "johnson": {
        "network": "johnson",
        "blocks": 4,
        "upsampling": "transposed",
        "loss_network": "vgg16",
        "l1_weight": 0.0,
        "perceptual_weight": 1.0,
        "perceptual_layers": (("relu2_2", 1.0),),
        "clean_pairs": 1.0,
        "blur": 0.25,
        "crop": 80,
        "batch": 4,
        "steps": 200_000,
        "average": 0.0,
    },
    "srgan": {
        "network": "srresnet",
        "blocks": 16,
        "loss_network": "vgg19",
        "l1_weight": 0.0,
        "perceptual_weight": 1.0,
        "perceptual_layers": (("relu5_4", 1.0),),
        "gan_weight": 1e-3,
        "discriminator": "dense",
        "clean_pairs": 1.0,
        "blur": 0.0,
        "crop": 32,
        "batch": 16,
        "steps": 100_000,
        "learning_rate": 1e-4,
        "average": 0.0,
    },
}
"""Defaults that `train-enlarge --preset` sets, by field name; flags and environment win."""
