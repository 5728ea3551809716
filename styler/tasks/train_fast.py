"""Training of feed-forward networks for style transfer and texture synthesis, and signs that it failed.

Johnson, Alahi and Fei-Fei 2016; many styles in one network as Dumoulin, Shlens and Kudlur 2017; textures from
noise as Ulyanov et al. 2016.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styler.device import Form, form_for
from styler.engine.fit import TrainingState, fit, update_average
from styler.engine.terms import typical
from styler.events import TrainStep
from styler.features import Extractor, Features, borderless
from styler.image.grain import noise_anew
from styler.image.size import fit as fitted
from styler.image.size import resize, seen, size_of
from styler.image.warp import displaced, displacement
from styler.losses.perceptual import (
    grid_pattern,
    out_of_range,
    shares,
    structure,
    structure_error,
    total_variation,
)
from styler.losses.style import STYLE_ERRORS, StyleMoments, moments
from styler.networks.layers import Mode
from styler.networks.residual import ResidualNetwork
from styler.networks.texture import TextureNetwork
from styler.networks.vgg import Typical
from styler.options.fast import TrainFastOptions
from styler.options.shared import ContentLoss
from styler.processes import ALONE, Group

Inputs = Tensor | list[Tensor]
"""Network inputs: photos, Image [N, 3, H, W], or noise, a list of [N, C, h, w]."""
Losses = dict[str, Tensor]
Objective = Callable[[Tensor | None, Tensor, Tensor, Tensor], Losses]
"""Photos or None, painted Image [N, 3, H, W], style and view of each [N] -> weighted losses."""

CONTENT_WEIGHT = 0.06
"""Weight of the content that keeps photos to be seen; the option is a factor of it."""
TEXTURE_RATE = 20.0
"""Learning rate of texture networks, relative to that of the convolutions."""
STABLE_NOISE = 0.01
"""Standard deviation of the noise that a steady network must ignore."""
LEAST = 0.3
"""Contrast and color of painted pictures that are too little, relative to the photos and the style."""
SAME = 0.02
"""Mean difference from the photo, of values in [0, 1], that is too little."""
DULL = 0.03
"""Contrast and color of photos and style below which those of painted pictures prove nothing."""
MORE = "try more --steps"


@dataclass(frozen=True)
class Targets:
    """Style targets of S styles, and the scales of the losses.

    Attributes:
        moments: layer -> mean [S, K, C] and second moment [S, K, C, C] of K views of each style.
        distance: [S], the square root of the style error of unpainted photos, or 1; errors are divided by it.
            Divided by the error itself, styles far from photos come out pale; undivided, they swallow the
            photo.
        spread: content layer -> spatial variance of photos' features, mean over channels and photos; what
            photos usually have at least.
        usual: layer -> the loss network's figures on photos.
    """

    moments: Mapping[str, StyleMoments]
    distance: Tensor
    spread: Mapping[str, Tensor]
    usual: Mapping[str, Typical]

    def of(self, layer: str, styles: Tensor, views: Tensor) -> StyleMoments:
        """Moments at a layer of one view [N] of each of `styles` [N]."""
        mean, second = self.moments[layer]
        return StyleMoments(mean[styles, views], second[styles, views])


def train_fast(
    network: ResidualNetwork | TextureNetwork,
    extractor: Extractor,
    targets: Targets,
    batches: Callable[[int], Inputs],
    options: TrainFastOptions,
    start: TrainingState | None = None,
    stop: Callable[[], bool] = lambda: False,
    group: Group = ALONE,
    average: ResidualNetwork | TextureNetwork | None = None,
) -> Generator[TrainStep | TrainingState, None, TrainingState]:
    """Train a network to paint the styles of `targets`, which are its last ones.

    Args:
        network: `network(inputs, mode)` is an Image, and `network.config.styles` is S. Parameters that
            need no gradient stay as they are.
        extractor: the loss network.
        batches: step -> this process's part of the inputs, on the network's device.
        stop: asked after each step; once true, the state is yielded and the training ends early.
        group: the processes that train together.
        average: a copy of the network that gets the average of its weights.

    Yields and returns as `fit`.
    """
    device = targets.distance.device
    form = form_for(options.precision, device)
    objective = objective_for(extractor, targets, options, form)
    optimizer = torch.optim.Adam(parameter_groups(network, options))
    paint = group.wrap(network)
    kept = network if average is None else nn.ModuleDict({"network": network, "average": average})
    known, new = network.config.styles, len(targets.distance)

    def step(index: int, inputs: Inputs) -> Losses:
        if average is not None:
            update_average(average, network, options.average, index)
        photos = inputs if isinstance(inputs, Tensor) else None
        first = (index * group.size + group.rank) * options.batch
        styles = torch.tensor(draw_styles(options.seed, first, options.batch, new), device=device)
        views = torch.tensor(_draw_views(options, first), device=device)
        mix = F.one_hot(styles + known - new, known).float()
        if photos is None or not options.video_stable:
            seen = inputs if photos is None else _grained(network, photos, options.seed, first)
            painted = paint(_formed(seen, form), Mode(mix=mix))
            return objective(photos, painted, styles, views)
        field = displacement(photos.shape, options.seed, first).to(device)
        moved = _noisy(displaced(photos, field), options.seed, first)
        both = Mode(mix=torch.cat([mix, mix]))
        seen = torch.cat([_grained(network, x, options.seed, first) for x in (photos, moved)])
        painted, again = paint(form(seen), both).chunk(2)
        steady = (again.float() - displaced(painted.float(), field)).square().mean()
        return objective(photos, painted, styles, views) | {"stable": options.stable_weight * steady}

    return (yield from fit(step, batches, kept, [optimizer], options, start, stop, group))


def parameter_groups(network: nn.Module, options: TrainFastOptions) -> list[dict[str, Any]]:
    """Parameter groups of the optimizer, with their learning rates.

    Norms, all that a style has of its own, learn faster: with one rate for all, the styles of a network look
    alike for thousands of steps. Texture networks, which are small, learn well at twenty times the rate.
    """
    parameters = {name: p for name, p in network.named_parameters() if p.requires_grad}
    if options.network == "texture":
        return [{"params": list(parameters.values()), "lr": TEXTURE_RATE * options.learning_rate}]
    shared = [p for name, p in parameters.items() if "norm." not in name]
    own = [p for name, p in parameters.items() if "norm." in name]
    parts = ((shared, options.learning_rate), (own, options.norm_rate * options.learning_rate))
    return [{"params": part, "lr": rate} for part, rate in parts if part]


def objective_for(extractor: Extractor, targets: Targets, options: TrainFastOptions, form: Form) -> Objective:
    """Losses of painted pictures: content, style relative to `targets.distance`, total variation, grid.

    Features are computed in `form`, their moments and errors in float32.
    """
    network = copy.deepcopy(extractor).to(form.dtype).to(memory_format=form.memory_format)
    padding = borderless(extractor)
    content, style = dict(shares(options.content_layers)), dict(shares(options.style_layers))

    def evaluate(photos: Tensor | None, painted: Tensor, styles: Tensor, views: Tensor) -> Losses:
        features: Features = {}
        if photos is not None and options.content_weight:
            with torch.no_grad():
                features = network(form(photos), content, padding=padding)
        losses: Losses = {}
        for name, raw in network.walk(painted, set(style) | set(features), padding=padding):
            x = raw.float()
            if name in features:
                error = content_distance(x, features[name].float(), name, targets, options.content_loss)
                losses[f"content/{name}"] = CONTENT_WEIGHT * options.content_weight * content[name] * error
            if name in style:
                target = targets.of(name, styles, views)
                error = STYLE_ERRORS[options.style_loss](moments(x), target, targets.usual[name])
                share = options.style_weight * style[name]
                losses[f"style/{name}"] = share * (error / targets.distance[styles]).mean()
        if options.tv_weight:
            losses["tv"] = options.tv_weight * total_variation(painted.float())
        if options.grid_weight and photos is not None:
            losses["grid"] = options.grid_weight * grid_pattern(painted.float())
        if options.range_weight:
            losses["range"] = options.range_weight * out_of_range(painted.float())
        return losses

    return evaluate


def content_distance(x: Tensor, photo: Tensor, layer: str, targets: Targets, kind: ContentLoss) -> Tensor:
    """Content error of a batch of features [N, C, H, W], a scalar.

    The squared distance is not divided by each photo's own variance: flat photos would outweigh all others.
    """
    if kind == "squared":
        return (x - photo).square().mean() / targets.spread[layer]
    return structure_error(x, structure(photo, targets.usual[layer].variance)).mean()


@torch.no_grad()
def make_targets(
    extractor: Extractor, styles: Sequence[Tensor], photos: Sequence[Tensor], options: TrainFastOptions
) -> Targets:
    """Make the targets of styles, Images [1, 3, H, W] of any size.

    Args:
        extractor: the loss network.
        photos: batches from which the scales of the losses are measured, so that a weight of 1 is right for
            any style, network and size; none for a network that sees no photo.

    Raises:
        InputError: for a layer that the network does not have, or a style too small for it.
    """
    names = {name for name, _ in options.style_layers}
    padding = borderless(extractor)
    measured = [
        [{name: moments(x) for name, x in extractor.walk(view, names, padding=padding)} for view in views]
        for views in (views_of(style, options, index) for index, style in enumerate(styles))
    ]
    targets = {
        name: StyleMoments(
            torch.stack([torch.cat([view[name][0] for view in views]) for views in measured]),
            torch.stack([torch.cat([view[name][1] for view in views]) for views in measured]),
        )
        for name in names
    }
    contents = {name for name, _ in options.content_layers}
    usual = typical(extractor, names | contents, partial(extractor.walk, padding=padding))
    unscaled = Targets(targets, torch.ones(len(styles), device=styles[0].device), {}, usual)
    if not photos:
        return unscaled
    features = [extractor(batch, names | contents, padding=padding) for batch in photos]
    distances = [_distance(features, unscaled, index, options) for index in range(len(styles))]
    spreads = {name: torch.stack([_spread(batch[name]) for batch in features]).mean() for name in contents}
    # Of flat photos it would be next to nothing, and the content outweigh any style.
    spread = {name: value.clamp_min(usual[name].variance) for name, value in spreads.items()}
    return Targets(targets, torch.stack(distances).sqrt(), spread, usual)


def views_of(style: Tensor, options: TrainFastOptions, index: int) -> list[Tensor]:
    """Views of a style: the whole at the size at which it is learned, never enlarged, or random squares."""
    own = size_of(style)
    size = seen(own, max(fitted(own, options.style_size)))
    whole = resize(style, size)
    side = min(*size, options.crop)
    draw = np.random.default_rng((options.seed, index))
    corners = [draw.integers(0, (size[0] - side + 1, size[1] - side + 1)) for _ in range(options.style_crops)]
    return [whole[..., top : top + side, left : left + side] for top, left in corners] or [whole]


def _distance(
    features: Sequence[Features], targets: Targets, style: int, options: TrainFastOptions
) -> Tensor:
    """Mean style error of batches, given by their features; 1e-3 at least."""
    device = targets.distance.device
    chosen = torch.tensor([style], device=device), torch.tensor([0], device=device)
    errors = [
        share * STYLE_ERRORS[options.style_loss](x, targets.of(name, *chosen), targets.usual[name]).mean()
        for batch in features
        for name, share in shares(options.style_layers)
        for x in (moments(batch[name]),)
    ]
    return torch.stack(errors).sum().clamp_min(1e-3) / len(features)


def _spread(features: Tensor) -> Tensor:
    """Spatial variance of features [N, C, H, W], mean over pictures and channels."""
    return (features - features.mean((-2, -1), keepdim=True)).square().mean()


def draw_styles(seed: int, first: int, count: int, styles: int) -> list[int]:
    """Draw the styles of pictures first..first+count of a training: equally often, in random order."""
    return [
        int(np.random.default_rng((seed, i // styles)).permutation(styles)[i % styles])
        for i in range(first, first + count)
    ]


def _draw_views(options: TrainFastOptions, first: int) -> list[int]:
    """Draw the view of its style for each picture of a batch."""
    pictures = range(first, first + options.batch)
    return [
        int(np.random.default_rng((options.seed, 1, i)).integers(max(1, options.style_crops)))
        for i in pictures
    ]


def _formed(inputs: Inputs, form: Form) -> Inputs:
    return form(inputs) if isinstance(inputs, Tensor) else [form(noise) for noise in inputs]


def _grained(network: nn.Module, inputs: Tensor, seed: int, first: int) -> Tensor:
    """Photos with the grain that the network is to see, new at each step."""
    assert isinstance(network, ResidualNetwork)
    config = network.config
    photos = inputs.float().cpu().numpy()
    noises = [noise_anew(photo, config.grain, seed, first + i) for i, photo in enumerate(photos)]
    if config.norm == "instance":  # which takes a constant away, and rounding would take more: see OnePass
        inputs = inputs - inputs.mean((2, 3), keepdim=True)
    return inputs + torch.from_numpy(np.stack(noises)[:, None]).to(inputs)


def _noisy(images: Tensor, seed: int, first: int) -> Tensor:
    """Images with noise, which for picture i of a batch is that of picture first + i of the training."""
    grain = [
        np.random.default_rng((seed, 2, first + i)).standard_normal(x.shape, np.float32)
        for i, x in enumerate(images)
    ]
    return images + STABLE_NOISE * torch.from_numpy(np.stack(grain)).to(images)


# Signs that it failed


def fault_of(photos: Sequence[Tensor], painted: Sequence[Tensor], style: Tensor, cause: str = "") -> str:
    """Fault of a trained network, with advice: pictures flat, gray or unchanged; "" if there is none.

    Args:
        photos: Images [1, 3, H, W]; none for textures.
        painted: an Image of each.
        style: an Image of any size.
        cause: a likely one, in place of the usual advice.
    """
    for measure, lack in ((contrast, "nearly flat"), (colorfulness, "nearly gray")):
        expected = min(_mean(measure, photos or [style]), measure(style))
        if expected > DULL and _mean(measure, painted) < LEAST * expected:
            return f"it is {lack}: {cause or MORE + ', or a smaller --learning-rate'}"
    changes = [float((after - before).abs().mean()) for before, after in zip(photos, painted, strict=False)]
    if changes and sum(changes) < SAME * len(changes):
        return f"photos hardly change: {cause or MORE + ', or a larger --style-weight'}"
    return ""


def contrast(image: Tensor) -> float:
    """Standard deviation of the gray values."""
    return float(image.mean(1).std())


def colorfulness(image: Tensor) -> float:
    """Mean difference between the largest and the smallest channel of a pixel."""
    return float((image.amax(1) - image.amin(1)).mean())


def _mean(measure: Callable[[Tensor], float], images: Sequence[Tensor]) -> float:
    return sum(map(measure, images)) / len(images)
