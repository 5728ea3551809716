"""Our translators as files that junyanz/pytorch-CycleGAN-and-pix2pix loads."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from styler.errors import CheckpointError
from styler.networks.pix2pix import Generator, Layer, Mode
from styler.networks.transform import Moments
from styler.storage import disk
from styler.storage.foreign.dialects import JUNYANZ, JUNYANZ_RESIDUAL, Parts, unet_dropout
from styler.storage.foreign.pix2pix import COUNTED, layers

SHALLOWEST = 5  # halvings of a U-Net, as four of them are written out there
HALVINGS = 2  # of a residual network
NAMES = {7: "unet_128", 8: "unet_256"}


def write(path: Path | str, network: Generator, overwrite: bool = True) -> str:
    """Write the network's `state` as a .pth file, atomically; returns with which flags it is loaded there.

    Raises:
        CheckpointError: as `state`. OutputError: if it cannot be written, or exists without `overwrite`.
    """
    made = state(network)
    with disk.atomic(path, overwrite=overwrite) as file:
        torch.save(made, file)
    return flags(network)


def state(network: Generator) -> OrderedDict[str, Tensor]:
    """The tensors that their network of this architecture loads, float32.

    Their instance norms have no gains and offsets. Ours that have are written as batch norms, which work as
    instance norms in their test.py unless it is told --eval: the statistics are blank.

    Raises:
        CheckpointError: if they have no such network.
    """
    _check(network)
    dialect = JUNYANZ_RESIDUAL if network.made.kind == "residual" else JUNYANZ
    found: OrderedDict[str, Tensor] = OrderedDict()
    pairs = list(zip(layers(network), dialect.places(network.made), strict=True))
    plain = is_plain(network)
    for layer, place in pairs:
        biased = plain or layer is pairs[-1][0]
        found |= {place.conv + ending: tensor for ending, tensor in _convolution(layer, biased)}
        if not plain:
            found |= {place.norm + ending: tensor for ending, tensor in _norm(layer, dialect.parts)}
    return OrderedDict((key, tensor.detach().cpu().clone()) for key, tensor in found.items())


def flags(network: Generator) -> str:
    """What to tell their test.py of a network that is written."""
    made = network.made
    deep = NAMES.get(made.halvings, f"a UnetGenerator with num_downs={made.halvings}")
    name = f"resnet_{made.blocks}blocks" if made.kind == "residual" else deep
    norm = "none" if made.norm == "none" else "instance" if is_plain(network) else "batch"
    dropout = "" if made.dropout else " --no_dropout"
    moved = "; its dropout is in other layers there, so samples differ" * _moved(network)
    blank = "; never with --eval, as it has no stored statistics" * (made.norm == "instance" != norm)
    return (
        f"--netG {name} --norm {norm} --ngf {made.width} "
        f"--input_nc {made.inputs} --output_nc {made.outputs}{dropout}{blank}{moved}"
    )


def _moved(network: Generator) -> bool:
    """Whether their network of this architecture has dropout elsewhere."""
    made = network.made
    theirs = (1,) if made.kind == "residual" else unet_dropout(made.halvings)
    return bool(made.dropout) and made.dropout != theirs


def is_plain(network: Generator) -> bool:
    """Whether its norms are instance norms whose gains and offsets do nothing."""
    return network.made.norm == "instance" and all(
        bool((norm.weight == 1).all() and (norm.bias == 0).all()) for norm in network.norms()
    )


def _check(network: Generator) -> None:
    """Raise CheckpointError for what they do not have."""
    made = network.made
    residual = made.kind == "residual"
    strange = {
        "no skips": made.kind == "encoder-decoder",
        "enlarged nearest pixels": made.upsampling != "transposed" or (made.last != "same" and not residual),
        "leaky skips": bool(made.slope) and not residual,
        "a norm on the innermost map": made.bottleneck_norm and not residual,
        f"{made.halvings} halvings": made.halvings != HALVINGS if residual else made.halvings < SHALLOWEST,
        "no blocks": residual and not made.blocks,
        "biases where they have none": not is_plain(network) and _biased(network),
    }
    for what, found in strange.items():
        if found:
            raise CheckpointError(f"a generator with {what} has no junyanz form: convert it to .safetensors")


def _biased(network: Generator) -> bool:
    """Whether a convolution before the last adds something."""
    biases = [layer.conv.bias for layer in layers(network)[:-1]]
    return any(bias is not None and bool(bias.any()) for bias in biases)


def _convolution(layer: Layer, biased: bool) -> Iterator[tuple[str, Tensor]]:
    """A bias is zero where ours lacks one."""
    yield ".weight", layer.conv.weight
    if biased:
        bias = layer.conv.bias
        yield ".bias", torch.zeros(layer.conv.out_channels) if bias is None else bias


def _norm(layer: Layer, parts: Parts) -> Iterator[tuple[str, Tensor]]:
    """As a batch norm."""
    if layer.norm is None:
        return
    gain, offset = layer.norm.weight, layer.norm.bias
    blank = Moments(torch.zeros_like(offset)[None], torch.ones_like(gain)[None])
    moments = layer.norm.stored(Mode("stored")) or blank
    yield parts.gain, gain
    yield parts.offset, offset
    yield parts.mean, moments.mean[0]
    yield parts.variance, moments.variance[0]
    yield COUNTED, torch.tensor(0)
