"""Other tools' translators: plain ones, written from descriptions, translate as ours do with their files."""

import functools
import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from theirs import Levels, Nested, Row, paths, pict, through_paths
from torch import nn

from styler.errors import CheckpointError
from styler.networks.pix2pix import Mode
from styler.storage.cards import Translation
from styler.storage.foreign import residual
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
def test_every_dialect_translates_as_before(tmp_path, name):
    make, side, told = KNOWN[name]
    network = randomized(make())
    found = library.read_generator(saved(network, tmp_path / "net_G.pth"))
    image = photo(side, found.network.made.inputs)
    assert_same(theirs(network, image), found.network(image))
    if found.network.made.norm == "batch":
        assert_same(theirs(network, image, trained=False), found.network(image, Mode("stored")))
    assert re.search(told, found.found), found.found
    assert found.card.kind == "translate" and found.card.styles == ()
    assert found.card.information["found"] == found.found and found.card.information["file"] == "net_G.pth"


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
    assert found.network.made.dropout == places
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
        made = found.network.made
        assert made.bottleneck_norm and made.bias and made.norm == "instance" and made.dropout == (1, 2, 3)
        assert f"affinelayer U-Net, {halvings} halvings, width 3, instance norm, 3 to 3" in found.found


WRAPPED = {
    "module": lambda s: {f"module.{key}": value for key, value in s.items()},
    "compiled": lambda s: {f"_orig_mod.module.{key}": value for key, value in s.items()},
    "state_dict": lambda s: {"state_dict": s, "epoch": 3},
    "uncounted": lambda s: {k: v for k, v in s.items() if "num_batches" not in k},
    "double": lambda s: {k: v.double() if v.is_floating_point() else v for k, v in s.items()},
}


@pytest.mark.parametrize("name", WRAPPED)
@torch.no_grad()
def test_wrappers_and_prefixes_make_no_difference(tmp_path, name):
    network = randomized(Nested(4))
    plain = library.read_generator(saved(network, tmp_path / "a.pth")).network
    wrapped = library.read_generator(saved(network, tmp_path / "b.pth", WRAPPED[name])).network
    assert wrapped.made == plain.made and torch.equal(wrapped(photo(32)), plain(photo(32)))


# What is refused

DEEP = "model.model.1.model.3.model"
UP = f"{DEEP}.5.weight"


def without(*words):
    return lambda state: {k: v for k, v in state.items() if not any(word in k for word in words)}


def changed(key, value):
    return lambda state: {**state, key: value}


REFUSED = {
    "left over": (changed("model.model.9.weight", torch.ones(2)), "has left over model.model.9.weight"),
    "stray elsewhere": (changed("more.running_mean", torch.ones(2)), "has left over more.running_mean"),
    "half a layer": (without(f"{DEEP}.6.bias"), rf"lacks {DEEP}.6.bias, so it is no network"),
    "a layer": (without(UP), rf"lacks {UP}"),
    "the end": (without("model.model.3.bias"), "lacks model.model.3.bias"),
    "a bias": (changed(f"{DEEP}.1.bias", torch.ones(12)), r"lacks model.model.0.bias, .* more"),
    "misshapen": (changed(UP, torch.ones(2, 2, 4, 4)), f"has misshapen {UP}"),
    "first": (changed("model.model.0.weight", torch.ones(3)), "has misshapen model.model.0.weight"),
    "empty first": (changed("model.model.0.weight", torch.ones(0, 3, 4, 4)), "its width is 0"),
    "wide": (changed("model.model.0.weight", torch.ones(1).expand(9999, 3, 4, 4)), "its width is 9999"),
    "not finite": (changed(f"{DEEP}.6.bias", torch.full((6,), torch.nan)), "not finite in"),
    "integers": (changed(f"{DEEP}.6.bias", torch.ones(6, dtype=torch.int32)), "no floating-point numbers in"),
    "negative": (changed(f"{DEEP}.6.running_var", -torch.ones(6)), "has negative variances in"),
    "other depth": (without(".3.model.3.model.3.model."), r"lacks .*, so it is no network"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_in_one_line(tmp_path, name):
    change, told = REFUSED[name]
    path = saved(Nested(5), tmp_path / "net_G.pth", change)
    with pytest.raises(CheckpointError, match=told) as refusal:
        library.read(path)
    assert "net_G.pth" in str(refusal.value) and "\n" not in str(refusal.value)


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


@pytest.mark.parametrize("cut", [0, 3, 40, 1000, -1])
def test_a_cut_pict_is_refused(tmp_path, cut):
    data, _ = pict(paths(2))
    (tmp_path / "cats.pict").write_bytes(data[:cut])
    with pytest.raises(CheckpointError, match=r"cats\.pict"):
        library.read(tmp_path / "cats.pict")


@pytest.mark.parametrize(
    "names",
    [b"[{}]", b'[{"name": "a", "shape": [-1]}]', b"[{" + b"[" * 100_000, b'[{"name": "a", "shape": [1e9]}]'],
)
def test_a_pict_that_lies_is_refused(tmp_path, names):
    blocks = (names, bytes(1024), bytes(8))
    (tmp_path / "a.pict").write_bytes(b"".join(len(b).to_bytes(4, "big") + b for b in blocks))
    with pytest.raises(CheckpointError, match=r"a\.pict was refused"):
        library.read(tmp_path / "a.pict")


class Trap:
    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return Path.touch, (Path(self.canary),)


def test_code_in_a_file_is_not_run(tmp_path):
    path = saved(Nested(4), tmp_path / "a.pth", changed("more", Trap(tmp_path / "canary")))
    with pytest.raises(CheckpointError, match="code or objects"):
        library.read(path)
    assert not (tmp_path / "canary").exists()


def test_more_channels_than_pictures_have_are_refused(tmp_path):
    path = saved(Nested(4, inputs=7), tmp_path / "labels.pth")
    with pytest.raises(CheckpointError, match="makes 3 channels of 7: it must make 1 or 3, of 4 at most"):
        library.read_generator(path)


# Style networks and translators


def test_each_is_told_from_the_other(tmp_path):
    path = saved(Nested(4), tmp_path / "net_G.pth")
    with pytest.raises(
        CheckpointError, match=r"net_G\.pth is a translator .*: styler translate --checkpoint"
    ):
        library.read_transform(path)
    with pytest.raises(CheckpointError, match="no network that is known here"):
        residual.read_foreign(path)


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
    }.items():
        with pytest.raises(ValueError, match=f"its {name} is"):
            Translation(**{name: value})
    with pytest.raises(TypeError):
        Translation.of({"translation": {"depth": 3}})
