"""Options of the commands that show what a network sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
