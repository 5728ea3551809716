"""Feature inversion: exact where a layer keeps everything, free where it forgets."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from styler.events import Step
from styler.features import Extractor
from styler.losses.perceptual import alpha_norm, gradient_norm
from styler.networks.vgg import random_convolutions
from styler.options.synthesis import InvertOptions
from styler.tasks import synthesis

EXTRACTOR = Extractor("vgg19", random_convolutions("vgg19", (64, 128, 32, 32, 32), seed=1))


def picture(side: int = 32) -> Tensor:
    noise = torch.rand(1, 3, side // 4, side // 4, generator=torch.Generator().manual_seed(2))
    return torch.nn.functional.interpolate(noise, (side, side), mode="bilinear")


def inverted(layer: str, start: Tensor, **changes: Any) -> tuple[Tensor, list[float]]:
    """The reconstruction, and the relative error at each step."""
    options = InvertOptions(**{"padding": "zero", "regularizer": "none", **changes})
    features = EXTRACTOR(picture(), [layer])[layer]
    run, errors = synthesis.invert(features, layer, start, EXTRACTOR, options), []
    while True:
        try:
            event = next(run)
        except StopIteration as end:
            return end.value, errors
        if isinstance(event, Step):
            errors.append((event.losses or {})["features"])


def test_the_picture_itself_has_no_error_and_stays() -> None:
    found, errors = inverted("relu3_1", picture(), steps=1)
    assert errors == [0] and torch.equal(found, picture())


@pytest.mark.parametrize(
    ("layer", "most"), [("conv1_1", 1e-10), ("relu1_1", 1e-10), ("pool1", 1e-8), ("relu2_1", 1e-4)]
)
def test_shallow_layers_are_inverted_exactly(layer: str, most: float) -> None:
    found, errors = inverted(layer, synthesis.noise(picture(), 0))
    assert min(errors) < most
    assert (found - picture()).abs().mean() < 0.02


def test_deep_layers_leave_more_to_the_seed() -> None:
    spreads = []
    for layer in ("relu1_2", "relu4_1"):
        found = [inverted(layer, synthesis.noise(picture(), seed), steps=50)[0] for seed in range(2)]
        spreads.append(float(synthesis.spread(torch.cat(found)).mean()))
    assert spreads[0] < 0.02 < 0.05 < spreads[1]


def test_the_total_variation_of_a_ramp_by_hand() -> None:
    rows, columns = torch.arange(8.0)[:, None], torch.arange(8.0)
    ramp = (2 * rows + 3 * columns)[None, None]
    whole, row, column = (
        float(gradient_norm(x).sum()) * x.numel() for x in (ramp, ramp[..., -1:, :], ramp[..., -1:])
    )
    assert (whole, row, column) == (pytest.approx(728), pytest.approx(7 * 9), pytest.approx(7 * 4))
    assert whole - row - column == pytest.approx(637)  # without the border


@pytest.mark.parametrize("beta", [1.0, 1.5, 2.0])
def test_a_flat_picture_has_no_variation_and_a_finite_gradient(beta: float) -> None:
    flat = torch.full((1, 3, 8, 8), 0.3, requires_grad=True)
    value = gradient_norm(flat, beta)
    (gradient,) = torch.autograd.grad(value, flat)
    assert value.item() == pytest.approx(0, abs=1e-9) and gradient.abs().max() == 0


def test_the_alpha_norm_grows_with_the_distance_from_gray() -> None:
    assert float(alpha_norm(torch.full((1, 3, 2, 2), 0.5))) == 0
    assert float(alpha_norm(torch.full((1, 3, 2, 2), 1.0))) == pytest.approx(0.5**6)


def test_regularizers_make_calmer_and_paler_pictures() -> None:
    start = synthesis.noise(picture(), 0)
    free, calm, pale = (
        inverted("relu4_1", start, steps=60, regularizer=kind, strength=5)[0]
        for kind in ("none", "tv", "alpha")
    )
    assert gradient_norm(calm) < 0.5 * gradient_norm(free)
    assert alpha_norm(pale) < alpha_norm(free)
