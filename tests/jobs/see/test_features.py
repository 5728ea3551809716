"""`styler features` as it is typed, and which maps are the strongest."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from narrow import NARROW
from PIL import Image

from styler.classifiers import activation
from styler.features import Extractor
from styler.networks.vgg import random_convolutions
from styler.tasks.see.gradients import strongest, traced

TINY = ("features", "photo.png", "--network", "net.safetensors", "--size", "48", "--top", "3")


@pytest.fixture(scope="module")
def network():
    return Extractor("compact", random_convolutions("compact", NARROW, seed=2))


def test_the_strongest_maps_by_their_sums(network):
    torch.manual_seed(0)
    x = activation(network, torch.rand(1, 3, 40, 56), "relu2_2")
    maps = strongest("relu2_2", x, 99)
    sums = x[0].numpy().astype(np.float64).sum((1, 2))
    assert [one.channel for one in maps] == np.argsort(-sums, kind="stable").tolist()
    assert all(one.sum >= 0 for one in maps)
    for one in maps:
        assert x[0, one.channel, one.row, one.column] == x[0, one.channel].max()
    ties = torch.zeros(1, 5, 4, 4)
    ties[0, 3] = 1
    assert [one.channel for one in strongest("x", ties, 4)] == [3, 0, 1, 2]


@pytest.mark.parametrize("method", ["gradient", "guided", "deconv"])
def test_each_map_is_traced_as_if_it_were_alone(network, method):
    """One forward pass serves all; `map` is the gradient as seeded with the map's own values."""
    torch.manual_seed(0)
    image = torch.rand(1, 3, 40, 36)
    values = {
        "max": lambda x, one: x[0, one.channel, one.row, one.column],
        "sum": lambda x, one: x[0, one.channel].sum(),
        "map": lambda x, one: (x[0, one.channel] * x[0, one.channel].detach()).sum(),
    }
    for how, value in values.items():
        for one, gradient in traced(network, image, ["relu1_2", "relu3_1"], 2, how, method):
            leaf = image.clone().requires_grad_()
            x = activation(network, leaf, one.layer, method)
            (alone,) = torch.autograd.grad(value(x, one), leaf)
            assert torch.allclose(gradient, alone, rtol=1e-4, atol=1e-6)


def test_a_sheet_of_layers_and_its_recipe(run, studio):
    done = run(*TINY, "--layer", "relu3_1,relu1_2", "--json")
    assert done.code == 0, done.err
    recipe = json.loads("\n".join(run("show", "photo-features.png").lines[:-1]))
    assert list(recipe["maps"]) == ["relu1_2", "relu3_1"] and len(recipe["maps"]["relu1_2"]) == 3
    again = run(*run("show", "photo-features.png").lines[-1].split()[1:], "-o", "again.png")
    assert again.code == 0, again.err
    assert (studio / "again.png").read_bytes() == (studio / "photo-features.png").read_bytes()


@pytest.mark.parametrize("unit", ["sum", "map"])
def test_by_default_every_size_of_maps_has_its_last_relu(run, studio, unit):
    done = run("features", "photo.png", "--size", "48", "--top", "2", "--unit", unit, "--method", "guided")
    assert done.code == 0, done.err
    recipe = json.loads("\n".join(run("show", "photo-features.png").lines[:-1]))
    assert list(recipe["maps"]) == ["relu1_2", "relu2_2", "relu3_4", "relu4_4", "relu5_1"]
    with Image.open("photo-features.png") as sheet:
        assert sheet.height > sheet.width


def test_bad_input_is_one_line_and_nothing_is_written(run, studio):
    before = set(studio.iterdir())
    for words, text in (
        (("--layer", "relu9_9"), "no layer"),
        (("--layer", "image"), "styler layers"),
        (("--layer", ","), "no layer"),
        (("-o", "x.txt"), "must end in"),
    ):
        done = run(*TINY, *words)
        assert done.code == 1 and text in done.err and len(done.err.splitlines()) == 1, (words, done.err)
    assert set(studio.iterdir()) == before
