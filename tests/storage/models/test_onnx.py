"""Exported networks paint in onnxruntime what they paint here."""

import sys

import pytest
import torch

from styler.errors import CheckpointError, InputError, OutputError
from styler.networks import pix2pix
from styler.networks.pix2pix import GeneratorArchitecture, Mode
from styler.networks.transform import Architecture, TransformNetwork
from styler.storage.models import onnx as exporting
from styler.storage.models import onnx_generators

MIX = torch.tensor([[0.3, 0.7]])


def network(upsampling="nearest"):
    made = TransformNetwork(Architecture(4, 2, upsampling))
    draw = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=draw))
        made.last.weight.mul_(0.1)
        made.last.bias.fill_(0.5)
    return made


def session(path):
    return pytest.importorskip("onnxruntime").InferenceSession(path, providers=["CPUExecutionProvider"])


GENERATORS = {
    "unet": {},
    "deep": {"halvings": 6, "norm": "instance"},
    "erik": {"norm": "instance", "slope": 0.2, "last": "shifted"},
    "affine": {"norm": "instance", "bias": True, "bottleneck_norm": True},
    "encoder-decoder": {"kind": "encoder-decoder", "inputs": 1, "upsampling": "resize"},
    "residual": {"kind": "residual", "halvings": 2, "blocks": 2, "outputs": 1},
    "deep residual": {"kind": "residual", "halvings": 4, "blocks": 1, "upsampling": "resize", "width": 2},
    "plain": {"norm": "none"},
}


def generator(**made):
    found = pix2pix.build(GeneratorArchitecture(**{"width": 4, "halvings": 3, **made})).eval()
    draw = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for key, tensor in found.state_dict().items():
            spread = 0.3 if tensor.dim() == 1 else (2 / tensor[0].numel()) ** 0.5
            tensor.copy_(spread * torch.randn(tensor.shape, generator=draw) + (key.endswith("norm.weight")))
            if key.endswith("running_var"):
                tensor.abs_().add_(2)
    return found


@pytest.fixture(autouse=True)
def extra(request):
    if "without" not in request.node.name:
        pytest.importorskip("onnx")
        pytest.importorskip("onnxruntime")


@pytest.mark.parametrize("upsampling", ["nearest", "transpose"])
def test_the_file_paints_alike_at_any_size(tmp_path, upsampling):
    made = network(upsampling)
    found = exporting.export(tmp_path / "net.onnx", made, MIX)
    assert [parity[:2] for parity in found] == list(exporting.SIZES)
    assert all(parity.difference < 1e-4 for parity in found)
    run = session(tmp_path / "net.onnx").run
    for count, height, width in (
        (1, 18, 33),
        (3, 21, 40),
        (1, 65, 19),
    ):  # all remainders of 4, others than its own
        image = torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(height))
        with torch.no_grad():
            ours = made(image, MIX.expand(count, 2)).clamp(0, 1)
        theirs = torch.from_numpy(run(None, {"image": image.numpy()})[0])
        assert theirs.shape == ours.shape and (theirs - ours).abs().max() < 1e-4
        assert ours.std() > 0.1  # a picture, not a plane


@pytest.mark.parametrize("statistics", ["picture", "stored"])
@pytest.mark.parametrize("name", GENERATORS)
def test_translators_translate_alike_at_any_size(tmp_path, name, statistics):
    made = generator(**GENERATORS[name])
    found = onnx_generators.export(tmp_path / "net.onnx", made, statistics)
    assert len(found) == 3 and all(parity.difference < 1e-4 for parity in found)
    assert all((parity.height, parity.width) != (64, 64) for parity in found)
    run = session(tmp_path / "net.onnx").run
    for count, height, width in ((1, 64, 64), (2, 33, 18), (1, 17, 41)):
        image = torch.rand(
            count, made.made.inputs, height, width, generator=torch.Generator().manual_seed(width)
        )
        with torch.no_grad():
            ours = made(image, Mode(statistics))
        theirs = torch.from_numpy(run(None, {"image": image.numpy()})[0])
        assert theirs.shape == ours.shape and (theirs - ours).abs().max() < 1e-4
        assert ours.std() > 0.01


def test_stored_statistics_are_others_than_the_picture_s(tmp_path):
    made, image = generator(), torch.rand(1, 3, 32, 32)
    painted = []
    for statistics in ("picture", "stored"):
        onnx_generators.export(tmp_path / "net.onnx", made, statistics)
        painted.append(session(tmp_path / "net.onnx").run(None, {"image": image.numpy()})[0])
    assert abs(painted[0] - painted[1]).max() > 0.01


def test_the_blend_is_baked_in(tmp_path):
    made = network()
    image = torch.rand(1, 3, 24, 24)
    painted = []
    for mix in (torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])):
        exporting.export(tmp_path / "net.onnx", made, mix)
        painted.append(session(tmp_path / "net.onnx").run(None, {"image": image.numpy()})[0])
    assert abs(painted[0] - painted[1]).max() > 0.1


def test_a_graph_that_differs_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(
        exporting.Graph,
        "reflected",
        lambda self, x, margin: self.node(
            "Pad", x, self.constant([0, 0, margin, margin, 0, 0, margin, margin]), mode="edge"
        ),
    )
    with pytest.raises(CheckpointError, match=r"net.onnx is not written: onnxruntime paints \d+x\d+"):
        exporting.export(tmp_path / "net.onnx", network(), MIX)
    assert not list(tmp_path.iterdir())


def test_values_that_are_not_finite_are_not_written(tmp_path):
    made = network()
    with torch.no_grad():
        made.last.bias.fill_(torch.nan)
    with pytest.raises(CheckpointError, match="not written"):
        exporting.export(tmp_path / "net.onnx", made, MIX)


def test_an_existing_file_is_kept(tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists already"):
        exporting.export(tmp_path / "net.onnx", network(), MIX, overwrite=False)
    assert (tmp_path / "net.onnx").read_bytes() == b"mine"


def test_without_the_extra_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=r"pip install 'styler\[onnx\]'"):
        exporting.export(tmp_path / "net.onnx", network(), MIX)
