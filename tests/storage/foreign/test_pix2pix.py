"""Other tools' translators: plain ones, written from descriptions, translate as ours do with their files."""

import functools
import re

import pytest
import torch
import torch.nn.functional as F
from theirs import Levels, Nested, Row, paths, pict, through_paths
from torch import nn

from styler.errors import CheckpointError
from styler.networks.layers import Mode
from styler.storage.cards import Translation
from styler.storage.foreign import residual
from styler.storage.foreign.read import read
from styler.storage.models import library


def randomized(network):
    """Values as of a trained network, statistics too; without dropout."""
    draw = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for key, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                mean = 1.0 if key.endswith("weight") and tensor.dim() == 1 else 0.0
                spread = 0.3 if tensor.dim() == 1 else (2 / tensor[0].numel()) ** 0.5
                tensor.copy_(mean + spread * torch.randn(tensor.shape, generator=draw))
            if key.endswith("running_var"):
                tensor.abs_().add_(2)
        list(network.state_dict().values())[-2].mul_(0.2)  # the last kernel: a picture is not black or white
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.0  # looking at a picture changes nothing
    return network


def photo(side, channels=3):
    return torch.rand(1, channels, side, side, generator=torch.Generator().manual_seed(side))


def theirs(network, image, trained=True):
    """What another tool's network makes of an Image; `trained`: by the picture's statistics."""
    modes = {module: module.training for module in network.modules()}
    network.train(trained)
    for module in network.modules():
        if isinstance(module, nn.InstanceNorm2d):
            module.forward = functools.partial(_plain_instance, module)
    made = (network(2 * image - 1) + 1) / 2
    for module, mode in modes.items():
        module.training = mode
    return made


def _plain_instance(module, x):
    return F.instance_norm(x, eps=module.eps)


def saved(network, path, change=lambda state: state):
    torch.save(change(dict(network.state_dict())), path)
    return path


def assert_same(a, b):
    assert (
        a.shape == b.shape and a.std() > 0.01 and ((a > 0.01) & (a < 0.99)).float().mean() > 0.5
    )  # a picture
    assert (a - b).abs().max() < 1e-5


# Reading

KNOWN = {
    "U-Net 8": (lambda: Nested(8), 256, "junyanz U-Net, 8 halvings, width 3, batch norm, .*dropout unknown"),
    "U-Net 7": (lambda: Nested(7), 128, "junyanz U-Net, 7 halvings"),
    "U-Net 5, grey": (lambda: Nested(5, "batch", 1, 1), 64, "5 halvings, .* 1 to 1 channels"),
    "U-Net 2": (lambda: Nested(2), 64, "2 halvings"),
    "U-Net instance": (lambda: Nested(6, "instance"), 128, "6 halvings, width 3, instance norm"),
    "U-Net old instance": (lambda: Nested(6, "tracked"), 128, r"instance norm.*dropped 18 running stat"),
    "U-Net none": (lambda: Nested(6, "none", 4), 64, "no norm, 4 to 3 channels"),
    "residual 6": (lambda: Row(6), 32, "junyanz residual network, 2 halvings, 6 blocks, .*without dropout"),
    "residual 9": (lambda: Row(9, dropout=True), 32, "9 blocks, .* with dropout"),
    "residual instance": (lambda: Row(6, "instance", dropout=True), 32, "6 blocks, .*instance norm"),
    "residual old instance": (lambda: Row(2, "tracked"), 32, "2 blocks, .*dropped 18 running"),
    "residual none": (lambda: Row(3, "none"), 32, "3 blocks, .*no norm"),
    "HD": (lambda: Row(3, "instance", 4, inputs=4), 64, "pix2pixHD global generator, 4 halvings, 3 blocks"),
    "HD batch": (lambda: Row(2, "batch", 3, bias=True), 64, "pix2pixHD .*3 halvings, 2 blocks.*batch norm"),
    "erik": (Levels, 512, "eriklindernoren U-Net, 8 halvings, .*way down is left out"),
    "erik 5": (lambda: Levels(5), 64, "eriklindernoren U-Net, 5 halvings"),
}


@pytest.mark.parametrize("name", KNOWN)
@torch.no_grad()
def test_every_layout_translates_as_before(tmp_path, name):
    make, side, told = KNOWN[name]
    network = randomized(make())
    found = library.read_generator(saved(network, tmp_path / "net_G.pth"))
    image = photo(side, found.network.config.inputs)
    assert_same(theirs(network, image), found.network(image))
    if found.network.config.norm == "batch":
        assert_same(theirs(network, image, trained=False), found.network(image, Mode("stored")))
    assert re.search(told, found.origin), found.origin
    assert found.card.kind == "translate" and found.card.styles == ()
    assert found.card.information["origin"] == found.origin and found.card.information["file"] == "net_G.pth"


def test_what_a_file_tells_of_its_use(tmp_path):
    about = {}
    networks = (Nested(6), Nested(5), Row(1), Row(1, dropout=True), Levels(4))
    for name, network in zip("abcde", networks, strict=True):
        about[name] = library.read_generator(saved(network, tmp_path / f"{name}.pth")).about
    assert [about[name].dropout for name in "abcde"] == [None, False, False, True, True]
    assert all(
        one.direction is None and one.batch is None and one.statistics == "picture" for one in about.values()
    )
    grey = library.read_generator(saved(Nested(5, outputs=1), tmp_path / "grey.pth"))
    assert grey.about.color == "grey"


@pytest.mark.parametrize("halvings, places", [(5, ()), (7, (2, 3)), (8, (2, 3, 4)), (9, (2, 3, 4, 5))])
def test_dropout_is_where_that_tool_has_it(tmp_path, halvings, places):
    found = library.read_generator(saved(Nested(halvings), tmp_path / "a.pth"))
    assert found.network.config.dropout == places
    plain = [layer.place for layer in found.network.up if layer.place]
    assert tuple(plain) == places


@torch.no_grad()
def test_a_pict_translates_by_its_rounded_values(tmp_path):
    for halvings, side in ((3, 32), (6, 128)):
        data, rounded = pict(paths(halvings))
        (tmp_path / "cats.pict").write_bytes(data)
        found = library.read_generator(tmp_path / "cats.pict")
        image = photo(side)
        whole = through_paths(rounded, 2 * image - 1)
        assert_same((whole + 1) / 2, found.network(image))
        made = found.network.config
        assert made.bottleneck_norm and made.bias and made.norm == "instance" and made.dropout == (1, 2, 3)
        assert f"affinelayer U-Net, {halvings} halvings, width 3, instance norm, 3 to 3" in found.origin


# What is refused


@pytest.mark.parametrize(
    "state, told",
    [
        ({"model.0.weight": torch.ones(4, 6, 4, 4)}, "holds a discriminator: give the generator"),
        ({"net.0.weight": torch.ones(4, 6, 1, 1)}, "holds a discriminator"),
        ({"model1_1.1.weight": torch.ones(4)}, "local enhancer, of which only the global"),
        ({"model.4000000000.conv_block.1.weight": torch.ones(4)}, "its halvings is"),
        ({"model.1.conv_block.1.weight": torch.ones(4)}, "its halvings is -1"),
        ({"down1.model.0.weight": torch.ones(4, 3, 4, 4)}, "lacks final.2.weight"),
        ({"generator/encoder_1/conv2d/kernel": torch.ones(4)}, "lacks generator/decoder_1"),
    ],
)
def test_parts_and_relatives_are_told_what_they_are(tmp_path, state, told):
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=told):
        library.read(tmp_path / "a.pth")


def test_more_channels_than_pictures_have_are_refused(tmp_path):
    path = saved(Nested(4, inputs=7), tmp_path / "labels.pth")
    with pytest.raises(CheckpointError, match="makes 3 channels of 7: it must make 1 or 3, of 4 at most"):
        library.read_generator(path)


# Style networks and translators


def test_each_is_told_from_the_other(tmp_path):
    path = saved(Nested(4), tmp_path / "net_G.pth")
    with pytest.raises(CheckpointError, match=r"net_G\.pth is a translator, .*: styler translate"):
        library.read_transform(path)
    with pytest.raises(CheckpointError, match="no network that is known here"):
        residual.adopt(path, read(path))


def test_translations_are_checked():
    assert Translation.of(
        {"translation": Translation(condition={"name": "edges"}).information["translation"]}
    )
    for name, value in {
        "direction": "AtoC",
        "batch": 0,
        "statistics": "batch",
        "dropout": 1,
        "condition": {"sigma": 1},
        "inputs": 3,
        "color": "cmyk",
        "tints": [[0, 0.5]],
        "labels": {"wall": "#0000ff"},
    }.items():
        with pytest.raises(ValueError, match=f"its {name} is"):
            Translation(**{name: value})
    with pytest.raises(TypeError):
        Translation.of({"translation": {"depth": 3}})
