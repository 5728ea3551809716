"""Options of the commands that show what a network sees."""

from __future__ import annotations

from dataclasses import dataclass

from styler.options.fields import OutputSize, opt
from styler.options.shared import MachineOptions, OutputOptions


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
