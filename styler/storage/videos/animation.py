"""Read and write animated GIF, WebP and PNG."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from styler.errors import InputError, OutputError
from styler.image.levels import from_pixels, to_pixels
from styler.image.size import SMALLEST
from styler.storage import disk
from styler.storage.magic import ANIMATIONS
from styler.storage.names import display, one_line
from styler.storage.pictures import modes
from styler.storage.pictures.recipe import save_options, to_text
from styler.storage.videos import parts
from styler.storage.videos.footage import Footage, Frame

MILLISECOND = Fraction(1, 1000)
_NO_DURATION = 100  # milliseconds for which browsers show a frame without a duration
MOST_FRAMES = 10_000
"""Frames of an animation, at most: a small file can claim a million, which would be painted for weeks."""
_PIXELS, _DURATION = "pixels", "duration"
"""Keys of a frame's bytes [H, W, C] and of its duration."""
_STATE, _DONE = "state", "frames done"
"""The file of the painter's state, and the key of the number of frames in it."""
_CODEC = {"WEBP": {"quality": 90}}


def inspect(source: Path | str, *, max_pixels: int) -> Footage:
    """The properties of an animation, from its header. Raises InputError."""
    with _opened(source) as image:
        width, height = image.size
        count, loop, title = getattr(image, "n_frames", 1), image.info.get("loop"), image.info.get("Title")
    subject = f"{display(source)} is {width}x{height}"
    if width * height > max_pixels:
        raise InputError(f"{subject}, over the limit of {max_pixels:,} pixels: raise --max-pixels")
    if min(width, height) < SMALLEST:
        raise InputError(f"{subject}, under {SMALLEST} pixels a side: give a larger animation")
    if count > MOST_FRAMES:
        raise InputError(
            f"{display(source)} has {count:,} frames, over the limit of {MOST_FRAMES:,} of an animation: "
            "make a video of it first"
        )
    credits = {"title": one_line(title)} if isinstance(title, str) else {}
    return Footage(height, width, MILLISECOND, Fraction(10), count, loop=loop, credits=credits)


def comment(source: Path | str) -> str:
    """The comment of a GIF. Raises InputError."""
    with _opened(source) as image:
        found = image.info.get("comment", b"")
    return found.decode("utf-8", "replace") if isinstance(found, bytes) else ""


@contextmanager
def _opened(source: Path | str) -> Iterator[Image.Image]:
    """A file opened by Pillow; whatever it raises in the block becomes an InputError."""
    with disk.open_input(source) as file:
        try:
            yield Image.open(file, formats=[*set(ANIMATIONS.values())])
        except Exception as error:  # foreign bytes: Pillow raises half a dozen kinds
            raise InputError(f"{display(source)} {_fault(error)}") from error


def _fault(error: Exception) -> str:
    return f"is no animation that can be read ({display(str(error))}): give a GIF, WebP or PNG"


def frames(source: Path | str, *, skip: int = 0) -> Iterator[Frame]:
    """The frames of an animation after the first `skip`, each composed whole; times are in milliseconds.

    Raises InputError where it breaks off in damage; frames before that have been yielded.
    """
    with _opened(source) as image:
        time = 0
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            image.load()
            duration = round(image.info.get("duration") or _NO_DURATION)
            if index >= skip:
                color, alpha = _planes(image)
                yield Frame(color, time, duration, alpha)
            time += duration


def _planes(image: Image.Image) -> tuple[Tensor, Tensor | None]:
    """The color [1, 3, H, W] and alpha [1, 1, H, W] of the frame that Pillow stands at."""
    split = modes.layers(image, _ignored)
    color = modes.to_srgb(split.color, image.info.get("icc_profile"), _ignored)
    alpha = None if split.alpha is None else np.array(split.alpha)[..., None]
    return from_pixels(color), None if alpha is None else from_pixels(alpha)


def _ignored(warning: str) -> None:
    """Drop a warning: one for each frame would be too many."""


class AnimationWriter:
    """Takes painted frames one by one, and writes them as an animation in the end.

    With a `folder` the frames are kept there, with the painter's state after the last one, for an interrupted
    run to go on from; else they are in a temporary file.

    Attributes:
        state: the painter's state after the last frame of an earlier run, None if there is none.
        last: duration of the last frame so far, None if there is none.
    """

    def __init__(self, target: Path | str, time_base: Fraction, folder: Path | None = None) -> None:
        """Begin, or go on after the frames in a folder of `parts.claim`; InputError for damaged ones."""
        self._target, self._folder = Path(target), folder
        self._unit = time_base / MILLISECOND
        self._format = ANIMATIONS[self._target.suffix.lower()]
        self.state: Mapping[str, Tensor] | None = None
        self.last: int | None = None
        self._shapes: list[tuple[int, int, int]] = []
        self._offsets, self._times = [0], list[int]()
        self._file: IO[bytes] | None = None if folder else _scratch(self._target)
        if folder and (folder / _STATE).exists():
            state = _loaded(folder / _STATE)
            for index in range(int(state.pop(_DONE, torch.tensor(0)))):
                self._take(self._part(index))
            self.state = state or None

    @property
    def done(self) -> int:
        """The number of frames so far."""
        return len(self._times)

    def add(self, frame: Frame, state: Callable[[], Mapping[str, Tensor] | None] = lambda: None) -> None:
        """Append a painted frame; `state` returns the painter's state after it. Raises OutputError."""
        pixels = to_pixels(frame.image if frame.alpha is None else torch.cat([frame.image, frame.alpha], 1))
        if self._file:
            self._file.seek(0, os.SEEK_END)
            self._file.write(pixels.tobytes())
        else:
            kept = {_PIXELS: torch.from_numpy(pixels), _DURATION: torch.tensor(frame.duration)}
            disk.write(self._part(self.done), save(kept))
        self._append(pixels.shape, frame.duration)
        if self._folder:  # the frame counts from now on
            disk.write(self._folder / _STATE, save({**(state() or {}), _DONE: torch.tensor(self.done)}))

    def save(
        self, target: Path | str, loop: int | None, recipe: Mapping[str, object] | None, *, overwrite: bool
    ) -> None:
        """Write the frames so far, whole or not at all. Raises OutputError."""
        options: dict[str, Any] = {**_CODEC.get(self._format, {}), **_save_options(self._format, recipe)}
        if loop is not None:
            options["loop"] = loop
        if self._format == "GIF" and any(channels == 4 for _, _, channels in self._shapes):
            options["disposal"] = 2  # the next frame's transparent pixels are not to show this one
        with disk.atomic(target, overwrite=overwrite) as file:
            try:
                times = self._times if self.done > 1 else self._times[0]
                self[0].save(
                    file, self._format, save_all=True, append_images=_Rest(self), duration=times, **options
                )
            except (ValueError, KeyError, SystemError) as error:  # too large for the format
                raise OutputError(
                    f"{self._format} cannot hold this animation ({error}): choose .mp4"
                ) from error

    def close(self) -> None:
        """Remove the temporary file, and leave a folder for a run that goes on."""
        if self._file:
            self._file.close()

    def remove(self) -> None:
        """Remove the folder: the animation is finished."""
        if self._folder:
            parts.remove(self._folder)

    def _append(self, shape: tuple[int, ...], duration: int) -> None:
        height, width, channels = shape
        self._shapes.append((height, width, channels))
        self._offsets.append(self._offsets[-1] + math.prod(shape))
        self._times.append(max(1, round(duration * self._unit)))
        self.last = duration

    def _take(self, path: Path) -> None:
        """Take a frame that is kept."""
        kept = _loaded(path, _PIXELS, _DURATION)
        self._append(tuple(kept[_PIXELS].shape), int(kept[_DURATION]))

    def _part(self, index: int) -> Path:
        assert self._folder
        return self._folder / f"{index:09d}.frame"

    def __getitem__(self, index: int) -> Image.Image:
        shape = self._shapes[index]
        if self._file:
            self._file.seek(self._offsets[index])
            return _picture(self._file.read(math.prod(shape)), shape)
        return _picture(_loaded(self._part(index), _PIXELS)[_PIXELS].numpy().tobytes(), shape)


def _scratch(target: Path) -> IO[bytes]:
    """A temporary file without a name, on the disk that the result comes to."""
    try:
        return tempfile.TemporaryFile(dir=target.parent)
    except OSError as error:
        raise OutputError(f"{display(target)} cannot be written: {error.strerror}") from error


def _picture(data: bytes, shape: tuple[int, int, int]) -> Image.Image:
    height, width, channels = shape
    return Image.frombytes("RGB" if channels == 3 else "RGBA", (width, height), data)


def _loaded(path: Path, *keys: str) -> dict[str, Tensor]:
    """The tensors of a file in the folder; raises InputError for one that is damaged."""
    try:
        kept = load(path.read_bytes())
        if missing := set(keys) - kept.keys():
            raise SafetensorError(f"without {' and '.join(sorted(missing))}")
    except (OSError, SafetensorError) as error:
        advice = "start anew with --overwrite and no --resume"
        raise InputError(f"{display(path)} is damaged ({error}): {advice}") from error
    return kept


class _Rest:
    """All frames but the first, as often as Pillow wants to go through them."""

    def __init__(self, writer: AnimationWriter) -> None:
        self._writer = writer

    def __iter__(self) -> Iterator[Image.Image]:
        return (self._writer[index] for index in range(1, self._writer.done))


def _save_options(format: str, recipe: Mapping[str, object] | None) -> dict[str, object]:
    """Arguments of `Image.save` for a file with the recipe; a GIF has only its comment."""
    if recipe is not None and format == "GIF":
        return {"comment": to_text(recipe)}
    return save_options(format, recipe, {})
