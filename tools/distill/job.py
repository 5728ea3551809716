"""Distillation from folders of pictures to a network's file, as a generator of events."""

from __future__ import annotations

import copy
import hashlib
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from distill import training
from distill.cache import Crops, Table, fill, from_bytes, order, teacher_rows
from distill.closed_form import Start, balanced, before_relu, closed_form, positions
from distill.options import LAYERS, DistillOptions
from distill.painted import noise
from distill.training import Batch, Student, frozen_of, through, vary, widths_of
from styler import device
from styler.events import Event, Stage
from styler.features import Extractor, Features
from styler.jobs.training.diary import fixed
from styler.jobs.training.run import resumed, saving, skipped, start_anew, stopped
from styler.networks.vgg import TORCHVISION, Convolution
from styler.storage import disk, runs
from styler.storage.datasets.photos import Pictures
from styler.storage.models import vgg
from styler.version import __version__

LICENCE = "MIT"
TEACHER_BATCH = 8
"""Crops that go through the teacher at a time."""
BALANCE = 200
"""Crops that the scale of the channels is measured on."""


@dataclass(frozen=True)
class Sources:
    """Where pictures and networks come from: folders, lists and names of weights; empty for none."""

    photos: str
    paintings: str = ""
    painted: str = ""
    teacher: str = "vgg19"
    start: str = ""


def distill(
    sources: Sources,
    cache: str,
    output: str,
    options: DistillOptions,
    *,
    resume: bool = False,
    credits: str = "",
    overwrite: bool = False,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event, None, dict[str, Any]]:
    """Make a narrow VGG from a wide one and write it; returns the record of what was done.

    Args:
        cache: folder for crops and features; another run with the same data and crops uses them again.
        output: the network's file; the training state is kept in OUTPUT.training until it is done.
        resume: go on from that state.
        credits: whom the pictures' licences ask to name; goes into the file.
        stop: asked after each step; once true, the state is saved and nothing else is written.

    Raises:
        StylerError: of each kind.
    """
    folder = runs.folder_for(output)
    disk.prove_writable(output, overwrite=overwrite)
    with runs.lock(folder):
        if not resume:
            start_anew(folder, overwrite)
        return (yield from _distill(sources, Path(cache), output, options, resume, credits, stop))


def _distill(
    sources: Sources,
    cache: Path,
    output: str,
    options: DistillOptions,
    resume: bool,
    credits: str,
    stop: Callable[[], bool],
) -> Generator[Event, None, dict[str, Any]]:
    begun, folder = time.monotonic(), runs.folder_for(output)
    place = device.choose(options.device)
    device.prepare(options.seed, options.threads)
    config = {"options": fixed(options)}
    saved = resumed(folder, config, "tools/distill").state if resume else None
    datasets = _datasets(sources, options)
    teacher = Wide(vgg.load(sources.teacher).to(place), options)
    table = yield from _teacher_table(cache, datasets, teacher, sources, options, stop)
    yield from skipped({file: why for one in datasets.values() for file, why in one.skipped.items()})
    if stop():
        return _record(output, begun, options, done=False)
    sample = from_bytes(table(range(min(options.sample, options.crops)), "pixels")).to(place)
    start = _start(sources.start, sample, teacher, options)
    frozen = frozen_of(options.freeze)
    student = Student(start.convolutions, teacher.widths, teacher.dtype, frozen).to(place)
    inputs = yield from _inputs(cache, table, student, options, stop)
    if stop():
        return _record(output, begun, options, done=False)
    yield Stage("distill", options.crop, options.crop, options.steps)
    run = training.train(student, _batches(inputs, table, student, options, place), options, saved, stop)
    yield from saving(run, folder, config)
    if stop():
        yield stopped(folder)
        return _record(output, begun, options, done=False)
    proportions = {name: rms for name, rms in start.proportions.items() if name not in frozen}
    convolutions = balanced(student.convolutions(), sample[:BALANCE], proportions)
    _write(output, convolutions, _about(options, sources, datasets, credits))
    runs.remove_states(folder)
    return _record(output, begun, options, done=True)


def _record(output: str, begun: float, options: DistillOptions, *, done: bool) -> dict[str, Any]:
    record = {"output": output, "seconds": round(time.monotonic() - begun, 1), "seed": options.seed}
    return record if done else {**record, "output": None, "message": "stopped before the end"}


class Wide:
    """The teacher: its features of an Image, in a fast number type, with the narrow network's padding."""

    def __init__(self, extractor: Extractor, options: DistillOptions) -> None:
        self.device = extractor.mean.device
        self.dtype = device.form_for(options.precision, self.device).dtype
        self.layers = list(
            dict(LAYERS) | dict(options.layers)
        )  # more, so that other weights need no new cache
        extractor.needed(set(self.layers))  # raises for a layer that it lacks
        self.widths = {name: extractor.widths()[name] for name in self.layers}
        self._extractor = copy.deepcopy(extractor).to(self.dtype).to(memory_format=torch.channels_last)

    @torch.no_grad()
    def __call__(self, images: Tensor, layers: Iterable[str] = ()) -> Features:
        """The features at `layers`, or at those that are compared."""
        x = images.to(self.device, self.dtype).contiguous(memory_format=torch.channels_last)
        features: Features = self._extractor(x, list(layers) or self.layers, padding="reflect")
        return features


def _datasets(sources: Sources, options: DistillOptions) -> dict[str, Pictures]:
    """Photos, paintings and half-painted pictures, as far as they are given."""
    given = {"photos": sources.photos, "paintings": sources.paintings, "painted": sources.painted}
    return {kind: Pictures(source, options.seed) for kind, source in given.items() if source}


def crops_of(datasets: Mapping[str, Pictures], options: DistillOptions) -> Crops:
    """The crops to learn from, each a function of the seed and its number alone."""

    def crop(item: int) -> Tensor:
        draw = np.random.default_rng((options.seed, item))
        kind = "photos"
        if draw.random() < options.painting_share:
            kind = "paintings"
        if draw.random() < options.painted_share:
            kind = "painted"
        if kind == "painted" and kind in datasets and draw.random() < 1 / 3:
            return noise(draw, options.crop)
        pictures = datasets.get(kind, datasets["photos"])
        return vary(pictures.crop(draw, options.crop), _torch(draw))

    return crop


def _torch(draw: np.random.Generator) -> torch.Generator:
    return torch.Generator().manual_seed(int(draw.integers(2**31)))


def _teacher_table(
    cache: Path,
    datasets: Mapping[str, Pictures],
    teacher: Wide,
    sources: Sources,
    options: DistillOptions,
    stop: Callable[[], bool],
) -> Generator[Event, None, Table]:
    """The crops and the teacher's features of them, made as far as they are not there."""
    table = Table(cache / "teacher", options.crops)
    table.begin(
        {
            "data": {kind: pictures.digest() for kind, pictures in datasets.items()},
            "teacher": Path(sources.teacher).name,
            "layers": teacher.layers,
            **{name: getattr(options, name) for name in ("seed", "crop", "painting_share", "painted_share")},
        }
    )
    yield Stage("features", options.crop, options.crop, len(table.missing()))
    yield from fill(table, teacher_rows(crops_of(datasets, options), teacher, TEACHER_BATCH), stop)
    return table


def _start(source: str, sample: Tensor, teacher: Wide, options: DistillOptions) -> Start:
    """The layers of `source` as far as their widths are those wanted, and the rest in closed form."""
    widths = widths_of(options.widths)
    given = _given(source, widths)
    draw = torch.Generator().manual_seed(options.seed)
    solved = [name for name in widths if name not in given]
    places = positions(sample, solved, draw)
    targets = before_relu(teacher, sample, places) if solved else {}
    return closed_form(sample, widths, given, places, targets, options.whitening, draw)


def _given(source: str, widths: Mapping[str, int]) -> dict[str, Convolution]:
    """The first convolutions of a network, until one is not as wide as it should be."""
    given: dict[str, Convolution] = {}
    if not source:
        return given
    network = vgg.load(source)
    for name, width in widths.items():
        weight, bias = network.get_buffer(f"{name}_weight"), network.get_buffer(f"{name}_bias")
        if len(bias) != width:
            break
        given[name] = weight, bias
    return given


def _inputs(
    cache: Path, table: Table, student: Student, options: DistillOptions, stop: Callable[[], bool]
) -> Generator[Event, None, Callable[[list[int]], Tensor]]:
    """What the student takes of some crops: their pixels, or what its frozen layers make of them."""
    if not student.kept:
        return lambda items: from_bytes(table(items, "pixels"))
    seal = hashlib.sha256(
        b"".join(weight.numpy().tobytes() for weight, _ in student.kept.values())
    ).hexdigest()
    kept = Table(cache / f"{options.freeze}-{seal[:12]}", options.crops)
    kept.begin({"freeze": options.freeze, "network": seal})

    def make(items: range) -> dict[str, Tensor]:
        parts = (items[first : first + TEACHER_BATCH] for first in range(0, len(items), TEACHER_BATCH))
        maps = [through(student.kept, from_bytes(table(part, "pixels")), student.dtype) for part in parts]
        return {"inputs": torch.cat(maps).to(torch.float16).contiguous()}

    yield Stage("frozen layers", options.crop, options.crop, len(kept.missing()))
    yield from fill(kept, make, stop)
    return lambda items: kept(items, "inputs")


def _batches(
    inputs: Callable[[list[int]], Tensor],
    table: Table,
    student: Student,
    options: DistillOptions,
    place: torch.device,
) -> Callable[[int], Batch]:
    def batch(step: int) -> Batch:
        items = order(options.seed, options.crops, step, options.batch)
        targets = {name: table(items, name).to(place) for name in student.layers}
        return Batch(items, inputs(items).to(place), targets)

    return batch


def _about(
    options: DistillOptions, sources: Sources, datasets: Mapping[str, Pictures], credits: str
) -> dict[str, object]:
    """How a network was trained, for its file: no path, no time."""
    return {
        "options": fixed(options),
        "styler": __version__,
        "teachers": [Path(sources.teacher).name],
        "start": Path(sources.start).name,
        "pictures": {kind: len(pictures) for kind, pictures in datasets.items()},
        "credits": credits,
    }


def _write(output: str, convolutions: dict[str, Convolution], about: Mapping[str, object]) -> None:
    information = {"source": "tools/distill", "training": about}
    vgg.write(output, "compact", convolutions, TORCHVISION, "reflect", LICENCE, information, torch.float16)
