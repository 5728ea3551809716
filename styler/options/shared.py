"""Options that commands share: machine, output, colors, network, solver, loss, training, batch, one pass."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from styler.errors import InputError
from styler.options.fields import Layers, Options, OutputSize, flag_of, opt, require_weight, weight

Optimizer = Literal["lbfgs", "adam", "scipy"]
MomentLoss = Literal["covariance", "gram", "mean", "wasserstein"]
StyleLoss = Literal[MomentLoss, "sliced"]
ContentLoss = Literal["structure", "squared"]
Pooling = Literal["max", "average", "l2"]
Padding = Literal["zero", "replicate", "reflect"]
Coloring = Literal["style", "photo", "content-to-style", "style-to-content", "histogram"]
Precision = Literal["auto", "float32", "bfloat16"]
Decay = Literal["cosine", "linear", "constant"]

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CONTENT_LAYERS = ("relu2_2", "relu3_1", "relu4_2")


@dataclass(frozen=True, kw_only=True)
class MachineOptions(Options):
    """Device, threads and random seed."""

    seed: int = opt(0, "Random seed.", low=0, high=2**63 - 1)
    device: str = opt("auto", "Device: auto, cpu, cuda, mps, xpu.", metavar="NAME")
    threads: int = opt(0, "CPU threads; 0 lets torch choose.", low=0, high=1024)


@dataclass(frozen=True, kw_only=True)
class OutputOptions(Options):
    """How pictures are written, and the largest that is read."""

    overwrite: bool = opt(False, "Replace an output that exists.", recipe=False)
    metadata: bool = opt(True, "Write the recipe into the picture.", recipe=False)
    quality: int = opt(95, "Quality of JPEG, WebP and AVIF.", low=1, high=100, recipe=False)
    max_pixels: int = opt(100_000_000, "Largest input accepted, in pixels.", low=1, recipe=False)


@dataclass(frozen=True, kw_only=True)
class LargerOptions(Options):
    """What is done to a finished picture."""

    enlarge: float = opt(
        1.0, "Enlarge the result so many times with the networks of `styler enlarge`; 1: not.", low=1, high=16
    )


@dataclass(frozen=True, kw_only=True)
class ColorOptions(Options):
    """The colors of a painting."""

    color: Coloring = opt(
        "style",
        "Colors: of the style; the photo's under the painted luma; or matched by mean and covariance, the "
        "photo's to the style's or the style's to the photo's; or the photo's histogram.",
    )
    colors_only: bool = opt(False, "Give the photo the style's colors and no strokes.")

    def __post_init__(self) -> None:
        """Raise InputError for a value outside its choices, and for the photo's colors without strokes."""
        super().__post_init__()
        if self.colors_only and self.color in ("photo", "style-to-content"):
            raise InputError(
                f"--colors-only with --color {self.color} would leave the photo as it is: choose --color "
                "content-to-style or histogram"
            )


@dataclass(frozen=True, kw_only=True)
class NetworkOptions(Options):
    """The feature network, its pooling and its padding."""

    network: str = opt(
        "compact",
        "Network of `styler weights list`, or a weights file; compact is built in.",
        metavar="NAME|FILE",
    )
    pooling: Pooling = opt("max", "Pooling of the network.")
    padding: Literal["auto", Padding] = opt(
        "auto", "Padding of the network's convolutions; auto: as suits the network."
    )


@dataclass(frozen=True, kw_only=True)
class SolverOptions(Options):
    """The optimizer of an image."""

    optimizer: Optimizer = opt("lbfgs", "Optimizer: L-BFGS on the device, Adam, or SciPy's L-BFGS-B.")
    steps: int = opt(25, "Steps at the last scale.", low=1, high=1_000_000)
    coarse_steps: int = opt(
        80, "Steps at the coarsest of several scales; the others take --steps.", low=1, high=1_000_000
    )
    history: int = opt(10, "Pairs of vectors that L-BFGS remembers.", low=1, high=1000)
    learning_rate: float = opt(
        0.02, "Step size of Adam, in units of the pixel range [0, 1].", low=1e-9, high=1e9
    )


@dataclass(frozen=True, kw_only=True)
class LossOptions(Options):
    """The terms of the perceptual loss, their weights and layers."""

    style_weight: float = weight(1.0, "Weight of the style: 0.3 keeps more of the photo, 3 less of it.")
    content_weight: float = weight(
        1.0, "Weight of the content, where 1 suits the network: 3 keeps more of the photo."
    )
    tv_weight: float = weight(0.0, "Weight of the total variation, which smooths.")
    style_loss: StyleLoss = opt(
        "covariance",
        "Statistic of the style: channel means and covariances; Gatys' Gram matrices; means alone; the "
        "Wasserstein distance of Gaussians; or that of slices of the features, which takes longer.",
    )
    style_layers: Layers = opt(
        tuple((name, 1.0) for name in STYLE_LAYERS), "Style layers with weights, as in relu1_1:0.5,relu2_1."
    )
    content_loss: ContentLoss = opt(
        "structure", "Content error: structure free of color and contrast, or Gatys' squared distance."
    )
    content_layers: Layers = opt(
        tuple((name, 1.0) for name in CONTENT_LAYERS), "Content layers with weights."
    )

    def __post_init__(self) -> None:
        """Raise InputError also where nothing has a weight."""
        super().__post_init__()
        require_weight(self.weights())

    def weights(self) -> list[float]:
        """Weights of all terms of the loss."""
        return [self.style_weight, self.content_weight, self.tv_weight]


@dataclass(frozen=True, kw_only=True)
class LossNetworkOptions(Options):
    """The feature network of a training's loss."""

    loss_network: str = opt(
        "compact",
        "Network that compares: one of `styler weights list`, or a weights file.",
        metavar="NAME|FILE",
    )


@dataclass(frozen=True, kw_only=True)
class TrainingOptions(MachineOptions):
    """The training of a network; parent of every training command's options."""

    steps: int = opt(5000, "Training steps.", low=1, high=100_000_000)
    batch: int = opt(16, "Pictures in a batch, of each process.", low=1, high=4096)
    learning_rate: float = opt(1e-3, "Highest learning rate; it rises first, then falls.", low=0, high=1)
    warmup: int = opt(100, "Steps over which the learning rate rises.", low=0)
    decay: Decay = opt(
        "cosine", "How the learning rate falls: over all steps, the second half, or not at all."
    )
    clip: float = opt(1.0, "Gradient norm clip.", low=1e-9)
    precision: Precision = opt("auto", "Precision in training; auto: bfloat16 where it is faster.")
    report: int = opt(50, "Steps between two reports.", low=1, recipe=False)
    save: int = opt(500, "Steps between two saved training states.", low=1, recipe=False)


_MOST = {"learning_rate": 5.0, "discriminator_rate": 5.0}
"""Times their default that rates may be; of weights it is a thousand, of those that are 0 by default of 1."""


def unusual(options: TrainingOptions) -> str:
    """The rate or weight that is farthest over its usual range, and how far; "" if none is."""
    names = [f.name for f in fields(options) if f.name in _MOST or f.name.endswith("_weight")]
    usual: dict[str, float] = {name: getattr(type(options), name) or 1.0 for name in names}
    times = {name: getattr(options, name) / usual[name] for name in names}
    name = max(names, key=lambda name: times[name] / _MOST.get(name, 1e3))
    if times[name] <= _MOST.get(name, 1e3):
        return ""
    value: float = getattr(options, name)
    return f"{flag_of(name)} {value:g} is {times[name]:g} times the usual {usual[name]:g}"


@dataclass(frozen=True, kw_only=True)
class AverageOptions(Options):
    """The average of a network's weights over its training."""

    average: float = opt(
        0.0, "How slowly the averaged weights, which are kept, follow; 0: no average.", low=0, high=1
    )


@dataclass(frozen=True, kw_only=True)
class BatchOptions(Options):
    """Which of many inputs are worked on, and whether anything is written."""

    shard: str = opt("1/1", "Work on the I-th of N parts of the inputs only.", metavar="I/N", recipe=False)
    dry_run: bool = opt(False, "Show what would be done, and do nothing.", recipe=False)


@dataclass(frozen=True, kw_only=True)
class PassOptions(BatchOptions, MachineOptions, OutputOptions):
    """One pass of a trained network over pictures and videos; parent of those of `fast` and `translate`."""

    size: OutputSize = opt(
        None, "Size of the output: its long side, a box that it fits into, or full: the input's own."
    )
    precision: Precision = opt(
        "auto",
        "Precision; auto: bfloat16 where it is faster and looks the same.",
    )
    memory: float = opt(
        0.0,
        "Memory limit in GB; 0: what is free. Less means narrower strips, never seams.",
        low=0,
    )
    steady: bool = opt(True, "In videos, share statistics over a shot, which takes out the flicker.")
    crf: int = opt(18, "Quality of videos: 0 is lossless, 51 the worst.", low=0, high=51, recipe=False)
    resume: bool = opt(
        False,
        "Go on with videos and animations where they were interrupted.",
        recipe=False,
    )
