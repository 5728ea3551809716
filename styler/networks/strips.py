"""Networks on pictures too large for them: the same result, made in strips of rows.

Norms need statistics of the whole picture, so the work goes layer by layer. Maps at full and at half
resolution are never stored: their rows are made, from the rows below that they need, whenever they are asked
for. Whole are only the picture, what comes of it, and the maps at lower resolutions that are still needed.
Networks without such norms are worked on as `stream` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from styler.device import Form
from styler.networks.flow import EXACT, TINY, Flowing, layout_of, whole
from styler.networks.layers import Join, Layer, Mode, Moments, Norm
from styler.networks.stream import stream

LEAST = 16
"""Rows of the thinnest strips: with thinner ones most of the work would be rows at their borders."""
STRIP = 2**26
"""Bytes of a strip at full resolution below which memory is not saved: what is freed of smaller blocks, the C
library keeps (glibc; 12 megapixels in strips of 31 MiB take 40 % more than in strips of 62 MiB)."""
STREAM = 2**23
"""Bytes of a strip at full resolution where rows depend on few others; with 16 MiB it takes as long."""
STORED = 2
"""Halvings from which on a map is stored."""
HALO = 16
"""Rows that a strip needs of its neighbors."""


@dataclass(frozen=True)
class Map:
    """A map [1, C, height, W] of which `rows(a, b)` makes the rows from a up to b when asked for.

    `stored` is all of it, where it is there; then the rows are views.
    """

    height: int
    rows: Callable[[int, int], Tensor]
    stored: Tensor | None = None


class Strips:
    """Runs a network on maps of rows; without gradients.

    Attributes:
        mode: how it runs; its statistics are not "batch".
        strip: rows of a strip at full resolution, and of stored maps, which are narrower and deeper.
        record: gets the moments of what the norms are given, one after another, if it is a list.
    """

    def __init__(self, mode: Mode, strip: int, record: list[Moments] | None = None) -> None:
        self.mode, self.strip, self.record = mode, strip, record
        self._moments = iter(mode.moments or ())

    def layer(self, layer: Layer, x: Map, level: int = 0) -> Map:
        """As in `flow.Run`; the result is stored if it is halved so often."""
        # On the way down each row is made of more and more rows above it, up to the first map that is stored.
        halvings = level if layer.stride > 1 and level <= STORED else 0
        strip = max(1, self.strip >> halvings)
        y = convolved(layer, x)
        if level < STORED:
            return self._finished(layer, y, strip)
        stored = stored_whole(y, strip)
        write(stored, self._finished(layer, as_map(stored), self.strip), self.strip)
        return as_map(stored)

    def residual(self, first: Layer, second: Layer, x: Map) -> Map:
        """As in `flow.Run`; x is changed."""
        total = stored_whole(x, self.strip) if x.stored is None else x.stored
        branch = torch.empty_like(total)
        write(branch, convolved(first, as_map(total)), self.strip)
        y = self._finished(first, as_map(branch), self.strip)
        write(branch, convolved(second, y), self.strip)
        y = self._finished(second, as_map(branch), self.strip)
        for a, b, rows in strips(y, self.strip):
            total[:, :, a:b] += rows
        return as_map(total)

    def joined(self, join: Join, *parts: Map) -> Map:
        """As in `flow.Run`."""
        return Map(parts[0].height, lambda a, b: join(*(part.rows(a, b) for part in parts)))

    def added(self, x: Map, y: Map) -> Map:
        """As in `flow.Run`."""
        return Map(x.height, lambda a, b: x.rows(a, b) + y.rows(a, b))

    def _finished(self, layer: Layer, source: Map, strip: int) -> Map:
        """Norm, dropout and activation of a convolved map."""
        moments = None if layer.norm is None else self._moments_for(layer.norm, source, strip)

        def rows(a: int, b: int) -> Tensor:
            y = source.rows(a, b)
            if layer.norm is None and source.stored is not None:
                y = y.clone()  # which is then worked on in place
            return layer.finished(y, self.mode, moments, a)

        return Map(source.height, rows)

    def _moments_for(self, norm: Norm, source: Map, strip: int) -> Moments:
        """Those that are given or stored for a norm, else those of the map that it sees."""
        known = next(self._moments, None) or norm.stored(self.mode)
        if known is not None and self.record is None:
            return known
        own = measured(source, strip)
        if self.record is not None:
            self.record.append(own)
        return known or own


def paint(
    network: Flowing,
    image: Tensor,
    mode: Mode,
    rows: int,
    out: Tensor | None = None,
    *,
    record: list[Moments] | None = None,
    form: Form = EXACT,
) -> Tensor:
    """The result of `flow.whole(network, image, mode)`, to rounding, with memory bounded by `rows`.

    Args:
        network: computes on its own device; no gradients come of it.
        image: Image [1, inputs, H, W] on any device; H and W are 16 at least.
        mode: its statistics are not "batch".
        rows: height of a strip in pixels; the picture's or more paints it in one piece.
        out: where to put the result, [1, outputs, H, W]; None makes one of float32.
        record: where to put the moments of what the norms are given, in the order in which they work.
        form: the number type and memory format to compute in.

    Returns `out`.
    """
    height, width = image.shape[2:]
    if out is None:
        shape = (1, network.config.outputs, network.scale * height, network.scale * width)
        out = torch.empty(shape, dtype=torch.float32, device=image.device)
    device = next(network.parameters()).device
    with torch.no_grad():
        if rows >= height:
            return out.copy_(whole(network, image.to(device), mode, record, form))
        if network.reach is not None:
            top = 0
            for made in stream(network, image, mode, max(rows, LEAST), form):
                out[:, :, top : top + made.shape[2]] = made
                top += made.shape[2]
            return out
        run = Strips(mode, max(rows, LEAST), record)
        picture = network.flow(photo(image, device, form, network.stride), run)
        for a, b, made in strips(picture, run.strip, height):
            out[:, :, a:b] = made[..., :width]
        return out


def memory(network: Flowing, height: int, width: int, rows: int, dtype: torch.dtype = torch.float32) -> int:
    """Bytes that `paint` takes at its peak, the picture and the result included, the weights left out."""
    config, share = network.config, network.memory
    padded = [-(-side // network.stride) * network.stride for side in (height, width)]
    row = config.width * padded[1] * dtype.itemsize
    pictures = (config.inputs + config.outputs * network.scale**2) * torch.float32.itemsize * height * width
    at_once = int(share.whole * row * padded[0])
    if rows >= height:
        return pictures + at_once
    if network.reach is not None:
        kept = 4 * network.reach * row
        return pictures + min(at_once, kept + int(share.whole * row * (rows + network.reach)))
    strip = max(row * (rows + HALO), STRIP)
    return pictures + min(at_once, int(share.stored * row * padded[0] + share.strips * strip))


def thinnest(network: Flowing, width: int, dtype: torch.dtype = torch.float32) -> int:
    """Rows of the thinnest strips that still save memory or, where each row is worked on once, time."""
    least = STRIP if network.reach is None else STREAM
    return max(LEAST, least // (network.config.width * width * dtype.itemsize))


# Maps


def photo(image: Tensor, device: torch.device, form: Form, stride: int) -> Map:
    """The picture with reflected pixels at the right and the bottom, as `layers.divisible` adds them."""
    height, width = image.shape[-2:]
    right = -width % stride

    def rows(a: int, b: int) -> Tensor:
        strip = image[:, :, a:b] if b <= height else image[:, :, mirrored(a, b, height, image.device)]
        if right:
            strip = strip[..., mirrored(0, width + right, width, image.device)]
        return form(strip.to(device))

    return Map(height + -height % stride, rows)


def mirrored(a: int, b: int, size: int, device: torch.device) -> Tensor:
    """Numbers of the pixels at places from a up to b, where `size` pixels are reflected again and again."""
    last = size - 1
    return last - (torch.arange(a, b, device=device) % (2 * last) - last).abs()


def convolved(layer: Layer, source: Map) -> Map:
    """The input of the layer's norm.

    `layer.convolved` takes each border for the picture's and pads there. So it gets the rows around as well,
    as far as there are any, and what it makes of those is cut off.
    """
    stride, up = layer.stride, 1 if layer.up is None else 2
    margin = max(layer.conv.kernel_size[0] // 2, stride)

    def rows(a: int, b: int) -> Tensor:
        first = max(0, a * stride // up - margin)
        last = min(source.height, -(-b * stride // up) + margin)
        start = a - first * up // stride
        return layer.convolved(source.rows(first, last))[:, :, start : start + b - a]

    return Map(source.height * up // stride, rows)


def as_map(x: Tensor) -> Map:
    """A map that is there, [1, C, H, W]."""
    return Map(x.shape[2], lambda a, b: x[:, :, a:b], x)


def stored_whole(source: Map, strip: int) -> Tensor:
    """The whole map, [1, C, H, W], made strip by strip."""
    sample = source.rows(0, 1)
    shape = (*sample.shape[:2], source.height, sample.shape[3])
    stored = torch.empty(shape, dtype=sample.dtype, device=sample.device, memory_format=layout_of(sample))
    write(stored, source, strip)
    return stored


def write(target: Tensor, source: Map, strip: int) -> None:
    """Put a map into `target`, each strip one strip late: the source may be made of the target's rows."""
    late: tuple[int, int, Tensor] | None = None
    for ready in strips(source, strip):
        if late is not None:
            target[:, :, late[0] : late[1]] = late[2]
        late = ready
    assert late is not None
    target[:, :, late[0] : late[1]] = late[2]


def strips(source: Map, strip: int, height: int | None = None) -> Iterator[tuple[int, int, Tensor]]:
    """(a, b, rows from a up to b) of a map, or of its upper `height` rows, from the top down."""
    height = height or source.height
    for a in range(0, height, strip):
        b = min(a + strip, height)
        yield a, b, source.rows(a, b)


# Moments


def measured(source: Map, strip: int) -> Moments:
    """The moments of all of a map, summed up in float64 over its strips."""
    parts = [moments_of_rows(rows) for _, _, rows in strips(source, strip)]
    counts, means, variances = (torch.cat(column) for column in zip(*parts, strict=True))
    shares = counts / counts.sum()
    mean = (shares * means).sum(0, keepdim=True)
    variance = (shares * (variances + (means - mean) ** 2)).sum(0, keepdim=True)
    return Moments(mean.float(), variance.float())


def moments_of_rows(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Parts of x [1, C, H, W] as rows of three tables in float64: counts [K, 1], means and variances [K, C].

    Group norm is by far the quickest way to moments on a CPU. With channels last it adds up squares in
    float32, which is too rough for a whole strip, so there each row of pixels is a part.
    """
    if layout_of(x) == torch.channels_last:
        x = x.permute(2, 1, 0, 3)
    n, c, h, w = x.shape
    ones = torch.ones(c, device=x.device)  # float32, and so are the moments then
    _, mean, scale = torch.native_group_norm(x, ones, ones, n, c, h * w, c, TINY)
    counts = mean.new_full((n, 1), h * w, dtype=torch.float64)
    return counts, mean.double(), scale.double() ** -2 - TINY
