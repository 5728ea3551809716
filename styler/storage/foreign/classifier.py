"""Other tools' classifiers: SqueezeNet 1.1, and the heads of whole VGGs, under torchvision's names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from styler.classifiers import SqueezeNet
from styler.errors import CheckpointError, WeightsError
from styler.networks.vgg import Convolution
from styler.storage.foreign import read
from styler.storage.names import display

_MODULES = {"features.0": "conv1", "classifier.1": "conv10"} | {
    f"features.{index}.{part}": f"fire{fire}.{part}"
    for fire, index in zip(range(2, 10), (3, 4, 6, 7, 9, 10, 11, 12), strict=True)
    for part in ("squeeze", "expand1x1", "expand3x3")
}
"""torchvision's name of a layer -> ours."""
_HEAD = ("classifier.0", "classifier.3", "classifier.6")


def read_squeezenet(path: Path) -> SqueezeNet:
    """SqueezeNet 1.1 from torchvision's state dict or a file of ours; no code in it is run.

    Raises WeightsError if the file holds anything else.
    """
    tensors = _tensors(path)
    ours = {name: _pair(tensors, name) or _pair(tensors, key) for key, name in _MODULES.items()}
    found = {name: pair for name, pair in ours.items() if pair}
    if len(found) < len(ours):
        raise WeightsError(f"{display(path)} does not hold squeezenet: it has {read.first(tensors)}")
    try:
        return SqueezeNet(found)
    except WeightsError as error:
        raise WeightsError(f"{display(path)}: {error}") from error


def read_head(path: Path) -> list[Convolution]:
    """The three linear layers of a whole VGG, none where the file holds its convolutions only."""
    tensors = _tensors(path)
    return [pair for name in _HEAD if (pair := _pair(tensors, name))]


def _tensors(path: Path) -> Mapping[str, Tensor]:
    try:
        return read.read(path)
    except CheckpointError as error:
        raise WeightsError(str(error)) from error


def _pair(tensors: Mapping[str, Tensor], name: str) -> Convolution | None:
    weight, bias = (tensors.get(f"{name}.{part}") for part in ("weight", "bias"))
    return None if weight is None or bias is None else (weight, bias)
