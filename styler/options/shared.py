"""Every knob of every command, once: command line, recipes and README tables derive from here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from styler.options.fields import Layers, Options, opt

INITS = ("content", "noise", "style", "gray")
"""What `--init` can be besides a file."""
Optimizer = Literal["lbfgs", "adam", "scipy"]
StyleLoss = Literal["covariance", "gram"]
Pooling = Literal["max", "average", "l2"]
Padding = Literal["auto", "zero", "replicate", "reflect"]

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
Decay = Literal["cosine", "linear", "constant"]


@dataclass(frozen=True, kw_only=True)
class TrainingOptions(MachineOptions):
    """How a network is trained; parent of every training command's options."""

    steps: int = opt(5000, "Training steps.", low=1, high=100_000_000)
    batch: int = opt(16, "Pictures in a batch.", low=1, high=4096)
    learning_rate: float = opt(1e-3, "Highest learning rate; it rises first, then falls.", low=0, high=1)
    warmup: int = opt(100, "Steps over which the learning rate rises.", low=0)
    decay: Decay = opt(
        "cosine", "How the learning rate falls: over all steps, the second half, or not at all."
    )
    clip: float = opt(1.0, "Longest gradient; longer ones are shortened.", low=1e-9)
    report: int = opt(50, "Steps between two reports.", low=1, recipe=False)
    save: int = opt(500, "Steps between two saved training states.", low=1, recipe=False)


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
    grid_weight: float = opt(
        100.0,
        "Weight against patterns in step with the network's grid of 4 pixels, as weaves and dots.",
        low=0,
    )
    precision: Precision = opt("auto", "Number type in training; auto: bfloat16 where it is fast.")


RECIPES: dict[str, dict[str, Any]] = {
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
"""What `train-fast --recipe` sets: values of TrainFastOptions by field name; flags that are given win."""


@dataclass(frozen=True, kw_only=True)
class BatchOptions(Options):
    """Which of many inputs are worked on, and how it is told."""

    shard: str = opt("1/1", "Work on the I-th of N parts of the inputs only.", metavar="I/N", recipe=False)
    dry_run: bool = opt(False, "Tell what would be done, and do nothing.", recipe=False)


@dataclass(frozen=True, kw_only=True)
class PassOptions(BatchOptions, MachineOptions, OutputOptions):
    """How a trained network goes over pictures and films; parent of the options of `fast` and `translate`."""

    size: str = opt(
        "full", "Long side of the output in pixels, or 'full' for the input's own.", metavar="PIXELS|full"
    )
    precision: Precision = opt(
        "auto", "Number type; auto: bfloat16 where it is faster and as good to the eye, else float32."
    )
    memory: float = opt(
        0.0,
        "Gigabytes that the work may take; 0: what is free. Less means narrower strips, never seams.",
        low=0,
    )
    steady: bool = opt(True, "In films, share statistics over a shot, which takes out the flicker.")
    crf: int = opt(18, "Quality of films: 0 is lossless, 51 the worst.", low=0, high=51, recipe=False)
    resume: bool = opt(False, "Go on with films where they were interrupted.", recipe=False)


@dataclass(frozen=True, kw_only=True)
class FastOptions(PassOptions):
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


@dataclass(frozen=True, kw_only=True)
class BenchOptions(MachineOptions):
    """Options of `styler bench`."""

    model: str = opt("", "Trained network; none: random weights of all widths.", metavar="NAME|FILE")
    sizes: str = opt("256,512,1024", "Sizes to paint, in pixels.", metavar="N|WxH,...")


GeneratorKind = Literal["unet", "encoder-decoder", "residual"]
GeneratorNorm = Literal["batch", "instance", "none"]
Keep = Literal["perceptual", "kernel", "last"]
Adversary = Literal["bce", "least-squares", "hinge"]
Field = Literal["1", "16", "34", "70", "142", "286"]
Direction = Literal["AtoB", "BtoA"]


@dataclass(frozen=True, kw_only=True)
class EdgeOptions(Options):
    """How edges are drawn, all lengths in pixels of the picture that they are drawn of."""

    sigma: str = opt(
        "1-3",
        "Width of the blur before edges are sought; of a range each picture draws one.",
        metavar="S|S-S",
    )
    strong: float = opt(90.0, "Percentile of the gradient from which an edge begins.", low=0, high=100)
    weak: float = opt(75.0, "Percentile of the gradient down to which it goes on.", low=0, high=100)
    shortest: int = opt(10, "Edges of fewer pixels are left out.", low=0, high=100_000)


@dataclass(frozen=True, kw_only=True)
class TrainTranslateOptions(EdgeOptions, TrainingOptions):
    """Options of `styler train-translate`; the defaults are the recipe for machines without a GPU."""

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
    dropout: bool = opt(True, "Dropout in the generator, its only noise.")
    gan: Adversary = opt("bce", "Loss of generator and discriminator.")
    conditional: bool = opt(True, "Show the discriminator the input as well.")
    field: Field = opt("70", "Side in pixels of the patches that the discriminator judges.")
    scales: int = opt(1, "Discriminators, each at half the size of the one before.", low=1, high=4)
    discriminator_width: int = opt(64, "Channels of the discriminator's first layer.", low=1, high=512)
    spectral: bool = opt(False, "Spectral norm in the discriminator in place of its other norm.")
    gan_weight: float = opt(1.0, "Weight of the discriminator's judgement; 0 trains without one.", low=0)
    l1_weight: float = opt(100.0, "Weight of the absolute difference, of values in [-1, 1].", low=0)
    feature_weight: float = opt(0.0, "Weight of the difference in the discriminator's layers.", low=0)
    perceptual_weight: float = opt(0.0, "Weight of the difference in the loss network's layers.", low=0)
    loss_network: str = opt(
        "compact",
        "Network that compares: one of `styler weights list`, or a weights file.",
        metavar="NAME|FILE",
    )
    discriminator_rate: float = opt(
        1.0, "Learning rate of the discriminator, relative to the generator's.", low=0
    )
    steps: int = opt(10_000, "Training steps.", low=1, high=100_000_000)
    epochs: float = opt(
        0.0, "Passes over the pairs, in place of --steps; 0: as many steps as that says.", low=0
    )
    batch: int = opt(4, "Pairs in a batch, of each process.", low=1, high=4096)
    crop: int = opt(128, "Side of the training crops in pixels.", low=16, high=4096)
    jitter: float = opt(1.12, "Largest size relative to the crop at which a pair is cropped.", low=1, high=16)
    mirror: bool = opt(True, "Mirror half of the pairs.")
    learning_rate: float = opt(2e-4, "Highest learning rate.", low=0, high=1)
    warmup: int = opt(0, "Steps over which the learning rate rises.", low=0)
    decay: Decay = opt(
        "linear", "How the learning rate falls: over all steps, the second half, or not at all."
    )
    clip: float = opt(1e4, "Longest gradient; longer ones are shortened.", low=1e-9)
    average: float = opt(
        0.999, "How slowly the averaged weights, which are kept, follow; 0: no average.", low=0, high=1
    )
    validation: float = opt(0.1, "Share of the pairs that is held out to measure progress.", low=0, high=0.9)
    validation_most: int = opt(64, "Most pairs that are held out.", low=0, high=100_000)
    keep: Keep = opt("perceptual", "Weights that are kept: by least distance of held-out pairs, or last.")
    precision: Precision = opt("auto", "Number type in training; auto: bfloat16 where it is fast.")


TRANSLATE_RECIPES: dict[str, dict[str, Any]] = {
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
"""What `train-translate --recipe` sets: values of TrainTranslateOptions; flags that are given win."""


@dataclass(frozen=True, kw_only=True)
class TranslateOptions(PassOptions):
    """Options of `styler translate`."""

    checkpoint: str = opt("", "Trained generator: one of `styler models`, or a file.", metavar="NAME|FILE")
    direction: Literal["auto", "AtoB", "BtoA"] = opt(
        "auto", "What the checkpoint must have learned; auto: any."
    )
    statistics: Literal["auto", "picture", "stored"] = opt(
        "auto", "Statistics of the norms: the picture's, or those of the training; auto: as it was trained."
    )
    dropout: bool | None = opt(None, "Dropout, the network's only noise; auto: as it was trained.")
    samples: int = opt(
        1, "Translations of each picture: a sheet, with a map of where they differ.", low=1, high=64
    )
    from_photo: bool = opt(
        False, "The input is a photo: draw the edges, or whatever the network takes, first."
    )
    from_sketch: bool = opt(False, "The input is a drawing: clean it to the lines that the network takes.")


@dataclass(frozen=True, kw_only=True)
class PairsOptions(EdgeOptions, BatchOptions, MachineOptions, OutputOptions):
    """Options of `styler pairs`; the kind of input is a flag of its own: --edges, --grey, ..."""

    sigma: str = opt(
        "2", "Width of the blur before edges are sought; of a range each picture draws one.", metavar="S|S-S"
    )
    layout: Literal["side-by-side", "folders"] = opt(
        "side-by-side", "Input and photo in one picture, or in two folders A and B."
    )
    radius: float = opt(4.0, "Blur of --blur, and rounding of --segments, in pixels.", low=0, high=1000)
    factor: int = opt(4, "How many times smaller --low-resolution makes a picture.", low=1, high=64)
    colors: int = opt(8, "Colors of --palette and --segments.", low=2, high=256)
    size: str = opt(
        "full", "Long side of the pictures in pixels, or 'full' for their own.", metavar="PIXELS|full"
    )
