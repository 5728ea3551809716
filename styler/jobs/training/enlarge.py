"""Training of a network that enlarges pictures, from files to files."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from styler.engine.watch import likely_cause
from styler.errors import InputError
from styler.events import Event, Note
from styler.features import Extractor
from styler.image.conditions import Pair
from styler.jobs.training.diary import Diary, Steps, fixed
from styler.jobs.training.run import Request, Saved, Training, train
from styler.losses.metrics import PERCEPTUAL_LAYERS
from styler.networks.enlarge import EnlargeNetwork, between
from styler.networks.kinds import described
from styler.options.enlarge import TrainEnlargeOptions
from styler.processes import Group
from styler.storage import disk
from styler.storage.datasets.photos import Pictures
from styler.storage.header import SUFFIX
from styler.storage.models import enlargers, library, vgg
from styler.storage.models.library import Card, Model
from styler.storage.names import slug
from styler.storage.pictures.load import load_picture
from styler.storage.pictures.sheet import sheet
from styler.tasks.enlarge import train as task
from styler.tasks.enlarge.enlarger import STORED
from styler.tasks.enlarge.train import bicubic, joined, new_enlarger, pair_of
from styler.tasks.train_fast import MORE
from styler.tasks.train_translate import GAN

_FEW = 200
"""With fewer photos a network learns these photos."""
_HELD, _SHOWN = 8, 4
"""Pictures to validate on, and of a preview."""
SIDE = 384
"""Their long side in pixels."""


def train_enlarge(
    dataset: str,
    output: str,
    options: TrainEnlargeOptions,
    *,
    start_from: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    credits: str = "",
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event, None, dict[str, Any]]:
    """Train a network that enlarges, and write it; returns the record of what was done.

    Args:
        dataset: folder or list of photos.
        output: the network's file, or a folder for it, where it is called as the dataset and its factor.
        start_from: name or file of a trained network whose weights are the first ones.
        resume, overwrite, credits, stop: see `Request`.

    Raises as `train`.
    """
    base = enlargers.locate(start_from) if start_from else None
    output = disk.file_for(output, f"{slug(Path(dataset).resolve().stem)}-x{options.factor}{SUFFIX}")
    inputs = [base] if base else []
    request = Request("train-enlarge", output, options, resume, overwrite, credits, stop, inputs)
    make = functools.partial(_make_training, dataset, options, base)
    return (yield from train(make, request))


def _make_training(
    dataset: str, options: TrainEnlargeOptions, start_from: Path | None, group: Group, device: torch.device
) -> Generator[Event, None, Training[Pair]]:
    """Open photos and build the networks."""
    options = replace(options, loss_network=(yield from vgg.choose(options.loss_network)))
    pictures = Pictures(dataset, options.seed, shrink=options.shrink, hold_out=_HELD)
    networks, seal = _networks(options, start_from)
    networks.to(device)
    if options.blend < 1 and not start_from:
        raise InputError("--blend is under 1, and there is nothing to blend with: name it by --start-from")
    samples = _samples(pictures, options, networks.generator.config.inputs)
    work = EnlargeTraining(networks, pictures, samples, options)
    if group.main and len(pictures) < _FEW:
        yield Note(
            f"few photos ({len(pictures)}): with {_FEW} or more the network does better on other photos"
        )
    return Training(
        options=options,
        crop=options.crop,
        count=len(pictures),
        ingredients={
            "options": fixed(options),
            "photos": pictures.digest(),
            "weights to start from": seal,
        },
        batches=functools.partial(work.batch, group, device),
        fit=functools.partial(work.fit, group),
        diary=Diary(work.preview, lambda: pictures.skipped.copy(), work.networks.figures, work.validate),
        write=work.write,
        extras=lambda: {"scores": work.scores} if work.scores else {},
    )


def _networks(options: TrainEnlargeOptions, start_from: Path | None) -> tuple[GAN[EnlargeNetwork], str]:
    """Random networks, or with the weights of a file, and its seal; InputError if that has another shape.

    A network of another factor gives all layers that fit.
    """
    networks = new_enlarger(options)
    if start_from is None:
        return networks, ""
    base = enlargers.read(start_from)
    generator = networks.generator
    if replace(base.network.config, factor=generator.config.factor) != generator.config:
        raise InputError(
            f"{library.called(start_from)} has another architecture: repeat the options of its training"
        )
    known, weights = generator.state_dict(), base.network.state_dict()
    fitting = {
        name: value for name, value in weights.items() if name in known and known[name].shape == value.shape
    }
    generator.load_state_dict({**known, **fitting})
    return GAN(generator, networks.discriminator, options), base.card.sha256


def _samples(pictures: Pictures, options: TrainEnlargeOptions, inputs: int) -> dict[str, list[Pair]]:
    """Pairs of pictures that are held out, by kind; of crops where all of those are too small."""
    factor, photos = int(options.factor), []
    for path in pictures.held:
        try:
            photos.append(load_picture(path, long_side=SIDE).image)
        except InputError as error:
            pictures.skipped[str(path)] = str(error)
    large = [photo for photo in photos if min(photo.shape[2:]) >= factor * task.LEAST]
    if not large:
        crops = pictures.batch(options.steps, _SHOWN, factor * options.crop)
        large = [crops[i : i + 1] for i in range(_SHOWN)]
    return task.validation_pairs(large, options, inputs)


@dataclass(eq=False)
class EnlargeTraining:
    """Training of a network that enlarges.

    Attributes:
        samples: pairs to validate on, by kind.
        extractor: the loss network, as soon as it is loaded.
        start: the network as it was before the training.
        scores: those of the last validation.
    """

    networks: GAN[EnlargeNetwork]
    pictures: Pictures
    samples: Mapping[str, Sequence[Pair]]
    options: TrainEnlargeOptions
    extractor: Extractor | None = None
    scores: Mapping[str, Mapping[str, float]] | None = None

    def __post_init__(self) -> None:
        """Keep the start, if a share of it comes into the network."""
        blended = self.options.blend < 1
        self.start = copy.deepcopy(self.networks.generator).requires_grad_(False) if blended else None

    @property
    def network(self) -> EnlargeNetwork:
        """The network that is written: of averaged weights, and those of the start."""
        averaged = self.networks.averaged
        return averaged if self.start is None else between(self.start, averaged, self.options.blend)

    def batch(self, group: Group, device: torch.device, step: int) -> Pair:
        """This process's part of a batch, on its device."""
        options, first = self.options, group.rank * self.options.batch
        inputs = self.networks.generator.config.inputs
        side = int(options.factor) * options.crop
        images = self.pictures.batch(step, options.batch, side, first)
        draws = [np.random.default_rng((options.seed, 1, step, first + i)) for i in range(options.batch)]
        pairs = [pair_of(images[i : i + 1], options, inputs, draw) for i, draw in enumerate(draws)]
        return joined(pairs).to(device)

    def fit(
        self,
        group: Group,
        batches: Callable[[int], Pair],
        saved: Saved | None,
        stop: Callable[[], bool],
    ) -> Steps:
        """Load the loss network and begin."""
        options, device = self.options, self.networks.accuracy.device
        layers = {*PERCEPTUAL_LAYERS, *(name for name, _ in options.perceptual_layers)}
        self.extractor = vgg.load(options.loss_network).until(layers).to(device)
        if saved and saved.extras:
            self.scores = saved.extras["scores"]
        start = saved.state if saved else None
        return task.train_enlarge(self.networks, self.extractor, batches, options, start, stop, group)

    def validate(self, step: int) -> dict[str, Any]:
        """Scores of the averaged weights and of bicubic enlargement on pictures held out, to log."""
        assert self.extractor is not None
        self.scores = task.validate(self.network, self.samples, self.extractor)
        return {"validation": self.scores} if self.scores else {}

    @torch.inference_mode()
    def preview(self) -> Tensor:
        """Sheet of the same few small pictures, enlarged bicubic and by the network, and the true ones."""
        device, network = self.networks.accuracy.device, self.network
        rows = []
        for pair in [pair for some in self.samples.values() for pair in some[: _SHOWN // 2]]:
            ours = network(pair.inputs.to(device), STORED).clamp(0, 1).cpu()
            rows.append([bicubic(pair.inputs[:, :3], network.scale), ours, pair.targets])
        return sheet(rows, column_labels=["bicubic", "network", "target"], cell=SIDE)

    def write(self, path: Path, training: Mapping[str, Any]) -> Iterator[Note]:
        """Write the averaged weights with their scores; gives these."""
        for kind, scores in (self.scores or {}).items():
            yield Note(f"{kind}: " + ", ".join(f"{name} {value:.4g}" for name, value in scores.items()))
        if fault := fault_of(self.scores or {}):
            yield Note(f"{fault}: {likely_cause(self.options) or MORE}")
        network, written = EnlargeNetwork(self.networks.generator.config), self.network
        network.load_state_dict(written.state_dict())
        information = {"training": training, "validation": self.scores or {}}
        card = Card("enlarge", described(network.config), (), "", information)
        library.write(path, Model(network.eval(), card))


def fault_of(scores: Mapping[str, Mapping[str, float]]) -> str:
    """Fault of a network by its scores: all of them worse than those of bicubic enlargement; "" if none is.

    Networks that make sharp pictures are worse by some, as `psnr` is highest for blur.
    """
    for kind, ours in scores.items():
        plain = scores.get(task.BICUBIC + kind, {})
        worse = [name for name, least in plain.items() if (ours[name] <= least) == (name != "perceptual")]
        if plain and len(worse) == len(plain):
            return f"by every score it enlarges {kind} pictures worse than bicubic enlargement does"
    return ""
