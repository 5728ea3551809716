"""Exact tiling: losses of an image and their gradient, with the features of one tile in memory at a time.

Losses depend on features through statistics that add up over places. A first pass over the tiles gathers
them; a second goes back through each tile from the features that it owns, with the gradient by the statistics
fixed (Galerne et al. 2022, "Scaling Painting Style Transfer"). A tile is looked at with a margin as wide as a
feature reaches, so the sum of the tiles' gradients is that of the whole image, up to rounding.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from styler.engine.minimize import Evaluate, at_once
from styler.errors import DeviceError, is_shortage
from styler.losses.perceptual import WHOLE, Gather, Part, Term, Walk, objective
from styler.options.fields import LEAST_TILE

T = TypeVar("T")


class Span(NamedTuple):
    """Rows or columns: a tile owns those from `start` to `stop`, and sees those from `before` to `after`."""

    before: int
    start: int
    stop: int
    after: int


Tile = tuple[Span, Span]
"""Rows and columns."""


@dataclass
class View:
    """The way in which a network looks at images: whole, or tile by tile.

    Attributes:
        walk: activations of an image, by layer.
        strides: pixels from one place to the next, by layer.
        reach: pixels around a block of places on which these depend.
        side: most pixels along a side of what a tile owns; None for the whole image.
        key: the network and how it is used; equal keys see alike.
        notes: messages about memory that ran out, for the caller to show and to empty.
    """

    walk: Walk
    strides: Mapping[str, int]
    reach: int
    side: int | None = None
    key: Hashable = None
    notes: list[str] = field(default_factory=list)

    def evaluation(self, terms: Sequence[Term]) -> Evaluate:
        """Losses and gradient of an image; with less memory than they take it goes on in smaller tiles."""
        whole = at_once(objective(self.walk, terms))

        def once(image: Tensor) -> tuple[Mapping[str, Tensor], Tensor]:
            return self._in_two_passes(image, terms) if self.is_cut(image) else whole(image)

        return lambda image: self._try(lambda: once(image), image)

    @torch.no_grad()
    def statistics(
        self, image: Tensor, asked: Mapping[str, tuple[str, Gather]]
    ) -> dict[str, tuple[Tensor, ...]]:
        """Statistics of the whole image by name, asked for by layer and what is to be gathered there."""
        return self._try(lambda: self._sums(image, asked), image)

    def is_cut(self, image: Tensor) -> bool:
        """Whether an image is looked at in several tiles."""
        return self.side is not None and max(image.shape[-2:]) > self.side

    def tiles(self, image: Tensor) -> list[Tile]:
        """Tiles of an image; one if it is looked at whole."""
        step = max(self.strides.values())
        margin = -(-self.reach // step) * step
        rows, columns = (spans(length, self.side, step, margin) for length in image.shape[-2:])
        return [(row, column) for row in rows for column in columns]

    def _sums(self, image: Tensor, asked: Mapping[str, tuple[str, Gather]]) -> dict[str, tuple[Tensor, ...]]:
        sums: dict[str, tuple[Tensor, ...]] = {}
        layers = {layer for layer, _ in asked.values()}
        for tile in self.tiles(image):
            for name, x, part in self._owned(outer(image, tile), tile, image, layers):
                for key, (layer, gather) in asked.items():
                    if layer == name:
                        shape = [side // self.strides[name] for side in image.shape[-2:]]
                        sums[key] = _added(sums.get(key), gather(x, part), part, shape)
        return sums

    def _owned(
        self, piece: Tensor, tile: Tile, image: Tensor, layers: set[str]
    ) -> Iterator[tuple[str, Tensor, Part]]:
        """Layers with the features of a piece of the image that its tile owns, and their part of the map."""
        if not self.is_cut(image):
            yield from ((name, x, WHOLE) for name, x in self.walk(piece, layers))
            return
        for name, x in self.walk(piece, layers):
            stride = self.strides[name]
            places = [side // stride for side in image.shape[-2:]]
            top, left = (span.before // stride for span in tile)
            rows, columns = (slice(span.start // stride, span.stop // stride) for span in tile)
            owned = x[..., rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
            if owned.numel():
                yield name, owned, Part(rows, columns, owned[0, 0].numel() / math.prod(places))

    def _in_two_passes(self, image: Tensor, terms: Sequence[Term]) -> tuple[Mapping[str, Tensor], Tensor]:
        with torch.no_grad():
            sums = self._sums(image, {term.name: (term.layer, term.gather) for term in terms})
        losses, pulls = {}, {}
        for term in terms:
            leaves = [x.detach().requires_grad_() for x in sums.pop(term.name)]
            loss = term.weight * term.function(*leaves)
            pulls[term.name] = torch.autograd.grad(loss, leaves, materialize_grads=True)
            losses[term.name] = loss.detach()
        gradient = torch.zeros_like(image)
        for tile in self.tiles(image):
            outer(gradient, tile).add_(self._pulled(image, tile, terms, pulls))
        return losses, gradient

    def _pulled(
        self, image: Tensor, tile: Tile, terms: Sequence[Term], pulls: Mapping[str, Sequence[Tensor]]
    ) -> Tensor:
        """Gradient by a tile with its margin, of what the tile owns, from the gradient by the statistics."""
        leaf = outer(image, tile).detach().clone().requires_grad_()
        products = [
            (addend * (part.of(pull) if pull.dim() == 4 else pull)).sum()
            for name, x, part in self._owned(leaf, tile, image, {term.layer for term in terms})
            for term in terms
            if term.layer == name
            for addend, pull in zip(term.gather(x, part), pulls[term.name], strict=True)
        ]
        (gradient,) = torch.autograd.grad(torch.stack(products).sum(), leaf)
        return gradient

    def _try(self, work: Callable[[], T], image: Tensor) -> T:
        """Do some work on an image; when out of memory, again in tiles of half the side."""
        while True:
            try:
                return work()
            except (MemoryError, RuntimeError) as error:
                if not is_shortage(error):
                    raise
                longest = min(self.side or max(image.shape[-2:]), max(image.shape[-2:]))
                if longest <= LEAST_TILE:
                    raise DeviceError("out of memory: use a smaller --size or --history") from error
            self.side = max(LEAST_TILE, longest // 32 * 16)
            self.notes.append(f"memory ran out; going on in tiles of {self.side} pixels")
            if image.device.type == "cuda":
                torch.cuda.empty_cache()


def spans(length: int, side: int | None, step: int, margin: int) -> list[Span]:
    """About equal spans of at most `side`, or one; they start on multiples of `step`, as do inner margins."""
    units = -(-length // step)
    count = 1 if side is None else min(units, -(-length // side))
    cuts = [step * (units * index // count) for index in range(count)] + [length]
    return [
        Span(max(0, start - margin), start, stop, min(length, stop + margin))
        for start, stop in itertools.pairwise(cuts)
    ]


def outer(image: Tensor, tile: Tile) -> Tensor:
    """The tile of an image [N, C, H, W] with its margin, a view."""
    rows, columns = tile
    return image[..., rows.before : rows.after, columns.before : columns.after]


def _added(
    sums: tuple[Tensor, ...] | None, addends: tuple[Tensor, ...], part: Part, shape: Sequence[int]
) -> tuple[Tensor, ...]:
    """Statistics of a part added to those of others; maps of (height, width) `shape` are filled in place."""
    if part is WHOLE:
        return addends
    if sums is None:
        sums = tuple(x.new_zeros(*x.shape[:2], *(shape if x.dim() == 4 else x.shape[2:])) for x in addends)
    for total, addend in zip(sums, addends, strict=True):
        (part.of(total) if addend.dim() == 4 else total).add_(addend)
    return sums
