"""Gradient pictures against captum, torchvision, chains written out and answers worked out by hand."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from narrow import NARROW, squeezed
from scipy.stats import spearmanr
from torch import nn

from styler.classifiers import SCORES, HeadedVGG, SqueezeNet, activation, squeezenet_shapes
from styler.errors import InputError, WeightsError
from styler.events import result_of
from styler.features import Extractor, pool, rectify
from styler.losses.style import gram_error, moments
from styler.networks.vgg import COMPACT_WIDTHS, Normalization, layer_names, random_convolutions
from styler.options.see import DreamOptions, ImagineOptions
from styler.storage.foreign.classifier import _MODULES
from styler.storage.models import vgg
from styler.storage.pictures.load import load_picture
from styler.tasks.see import gradients
from styler.tasks.see.dream import dream
from styler.tasks.see.gradients import METHODS, gradient_at, gradient_of, saliency, shown, traced
from styler.tasks.see.imagine import imagine
from styler.tasks.see.units import Unit, value_of

ROOT = Path(__file__).parents[3]
PLAIN = Normalization((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
CONVOLUTIONS = random_convolutions("vgg19", NARROW, seed=5)
SAME = 1e-10
"""Relative difference of what is equal but for the rounding of float64."""


def relative(x, y):
    return float((x - y).abs().max() / y.abs().max())


def exact(network):
    """A network of ours or of torch that computes in float64, so that only a wrong rule differs."""
    return network.double().eval()


def photo(*size):
    return torch.rand(1, 3, *size, dtype=torch.float64)


def chain(convolutions=CONVOLUTIONS, body="vgg19"):
    """The same VGG of torch's modules, by layer."""
    modules = {}
    for name in layer_names(body):
        if name.startswith("conv"):
            weight, bias = convolutions[name]
            modules[name] = nn.Conv2d(weight.shape[1], len(weight), 3, padding=1)
            modules[name].load_state_dict({"weight": weight, "bias": bias})
        else:
            modules[name] = nn.ReLU() if name.startswith("relu") else nn.MaxPool2d(2)
    return modules


def head(classes=7):
    draw = torch.Generator().manual_seed(1)
    sides = [(12, 49 * NARROW[-1]), (12, 12), (classes, 12)]
    return [(0.1 * torch.randn(side, generator=draw), torch.randn(side[0], generator=draw)) for side in sides]


def captum_method(method, net):
    from captum.attr import Deconvolution, GuidedBackprop, Saliency

    return {"gradient": Saliency, "guided": GuidedBackprop, "deconv": Deconvolution}[method](net)


def attribute(method, net, image, target):
    attribution = captum_method(method, net)
    more = {"abs": False} if method == "gradient" else {}
    return attribution.attribute(image.clone().requires_grad_(), target=target, **more)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # captum's, of its hooks


def test_the_toy_network_of_captum():
    """Its own test: conv of ones, biases -50 and -75; answers as it has them."""
    expected = {
        "gradient": "0111 0111 0111 0000",
        "guided": "0111 1332 1332 1221",
        "deconv": "2331 3552 3552 1221",
    }
    for method, rows in expected.items():
        x = torch.arange(16.0).view(1, 1, 4, 4).requires_grad_()
        y = rectify(F.conv2d(x, torch.ones(2, 1, 3, 3), torch.tensor([-50.0, -75.0])), method).flatten(1)
        weight = torch.tensor([1.0, 1, 1, 1, 1, -1, -1, -1]).expand(4, 8)
        out = rectify(F.linear(y, weight), method)[0, 0]
        assert out == 54
        (gradient,) = torch.autograd.grad(out, x)
        assert gradient.flatten().tolist() == [float(digit) for digit in rows.replace(" ", "")], method


@pytest.mark.parametrize("method", METHODS)
def test_class_scores_of_a_whole_vgg_equal_captum(method):
    network = exact(HeadedVGG(Extractor("vgg19", CONVOLUTIONS, PLAIN), head()))
    linear = [nn.Linear(weight.shape[1], len(weight)) for weight, _ in head()]
    for module, (weight, bias) in zip(linear, head(), strict=True):
        module.load_state_dict({"weight": weight, "bias": bias})
    top = [nn.AdaptiveAvgPool2d(7), nn.Flatten(), linear[0], nn.ReLU(), linear[1], nn.ReLU(), linear[2]]
    net, image = exact(nn.Sequential(*chain().values(), *top)), photo(48, 41)
    assert relative(activation(network, image, SCORES).flatten(1), net(image)) < SAME
    ours = gradient_of(network, image, Unit(SCORES, 3), method)
    assert relative(ours, attribute(method, net, image, 3)) < SAME


@pytest.mark.parametrize("method", METHODS)
def test_class_scores_of_squeezenet_equal_captum_on_torchvisions(method):
    from torchvision.models import squeezenet1_1

    state = squeezed(classes=10)
    theirs = exact(squeezenet1_1(num_classes=10))
    theirs.load_state_dict(state)
    weights = {name: (state[f"{k}.weight"], state[f"{k}.bias"]) for k, name in _MODULES.items()}
    network, image = exact(SqueezeNet(weights)), photo(65, 50)
    normalized = (image - network.mean) / network.std
    scores = activation(network, image, SCORES).flatten(1)
    assert relative(scores, theirs(normalized)) < SAME
    best = int(scores.argmax())
    ours = gradient_of(network, image, Unit(SCORES, best), method)
    expected = attribute(method, theirs, normalized, best) / network.std  # by pixels in [0, 1]
    assert relative(ours, expected) < SAME


@pytest.mark.parametrize("layer", ["conv1_1", "conv2_1", "relu3_2", "conv5_1", "relu5_1", "relu5_4"])
@pytest.mark.parametrize("method", ["guided", "deconv"])
def test_units_of_layers_equal_captum(layer, method):
    from captum.attr import NeuronDeconvolution, NeuronGuidedBackprop

    network, modules = exact(Extractor("vgg19", CONVOLUTIONS, PLAIN)), chain()
    net, image = exact(nn.Sequential(*modules.values())), photo(36, 33)
    kind = {"guided": NeuronGuidedBackprop, "deconv": NeuronDeconvolution}[method]
    x = activation(network, image, layer)
    channel, row, column = (int(i) for i in torch.unravel_index(x[0].argmax(), x.shape[1:]))
    for selector, value in (
        ((channel, row, column), lambda x: x[0, channel, row, column]),
        (lambda x: x[:, channel].sum((1, 2)), lambda x: x[0, channel].sum()),
    ):
        expected = kind(net, modules[layer]).attribute(image.clone().requires_grad_(), selector)
        assert relative(gradient_at(network, image, layer, value, method), expected) < SAME


@pytest.mark.parametrize("size", [(32, 32), (37, 30)])
def test_deconv_equals_unpooling_and_transposed_convolutions_without_bias(size):
    """Zeiler and Fergus 2013, written out: switches, rectified signals, no biases on the way back."""
    layers = ["conv1_1", "relu1_1", "conv1_2", "relu1_2", "pool1", "conv2_1", "relu2_1", "conv2_2"]
    network, modules, image = exact(Extractor("vgg19", CONVOLUTIONS, PLAIN)), chain(), photo(*size)
    exact(nn.Sequential(*modules.values()))
    x, switches, sides = image, [], []
    with torch.no_grad():
        for name in layers:
            sides.append(x.shape)
            if name.startswith("pool"):
                x, indices = F.max_pool2d(x, 2, return_indices=True)
                switches.append(indices)
            else:
                x = modules[name](x)
        signal = torch.zeros_like(x)
        place = torch.unravel_index(x.argmax(), x.shape)
        signal[place] = x[place]
        for name, side in zip(reversed(layers), reversed(sides), strict=True):
            if name.startswith("conv"):
                signal = F.conv_transpose2d(signal, modules[name].weight, padding=1)
            elif name.startswith("relu"):
                signal = signal.clamp_min(0)
            else:
                signal = F.max_unpool2d(signal, switches.pop(), 2, output_size=side)
    one = gradient_at(network, image, "conv2_2", lambda x: x[place], "deconv")
    assert relative(float(x[place]) * one, signal) < SAME


def test_sums_over_places_are_sums_of_pictures_for_the_gradient_only():
    network = exact(Extractor("vgg19", random_convolutions("vgg19", (8,) * 5, seed=5), PLAIN))
    image = photo(24, 24)
    for method in METHODS:
        whole = gradient_at(network, image, "relu3_1", lambda x: x[0, 0].sum(), method)
        side = activation(network, image, "relu3_1").shape[-1]
        parts = [
            gradient_at(network, image, "relu3_1", functools.partial(at, row, column), method)
            for row in range(side)
            for column in range(side)
        ]
        error = relative(torch.stack(parts).sum(0), whole)
        assert error < SAME if method == "gradient" else error > 0.1


def at(row, column, x):
    return x[0, 0, row, column]


def test_with_average_pooling_deconv_would_not_see_the_picture():
    """Why max pooling is forced: the deconvnet sees the picture through the switches alone."""
    images = torch.rand(2, 3, 32, 32)
    for kind, differs in (("average", False), ("max", True)):
        pictures = []
        for image in images:
            x = image[None].requires_grad_()
            y = rectify(pool(rectify(F.conv2d(x, CONVOLUTIONS["conv1_1"][0]), "deconv"), kind), "deconv")
            pictures.append(torch.autograd.grad(y[0, 0].sum(), x)[0])
        assert torch.equal(*pictures) != differs
    network = Extractor("vgg19", CONVOLUTIONS, PLAIN)
    first, second = (gradient_of(network, x[None], Unit("relu3_1", 0), "deconv") for x in images)
    assert not torch.equal(first, second)


def test_saliency_of_a_linear_network_is_its_weights():
    class Linear:
        def walk(self, image, layers, relu_rule):
            yield "scores", (self.weight * image).sum((1, 2, 3), keepdim=True)

    network, image = Linear(), torch.rand(1, 3, 5, 4)
    network.weight = torch.randn(1, 3, 5, 4)
    gradient = gradient_of(network, image, Unit("scores", 0), "gradient")
    assert torch.equal(gradient, network.weight)
    assert torch.equal(saliency(gradient), network.weight.abs().amax(1, keepdim=True))
    assert torch.equal(gradient, gradient_of(network, image, Unit("scores", 0), "gradient"))


def test_the_methods_agree_where_all_is_positive():
    positive = {name: (weight.abs(), bias.abs()) for name, (weight, bias) in CONVOLUTIONS.items()}
    network, image = Extractor("vgg19", positive, PLAIN), torch.rand(1, 3, 24, 20)
    pictures = [gradient_of(network, image, Unit("relu3_1", 2), method) for method in METHODS]
    assert torch.equal(pictures[0], pictures[1]) and torch.equal(pictures[0], pictures[2])


def test_nothing_of_the_network_changes():
    """By any of the tasks: features, a style loss, hooks, gradients and the picture are as they were."""
    network, image = Extractor("vgg19", CONVOLUTIONS), torch.rand(1, 3, 64, 48)
    unit, seen = Unit("relu4_1"), image.clone()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    features = activation(network, image, "relu3_1")
    loss = gram_error(moments(features), moments(features.flip(1)))
    for method in METHODS:
        gradient_of(network, image, unit, method)
        list(traced(network, image, ["relu2_1", "relu4_1"], 2, "max", method))
    result_of(imagine(network, unit, (32, 32), ImagineOptions(steps=2)))
    result_of(dream(image, lambda: ("", value_of(network, unit)), DreamOptions(steps=1, octaves=1)))
    again = activation(network, image, "relu3_1")
    assert torch.equal(again, features) and torch.equal(image, seen) and not image.requires_grad
    assert torch.equal(gram_error(moments(again), moments(again.flip(1))), loss)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(value.requires_grad or value.grad is not None for value in network.buffers())
    assert not list(network.parameters()) and not network._forward_hooks and not network._backward_hooks


def test_guided_pictures_hardly_know_the_network():
    """Adebayo et al. 2018: with random weights gradients change, and guided pictures much less."""
    image = load_picture(ROOT / "examples/cat.jpg", long_side=96).image
    other = Extractor("compact", random_convolutions("compact", COMPACT_WIDTHS, seed=1))
    alike = {}
    for method in ("gradient", "guided"):
        maps = [
            saliency(gradient_of(net, image, Unit("relu4_1"), method)).flatten()
            for net in (vgg.load("compact"), other)
        ]
        alike[method] = spearmanr(*maps).statistic
    assert alike["guided"] > alike["gradient"] + 0.15


def test_values_are_shown_by_their_brightest():
    values = torch.zeros(1, 1, 100, 100)
    values[0, 0, 0, :80] = 2.0
    image = shown(values)
    assert (
        image.shape == (1, 3, 100, 100)
        and image[0, :, 0, 0].tolist() == [1, 1, 1]
        and not image[..., 1, :].any()
    )
    values[0, 0, 0, 0] = 1e6  # one pixel does not make all others black
    assert shown(values)[0, 0, 0, 1] == 1
    signed = shown(torch.tensor([[[[0.0, 1.0, -1.0]]]]), signed=True)
    assert signed[0, 0].tolist() == [[0.5, 1.0, 0.0]]
    assert not shown(torch.zeros(1, 3, 4, 4)).any()


def test_networks_that_do_not_fit_are_refused():
    with pytest.raises(WeightsError, match="does not fit"):
        HeadedVGG(Extractor("vgg19", CONVOLUTIONS), [(torch.zeros(12, 99), torch.zeros(12)), *head()[1:]])
    with pytest.raises(WeightsError, match=r"SqueezeNet 1\.1"):
        SqueezeNet({})
    shapes = squeezenet_shapes(5)
    network = SqueezeNet(
        {name: (torch.zeros(shape), torch.zeros(shape[0])) for name, shape in shapes.items()}
    )
    with pytest.raises(InputError, match="17 a side"):
        activation(network, torch.rand(1, 3, 16, 40), SCORES)
    assert activation(network, torch.rand(1, 3, 17, 40), SCORES).shape == (1, 5, 1, 1)
    assert network.receptive_fields()["fire9"].stride == 16 and network.widths()["fire9"] == 512
    with pytest.raises(InputError, match="no layer 'relu4_1'"):
        activation(network, torch.rand(1, 3, 64, 64), "relu4_1")


@pytest.mark.parametrize("method", METHODS)
def test_a_strongest_place_is_traced_back_through_a_piece_of_the_picture(method, monkeypatch):
    """The same as through the whole picture, at borders and with odd sides too."""
    network, image = vgg.load("compact"), torch.rand(1, 3, 143, 211)
    layers = ("conv1_1", "relu2_2", "pool3", "relu4_1")
    quick = [gradient for _, gradient in traced(network, image, layers, 3, "max", method)]
    monkeypatch.setattr(gradients, "_WORTH", 1e9)
    whole = [gradient for _, gradient in traced(network, image, layers, 3, "max", method)]
    assert all(
        torch.allclose(a, b, rtol=1e-4, atol=1e-6 * float(b.abs().max()))
        for a, b in zip(quick, whole, strict=True)
    )
