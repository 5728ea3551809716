"""Enlarging with trained networks: mixed for detail and cleaning, one after another for any scale."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from styler.image.size import Size, fit, resize, size_of
from styler.networks.enlarge import EnlargeNetwork
from styler.networks.layers import Mode
from styler.options.fields import OutputSize
from styler.tasks.onepass import OnePass

STORED = Mode("stored")
"""How networks that enlarge run: a pixel must not depend on all of the picture."""
Networks = Mapping[int, EnlargeNetwork]
"""Networks by their factor, all on one device."""


def target_size(size: Size, wanted: OutputSize, scale: float) -> Size:
    """(height, width) of a picture enlarged to a size or, without one, by a scale."""
    if wanted is not None:
        return fit(size, wanted)
    return round(size[0] * scale), round(size[1] * scale)


def steps(factors: Iterable[int], ratio: float) -> list[int]:
    """The factors to enlarge by, one after another: the least whose product is no less than the ratio."""
    known, chosen, reached = sorted(factors), list[int](), 1
    while not chosen or reached < ratio:
        chosen.append(next((factor for factor in known if factor * reached >= ratio), known[-1]))
        reached *= chosen[-1]
    return chosen


def enlarger(networks: Networks, ratio: float, sized: Callable[[Size], Size]) -> OnePass:
    """One pass that enlarges by `ratio` or less; what is too large then is shrunk, bicubic.

    Args:
        networks: of three channels, see `networks.enlarge.mixed`.
        sized: from an Image's (height, width) to that of the finished one.
    """
    *earlier, last = (networks[factor] for factor in steps(networks, ratio))
    return OnePass(
        last,
        STORED,
        prepare=lambda photo: photo,
        finish=lambda photo, made: resize(made.clamp_(0, 1), sized(size_of(photo))),
        measures=False,
        earlier=tuple(earlier),
        sized=sized,
    )
