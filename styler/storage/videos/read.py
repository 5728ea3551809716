"""Read videos: their properties, their frames one after another, and their recipe."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from styler.errors import InputError
from styler.image.levels import from_pixels
from styler.image.size import SMALLEST
from styler.storage import disk
from styler.storage.magic import GIF, kind_at
from styler.storage.names import display, install, one_line
from styler.storage.pictures import recipe
from styler.storage.videos import animation
from styler.storage.videos.footage import Footage, Frame

_READABLE = "mov,mp4,matroska,webm,avi"  # nothing that could name further files or addresses, as playlists do
CREDITS = ("title", "artist", "copyright", "date", "description")

# ITU-T H.273
BT709, UNSPECIFIED, BT601 = 1, 2, 5
_BT601_LIKE = {5, 6}
_HDR_CURVES = {16, 18}  # PQ and HLG
_HD_HEIGHT = 577  # lines from which a video of unknown matrix is taken for BT.709, as players do


def codecs() -> Any:
    """The module `av`, an extra; raises InputError where it is not installed."""
    try:
        return importlib.import_module("av")
    except ImportError as error:
        raise InputError(f"videos need PyAV, which is not installed: {install('video')}") from error


def inspect(source: Path | str, *, max_pixels: int) -> Footage:
    """The properties of a video, from its header and its first frame, which is decoded as a proof.

    Raises InputError for whatever cannot be used, PyAV not being installed included.
    """
    with opened(source) as container:
        stream = _stream(container, source)
        first = next(container.decode(stream), None)
        if first is None:
            raise InputError(f"{display(source)} has no frame that can be decoded: get it again")
        _check(first, source, max_pixels)
        return _footage(container, stream, first)


def _check(first: Any, source: Path | str, max_pixels: int) -> None:
    size = f"{first.width}x{first.height}"
    if first.width * first.height > max_pixels:
        raise InputError(
            f"{display(source)} is {size}, over the limit of {max_pixels:,} pixels: raise --max-pixels"
        )
    if min(first.width, first.height) < SMALLEST:
        raise InputError(f"{display(source)} is {size}, under {SMALLEST} pixels a side: give a larger video")


def _footage(container: Any, stream: Any, first: Any) -> Footage:
    turn = round(first.rotation / 90) % 4
    aspect = stream.sample_aspect_ratio or Fraction(1)
    sides = (first.width, first.height) if turn % 2 else (first.height, first.width)
    hdr = int(first.color_trc) in _HDR_CURVES
    tags = _tags(container)
    length = stream.duration * stream.time_base if stream.duration else (container.duration or 0) / 1_000_000
    return Footage(
        height=sides[0],
        width=sides[1],
        time_base=stream.time_base,
        rate=stream.average_rate or stream.guessed_rate or Fraction(25),
        frames=stream.frames,
        seconds=float(length),
        turn=turn,
        aspect=(1 / aspect if turn % 2 else aspect) or Fraction(1),
        matrix=_matrix(first),
        credits={name: one_line(tags[name]) for name in CREDITS if tags.get(name)},
        notes=("it is HDR, and is read as it is, so that colors come out paler",) if hdr else (),
    )


def frames(source: Path | str, footage: Footage, *, skip: int = 0) -> Iterator[Frame]:
    """The frames of a video after the first `skip`; times always rise.

    Raises InputError where the video breaks off in damage; frames before that have been yielded.
    """
    with opened(source) as container:
        stream = _stream(container, source)
        stream.thread_type = "AUTO"
        last: int | None = None
        for index, frame in enumerate(container.decode(stream)):
            last = _time(frame, index, last, footage)
            if index >= skip:
                yield Frame(_image(frame, footage), last, frame.duration or _nominal(footage))


def _time(frame: Any, index: int, last: int | None, footage: Footage) -> int:
    """The time of a frame; where the file has none, or one that does not rise, the next possible one."""
    time = frame.pts if frame.pts is not None else index * _nominal(footage)
    return int(time) if last is None or time > last else last + 1


def _nominal(footage: Footage) -> int:
    return max(1, round(1 / (footage.rate * footage.time_base)))


def _image(frame: Any, footage: Footage) -> Tensor:
    """A decoded frame as an upright Image; the color matrix is the frame's, or else the footage's."""
    deep = any(component.bits > 8 for component in frame.format.components)
    if frame.colorspace == UNSPECIFIED and not frame.format.is_rgb:
        frame.colorspace = footage.matrix
    rgb = frame.reformat(format="rgb48le" if deep else "rgb24", interpolation=careful())
    image = from_pixels(rgb.to_ndarray())
    return (torch.rot90(image, footage.turn, (-2, -1)) if footage.turn else image).contiguous()


def careful() -> int:
    """Flags of libswscale: no short cuts, and colors for each pixel."""
    flags = codecs().video.reformatter.Interpolation
    return int(flags.BICUBIC | flags.FULL_CHR_H_INT | flags.FULL_CHR_H_INP | flags.ACCURATE_RND)


def _matrix(frame: Any) -> int:
    if int(frame.colorspace) == UNSPECIFIED:
        return BT709 if max(frame.height, frame.width * 9 // 16) >= _HD_HEIGHT else BT601
    return BT601 if int(frame.colorspace) in _BT601_LIKE else BT709


@contextmanager
def opened(source: Path | str) -> Iterator[Any]:
    """A video opened by PyAV; whatever a codec raises in the block becomes an InputError."""
    av = codecs()
    with disk.open_input(source) as file, _refusals(source):
        container = av.open(file, options={"format_whitelist": _READABLE})
        with container:
            yield container


@contextmanager
def _refusals(source: Path | str) -> Iterator[None]:
    try:
        yield
    except (
        codecs().error.FFmpegError,
        OSError,
        ValueError,
    ) as error:  # ValueError: seeking in damage
        kind = kind_at(source)
        reason = display(getattr(error, "strerror", None) or str(error))
        what = kind if kind and not kind.endswith("video") else f"damaged, cut off or no video ({reason})"
        raise InputError(f"{display(source)} is {what}: give an MP4, MOV, MKV, WebM or AVI") from error


def _stream(container: Any, source: Path | str) -> Any:
    """The first video stream that is not the cover picture of a record."""
    covers = codecs().stream.Disposition.attached_pic
    streams = [stream for stream in container.streams.video if not stream.disposition & covers]
    if not streams:
        what = "sound and no pictures" if container.streams.audio else "no pictures"
        raise InputError(f"{display(source)} has {what}: give a video")
    return streams[0]


def read_recipe(source: Path | str) -> dict[str, object]:
    """The recipe in the comment of a video or a GIF; see `recipe.parse`. Raises InputError."""
    text = animation.comment(source) if kind_at(source) == GIF else _comment(source)
    return recipe.parse(text, display(source))


def _comment(source: Path | str) -> str:
    with opened(source) as container:
        return _tags(container).get("comment", "")


def _tags(container: Any) -> dict[str, str]:
    """The metadata of a video, names in lower case; Matroska writes them in capitals."""
    return {name.lower(): value for name, value in container.metadata.items()}
