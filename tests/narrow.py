"""Tiny VGGs in other tools' clothes, for the tests of weights; and a home that no real file is in."""

import math

import torch

from styler.classifiers import squeezenet_shapes
from styler.networks.vgg import TORCHVISION, random_convolutions, torchvision_keys
from styler.storage.models import vgg

NARROW = (4, 4, 6, 6, 8)


def isolate(tmp_path, monkeypatch):
    """Point every folder that styler looks into at `tmp_path`; returns where the weights will be."""
    monkeypatch.setenv("STYLER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("STYLER_OFFLINE", raising=False)
    monkeypatch.setattr(vgg, "_packaged", lambda name: iter(()))
    return tmp_path / "home" / "weights"


def indexed(network="vgg19", seed=0, prefix=""):
    """A narrow network as torchvision names it."""
    keys = torchvision_keys(network)
    state = {}
    for name, (weight, bias) in random_convolutions(network, NARROW, seed).items():
        state[f"{prefix}{keys[name]}.weight"], state[f"{prefix}{keys[name]}.bias"] = weight, bias
    return state


def named(network="vgg19", ending=""):
    state = {}
    for name, (weight, bias) in random_convolutions(network, NARROW).items():
        state[f"{name}{ending}.weight"], state[f"{name}{ending}.bias"] = weight, bias
    return state


def squeezed(classes=10, seed=0):
    """A random SqueezeNet as torchvision names it, with so many classes."""
    draw, state = torch.Generator().manual_seed(seed), {}
    keys = {"conv1": "features.0", "conv10": "classifier.1"}
    for name, shape in squeezenet_shapes(classes).items():
        fire, _, part = name.partition(".")
        key = keys.get(name) or f"features.{(3, 4, 6, 7, 9, 10, 11, 12)[int(fire[4]) - 2]}.{part}"
        spread = (2 / math.prod(shape[1:])) ** 0.5
        state[f"{key}.weight"] = spread * torch.randn(shape, generator=draw)
        state[f"{key}.bias"] = 0.1 * torch.randn(shape[0], generator=draw)
    return state


def saved(path, state, **options):
    torch.save(state, path, **options)
    return path


def same(extractor, convolutions, dtype=torch.float32):
    for name, (weight, bias) in convolutions.items():
        assert torch.equal(extractor.get_buffer(f"{name}_weight"), weight.to(dtype).float())
        assert torch.equal(extractor.get_buffer(f"{name}_bias"), bias.to(dtype).float())
    return True


def slimmed(path, network="vgg19", normalization=TORCHVISION):
    vgg.write(path, network, random_convolutions(network, NARROW), normalization)
    return path
