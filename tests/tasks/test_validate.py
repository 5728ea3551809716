"""Validation of generators: which weights are better, and the scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from narrow import NARROW
from nets import architecture
from torch import Tensor, nn

from styler.features import Extractor
from styler.image.conditions import Pair
from styler.networks.kinds import build
from styler.networks.layers import Mode
from styler.networks.vgg import random_convolutions
from styler.tasks.validate import Best, better_of, validate


def same(weights: Mapping[str, Tensor], network: nn.Module) -> bool:
    return all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())


def test_better_is_nearer_to_the_eye_and_the_first_of_equals_stays() -> None:
    network = build(architecture(width=4, halvings=2))
    best = better_of(None, 1, {"perceptual": 0.3, "l1": 0.5}, network, "perceptual")
    assert best.step == 1 and same(best.weights, network)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1)
    assert not same(best.weights, network)
    assert better_of(best, 2, {"perceptual": 0.3, "l1": 0.1}, network, "perceptual") is best
    lost = better_of(None, 1, {"perceptual": float("nan")}, network, "perceptual")
    assert better_of(best, 2, lost.scores, network, "perceptual") is best
    assert better_of(lost, 2, {"perceptual": 9.0}, network, "perceptual").step == 2
    assert better_of(best, 2, {"perceptual": 0.29}, network, "perceptual").step == 2
    assert better_of(Best(1, {}, {}), 2, {}, network, "perceptual").step == 2
    assert better_of(best, 2, {"perceptual": 0.9}, network, "last").step == 2
    assert better_of(best, 2, {"perceptual": 0.9}, network, "kernel").step == 2  # of one pair there is none
    near = better_of(None, 1, {"perceptual": 0.9, "kernel": 0.5}, network, "kernel")
    assert better_of(near, 2, {"perceptual": 0.1, "kernel": 0.6}, network, "kernel") is near
    assert better_of(near, 2, {"perceptual": 1.0, "kernel": -0.1}, network, "kernel").step == 2


def test_scores_of_a_perfect_generator() -> None:
    """A pair whose target is what the network makes of its input: no distance is left."""
    network = build(architecture(width=4, halvings=2, norm="instance"))
    inputs = torch.rand(1, 3, 32, 40, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = network(inputs, Mode())
    extractor = Extractor("compact", random_convolutions("compact", NARROW))
    found = validate(network, [Pair(inputs, wanted)] * 2, extractor, Mode())
    assert found["l1"] == 0 and found["psnr"] == 100
    assert found["ssim"] == pytest.approx(1, abs=1e-5) and found["perceptual"] == pytest.approx(0, abs=1e-6)
    assert validate(network, [], extractor, Mode()) == {}
    worse = validate(network, [replace(Pair(inputs, wanted), targets=inputs)], extractor, Mode())
    assert worse["l1"] > 0.1 and worse["perceptual"] > 0.01 and "kernel" not in worse
