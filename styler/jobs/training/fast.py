"""Training of a network for some styles, on photos or on noise, from files to files."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from styler.engine.watch import likely_cause
from styler.errors import InputError
from styler.events import Event, Note
from styler.jobs.training.diary import Diary, Steps, fixed
from styler.jobs.training.run import Request, Saved, Training, train
from styler.jobs.training.styles import (
    LearnedStyle,
    Network,
    model_of,
    name_of,
    network_for,
    open_styles,
    read_start,
    read_styled,
)
from styler.networks.layers import Mode
from styler.networks.residual import ResidualNetwork
from styler.networks.texture import TextureNetwork
from styler.options.fast import FastOptions, TrainFastOptions
from styler.processes import Group
from styler.storage import disk
from styler.storage.datasets.photos import Pictures
from styler.storage.header import SUFFIX
from styler.storage.models import library, vgg
from styler.storage.models.library import Model
from styler.storage.names import file_of, slug
from styler.storage.pictures.load import load_picture
from styler.storage.pictures.sheet import sheet
from styler.tasks import train_fast as task
from styler.tasks.fast import painter
from styler.tasks.train_fast import MORE, Inputs, fault_of, make_targets

_FEW = 500
"""With fewer photos a network learns these photos rather than the style."""
_CALIBRATION = 4
"""Batches of photos from which the scales of the losses are measured."""
_SAMPLES = 4
"""Pictures of each style in a preview."""
SAMPLE_SIDE = 256
"""Their long side in pixels."""
_SHOWN_STYLES = 6
"""Styles in a preview, at most."""


def train_fast(
    styles: Sequence[str],
    dataset: str,
    output: str,
    options: TrainFastOptions,
    *,
    add_to: str | None = None,
    start_from: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    credits: str = "",
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event, None, dict[str, Any]]:
    """Train a network that paints in some styles, and write it; returns the record of what was done.

    Args:
        styles: picture files, as FILE or NAME=FILE.
        dataset: folder or list of photos; texture networks need none.
        output: the network's file, or a folder for it, where it is called as its styles.
        add_to: name or file of a trained network to which the styles are added; its own stay exactly as they
            are.
        start_from: name or file of a trained network whose weights are the first ones, with as many styles or
            one, with which all begin; or the name of one of its styles, with which all begin.
        resume, overwrite, credits, stop: see `Request`.

    Raises as `train`.
    """
    base = library.locate(add_to, "") if add_to else None
    first = library.locate_start(start_from) if start_from else None
    networks = (base, first[0] if first else None)
    inputs: list[Path | str] = [*map(file_of, styles), *filter(None, networks)]
    output = disk.file_for(output, "-".join(slug(name_of(style)) for style in styles) + SUFFIX)
    request = Request("train-fast", output, options, resume, overwrite, credits, stop, inputs)
    make = functools.partial(_make_training, styles, dataset, options, base, first)
    return (yield from train(make, request))


def _make_training(
    files: Sequence[str],
    dataset: str,
    options: TrainFastOptions,
    add_to: Path | None,
    start_from: tuple[Path, str] | None,
    group: Group,
    device: torch.device,
) -> Generator[Event, None, Training[Inputs]]:
    """Open styles and photos, and build the network."""
    options = replace(options, loss_network=(yield from vgg.choose(options.loss_network)))
    styles = yield from open_styles(files, options.style_size)
    base = read_styled(add_to) if add_to else None
    first = read_start(*start_from) if start_from else None
    network = network_for(options, [one.style.name for one in styles], base, first).to(device)
    feed = _feed_for(network, dataset, options, group)
    yield from _notes(network, feed, dataset, base, options)
    start = base or first
    work = StyleTraining(network, styles, feed, options, base, first)
    return Training(
        options=options,
        crop=options.crop,
        count=feed.count,
        ingredients={
            "options": fixed(options),
            "styles": {one.style.name: one.sha256 for one in styles},
            "photos": feed.digest,
            "weights to start from": start.card.sha256 if start else "",
        },
        batches=lambda step: moved(feed.batch(step), device),
        fit=functools.partial(work.fit, group),
        diary=Diary(work.preview, feed.skipped),
        write=work.write,
    )


def _notes(
    network: Network, feed: Feed, dataset: str, base: Model | None, options: TrainFastOptions
) -> Iterator[Note]:
    """Notes on what may not be as the user thinks."""
    if feed.pictures is not None and feed.count < _FEW and not options.these_photos:
        yield Note(f"few photos ({feed.count}): with {_FEW} or more the network does better on other photos")
    if dataset and feed.pictures is None:
        yield Note("textures are made of noise: --dataset is not used")
    if base and isinstance(network, ResidualNetwork) and "model_size" in options.changed():
        yield Note(f"the network that is added to has width {network.config.width}: --model-size is not used")
    if base and isinstance(network, ResidualNetwork) and options.grain not in (0, network.config.grain):
        yield Note(f"the network that is added to has grain {network.config.grain}: --grain is not used")


@dataclass(eq=False)
class StyleTraining:
    """Training of a network for styles, its last ones.

    Attributes:
        base: the trained network that the styles are added to.
        first: the trained network that this one starts from.
        painted: the last preview, a row of Images for each style.
        average: a copy of the network with the average of its weights.
    """

    network: Network
    styles: Sequence[LearnedStyle]
    feed: Feed
    options: TrainFastOptions
    base: Model | None = None
    first: Model | None = None
    painted: list[list[Tensor]] = field(default_factory=list, init=False)
    average: Network | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Copy the network for the average of its weights."""
        if self.options.average:
            self.average = copy.deepcopy(self.network).requires_grad_(False)

    @property
    def kept(self) -> Network:
        """The network with averaged weights, or the trained one without an average."""
        return self.network if self.average is None else self.average

    def fit(
        self,
        group: Group,
        batches: Callable[[int], Inputs],
        saved: Saved | None,
        stop: Callable[[], bool],
    ) -> Steps:
        """Load the loss network, make the targets and begin."""
        options, device = self.options, next(self.network.parameters()).device
        layers = {name for name, _ in (*options.content_layers, *options.style_layers)}
        extractor = vgg.load(options.loss_network).until(layers).to(device)
        pictures = [one.image.to(device) for one in self.styles]
        photos = [batch.to(device) for batch in self.feed.calibration]
        targets = make_targets(extractor, pictures, photos, options)
        start = saved.state if saved else None
        return task.train_fast(
            self.network, extractor, targets, batches, options, start, stop, group, self.average
        )

    def preview(self) -> Tensor:
        """Grid of the same few samples in each style, an Image."""
        styles = self.styles[:_SHOWN_STYLES]
        self.painted = [[self.paint(x, index) for x in self.feed.samples] for index in range(len(styles))]
        rows = [[one.image.cpu(), *row] for one, row in zip(styles, self.painted, strict=True)]
        labels = [one.style.name for one in styles]
        if photos := self._photos():
            blank = torch.ones(1, 3, 16, 16)
            rows, labels = [[blank, *photos], *rows], ["", *labels]
        return sheet(rows, row_labels=labels)

    @torch.no_grad()
    def paint(self, inputs: Inputs, style: int) -> Tensor:
        """Paint one sample in a style, photos as `styler fast` does: an Image [1, 3, H, W] on the CPU."""
        device, count = next(self.network.parameters()).device, self.network.config.styles
        row = torch.tensor([count - len(self.styles) + style])
        mix = F.one_hot(row, count).float().to(device)
        if isinstance(inputs, Tensor):
            return painter(self.kept, mix, FastOptions())(inputs)
        painted: Tensor = self.kept(moved(inputs, device), Mode(mix=mix))
        return painted.float().clamp(0, 1).cpu()

    def _photos(self) -> list[Tensor]:
        return [sample for sample in self.feed.samples if isinstance(sample, Tensor)]

    def write(self, path: Path, training: Mapping[str, Any]) -> Iterator[Note]:
        """Write the network with its styles; gives the faults of its last preview."""
        model = model_of(self.kept, self.styles, self.base, self.first, training)
        library.write(path, model)
        yield from map(Note, self.faults(training["losses"]))

    def faults(self, losses: Mapping[str, float]) -> list[str]:
        """Faults in the last preview by style; else one if the style errors have not become less."""
        photos, cause = self._photos(), likely_cause(self.options)
        faults = [
            (one.style.name, fault_of(photos, painted, one.image.cpu(), cause))
            for one, painted in zip(self.styles, self.painted, strict=False)
        ]
        if any(fault for _, fault in faults):
            return [f"{name}: {fault}" for name, fault in faults if fault]
        error = sum(loss for name, loss in losses.items() if name.startswith("style/"))
        if not self.options.style_weight or error < self.options.style_weight:
            return []  # the errors are relative to those of photos
        other = "photos are" if photos else "blank paper is"
        return [f"it is no nearer to the style than {other}: {cause or MORE}"]


# What it learns from


@dataclass(frozen=True)
class Feed:
    """Inputs of a training.

    Attributes:
        batch: step -> this process's part of the inputs, on the CPU.
        calibration: batches of photos that are not trained on, the same in all processes; none of noise.
        samples: inputs of previews, of one picture each.
        pictures: the dataset of photos.
    """

    batch: Callable[[int], Inputs]
    calibration: Sequence[Tensor]
    samples: Sequence[Inputs]
    pictures: Pictures | None = None

    @property
    def count(self) -> int:
        """Photos in the dataset, 0 for noise."""
        return len(self.pictures) if self.pictures is not None else 0

    @property
    def digest(self) -> str:
        """Fingerprint of the dataset, "" for noise."""
        return self.pictures.digest() if self.pictures is not None else ""

    def skipped(self) -> Mapping[str, str]:
        """Photos that could not be read so far, and why."""
        return self.pictures.skipped.copy() if self.pictures is not None else {}


def _feed_for(network: Network, dataset: str, options: TrainFastOptions, group: Group) -> Feed:
    """Inputs that a network takes, for one process of a group; raises as `_photo_feed`."""
    if isinstance(network, TextureNetwork):
        return _noise_feed(network, options, group)
    return _photo_feed(dataset, options, group)


def _photo_feed(dataset: str, options: TrainFastOptions, group: Group) -> Feed:
    """Crops of the photos in a folder or list; a few photos are held out for previews.

    Raises:
        InputError: if there is none.
    """
    pictures = Pictures(dataset, options.seed, hold_out=_SAMPLES)
    count = options.batch * group.size
    return Feed(
        lambda step: pictures.batch(step, options.batch, options.crop, group.rank * options.batch),
        [pictures.batch(options.steps + i, count, options.crop) for i in range(_CALIBRATION)],
        _readable(pictures) or [pictures.batch(options.steps, 1, SAMPLE_SIDE)],
        pictures,
    )


def _noise_feed(network: TextureNetwork, options: TrainFastOptions, group: Group) -> Feed:
    """Noise for a texture network."""
    first, count = group.rank * options.batch, options.batch * group.size

    def batch(step: int) -> Inputs:
        seed = int(np.random.default_rng((options.seed, step)).integers(2**63))
        noise = network.noise(options.crop, options.crop, seed, count)
        return [scale[first : first + options.batch] for scale in noise]

    samples = [network.noise(SAMPLE_SIDE, SAMPLE_SIDE, seed) for seed in range(_SAMPLES)]
    return Feed(batch, [], samples)


def moved(inputs: Inputs, device: torch.device) -> Inputs:
    """Move inputs to a device."""
    if isinstance(inputs, Tensor):
        return inputs.to(device)
    return [noise.to(device) for noise in inputs]


def _readable(pictures: Pictures) -> list[Inputs]:
    """Photos held out, as far as they can be read."""
    photos: list[Inputs] = []
    for path in pictures.held:
        try:
            photos.append(load_picture(path, long_side=SAMPLE_SIDE).image)
        except InputError as error:
            pictures.skipped[str(path)] = str(error)
    return photos
