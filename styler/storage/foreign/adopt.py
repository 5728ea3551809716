"""Fill our networks with the tensors of other tools' files, which must fit exactly.

A layer of ours is a convolution, and maybe a norm beside it. What a convolution's bias adds before a norm,
the norm takes out again: it is left out, or taken off the mean that a batch norm has stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from styler.options.translate import GeneratorNorm
from styler.storage.foreign.read import StateDict, complain

COUNTER = ".num_batches_tracked"


class LayerNames(NamedTuple):
    """The names of a layer's convolution and norm in a file; "" where there is no norm."""

    conv: str
    norm: str = ""


@dataclass(frozen=True)
class Endings:
    """What follows such a name in the keys of a convolution's and of a norm's tensors."""

    weight: str = ".weight"
    bias: str = ".bias"
    gain: str = ".weight"
    offset: str = ".bias"
    mean: str = ".running_mean"
    variance: str = ".running_var"


class ForeignNorms(NamedTuple):
    """All norms in a file: their kind, and whether they have gains and offsets, and biases before them."""

    kind: GeneratorNorm
    affine: bool
    biased: bool


@dataclass(frozen=True, kw_only=True)
class ForeignLayout:
    """How a tool stores a network.

    Attributes:
        name: the tool's.
        endings: of its keys.
        channels_last: whether kernels are [h, w, ., .], as TensorFlow has them.
    """

    name: str
    endings: Endings = Endings()
    channels_last: bool = False


class _OwnLayer(NamedTuple):
    """A layer of ours: its convolution and maybe its norm, and where they are in the network."""

    conv_name: str
    conv: nn.Conv2d | nn.ConvTranspose2d
    norm_name: str
    norm: nn.Module | None


def layers(network: nn.Module) -> list[_OwnLayer]:
    """All layers of a network, in the order in which they work."""
    modules = dict(network.named_modules())
    own = []
    for name, module in modules.items():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            norm = f"{name.rpartition('.')[0]}.norm"
            own.append(_OwnLayer(name, module, norm, modules.get(norm)))
    return own


def fill(
    network: nn.Module,
    layout: ForeignLayout,
    names: Sequence[LayerNames],
    norms: ForeignNorms,
    state: StateDict,
) -> None:
    """Give a network without values those of a file; `names` are the file's for `layers(network)`.

    Raises:
        Refusal: if anything is left over, missing, of another type or shape, not finite, or a negative
            variance.
    """
    pairs = list(zip(layers(network), names, strict=True))
    expected: dict[str, tuple[int, ...]] = {}
    for layer, own in pairs:
        expected |= _expected(layer, own, layout, norms, last=own is names[-1])
    complain("lacks", [key for key in expected if key not in state])
    complain("has left over", [key for key in state if key not in expected])
    complain("holds no floating-point numbers in", [k for k, t in state.items() if not t.is_floating_point()])
    complain("has misshapen", [k for k in expected if not _fits(kernel(layout, state[k]), expected[k])])
    complain("has values that are not finite in", [k for k, t in state.items() if not t.isfinite().all()])
    variances = [key for key in expected if key.endswith(layout.endings.variance)]
    complain("has negative variances in", [key for key in variances if (state[key] < 0).any()])
    values = (value for layer, own in pairs for value in _values(layer, own, layout, state))
    network.load_state_dict(dict(values), assign=True)


def kernel(layout: ForeignLayout, tensor: Tensor) -> Tensor:
    """A tensor of the file in PyTorch's order of dimensions."""
    return tensor.permute(3, 2, 0, 1) if layout.channels_last and tensor.dim() == 4 else tensor


def _expected(
    layer: _OwnLayer, names: LayerNames, layout: ForeignLayout, norms: ForeignNorms, last: bool
) -> dict[str, tuple[int, ...]]:
    """Keys that the file must have for a layer, with the shapes that they have in PyTorch."""
    endings, channels = layout.endings, (layer.conv.out_channels,)
    shapes = {names.conv + endings.weight: tuple(layer.conv.weight.shape)}
    if norms.biased or last:
        shapes[names.conv + endings.bias] = channels
    if layer.norm is not None and norms.affine:
        rows = tuple(layer.norm.get_parameter("weight").shape)
        shapes |= {names.norm + endings.gain: rows, names.norm + endings.offset: rows}
    if layer.norm is not None and norms.kind == "batch":
        shapes |= {names.norm + endings.mean: channels, names.norm + endings.variance: channels}
    return shapes


def _fits(tensor: Tensor, shape: tuple[int, ...]) -> bool:
    """Whether it has the shape, or is a norm's parameter [C] that all styles share where [S, C] is wanted."""
    return tensor.shape == shape or (len(shape) == 2 and tensor.shape == shape[1:])


def _values(
    layer: _OwnLayer, names: LayerNames, layout: ForeignLayout, state: StateDict
) -> Iterator[tuple[str, Tensor]]:
    """Our keys of a layer's tensors, and their values."""
    endings, zeros = layout.endings, torch.zeros(layer.conv.out_channels)
    bias = state.get(names.conv + endings.bias, zeros).float()
    yield f"{layer.conv_name}.weight", kernel(layout, state[names.conv + endings.weight]).float().contiguous()
    if layer.conv.bias is not None:
        yield f"{layer.conv_name}.bias", bias.clone()
    if layer.norm is None:
        return
    shape = layer.norm.get_parameter("weight").shape
    for part, ending, default in (("weight", endings.gain, zeros + 1), ("bias", endings.offset, zeros)):
        value = state.get(names.norm + ending, default).float()
        yield f"{layer.norm_name}.{part}", value.expand(shape).clone()
    if names.norm + endings.mean in state:
        yield f"{layer.norm_name}.running_mean", state[names.norm + endings.mean].float() - bias
        yield f"{layer.norm_name}.running_var", state[names.norm + endings.variance].float()
