"""Tiny VGGs in other tools' clothes, for the tests of weights; and a home that no real file is in."""

import torch

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
