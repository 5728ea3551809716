"""Distillation from folders of pictures to a network's file, as a generator of events."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

import torch

from distill import training
from distill.options import DistillOptions
from styler import device
from styler.events import Event, Stage
from styler.jobs.training.diary import fixed
from styler.jobs.training.run import resumed, saving, skipped, start_anew, stopped
from styler.networks.vgg import TORCHVISION, Convolution
from styler.storage import disk, runs
from styler.storage.datasets.photos import Pictures, mixed
from styler.storage.models import vgg
from styler.version import __version__

LICENCE = "MIT"


def distill(
    dataset: str,
    artworks: str | None,
    teacher: str,
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
        dataset: folder or list of photos; `artworks` are mixed in as the options say.
        teacher: name in `styler weights list`, or a file of it.
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
        return (yield from _distill(dataset, artworks, teacher, output, options, resume, credits, stop))


def _distill(
    dataset: str,
    artworks: str | None,
    teacher: str,
    output: str,
    options: DistillOptions,
    resume: bool,
    credits: str,
    stop: Callable[[], bool],
) -> Generator[Event, None, dict[str, Any]]:
    begun, folder = time.monotonic(), runs.folder_for(output)
    place = device.choose(options.device)
    device.prepare(options.seed, options.threads)
    made_of = {"options": fixed(options)}
    start = resumed(folder, made_of, "tools/distill").state if resume else None
    wide = vgg.load(teacher).to(place)
    wide.padding = "reflect"  # as the narrow network will be used, so that borders teach nothing odd
    parts = _parts(dataset, artworks, options)
    batches = mixed(parts, options.crop)
    yield Stage("distill", options.crop, options.crop, options.steps)
    run = training.distill(wide, lambda step: batches(step).to(place), options, start, stop)
    convolutions = yield from saving(run, folder, made_of)
    yield from skipped({file: why for pictures, _ in parts for file, why in pictures.skipped.items()})
    record = {"output": output, "seconds": round(time.monotonic() - begun, 1), "seed": options.seed}
    if stop():
        yield stopped(folder)
        return {**record, "output": None, "message": "stopped before the end"}
    count = sum(len(pictures) for pictures, _ in parts)
    _write(output, convolutions, _about(options, teacher, count, credits))
    runs.remove_states(folder)
    return record


def _about(options: DistillOptions, teacher: str, pictures: int, credits: str) -> dict[str, object]:
    """How a network was trained, for its file: no path, no time."""
    return {
        "options": fixed(options),
        "styler": __version__,
        "teachers": [Path(teacher).name],
        "pictures": pictures,
        "credits": credits,
    }


def _write(output: str, convolutions: dict[str, Convolution], about: Mapping[str, object]) -> None:
    information = {"source": "tools/distill", "training": about}
    vgg.write(output, "compact", convolutions, TORCHVISION, "reflect", LICENCE, information, torch.float16)


def _parts(photos: str, paintings: str | None, options: DistillOptions) -> list[tuple[Pictures, int]]:
    """The datasets with the number of crops that a batch takes of each."""
    count = round(options.batch * options.paintings) if paintings else 0
    parts = [(Pictures(photos, options.seed), options.batch - count)]
    if paintings:
        parts.append((Pictures(paintings, options.seed), count))
    return parts
