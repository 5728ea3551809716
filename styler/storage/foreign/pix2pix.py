"""Other tools' translators, read into ours exactly, whatever they call their parameters (see `dialects`).

What a bias adds before a norm, the norm takes out again: it is left out, or taken off the mean that a batch
norm has stored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from styler.networks import kinds
from styler.networks.pix2pix import Generator, GeneratorArchitecture, Layer, UNet
from styler.options.translate import GeneratorNorm
from styler.storage.cards import Translation
from styler.storage.foreign import dialects, read
from styler.storage.foreign.dialects import Dialect, Place
from styler.storage.foreign.read import Refusal, State, complain

OTHERS = {
    r"model1_1\.1\.weight": "pix2pixHD's local enhancer, of which only the global generator is known here",
    r"(model|net)\.0\.weight|(scale\d_)?layer0\.0\.weight": "a discriminator: give the generator (net_G)",
}
"""What files hold that come with translators, by a key."""
COUNTED = ".num_batches_tracked"


class Foreign(NamedTuple):
    """A network of another tool, what its file was in words, and what that tells of its use."""

    network: Generator
    found: str
    about: Translation


class Norms(NamedTuple):
    """Of all norms in a file: which kind, whether with gains and offsets, and convolutions' biases before."""

    kind: GeneratorNorm
    affine: bool
    biased: bool


def knows(state: State) -> bool:
    """Whether these are the tensors of a translator, or of a part of one."""
    return dialects.recognized(state) is not None or _other(state) is not None


def adopt(path: Path | str, state: State) -> Foreign:
    """The network that has these tensors.

    Raises:
        CheckpointError: if anything is left over, missing, misshapen or not finite.
    """
    with read.refusing(path):
        dialect = dialects.recognized(state)
        if dialect is None:
            raise Refusal(f"holds {_other(state)}")
        told = dialect.told(state)
        _empty(told)  # which refuses strange numbers of layers
        norms = _norms(dialect, told, state)
        unused = _unused(dialect, told, norms, state)
        kept = {key: tensor for key, tensor in state.items() if key not in unused}
        network = _empty(_architecture(dialect, told, norms, kept))
        _fill(network, dialect, norms, kept)
    dropped = sum(not key.endswith(COUNTED) for key in unused)
    about = Translation(
        dropout=dialect.trained_with_dropout(told), color="grey" if network.made.outputs == 1 else "rgb"
    )
    return Foreign(network, _told(dialect, network.made, about, dropped), about)


def layers(network: Generator) -> list[Layer]:
    """All layers in the order in which they work."""
    return [module for module in network.modules() if isinstance(module, Layer)]


def _other(state: State) -> str | None:
    """What a file is that is no generator but comes with one."""
    return next(
        (what for mark, what in OTHERS.items() if any(re.fullmatch(mark, key) for key in state)), None
    )


# Which architecture


def _norms(dialect: Dialect, told: GeneratorArchitecture, state: State) -> Norms:
    """Told by what there is of the first norm, and by a bias anywhere but at the end, where all have one."""
    parts, places = dialect.parts, dialect.places(told)
    norm = next((place.norm for place in places if place.norm), "")
    biased = any(place.conv + parts.bias in state for place in places[:-1])
    if norm + parts.gain in state:
        return Norms("batch" if norm + parts.mean in state else "instance", True, biased)
    return Norms(dialect.plain or ("instance" if biased else "none"), False, biased)


def _unused(dialect: Dialect, told: GeneratorArchitecture, norms: Norms, state: State) -> set[str]:
    """Keys of norms that do nothing: counters, and statistics, which PyTorch before 0.4 kept for any norm."""
    statistics = (dialect.parts.mean, dialect.parts.variance) if norms.kind == "instance" else ()
    found = {place.norm + ending for place in dialect.places(told) for ending in (COUNTED, *statistics)}
    return found & state.keys()


def _architecture(
    dialect: Dialect, told: GeneratorArchitecture, norms: Norms, state: State
) -> GeneratorArchitecture:
    """With the channels, by the shapes of the first and the last convolution."""
    places = dialect.places(told)
    ends = [places[0].conv + dialect.parts.weight, places[-1].conv + dialect.parts.weight]
    complain("lacks", [key for key in ends if key not in state])
    complain("has misshapen", [key for key in ends if state[key].dim() != 4])
    first, last = (_kernel(dialect, state[key]) for key in ends)
    doubles = told.kind == "unet" and told.last == "same"
    return replace(
        told,
        width=first.shape[0],
        inputs=first.shape[1],
        outputs=last.shape[1 if doubles else 0],
        norm=norms.kind,
        bias=norms.biased and told.kind == "unet",
    )


def _empty(made: GeneratorArchitecture) -> Generator:
    try:
        return cast(Generator, kinds.empty("translate", asdict(made)))
    except ValueError as error:
        raise Refusal(f"is no generator that can be used here: its {error}") from error


# Its values


def _fill(network: Generator, dialect: Dialect, norms: Norms, state: State) -> None:
    """Give the network the state's values; every key of the state must be used."""
    pairs = list(zip(layers(network), dialect.places(network.made), strict=True))
    wanted: dict[str, tuple[int, ...]] = {}
    for layer, place in pairs:
        wanted |= _wanted(layer, place, dialect, norms, last=layer is pairs[-1][0])
    complain("lacks", [key for key in wanted if key not in state])
    complain("has left over", [key for key in state if key not in wanted])
    complain("holds no floating-point numbers in", [k for k, t in state.items() if not t.is_floating_point()])
    complain("has misshapen", [key for key in wanted if _kernel(dialect, state[key]).shape != wanted[key]])
    complain("has values that are not finite in", [k for k, t in state.items() if not t.isfinite().all()])
    variances = [key for key in wanted if key.endswith(dialect.parts.variance)]
    complain("has negative variances in", [key for key in variances if (state[key] < 0).any()])
    names = {module: name for name, module in network.named_modules()}
    values = {
        f"{names[layer]}.{part}": tensor
        for layer, place in pairs
        for part, tensor in _values(layer, place, dialect, state)
    }
    for layer in layers(network):
        if _joins(network, layer) and dialect.decoder_first:
            key = f"{names[layer]}.conv.weight"
            values[key] = values[key].roll(values[key].shape[_input(layer)] // 2, _input(layer))
    network.load_state_dict(values, assign=True)


def _wanted(
    layer: Layer, place: Place, dialect: Dialect, norms: Norms, last: bool
) -> dict[str, tuple[int, ...]]:
    """Keys that the file must have for a layer, with the shapes that they have in PyTorch."""
    parts, channels = dialect.parts, (layer.conv.out_channels,)
    found = {place.conv + parts.weight: tuple(layer.conv.weight.shape)}
    if norms.biased or last:
        found[place.conv + parts.bias] = channels
    if layer.norm is not None and norms.affine:
        found |= {place.norm + parts.gain: channels, place.norm + parts.offset: channels}
    if layer.norm is not None and norms.kind == "batch":
        found |= {place.norm + parts.mean: channels, place.norm + parts.variance: channels}
    return found


def _values(layer: Layer, place: Place, dialect: Dialect, state: State) -> Iterator[tuple[str, Tensor]]:
    """Our names of a layer's tensors, and their values."""
    parts = dialect.parts
    weight = _kernel(dialect, state[place.conv + parts.weight]).float()
    nothing = torch.zeros(layer.conv.out_channels)
    bias = state.get(place.conv + parts.bias, nothing).float()
    yield "conv.weight", weight.contiguous()
    if layer.conv.bias is not None:
        yield "conv.bias", bias
    if layer.norm is None:
        return
    yield "norm.weight", state.get(place.norm + parts.gain, nothing + 1).float()
    yield "norm.bias", state.get(place.norm + parts.offset, nothing).float()
    if layer.norm.kind == "batch":
        yield "norm.running_mean", state[place.norm + parts.mean].float() - bias
        yield "norm.running_var", state[place.norm + parts.variance].float()


def _kernel(dialect: Dialect, tensor: Tensor) -> Tensor:
    """A tensor of the file as PyTorch lays it out."""
    return tensor.permute(3, 2, 0, 1) if dialect.channels_last and tensor.dim() == 4 else tensor


def _input(layer: Layer) -> int:
    """The dimension of a layer's kernel that its inputs are in."""
    return 0 if layer.up == "transposed" else 1


def _joins(network: Generator, layer: Layer) -> bool:
    """Whether a layer sees what a skip brings, too."""
    skips = isinstance(network, UNet) and network.made.kind == "unet"
    return skips and layer.up is not None and layer is not cast(nn.ModuleList, network.up)[0]


# In words


def _told(dialect: Dialect, made: GeneratorArchitecture, about: Translation, dropped: int) -> str:
    depth = f", {made.blocks} blocks" if made.kind == "residual" else ""
    dropout = {True: "with dropout", False: "without dropout", None: "dropout unknown"}[about.dropout]
    norm = "no" if made.norm == "none" else made.norm
    told = (
        f"{dialect.name}, {made.halvings} halvings{depth}, width {made.width}, {norm} norm, "
        f"{made.inputs} to {made.outputs} channels, {dropout}"
    )
    lost = [dialect.note] * bool(dialect.note) + [f"dropped {dropped} running statistics"] * bool(dropped)
    return told + (f" ({'; '.join(lost)})" if lost else "")
