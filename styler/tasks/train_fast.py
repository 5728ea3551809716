"""Training of feed-forward networks: what `styler optimize` minimizes for one picture, learned for all.

Johnson, Alahi and Fei-Fei 2016, for many styles at once as Dumoulin, Shlens and Kudlur 2017; and textures
from noise as Ulyanov et al. 2016.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styler.device import Form, form_for
from styler.engine.minimize import TrainingState, fit
from styler.events import TrainStep
from styler.features import Extractor, Features, borderless
from styler.image.size import fit as fitted
from styler.image.size import resize
from styler.image.warp import displaced, displacement
from styler.losses.perceptual import STYLE_ERRORS, Statistics, grid_pattern, moments, shares, total_variation
from styler.networks.layers import Mode
from styler.networks.residual import ResidualNetwork
from styler.networks.texture import TextureNetwork
from styler.options.fast import TrainFastOptions
from styler.processes import ALONE, Group

Inputs = Tensor | list[Tensor]
"""What a network makes pictures of: photos, Image [N, 3, H, W], or noise, a list of [N, C, h, w]."""
Losses = dict[str, Tensor]
Objective = Callable[[Tensor | None, Tensor, Tensor, Tensor], Losses]
"""Photos, if there are any, painted Image [N, 3, H, W], style and crop of each [N] -> weighted losses."""

NORM_RATE, TEXTURE_RATE = 10.0, 20.0
"""Learning rates of norms and of texture networks, relative to that of the convolutions."""
GRAIN = 0.01
"""Standard deviation of the noise that a steady network must not see."""


@dataclass(frozen=True)
class Targets:
    """What S styles, and photos in general, look like to the loss network.

    Attributes:
        statistics: layer -> mean [S, K, C] and second moment [S, K, C, C] of K views of each style.
        distance: [S], the square root of the style error of photos as they are, or 1; errors are divided by
            it. Divided by the error itself, styles far from photos come out pale; by nothing, they swallow
            the photo.
        spread: content layer -> the spatial variance of photos' features, a mean over channels and photos.
    """

    statistics: Mapping[str, Statistics]
    distance: Tensor
    spread: Mapping[str, Tensor]

    def of(self, layer: str, styles: Tensor, views: Tensor) -> Statistics:
        """The statistics at a layer of one view of each of `styles` [N]."""
        mean, second = self.statistics[layer]
        return mean[styles, views], second[styles, views]


def train_fast(
    network: ResidualNetwork | TextureNetwork,
    extractor: Extractor,
    targets: Targets,
    batches: Callable[[int], Inputs],
    options: TrainFastOptions,
    start: TrainingState | None = None,
    stop: Callable[[], bool] = lambda: False,
    group: Group = ALONE,
) -> Generator[TrainStep | TrainingState, None, TrainingState]:
    """Teach a network the styles of `targets`, its last ones; what needs no gradient stays as it is.

    Args:
        network: `network(inputs, mode)` is an Image; `network.config.styles` is S of the mode's mix [N, S].
        extractor: the loss network.
        batches: step -> inputs on the network's device; of several processes each has its part of them.
        stop: asked after each step; once true, the state is yielded and the training ends early.
        group: the processes that train together.

    Yields a TrainStep a step and from time to time the TrainingState, of which it returns the last.
    """
    place = targets.distance.device
    form = form_for(options.precision, place)
    objective = objective_for(extractor, targets, options, form)
    optimizer = torch.optim.Adam(groups(network, options))
    paint = group.wrap(network)
    known, new = network.config.styles, len(targets.distance)

    def step(index: int, inputs: Inputs) -> Losses:
        photos = inputs if isinstance(inputs, Tensor) else None
        first = (index * group.size + group.rank) * options.batch
        styles = torch.tensor(drawn(options.seed, first, options.batch, new), device=place)
        views = torch.tensor(_views(options, first), device=place)
        mix = F.one_hot(styles + known - new, known).float()
        if photos is None or not options.video_stable:
            painted = paint(_formed(inputs, form), Mode(mix=mix))
            return objective(photos, painted, styles, views)
        field = displacement(photos.shape, options.seed, first).to(place)
        moved = _grainy(displaced(photos, field), options.seed, first)
        both = Mode(mix=torch.cat([mix, mix]))
        painted, again = paint(form(torch.cat([photos, moved])), both).chunk(2)
        steady = (again.float() - displaced(painted.float(), field)).square().mean()
        return objective(photos, painted, styles, views) | {"stable": options.stable_weight * steady}

    return (yield from fit(step, batches, network, [optimizer], options, start, stop))


def groups(network: nn.Module, options: TrainFastOptions) -> list[dict[str, Any]]:
    """What is trained, with its learning rates.

    Norms learn faster, as each style has only these: with one rate for all, the styles of a network look
    alike for thousands of steps. Texture networks, which are small, learn well at twenty times the rate.
    """
    trained = {name: p for name, p in network.named_parameters() if p.requires_grad}
    if options.network == "texture":
        return [{"params": list(trained.values()), "lr": TEXTURE_RATE * options.learning_rate}]
    shared = [p for name, p in trained.items() if "norm." not in name]
    own = [p for name, p in trained.items() if "norm." in name]
    parts = ((shared, options.learning_rate), (own, NORM_RATE * options.learning_rate))
    return [{"params": part, "lr": rate} for part, rate in parts if part]


def objective_for(extractor: Extractor, targets: Targets, options: TrainFastOptions, form: Form) -> Objective:
    """The losses of painted pictures: content, style relative to `targets.distance`, total variation, grid.

    Features are computed as `form` says, their statistics and errors in float32.
    """
    seeing = copy.deepcopy(extractor).to(form.dtype).to(memory_format=form.memory_format)
    padding = borderless(extractor)
    content, style = dict(shares(options.content_layers)), dict(shares(options.style_layers))

    def evaluate(photos: Tensor | None, painted: Tensor, styles: Tensor, views: Tensor) -> Losses:
        wanted: Features = {}
        if photos is not None and options.content_weight:
            with torch.no_grad():
                wanted = seeing(form(photos), content, padding=padding)
        losses: Losses = {}
        for name, raw in seeing.walk(painted, set(style) | set(wanted), padding=padding):
            x = raw.float()
            if name in wanted:
                # Not over each photo's own variance: flat ones, which have none, would outweigh all others.
                error = (x - wanted[name].float()).square().mean() / targets.spread[name]
                losses[f"content/{name}"] = options.content_weight * content[name] * error
            if name in style:
                error = STYLE_ERRORS[options.style_loss](x, targets.of(name, styles, views))
                share = options.style_weight * style[name]
                losses[f"style/{name}"] = share * (error / targets.distance[styles]).mean()
        if options.tv_weight:
            losses["tv"] = options.tv_weight * total_variation(painted.float())
        if options.grid_weight and photos is not None:
            losses["grid"] = options.grid_weight * grid_pattern(painted.float())
        return losses

    return evaluate


@torch.no_grad()
def make_targets(
    extractor: Extractor, styles: Sequence[Tensor], photos: Sequence[Tensor], options: TrainFastOptions
) -> Targets:
    """The targets of styles, Images [1, 3, H, W] of any size.

    Args:
        extractor: the loss network.
        photos: batches that tell how far photos are from each style, so that a weight of 1 is right for any
            style, network and scale; none for a network that sees no photo.

    Raises:
        InputError: for a layer that the network does not have, or a style too small for it.
    """
    names = {name for name, _ in options.style_layers}
    padding = borderless(extractor)
    seen = [
        [{name: moments(x) for name, x in extractor.walk(view, names, padding=padding)} for view in views]
        for views in (views_of(style, options, index) for index, style in enumerate(styles))
    ]
    statistics = {
        name: (
            torch.stack([torch.cat([view[name][0] for view in views]) for views in seen]),
            torch.stack([torch.cat([view[name][1] for view in views]) for views in seen]),
        )
        for name in names
    }
    targets = Targets(statistics, torch.ones(len(styles), device=styles[0].device), {})
    if not photos:
        return targets
    contents = {name for name, _ in options.content_layers}
    features = [extractor(batch, names | contents, padding=padding) for batch in photos]
    distances = [_distance(features, targets, index, options) for index in range(len(styles))]
    spread = {name: torch.stack([_spread(found[name]) for found in features]).mean() for name in contents}
    return Targets(statistics, torch.stack(distances).sqrt(), spread)


def views_of(style: Tensor, options: TrainFastOptions, index: int) -> list[Tensor]:
    """The style at the size at which it is learned, or random squares of it; it is never enlarged."""
    own = style.shape[-2], style.shape[-1]
    size = fitted(own, options.style_size)
    size = own if max(size) > max(own) else size
    whole = resize(style, size)
    side = min(*size, options.crop)
    draw = np.random.default_rng((options.seed, index))
    corners = [draw.integers(0, (size[0] - side + 1, size[1] - side + 1)) for _ in range(options.style_crops)]
    return [whole[..., top : top + side, left : left + side] for top, left in corners] or [whole]


def _distance(
    features: Sequence[Features], targets: Targets, style: int, options: TrainFastOptions
) -> Tensor:
    """The mean style error of pictures, given by their features; never quite 0."""
    place = targets.distance.device
    chosen = torch.tensor([style], device=place), torch.tensor([0], device=place)
    errors = [
        share * STYLE_ERRORS[options.style_loss](found[name], targets.of(name, *chosen)).mean()
        for found in features
        for name, share in shares(options.style_layers)
    ]
    return torch.stack(errors).sum().clamp_min(1e-3) / len(features)


def _spread(features: Tensor) -> Tensor:
    """The variance of features [N, C, H, W] over positions, mean over pictures and channels; never 0."""
    return (features - features.mean((-2, -1), keepdim=True)).square().mean().clamp_min(1e-12)


def drawn(seed: int, first: int, count: int, styles: int) -> list[int]:
    """The styles of pictures first..first+count of a training: all come equally often, in random order."""
    return [
        int(np.random.default_rng((seed, i // styles)).permutation(styles)[i % styles])
        for i in range(first, first + count)
    ]


def _views(options: TrainFastOptions, first: int) -> list[int]:
    """Which view of its style each picture is compared with."""
    pictures = range(first, first + options.batch)
    return [
        int(np.random.default_rng((options.seed, 1, i)).integers(max(1, options.style_crops)))
        for i in pictures
    ]


def _formed(inputs: Inputs, form: Form) -> Inputs:
    return form(inputs) if isinstance(inputs, Tensor) else [form(noise) for noise in inputs]


def _grainy(images: Tensor, seed: int, first: int) -> Tensor:
    """Images with noise; picture i of a batch gets that of picture first + i of the training."""
    grain = [
        np.random.default_rng((seed, 2, first + i)).standard_normal(x.shape, np.float32)
        for i, x in enumerate(images)
    ]
    return images + GRAIN * torch.from_numpy(np.stack(grain)).to(images)
