"""The extractor against torchvision and captum, and its own rules."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styler.device import Form
from styler.errors import InputError, WeightsError
from styler.features import Extractor, pool
from styler.losses.style import moments
from styler.networks.vgg import (
    BLOCKS,
    CAFFE,
    COMPACT_WIDTHS,
    FULL_WIDTHS,
    Normalization,
    layer_names,
    random_convolutions,
    torchvision_keys,
)

NARROW = (4, 6, 8, 10, 12)
ROUGH = Form(torch.bfloat16, torch.channels_last)
PLAIN = Normalization((0, 0, 0), (1, 1, 1))


def relative(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm())


def torchvision_features(network: str, convolutions: dict[str, tuple[Tensor, Tensor]]) -> nn.Sequential:
    """torchvision's own body, its weights replaced by ours."""
    from torchvision.models import vgg16, vgg19

    with torch.device("meta"):  # the classifier's 120 million weights are of no use here
        body = {"vgg16": vgg16, "vgg19": vgg19}[network]().features
    body = body.to_empty(device="cpu")
    state = {}
    for name, key in torchvision_keys(network).items():
        state[f"{key}.weight"], state[f"{key}.bias"] = convolutions[name]
    body.load_state_dict({k.removeprefix("features."): v for k, v in state.items()})
    return body


@pytest.mark.parametrize("network", ["vgg16", "vgg19"])
@pytest.mark.parametrize("size", [(48, 32), (51, 37)])
def test_equals_torchvision_at_every_layer(network: str, size: tuple[int, int]) -> None:
    convolutions = random_convolutions(network, FULL_WIDTHS, seed=1)
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(2))
    names = layer_names(network)
    extractor = Extractor(network, convolutions)
    found = extractor(image, names)
    x = extractor.normalize(image)
    body = torchvision_features(network, convolutions)
    assert len(body) == len(names)
    with torch.no_grad():
        for name, layer in zip(names, body, strict=True):
            x = layer(x.clone())  # torchvision's ReLU works in place
            assert found[name].shape == x.shape
            assert relative(found[name], x) < 1e-5, name


def test_gradient_equals_torchvision() -> None:
    convolutions = random_convolutions("vgg19", FULL_WIDTHS, seed=1)
    extractor = Extractor("vgg19", convolutions)
    body = torchvision_features("vgg19", convolutions)
    image = torch.rand(1, 3, 40, 33, requires_grad=True)
    (ours,) = torch.autograd.grad(extractor(image, ["relu4_1"])["relu4_1"].square().sum(), image)
    depth = layer_names("vgg19").index("relu4_1") + 1
    (theirs,) = torch.autograd.grad(body[:depth](extractor.normalize(image)).square().sum(), image)
    assert relative(ours, theirs) < 1e-5


@pytest.mark.parametrize("padding", ["zero", "replicate", "reflect"])
@pytest.mark.parametrize("size", [(2, 2), (3, 5), (9, 4)])
def test_convolution_passes_gradcheck(padding: str, size: tuple[int, int]) -> None:
    from styler.features import convolve

    weight, bias = torch.randn(4, 3, 3, 3, dtype=torch.double), torch.randn(4, dtype=torch.double)
    backward = weight.flip(2, 3).transpose(0, 1).contiguous()
    x = torch.randn(2, 3, *size, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: convolve(x, weight, bias, backward, padding), x)
    mode = {"zero": "constant"}.get(padding, padding)
    expected = F.conv2d(F.pad(x, (1, 1, 1, 1), mode=mode), weight, bias)
    torch.testing.assert_close(convolve(x, weight, bias, backward, padding), expected)


@pytest.mark.parametrize("rule", ["guided", "deconv"])
def test_relu_rules_equal_captum(rule: str) -> None:
    from captum.attr import Deconvolution, GuidedBackprop

    convolutions = random_convolutions("compact", NARROW, seed=3)
    extractor = Extractor("compact", convolutions, PLAIN)
    modules: list[nn.Module] = []
    for name in layer_names("compact"):
        if name.startswith("conv"):
            weight, bias = convolutions[name]
            modules.append(nn.Conv2d(weight.shape[1], len(weight), 3, padding=1))
            modules[-1].load_state_dict({"weight": weight, "bias": bias})
        else:
            modules.append(nn.ReLU() if name.startswith("relu") else nn.MaxPool2d(2))
    net = nn.Sequential(*modules, nn.Flatten(), nn.LazyLinear(1)).eval()
    image = torch.rand(1, 3, 32, 32)
    net(image)
    nn.init.normal_(net[-1].weight)
    method = {"guided": GuidedBackprop, "deconv": Deconvolution}[rule](net)
    with pytest.warns(UserWarning, match="backward hooks"):
        expected = method.attribute(image.clone().requires_grad_())
    x = image.clone().requires_grad_()
    top = net[-1](extractor(x, ["relu5_1"], relu_rule=rule)["relu5_1"].flatten(1))
    (ours,) = torch.autograd.grad(top.sum(), x)
    assert relative(ours, expected) < 1e-6
    plain_top = net[-1](extractor(x, ["relu5_1"])["relu5_1"].flatten(1))
    (plain,) = torch.autograd.grad(plain_top.sum(), x)
    assert relative(plain, expected) > 0.01


def test_stops_at_the_deepest_layer() -> None:
    extractor = Extractor("vgg19", random_convolutions("vgg19", NARROW))
    image = torch.rand(1, 3, 4, 4)  # far too small for block 5
    assert set(extractor(image, ["relu1_1", "conv2_1", "image"])) == {"relu1_1", "conv2_1", "image"}
    with pytest.raises(InputError, match="16 a side"):
        extractor(image, ["relu5_1"])


def test_names_before_and_after_the_relu() -> None:
    extractor = Extractor("compact", random_convolutions("compact", NARROW))
    found = extractor(torch.rand(1, 3, 32, 32), ["conv4_2", "relu4_2"])
    assert (found["conv4_2"] < 0).any()
    assert torch.equal(found["relu4_2"], found["conv4_2"].clamp_min(0))


def test_unknown_layer_names_the_nearest() -> None:
    extractor = Extractor("compact", random_convolutions("compact", NARROW))
    with pytest.raises(InputError, match=r"'relu4_9'.*relu4_"):
        extractor(torch.rand(1, 3, 32, 32), ["relu4_9"])
    assert "pool4" in extractor.layers
    assert "pool5" not in extractor.layers


def test_nothing_is_trainable_and_nothing_changes() -> None:
    convolutions = random_convolutions("compact", NARROW)
    extractor = Extractor("compact", convolutions)
    assert list(extractor.parameters()) == []
    image = torch.rand(1, 3, 32, 32, requires_grad=True)
    before = image.detach().clone()
    state = {k: v.clone() for k, v in extractor.state_dict().items()}
    sum(x.sum() for x in extractor(image, extractor.layers).values()).backward()
    assert torch.equal(image.detach(), before)
    assert all(torch.equal(state[k], v) for k, v in extractor.state_dict().items())


def test_caffe_order_equals_flipped_weights() -> None:
    convolutions = random_convolutions("compact", NARROW)
    image = torch.rand(1, 3, 32, 32)
    bgr = Extractor("compact", convolutions, CAFFE)(image, ["relu3_1"])["relu3_1"]
    flipped = dict(convolutions)
    weight, bias = flipped["conv1_1"]
    flipped["conv1_1"] = (weight.flip(1), bias)
    rgb = Extractor("compact", flipped, Normalization(CAFFE.mean, CAFFE.std))(image, ["relu3_1"])["relu3_1"]
    assert relative(bgr, rgb) < 1e-6
    means = torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
    expected = image.flip(1) * 255 - means
    assert relative(Extractor("compact", convolutions, CAFFE).normalize(image), expected) < 1e-5


@pytest.mark.parametrize("size", [(2, 2), (7, 6), (8, 9), (5, 5)])
def test_max_pooling_equals_torch_with_ties_and_odd_sizes(size: tuple[int, int]) -> None:
    x = (
        torch.randint(0, 3, (2, 3, *size), generator=torch.Generator().manual_seed(0))
        .float()
        .requires_grad_()
    )
    gradient = torch.randn(2, 3, size[0] // 2, size[1] // 2)
    expected = F.max_pool2d(x, 2)
    assert torch.equal(pool(x, "max"), expected)
    (ours,) = torch.autograd.grad(pool(x, "max"), x, gradient)
    assert torch.equal(ours, torch.autograd.grad(expected, x, gradient)[0])


def test_until_drops_what_lies_deeper() -> None:
    extractor = Extractor("vgg19", random_convolutions("vgg19", NARROW))
    image = torch.rand(1, 3, 32, 32)
    cut = extractor.until({"relu3_1", "relu1_1"})
    assert cut.layers[-1] == "relu3_1"
    assert torch.equal(cut(image, ["relu3_1"])["relu3_1"], extractor(image, ["relu3_1"])["relu3_1"])


def test_pooling_by_hand() -> None:
    x = torch.tensor([[1.0, 2.0, 9.0], [3.0, 4.0, 9.0], [9.0, 9.0, 9.0]]).view(1, 1, 3, 3)
    assert pool(x, "max").tolist() == [[[[4.0]]]]
    assert pool(x, "average").tolist() == [[[[2.5]]]]
    assert pool(x, "l2").item() == pytest.approx((30 / 4) ** 0.5)
    zero = torch.zeros(1, 1, 2, 2, requires_grad=True)
    assert torch.autograd.grad(pool(zero, "l2").sum(), zero)[0].isfinite().all()


def test_widths_are_read_from_the_tensors() -> None:
    extractor = Extractor("compact", random_convolutions("compact", COMPACT_WIDTHS))
    widths = extractor.widths()
    assert [widths[f"relu{b}_1"] for b in range(1, 6)] == list(COMPACT_WIDTHS)


@pytest.mark.parametrize("network", list(BLOCKS))
def test_partial_body_ends_where_its_weights_end(network: str) -> None:
    convolutions = dict(list(random_convolutions(network, NARROW).items())[:4])
    assert Extractor(network, convolutions).layers[-1] == "pool2"
    convolutions.pop("conv2_2")
    assert Extractor(network, convolutions).layers[-1] == "relu2_1"


def test_bad_weights_are_refused() -> None:
    good = random_convolutions("vgg19", NARROW)
    weight, bias = good["conv2_1"]
    cases = {
        "shapes": (weight[:, :2], bias),
        "expected floating": (weight.int(), bias),
        "not finite": (weight * float("nan"), bias),
    }
    for message, pair in cases.items():
        with pytest.raises(WeightsError, match=message):
            Extractor("vgg19", {**good, "conv2_1": pair})
    with pytest.raises(WeightsError, match="expected the layers"):
        Extractor("vgg19", {})
    with pytest.raises(WeightsError, match="conv1_1"):
        Extractor("vgg19", {k: v for k, v in good.items() if k != "conv1_1"})


# Number types and layouts


def form_gradient(extractor: Extractor, image: Tensor) -> tuple[Tensor, Tensor]:
    """Moments of a shallow and a deep layer, and the gradient of their squares' sum by the image."""
    leaf = image.clone().requires_grad_()
    losses = [moments(x).second.square().sum() for _, x in extractor.walk(leaf, {"relu1_1", "relu3_1"})]
    (gradient,) = torch.autograd.grad(torch.stack(losses).sum(), leaf)
    return torch.stack(losses).detach(), gradient


@pytest.mark.parametrize(("form", "near"), [(Form(torch.float32, torch.channels_last), 1e-5), (ROUGH, 0.1)])
def test_network_computes_in_a_form_and_hands_out_float32(form: Form, near: float) -> None:
    convolutions = random_convolutions("vgg19", NARROW, seed=3)
    image = torch.rand(2, 3, 40, 33, generator=torch.Generator().manual_seed(4))
    exact, rough = Extractor("vgg19", convolutions), Extractor("vgg19", convolutions).compute_in(form)
    found = rough(image, ["image", "relu1_1", "pool2", "relu3_1"])
    assert all(x.dtype == torch.float32 for x in found.values())
    assert torch.equal(found["image"], image)
    if form.dtype == torch.bfloat16:
        assert torch.equal(found["relu3_1"], found["relu3_1"].bfloat16().float())
    for one, other in zip(form_gradient(rough, image), form_gradient(exact, image), strict=True):
        assert relative(one, other) < near


def test_moments_do_not_care_how_features_lie() -> None:
    features = torch.rand(2, 5, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    turned = features.transpose(2, 3).contiguous().transpose(2, 3)
    for lying in (
        features.to(memory_format=torch.channels_last),
        turned,
        features[:, :, ::2].repeat(1, 1, 2, 1),
    ):
        for one, other in zip(moments(lying), moments(lying.contiguous()), strict=True):
            assert relative(one, other) < 1e-12
        assert torch.autograd.gradcheck(lambda x: moments(x), lying.requires_grad_())
