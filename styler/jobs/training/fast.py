"""From style pictures and photos to a trained model file: open, train, save, write. A generator of events."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from styler import device
from styler import processes as distributed
from styler.engine.minimize import TrainingState
from styler.events import Event, Note, Stage
from styler.features import Extractor
from styler.jobs.training import processes
from styler.jobs.training import run as resuming
from styler.jobs.training.fast_diary import Diary
from styler.jobs.training.fast_models import Learned, Network, file_of, model_of, network_for, open_styles
from styler.jobs.training.feeds import Feed, moved, noise_feed, photo_feed
from styler.networks.residual import ResidualNetwork
from styler.networks.texture import TextureNetwork
from styler.options.fast import TrainFastOptions
from styler.processes import Group
from styler.storage import runs
from styler.storage.datasets.photos import ahead
from styler.storage.models import library, vgg
from styler.storage.models.library import Model
from styler.tasks import train_fast as task
from styler.tasks.train_fast import Targets

FEW = 500
"""With fewer photos a network learns these photos rather than the style."""


@dataclass(frozen=True)
class Order:
    """What is to be trained, of what, and where it is to be written."""

    styles: Sequence[str]
    dataset: str
    output: str
    options: TrainFastOptions
    base: Path | None
    start_from: Path | None
    credits: str

    @property
    def states(self) -> Path:
        """The folder of training states, log and previews."""
        return resuming.folder_for(self.output)

    @property
    def inputs(self) -> list[Path | str]:
        """The files that must not be written over."""
        return [*map(file_of, self.styles), *(path for path in (self.base, self.start_from) if path)]


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

    In OUTPUT.training are kept the last two states until the model is written, and for good the log, the
    loss curves and a preview. Started by torchrun, all processes train one network; the first one writes and
    tells, the others yield nothing and return {}.

    Args:
        styles: picture files, as FILE or NAME=FILE.
        dataset: folder or list of photos; texture networks need none.
        output: the model's file.
        add_to: name or file of a trained model to which the styles are added; those that it has stay exactly
            as they are.
        start_from: name or file of a trained model whose weights are the first ones; it has as many styles.
        resume: go on from the last state. Processes that torchrun starts again do that by themselves.
        overwrite: replace a model, or a state that a run without `resume` would lose.
        credits: whom the photos' licences ask to name; goes into the file.
        stop: asked after each step; once true, the state is saved and no model is written.

    Raises:
        StylerError: of each kind; after DivergedError the last good state is still there.
    """
    base, first = (library.locate(name, "") if name else None for name in (add_to, start_from))
    order = Order(styles, dataset, output, options, base, first, credits)
    place = distributed.placed(device.choose(options.device))
    with (
        distributed.join(place) as group,
        processes.claimed(output, order.inputs, group, resume, overwrite),
    ):
        run = _train(order, place, group, resume, lambda: group.any(stop()))
        return (yield from processes.told(run, group))


def _train(
    order: Order, place: torch.device, group: Group, resume: bool, stop: Callable[[], bool]
) -> Generator[Event, None, dict[str, Any]]:
    begun, options = time.monotonic(), order.options
    device.prepare(options.seed, options.threads)
    learned = yield from open_styles(order.styles, options.style_size)
    base, first = (library.read(path) if path else None for path in (order.base, order.start_from))
    network = network_for(options, [one.style.name for one in learned], base, first).to(place)
    feed = _feed(order, network, group)
    yield from _noted(order, network, feed)
    made_of = _made_of(order, learned, base or first, feed)
    saved = processes.saved(order.states, made_of, "styler train-fast", group, resume)
    start = saved.state if saved else None
    extractor, targets = _wanted(options, learned, feed, place)
    yield Stage("train-fast", options.crop, options.crop, options.steps)
    with ahead(lambda step: moved(feed.batch(step), place), processes.workers(group)) as batches:
        run = task.train_fast(network, extractor, targets, batches, options, start, stop, group)
        run = processes.averaged(run, group)
        if not group.main:
            deque(run, 0)  # all of it, and nothing kept
            return {}
        diary = _diary(order, network, learned, feed, start)
        state = yield from resuming.saving(diary.keep(run), order.states, made_of)
    yield from resuming.skipped(feed.pictures)
    record = {"output": order.output, "seconds": round(time.monotonic() - begun, 1), "seed": options.seed}
    if state.step < options.steps:
        yield resuming.stopped(order.states)
        told = f"stopped after {state.step} of {options.steps} steps"
        return {**record, "output": None, "message": told}
    count = sum(map(len, feed.pictures))
    about = diary.log.about("train-fast", count, order.credits, group)
    library.write(Path(order.output), model_of(network, learned, base, first, about))
    runs.discard(order.states)
    yield from map(Note, diary.faults())
    return {**record, "device": str(place), "losses": about["losses"]}


def _feed(order: Order, network: Network, group: Group) -> Feed:
    if isinstance(network, TextureNetwork):
        return noise_feed(network, order.options, group)
    return photo_feed(order.dataset, order.options, group)


def _noted(order: Order, network: Network, feed: Feed) -> Generator[Event, None, None]:
    """Tell what may not be as the user thinks."""
    count = sum(map(len, feed.pictures))
    if feed.pictures and count < FEW:
        yield Note(f"few photos ({count}): with {FEW} or more the network does better on other photos")
    if order.dataset and not feed.pictures:
        yield Note("textures are made of noise: --dataset is not used")
    if order.base and isinstance(network, ResidualNetwork) and "model_size" in order.options.changed():
        yield Note(f"the network that is added to has width {network.config.width}: --model-size is not used")


def _made_of(order: Order, learned: Sequence[Learned], base: Model | None, feed: Feed) -> dict[str, object]:
    """What a run that goes on must have in common with the one that it continues."""
    return {
        "options": resuming.frozen(order.options),
        "styles": {one.style.name: one.sha256 for one in learned},
        "photos": feed.digest(),
        "weights to start from": base.card.sha256 if base else "",
    }


def _wanted(
    options: TrainFastOptions, learned: Sequence[Learned], feed: Feed, place: torch.device
) -> tuple[Extractor, Targets]:
    """The network that compares, and what it is to see."""
    names = {name for name, _ in (*options.content_layers, *options.style_layers)}
    extractor = vgg.load(options.loss_network).until(names).to(place)
    pictures = [one.image.to(place) for one in learned]
    photos = [batch.to(place) for batch in feed.calibration]
    return extractor, task.make_targets(extractor, pictures, photos, options)


def _diary(
    order: Order, network: Network, learned: Sequence[Learned], feed: Feed, start: TrainingState | None
) -> Diary:
    styles = [(one.style.name, one.image) for one in learned]
    done = start.step if start else 0
    return Diary(order.states, done, network, feed.samples, styles, order.options, feed.skipped)
