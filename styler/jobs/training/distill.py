"""From folders of pictures to a network's file: open, train, save, write. A generator of events."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from styler import device
from styler.events import Event, Stage
from styler.jobs.training import run as resuming
from styler.networks.vgg import TORCHVISION, Convolution
from styler.options.shared import DistillOptions
from styler.storage import disk, runs
from styler.storage.datasets.photos import Pictures, mixed
from styler.storage.foreign.teachers import read_collaborative
from styler.storage.models import vgg
from styler.tasks import distill as task
from styler.tasks.distill import Teacher
from styler.version import __version__

LICENCE = "MIT"


def distill(
    dataset: str,
    artworks: str | None,
    teachers: Sequence[str],
    output: str,
    options: DistillOptions,
    *,
    resume: bool = False,
    credits: str = "",
    overwrite: bool = False,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event, None, dict[str, Any]]:
    """Make a narrow VGG from wide ones and write it; returns the record of what was done.

    Args:
        dataset: folder or list of photos; `artworks` are mixed in as the options say.
        teachers: names of weights or files; each layer is learned from the first that has it.
        output: the network's file; the training state is kept in OUTPUT.training until it is done.
        resume: go on from that state.
        credits: whom the pictures' licences ask to name; goes into the file.
        stop: asked after each step; once true, the state is saved and nothing else is written.

    Raises:
        StylerError: of each kind.
    """
    states = resuming.folder_for(output)
    disk.prove_writable(output, overwrite=overwrite)
    with resuming.claimed(states):
        if not resume:
            resuming.begin(states, overwrite)
        return (yield from _distill(dataset, artworks, teachers, output, options, resume, credits, stop))


def _distill(
    dataset: str,
    artworks: str | None,
    teachers: Sequence[str],
    output: str,
    options: DistillOptions,
    resume: bool,
    credits: str,
    stop: Callable[[], bool],
) -> Generator[Event, None, dict[str, Any]]:
    begun, states = time.monotonic(), resuming.folder_for(output)
    place = device.choose(options.device)
    device.prepare(options.seed, options.threads)
    made_of = {"options": resuming.frozen(options)}
    start = resuming.found(states, made_of, "styler distill").state if resume else None
    taught = [_teacher(source, place) for source in teachers]
    parts = _parts(dataset, artworks, options)
    batches = mixed(parts, options.crop)
    yield Stage("distill", options.crop, options.crop, options.steps)
    run = task.distill(taught, lambda step: batches(step).to(place), options, start, stop)
    convolutions = yield from resuming.saving(run, states, made_of)
    yield from resuming.skipped([pictures for pictures, _ in parts])
    record = {"output": output, "seconds": round(time.monotonic() - begun, 1), "seed": options.seed}
    if stop():
        yield resuming.stopped(states)
        return {**record, "output": None, "message": "stopped before the end"}
    count = sum(len(pictures) for pictures, _ in parts)
    _write(output, convolutions, _about(options, teachers, count, credits))
    runs.discard(states)
    return record


def _about(
    options: DistillOptions, teachers: Sequence[str], pictures: int, credits: str
) -> dict[str, object]:
    """How a network was trained, for its file: no path, no time."""
    return {
        "options": resuming.frozen(options),
        "styler": __version__,
        "teachers": [Path(source).name for source in teachers],
        "pictures": pictures,
        "credits": credits,
    }


def _write(output: str, convolutions: dict[str, Convolution], about: Mapping[str, object]) -> None:
    information = {"source": "styler distill", "training": about}
    vgg.write(output, "compact", convolutions, TORCHVISION, "reflect", LICENCE, information, torch.float16)


def _teacher(source: str, place: Any) -> Teacher:
    """A teacher by its name in `styler weights list`, its slim file, or Collaborative Distillation's .pth."""
    if source.endswith(".pth"):
        extractor, maps = read_collaborative(source)
        moved = {layer: (weight.to(place), bias.to(place)) for layer, (weight, bias) in maps.items()}
        return Teacher(extractor.to(place), moved)
    extractor = vgg.load(source).to(place)
    extractor.padding = "reflect"  # as the narrow network will be used, so that borders teach nothing odd
    return Teacher(extractor)


def _parts(photos: str, paintings: str | None, options: DistillOptions) -> list[tuple[Pictures, int]]:
    """The datasets with the number of crops that a batch takes of each."""
    count = round(options.batch * options.paintings) if paintings else 0
    parts = [(Pictures(photos, options.seed), options.batch - count)]
    if paintings:
        parts.append((Pictures(paintings, options.seed), count))
    return parts
