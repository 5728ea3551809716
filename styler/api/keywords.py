"""Keyword arguments of paint, fast and translate: the options, for type checkers and for completion.

Generated from `styler.options` by `python tests/test_docs.py --write`.
"""

from __future__ import annotations

import os
from typing import Literal, TypedDict

from styler.options.fast import Engine, Length
from styler.options.fields import Files, Layers, Numbers, OutputSize, TileSide
from styler.options.shared import Coloring, ContentLoss, Optimizer, Padding, Pooling, Precision, StyleLoss


class PaintKeywords(TypedDict, total=False):
    """Options of `styler optimize` that are of a picture in memory."""

    # <!-- keywords of paint -->
    size: OutputSize | str
    parameterization: Literal["pyramid", "pixels"]
    style_scale: Numbers | str | float
    style_colors: int
    style_mask: Files | str | os.PathLike[str]
    protect: str | os.PathLike[str]
    init: str | os.PathLike[str]
    precision: Precision
    scales: int
    tile: TileSide | str
    memory: float
    style_weight: float
    content_weight: float
    tv_weight: float
    style_loss: StyleLoss
    style_layers: Layers | str
    content_loss: ContentLoss
    content_layers: Layers | str
    color: Coloring
    colors_only: bool
    network: str | os.PathLike[str]
    pooling: Pooling
    padding: Literal["auto", Padding]
    optimizer: Optimizer
    steps: int
    coarse_steps: int
    history: int
    learning_rate: float
    seed: int
    device: str
    threads: int
    max_pixels: int
    animate: str | os.PathLike[str]
    log: str | os.PathLike[str]
    plot: str | os.PathLike[str]
    enlarge: float
    # <!-- /keywords -->


class FastKeywords(TypedDict, total=False):
    """Options of `styler fast` that are of a picture in memory."""

    # <!-- keywords of fast -->
    size: OutputSize | str
    learn: Length
    relearn: bool
    model: str | os.PathLike[str]
    style_scale: float
    strength: float
    engine: Engine
    protect: str | os.PathLike[str]
    color: Coloring
    colors_only: bool
    enlarge: float
    precision: Precision
    memory: float
    seed: int
    device: str
    threads: int
    max_pixels: int
    # <!-- /keywords -->


class TranslateKeywords(TypedDict, total=False):
    """Options of `styler translate` that are of a picture in memory."""

    # <!-- keywords of translate -->
    direction: Literal["auto", "AtoB", "BtoA"]
    statistics: Literal["auto", "picture", "stored"]
    dropout: bool | None
    samples: int
    from_photo: bool
    from_sketch: bool
    enlarge: float
    size: OutputSize | str
    precision: Precision
    memory: float
    seed: int
    device: str
    threads: int
    max_pixels: int
    # <!-- /keywords -->
