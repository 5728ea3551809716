"""Exact tiling: the same losses and gradient as of the whole image, and what happens when memory runs out."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from styler.engine.memory import layers
from styler.engine.minimize import Evaluate
from styler.engine.terms import Style, make_terms, typical, view_of
from styler.engine.tiles import View, spans
from styler.errors import DeviceError
from styler.features import Extractor
from styler.losses.perceptual import WHOLE, as_map
from styler.losses.style import STATISTICS
from styler.networks.vgg import random_convolutions
from styler.options.optimize import OptimizeOptions
from styler.storage.models import vgg

NETWORK = Extractor("compact", random_convolutions("compact", (4, 6, 8, 10, 12), seed=3), padding="reflect")


def picture(height: int, width: int, seed: int) -> Tensor:
    """Noise on smooth random colors."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, height // 8, width // 8, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    return (0.8 * smooth + 0.2 * torch.rand(1, 3, height, width, generator=generator)).double()


def evaluations(
    side: int,
    size: tuple[int, int],
    dtype: torch.dtype,
    masks: bool = False,
    network: Extractor = NETWORK,
    **changes: Any,
) -> list[Evaluate]:
    """The objective of the default options, with changes, looked at whole and in tiles."""
    network, options = network.to(dtype), OptimizeOptions(size=max(size), tv_weight=0.3, **changes)
    content, image = picture(*size, seed=1).to(dtype), picture(70, 90, seed=2).to(dtype)
    regions = [(picture(*size, seed)[:, :1].to(dtype), mask) for seed, mask in ((4, None), (5, image[:, :1]))]
    style, protect = (Style(image, masks=regions), regions[0][0] ** 2) if masks else (image, None)
    views = [view_of(network, options, length) for length in (None, side)]
    usual = typical(network, layers(options), views[0].walk)
    return [
        view.evaluation(make_terms(content, [style], view, options, size, usual, 0.1, protect))
        for view in views
    ]


def apart(evaluate: list[Evaluate], image: Tensor) -> float:
    """Largest difference of two gradients, relative to the largest value; losses differ no more."""
    (losses, whole), (tiled_losses, tiled) = (one(image) for one in evaluate)
    assert list(losses) == list(tiled_losses)
    errors = [float((tiled_losses[name] - loss).abs() / loss.abs()) for name, loss in losses.items()]
    return max(float((tiled - whole).abs().max() / whole.abs().max()), *errors)


WAYS: list[dict[str, Any]] = [
    {},
    {"pooling": "average"},
    {"pooling": "l2", "padding": "zero"},
    {"style_loss": "gram", "content_loss": "squared", "padding": "replicate"},
    {"style_loss": "mean"},
    {"style_loss": "wasserstein", "pooling": "average"},
    {"style_loss": "sliced"},
    {"masks": True},
    {"masks": True, "style_loss": "sliced"},
    {"style_layers": (("relu1_1", 1.0), ("relu3_1", 2.0)), "content_layers": (("relu2_2", 1.0),)},
]


@pytest.mark.parametrize("size", [(250, 187), (64, 333), (129, 160)], ids=str)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: "-".join(map(str, way)) or "default")
def test_the_gradient_is_that_of_the_whole_image(way: dict[str, Any], size: tuple[int, int]) -> None:
    assert apart(evaluations(64, size, torch.float64, **way), picture(*size, seed=3)) < 1e-10


@pytest.mark.parametrize("way", WAYS[:-1], ids=lambda way: "-".join(map(str, way)) or "default")
def test_in_float32_it_is_to_rounding(way: dict[str, Any]) -> None:
    """Of the network that ships: convolutions of so few channels as those above round by a tile's size."""
    size, network = (250, 187), vgg.load(vgg.BUILT_IN)
    evaluate = evaluations(96, size, torch.float32, network=network, **way)
    assert apart(evaluate, picture(*size, seed=3).float()) < 1e-5


def test_values_to_sort_are_the_same_bits_in_tiles() -> None:
    """A sum in another order, as a float32 convolution has for some tiles, would sort another way."""
    features = torch.rand(1, 6, 41, 53, generator=torch.Generator().manual_seed(1)) - 0.5
    features, gather = features.to(memory_format=torch.channels_last), STATISTICS["sliced"].gather([None])
    (whole,) = gather(features, WHOLE)
    for rows, columns in ((slice(0, 17), slice(3, 30)), (slice(2, 3), slice(4, 5))):
        (part,) = gather(features[..., rows, columns], WHOLE)
        assert torch.equal(part, whole[..., rows, columns])


def test_a_margin_that_is_too_narrow_would_show() -> None:
    whole, image, size = OptimizeOptions(tv_weight=0.0), picture(250, 187, seed=3), (250, 187)
    exact, narrow = (view_of(NETWORK.double(), whole, 64) for _ in range(2))
    assert exact.reach == 70
    narrow.reach = 48
    usual = typical(NETWORK, layers(whole), exact.walk)
    terms = make_terms(picture(*size, seed=1), [picture(70, 90, seed=2)], exact, whole, size, usual, 1)
    (_, right), (_, wrong) = (view.evaluation(terms)(image) for view in (exact, narrow))
    assert (right - wrong).abs().max() > 1e-6 * right.abs().max()


def test_spans_start_on_multiples_and_end_with_the_image() -> None:
    assert spans(250, None, 16, 80) == [(0, 0, 250, 250)]
    assert spans(250, 128, 16, 80) == [(0, 0, 128, 208), (48, 128, 250, 250)]
    for length in range(16, 400, 7):
        found = spans(length, 64, 16, 80)
        assert [s.start for s in found] == [0, *(s.stop for s in found[:-1])]
        assert found[-1].stop == found[-1].after == length
        assert all(s.start % 16 == s.before % 16 == 0 and 0 < s.stop - s.start <= 64 for s in found)


def test_statistics_of_maps_lie_side_by_side() -> None:
    image = picture(129, 200, seed=1)
    layers = ("image", "relu3_1", "relu5_1")
    network = NETWORK.double()
    whole = network(image, layers, pooling="max", padding="reflect")
    view = view_of(network, OptimizeOptions(), 64)
    for name, (found,) in view.statistics(image, {name: (name, as_map) for name in layers}).items():
        torch.testing.assert_close(found, whole[name], rtol=0, atol=1e-12)


MESSAGES = ("could not create a primitive", "[enforce fail] DefaultCPUAllocator: can't allocate memory")


@pytest.mark.parametrize("message", MESSAGES)
def test_when_memory_runs_out_it_goes_on_in_halves(message: str) -> None:
    options = OptimizeOptions(size=250)
    network = NETWORK.float()
    image, style = picture(250, 187, seed=1).float(), picture(70, 90, seed=2).float()
    exact = view_of(network, options)
    usual = typical(network, layers(options), exact.walk)
    terms = make_terms(image, [style], exact, options, (250, 187), usual, 0.1)

    def starved(piece: Tensor, layers: set[str]) -> Any:
        if piece.shape[-2] * piece.shape[-1] > 225 * 187:
            raise RuntimeError(message)
        return exact.walk(piece, layers)

    view = View(starved, exact.strides, exact.reach)
    _, gradient = view.evaluation(terms)(style.new_zeros(image.shape) + 0.5)
    _, whole = exact.evaluation(terms)(style.new_zeros(image.shape) + 0.5)
    assert view.notes == [f"memory ran out; going on in tiles of {side} pixels" for side in (112, 64)]
    assert (gradient - whole).abs().max() < 1e-5 * whole.abs().max()


def test_other_errors_and_the_last_tile_end_it() -> None:
    def broken(piece: Tensor, layers: set[str]) -> Any:
        raise RuntimeError("shapes do not match")

    def starved(piece: Tensor, layers: set[str]) -> Any:
        raise MemoryError

    image = picture(80, 80, seed=1)
    with pytest.raises(RuntimeError, match="shapes"):
        View(broken, {"relu1_1": 1}, 1).statistics(image, {"x": ("relu1_1", as_map)})
    with pytest.raises(DeviceError, match="out of memory: use a smaller --size"):
        View(starved, {"relu1_1": 1}, 1).statistics(image, {"x": ("relu1_1", as_map)})
