"""Generators on pictures too large for them: the same result, made in strips of rows.

The norms need statistics of the whole picture, so the work goes layer by layer. Maps at full and at half
resolution are never stored: their rows are made whenever they are asked for. The maps below are there whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Module

from styler.device import Form
from styler.networks.pix2pix import (
    LEAK,
    Generator,
    Layer,
    Mode,
    Residual,
    ResidualGenerator,
    UNet,
    signed,
    unsigned,
)
from styler.networks.strips import (
    EXACT,
    LEAST,
    STRIP,
    Map,
    Statistics,
    kept_whole,
    neighboring,
    overheard,
    photo,
    stored,
    strips,
    write,
)
from styler.networks.transform import Moments

STORED = 2
"""Halvings from which on a map is stored."""

WHOLE = {"unet": 2.5, "encoder-decoder": 2.25, "residual": 4.25}
"""Memory of painting whole, in first maps at full resolution: measured on a CPU, and a tenth more."""
KEPT = {"unet": 3 / 8, "encoder-decoder": 1 / 4, "residual": 1 / 2}
"""Memory of the stored maps, likewise: those of a U-Net where it doubles the second time from the end."""
COPIES, HALO = 4, 16
"""Maps of a strip that are alive at once, as measured, and rows that it needs of its neighbors."""

Activation = Callable[[Tensor], Tensor]


def leaky(x: Tensor) -> Tensor:
    """The activation on the way down."""
    return F.leaky_relu(x, LEAK)


def linear(x: Tensor) -> Tensor:
    """No activation."""
    return x


@dataclass(frozen=True)
class Work:
    """How the layers are worked off: in a mode, with statistics, and in strips of so many rows."""

    mode: Mode
    statistics: Statistics
    strip: int

    def after(self, layer: Layer, source: Map, halvings: int, activation: Activation) -> Map:
        """What a layer and an activation make of `source`; it is stored if it is halved so often."""
        made = convolved(layer, source)
        if halvings < STORED:
            return self.normalized(layer, made, activation)
        kept = kept_whole(made, self.strip)
        write(kept, self.normalized(layer, stored(kept), activation), self.strip)
        return stored(kept)

    def normalized(self, layer: Layer, source: Map, activation: Activation) -> Map:
        """What norm, dropout and activation make of what the norm sees."""
        norm = layer.norm
        moments = None if norm is None else self.statistics.moments(source, self.strip)

        def rows(a: int, b: int) -> Tensor:
            y = source.rows(a, b)
            if norm is not None:
                y = norm(y, self.mode, moments)
            return activation(layer.dropped(y, self.mode.dropout, a))

        return Map(source.height, rows)


def convolved(layer: Layer, source: Map) -> Map:
    """What the layer's norm sees."""
    margin = max(layer.conv.kernel_size[0] // 2, layer.stride)
    return neighboring(layer.convolved, source, margin, layer.stride, 1 if layer.up is None else 2)


def paint(
    network: Generator,
    image: Tensor,
    rows: int,
    mode: Mode,
    out: Tensor | None = None,
    *,
    found: list[Moments] | None = None,
    form: Form = EXACT,
) -> Tensor:
    """What `network(image, mode)` is, to rounding, with memory bounded by `rows`; without gradients.

    Args:
        network: computes on its own device.
        image: Image [1, inputs, H, W] on any device; H and W are 16 at least.
        rows: height of a strip in pixels; the picture's or more paints it in one piece.
        mode: its statistics are not "batch".
        out: where to put the result, [1, outputs, H, W]; None makes one of float32.
        found: where to put what the norms see of the picture, in the order of `norms()`.
        form: the number type and memory format to compute in.

    Returns `out`.
    """
    height, width = image.shape[2:]
    if out is None:
        shape = (1, network.made.outputs, height, width)
        out = torch.empty(shape, dtype=torch.float32, device=image.device)
    device = next(network.parameters()).device
    with torch.no_grad():
        if rows >= height:
            with overheard(network.norms(), found):
                return out.copy_(network(form(image.to(device)), mode))
        work = Work(mode, Statistics(given(network, mode), found), max(rows, LEAST))
        source = photo(image, device, form, network.stride)
        picture = Map(source.height, lambda a, b: signed(source.rows(a, b)))
        for a, b, made in strips(translated(network, picture, work), work.strip, height):
            out[:, :, a:b] = unsigned(made[..., :width])
        return out


def given(network: Generator, mode: Mode) -> Iterator[Moments]:
    """The moments that the norms do not take of the picture, if there are any."""
    if mode.moments:
        return iter(mode.moments)
    known = (norm.stored(mode) for norm in network.norms())
    return (moments for moments in known if moments is not None)


def translated(network: Generator, picture: Map, work: Work) -> Map:
    """As `network.translated`."""
    if isinstance(network, UNet):
        return through_unet(network, picture, work)
    assert isinstance(network, ResidualGenerator)
    return through_residual(network, picture, work)


def through_unet(network: UNet, x: Map, work: Work) -> Map:
    """From the picture down to the bottleneck and back up."""
    severed = network.made.kind == "encoder-decoder"
    skips: list[Map] = []
    for level, layer in enumerate(layers(network.down), start=1):
        x = work.after(layer, x, level, leaky)
        skips = [x] if severed else [*skips, x]
    above: Map | None = None
    for level, layer in zip(reversed(range(len(network.down))), layers(network.up), strict=True):
        skip = above if severed and above is not None else skips.pop()
        above = work.after(layer, joined(network, skip, above), level, linear)
        del skip  # the last that holds what it is made of
    assert above is not None
    return above


def layers(modules: Iterable[Module]) -> list[Layer]:
    """Those of the modules that are layers, which all should be."""
    return [module for module in modules if isinstance(module, Layer)]


def joined(network: UNet, skip: Map, above: Map | None) -> Map:
    """What a layer on the way up sees."""

    def rows(a: int, b: int) -> Tensor:
        return network.joined(skip.rows(a, b), None if above is None else above.rows(a, b))

    return Map(skip.height, rows)


def through_residual(network: ResidualGenerator, x: Map, work: Work) -> Map:
    """From the picture to the residual blocks and back."""
    for level, layer in enumerate([network.first, *layers(network.down)]):
        # Its rows are made of more and more rows above it, down to the first map that is stored.
        above = replace(work, strip=max(1, work.strip >> min(level, STORED)))
        x = above.after(layer, x, level, F.relu)
    halvings = len(network.down)
    kept = x.rows(0, x.height) if halvings >= STORED else kept_whole(x, work.strip)
    branch = torch.empty_like(kept)
    for block in network.residual:
        assert isinstance(block, Residual)
        add_residual(block, kept, branch, work)
    x = stored(kept)
    del kept, branch
    for level, layer in zip(reversed(range(halvings)), layers(network.up), strict=True):
        x = work.after(layer, x, level, F.relu)
    return convolved(network.last, x)


def add_residual(block: Residual, x: Tensor, branch: Tensor, work: Work) -> None:
    """Add to x [1, C, H, W], in place, what a block makes of it; `branch` has room for as much."""
    write(branch, convolved(block.first, stored(x)), work.strip)
    y = work.normalized(block.first, stored(branch), F.relu)
    write(branch, convolved(block.second, y), work.strip)
    y = work.normalized(block.second, stored(branch), linear)
    for a, b, made in strips(y, work.strip):
        x[:, :, a:b] += made


def memory(network: Generator, height: int, width: int, rows: int, dtype: torch.dtype = torch.float32) -> int:
    """Bytes that `paint` takes at its peak, the picture and the result included, the weights left out."""
    made = network.made
    padded = [-(-side // network.stride) * network.stride for side in (height, width)]
    row = made.width * padded[1] * dtype.itemsize
    pictures = (made.inputs + made.outputs) * torch.float32.itemsize * height * width
    whole = int(WHOLE[made.kind] * row * padded[0])
    if rows >= height:
        return pictures + whole
    strip = max(row * (rows + HALO), STRIP)
    return pictures + min(whole, int(KEPT[made.kind] * row * padded[0]) + COPIES * strip)


def thinnest(network: Generator, width: int, dtype: torch.dtype = torch.float32) -> int:
    """Rows of the thinnest strips that still save memory."""
    return max(LEAST, STRIP // (network.made.width * width * dtype.itemsize))
