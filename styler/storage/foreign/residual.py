"""Other tools' trained style networks, read into ours exactly.

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
from typing import NamedTuple

import torch
from torch import Tensor

from styler.networks.transform import RESIDUALS, Architecture, TransformNetwork, Upsampling
from styler.storage.foreign import read
from styler.storage.foreign.read import State

STYLES = 1000  # most that one file may hold
MAX_WIDTH = 512

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

Names = tuple[tuple[str, str], ...]
"""What the convolution and the norm of each block are called, in the order of `TransformNetwork.blocks()`."""

_STATISTICS = re.compile(r".*\.(running_mean|running_var|num_batches_tracked)")
_ONE_OF_MANY = re.compile(r"(.*)\.inns\.([^.]+)\.(.*)")


class Foreign(NamedTuple):
    """A network of another tool, what its file was in words, and what that called its styles if many."""

    network: TransformNetwork
    found: str
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
IMAGENET = Pixels("RGB normalized as for ImageNet", mean=IMAGENET_MEAN, std=IMAGENET_STD)


@dataclass(frozen=True)
class Layout:
    """How one tool names the parameters of Johnson's network; `parts` are gains and offsets of its norms."""

    name: str
    blocks: Names
    last: str
    pixels: Pixels
    parts: tuple[str, str] = ("weight", "bias")
    eps: float = 1e-5
    upsampling: Upsampling = "nearest"


def _numbered(ups: tuple[str, str]) -> Names:
    """The names in pytorch/examples and what descends from it; `ups` are the upsampling convolutions."""
    down = [(f"conv{n}.conv2d", f"in{n}") for n in (1, 2, 3)]
    residual = [
        (f"res{n}.conv{half}.conv2d", f"res{n}.in{half}") for n in range(1, RESIDUALS + 1) for half in (1, 2)
    ]
    return (*down, *residual, (ups[0], "in4"), (ups[1], "in5"))


def _nested(outer: Iterable[str], conv: str, norm: str) -> list[tuple[str, str]]:
    return [(f"{name}.{conv}", f"{name}.{norm}") for name in outer]


EXAMPLES = Layout("pytorch/examples", _numbered(("deconv1.conv2d", "deconv2.conv2d")), "deconv3.conv2d", RGB)
"""Also what kewellcjj's many-style networks descend from: `in1.inns.STYLE.weight` for `in1.weight`."""
ABHISKK = Layout(
    "abhiskk/fast-neural-style", EXAMPLES.blocks, EXAMPLES.last, BGR, parts=("scale", "shift"), eps=1e-9
)
GORDICALEKSA = Layout(
    "gordicaleksa/pytorch-neural-style-transfer-johnson",
    _numbered(("up1.conv2d.conv2d", "up2.conv2d.conv2d")),
    "up3.conv2d",
    IMAGENET,
)
ERIKLINDERNOREN = Layout(
    "eriklindernoren/Fast-Neural-Style-Transfer",
    (
        *_nested((f"model.{n}" for n in (0, 1, 2)), "block.1", "norm"),
        *_nested((f"model.{n}.block.{half}" for n in range(3, 8) for half in (0, 1)), "block.1", "norm"),
        *_nested(("model.8", "model.9"), "block.1", "norm"),
    ),
    "model.10.block.1",
    IMAGENET,
)
RRMINA = Layout(
    "rrmina/fast-neural-style-pytorch",
    (
        *_nested((f"ConvBlock.{n}" for n in (0, 2, 4)), "conv_layer", "norm_layer"),
        *_nested(
            (f"ResidualBlock.{n}.conv{half}" for n in range(RESIDUALS) for half in (1, 2)),
            "conv_layer",
            "norm_layer",
        ),
        *_nested(("DeconvBlock.0", "DeconvBlock.2"), "conv_transpose", "norm_layer"),
    ),
    "DeconvBlock.4.conv_layer",
    BGR,
    upsampling="transpose",
)
LAYOUTS = (EXAMPLES, ABHISKK, GORDICALEKSA, ERIKLINDERNOREN, RRMINA)


# Reading


def read_foreign(path: Path | str) -> Foreign:
    """The network in another tool's file, a pickle old or new or safetensors; no code in it is run.

    Raises:
        CheckpointError: if the file is of another kind, or anything in it is left over, missing, misshapen
            or not finite. InputError: if there is no such file.
    """
    return adopt(path, read.read(path))


def adopt(path: Path | str, state: State) -> Foreign:
    """As `read_foreign`, of what is in the file."""
    kept = {key: tensor for key, tensor in state.items() if not _STATISTICS.fullmatch(key)}
    dropped = len(state) - len(kept)
    with read.refusing(path):
        layout = _recognized(kept)
        kept, styles = _separated(kept)
        network = _empty(layout, kept, len(styles) or 1)
        _fill(network, layout, kept)
    return Foreign(network, _told(layout, network, dropped, styles), styles)


def _recognized(state: State) -> Layout:
    """The layout with the most keys in common."""

    def common(layout: Layout) -> int:
        wanted = {f"{norm}.{part}" for _, norm in layout.blocks for part in layout.parts}
        wanted |= {f"{conv}.{part}" for conv in _convolutions(layout) for part in ("weight", "bias")}
        return len(wanted & state.keys())

    best = max(LAYOUTS, key=common)
    if common(best) > 1:
        return best
    if any(re.search(r"(features|classifier)\.\d+\.weight|conv1_1", key) for key in state):
        raise read.Refusal(
            "holds a VGG or another classifier, not a style network: styler weights add takes a VGG"
        )
    raise read.Refusal(f"has keys of no network that is known here: {read.first(state)}")


def _convolutions(layout: Layout) -> list[str]:
    return [conv for conv, _ in layout.blocks] + [layout.last]


def _separated(state: State) -> tuple[State, tuple[str, ...]]:
    """Parameters of norms stacked to [S, C] if there are those of many styles; and the styles' names."""
    found = [match for match in map(_ONE_OF_MANY.fullmatch, state) if match]
    styles = tuple(dict.fromkeys(match[2] for match in found))
    if len(styles) > STYLES:
        raise read.Refusal(f"holds {len(styles)} styles, and the limit is {STYLES}")
    kept = {key: tensor for key, tensor in state.items() if not _ONE_OF_MANY.fullmatch(key)}
    for norm, part in dict.fromkeys((match[1], match[3]) for match in found):
        rows = {style: f"{norm}.inns.{style}.{part}" for style in styles}
        read.complain("lacks", [key for key in rows.values() if key not in state])
        shape = state[rows[styles[0]]].shape
        fits = len(shape) == 1 and 0 < shape[0] <= 4 * MAX_WIDTH
        read.complain("has misshapen", [k for k in rows.values() if not fits or state[k].shape != shape])
        kept[f"{norm}.{part}"] = torch.stack([state[key] for key in rows.values()])
    return kept, styles


def _empty(layout: Layout, state: State, styles: int) -> TransformNetwork:
    """A network of the right architecture, without values."""
    first = state.get(f"{layout.blocks[0][0]}.weight")
    width = len(first) if first is not None and first.dim() == 4 else 0
    if not 0 < width <= MAX_WIDTH:
        raise read.Refusal(
            f"is in the layout of {layout.name}, but its first convolution is missing or misshapen"
        )
    made = Architecture(width, styles, layout.upsampling, layout.eps)
    with torch.device("meta"):
        return TransformNetwork(made)


def _fill(network: TransformNetwork, layout: Layout, state: State) -> None:
    """Give the network the state's values, folded; every key of the state must be used."""
    names = _names(layout)
    shapes = {key: tensor.shape for key, tensor in network.state_dict().items()}
    wanted = {theirs: shapes[own] for own, theirs in names.items()}
    read.complain("lacks", [key for key in wanted if key not in state])
    read.complain("has left over", [key for key in state if key not in wanted])
    read.complain(
        "holds no floating-point numbers in", [k for k, t in state.items() if not t.is_floating_point()]
    )
    read.complain("has misshapen", [key for key, shape in wanted.items() if not _fits(state[key], shape)])
    values = {own: state[theirs].float().expand(shapes[own]).clone() for own, theirs in names.items()}
    read.complain(
        "has values that are not finite in", [names[k] for k, t in values.items() if not t.isfinite().all()]
    )
    network.load_state_dict(values, assign=True)
    _fold(network, layout.pixels)


def _fits(tensor: Tensor, shape: torch.Size) -> bool:
    """Whether it has the shape, or is a norm's parameter [C] that all styles share where [S, C] is wanted."""
    return tensor.shape == shape or (len(shape) == 2 and tensor.shape == shape[1:])


def _told(layout: Layout, network: TransformNetwork, dropped: int, styles: tuple[str, ...]) -> str:
    told = f"{layout.name} layout, width {network.made.width}, {layout.pixels.text}"
    many = f", {len(styles)} styles" if styles else ""
    return told + many + (f" (dropped {dropped} running statistics)" if dropped else "")


# Names and pixels


def _names(layout: Layout) -> dict[str, str]:
    """Our key -> the layout's."""
    with torch.device("meta"):
        network = TransformNetwork(Architecture(1))
    ours = {module: name for name, module in network.named_modules()}
    plain = ("weight", "bias")
    named: dict[str, str] = {}
    for block, (conv, norm) in zip(network.blocks(), layout.blocks, strict=True):
        named |= {f"{ours[block]}.conv.{part}": f"{conv}.{part}" for part in plain}
        parts = zip(plain, layout.parts, strict=True)
        named |= {f"{ours[block]}.norm.{part}": f"{norm}.{theirs}" for part, theirs in parts}
    return named | {f"last.{part}": f"{layout.last}.{part}" for part in plain}


def _fold(network: TransformNetwork, pixels: Pixels) -> None:
    """Make a network that takes and gives `pixels` take and give RGB in [0, 1], in place."""
    std, mean = torch.tensor(pixels.std), torch.tensor(pixels.mean)
    order = list(pixels.order)
    first, last = network.blocks()[0].conv.weight, network.last
    assert last.bias is not None
    with torch.no_grad():
        first.copy_((first / std[:, None, None])[:, order])  # every `order` is its own inverse
        last.weight.copy_((last.weight * std[:, None, None, None])[order])
        last.bias.copy_((last.bias * std + mean)[order])
