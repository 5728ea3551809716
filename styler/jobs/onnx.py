"""Painting pictures in trained styles by onnxruntime, where torch need not be. A generator of events."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from styler.errors import InputError
from styler.events import Event, Note
from styler.image.fit import Size, long_side
from styler.jobs.batch import Summary, select, work
from styler.jobs.recipes import Record, output_size, prove, recipe_by, record_of, source_of
from styler.options.fast import ALL, FastOptions
from styler.options.fields import flag_of
from styler.storage import inputs
from styler.storage.cards import weights
from styler.storage.header import read_card
from styler.storage.inputs import STREAM, Job
from styler.storage.models import find
from styler.storage.names import display
from styler.storage.onnx.run import Array, StyleNetwork, runtime
from styler.storage.pictures.decode import Decoded, decode
from styler.storage.pictures.encode import encode, format_of, put
from styler.storage.styles import asked

_HEEDED = (
    *("style", "model", "size", "strength", "threads", "shard"),
    *("overwrite", "metadata", "quality", "max_pixels"),
)
"""Options that this engine obeys; others have to be at their defaults, or at one of `_SAME`."""
_ADVICE = "paint with --engine torch"
_SAME = {"engine": ("onnx",), "device": ("cpu",), "precision": ("float32",)}


def fast(
    sources: Sequence[str],
    output: str | None,
    options: FastOptions,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event, None, Summary]:
    """Paint pictures and folders of pictures; as `fast.fast`, of which it obeys some options.

    Raises:
        InputError: also for an option that it does not obey, and without onnxruntime.
    """
    _check(sources, options)
    path = find.locate(options.model, options.style)
    find.require_use(path, read_card(path), "photo")
    network = StyleNetwork.read(path)
    style = options.style or network.card.styles[0].name
    paint = network.painter(options.style, options.threads)
    plan = inputs.plan(sources, output, "-".join(weights(style)))
    selection = select(plan, options, partial(_finished, many=plan.many, options=options))
    name = Path(options.model).name or path.stem
    recipe = partial(
        recipe_by,
        {"onnxruntime": str(runtime().__version__)},
        "fast",
        options,
        {"model": name, "style": style, "precision": "float32"},
        model={"name": name, "sha256": network.card.sha256},
    )
    return (yield from work(selection, partial(_do, paint, recipe, options), stop))


def _check(sources: Sequence[str], options: FastOptions) -> None:
    """Raise InputError for what only torch can do."""
    for field in fields(options):
        value = getattr(options, field.name)
        if field.name not in _HEEDED and value not in (field.default, *_SAME.get(field.name, ())):
            raise InputError(f"{flag_of(field.name)} is not for --engine onnx: leave it out, or {_ADVICE}")
    if options.style == ALL or asked(options.style, find.styles).paintings:
        raise InputError(f"--engine onnx paints in trained styles, one at a time: {_ADVICE}")
    if not sources:
        raise InputError("no input given: name a photo or a folder")


def _finished(job: Job, many: bool, options: FastOptions) -> bool:
    return many and not options.overwrite and Path(job.target).exists()


def _do(
    paint: Callable[[Array], Array], recipe: Callable[..., Record], options: FastOptions, job: Job
) -> Generator[Event, None, Record]:
    """Paint one picture."""
    begun = time.monotonic()
    if job.video:
        raise InputError(f"{display(job.source)} is a video, and --engine onnx paints pictures: {_ADVICE}")
    prove(job.target, options.overwrite, [job.source])
    picture = decode(job.source, max_pixels=options.max_pixels, long_side=long_side(options.size))
    for text in picture.warnings:
        yield Note(f"{display(job.source)}: {text}")
    height, width = size = output_size(picture.color.shape[:2], options.size, options)
    photo = _resized(_unit(picture.color), size)
    painted = paint(np.ascontiguousarray(photo.transpose(2, 0, 1)[None]))[0].transpose(1, 2, 0)
    painted = photo + np.float32(options.strength) * (painted - photo)
    made = recipe(content=source_of(picture), size=[width, height]) if options.metadata else None
    put(job.target, _encoded(job.target, painted, picture, made, options), options.overwrite)
    return record_of(job.source, job.target, options, "cpu", begun, [size])


def _encoded(
    target: str, painted: Array, picture: Decoded, recipe: Record | None, options: FastOptions
) -> bytes:
    """The file of a painted picture [H, W, 3], with the photo's transparency and credits."""
    kind = format_of(target if target != STREAM else "a.png")
    if picture.alpha is not None:
        alpha = _resized(_unit(picture.alpha), painted.shape[:2])
        opaque = kind == "JPEG"
        painted = painted * alpha + 1 - alpha if opaque else np.concatenate([painted, alpha], 2)
    levels = np.rint(painted.clip(0, 1) * 255).astype(np.uint8)
    return encode(levels, kind, recipe, picture.credits if recipe else {}, options.quality)


def _unit(levels: NDArray[Any]) -> Array:
    """Bytes, or floats in [0, 1], as float32 in [0, 1]."""
    if levels.dtype == np.uint8:
        return levels.astype(np.float32) / np.float32(255)
    return levels.astype(np.float32)


def _resized(pixels: Array, size: Size) -> Array:
    """Pixels [H, W, C] at another (height, width), as `image.size.resize`."""
    if pixels.shape[:2] == size:
        return pixels
    planes = (Image.fromarray(plane) for plane in pixels.transpose(2, 0, 1))
    smaller = [np.asarray(plane.resize(size[::-1], Image.Resampling.BICUBIC)) for plane in planes]
    resized: Array = np.stack(smaller, 2).clip(0, 1)
    return resized
