"""`styler layers`, and receptive fields against the support of gradients."""

from __future__ import annotations

import json

import pytest
import torch
from narrow import NARROW, saved, squeezed

from styler.features import Extractor
from styler.networks.vgg import random_convolutions
from styler.storage.models import install

FIELDS = {
    "conv1_1": (3, 1, 1),
    "pool1": (6, 2, 2),
    "conv2_2": (14, 2, 6),
    "conv3_4": (48, 4, 22),
    "pool3": (52, 8, 22),
    "relu4_2": (84, 8, 38),
    "relu5_4": (252, 16, 118),
    "pool5": (268, 32, 118),
}
"""Side, stride and offset in VGG-19, worked out by hand."""


def test_receptive_fields_of_vgg19():
    fields = Extractor("vgg19", random_convolutions("vgg19", NARROW)).receptive_fields()
    assert {name: tuple(fields[name]) for name in FIELDS} == FIELDS


@pytest.mark.parametrize("layer", ["conv1_2", "pool2", "relu3_1", "conv4_2"])
@pytest.mark.parametrize("place", [(0, 0), (2, 1), (-1, -1)])
@pytest.mark.parametrize("rule", ["gradient", "guided", "deconv"])
def test_the_gradient_of_a_unit_stays_in_its_receptive_field(layer, place, rule):
    extractor = Extractor("compact", random_convolutions("compact", NARROW))
    image = torch.rand(1, 3, 50, 43, requires_grad=True)
    x = extractor(image, [layer], relu_rule=rule)[layer]
    row, column = (index % side for index, side in zip(place, x.shape[-2:], strict=True))
    channel = int(x[0, :, row, column].argmax())  # one that a ReLU lets through
    (gradient,) = torch.autograd.grad(x[0, channel, row, column], image)
    box = extractor.receptive_fields()[layer].box(row, column, 50, 43)
    assert gradient[0][:, *box].abs().sum() > 0
    gradient[0][:, *box] = 0
    assert not gradient.any()


def test_the_table_of_layers(run):
    done = run("layers", "--json")
    rows = {row["layer"]: row for row in map(json.loads, done.lines)}
    assert done.code == 0 and len(rows) == 30
    row = rows["relu4_2"]
    assert (row["stride"], row["sees"], row["from"], row["smallest picture"]) == (8, 84, -38, 8)
    assert row["good for"] == "content, dream"
    assert row["Gram parameters"] == row["channels"] * (row["channels"] + 1) // 2


def test_layers_to_dream_of_see_parts_of_things(run, studio):
    install.add("squeezenet", saved(studio / "squeezenet.pth", squeezed()))
    for network, first, last in (("compact", "conv3_1", "relu4_4"), ("squeezenet", "expand4", "fire6")):
        rows = list(map(json.loads, run("layers", "--network", network, "--json").lines))
        names = [row["layer"] for row in rows]
        dreamed = [row["layer"] for row in rows if "dream" in row["good for"]]
        between = names[names.index(first) : names.index(last) + 1]
        assert dreamed == [name for name in between if not name.startswith("pool")]


def test_an_unknown_network_is_one_line(run):
    done = run("layers", "--network", "vgg20")
    assert done.code == 1 and "did you mean" in done.err and len(done.err.splitlines()) == 1
