"""Colors of a painting: the style's, the photo's, or those of one moved to the other's.

Gatys et al. 2017: luminance-only transfer, and color matching before the transfer.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from styler.errors import DivergedError
from styler.events import Event, Step, relay
from styler.image.color import colored, luma, luminance_only, match_colors, match_histogram
from styler.image.size import resize
from styler.options.shared import Coloring

_AS_PAINTED = ("style", "content-to-style")
"""Kinds that leave the painted picture as it is."""
_SIDE = 256
"""Side in pixels of a style in the palette of several."""


def before(photo: Tensor, styles: Sequence[Tensor], kind: Coloring) -> tuple[Tensor, list[Tensor]]:
    """Photo and styles, Images [1, 3, H, W] of any sizes, as they are painted with."""
    if kind == "photo":
        gray = luma(photo)
        return colored(gray), [colored(match_colors(luma(style), gray)) for style in styles]
    if kind == "style-to-content":
        return photo, [match_colors(style, photo) for style in styles]
    if kind == "histogram":
        return photo, [match_histogram(style, photo) for style in styles]
    return (match_colors(photo, palette(styles)) if kind == "content-to-style" else photo), list(styles)


def after(painted: Tensor, photo: Tensor, kind: Coloring) -> Tensor:
    """The finished Image [1, 3, H, W] of a painted one and the photo as it was, of any size."""
    if kind == "photo":
        return luminance_only(painted, resize(photo, (painted.shape[-2], painted.shape[-1])))
    if kind == "style-to-content":
        return match_colors(painted, photo)
    return match_histogram(painted, photo) if kind == "histogram" else painted


def colors_only(photo: Tensor, palette: Tensor, kind: Coloring) -> Tensor:
    """The photo with the colors of a palette, Images [1, 3, H, W], and no strokes."""
    return match_histogram(photo, palette) if kind == "histogram" else match_colors(photo, palette)


def palette(styles: Sequence[Tensor]) -> Tensor:
    """An Image with the colors of all styles, in equal parts."""
    if len(styles) == 1:
        return styles[0]
    return torch.cat([F.interpolate(style, (_SIDE, _SIDE), mode="nearest") for style in styles], 3)


def finishing(
    run: Generator[Event, None, Tensor], photo: Tensor, kind: Coloring
) -> Generator[Event, None, Tensor]:
    """Pass on a painting in progress; its pictures get the colors of finished ones."""
    if kind in _AS_PAINTED:
        return (yield from run)

    def finished(event: Event) -> Iterator[Event]:
        if isinstance(event, Step) and event.image is not None:
            event = replace(event, image=after(event.image.clamp(0, 1), photo, kind))
        yield event

    try:
        return after((yield from relay(run, finished)), photo, kind)
    except DivergedError as error:
        image = error.best
        raise DivergedError(
            str(error), after(image, photo, kind) if isinstance(image, Tensor) else image
        ) from error
