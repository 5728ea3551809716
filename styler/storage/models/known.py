"""Known weights of feature networks: their source, licence, hash, and how to tell them apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from styler.errors import WeightsError
from styler.networks.vgg import CAFFE, TORCHVISION, Normalization
from styler.storage.names import display, nearest

_TORCHVISION_LICENCE = "BSD-3-Clause (torchvision)"
_OXFORD_LICENCE = "CC BY 4.0 (Visual Geometry Group, University of Oxford)"


@dataclass(frozen=True)
class Weights:
    """A set of weights.

    Attributes:
        network: one of `networks.vgg.BLOCKS`.
        url: the original file, "" for the built-in one.
        sha256: of the original file; eight digits are the beginning, where the whole is not known.
        bytes: size of the original file, 0 where it is not known.
        normalization: what the weights were trained on.
        corner: conv1_1.weight[0, :, 0, 0], by which the weights in a file are recognized. Their size would
            not do: torchvision's and Oxford's first layers are both near 0.2 though their inputs differ by a
            factor of 58.
    """

    network: str
    url: str
    sha256: str
    bytes: int
    normalization: Normalization
    licence: str
    source: str
    corner: tuple[float, float, float] | None = None


WEIGHTS: Mapping[str, Weights] = {
    "compact": Weights("compact", "", "", 0, TORCHVISION, "MIT", "built in, made by tools/distill"),
    "vgg19": Weights(
        network="vgg19",
        url="https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
        sha256="dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
        bytes=574_673_361,
        normalization=TORCHVISION,
        licence=_TORCHVISION_LICENCE,
        source="torchvision, VGG19_Weights.IMAGENET1K_V1",
        corner=(-0.0535, 0.0170, -0.0449),
    ),
    "vgg16": Weights(
        network="vgg16",
        url="https://download.pytorch.org/models/vgg16-397923af.pth",
        sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        bytes=553_433_881,
        normalization=TORCHVISION,
        licence=_TORCHVISION_LICENCE,
        source="torchvision, VGG16_Weights.IMAGENET1K_V1",
        corner=(-0.5537, 0.1755, 0.3130),
    ),
    "vgg19-caffe": Weights(
        network="vgg19",
        url="https://web.eecs.umich.edu/~justincj/models/vgg19-d01eb7cb.pth",
        sha256="d01eb7cb",
        bytes=0,
        normalization=CAFFE,
        licence=_OXFORD_LICENCE,
        source="Simonyan and Zisserman 2014, converted from Caffe by Justin Johnson",
        corner=(0.3412, 0.4642, 0.3942),
    ),
    "vgg16-caffe": Weights(
        network="vgg16",
        url="https://web.eecs.umich.edu/~justincj/models/vgg16-00b39a1b.pth",
        sha256="00b39a1b",
        bytes=0,
        normalization=CAFFE,
        licence=_OXFORD_LICENCE,
        source="Simonyan and Zisserman 2014, converted from Caffe by Justin Johnson",
        corner=(0.4295, 0.5504, 0.4800),
    ),
}

_CORNER_TOLERANCE = 1e-3  # float16 and the four digits above
_LARGE_FIRST_LAYER = 1.0  # root mean square; 0.19 in Oxford's VGG-19, 11 when folded for inputs near 1


def find(name: str) -> Weights:
    """The record of a name; WeightsError with the nearest one if there is none."""
    if name in WEIGHTS:
        return WEIGHTS[name]
    raise WeightsError(f"no weights are called '{display(name)}'{nearest(name, WEIGHTS)}")


def is_known(name: str, file: Path, first: Tensor) -> bool:
    """Whether `first`, conv1_1's weight [C, 3, 3, 3], is the one known for `name`.

    Raises:
        WeightsError: if it plainly belongs to another name; `file` is for the message.
    """
    corner = first[0, :, 0, 0].float()
    known = {n: torch.tensor(record.corner) for n, record in WEIGHTS.items() if record.corner}
    owner = next(
        (n for n, c in known.items() if torch.allclose(corner, c, rtol=0, atol=_CORNER_TOLERANCE)), None
    )
    if owner not in (None, name):
        raise WeightsError(
            f"{display(file)} holds the weights of {owner}, not those of {name}: "
            f"styler weights add {owner} {display(file)}"
        )
    if WEIGHTS[name].normalization == CAFFE and first.float().square().mean().sqrt() > _LARGE_FIRST_LAYER:
        raise WeightsError(
            f"{display(file)} expects inputs near 1 and {name} gives it 0..255: "
            f"styler weights add {WEIGHTS[name].network} {display(file)}"
        )
    return owner == name
