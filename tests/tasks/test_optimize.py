"""The recipe of style transfer: terms, weights, blending, scales, memory."""

from __future__ import annotations

import math
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from styler.engine import terms as terms_module
from styler.engine.memory import layers
from styler.engine.parameterization import Parameterization
from styler.engine.terms import (
    Region,
    Style,
    as_styles,
    make_terms,
    padding_for,
    photo_noise,
    regions_of,
    style_targets,
    typical,
    view_of,
)
from styler.engine.tiles import View
from styler.errors import DivergedError, InputError
from styler.events import Note, Stage, Step
from styler.features import Extractor
from styler.image.size import resize, size_of
from styler.losses.perceptual import total
from styler.networks.vgg import Typical, random_convolutions
from styler.options.fields import parse_layers
from styler.options.optimize import OPTIMIZE_PRESETS, OptimizeOptions
from styler.storage.models import vgg
from styler.storage.pictures.load import load_picture
from styler.tasks import optimize

GATYS = {**OPTIMIZE_PRESETS["gatys"], "steps": 60}
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
    return OptimizeOptions(**{"size": 64, "steps": 20, "precision": "float32", **changes})


def drive(events: Generator[Any, None, Tensor]) -> tuple[list[Any], Tensor]:
    seen = []
    while True:
        try:
            seen.append(next(events))
        except StopIteration as end:
            return seen, end.value


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam", "scipy"])
@pytest.mark.parametrize("style_loss", ["covariance", "gram"])
@pytest.mark.parametrize("parameterization", ["pyramid", "pixels"])
@pytest.mark.parametrize("content_loss", ["structure", "squared"])
def test_every_way_lowers_the_loss(
    extractor: Extractor, optimizer: str, style_loss: str, parameterization: str, content_loss: str
) -> None:
    ways = {"style_loss": style_loss, "parameterization": parameterization, "content_loss": content_loss}
    chosen = options(optimizer=optimizer, tv_weight=0.1, scales=1, **ways)
    seen, image = drive(optimize.optimize(picture(), [picture(seed=1)], extractor, chosen))
    steps = [event for event in seen if isinstance(event, Step)]
    losses = [sum((step.losses or {}).values()) for step in steps]
    view = view_of(extractor, chosen)
    usual = typical(extractor, layers(chosen), view.walk)
    terms = make_terms(picture(), [picture(seed=1)], view, chosen, (48, 64), usual, 0.05)
    begun, _ = view.evaluation(terms)(picture())
    assert min(losses) < 0.7 * float(total(begun))
    assert image.shape == (1, 3, 48, 64)
    assert image.min() >= 0
    assert image.max() <= 1


def test_terms_are_named_shared_and_left_out_without_weight(extractor: Extractor) -> None:
    chosen = options(
        style_layers=parse_layers("relu1_1:3,relu2_1"),
        content_layers=parse_layers("relu3_1"),
        style_weight=2.0,
    )
    view = view_of(extractor, chosen)
    scale = (48, 64), typical(extractor, set(extractor.layers), view.walk), 0.05
    terms = make_terms(picture(), [picture(seed=1)], view, chosen, *scale)
    assert {t.name: t.weight for t in terms} == {
        "content/relu3_1": 0.05,
        "style/relu1_1": 1.5,
        "style/relu2_1": 0.5,
    }
    none = make_terms(picture(), [picture(seed=1)], view, options(content_weight=0.0), *scale)
    assert all(t.name.startswith("style/") for t in none)
    with pytest.raises(InputError, match="sum to nothing usable"):
        options(style_layers=(("relu1_1", 0.0),))
    with pytest.raises(InputError, match="all weights"):
        options(style_weight=0.0, content_weight=0.0)


def test_weights_mean_the_same_at_every_size() -> None:
    """What a photo lacks of a style is told alike by the built-in network at 128 and at 512 pixels."""
    network = vgg.load(vgg.BUILT_IN)
    photo, style = (load_picture(EXAMPLES / name).image for name in ("examples/lake.jpg", "styles/waves.jpg"))
    values = []
    for size in ((96, 128), (384, 512)):
        usual = typical(network, layers(options()), network.walk)
        chosen = options(content_weight=0.0)
        view = view_of(network, chosen)
        terms = make_terms(photo, [style], view, chosen, size, usual, 1.0)
        found = network(resize(photo, size), layers(options()))
        values.append(sum(float(term(found[term.layer])) for term in terms))
    assert values[0] == pytest.approx(values[1], rel=0.35)


def test_styles_are_blended_by_their_moments(extractor: Extractor) -> None:
    a, b = picture(seed=1), picture(seed=2)
    view = view_of(extractor, options())
    for weights, share in (((1.0, 1.0), 0.5), ((0.3, 0.9), 0.25)):
        styles = [Style(image, weight) for image, weight in zip((a, b), weights, strict=True)]
        (region,) = regions_of(styles, None, (48, 64))
        blended = style_targets(region, view, options(), (48, 64))
        apart = [
            style_targets(Region(None, 1, [(style, None)]), view, options(), (48, 64)) for style in styles
        ]
        for name, found in blended.items():
            for mixed, first, second in zip(found, apart[0][name], apart[1][name], strict=True):
                torch.testing.assert_close(mixed, share * first + (1 - share) * second)


def test_a_style_is_scaled_but_never_enlarged(extractor: Extractor) -> None:
    seen: list[tuple[int, ...]] = []

    def walk(image: Tensor, layers: set[str]) -> Any:
        seen.append(tuple(image.shape[-2:]))
        return extractor.walk(image, layers)

    style, view = picture(64, 80), View(walk, view_of(extractor, options()).strides, 0)
    for scale in (0.5, 1.0, 4.0):
        (scaled,) = as_styles([style], options(style_scale=(scale,)))
        style_targets(Region(None, 1, [(scaled, None)]), view, options(), (48, 64))
    assert seen == [(26, 32), (51, 64), (64, 80)]


def test_a_thin_style_and_a_small_scale_are_seen_as_small_as_the_network_can(extractor: Extractor) -> None:
    thin, view = picture(16, 400, seed=1), view_of(extractor, options())
    for style, scale in ((thin, 1.0), (thin.transpose(2, 3), 0.1), (picture(64, 80), 0.05)):
        (scaled,) = as_styles([style], options(style_scale=(scale,)))
        assert style_targets(Region(None, 1, [(scaled, None)]), view, options(), (48, 64))
    _, image = drive(optimize.optimize(picture(), [thin], extractor, options(style_scale=(0.05,), steps=2)))
    assert image.shape == (1, 3, 48, 64)


def test_a_print_is_its_preview_with_detail(extractor: Extractor) -> None:
    """From the third scale on no form changes; with the pixels of Gatys' form all may."""
    content, style = picture(192, 256), picture(192, 256, seed=1)
    small, large, free = (
        drive(optimize.optimize(content, [style], extractor, options(**changes)))[1]
        for changes in (
            {"size": 128, "scales": 2},
            {"size": 256, "scales": 3},
            {"size": 256, "scales": 3, "parameterization": "pixels"},
        )
    )
    same, other = ((resize(image, size_of(small)) - small).abs().mean() for image in (large, free))
    assert same < 0.01 < 0.02 < other
    assert (large - resize(small, size_of(large))).abs().mean() > 0.01


def test_where_nothing_moves_it_is_said(extractor: Extractor) -> None:
    """The photo is its own best content, and nothing else is asked for."""
    alone = options(style_weight=0.0, parameterization="pixels", scales=1)
    seen, image = drive(optimize.optimize(picture(), [picture(seed=1)], extractor, alone))
    assert torch.equal(image, picture())
    assert [event.text for event in seen if isinstance(event, Note)] == [
        "no step has changed the picture by a level: give --style-weight more, or another style"
    ]
    seen, _ = drive(optimize.optimize(picture(), [picture(seed=1)], extractor, options(steps=1, scales=1)))
    assert not [event for event in seen if isinstance(event, Note)]


def test_a_rate_at_which_the_loss_rises_is_told_of(
    extractor: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimize, "_GROWN", math.inf)  # else it is an error, of this network
    for rate, told in ((1e9, True), (0.02, False)):
        chosen = options(optimizer="adam", parameterization="pixels", learning_rate=rate, steps=5, scales=2)
        seen, _ = drive(optimize.optimize(picture(), [picture(seed=1)], extractor, chosen))
        texts = [event.text for event in seen if isinstance(event, Note)]
        assert any(f"--learning-rate {rate:g} is too large" in text for text in texts) == told, texts


def test_losses_of_two_scales_are_not_compared() -> None:
    """The terms of a finer scale may begin lower, and rise."""
    adam = options(optimizer="adam", learning_rate=1.0)
    for losses, told in (([(9.0, 5.0), (1.0, 2.0)], "from 1 to 2"), ([(1.0, 0.5), (9.0, 8.0)], "")):
        texts = [note.text for note in optimize.remarks(adam, True, losses, "")]
        assert told in "".join(texts) and bool(texts) == bool(told)


def test_where_nothing_moves_at_three_scales_it_is_said(
    extractor: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def standstill(image: Parameterization, *_: object) -> Generator[Step, None, Tensor]:
        yield from ()
        return image().detach()

    monkeypatch.setattr(optimize, "minimize", standstill)
    gray = picture()[:, :1].expand(-1, 3, -1, -1)
    painting = optimize.optimize(gray, [picture(seed=1)], extractor, options(size=256, scales=3))
    assert any(
        isinstance(event, Note) and "no step has changed" in event.text for event in drive(painting)[0]
    )


def test_a_flat_photo_in_its_own_style_is_no_divergence() -> None:
    black = torch.zeros(1, 3, 48, 64)
    seen, image = drive(optimize.optimize(black, [black], vgg.load(vgg.BUILT_IN), options(coarse_steps=20)))
    assert image.max() < 0.01 and any(isinstance(event, Note) for event in seen)


def test_stages_go_coarse_to_fine_and_stop_at_the_full_size(extractor: Extractor) -> None:
    seen, _ = drive(
        optimize.optimize(
            picture(), [picture(seed=1)], extractor, options(size=256, scales=3, coarse_steps=3, steps=2)
        )
    )
    assert [(s.name, s.height, s.width, s.steps) for s in seen if isinstance(s, Stage)] == [
        ("scale 1 of 3", 48, 64, 3),
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

    monkeypatch.setattr(terms_module, "total_variation", broken)
    chosen = options(size=128, scales=2, tv_weight=1.0)
    with pytest.raises(DivergedError) as raised:
        drive(optimize.optimize(picture(), [picture(seed=1)], extractor, chosen))
    best = raised.value.best
    assert isinstance(best, Tensor)
    assert best.shape == (1, 3, 96, 128)
    assert best.isfinite().all()


def test_padding_is_never_zero_unless_asked_for(extractor: Extractor) -> None:
    plain = Extractor("compact", random_convolutions("compact", WIDTHS))
    assert padding_for(extractor, options()) == "reflect"
    assert padding_for(plain, options()) == "replicate"
    assert padding_for(plain, options(padding="zero")) == "zero"


def test_an_output_too_thin_says_which_size_would_do() -> None:
    with pytest.raises(InputError, match=r"512 x 2 pixels.*--size 3277"):
        optimize.output_size((20, 4096), options(size=512))
    assert optimize.output_size((20, 4096), options(size=3277)) == (16, 3277)
    assert optimize.output_size((20, 4096), options(size=None)) == (20, 4096)


def losses_of(events: list[Any]) -> list[float]:
    return [sum(event.losses.values()) for event in events if isinstance(event, Step) and event.losses]


@pytest.mark.parametrize(
    ("value", "ways"),
    [(0.4, {"content_weight": 10.0}), (1.0, {"content_weight": 10.0}), (1.0, GATYS), (0.4, GATYS)],
)
def test_a_flat_photo_is_painted(value: float, ways: dict[str, Any]) -> None:
    """It has no structure to keep, so that the style comes through at any weight."""
    photo, style = torch.full((1, 3, 48, 64), value), load_picture(EXAMPLES / "styles/waves.jpg").image
    chosen = options(**{"steps": 40, **ways})
    seen, image = drive(optimize.optimize(photo, [style], vgg.load(vgg.BUILT_IN), chosen))
    losses = losses_of(seen)
    assert min(losses) < 0.3 * losses[0] and image.std() > 0.1


@pytest.mark.parametrize("style_loss", ["covariance", "gram"])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_flat_style_gives_its_color(style_loss: str, value: float) -> None:
    photo, style = load_picture(EXAMPLES / "examples/lake.jpg").image, torch.full((1, 3, 48, 64), value)
    chosen = options(size=128, style_loss=style_loss, content_weight=0.3)
    seen, image = drive(optimize.optimize(photo, [style], vgg.load(vgg.BUILT_IN), chosen))
    assert max(losses_of(seen)) < 1e4
    assert (image - value).abs().mean() < 0.5 * (photo - value).abs().mean()


@pytest.mark.parametrize("way", [{"style_weight": 0.1}, {"optimizer": "adam"}])
def test_a_flat_style_gives_its_color_at_a_low_weight_and_by_adam(way: dict[str, Any]) -> None:
    photo = load_picture(EXAMPLES / "examples/lake.jpg").image
    red = torch.tensor([0.8, 0.1, 0.1])[:, None, None].expand(1, 3, 48, 64)
    _, image = drive(optimize.optimize(photo, [red], vgg.load(vgg.BUILT_IN), options(size=64, **way)))
    assert (image.mean((0, 2, 3)) - red.mean((0, 2, 3))).abs().max() < 0.15


def test_flat_styles_begin_in_their_color_where_they_are_painted() -> None:
    photo, red = picture(), torch.tensor([1.0, 0.0, 0.0])[:, None, None].expand(1, 3, 20, 20)
    blue, other = red.flip(1), picture(seed=1)
    begun = optimize.tinted(photo, [Style(red, 3.0), Style(blue, 1.0)])
    torch.testing.assert_close(begun, torch.tensor([0.75, 0, 0.25])[:, None, None].expand_as(photo))
    assert optimize.tinted(photo, [Style(red), Style(other)]) is photo
    left = halves(1, 0, (10, 20))
    masked = optimize.tinted(
        photo, [Style(red, masks=[(left, None)]), Style(other, masks=[(1 - left, None)])]
    )
    half = photo.shape[-1] // 2
    torch.testing.assert_close(masked[..., half + 4 :], photo[..., half + 4 :])
    torch.testing.assert_close(masked[..., : half - 4], red[..., :1, :1].expand_as(photo)[..., : half - 4])


def test_figures_on_photos_are_the_networks_own_where_it_has_some(extractor: Extractor) -> None:
    own = Typical(1.0, 2.0, 3.0)
    known = Extractor("compact", random_convolutions("compact", WIDTHS), typical={"relu2_1": own})
    found = typical(known, {"relu1_1", "relu2_1"}, known.walk)
    assert found["relu2_1"] == own
    features = known(photo_noise(), ["relu1_1"])["relu1_1"]
    assert found["relu1_1"].variance == pytest.approx(
        features.var((2, 3), correction=0).mean().item(), rel=1e-4
    )
    assert known.until({"relu2_1"}).typical == known.typical


def halves(left: float, right: float, size: tuple[int, int] = (96, 192)) -> Tensor:
    mask = torch.full((1, 1, *size), float(right))
    mask[..., : size[1] // 2] = left
    return mask


def test_a_style_reaches_no_farther_than_its_mask_and_a_receptive_field() -> None:
    network = Extractor("compact", random_convolutions("compact", WIDTHS, seed=3), padding="reflect")
    chosen, content = options(size=320, content_weight=0.0), picture(96, 320)
    view = view_of(network, chosen)
    usual = typical(network, layers(chosen), view.walk)
    styles = [Style(picture(seed=1), masks=[(halves(1, 0, (96, 320)), None)])]
    terms = make_terms(content, styles, view, chosen, (96, 320), usual, 1.0)
    _, gradient = view.evaluation(terms)(content)
    assert view.reach == 70 and not gradient[..., 160 + 70 :].any() and gradient[..., 160:220].any()


def test_masked_regions_weigh_what_they_cover_and_take_after_their_styles(extractor: Extractor) -> None:
    a, b = picture(seed=1), picture(seed=2)
    styles = [
        Style(a, weight=3, masks=[(halves(1, 0), None)]),
        Style(b, masks=[(halves(0, 0.5), halves(1, 0)), (halves(0, 0.5), None)]),
    ]
    regions = regions_of(styles, None, (96, 192))
    assert [region.share for region in regions] == pytest.approx([0.75, 0.125, 0.125])
    assert [region.sources[0][0].image is b for region in regions] == [False, True, True]
    (left,) = regions_of(styles[:1], halves(0.5, 1), (96, 192))
    assert left.share == pytest.approx(0.25) and left.guide is not None and not left.guide[..., 96:].any()
    with pytest.raises(InputError, match="nothing to paint"):
        regions_of(styles[:1], halves(1, 0), (96, 192))


def test_what_is_protected_is_the_photo_itself(extractor: Extractor) -> None:
    photo, mask = picture(96, 192), halves(1, 0)
    for parameterization in ("pyramid", "pixels"):
        chosen = options(size=192, steps=3, coarse_steps=2, parameterization=parameterization)
        run = optimize.optimize(photo, [picture(seed=1)], extractor, chosen, protect=mask)
        seen, image = drive(run)
        assert torch.equal(image[..., :96], photo[..., :96]) and not torch.equal(image, photo)
        shown = [event.image for event in seen if isinstance(event, Step)]
        assert torch.equal(shown[-1][..., :90], photo[..., :90])


def test_a_style_of_few_colors_gives_few(monkeypatch: pytest.MonkeyPatch, extractor: Extractor) -> None:
    seen: list[int] = []

    def noted(style: Tensor, *rest: Any) -> Any:
        seen.append(len(style[0].image[0].flatten(1).unique(dim=1)[0]))
        return regions_of(style, *rest)

    monkeypatch.setattr(terms_module, "regions_of", noted)
    for count in (0, 3):
        chosen = options(style_colors=count, steps=1, scales=1)
        drive(optimize.optimize(picture(), [picture(seed=1)], extractor, chosen))
    assert seen[0] > 100 and seen[1] == 3
