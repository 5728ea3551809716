"""Options of `styler optimize`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from styler.options.fields import OutputSize, TileSide, opt
from styler.options.shared import (
    BatchOptions,
    ColorOptions,
    LossOptions,
    MachineOptions,
    NetworkOptions,
    OutputOptions,
    Precision,
    SolverOptions,
)

INITS = ("content", "noise", "style", "gray")
"""Values of `--init` besides a file."""


@dataclass(frozen=True, kw_only=True)
class OptimizeOptions(
    LossOptions, ColorOptions, NetworkOptions, SolverOptions, BatchOptions, MachineOptions, OutputOptions
):
    """Options of `styler optimize`."""

    size: OutputSize = opt(
        512, "Size of the output: its long side, a box that it fits into, or full: the content's own."
    )
    parameterization: Literal["pyramid", "pixels"] = opt(
        "pyramid", "Parameters of the image: a pyramid of luma and chroma, or its pixels."
    )
    style_scale: float = opt(
        1.0, "Size of the style's strokes: the style's long side relative to the output's.", low=0.05, high=20
    )
    init: str = opt(
        "content", "Start from content, noise, style, gray or a picture file.", metavar="NAME|FILE"
    )
    precision: Precision = opt(
        "auto", "Number type of the network; auto: bfloat16 where the processor multiplies it."
    )
    scales: int = opt(
        0, "Number of scales, coarse to fine, each half the next; 0 lets styler choose.", low=0, high=16
    )
    tile: TileSide = opt(
        "auto",
        "Side of tiles that are looked at one by one, for the same picture in less memory; auto: if needed.",
    )
    memory: float = opt(0.0, "Gigabytes that the work may take; 0: what is free.", low=0, recipe=False)


OPTIMIZE_PRESETS: dict[str, dict[str, Any]] = {
    "styler": {},
    "gatys": {
        "style_loss": "gram",
        "content_loss": "squared",
        "content_layers": (("relu4_2", 1.0),),
        "parameterization": "pixels",
        "scales": 1,
        "steps": 300,
    },
}
"""Defaults that `optimize --preset` sets, by field name; flags and environment win."""
