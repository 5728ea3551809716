"""Every knob of every command, once: command line, recipes and README tables derive from here."""

from __future__ import annotations

import dataclasses
import math
import typing
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from styler.errors import InputError

T = TypeVar("T")

Layers = tuple[tuple[str, float], ...]
"""Layer names with their weights, written `relu1_1:0.5,relu2_1` on the command line (no number means 1)."""

INITS = ("content", "noise", "style", "gray")
"""What `--init` can be besides a file."""
Optimizer = Literal["lbfgs", "adam", "scipy"]
StyleLoss = Literal["covariance", "gram"]
Pooling = Literal["max", "average", "l2"]
Padding = Literal["auto", "zero", "replicate", "reflect"]


def opt(
    default: T,
    text: str,
    *,
    low: float | None = None,
    high: float | None = None,
    metavar: str | None = None,
    short: str | None = None,
    recipe: bool = True,
) -> T:
    """A field of an options class: its default, its line of help and its bounds (inclusive).

    `recipe=False` marks what does not change the picture and so stays out of its recipe.
    """  # fmt: skip
    metadata = {"help": text, "low": low, "high": high, "metavar": metavar, "short": short, "recipe": recipe}
    made: T = field(default=default, metadata=metadata)
    return made


@dataclass(frozen=True, kw_only=True)
class Options:
    """Parent of all: checks choices and bounds when built, and knows what differs from the defaults."""

    def __post_init__(self) -> None:
        """Raise InputError for the first value outside its choices or bounds."""
        hints = typing.get_type_hints(type(self))
        for f in dataclasses.fields(self):
            check(f, hints[f.name], getattr(self, f.name))

    def changed(self) -> dict[str, Any]:
        """The recipe: options that differ from their default and that change the picture."""
        return {
            f.name: getattr(self, f.name)
            for f in dataclasses.fields(self)
            if f.metadata["recipe"] and getattr(self, f.name) != f.default
        }


def check(f: dataclasses.Field[Any], hint: Any, value: Any) -> None:
    """Raise InputError if `value` is not one of a Literal's choices or is outside the field's bounds."""
    flag = flag_of(f.name)
    if typing.get_origin(hint) is Literal and value not in typing.get_args(hint):
        raise InputError(f"{flag} is '{value}'; choose one of {', '.join(typing.get_args(hint))}")
    low, high = f.metadata["low"], f.metadata["high"]
    if not isinstance(value, int | float) or isinstance(value, bool):
        return
    fits = (low is None or value >= low) and (high is None or value <= high)
    if not (fits and math.isfinite(value)):
        bounds = "".join(f", {word} {bound:g}" for word, bound in _bounds(low, high))
        raise InputError(f"{flag} is {value:g}; it must be a finite number{bounds}")


def _bounds(low: float | None, high: float | None) -> list[tuple[str, float]]:
    return [(word, b) for word, b in (("at least", low), ("at most", high)) if b is not None]


def flag_of(name: str) -> str:
    """The command-line flag of a field's name."""
    return "--" + name.replace("_", "-")


def parse_layers(text: str) -> Layers:
    """`relu1_1:0.5,relu2_1` -> (("relu1_1", 0.5), ("relu2_1", 1.0)).

    Raises InputError if a weight is no number, is negative or not finite, or if a layer comes twice.
    """
    try:
        return tuple(weighted(text).items())
    except ValueError as error:
        raise InputError(
            f"'{error}' is no layer with a weight; write for example relu1_1:0.5,relu2_1"
        ) from error


def weighted(text: str) -> dict[str, float]:
    """`a:0.5,b` -> {"a": 0.5, "b": 1.0}.

    Raises ValueError, with the part that is wrong, if a weight is no number, is negative or not finite, or if
    a name is empty or comes twice.
    """
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, number = part.strip().partition(":")
        try:
            weight = float(number or 1)
        except ValueError:
            weight = -1.0
        if not name or name in found or not 0 <= weight < math.inf:
            raise ValueError(part)
        found[name] = weight
    return found


def format_layers(layers: Layers) -> str:
    """The inverse of `parse_layers`."""
    return ",".join(name if weight == 1 else f"{name}:{weight!r}" for name, weight in layers)


STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


@dataclass(frozen=True, kw_only=True)
class NetworkOptions(Options):
    """Which network sees the pictures, and how."""

    network: str = opt(
        "auto",
        "Network of `styler weights list`, or a weights file; auto: VGG-19 if at hand, else built in.",
        metavar="NAME|FILE",
    )
    pooling: Pooling = opt("max", "Pooling of the network.")
    padding: Padding = opt("auto", "Padding of the network's convolutions; auto: as suits the network.")


@dataclass(frozen=True, kw_only=True)
class MachineOptions(Options):
    """Where and how reproducibly it runs."""

    seed: int = opt(0, "Seed of everything random.", low=0, high=2**63 - 1)
    device: str = opt("auto", "Device: auto, cpu, cuda, mps, xpu.", metavar="NAME")
    threads: int = opt(0, "CPU threads; 0 lets torch choose.", low=0, high=1024)


@dataclass(frozen=True, kw_only=True)
class OutputOptions(Options):
    """What is written, and how."""

    overwrite: bool = opt(False, "Replace an output that exists.", recipe=False)
    metadata: bool = opt(True, "Write the recipe into the picture.", recipe=False)
    quality: int = opt(95, "Quality of JPEG, WebP and AVIF.", low=1, high=100, recipe=False)
    max_pixels: int = opt(100_000_000, "Largest input accepted, in pixels.", low=1, recipe=False)


@dataclass(frozen=True, kw_only=True)
class SolverOptions(Options):
    """How an image is optimized."""

    optimizer: Optimizer = opt("lbfgs", "Optimizer: L-BFGS on the device, Adam, or SciPy's L-BFGS-B.")
    steps: int = opt(
        100, "Steps at the last scale; coarser scales are cheap and get as many.", low=1, high=1_000_000
    )
    history: int = opt(10, "Pairs of vectors that L-BFGS remembers.", low=1, high=1000)
    learning_rate: float = opt(
        0.02, "Step size of Adam, in units of the pixel range [0, 1].", low=1e-9, high=1e9
    )


@dataclass(frozen=True, kw_only=True)
class LossOptions(Options):
    """What is minimized."""

    style_weight: float = opt(1.0, "Weight of the style: 0.3 keeps more of the photo, 3 less of it.", low=0)
    content_weight: float = opt(0.04, "Weight of the content.", low=0)
    tv_weight: float = opt(0.0, "Weight of the total variation, which smooths.", low=0)
    style_loss: StyleLoss = opt(
        "covariance", "Statistic of the style: channel means and covariances, or Gatys' Gram matrices."
    )
    style_layers: Layers = opt(
        tuple((name, 1.0) for name in STYLE_LAYERS), "Style layers with weights, as in relu1_1:0.5,relu2_1."
    )
    content_layers: Layers = opt((("relu4_2", 1.0),), "Content layers with weights.")


@dataclass(frozen=True, kw_only=True)
class OptimizeOptions(LossOptions, NetworkOptions, SolverOptions, MachineOptions, OutputOptions):
    """Options of `styler optimize`."""

    size: int | None = opt(
        512,
        "Long side of the output in pixels, or 'full' for the content's own.",
        low=16,
        metavar="PIXELS|full",
    )
    style_scale: float = opt(
        1.0, "Size of the style's strokes: the style's long side relative to the output's.", low=0.05, high=20
    )
    init: str = opt(
        "content", "Start from content, noise, style, gray or a picture file.", metavar="NAME|FILE"
    )
    scales: int = opt(
        0, "Number of scales, coarse to fine, each half the next; 0 lets styler choose.", low=0, high=16
    )


Precision = Literal["auto", "float32", "bfloat16"]


@dataclass(frozen=True, kw_only=True)
class TrainingOptions(MachineOptions):
    """How a network is trained; parent of every training command's options."""

    steps: int = opt(5000, "Training steps.", low=1, high=100_000_000)
    batch: int = opt(16, "Pictures in a batch.", low=1, high=4096)
    learning_rate: float = opt(1e-3, "Highest learning rate; it rises first, then falls.", low=0, high=1)
    warmup: int = opt(100, "Steps over which the learning rate rises.", low=0)
    clip: float = opt(1.0, "Longest gradient; longer ones are shortened.", low=1e-9)
    report: int = opt(50, "Steps between two reports.", low=1, recipe=False)
    save: int = opt(500, "Steps between two saved training states.", low=1, recipe=False)


@dataclass(frozen=True, kw_only=True)
class DistillOptions(TrainingOptions):
    """Options of `styler distill`; the defaults made the built-in network."""

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


Generator = Literal["transform", "texture"]
ModelSize = Literal["full", "small", "tiny"]
Coloring = Literal["style", "luminance"]


@dataclass(frozen=True, kw_only=True)
class TrainFastOptions(LossOptions, TrainingOptions):
    """Options of `styler train-fast`; the defaults are the recipe for machines without a GPU."""

    network: Generator = opt(
        "transform", "What is trained: a network that paints photos, or one that makes texture from noise."
    )
    model_size: ModelSize = opt("small", "Width of the network: 32, 16 or 8 channels.")
    steps: int = opt(3000, "Training steps.", low=1, high=100_000_000)
    batch: int = opt(4, "Pictures in a batch, of each process.", low=1, high=4096)
    crop: int = opt(192, "Side of the training crops in pixels.", low=32, high=4096)
    style_size: int = opt(
        512, "Long side at which a style is learned, for photos of that size.", low=32, high=16384
    )
    style_crops: int = opt(
        0, "Random squares of each style to learn from; 0: the whole style at once.", low=0, high=1000
    )
    content_weight: float = opt(0.06, "Weight of the content.", low=0)
    loss_network: str = opt(
        "compact",
        "Network that compares: one of `styler weights list`, or a weights file.",
        metavar="NAME|FILE",
    )
    video_stable: bool = opt(False, "Learn to paint moved and noisy pictures alike, for steady films.")
    stable_weight: float = opt(30.0, "Weight of --video-stable.", low=0)
    precision: Precision = opt("auto", "Number type in training; auto: bfloat16 where it is fast.")


RECIPES: dict[str, dict[str, Any]] = {
    "laptop": {},
    "paper": {
        "model_size": "full",
        "steps": 40_000,
        "crop": 256,
        "loss_network": "vgg16",
        "style_loss": "gram",
        "style_layers": tuple((name, 1.0) for name in ("relu1_2", "relu2_2", "relu3_3", "relu4_3")),
        "content_layers": (("relu2_2", 1.0),),
    },
}
"""What `train-fast --recipe` sets: values of TrainFastOptions by field name; flags that are given win."""


@dataclass(frozen=True, kw_only=True)
class BatchOptions(Options):
    """Which of many inputs are worked on, and how it is told."""

    shard: str = opt("1/1", "Work on the I-th of N parts of the inputs only.", metavar="I/N", recipe=False)
    dry_run: bool = opt(False, "Tell what would be done, and do nothing.", recipe=False)


@dataclass(frozen=True, kw_only=True)
class FastOptions(BatchOptions, MachineOptions, OutputOptions):
    """Options of `styler fast`."""

    style: str = opt(
        "", "Style, or several with weights, as in waves:0.6,ink:0.4.", metavar="NAME[:WEIGHT],..."
    )
    model: str = opt("", "Trained network: one of `styler models`, or a file.", metavar="NAME|FILE")
    size: str = opt(
        "full", "Long side of the output in pixels, or 'full' for the input's own.", metavar="PIXELS|WxH|full"
    )
    strength: float = opt(1.0, "From the photo (0) to the full style (1).", low=0, high=1)
    color: Coloring = opt("style", "Colors of the style, or the photo's own under the style's luminance.")
    precision: Precision = opt(
        "auto", "Number type; auto: bfloat16 where it is faster and as good to the eye, else float32."
    )
    memory: float = opt(
        0.0,
        "Gigabytes that painting may take; 0: what is free. Less means narrower strips, never seams.",
        low=0,
    )
    steady: bool = opt(True, "In films, share statistics over a shot, which takes out the flicker.")
    crf: int = opt(18, "Quality of films: 0 is lossless, 51 the worst.", low=0, high=51, recipe=False)
    resume: bool = opt(False, "Go on with films where they were interrupted.", recipe=False)


@dataclass(frozen=True, kw_only=True)
class BenchOptions(MachineOptions):
    """Options of `styler bench`."""

    model: str = opt("", "Trained network; none: random weights of all widths.", metavar="NAME|FILE")
    sizes: str = opt("256,512,1024", "Sizes to paint, in pixels.", metavar="N|WxH,...")
