"""Options of the commands that show what a network sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from styler.errors import InputError
from styler.options.fields import OutputSize, again, opt
from styler.options.shared import BatchOptions, MachineOptions, OutputOptions


@dataclass(frozen=True, kw_only=True)
class SeeOptions(MachineOptions, OutputOptions):
    """The network that is looked through."""

    network: str = opt(
        "auto",
        "Network of `styler weights list`, or a file; auto: compact, which is built in, and for classes a "
        "whole VGG, else squeezenet.",
        metavar="NAME|FILE",
    )


@dataclass(frozen=True, kw_only=True)
class ImagineOptions(SeeOptions):
    """Options of `styler imagine`."""

    channel: str = opt(
        "", "Channel to excite, as conv4_2:17; several, as conv4_2:0-8, make a sheet.", metavar="LAYER:N"
    )
    class_: str = opt("", "Class to excite, by name or number, with a classifier.", metavar="NAME|N")
    size: OutputSize = opt(224, "Size of each picture: its side, or width and height.")
    steps: int = opt(256, "Steps.", low=1, high=1_000_000)
    learning_rate: float = opt(0.05, "Step size of Adam.", low=1e-9, high=1e9)
    plain_: bool = opt(
        False, "The original form: start from the mean, add the gradient, L2; no movements, no spectra."
    )

    def check(self) -> None:
        """Raise InputError unless there is one thing to excite."""
        if self.channel and self.class_:
            raise InputError("one thing can be excited at a time: give --channel or --class, not both")
        if not (self.channel or self.class_):
            raise InputError("name what is to be excited: --channel conv4_2:17, or --class NAME")


@dataclass(frozen=True, kw_only=True)
class LookOptions(SeeOptions, BatchOptions):
    """What looks at pictures has in common."""

    size: OutputSize = opt(
        512, "Size at which a picture is looked at: its long side, a box that it fits into, or full: its own."
    )


@dataclass(frozen=True, kw_only=True)
class SaliencyOptions(LookOptions):
    """Options of `styler saliency`."""

    class_: str = opt(
        "auto", "Class by name or number; auto: the one with the highest score.", metavar="NAME|N"
    )
    layer: str = opt(
        "", "Look at a layer, as relu4_2, or a channel of it, as conv4_2:17.", metavar="LAYER[:N]"
    )
    method: Literal["all", "gradient", "guided", "deconv"] = opt(
        "all", "Rule at the ReLUs; guided and deconv show features, not evidence."
    )
    size: OutputSize = again(LookOptions, "size", 320)
    raw: bool = opt(False, "Write the gradients by pixels in [0, 1] as well, into NAME.npy.", recipe=False)


@dataclass(frozen=True, kw_only=True)
class FeaturesOptions(LookOptions):
    """Options of `styler features`."""

    layer: str = opt(
        "", "Layers, as relu2_2,relu4_4; without, the last ReLU at each size of maps.", metavar="LAYER,..."
    )
    top: int = opt(9, "Maps of each layer: those with the largest sums.", low=1, high=100)
    unit: Literal["max", "sum", "map"] = opt(
        "max", "What is traced back: the map's largest value, the sum of all, or half of their squares."
    )
    method: Literal["deconv", "guided", "gradient"] = opt(
        "deconv", "Rule at the ReLUs; guided and deconv show features, not evidence."
    )


@dataclass(frozen=True, kw_only=True)
class DreamOptions(LookOptions):
    """Options of `styler dream`."""

    layer: str = opt("", "Layer to dream of; without, relu4_4 or the like.", metavar="LAYER")
    channel: str = opt("", "Channel to dream of, as conv4_2:17.", metavar="LAYER:N")
    class_: str = opt(
        "", "Class to dream of, by name or number; random: another in each step.", metavar="NAME|N|random"
    )
    guide: str = opt("", "Picture whose features at the layer are to appear.", metavar="FILE")
    size: OutputSize = again(
        LookOptions,
        "size",
        None,
        "Size of the output: its long side, a box that it fits into, or full: the input's own.",
    )
    octaves: int = opt(4, "Sizes, from small to large.", low=1, high=16)
    octave_scale: float = opt(1.4, "How much larger each octave is than the one before.", low=1.05, high=4)
    steps: int = opt(10, "Steps in each octave; 0 changes nothing.", low=0, high=10_000)
    strength: float = opt(1.0, "Length of a step: 1 changes values by 1.5 of 255.", low=0, high=100)
    tile: int = opt(512, "Side of the tiles in which large pictures are looked at.", low=64, high=16384)
    frames: int = opt(0, "Frames of a video of dreams within dreams; 0: a picture.", low=0, high=100_000)
    resume: bool = opt(False, "Go on with a video where it was interrupted.", recipe=False)
    zoom: float = opt(1.05, "How far each frame zooms into the one before.", low=1, high=4)

    def check(self) -> None:
        """Raise InputError for more than one thing to dream of."""
        named = [flag for flag, text in (("--channel", self.channel), ("--class", self.class_)) if text]
        named += ["--guide"] * bool(self.guide)
        if len(named) > 1:
            raise InputError(f"{' and '.join(named)} are several things to dream of: give one")
        if self.layer and named and named != ["--guide"]:
            raise InputError(f"--layer and {named[0]} are two things to dream of: give one")
