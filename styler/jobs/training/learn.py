"""Learning a painting on the very pictures that are to be painted, in about a minute. Generators of events.

A network of another style is trained further for some steps on a few of these pictures and nothing else.
Crops of one photo have gradients of little variance, so that few steps at a high rate do (Johnson et al. 2016
train for 40,000 steps on 80,000 photos, for all photos that there are).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from styler.engine.fit import TrainingState
from styler.errors import DeviceError, InputError, OutputError, StylerError, is_shortage
from styler.events import Event, Note, Stage, TrainStep, relay
from styler.image.levels import to_levels, to_unit
from styler.image.size import fit, long_side, resize, size_of
from styler.jobs.recipes import Record
from styler.jobs.records import prepare
from styler.jobs.training.diary import about, fixed
from styler.jobs.training.fast import SAMPLE_SIDE, Feed, StyleTraining, moved
from styler.jobs.training.styles import LearnedStyle, model_of, network_for, open_styles, read_start
from styler.networks.residual import ResidualNetwork
from styler.options.fast import LEARNING, LEARNING_STEPS, FastOptions, TrainFastOptions
from styler.processes import ALONE
from styler.storage import disk
from styler.storage.datasets.photos import LONG_SIDE, crops, spread
from styler.storage.header import SUFFIX
from styler.storage.inputs import STREAM, Job
from styler.storage.models import library, vgg
from styler.storage.models.library import Model
from styler.storage.names import cut, display
from styler.storage.pictures.load import load_levels
from styler.storage.styles import Asked
from styler.storage.videos.video import open_video

PICTURES = 4
"""Pictures of a folder, or frames of a video, that are learned from, at most."""
_FRAMES = 3000
"""Frames of a video among which these are, at most: the others need not be decoded."""
_PREVIEWS = 10
"""Previews of a learning."""
_CALIBRATION = 4
"""Crops from which the scales of the losses are measured."""
_KEY = 12
"""Hexadecimal digits in the name of a learned network."""


class Part(NamedTuple):
    """One of the networks of which a blend is the mean, its share, and what recipes say of it."""

    network: ResidualNetwork
    share: float
    entry: Record


@dataclass(frozen=True, eq=False)
class _Lesson:
    """A painting to learn, the network to start from, and how.

    Attributes:
        path: where the network is kept.
    """

    style: LearnedStyle
    start: Model
    options: TrainFastOptions
    path: Path

    @property
    def name(self) -> str:
        """The painting's name."""
        return self.style.style.name


def learn(
    wish: Asked, jobs: Sequence[Job], options: FastOptions, stop: Callable[[], bool]
) -> Generator[Event, None, list[Part]]:
    """Learn all paintings that `--style` asks for, from one network, so that a mean of weights blends them.

    That network is one of the styles by name with which they are blended, where there are any, and then it is
    a part as well.

    Args:
        wish: what `options.style` says.
        jobs: whose sources are to be painted.
        options: `learn`, `relearn`, `size` and those of the machine are obeyed.
        stop: asked after each step; once true, the network is as it is by then, and is not kept.

    Raises:
        StylerError: for what is wrong with a painting or all pictures, or for names that no one network has.
    """
    found = (library.locate("", wish.names), wish.names) if wish.names else library.locate_start()
    start, total = read_start(*found), sum(wish.weights.values())
    parts, lessons = [], []
    for painting in filter(wish.weights.get, wish.paintings):  # none without weight
        lesson = yield from _open(painting, start, options)
        lessons.append((lesson, wish.weights[painting] / total))
    for lesson, share in lessons:
        model, steps = yield from _learned(lesson, jobs, options, stop)
        entry: Record = {"name": lesson.path.stem, "painting": lesson.style.sha256}
        if steps < lesson.options.steps:
            entry |= {"interrupted": True, "steps": steps}
        parts.append(Part(_network(model), share, entry))
    if wish.names:
        card, share = start.card, 1 - sum(part.share for part in parts)
        parts.append(Part(_network(start), share, {"name": card.styles[0].name, "sha256": card.sha256}))
    return parts


def _learned(
    lesson: _Lesson, jobs: Sequence[Job], options: FastOptions, stop: Callable[[], bool]
) -> Generator[Event, None, tuple[Model, int]]:
    """Learn a painting, or find what was learned of it before, on whatever photo; with the steps done."""
    if not options.relearn and lesson.path.exists():
        found = yield from _known(lesson)
        if found:
            return found, lesson.options.steps
    if options.dry_run:
        yield Note(f"{lesson.name} would be learned first, in {lesson.options.steps} steps")
        return lesson.start, lesson.options.steps
    keeps = yield from _prove(lesson)
    photos = list(_photos(jobs, options))
    try:
        model, steps = yield from _train(lesson, photos, stop)
    except (MemoryError, RuntimeError, SystemError) as error:
        if not is_shortage(error):
            raise
        raise DeviceError(
            f"out of memory while {lesson.name} is learned: close other programs, or take a trained style"
        ) from error
    if steps < lesson.options.steps:
        yield Note(
            f"stopped after {steps} of {lesson.options.steps} steps: {lesson.name} is painted as far as it "
            "was learned, and not kept"
        )
    elif keeps:
        yield from _keep(lesson, model)
    return model, steps


def _network(model: Model) -> ResidualNetwork:
    assert isinstance(model.network, ResidualNetwork)
    return model.network


def _open(painting: str, start: Model, options: FastOptions) -> Generator[Event, None, _Lesson]:
    """Open a painting, and say how it is learned and where the network is kept."""
    network = yield from vgg.choose(TrainFastOptions().loss_network)
    steps = LEARNING_STEPS[options.learn]
    chosen = TrainFastOptions(
        **LEARNING,
        steps=steps,
        report=max(1, steps // _PREVIEWS),
        save=steps,
        seed=options.seed,
        device=options.device,
        threads=options.threads,
        precision=options.precision,
        loss_network=network,
    )
    (style,) = yield from open_styles([painting], chosen.style_size)
    path = library.learned_folder() / f"{cut(style.style.name, 64)}-{_key(style, start, chosen)}{SUFFIX}"
    return _Lesson(style, start, chosen, path)


def _key(style: LearnedStyle, start: Model, options: TrainFastOptions) -> str:
    """Digest of all that a learned network depends on but the photos, which it paints best but not alone."""
    machine = ("device", "threads")
    made_of = {
        "style": style.sha256,
        "options": {name: value for name, value in fixed(options).items() if name not in machine},
        "start": start.card.sha256,
        "loss network": vgg.sha256(options.loss_network),
    }
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:_KEY]


def _known(lesson: _Lesson) -> Generator[Event, None, Model | None]:
    """What was learned before, None if its file is damaged."""
    try:
        model = library.read(lesson.path)
    except StylerError:
        yield Note(f"{display(lesson.path)} is damaged: {lesson.name} is learned again")
        return None
    yield Note(f"{lesson.name} was learned before; --relearn learns it on these pictures")
    return model


def _prove(lesson: _Lesson) -> Generator[Event, None, bool]:
    """Whether the network can be kept, with a note before the minute of learning if it cannot."""
    try:
        disk.prove_writable(lesson.path, overwrite=True)
    except OutputError as error:
        yield Note(f"{lesson.name} is learned for this time only: {error}")
        return False
    return True


def _keep(lesson: _Lesson, model: Model) -> Iterator[Note]:
    """Write a learned network for the next time; where that fails, this time is not lost."""
    try:
        library.write(lesson.path, model)
    except OutputError as error:
        yield Note(f"{lesson.name} is not kept: {error}")


# The training


def _train(
    lesson: _Lesson, photos: Sequence[Tensor], stop: Callable[[], bool]
) -> Generator[Event, None, tuple[Model, int]]:
    """Train the network on photos, bytes [3, H, W]; returns it, and the number of steps done."""
    options, device = lesson.options, prepare(lesson.options)
    network = network_for(options, [lesson.name], None, lesson.start).to(device)
    work = StyleTraining(network, [lesson.style], _feed(photos, options), options, first=lesson.start)
    losses: dict[str, float] = {}

    def answer(event: TrainStep | TrainingState) -> Iterator[TrainStep]:
        if isinstance(event, TrainStep):
            losses.update(event.losses or {})
            yield replace(event, preview=work.paint(work.feed.samples[0], 0)) if event.losses else event

    def batches(step: int) -> Tensor | list[Tensor]:
        return moved(work.feed.batch(step), device)

    run = work.fit(ALONE, batches, None, stop)
    yield Stage(f"learning {lesson.name}", options.crop, options.crop, options.steps)
    state = yield from relay(run, answer)
    work.kept.half().float()  # as a file has it, so that it paints the same bytes the next time
    training = {"command": "fast", "pictures": len(photos), **about(options, {"losses": losses})}
    return model_of(work.kept, [lesson.style], None, None, training), state.step


def _feed(photos: Sequence[Tensor], options: TrainFastOptions) -> Feed:
    """Random crops of a few photos, which are all there are to calibrate with, too."""

    def batch(step: int) -> Tensor:
        return crops(photos, options.seed, step, options.batch, options.crop)

    first = to_unit(photos[0][None])
    sample = resize(first, fit(size_of(first), SAMPLE_SIDE))
    return Feed(batch, [batch(options.steps + i) for i in range(_CALIBRATION)], [sample])


# What it learns from


def _photos(jobs: Sequence[Job], options: FastOptions) -> Iterator[Tensor]:
    """A few pictures, spread over all and each video's frames, as bytes [3, H, W] of the output's size.

    One that cannot be read is passed over, as long as another can be: painting it says what is wrong.
    """
    chosen = spread([job for job in jobs if job.source != STREAM], PICTURES)
    problem: StylerError = InputError(
        "standard input (-) can be read only once, and a painting is learned on the photo first: give a file"
    )
    side, found = min(LONG_SIDE, long_side(options.size) or LONG_SIDE), 0
    for job in chosen:
        try:
            for picture in _opened(job, PICTURES // len(chosen), side, options):
                found += 1
                yield picture
        except StylerError as error:
            problem = error
    if not found:
        raise problem


def _opened(job: Job, frames: int, side: int, options: FastOptions) -> Iterator[Tensor]:
    """A picture, or so many frames of a video."""
    if job.video:
        yield from _frames(job, frames, side, options)
    else:
        yield load_levels(job.source, side)


def _frames(job: Job, count: int, side: int, options: FastOptions) -> Iterator[Tensor]:
    """Frames of a video, as many, from the middles of equally long parts of it."""
    video = open_video(Path(job.source), options.size, options.max_pixels)
    length = min(video.count or _FRAMES, _FRAMES)
    wanted = {length * (2 * part + 1) // (2 * count) for part in range(count)}
    for index, frame in enumerate(islice(video.frames(0), max(wanted) + 1)):
        if index in wanted:
            own = size_of(frame.image)
            yield to_levels(resize(frame.image, fit(own, min(side, max(own)))))[0]
