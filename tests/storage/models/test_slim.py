"""Slim files: everything comes back, every lie and every flipped bit is noticed."""

import hashlib
import json

import pytest
import safetensors.torch
import torch
from narrow import NARROW, same

from styler.errors import WeightsError
from styler.networks.vgg import CAFFE, convolution_names, random_convolutions
from styler.storage.models import slim, vgg


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_slim_file_brings_everything_back(tmp_path, dtype):
    convolutions = random_convolutions("compact", NARROW)
    path = tmp_path / "mine.safetensors"
    slim.write_slim(path, "compact", convolutions, CAFFE, "replicate", {"licence": "MIT", "steps": 7}, dtype)
    extractor = slim.read_slim(path)
    assert same(extractor, convolutions, dtype)
    assert (extractor.network, extractor.normalization, extractor.padding) == ("compact", CAFFE, "replicate")
    about = slim.read_about(path)
    assert (about.information["licence"], about.information["steps"]) == ("MIT", 7)
    assert about.layers == convolution_names("compact")
    assert same(vgg.load(str(path)), convolutions, dtype)


def test_slim_file_is_plain_safetensors_with_one_key_of_metadata(tmp_path):
    path = tmp_path / "mine.safetensors"
    slim.write_slim(path, "vgg19", random_convolutions("vgg19", NARROW))
    with safetensors.safe_open(path, "pt") as file:
        assert list(file.metadata()) == ["styler"]
        about = json.loads(file.metadata()["styler"])
    assert about["format"] == 1
    blank = path.read_bytes().replace(about["sha256"].encode(), b"0" * 64)
    assert hashlib.sha256(blank).hexdigest() == about["sha256"]
    again = tmp_path / "again.safetensors"
    slim.write_slim(again, "vgg19", random_convolutions("vgg19", NARROW))
    assert again.read_bytes() == path.read_bytes()


def test_a_flipped_bit_is_noticed_wherever_it_is(tmp_path):
    path = tmp_path / "mine.safetensors"
    first = dict(list(random_convolutions("vgg19", (1, 1, 1, 1, 1)).items())[:2])
    slim.write_slim(path, "vgg19", first)
    whole = path.read_bytes()
    for position in range(0, len(whole), 3):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << (position % 8)
        path.write_bytes(damaged)
        with pytest.raises(WeightsError):
            slim.read_slim(path)


@pytest.mark.parametrize("size", [0, 5, 100, 3000])
def test_cut_slim_file_is_refused(tmp_path, size):
    path = tmp_path / "mine.safetensors"
    slim.write_slim(path, "vgg19", random_convolutions("vgg19", NARROW))
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(WeightsError, match="mine"):
        slim.read_slim(path)


def resealed(path, change):
    """Rewrite a slim file's description, with a right hash over the wrong words."""
    tensors = safetensors.torch.load_file(path)
    with safetensors.safe_open(path, "pt") as file:
        about = json.loads(file.metadata()["styler"])
    about.update({"sha256": "0" * 64, **change})
    data = safetensors.torch.save(tensors, {"styler": json.dumps(about)})
    path.write_bytes(data.replace(b"0" * 64, hashlib.sha256(data).hexdigest().encode(), 1))


@pytest.mark.parametrize(
    "change, told",
    [
        ({"format": 2}, "reads up to 1: pip install --upgrade styler"),
        ({"network": "alexnet"}, "alexnet"),
        ({"padding": "circular"}, "circular"),
        ({"normalization": {"mean": [0, 0], "std": [1, 1], "order": "rgb"}}, "mean"),
        ({"normalization": {"mean": [0, 0, 0], "std": [1, 0, 1], "order": "rgb"}}, "std"),
        ({"normalization": "none"}, "damaged header"),
        ({"network": "vgg16"}, "conv"),
    ],
)
def test_slim_file_with_a_strange_description_is_refused(tmp_path, change, told):
    path = tmp_path / "mine.safetensors"
    slim.write_slim(path, "vgg19", random_convolutions("vgg19", NARROW))
    resealed(path, change)
    with pytest.raises(WeightsError, match=told):
        slim.read_slim(path)


def test_slim_file_is_never_written_with_values_that_overflow(tmp_path):
    convolutions = {"conv1_1": (torch.full((2, 3, 3, 3), 1e6), torch.zeros(2))}
    with pytest.raises(WeightsError, match="not finite"):
        slim.write_slim(tmp_path / "x.safetensors", "vgg19", convolutions, dtype=torch.float16)
    assert not list(tmp_path.iterdir())
