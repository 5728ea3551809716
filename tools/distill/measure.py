"""Figures of a narrow network: features explained and gradients met on held-out pictures; typical photos."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from distill.closed_form import RIDGE, ridge
from distill.painted import Halfway, halfway
from styler.engine.terms import content_loss, figures
from styler.engine.terms import typical as figures_of
from styler.features import Extractor, Features, borderless
from styler.losses.perceptual import WHOLE, shares
from styler.losses.style import STYLE_ERRORS, moments
from styler.options.optimize import OptimizeOptions
from styler.storage.datasets.photos import Pictures

CHUNK = 8
"""Crops that go through a network at a time."""
GRID = 8
"""Pixels between two positions that the linear maps are fitted and judged on."""

Network = Callable[[Tensor, Iterable[str]], Features]


def crops(pictures: Pictures, count: int, side: int, seed: int) -> Tensor:
    """`count` random crops [count, 3, side, side], each from another picture as far as there are enough."""
    paths = [path for folder in pictures.folders for path in folder]
    order = np.random.default_rng(seed).permutation(len(paths))
    picked = [paths[order[index % len(paths)]] for index in range(count)]
    draws = [np.random.default_rng((seed, index)) for index in range(count)]
    return torch.cat([Pictures(path).crop(draw, side) for path, draw in zip(picked, draws, strict=True)])


@torch.no_grad()
def explained(
    student: Network, teacher: Network, layers: Sequence[str], training: Tensor, held: Tensor
) -> dict[str, float]:
    """Share of the variance of the teacher's features that a linear map from the student's explains.

    The map, with a constant, is fitted on the Images `training` [N, 3, S, S] and judged on `held`.
    """
    own: dict[str, Tensor] = {}
    cross: dict[str, Tensor] = {}
    for name, x, y in _pairs(student, teacher, layers, training):
        own[name] = own.get(name, 0.0) + x.T @ x
        cross[name] = cross.get(name, 0.0) + x.T @ y
    maps = {name: ridge(own[name], cross[name], RIDGE) for name in layers}
    residual, variance = dict.fromkeys(layers, 0.0), dict.fromkeys(layers, 0.0)
    means = _means(teacher, layers, held)
    for name, x, y in _pairs(student, teacher, layers, held):
        residual[name] += (x @ maps[name] - y).square().sum().item()
        variance[name] += (y - means[name]).square().sum().item()
    return {name: 1 - residual[name] / variance[name] for name in layers}


def _pairs(
    student: Network, teacher: Network, layers: Sequence[str], images: Tensor
) -> Iterable[tuple[str, Tensor, Tensor]]:
    """Layer, the student's channels and a constant [P, C + 1], the teacher's [P, C'], of CHUNK crops."""
    for part in torch.split(images, CHUNK):
        narrow, wide = student(part, layers), teacher(part, layers)
        for name in layers:
            yield name, F.pad(_rows(name, narrow[name]), (0, 1), value=1.0), _rows(name, wide[name])


def _means(network: Network, layers: Sequence[str], images: Tensor) -> dict[str, Tensor]:
    sums: dict[str, Tensor] = {}
    for part in torch.split(images, CHUNK):
        for name, features in network(part, layers).items():
            sums[name] = sums.get(name, 0.0) + len(part) * _rows(name, features).mean(0)
    return {name: total / len(images) for name, total in sums.items()}


def _rows(name: str, features: Tensor) -> Tensor:
    """Channels of every GRID-th pixel's position, [P, C] in float32."""
    stride = max(1, GRID >> (int(name[4]) - 1))
    return features[:, :, ::stride, ::stride].permute(0, 2, 3, 1).flatten(0, 2).float()


def on_the_way(photos: Tensor, paintings: Tensor, painter: Extractor, steps: Sequence[int]) -> list[Halfway]:
    """Pictures on the way from photo or noise to painting, each photo with the painting of its number."""
    return [
        picture
        for number, (photo, painting) in enumerate(zip(photos, paintings, strict=True))
        for init in ("content", "noise")
        for picture in halfway(photo[None], painting[None], painter, steps, init, number)
    ]


def agreement(student: Extractor, teacher: Extractor, pictures: Sequence[Halfway]) -> dict[str, float]:
    """Cosine of the pixel gradient of each default loss with the teacher's, averaged over the pictures."""
    sums: dict[str, float] = {}
    for picture in pictures:
        own, real = gradients(student, picture), gradients(teacher, picture)
        for name in own:
            cosine = F.cosine_similarity(own[name].flatten(), real[name].flatten(), dim=0).item()
            sums[name] = sums.get(name, 0.0) + cosine / len(pictures)
    return sums


def gradients(network: Extractor, picture: Halfway) -> dict[str, Tensor]:
    """Gradient of each term of the default loss with respect to the pixels, and of their sum."""
    options, padding = OptimizeOptions(), borderless(network)
    style, content = dict(shares(options.style_layers)), dict(shares(options.content_layers))
    with torch.no_grad():
        of_style = network(picture.style, style, padding=padding)
        of_content = network(picture.content, content, padding=padding)
    usual = figures_of(network, {*style, *content}, partial(network.walk, padding=padding))
    image = picture.image.clone().requires_grad_()
    features = network(image, {*style, *content}, padding=padding)
    terms: list[tuple[str, Tensor]] = []
    for name, share in style.items():
        own, target = moments(features[name]), moments(of_style[name])
        terms.append((name, share * STYLE_ERRORS[options.style_loss](own, target, usual[name]).mean()))
    for name, share in content.items():
        loss, gather = content_loss(of_content[name], usual[name], options.content_loss)
        error = loss(*gather(features[name], WHOLE))
        terms.append((f"content {name}", network.content_weight * share * error))
    found = {name: torch.autograd.grad(term, image, retain_graph=True)[0] for name, term in terms}
    return {**found, "sum": torch.stack(list(found.values())).sum(0)}


@torch.no_grad()
def typical(network: Extractor, photos: Sequence[Tensor]) -> dict[str, list[float]]:
    """Variance per channel, |covariance|^2 and |mean|^2 of each ReLU layer, averaged over `photos`."""
    layers = [name for name in network.layers if name.startswith("relu")]
    sums = {name: torch.zeros(3, dtype=torch.float64) for name in layers}
    for photo in photos:
        for name, features in network(photo, layers, padding=borderless(network)).items():
            sums[name] += torch.tensor(figures(features), dtype=torch.float64) / len(photos)
    return {name: [float(f"{value:.4g}") for value in total.tolist()] for name, total in sums.items()}


def table(figures: Mapping[str, Mapping[str, float]]) -> str:
    """Rows of named figures as text, one line a network, with the columns of the first."""
    columns = list(next(iter(figures.values())))
    width = max(map(len, figures))
    lines = [" " * width + "".join(f"{name.removeprefix('relu')[-10:]:>11}" for name in columns)]
    lines += [
        f"{row:{width}}" + "".join(f"{values[name]:11.3f}" for name in columns)
        for row, values in figures.items()
    ]
    return "\n".join(lines)
