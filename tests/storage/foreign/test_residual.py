"""Other tools' networks: plain ones, written from descriptions, paint as ours do with their files."""

import pickle
import re
import zipfile
from pathlib import Path

import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from theirs import Doubled, ErikNetwork, Many, Numbered, RustyNetwork, ScaleShift, affine, tracked

from styler.errors import CheckpointError, InputError
from styler.networks.vgg import random_convolutions
from styler.storage.foreign import residual
from styler.storage.models import vgg

MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
STD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]


def scaled(network, image):
    return network(255 * image) / 255


def swapped(network, image):
    return network(255 * image.flip(1)).flip(1) / 255


def normalized(network, image):
    return network((image - MEAN) / STD) * STD + MEAN


GORDIC = {"ups": ("up1", "up2", "up3"), "kind": Doubled}
DIALECTS = {
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


def reference(convention, network, image):
    """What the other tool paints, cut to the image's size: theirs are up to 3 pixels larger."""
    height, width = image.shape[2:]
    whole = F.pad(image, (0, -width % 4, 0, -height % 4), mode="reflect")
    return convention(network, whole)[..., :height, :width]


def assert_same(theirs, ours):
    assert theirs.shape == ours.shape
    assert (theirs - ours).abs().max() < 1e-4 * theirs.abs().max()


@pytest.mark.parametrize("size", [(64, 48), (37, 50)])
@pytest.mark.parametrize("name", DIALECTS)
@torch.no_grad()
def test_every_dialect_paints_as_before(tmp_path, name, size):
    make, convention, told = DIALECTS[name]
    network = randomized(make())
    torch.save(network.state_dict(), tmp_path / "theirs.pth")
    found = residual.read_foreign(tmp_path / "theirs.pth")
    assert_same(reference(convention, network, photo(*size)), found.network(photo(*size), torch.ones(1, 1)))
    assert found.styles == () and found.network.made.eps == (1e-9 if name == "abhiskk" else 1e-5)
    assert re.search(told, found.found), found.found


@pytest.mark.parametrize("shared", [False, True])
@torch.no_grad()
def test_many_styles_become_rows(tmp_path, shared):
    network = randomized(Numbered(Many, residual_norm=affine if shared else None))
    torch.save(network.state_dict(), tmp_path / "theirs.pth")
    found = residual.read_foreign(tmp_path / "theirs.pth")
    assert found.styles == ("Red", "green_one", "7") and "3 styles" in found.found
    for row, style in enumerate(found.styles):
        for norm in (module for module in network.modules() if isinstance(module, Many)):
            norm.chosen = style
        mix = torch.eye(3)[row : row + 1]
        assert_same(scaled(network, photo(32, 32)), found.network(photo(32, 32), mix))


def state():
    return randomized(Numbered()).state_dict()


def same_as_plain(path):
    ours = residual.read_foreign(path).network(photo(32, 32), torch.ones(1, 1))
    return torch.equal(ours, _plain(path.with_name("plain.pth")))


def _plain(path):
    torch.save(state(), path)
    return residual.read_foreign(path).network(photo(32, 32), torch.ones(1, 1))


WRAPPED = {
    "module": lambda s: {f"module.{key}": value for key, value in s.items()},
    "compiled": lambda s: {f"_orig_mod.module.{key}": value for key, value in s.items()},
    "state_dict": lambda s: {"state_dict": s, "optimizer_state": {"state": {}}, "style_weight": 4e5},
    "model": lambda s: {"epoch": 3, "model": {"state_dict": s}},
    "counted": lambda s: {**s, "in1.num_batches_tracked": torch.tensor(7)},
    "double": lambda s: {key: value.double() for key, value in s.items()},
}


@pytest.mark.parametrize("name", WRAPPED)
@pytest.mark.parametrize("zipped", [True, False])
@torch.no_grad()
def test_wrappers_prefixes_and_old_pickles_make_no_difference(tmp_path, name, zipped):
    path = tmp_path / "wrapped.pth"
    torch.save(WRAPPED[name](state()), path, _use_new_zipfile_serialization=zipped)
    assert same_as_plain(path)


@torch.no_grad()
def test_safetensors_of_another_tool_are_read(tmp_path):
    safetensors.torch.save_file(dict(state()), tmp_path / "theirs.safetensors")
    assert same_as_plain(tmp_path / "theirs.safetensors")


# What is refused


def changed(**values):
    return {**state(), **{key.replace("__", "."): value for key, value in values.items()}}


REFUSED = {
    "left over": (lambda: changed(res6__in1__weight=torch.ones(4)), "has left over res6.in1.weight"),
    "missing": (
        lambda: {key: value for key, value in state().items() if "res5" not in key},
        r"lacks res5.conv1.conv2d.weight, .* and 5 more",
    ),
    "misshapen": (lambda: changed(in2__bias=torch.ones(3)), "has misshapen in2.bias"),
    "huge": (
        lambda: changed(conv2__conv2d__weight=torch.zeros(1).expand(1 << 40)),
        "has misshapen conv2.conv2d.weight",
    ),
    "not finite": (lambda: changed(in2__bias=torch.full((8,), torch.nan)), "not finite in in2.bias"),
    "integers": (
        lambda: changed(in2__bias=torch.ones(8, dtype=torch.int32)),
        "no floating-point .* in2.bias",
    ),
    "first": (
        lambda: changed(conv1__conv2d__weight=torch.ones(3)),
        "first convolution is missing or misshapen",
    ),
    "texts": (lambda: changed(note="mine"), "other things than a network's tensors: 'note'"),
    "sparse": (lambda: changed(in2__bias=torch.ones(8).to_sparse()), "was refused"),
    "style lacks": (
        lambda: {
            key: value
            for key, value in Numbered(Many).state_dict().items()
            if key != "in3.inns.green_one.bias"
        },
        "lacks in3.inns.green_one.bias",
    ),
    "optimizer": (lambda: {"state": {}, "param_groups": [{"lr": 0.1}]}, "state of an optimizer"),
    "list": (lambda: [torch.ones(3)], "holds a list: give a file with a network's state_dict"),
    "nothing": (dict, "keys of no network that is known here: none at all"),
    "VGG": (lambda: {"features.0.weight": torch.ones(64, 3, 3, 3)}, "VGG .* styler weights add"),
    "other": (lambda: {"encoder.weight": torch.ones(3)}, "no network .*: encoder.weight"),
    "itself": (lambda: _endless(), "other things than a network's tensors"),
}


def _endless():
    loop = {"note": 1}
    loop["model"] = loop
    return loop


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_in_one_line(tmp_path, name):
    make, told = REFUSED[name]
    torch.save(make(), tmp_path / "theirs.pth")
    with pytest.raises(CheckpointError, match=told) as refusal:
        residual.read_foreign(tmp_path / "theirs.pth")
    assert "theirs.pth" in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "data, told",
    [
        (b"", "is empty"),
        (b"\x89PNG\r\n\x1a\n" + b"0" * 90, "is a PNG picture"),
        (b"<!doctype html>", "is an HTML page"),
        (b"PK\x03\x04nonsense", "damaged"),
        (b"\x80\x02nonsense", "damaged"),
        (b"nonsense", "of an unknown kind"),
    ],
)
def test_other_files_are_told_what_they_are(tmp_path, data, told):
    (tmp_path / "theirs.pth").write_bytes(data)
    with pytest.raises(CheckpointError, match=told):
        residual.read_foreign(tmp_path / "theirs.pth")


def test_feature_weights_are_told_what_they_are(tmp_path):
    vgg.write(tmp_path / "vgg.safetensors", "vgg19", random_convolutions("vgg19", (1, 1, 1, 1, 1)))
    with pytest.raises(CheckpointError, match="VGG"):
        residual.read_foreign(tmp_path / "vgg.safetensors")


def test_a_file_that_is_not_there_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        residual.read_foreign(tmp_path / "theirs.pth")


class Trap:
    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return Path.touch, (Path(self.canary),)


@pytest.mark.parametrize("write", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value, 2))])
def test_code_in_a_file_is_not_run(tmp_path, write):
    write({**state(), "conv1": Trap(tmp_path / "canary")}, tmp_path / "trap.pth")
    with pytest.raises(CheckpointError, match="code or objects"):
        residual.read_foreign(tmp_path / "trap.pth")
    assert not (tmp_path / "canary").exists()


def test_a_packed_zip_is_not_unpacked(tmp_path):
    torch.save(state(), tmp_path / "plain.pth")
    with (
        zipfile.ZipFile(tmp_path / "plain.pth") as plain,
        zipfile.ZipFile(tmp_path / "packed.pth", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for entry in plain.infolist():
            packed.writestr(entry.filename, plain.read(entry))
    with pytest.raises(CheckpointError, match="compressed ZIP"):
        residual.read_foreign(tmp_path / "packed.pth")
