"""Closed form of a narrow VGG: what it recovers, what it keeps, and the scale of its channels."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from distill import closed_form
from distill.closed_form import Start
from distill.training import widths_of
from distilling import smooth, teacher

from styler.features import Extractor
from styler.networks.vgg import Convolution, random_convolutions

IMAGES = torch.cat([smooth(index) for index in range(4)])


@pytest.fixture(autouse=True)
def few_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closed_form, "SAMPLE", 2000)


def solve(wide: Extractor, widths: str, given: dict[str, Convolution] | None = None) -> Start:
    given, named = given or {}, widths_of(widths)
    draw = torch.Generator().manual_seed(0)
    places = closed_form.positions(IMAGES, [name for name in named if name not in given], draw)
    targets = closed_form.before_relu(wide, IMAGES, places)
    return closed_form.closed_form(IMAGES, named, given, places, targets, 0.5, draw)


def test_first_layer_knows_nothing_of_the_teacher() -> None:
    one, two = (solve(teacher(seed), "8,8,8,8,8").convolutions for seed in (1, 2))
    assert torch.equal(one["conv1_1"][0], two["conv1_1"][0])
    assert not torch.equal(one["conv1_2"][0], two["conv1_2"][0])


def test_given_layers_stay_and_the_rest_follows_them() -> None:
    given = dict(list(random_convolutions("compact", (5,) * 5).items())[:3])
    start = solve(teacher(), "5,6,6,7,8", given={name: given[name] for name in ("conv1_1", "conv1_2")})
    for name in ("conv1_1", "conv1_2"):
        assert torch.equal(start.convolutions[name][0], given[name][0])
    layer = Extractor("compact", start.convolutions, padding="reflect")(IMAGES, ["relu1_2"])["relu1_2"]
    torch.testing.assert_close(
        start.proportions["conv1_2"], layer.square().mean((0, 2, 3)).sqrt(), rtol=1e-2, atol=1e-2
    )
    assert start.convolutions["conv2_1"][0].shape == (6, 5, 3, 3)


def test_first_layer_whitens_patches() -> None:
    patches = torch.randn(5000, 27) @ torch.randn(27, 27) + 3
    weight, bias = closed_form._principal(patches, 6)
    response = patches @ weight.flatten(1).T + bias
    torch.testing.assert_close(response.mean(0), torch.zeros(6), atol=1e-3, rtol=0)
    correlation = (response.T @ response / len(response))[:3, :3] / 2
    torch.testing.assert_close(correlation, torch.eye(3), atol=1e-2, rtol=0)
    torch.testing.assert_close(weight[:3], -weight[3:])


def test_regression_finds_the_convolution() -> None:
    draw = torch.Generator().manual_seed(0)
    images = torch.rand(6, 4, 16, 16, generator=draw)
    weight, bias = torch.randn(5, 4, 3, 3, generator=draw), torch.randn(5, generator=draw)
    where = closed_form.positions(images, ["conv1_2"], draw)["conv1_2"]
    values = F.conv2d(F.pad(images, (1, 1, 1, 1), mode="reflect"), weight, bias)
    found = closed_form._regression(
        closed_form._patches(images, where), values[where[0], :, where[1], where[2]]
    )
    torch.testing.assert_close(found[0], weight, atol=2e-2, rtol=0)
    torch.testing.assert_close(found[1], bias, atol=5e-2, rtol=0)


def test_selection_takes_live_and_different_channels() -> None:
    draw = torch.Generator().manual_seed(0)
    base = torch.randn(500, 3, generator=draw)
    before = torch.cat([base, base[:, :1] * 0.5, -torch.ones(500, 2)], 1)  # a copy, and two that are dead
    picked, scale = closed_form._selection(before, 3, draw)
    rms = F.relu(base).square().mean(0).sqrt()
    assert torch.allclose(scale.sort().values, rms.sort().values)
    assert torch.allclose(F.relu(picked).square().mean(0).sqrt(), torch.ones(3))
    wider, _ = closed_form._selection(before, 6, draw)
    assert wider.shape == (500, 6) and wider.isfinite().all()


def test_balance_keeps_the_features_but_for_their_scale() -> None:
    before = random_convolutions("compact", (8,) * 5, seed=3)
    wanted = {name: torch.linspace(1, 4, 8) for name in before if name not in ("conv1_1", "conv5_1")}
    layers = [name.replace("conv", "relu") for name in before]
    old = Extractor("compact", before, padding="reflect")(IMAGES, layers)
    after = closed_form.balanced(before, IMAGES, wanted)
    new = Extractor("compact", after, padding="reflect")(IMAGES, layers)
    for name in layers:
        ratio = new[name].square().mean((0, 2, 3)).sqrt() / old[name].square().mean((0, 2, 3)).sqrt()
        live = ratio.isfinite()
        expected = old[name] * ratio[None, :, None, None]
        torch.testing.assert_close(new[name][:, live], expected[:, live], atol=1e-3, rtol=1e-2)
    rms = new["relu2_1"].square().mean((0, 2, 3)).sqrt()
    lively = old["relu2_1"].square().mean((0, 2, 3)).sqrt() > 0.1
    proportions = wanted["conv2_1"] / wanted["conv2_1"].square().mean().sqrt()
    torch.testing.assert_close(rms[lively], proportions[lively], atol=1e-2, rtol=1e-2)
    for name in ("relu1_1", "relu5_1"):  # no proportions
        torch.testing.assert_close(new[name], old[name], atol=1e-3, rtol=1e-2)
