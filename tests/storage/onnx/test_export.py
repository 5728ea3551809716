"""Exported networks paint in onnxruntime what they paint here."""

import sys
from dataclasses import replace

import pytest
import torch
from nets import STYLED, architecture, enlarger, mode_of

from styler.errors import CheckpointError, InputError, OutputError
from styler.networks.enlarge import JOHNSON, SRRESNET, EnlargeArchitecture, mixed
from styler.networks.kinds import build
from styler.networks.layers import Mode
from styler.storage.models import convert as exporting

NETWORKS = {
    "johnson": {"kind": "johnson", "styles": 2},
    "johnson, transposed": {"kind": "johnson", "styles": 2, "upsampling": "transposed"},
    "unet": {},
    "deep": {"halvings": 6, "norm": "instance"},
    "erik": {"norm": "instance", "slope": 0.2, "last": "shifted"},
    "affine": {"norm": "instance", "bias": True, "bottleneck_norm": True},
    "encoder-decoder": {"kind": "encoder-decoder", "inputs": 1, "upsampling": "resize"},
    "residual": {"kind": "residual", "halvings": 2, "blocks": 2, "outputs": 1},
    "deep residual": {"kind": "residual", "halvings": 4, "blocks": 1, "upsampling": "resize", "width": 2},
    "plain": {"norm": "none"},
}


def network(kind="johnson", **fields):
    fields = {"width": 4, **({"styles": 2} if kind == "johnson" else {"halvings": 3}), **fields}
    made = build(architecture(kind, **fields)).eval()
    draw = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for key, tensor in made.state_dict().items():
            spread = 0.3 if tensor.dim() < 4 else (2 / tensor[0].numel()) ** 0.5
            tensor.copy_(spread * torch.randn(tensor.shape, generator=draw) + (key.endswith("norm.weight")))
            if key.endswith("running_var"):
                tensor.abs_().add_(2)
        if kind == "johnson":  # a picture in [0, 1]
            made.last.conv.weight.mul_(0.1)
            made.last.conv.bias.fill_(0.5)
    return made


ENLARGERS = {
    **{
        f"x4, {way}": EnlargeArchitecture(inputs=3, upsampling=way)
        for way in ("shuffle", "nearest", "bilinear", "transposed")
    },
    "x2": EnlargeArchitecture(inputs=3, factor=2),
    "x4 of johnson": JOHNSON,
    "x4 of srresnet": SRRESNET,
}


def session(path):
    return pytest.importorskip("onnxruntime").InferenceSession(path, providers=["CPUExecutionProvider"])


@pytest.fixture(autouse=True)
def extra(request):
    if "without" not in request.node.name:
        pytest.importorskip("onnxruntime")


@pytest.mark.parametrize("statistics", ["picture", "stored"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_file_paints_alike_at_any_size(tmp_path, name, statistics):
    onnx = pytest.importorskip("onnx")
    made = network(**{"kind": "unet", **NETWORKS[name]})
    mode = mode_of(made, statistics=statistics)
    found = exporting.write_onnx(tmp_path / "net.onnx", made, replace(mode, dropout=1))
    least = exporting.smallest_side(made)
    sizes = {tuple(max(side, least) for side in size) for size in exporting.SIZES}
    assert {parity[:2] for parity in found} == sizes and all(parity.difference < 1e-4 for parity in found)
    onnx.checker.check_model(onnx.load(tmp_path / "net.onnx"), full_check=True)
    run = session(tmp_path / "net.onnx").run
    # All remainders of 4, others than its own.
    for count, height, width in (
        (1, 18, 33),
        (3, 21, 40),
        (1, 65, 19),
        (1, 64, 64),
        (2, 33, 18),
        (1, 17, 41),
    ):
        image = torch.rand(
            count, made.config.inputs, height, width, generator=torch.Generator().manual_seed(width)
        )
        with torch.no_grad():
            ours = made(image, mode).clamp(0, 1)
        theirs = torch.from_numpy(run(None, {"image": image.numpy()})[0])
        assert theirs.shape == ours.shape and (theirs - ours).abs().max() < 1e-4
        assert ours.std() > (0.05 if "johnson" in name else 0.01)  # a picture, not a plane


@pytest.mark.parametrize("name", ENLARGERS)
def test_networks_that_enlarge_do_so_alike(tmp_path, name):
    made, mode = enlarger(replace(ENLARGERS[name], width=4, blocks=2)), Mode("stored")
    found = exporting.write_onnx(tmp_path / "net.onnx", made, mode)
    assert len(found) == len(exporting.SIZES) and all(parity.difference < 1e-4 for parity in found)
    file = session(tmp_path / "net.onnx")
    for count, height, width in ((1, 18, 33), (3, 21, 40), (1, 64, 17)):
        image = torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(width))
        with torch.no_grad():
            ours = made(image, mode).clamp(0, 1)
        (theirs,) = file.run(["enlarged"], {"image": image.numpy()})
        assert theirs.shape == (count, 3, made.scale * height, made.scale * width)
        assert (torch.from_numpy(theirs) - ours).abs().max() < 1e-4 and ours.std() > 0.005


def test_levels_of_detail_and_cleaning_are_baked_in(tmp_path):
    """A file takes three channels, and the same levels make the same bytes of the same picture."""
    config = EnlargeArchitecture(width=4, blocks=2)
    networks = enlarger(config), enlarger(config, seed=1)
    image, made = torch.rand(1, 3, 20, 24, generator=torch.Generator().manual_seed(0)), []
    for levels in ((0, 0), (1, 0), (0, 1)):
        network = mixed(*networks, *levels)
        exporting.write_onnx(tmp_path / "net.onnx", network, Mode("stored"))
        made += session(tmp_path / "net.onnx").run(None, {"image": image.numpy()})
        with torch.no_grad():
            assert abs(made[-1] - network(image).clamp(0, 1).numpy()).max() < 1e-4
    assert all(abs(made[0] - other).max() > 0.01 for other in made[1:])


@pytest.mark.parametrize("name", ["deep", "residual", "plain"])
def test_the_margin_of_a_translator_is_in_the_file(tmp_path, name):
    """A picture gets it at the right and at the bottom, and comes out as large as it was."""
    made, mode = network(**{"kind": "unet", **NETWORKS[name]}), Mode("picture")
    found = exporting.write_onnx(tmp_path / "net.onnx", made, mode, margin=20)
    assert all(parity.difference < 1e-4 for parity in found)
    file = session(tmp_path / "net.onnx")
    for height, width in ((64, 64), (33, 70), (17, 18)):
        image = torch.rand(1, made.config.inputs, height, width, generator=torch.Generator().manual_seed(2))
        with torch.no_grad():
            plain = made(image, mode).clamp(0, 1)
            ours = made(torch.nn.functional.pad(image, (0, 20, 0, 20), mode="replicate"), mode).clamp(0, 1)
        theirs = torch.from_numpy(file.run(None, {"image": image.numpy()})[0])
        assert theirs.shape == plain.shape
        assert (theirs - ours[..., :height, :width]).abs().max() < 1e-4 < (theirs - plain).abs().max()


def test_networks_that_reflect_a_map_of_one_pixel_say_how_large_pictures_must_be():
    sides = {
        name: exporting.smallest_side(network(**{"kind": "unet", **NETWORKS[name]})) for name in NETWORKS
    }
    assert sides.pop("deep residual") == 17 and set(sides.values()) == {16}


@pytest.mark.parametrize("kind", ["johnson", "unet"])
def test_styles_and_statistics_are_baked_in(tmp_path, kind):
    made, image, painted = network(kind), torch.rand(1, 3, 32, 32), []
    modes = {
        "johnson": [Mode(mix=mix[None]) for mix in torch.eye(2)],
        "unet": [Mode("picture"), Mode("stored")],
    }
    for mode in modes[kind]:
        exporting.write_onnx(tmp_path / "net.onnx", made, mode)
        (output,) = session(tmp_path / "net.onnx").run(None, {"image": image.numpy()})
        painted.append(output)
    assert abs(painted[0] - painted[1]).max() > 0.01
    (name,) = (one.name for one in session(tmp_path / "net.onnx").get_outputs())
    assert name == {"johnson": "painted", "unet": "translated"}[kind]


def test_a_graph_that_differs_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(
        exporting.Nodes,
        "reflected",
        lambda self, x, margin: self.node(
            "Pad", x, self.constant([0, 0, margin, margin, 0, 0, margin, margin]), mode="edge"
        ),
    )
    with pytest.raises(CheckpointError, match=r"net.onnx is not written: onnxruntime paints \d+x\d+"):
        exporting.write_onnx(tmp_path / "net.onnx", network(), STYLED)
    assert not list(tmp_path.iterdir())


def test_values_that_are_not_finite_are_not_written(tmp_path):
    made = network()
    with torch.no_grad():
        made.last.conv.bias.fill_(torch.nan)
    with pytest.raises(CheckpointError, match="not written"):
        exporting.write_onnx(tmp_path / "net.onnx", made, STYLED)


def test_an_existing_file_is_kept(tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists already"):
        exporting.write_onnx(tmp_path / "net.onnx", network(), STYLED, overwrite=False)
    assert (tmp_path / "net.onnx").read_bytes() == b"mine"


def test_without_the_extra_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match=r"pip install 'onnxruntime>=1.20'"):
        exporting.write_onnx(tmp_path / "net.onnx", network(), STYLED)
