"""Terms of the objective of style transfer: content, styles in their regions, total variation."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from styler.engine.memory import reach
from styler.engine.parameterization import in_rgb
from styler.engine.tiles import View
from styler.errors import InputError
from styler.features import Extractor, borderless
from styler.image.masks import at_size, guide_at
from styler.image.size import Size, resize, seen, size_of
from styler.losses.perceptual import (
    Gather,
    Term,
    Walk,
    as_map,
    content_scale,
    shares,
    squares,
    structure,
    structure_distance,
    structure_sums,
    total_variation,
)
from styler.losses.style import STATISTICS, Guide, Statistic, Sums, covariance, moments
from styler.networks.vgg import Typical
from styler.options.optimize import OptimizeOptions
from styler.options.shared import ContentLoss, Padding

PHOTO_MEAN, PHOTO_DEVIATIONS = 0.45, (0.40, 0.08, 0.04)
"""Mean of photos, and their standard deviations in luma and the two axes of chroma."""


Targets = dict[str, list[tuple[Tensor, ...]]]
"""Targets of regions, by style layer."""
_KNOWN = 16
"""Most targets that a style remembers, of scales, layers and statistics."""


@dataclass(frozen=True, eq=False)
class Style:
    """A style picture and its use.

    Attributes:
        image: Image [1, 3, H, W] of any size.
        weight: in a blend, relative to the other styles'; of styles with masks how strong each is.
        scale: long side at which it is looked at, relative to the output's.
        masks: regions of the content [1, 1, h, w], each with the region of the style that it takes after, or
            None for the whole style; none for the whole content.
        known: targets that were computed before, with the image that they are of.
    """

    image: Tensor
    weight: float = 1.0
    scale: float = 1.0
    masks: Sequence[tuple[Tensor, Tensor | None]] = ()
    known: dict[Hashable, tuple[Tensor, Targets]] = field(default_factory=dict, repr=False)


class Region(NamedTuple):
    """A region of the painting: its mask at the painting's size (None: everywhere), its share, its styles.

    Each style comes with the mask of the part of it that counts, None for all of it.
    """

    guide: Guide
    share: float
    sources: Sequence[tuple[Style, Guide]]


def as_styles(styles: Sequence[Tensor | Style], options: OptimizeOptions) -> list[Style]:
    """Styles with the scales that the options give them; InputError if those are of another number."""
    scales = options.style_scale
    scales = scales * len(styles) if len(scales) == 1 else scales
    if len(scales) != len(styles):
        raise InputError(
            f"--style-scale has {len(scales)} numbers, and the number of styles is {len(styles)}: give one "
            "number, or one for each style"
        )
    given = [Style(style) if isinstance(style, Tensor) else style for style in styles]
    return [replace(style, scale=scale) for style, scale in zip(given, scales, strict=True)]


def regions_of(styles: Sequence[Style], protect: Tensor | None, size: Size) -> list[Region]:
    """Regions of a picture of (height, width) `size`; InputError if nothing is left to paint."""
    free = None if protect is None else 1 - resize(protect, size)
    if not any(style.masks for style in styles):
        share = 1.0 if free is None else free.mean().item()
        regions = [Region(free, share, [(style, None) for style in styles])]
    else:
        usual = sum(style.weight for style in styles) / len(styles)
        regions = [
            Region(guide, guide.mean().item() * style.weight / usual, [(style, source)])
            for style in styles
            for where, source in style.masks
            for guide in (resize(where, size) * (1 if free is None else free),)
        ]
    found = [region for region in regions if region.share > 0]
    if not found:
        raise InputError("the masks leave nothing to paint: make --style-mask whiter, or --protect blacker")
    return found


def view_of(extractor: Extractor, options: OptimizeOptions, side: int | None = None) -> View:
    """The network's look at images, whole or in tiles of some side."""
    padding = padding_for(extractor, options)
    walk = partial(extractor.walk, pooling=options.pooling, padding=padding)
    strides = {name: field.stride for name, field in extractor.receptive_fields().items()}
    key = (extractor, extractor.form, options.pooling, padding)
    return View(walk, {"image": 1, **strides}, reach(extractor, options), side, key)


def padding_for(extractor: Extractor, options: OptimizeOptions) -> Padding:
    """Padding of the convolutions; `auto` is never zero."""
    return borderless(extractor) if options.padding == "auto" else options.padding


def make_terms(
    content: Tensor,
    styles: Sequence[Tensor | Style],
    view: View,
    options: OptimizeOptions,
    size: Size,
    usual: Mapping[str, Typical],
    content_weight: float,
    protect: Tensor | None = None,
) -> list[Term]:
    """Weighted terms of the objective at one scale.

    A style term's value is 1 where nothing of its target is met, on every network and at every size, and the
    weights of a kind's layers are shares of its whole; so one weight means the same everywhere.

    Args:
        usual: figures of all layers on photos.
        content_weight: what `options.content_weight` is a factor of.
    """
    terms = []
    asked = {name: (name, as_map) for name, _ in options.content_layers}
    targets = view.statistics(resize(content, size), asked)
    for name, share in shares(options.content_layers):
        loss, gather = content_loss(targets.pop(name)[0], usual[name], options.content_loss)
        weight = content_weight * options.content_weight * share
        terms.append(Term(f"content/{name}", name, weight, loss, gather))
    terms += style_terms(regions_of(as_styles(styles, options), protect, size), view, options, size, usual)
    if options.tv_weight:
        terms.append(Term("tv", "image", options.tv_weight, total_variation))
    return [term for term in terms if term.weight]


def content_loss(features: Tensor, usual: Typical, kind: ContentLoss) -> tuple[Callable[..., Tensor], Gather]:
    """Content error to a photo's features [1, C, H, W], and the statistics that it takes.

    What depends on the photo alone is computed here.
    """
    if kind == "squared":
        scale = content_scale(features, usual)
        return lambda x: (x / scale).mean(), lambda x, part: (squares(x - part.of(features)),)
    target = structure(features, usual.variance)
    return (
        lambda *sums: structure_distance(target, *sums).mean(),
        lambda x, part: structure_sums(x, target, part),
    )


def style_terms(
    regions: Sequence[Region],
    view: View,
    options: OptimizeOptions,
    size: Size,
    usual: Mapping[str, Typical],
) -> list[Term]:
    """Terms of the style layers: the error of each region, by its share of the picture."""
    statistic, terms = STATISTICS[options.style_loss], []
    targets = [style_targets(region, view, options, size) for region in regions]
    for name, share in shares(options.style_layers):
        guides = [guide_at(region.guide, view.strides[name]) for region in regions]
        error = style_error(statistic, regions, guides, [target[name] for target in targets], usual[name])
        weight = options.style_weight * share
        terms.append(Term(f"style/{name}", name, weight, error, statistic.gather(guides)))
    return terms


def style_error(
    statistic: Statistic,
    regions: Sequence[Region],
    guides: Sequence[Guide],
    targets: Sequence[Sums],
    usual: Typical,
) -> Callable[..., Tensor]:
    """Error of a layer's statistics: that of each region by its share."""

    def error(*sums: Tensor) -> Tensor:
        errors = statistic.errors(sums, guides, targets, usual)
        return torch.stack([region.share * x for region, x in zip(regions, errors, strict=True)]).sum()

    return error


def style_targets(
    region: Region, view: View, options: OptimizeOptions, size: Size
) -> dict[str, tuple[Tensor, ...]]:
    """Targets of a region by style layer, averaged over its styles: blend statistics, not distances."""
    blend: Targets = {name: [] for name, _ in options.style_layers}
    for style, mask in region.sources:
        shape = seen(size_of(style.image), round(style.scale * max(size)))
        for name, targets in targets_of(style, mask, shape, view, options).items():
            blend[name] += targets
    whole = sum(style.weight for style, _ in region.sources)
    weights = [style.weight / whole for style, _ in region.sources]
    return {
        name: tuple(
            torch.stack([weight * x for weight, x in zip(weights, same, strict=True)]).sum(0)
            for same in zip(*targets, strict=True)
        )
        for name, targets in blend.items()
    }


def targets_of(style: Style, mask: Guide, shape: Size, view: View, options: OptimizeOptions) -> Targets:
    """Targets of a style that is looked at in some shape; of a whole one they are computed once."""
    statistic, names = STATISTICS[options.style_loss], tuple(name for name, _ in options.style_layers)
    key = (view.key, view.side, shape, options.style_loss, names, id(style.image))
    if mask is None and key in style.known:
        return style.known[key][1]
    own = at_size(mask, shape)
    guides = {name: [guide_at(own, view.strides[name])] for name in names}
    asked = {name: (name, statistic.gather(guides[name])) for name in names}
    sums = view.statistics(resize(style.image, shape), asked)
    targets = {name: statistic.targets(sums[name], guides[name]) for name in names}
    if mask is None:
        if len(style.known) == _KNOWN:
            style.known.pop(next(iter(style.known)))
        style.known[key] = style.image, targets  # the image lives on, so that no other one gets its id
    return targets


# Figures on photos


def typical(extractor: Extractor, names: set[str], walk: Walk) -> dict[str, Typical]:
    """Figures of layers on photos: the network's own, else on noise with a photo's spectrum and colors."""
    found = {name: extractor.typical[name] for name in names if name in extractor.typical}
    if missing := names - found.keys():
        with torch.no_grad():
            for name, x in walk(photo_noise().to(extractor.mean), missing):
                found[name] = figures(x)
    return found


def figures(features: Tensor) -> Typical:
    """Figures of the features [1, C, H, W] of a photo."""
    mean, second = moments(features)
    own = covariance(mean, second)
    variance = own.diagonal(dim1=1, dim2=2).mean()
    return Typical(variance.item(), own.square().sum().item(), mean.square().sum().item())


def photo_noise(side: int = 256) -> Tensor:
    """Noise with the spectrum (1/f, Field 1987) and the colors of photos, an Image [1, 3, side, side]."""
    rows, columns = torch.fft.fftfreq(side)[:, None], torch.fft.rfftfreq(side)
    frequency = (rows.square() + columns.square()).sqrt().clamp_min(1 / side)
    white = torch.randn((1, 3, side, side), generator=torch.Generator().manual_seed(0))
    noise = torch.fft.irfft2(torch.fft.rfft2(white) / frequency)
    noise /= noise.std((2, 3), keepdim=True)
    return (in_rgb(noise * torch.tensor(PHOTO_DEVIATIONS)[:, None, None]) + PHOTO_MEAN).clamp(0, 1)
