"""Options of `styler optimize`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from styler.errors import InputError
from styler.options.fields import Files, Numbers, Options, OutputSize, TileSide, again, opt
from styler.options.shared import (
    BatchOptions,
    ColorOptions,
    LargerOptions,
    LossOptions,
    MachineOptions,
    NetworkOptions,
    OutputOptions,
    Precision,
    SolverOptions,
)

INITS = ("content", "noise", "style", "gray")
"""Values of `--init` besides a file."""
REST = "rest"
"""The mask of a style that is painted where no other one is."""


@dataclass(frozen=True, kw_only=True)
class WatchOptions(Options):
    """What an image in progress leaves beside its picture."""

    save_every: int = opt(
        0, "Save the picture on its way every so many steps, as NAME-0050.png; 0: never.", low=0, recipe=False
    )
    animate: str = opt(
        "", "Animation of the progress, as .gif, .webp, .mp4 or .webm.", metavar="FILE", recipe=False
    )
    log: str = opt("", "Losses of each step, a JSON object a line.", metavar="FILE", recipe=False)
    plot: str = opt("", "Chart of the losses, as .png, .jpg or .svg.", metavar="FILE", recipe=False)
    checkpoint: str = opt("", "File that keeps the state, to go on from it.", metavar="FILE", recipe=False)
    checkpoint_every: int = opt(10, "Steps between two checkpoints.", low=1, recipe=False)
    resume: str = opt(
        "",
        "Go on from a checkpoint, kept up unless --checkpoint names another; replaces what the run left.",
        metavar="FILE",
        recipe=False,
    )


@dataclass(frozen=True, kw_only=True)
class PaintingOptions(
    LossOptions, ColorOptions, NetworkOptions, SolverOptions, MachineOptions, OutputOptions
):
    """What makes a painting."""

    size: OutputSize = opt(
        512, "Size of the output: its long side, a box that it fits into, or full: the content's own."
    )
    parameterization: Literal["pyramid", "pixels"] = opt(
        "pyramid", "Parameters of the image: a pyramid of luma and chroma, or its pixels."
    )
    style_scale: Numbers = opt(
        (1.0,),
        "Size of the style's strokes: its long side relative to the output's; several: of each style.",
        low=0.05,
        high=20,
    )
    style_colors: int = opt(
        0,
        "Reduce each style to so many colors first: fewer and stronger ones; 0: all.",
        low=0,
        high=256,
    )
    style_mask: Files = opt(
        (),
        "Where each style is painted, once for each: white in a gray picture of the content's shape; or "
        "regions of colors and the same colors in a picture of the style's shape, as a.png=b.png; or rest: "
        "where the other masks are black.",
        metavar="MASK[=MASK]|rest",
    )
    protect: str = opt("", "Where the photo stays: white in a picture of its shape.", metavar="MASK")
    init: str = opt(
        "content", "Start from content, noise, style, gray or a picture file.", metavar="NAME|FILE"
    )
    precision: Precision = opt("auto", "Precision of the network; auto: bfloat16 where it is faster.")
    scales: int = opt(
        0, "Number of scales, coarse to fine, each half the next; 0 lets styler choose.", low=0, high=16
    )
    tile: TileSide = opt(
        "auto",
        "Side of tiles that are looked at one by one, for the same picture in less memory; auto: if needed.",
    )
    memory: float = opt(0.0, "Memory limit in GB; 0: what is free.", low=0, recipe=False)

    def __post_init__(self) -> None:
        """Raise InputError for a value outside its bounds, and for regions where nothing is painted."""
        super().__post_init__()
        if self.colors_only and self.style_mask:
            raise InputError("--colors-only paints no regions: leave out --style-mask")


@dataclass(frozen=True, kw_only=True)
class OptimizeOptions(PaintingOptions, WatchOptions, LargerOptions, BatchOptions):
    """Options of `styler optimize`."""


@dataclass(frozen=True, kw_only=True)
class GridOptions(PaintingOptions, BatchOptions):
    """Options of `styler grid`, those of its axes and of every cell."""

    size: OutputSize = again(PaintingOptions, "size", 256)
    columns: str = opt(
        "",
        "Option of the columns with its values, as in style-weight=0.1,1,10 or, where these have commas, "
        "style-layers=relu1_1;relu1_1,relu2_1.",
        metavar="OPTION=VALUE,...",
    )
    rows: str = opt("", "Option of the rows, in the same way.", metavar="OPTION=VALUE,...")


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


def mask_files(text: str) -> list[str]:
    """Files of MASK, MASK=MASK or "rest", which has none; a file that exists under the whole name is one."""
    if text == REST and not Path(text).exists():
        return []
    where, equals, source = text.partition("=")
    return [text] if not equals or Path(text).exists() else [where, source]


def all_masks(options: PaintingOptions) -> list[str]:
    """Files of all masks."""
    protect = [options.protect] if options.protect else []
    return [file for text in options.style_mask for file in mask_files(text)] + protect
