"""Colors of paintings: the style's, the photo's, and those of one moved to the other's."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from nets import MIX, small
from torch import Tensor

from styler.errors import InputError
from styler.events import Step, result_of
from styler.features import Extractor
from styler.image.color import colored, luma
from styler.networks.vgg import random_convolutions
from styler.options.fast import FastOptions
from styler.options.optimize import OptimizeOptions
from styler.options.shared import Coloring
from styler.tasks import fast, optimize

KINDS = get_args(Coloring)
EXTRACTOR = Extractor("compact", random_convolutions("compact", (4, 6, 8, 10, 12), seed=3), padding="reflect")
NETWORK = small("johnson").eval().requires_grad_(False)


def tinted(seed: int, tint: tuple[float, float, float]) -> Tensor:
    """Smooth noise around one color."""
    noise = torch.rand(1, 3, 5, 6, generator=torch.Generator().manual_seed(seed)) - 0.5
    smooth = torch.nn.functional.interpolate(noise, (40, 48), mode="bilinear")
    return (torch.tensor(tint)[:, None, None] + 0.4 * smooth).clamp(0, 1)


PHOTO, STYLE = tinted(1, (0.3, 0.4, 0.6)), tinted(2, (0.7, 0.5, 0.3))


def painted(photo: Tensor = PHOTO, style: Tensor = STYLE, **changes: object) -> tuple[Tensor, list[Tensor]]:
    """The finished picture, and those of its steps."""
    options = OptimizeOptions.of({"size": 48, "steps": 6, "scales": 1, **changes})
    images: list[Tensor] = []
    run = optimize.optimize(photo, [style], EXTRACTOR, options)
    while True:
        try:
            event = next(run)
        except StopIteration as end:
            return end.value, images
        if isinstance(event, Step) and event.image is not None:
            images.append(event.image)


def mean(image: Tensor) -> Tensor:
    return image.mean((0, 2, 3))


def distance(one: Tensor, other: Tensor) -> float:
    return float((mean(one) - mean(other)).abs().max())


@pytest.mark.parametrize("kind", KINDS)
def test_a_painting_has_the_colors_that_were_asked_for(kind: str) -> None:
    found, images = painted(color=kind)
    to_photo, to_style = distance(found, PHOTO), distance(found, STYLE)
    if kind in ("photo", "style-to-content", "histogram"):
        assert to_photo < to_style
    if kind == "content-to-style":
        assert to_style < 0.05 < to_photo
    assert distance(images[-1], found) < 0.05, "a picture on the way has other colors than the finished one"


def test_photo_keeps_hue_and_histogram_keeps_every_value() -> None:
    found, _ = painted(color="photo")
    assert (found - luma(found)).mul(PHOTO - luma(PHOTO)).min() > -1e-5
    found, _ = painted(color="histogram")
    torch.testing.assert_close(
        found.flatten(2).sort().values, PHOTO.flatten(2).sort().values, atol=3e-4, rtol=0
    )


@pytest.mark.parametrize("kind", KINDS)
def test_gray_and_flat_pictures_give_no_nan(kind: str) -> None:
    flat, gray = torch.full((1, 3, 40, 48), 0.5), colored(luma(PHOTO))
    for photo, style in ((flat, STYLE), (gray, STYLE), (PHOTO, flat), (gray, gray), (flat, flat)):
        found, _ = painted(photo, style, color=kind, steps=2)
        assert found.isfinite().all()
        assert fast.painter(NETWORK, MIX, FastOptions.of({"color": kind}))(photo).isfinite().all()


@pytest.mark.parametrize("kind", ["style", "content-to-style", "histogram"])
def test_colors_only_have_no_strokes(kind: str) -> None:
    found, images = painted(color=kind, colors_only=True)
    assert not images and distance(found, STYLE) < 0.03
    order = luma(PHOTO).flatten().argsort()
    assert luma(found).flatten()[order].diff().clamp_max(0).mean() > -1e-2


def test_colors_only_of_the_photo_are_refused() -> None:
    for options in (FastOptions, OptimizeOptions):
        with pytest.raises(InputError, match="would leave the photo as it is"):
            options(color="photo", colors_only=True)


def test_several_styles_have_their_colors_in_equal_parts() -> None:
    options = OptimizeOptions(size=48, colors_only=True)
    found = result_of(optimize.optimize(PHOTO, [STYLE, PHOTO], EXTRACTOR, options))
    torch.testing.assert_close(mean(found), (mean(STYLE) + mean(PHOTO)) / 2, atol=0.02, rtol=0)


def test_fast_paints_in_the_colors_that_were_asked_for() -> None:
    def paint(**changes: object) -> Tensor:
        return fast.painter(NETWORK, MIX, FastOptions.of(changes))(PHOTO)

    plain = paint()
    for kind in ("style-to-content", "histogram"):
        assert distance(paint(color=kind), PHOTO) < 0.03
    assert distance(paint(colors_only=True), plain) < 0.03
    assert not torch.equal(paint(color="content-to-style"), plain)
    torch.testing.assert_close(paint(color="histogram", strength=0), PHOTO)
