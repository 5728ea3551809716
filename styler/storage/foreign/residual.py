"""Other tools' networks that paint in styles, read into ours exactly.

Johnson's network is the same everywhere but for the names of its parameters and what its pixels are. Both
ends are folded into the first and the last convolution, so that ours takes and gives RGB in [0, 1] always: a
scale and a swap of channels are linear, and what a mean adds is constant, which reflected borders keep and
the norm after the first convolution takes out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import nn

from styler.networks.residual import ResidualNetwork
from styler.plans import ResidualArchitecture
from styler.storage.foreign import read
from styler.storage.foreign.adopt import Endings, ForeignLayout, ForeignNorms, LayerNames, fill
from styler.storage.foreign.read import Refusal, StateDict, complain

STYLES = 1000  # most that one file may hold
BLOCKS = ResidualArchitecture.blocks
_MAX_WIDTH = 512
NORMS = ForeignNorms("instance", affine=True, biased=True)

_STATISTICS = re.compile(r".*\.(running_mean|running_var|num_batches_tracked)")
_ONE_OF_MANY = re.compile(r"(.*)\.inns\.([^.]+)\.(.*)")


class _ForeignPainter(NamedTuple):
    """A network of another tool, what its file was in words, and what that called its styles if many."""

    network: ResidualNetwork
    origin: str
    styles: tuple[str, ...]


@dataclass(frozen=True)
class Pixels:
    """What a network takes and gives: its channel k is (RGB in [0, 1] at order[k] - mean[k]) / std[k]."""

    text: str
    order: tuple[int, int, int] = (0, 1, 2)
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1 / 255,) * 3


RGB = Pixels("RGB 0..255")
BGR = Pixels("BGR 0..255", order=(2, 1, 0))
_IMAGENET = Pixels("RGB normalized as for ImageNet", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


@dataclass(frozen=True, kw_only=True)
class _PainterLayout(ForeignLayout):
    """How a tool stores Johnson's network; `names` are of its layers in the order in which they work."""

    names: tuple[LayerNames, ...]
    pixels: Pixels
    eps: float = 1e-5
    upsampling: Literal["resize", "transposed"] = "resize"


def _numbered(*ups: str) -> tuple[LayerNames, ...]:
    """The names in pytorch/examples and what descends from it; `ups` are the last three convolutions."""
    down = [LayerNames(f"conv{n}.conv2d", f"in{n}") for n in (1, 2, 3)]
    halves = [f"res{n}.{{}}{half}" for n in range(1, BLOCKS + 1) for half in (1, 2)]
    blocks = [LayerNames(half.format("conv") + ".conv2d", half.format("in")) for half in halves]
    return (*down, *blocks, LayerNames(ups[0], "in4"), LayerNames(ups[1], "in5"), LayerNames(ups[2]))


def _within(modules: Iterable[str], conv: str, norm: str) -> list[LayerNames]:
    return [LayerNames(f"{name}.{conv}", f"{name}.{norm}") for name in modules]


EXAMPLES = _PainterLayout(
    name="pytorch/examples",
    names=_numbered("deconv1.conv2d", "deconv2.conv2d", "deconv3.conv2d"),
    pixels=RGB,
)
"""Also what kewellcjj's many-style networks descend from: `in1.inns.STYLE.weight` for `in1.weight`."""
LAYOUTS = (
    EXAMPLES,
    _PainterLayout(
        name="abhiskk/fast-neural-style",
        names=EXAMPLES.names,
        pixels=BGR,
        endings=Endings(gain=".scale", offset=".shift"),
        eps=1e-9,
    ),
    _PainterLayout(
        name="gordicaleksa/pytorch-neural-style-transfer-johnson",
        names=_numbered("up1.conv2d.conv2d", "up2.conv2d.conv2d", "up3.conv2d"),
        pixels=_IMAGENET,
    ),
    _PainterLayout(
        name="eriklindernoren/Fast-Neural-Style-Transfer",
        names=(
            *_within((f"model.{n}" for n in (0, 1, 2)), "block.1", "norm"),
            *_within((f"model.{n}.block.{half}" for n in range(3, 8) for half in (0, 1)), "block.1", "norm"),
            *_within(("model.8", "model.9"), "block.1", "norm"),
            LayerNames("model.10.block.1"),
        ),
        pixels=_IMAGENET,
    ),
    _PainterLayout(
        name="rrmina/fast-neural-style-pytorch",
        names=(
            *_within((f"ConvBlock.{n}" for n in (0, 2, 4)), "conv_layer", "norm_layer"),
            *_within(
                (f"ResidualBlock.{n}.conv{half}" for n in range(BLOCKS) for half in (1, 2)),
                "conv_layer",
                "norm_layer",
            ),
            *_within(("DeconvBlock.0", "DeconvBlock.2"), "conv_transpose", "norm_layer"),
            LayerNames("DeconvBlock.4.conv_layer"),
        ),
        pixels=BGR,
        upsampling="transposed",
    ),
)


def adopt(path: Path | str, state: StateDict) -> _ForeignPainter:
    """Make the network that has these tensors of a file.

    Raises:
        CheckpointError: if anything is left over, missing, misshapen or not finite.
    """
    parameters = {key: tensor for key, tensor in state.items() if not _STATISTICS.fullmatch(key)}
    with read.refusing(path):
        layout = _recognized(parameters)
        parameters, styles = _stacked(parameters)
        network = _empty(layout, parameters, len(styles) or 1)
        fill(network, layout, layout.names, NORMS, parameters)
    _fold(network, layout.pixels)
    origin = f"{layout.name} layout, width {network.config.width}, {layout.pixels.text}"
    if styles:
        origin += f", {len(styles)} styles"
    if dropped := sum(bool(_STATISTICS.fullmatch(key)) for key in state):
        origin += f" (dropped {dropped} running statistics)"
    return _ForeignPainter(network, origin, styles)


def _recognized(state: StateDict) -> _PainterLayout:
    """The layout with the most keys in common."""

    def common(layout: _PainterLayout) -> int:
        endings = layout.endings
        keys = {f"{own.conv}{end}" for own in layout.names for end in (endings.weight, endings.bias)}
        keys |= {f"{own.norm}{end}" for own in layout.names for end in (endings.gain, endings.offset)}
        return len(keys & state.keys())

    best = max(LAYOUTS, key=common)
    if common(best) > 1:
        return best
    if any(re.search(r"(features|classifier)\.\d+\.weight|conv1_1", key) for key in state):
        raise Refusal(
            "holds a VGG or another classifier, not a style network: styler weights add takes a VGG"
        )
    raise Refusal(f"has keys of no network that is known here: {read.first(state)}")


def _stacked(state: StateDict) -> tuple[StateDict, tuple[str, ...]]:
    """Parameters of norms stacked to [S, C] if there are those of many styles; and the styles' names."""
    matches = [match for match in map(_ONE_OF_MANY.fullmatch, state) if match]
    styles = tuple(dict.fromkeys(match[2] for match in matches))
    if len(styles) > STYLES:
        raise Refusal(f"holds {len(styles)} styles, and the limit is {STYLES}")
    stacked = {key: tensor for key, tensor in state.items() if not _ONE_OF_MANY.fullmatch(key)}
    for norm, part in dict.fromkeys((match[1], match[3]) for match in matches):
        rows = [f"{norm}.inns.{style}.{part}" for style in styles]
        complain("lacks", [key for key in rows if key not in state])
        shape = state[rows[0]].shape
        fits = len(shape) == 1 and 0 < shape[0] <= 4 * _MAX_WIDTH
        complain("has misshapen", [key for key in rows if not fits or state[key].shape != shape])
        stacked[f"{norm}.{part}"] = torch.stack([state[key] for key in rows])
    return stacked, styles


def _empty(layout: _PainterLayout, state: StateDict, styles: int) -> ResidualNetwork:
    """A network of the right architecture, without values."""
    first = state.get(f"{layout.names[0].conv}.weight")
    width = len(first) if first is not None and first.dim() == 4 else 0
    if not 0 < width <= _MAX_WIDTH:
        raise Refusal(f"is in the layout of {layout.name}, but its first convolution is missing or misshapen")
    with torch.device("meta"):
        return ResidualNetwork(
            ResidualArchitecture(width=width, styles=styles, upsampling=layout.upsampling, eps=layout.eps)
        )


def _fold(network: ResidualNetwork, pixels: Pixels) -> None:
    """Make a network that takes and gives `pixels` take and give RGB in [0, 1]."""
    std, mean = torch.tensor(pixels.std), torch.tensor(pixels.mean)
    order = list(pixels.order)  # its own inverse
    first, last = network.down[0].conv, network.last.conv
    assert last.bias is not None
    with torch.no_grad():
        first.weight = nn.Parameter((first.weight / std[:, None, None])[:, order])
        last.weight = nn.Parameter((last.weight * std[:, None, None, None])[order])
        last.bias = nn.Parameter((last.bias * std + mean)[order])
