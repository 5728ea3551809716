"""The transform network on pictures too large for it: the same result, made in strips of rows.

The norms need statistics of the whole picture, so the work goes norm by norm. Maps at full and at half
resolution are never stored: their rows are made, from the rows below that they need, whenever they are asked
for, which is three times for the first block and for the last but one. Whole are only the picture, what
comes of it, and two maps of the residual part, at a quarter of the resolution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Module

from styler.device import Form
from styler.networks.transform import STRIDE, Block, Moments, TransformNetwork

LEAST = 16
"""Rows of the thinnest strips: with thinner ones most of the work would be rows at their borders."""
STRIP = 2**26
"""Bytes of a strip at full resolution below which memory is not saved: what is freed of smaller blocks, the C
library keeps (glibc; 12 megapixels in strips of 31 MiB take 40 % more than in strips of 62 MiB)."""
WHOLE, COPIES, HALO = 4, 5, 16
"""Maps alive at once, as measured on a CPU, and rows that a strip needs of its neighbors."""
TINY = 1e-12
"""Stands in for the variance where there is none."""

EXACT = Form()


@dataclass(frozen=True)
class Map:
    """A map [1, C, height, W] of which `rows(a, b)` makes the rows from a up to b when asked for."""

    height: int
    rows: Callable[[int, int], Tensor]


@dataclass(frozen=True)
class Statistics:
    """The moments by which the norms work, one after another: those `given`, or those of their maps.

    What they see is kept in `found`, if that is a list.
    """

    given: Iterator[Moments]
    found: list[Moments] | None

    def moments(self, source: Map, strip: int) -> Moments:
        """For the next norm, which sees `source`."""
        known = next(self.given, None)
        if known is not None and self.found is None:
            return known
        own = measured(source, strip)
        if self.found is not None:
            self.found.append(own)
        return own if known is None else known


@dataclass(frozen=True)
class Norms(Statistics):
    """What the norms work by: `mix` as well."""

    mix: Tensor


def paint(
    network: TransformNetwork,
    image: Tensor,
    mix: Tensor,
    rows: int,
    out: Tensor | None = None,
    *,
    moments: Sequence[Moments] | None = None,
    found: list[Moments] | None = None,
    form: Form = EXACT,
) -> Tensor:
    """What `network(image, mix, moments)` is, to rounding, with memory bounded by `rows`; without gradients.

    Args:
        network: on the device of `mix`.
        image: Image [1, 3, H, W] on any device; H and W are 16 at least.
        mix: [1, S], weighs the styles.
        rows: height of a strip in pixels; the picture's or more paints it in one piece.
        out: where to put the result, a tensor of the image's shape; None makes one of float32.
        moments: statistics to use in place of the picture's own.
        found: where to put what the norms see of the picture, in the order of `blocks()`.
        form: the number type and memory format to compute in.

    Returns `out`, not clamped.
    """
    if out is None:
        out = torch.empty(image.shape, dtype=torch.float32, device=image.device)
    with torch.no_grad():
        if rows >= image.shape[2]:
            whole = form(image.to(mix.device))
            with overheard([block.norm for block in network.blocks()], found):
                return out.copy_(network(whole, mix, moments))
        blocks, strip = network.blocks(), max(rows, LEAST)
        norms = Norms(iter(moments or ()), found, mix)
        x = front(blocks[:3], photo(image, mix.device, form), norms, strip)
        branch = torch.empty_like(x)
        for k in range(3, len(blocks) - 2, 2):
            add_residual(blocks[k : k + 2], x, branch, norms, strip)
        del branch
        picture = back(network, stored(x), norms, strip)
        for a, b, made in strips(picture, strip, image.shape[2]):
            out[:, :, a:b] = made[..., : image.shape[3]]
        return out


@contextmanager
def overheard(norms: Sequence[Module], found: list[Moments] | None) -> Iterator[None]:
    """While the block runs, what the norms see is kept in `found`, if that is a list."""

    def hear(norm: Module, given: tuple[Tensor, ...]) -> None:
        assert found is not None
        found.append(moments_at_once(given[0]))

    hooks = [norm.register_forward_pre_hook(hear) for norm in norms if found is not None]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def memory(
    network: TransformNetwork, height: int, width: int, rows: int, dtype: torch.dtype = torch.float32
) -> int:
    """Bytes that `paint` takes at its peak, the picture and the result included, the weights left out.

    Whole, WHOLE maps at full resolution are alive at once: padded, convolved, normalized and copies that the
    convolution makes. In strips, COPIES of a strip with its neighbors, and the two stored maps.
    """
    row = network.made.width * width * dtype.itemsize
    pictures = 2 * 3 * torch.float32.itemsize * height * width
    if rows >= height:
        return pictures + WHOLE * row * height
    strip = max(row * (rows + HALO), STRIP)
    return pictures + min(WHOLE * row * height, row * height // 2 + COPIES * strip)


def thinnest(network: TransformNetwork, width: int, dtype: torch.dtype = torch.float32) -> int:
    """Rows of the thinnest strips that still save memory."""
    return max(LEAST, STRIP // (network.made.width * width * dtype.itemsize))


def photo(image: Tensor, device: torch.device, form: Form, stride: int = STRIDE) -> Map:
    """The picture with reflected pixels at the right and the bottom, as `transform.divisible` adds them."""
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


def front(blocks: Sequence[Block], x: Map, norms: Norms, strip: int) -> Tensor:
    """From the picture to the first stored map, [1, 4w, H / 4, W / 4].

    A strip is of `strip` rows of pixels here, and of as many rows of the stored maps in the parts that begin
    with those: they are a quarter as wide and four times as deep.
    """
    first, second, third = blocks
    x = normalized(first, convolved(first, x), norms, strip)
    x = normalized(second, convolved(second, x), norms, strip // 2)
    kept = kept_whole(convolved(third, x), strip // 4)
    write(kept, normalized(third, stored(kept), norms, strip), strip)
    return kept


def add_residual(blocks: Sequence[Block], x: Tensor, branch: Tensor, norms: Norms, strip: int) -> None:
    """Add to x [1, C, H, W], in place, what two blocks make of it; `branch` is room for as much again."""
    first, second = blocks
    write(branch, convolved(first, stored(x)), strip)
    y = normalized(first, stored(branch), norms, strip)
    write(branch, convolved(second, y), strip)
    y = normalized(second, stored(branch), norms, strip)
    for a, b, made in strips(y, strip):
        x[:, :, a:b] += made


def back(network: TransformNetwork, x: Map, norms: Norms, strip: int) -> Map:
    """From the last stored map to the picture, [1, 3, H, W]."""
    for block in network.blocks()[-2:]:
        x = normalized(block, convolved(block, x), norms, strip)
    return neighboring(network.painted, x, network.last.kernel_size[0] // 2)


def convolved(block: Block, source: Map) -> Map:
    """What the block's norm sees."""
    margin = max(block.conv.kernel_size[0] // 2, block.stride)
    return neighboring(block.convolved, source, margin, block.stride, block.up)


def neighboring(
    convolve: Callable[[Tensor], Tensor], source: Map, margin: int, stride: int = 1, up: int = 1
) -> Map:
    """A convolution of `source`, which reaches over `margin` of its rows.

    `convolve` takes each border for the picture's and reflects there. So it gets the rows around as well,
    as far as there are any, and what it makes of those is cut off.
    """

    def rows(a: int, b: int) -> Tensor:
        first = max(0, a * stride // up - margin)
        last = min(source.height, -(-b * stride // up) + margin)
        made = convolve(source.rows(first, last))
        start = a - first * up // stride
        return made[:, :, start : start + b - a]

    return Map(source.height * up // stride, rows)


def normalized(block: Block, source: Map, norms: Norms, strip: int) -> Map:
    """What the block makes of what its norm sees."""
    moments = norms.moments(source, strip)

    def rows(a: int, b: int) -> Tensor:
        y = block.norm(source.rows(a, b), norms.mix, moments)
        return F.relu_(y) if block.relu else y

    return Map(source.height, rows)


def measured(source: Map, strip: int) -> Moments:
    """The moments of all of a map, summed up in float64 over its strips."""
    parts = [moments_of_rows(made) for _, _, made in strips(source, strip)]
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


def moments_at_once(x: Tensor) -> Moments:
    """The moments of x [N, C, H, W], no more exact than those by which the network paints by itself."""
    n, c, h, w = x.shape
    ones = torch.ones(c, device=x.device)  # float32, and so are the moments then
    _, mean, scale = torch.native_group_norm(x, ones, ones, n, c, h * w, c, TINY)
    return Moments(mean, scale**-2 - TINY)


def layout_of(x: Tensor) -> torch.memory_format:
    """Channels last, or contiguous as far as rows that were cut off allow."""
    last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    return torch.channels_last if last else torch.contiguous_format


def stored(x: Tensor) -> Map:
    """A map that is there, [1, C, H, W]."""
    return Map(x.shape[2], lambda a, b: x[:, :, a:b])


def kept_whole(source: Map, strip: int) -> Tensor:
    """The whole map, [1, C, H, W], made strip by strip."""
    sample = source.rows(0, 1)
    shape = (*sample.shape[:2], source.height, sample.shape[3])
    kept = torch.empty(shape, dtype=sample.dtype, device=sample.device, memory_format=layout_of(sample))
    write(kept, source, strip)
    return kept


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
