"""What can be seen to be wrong with a trained network: pictures that come out flat, gray or unchanged."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

LEAST = 0.3
"""Contrast and color of painted pictures that are too little, relative to the photos and the style."""
SAME = 0.02
"""Mean difference from the photo, of a range of 1, that is too little."""
DULL = 0.03
"""Contrast and color below which nothing can be said: what is painted may well be flat then."""

MORE = "try more --steps"


def found(photos: list[Tensor], painted: list[Tensor], style: Tensor) -> str:
    """What is wrong with pictures painted in a style, and what to do; empty if nothing is.

    Args:
        photos: Images [1, 3, H, W], or none for textures.
        painted: an Image of each.
        style: an Image of any size.
    """
    for measure, lack in ((contrast, "nearly flat"), (color, "nearly gray")):
        wanted = min(_mean(measure, photos or [style]), measure(style))
        if wanted > DULL and _mean(measure, painted) < LEAST * wanted:
            return f"it is {lack}: {MORE}, or a smaller --learning-rate"
    changes = [float((after - before).abs().mean()) for before, after in zip(photos, painted, strict=False)]
    if changes and sum(changes) < SAME * len(changes):
        return f"photos hardly change: {MORE}, or a larger --style-weight"
    return ""


def contrast(image: Tensor) -> float:
    """Standard deviation of the gray values."""
    return float(image.mean(1).std())


def color(image: Tensor) -> float:
    """Mean difference between the largest and the smallest channel of a pixel."""
    return float((image.amax(1) - image.amin(1)).mean())


def _mean(measure: Callable[[Tensor], float], images: list[Tensor]) -> float:
    return sum(map(measure, images)) / len(images)
