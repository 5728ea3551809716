"""Networks that are looked through, among them classifiers: SqueezeNet 1.1, and a VGG with its head."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styler.errors import InputError, WeightsError
from styler.features import Extractor, ReluRule, rectify
from styler.networks.vgg import TORCHVISION, Convolution, ReceptiveField, receptive_fields

SCORES = "scores"
"""The last layer of a classifier: [N, classes], before the softmax."""


class Network(Protocol):
    """A frozen network whose activations are looked at; max pooling is the only one.

    Attributes:
        network: its kind, for messages.
        layers: names, shallow to deep.
        classes: the layer whose channels are classes, before any ReLU; "" where there are none.
        mean: of the pictures that it was trained on, [1, 3, 1, 1].
    """

    network: str
    layers: tuple[str, ...]
    classes: str
    mean: Tensor

    def walk(
        self, image: Tensor, layers: Iterable[str], *, relu_rule: ReluRule = "gradient"
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield activations shallow to deep; raises InputError for an unknown layer or a small picture."""

    def needed(self, layers: set[str]) -> tuple[str, ...]:
        """Layers to compute for `layers`; raises InputError for one that the network does not have."""

    def widths(self) -> dict[str, int]:
        """Layer name -> number of channels."""

    def receptive_fields(self) -> dict[str, ReceptiveField]:
        """Layer name -> the pixels that its units see."""

    def smallest(self, layer: str) -> int:
        """Shortest side in pixels of a picture that the layer can see."""


def activation(network: Network, image: Tensor, layer: str, relu_rule: ReluRule = "gradient") -> Tensor:
    """Activation [N, C, H, W] of one layer; scores are [N, classes, 1, 1]."""
    ((_, x),) = network.walk(image, [layer], relu_rule=relu_rule)
    return x if x.dim() == 4 else x[:, :, None, None]


class HeadedVGG(nn.Module):
    """A whole VGG: its convolutions and the three linear layers that score classes.

    Raises WeightsError where the two do not fit.
    """

    classes = SCORES
    mean: Tensor

    def __init__(self, extractor: Extractor, head: Sequence[Convolution]) -> None:
        super().__init__()
        channels = [49 * extractor.widths()["pool5"], *(len(bias) for _, bias in head)]
        if [weight.shape[1] for weight, _ in head] != channels[:-1]:
            raise WeightsError(f"the head of {extractor.network} does not fit its convolutions")
        self.extractor, self.network = extractor, extractor.network
        self.layers = (*extractor.layers, SCORES)
        self.register_buffer("mean", extractor.mean)
        for index, (weight, bias) in enumerate(head):
            self.register_buffer(f"weight{index}", weight.float())
            self.register_buffer(f"bias{index}", bias.float())

    def walk(
        self, image: Tensor, layers: Iterable[str], *, relu_rule: ReluRule = "gradient"
    ) -> Iterator[tuple[str, Tensor]]:
        """See `Network.walk`."""
        names = set(layers)
        self.needed(names)
        below = names - {SCORES}
        for name, x in self.extractor.walk(
            image, below | {"pool5"} if SCORES in names else below, relu_rule=relu_rule
        ):
            if name in below:
                yield name, x
            if name == "pool5" and SCORES in names:
                yield SCORES, self._scores(x, relu_rule)

    def _scores(self, x: Tensor, relu_rule: ReluRule) -> Tensor:
        x = F.adaptive_avg_pool2d(x, 7).flatten(1)
        for index in range(3):
            x = F.linear(x, self.get_buffer(f"weight{index}"), self.get_buffer(f"bias{index}"))
            x = rectify(x, relu_rule) if index < 2 else x
        return x

    def needed(self, layers: set[str]) -> tuple[str, ...]:
        """See `Network.needed`."""
        below = self.extractor.needed(layers - {SCORES})
        return self.layers if SCORES in layers else below

    def widths(self) -> dict[str, int]:
        """See `Network.widths`."""
        return {**self.extractor.widths(), SCORES: len(self.get_buffer("bias2"))}

    def receptive_fields(self) -> dict[str, ReceptiveField]:
        """See `Network.receptive_fields`; scores see everything and are not in it."""
        return self.extractor.receptive_fields()

    def smallest(self, layer: str) -> int:
        """See `Network.smallest`."""
        return self.extractor.smallest("pool5" if layer == SCORES else layer)


FIRES = {2: (64, 16, 64), 3: (128, 16, 64), 4: (128, 32, 128), 5: (256, 32, 128)} | {
    6: (256, 48, 192),
    7: (384, 48, 192),
    8: (384, 64, 256),
    9: (512, 64, 256),
}
"""Channels before, squeezed and of each half of the fire modules of SqueezeNet 1.1."""
_POOLED = (1, 3, 5)
"""Modules that a pooling of 3x3 follows."""


def squeezenet_shapes(classes: int) -> dict[str, tuple[int, ...]]:
    """Shapes of the weights and biases of SqueezeNet 1.1, by the names of the paper's modules."""
    shapes: dict[str, tuple[int, ...]] = {"conv1": (64, 3, 3, 3), "conv10": (classes, 512, 1, 1)}
    for index, (before, squeezed, half) in FIRES.items():
        shapes[f"fire{index}.squeeze"] = (squeezed, before, 1, 1)
        shapes[f"fire{index}.expand1x1"] = (half, squeezed, 1, 1)
        shapes[f"fire{index}.expand3x3"] = (half, squeezed, 3, 3)
    return shapes


class SqueezeNet(nn.Module):
    """SqueezeNet 1.1 (Iandola et al. 2016), frozen.

    Its layers are conv1, relu1, pool1, then expandN and fireN of each module before and after the ReLU, with
    pool3 and pool5 between them, conv10, relu10 and the scores, which are the means of relu10.
    """

    network = "squeezenet"
    classes = "conv10"
    mean: Tensor
    std: Tensor

    def __init__(self, convolutions: Mapping[str, Convolution]) -> None:
        """Take the convolutions of `squeezenet_shapes`; raises WeightsError for others."""
        super().__init__()
        shapes = squeezenet_shapes(len(convolutions["conv10"][1]) if "conv10" in convolutions else 0)
        if {name: tuple(weight.shape) for name, (weight, _) in convolutions.items()} != shapes:
            raise WeightsError("these are not the layers of SqueezeNet 1.1")
        for name, (weight, bias) in convolutions.items():
            if bias.shape != weight.shape[:1] or not (weight.isfinite().all() and bias.isfinite().all()):
                raise WeightsError(f"SqueezeNet's {name} has a bias of another size, or values not finite")
            self.register_buffer(f"{name.replace('.', '_')}_weight", weight.detach().float())
            self.register_buffer(f"{name.replace('.', '_')}_bias", bias.detach().float())
        self.register_buffer("mean", torch.tensor(TORCHVISION.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(TORCHVISION.std).view(1, 3, 1, 1))
        names = ["conv1", "relu1", "pool1"]
        for index in FIRES:
            names += [f"expand{index}", f"fire{index}", *[f"pool{index}"] * (index in _POOLED)]
        self.layers = (*names, "conv10", "relu10", SCORES)

    def tensors(self) -> dict[str, Tensor]:
        """Weights and biases by the names of `squeezenet_shapes`: `fire2.squeeze.weight`."""
        names = squeezenet_shapes(0)
        parts = [(name, part) for name in names for part in ("weight", "bias")]
        return {f"{n}.{part}": self.get_buffer(f"{n.replace('.', '_')}_{part}") for n, part in parts}

    def walk(
        self, image: Tensor, layers: Iterable[str], *, relu_rule: ReluRule = "gradient"
    ) -> Iterator[tuple[str, Tensor]]:
        """See `Network.walk`."""
        names = set(layers)
        needed = self.needed(names)
        self._check_size(image, needed)
        x = (image - self.mean) / self.std
        for name in needed:
            if name == SCORES:
                x = x.mean((2, 3))
            elif name.startswith("pool"):
                x = F.max_pool2d(x, 3, 2, ceil_mode=True)
            elif name.startswith("expand"):
                x = self._expand(x, int(name[6:]), relu_rule)
            elif name.startswith("conv"):
                x = self._convolve(x, name, stride=2 if name == "conv1" else 1)
            else:
                x = rectify(x, relu_rule)
            if name in names:
                yield name, x

    def _expand(self, x: Tensor, index: int, relu_rule: ReluRule) -> Tensor:
        x = rectify(self._convolve(x, f"fire{index}_squeeze"), relu_rule)
        halves = (self._convolve(x, f"fire{index}_expand{side}x{side}", padding=side // 2) for side in (1, 3))
        return torch.cat(list(halves), 1)

    def _convolve(self, x: Tensor, name: str, stride: int = 1, padding: int = 0) -> Tensor:
        weight, bias = self.get_buffer(f"{name}_weight"), self.get_buffer(f"{name}_bias")
        return F.conv2d(x, weight, bias, stride, padding)

    def smallest(self, layer: str) -> int:
        """See `Network.smallest`; its first convolution, without padding, takes one pixel more."""
        fields = self.receptive_fields()
        return 1 + fields["conv10" if layer == SCORES else layer].stride

    def _check_size(self, image: Tensor, needed: Sequence[str]) -> None:
        least = self.smallest(needed[-1]) if needed else 1
        height, width = image.shape[-2:]
        if min(height, width) < least:
            raise InputError(
                f"{width} x {height} pixels are too few for {needed[-1]}: it wants {least} a side"
            )

    def needed(self, layers: set[str]) -> tuple[str, ...]:
        """See `Network.needed`."""
        for name in sorted(layers - set(self.layers)):
            raise InputError(f"squeezenet has no layer '{name}'; it has {', '.join(self.layers)}")
        return self.layers[: max((self.layers.index(name) + 1 for name in layers), default=0)]

    def widths(self) -> dict[str, int]:
        """See `Network.widths`."""
        channels, widths = 64, dict[str, int]()
        for name in self.layers:
            if name.startswith("expand"):
                channels = 2 * FIRES[int(name[6:])][2]
            elif name == "conv10":
                channels = len(self.get_buffer("conv10_bias"))
            widths[name] = channels
        return widths

    def receptive_fields(self) -> dict[str, ReceptiveField]:
        """See `Network.receptive_fields`; scores see everything and are not in it."""
        windows = {"conv1": (3, 2, 0), "pool": (3, 2, 0), "expand": (3, 1, 1)}
        chain = {}
        for name in self.layers[:-1]:
            kind = name if name == "conv1" else name.rstrip("0123456789")
            chain[name] = windows.get(kind, (1, 1, 0))
        return receptive_fields(chain)
