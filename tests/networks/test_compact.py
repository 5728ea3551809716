"""The built-in network: small, of known origin, and its channels of one scale."""

import torch
import torch.nn.functional as F

from styler.networks.vgg import VGGArchitecture, convolution_names
from styler.storage.models import vgg


def test_what_is_shipped_is_small_and_says_where_it_comes_from() -> None:
    path = vgg.built_in()
    assert path is not None and path.stat().st_size < 6_000_000
    about = vgg.read_card(path)
    network = VGGArchitecture.of(about.network)
    assert network.body == "compact" and network.padding == "reflect"
    assert network.layers == convolution_names("compact") and about.licence == "MIT"
    training = about.information["training"]
    assert training["teachers"] and training["options"]["steps"] > 1000
    assert "CC BY 2.0" in training["credits"] and "Simonyan" in training["credits"]


def test_channels_of_what_is_shipped_have_one_scale() -> None:
    extractor = vgg.load("compact")
    layers = ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"]
    coarse = torch.rand(32, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    noise = F.interpolate(coarse, (32, 32), mode="bilinear")
    for features in extractor(noise, layers).values():
        rms = features.square().mean((0, 2, 3)).sqrt()
        assert rms.isfinite().all() and (rms > 0).float().mean() > 0.9
