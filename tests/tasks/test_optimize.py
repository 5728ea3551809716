"""The recipe of style transfer: terms, weights, blending, scales, memory."""

from __future__ import annotations

import math
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from styler.errors import DivergedError, InputError
from styler.events import Stage, Step
from styler.features import Extractor
from styler.image.size import resize
from styler.networks.vgg import random_convolutions
from styler.options.fields import parse_layers
from styler.options.optimize import OptimizeOptions
from styler.storage.models import vgg
from styler.storage.pictures.load import load_picture
from styler.tasks import optimize

WIDTHS = (4, 6, 8, 10, 12)
EXAMPLES = Path(__file__).parents[2]


def picture(height: int = 48, width: int = 64, seed: int = 0) -> Tensor:
    """Smooth random colors."""
    noise = torch.rand(1, 3, height // 8, width // 8, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(noise, (height, width), mode="bilinear")


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return Extractor("compact", random_convolutions("compact", WIDTHS, seed=3), padding="reflect")


def options(**changes: Any) -> OptimizeOptions:
    return OptimizeOptions(**{"size": 64, "steps": 20, **changes})


def drive(events: Generator[Any, None, Tensor]) -> tuple[list[Any], Tensor]:
    seen = []
    while True:
        try:
            seen.append(next(events))
        except StopIteration as end:
            return seen, end.value


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam", "scipy"])
@pytest.mark.parametrize("style_loss", ["covariance", "gram"])
def test_every_way_lowers_the_loss(extractor: Extractor, optimizer: str, style_loss: str) -> None:
    chosen = options(optimizer=optimizer, style_loss=style_loss, tv_weight=0.1, scales=1)
    seen, image = drive(optimize.optimize(picture(), [picture(seed=1)], extractor, chosen))
    steps = [event for event in seen if isinstance(event, Step)]
    first, last = (sum((step.losses or {}).values()) for step in (steps[0], steps[-1]))
    assert last < 0.7 * first
    assert image.shape == (1, 3, 48, 64)
    assert image.min() >= 0
    assert image.max() <= 1


def test_terms_are_named_shared_and_left_out_without_weight(extractor: Extractor) -> None:
    chosen = options(
        style_layers=parse_layers("relu1_1:3,relu2_1"),
        content_layers=parse_layers("relu3_1"),
        style_weight=2.0,
    )
    walk = partial(extractor.walk)
    terms = optimize.make_terms(picture(), [picture(seed=1)], walk, chosen, (48, 64))
    assert {t.name: t.weight for t in terms} == {
        "content/relu3_1": 0.04,
        "style/relu1_1": 1.5,
        "style/relu2_1": 0.5,
    }
    none = optimize.make_terms(picture(), [picture(seed=1)], walk, options(content_weight=0.0), (48, 64))
    assert all(t.name.startswith("style/") for t in none)
    with pytest.raises(InputError, match="all weights"):
        optimize.make_terms(picture(), [picture()], walk, options(style_layers=(("relu1_1", 0.0),)), (48, 64))


def test_weights_mean_the_same_at_every_size() -> None:
    """What a photo lacks of a style is told alike by the built-in network at 128 and at 512 pixels."""
    network = vgg.load(vgg.BUILT_IN)
    photo, style = (load_picture(EXAMPLES / name).image for name in ("examples/lake.jpg", "styles/waves.jpg"))
    values = []
    for size in ((96, 128), (384, 512)):
        terms = optimize.make_terms(photo, [style], network.walk, options(content_weight=0.0), size)
        found = network(resize(photo, size), optimize.layers(options()))
        values.append(sum(float(t.weight * t.function(found[t.layer])) for t in terms))
    assert values[0] == pytest.approx(values[1], rel=0.35)


def test_styles_are_blended_by_their_moments(extractor: Extractor) -> None:
    a, b = picture(seed=1), picture(seed=2)
    blended = optimize.style_moments([a, b], extractor.walk, options(), (48, 64))
    apart = [optimize.style_moments([x], extractor.walk, options(), (48, 64)) for x in (a, b)]
    for name, (mean, second) in blended.items():
        torch.testing.assert_close(mean, (apart[0][name][0] + apart[1][name][0]) / 2)
        torch.testing.assert_close(second, (apart[0][name][1] + apart[1][name][1]) / 2)


def test_a_style_is_scaled_but_never_enlarged(extractor: Extractor) -> None:
    seen: list[tuple[int, ...]] = []

    def walk(image: Tensor, layers: set[str]) -> Any:
        seen.append(tuple(image.shape[-2:]))
        return extractor.walk(image, layers)

    style = picture(64, 80)
    for scale in (0.5, 1.0, 4.0):
        optimize.style_moments([style], walk, options(style_scale=scale), (48, 64))
    assert seen == [(26, 32), (51, 64), (64, 80)]


def test_stages_go_coarse_to_fine_and_stop_at_the_full_size(extractor: Extractor) -> None:
    seen, _ = drive(
        optimize.optimize(picture(), [picture(seed=1)], extractor, options(size=256, scales=3, steps=2))
    )
    assert [(s.name, s.height, s.width, s.steps) for s in seen if isinstance(s, Stage)] == [
        ("scale 1 of 3", 48, 64, 2),
        ("scale 2 of 3", 96, 128, 2),
        ("scale 3 of 3", 192, 256, 2),
    ]
    seen, image = drive(
        optimize.optimize(
            picture(), [picture(seed=1)], extractor, options(size=256, scales=3), stop=lambda: True
        )
    )
    assert len(seen) == 2
    assert image.shape == (1, 3, 192, 256)


@pytest.mark.parametrize("init", ["content", "noise", "style", "gray"])
def test_starts(extractor: Extractor, init: str) -> None:
    content, style = picture(), picture(40, 40, 1)
    begun = optimize.start(content, style, options(init=init, seed=5), None)
    again = optimize.start(content, style, options(init=init, seed=5), None)
    assert torch.equal(begun, again)
    if init == "noise":
        assert not torch.equal(begun, optimize.start(content, style, options(init=init, seed=6), None))
    _, image = drive(optimize.optimize(content, [style], extractor, options(init=init, steps=2)))
    assert image.shape == content.shape


def test_divergence_brings_the_best_image_at_full_size(
    extractor: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def broken(image: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return image.square().mean() * (math.nan if calls > 3 else 1)

    monkeypatch.setattr(optimize, "total_variation", broken)
    chosen = options(size=128, scales=2, tv_weight=1.0)
    with pytest.raises(DivergedError) as raised:
        drive(optimize.optimize(picture(), [picture(seed=1)], extractor, chosen))
    best = raised.value.image
    assert isinstance(best, Tensor)
    assert best.shape == (1, 3, 96, 128)
    assert best.isfinite().all()


def test_memory_grows_with_area_history_and_depth(extractor: Extractor) -> None:
    base = optimize.memory(extractor, options(), (100, 100))
    assert optimize.memory(extractor, options(), (200, 200)) == pytest.approx(4 * base, rel=1e-6)
    assert optimize.memory(extractor, options(history=20), (100, 100)) - base == 10 * 2 * 12 * 100 * 100
    shallow = options(style_layers=parse_layers("relu1_1"), content_layers=parse_layers("relu2_1"))
    assert optimize.memory(extractor, shallow, (100, 100)) < base


def test_padding_is_never_zero_unless_asked_for(extractor: Extractor) -> None:
    plain = Extractor("compact", random_convolutions("compact", WIDTHS))
    assert optimize.padding_for(extractor, options()) == "reflect"
    assert optimize.padding_for(plain, options()) == "replicate"
    assert optimize.padding_for(plain, options(padding="zero")) == "zero"


def test_an_output_too_thin_says_which_size_would_do() -> None:
    with pytest.raises(InputError, match=r"512 x 2 pixels.*--size 3277"):
        optimize.output_size((20, 4096), options(size=512))
    assert optimize.output_size((20, 4096), options(size=3277)) == (16, 3277)
    assert optimize.output_size((20, 4096), options(size=None)) == (20, 4096)
