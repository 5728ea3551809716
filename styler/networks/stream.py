"""Networks whose rows depend on few others: worked on a few rows at a time, each of them once.

Maps of a few rows stay in the cache, and the C library gives their memory again, where it asks the system
for that of whole maps each time: on a CPU it is quicker than all at once, in a fraction of the memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from styler.device import Form
from styler.networks.flow import Flowing, enlarged, layout_of
from styler.networks.layers import Join, Layer, Mode


@dataclass
class Stream:
    """Runs a network on rows of a picture as they come; of each map it gives all rows that they suffice for.

    For networks without strides, whose norms have moments of their own. Without gradients.

    Attributes:
        mode: how it runs.
        ends: whether the rows that come are the picture's last.
        kept: rows that the next ones need, or that wait for those of another map; of each call in its order.
    """

    mode: Mode
    ends: bool = False
    kept: list[Sequence[Tensor]] = field(default_factory=list)
    _calls: int = 0

    def begin(self, ends: bool) -> Stream:
        """The same for the next rows."""
        self.ends, self._calls = ends, 0
        return self

    def layer(self, layer: Layer, x: Tensor, level: int = 0) -> Tensor:
        """As in `flow.Run`.

        Most layers reflect their borders, and get the rows that they need, no more. Others take each border
        for the picture's and pad there: they get the rows around as well, as far as there are any, and what
        they make of those is cut off.
        """
        margin, before = max(1, layer.conv.kernel_size[0] // 2), self._kept()
        if layer.reflects and layer.stride == 1:
            enough = not before or x.shape[2] >= 2 * margin
            self._keep([(x if enough else _below(before[0], x))[:, :, -2 * margin :]])
            return layer.finished(layer.bordered(self._reflected(before, x, margin)), self.mode)
        x = _below(before[0], x) if before else x
        y: Tensor = layer(x, self.mode)
        cut = y.shape[2] // x.shape[2] * margin
        self._keep([x[:, :, -2 * margin :]])
        return y[:, :, cut if before else 0 : y.shape[2] - (0 if self.ends else cut)]

    def _reflected(self, before: Sequence[Tensor], x: Tensor, margin: int) -> Tensor:
        """The rows below those that were kept, with reflected pixels at the borders of the picture.

        They are copied once, where joining and padding would do it twice.
        """
        (n, c, rows, width), above = x.shape, before[0].shape[2] if before else margin
        below = margin if self.ends else 0
        shape, layout = (n, c, above + rows + below, width + 2 * margin), layout_of(x)
        y = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=layout)
        inner = y[..., margin : margin + width]
        inner[:, :, above : above + rows] = x
        if before:
            inner[:, :, :above] = before[0]
        for k in range(margin):
            if not before:
                inner[:, :, margin - 1 - k] = inner[:, :, margin + 1 + k]
            if below:
                inner[:, :, k - margin] = inner[:, :, -margin - 2 - k]
        for k in range(margin):
            y[..., margin - 1 - k] = y[..., margin + 1 + k]
            y[..., k - margin] = y[..., -margin - 2 - k]
        return y

    def residual(self, first: Layer, second: Layer, x: Tensor) -> Tensor:
        """As in `flow.Run`."""
        return self.added(self.layer(second, self.layer(first, x)), x)

    def joined(self, join: Join, *parts: Tensor) -> Tensor:
        """As in `flow.Run`."""
        return join(*self._aligned(parts))

    def added(self, x: Tensor, y: Tensor) -> Tensor:
        """As in `flow.Run`; x is changed where it is behind y, as what was made of y is."""
        before, rows = self._kept(), x.shape[2]
        waiting = before[1].shape[2] if before else 0
        if (before and before[0].shape[2]) or not waiting <= rows <= waiting + y.shape[2]:
            x, y = self._aligned((x, y))
            return x + y
        if waiting:
            x[:, :, :waiting] += before[1]
        x[:, :, waiting:] += y[:, :, : rows - waiting]
        self._keep([x[:, :, rows:], y[:, :, rows - waiting :]])
        return x

    def _aligned(self, parts: Sequence[Tensor]) -> list[Tensor]:
        """The rows that all maps have by now; the others wait."""
        if before := self._kept():
            parts = list(map(_below, before, parts))
        rows = min(part.shape[2] for part in parts)
        self._keep([part[:, :, rows:] for part in parts])
        return [part[:, :, :rows] for part in parts]

    def _kept(self) -> Sequence[Tensor]:
        """What this call kept the last time; nothing at first."""
        return self.kept[self._calls] if self._calls < len(self.kept) else ()

    def _keep(self, rows: Sequence[Tensor]) -> None:
        """Keep rows for this call's next time; the maps that they are of are freed."""
        self.kept[self._calls : self._calls + 1] = [[each.clone() for each in rows]]
        self._calls += 1


def _below(kept: Tensor, x: Tensor) -> Tensor:
    """Rows x [N, C, H, W] below those that were kept, if there are any."""
    return torch.cat([kept, x], 2) if kept.shape[2] else x


def stream(network: Flowing, image: Tensor, mode: Mode, rows: int, form: Form) -> Iterator[Tensor]:
    """The result of `flow.whole(network, image, mode, form=form)`, so many rows at a time from the top down.

    The first are fewer than the last by those that the network reaches; how many follows from their shapes.
    """
    assert network.reach is not None
    device, height, done = next(network.parameters()).device, image.shape[2], 0
    run, a = Stream(mode), 0
    while a < height:
        b = min(a + rows + (0 if a else network.reach), height)
        made = network.flow(form(image[:, :, a:b].to(device)), run.begin(b == height))
        a, done = b, done + made.shape[2]
        yield _corrected(network, image, made, done - made.shape[2]) if network.corrects else made


def _corrected(network: Flowing, image: Tensor, made: Tensor, top: int) -> Tensor:
    """The difference to the enlarged picture from row `top` on, added to it."""
    scale, bottom = network.scale, top + made.shape[2]
    first, last = max(0, top // scale - 1), -(-bottom // scale) + 1
    part = image[:, : network.config.outputs, first:last].to(made.device)
    return made + enlarged(part, scale)[:, :, top - scale * first : bottom - scale * first]
