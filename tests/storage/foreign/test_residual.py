"""Other tools' networks that paint: plain ones, made by their descriptions, paint as ours do."""

import re

import pytest
import torch
import torch.nn.functional as F
from theirs import Doubled, ErikNetwork, Many, Numbered, RustyNetwork, ScaleShift, affine, tracked

from styler.networks.layers import Mode
from styler.storage.foreign import residual
from styler.storage.foreign.read import read

MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
STD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]


def scaled(network, image):
    return network(255 * image) / 255


def swapped(network, image):
    return network(255 * image.flip(1)).flip(1) / 255


def normalized(network, image):
    return network((image - MEAN) / STD) * STD + MEAN


GORDIC = {"ups": ("up1", "up2", "up3"), "kind": Doubled}
LAYOUTS = {
    "pytorch/examples": (Numbered, scaled, "width 4, RGB 0..255"),
    "tracked": (
        lambda: Numbered(tracked),
        scaled,
        "pytorch/examples layout, width 4, RGB 0..255 .*dropped 45",
    ),
    "abhiskk": (lambda: Numbered(ScaleShift), swapped, "abhiskk/.* width 4, BGR 0..255"),
    "gordicaleksa": (lambda: Numbered(**GORDIC), normalized, "width 4, RGB normalized as for ImageNet"),
    "eriklindernoren": (ErikNetwork, normalized, "eriklindernoren/.* normalized as for ImageNet"),
    "rrmina": (RustyNetwork, swapped, "rrmina/.* BGR 0..255"),
}


def randomized(network):
    """Values as of a trained network: gains near 1, offsets, and a last bias in the middle of the range."""
    draw = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in network.parameters():
            mean = 1.0 if parameter.dim() == 1 else 0.0
            parameter.copy_(mean + 0.3 * torch.randn(parameter.shape, generator=draw))
    return network.eval()


def photo(height, width):
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(height))


def read_painter(path):
    return residual.adopt(path, read(path))


def reference(convention, network, image):
    """What the other tool paints, cut to the image's size: theirs are up to 3 pixels larger."""
    height, width = image.shape[2:]
    whole = F.pad(image, (0, -width % 4, 0, -height % 4), mode="reflect")
    return convention(network, whole)[..., :height, :width]


def assert_same(theirs, ours):
    assert theirs.shape == ours.shape
    assert (theirs - ours).abs().max() < 1e-4 * theirs.abs().max()


@pytest.mark.parametrize("size", [(64, 48), (37, 50)])
@pytest.mark.parametrize("name", LAYOUTS)
@torch.no_grad()
def test_every_layout_paints_as_before(tmp_path, name, size):
    make, convention, told = LAYOUTS[name]
    network = randomized(make())
    torch.save(network.state_dict(), tmp_path / "theirs.pth")
    found = read_painter(tmp_path / "theirs.pth")
    ours = found.network(photo(*size), Mode(mix=torch.ones(1, 1)))
    assert_same(reference(convention, network, photo(*size)), ours)
    assert found.styles == () and found.network.config.eps == (1e-9 if name == "abhiskk" else 1e-5)
    assert re.search(told, found.origin), found.origin


@pytest.mark.parametrize("shared", [False, True])
@torch.no_grad()
def test_many_styles_become_rows(tmp_path, shared):
    network = randomized(Numbered(Many, residual_norm=affine if shared else None))
    torch.save(network.state_dict(), tmp_path / "theirs.pth")
    found = read_painter(tmp_path / "theirs.pth")
    assert found.styles == ("Red", "green_one", "7") and "3 styles" in found.origin
    for row, style in enumerate(found.styles):
        for norm in (module for module in network.modules() if isinstance(module, Many)):
            norm.chosen = style
        mix = torch.eye(3)[row : row + 1]
        assert_same(scaled(network, photo(32, 32)), found.network(photo(32, 32), Mode(mix=mix)))
