"""Painted frames on their way into a film: encoded in pieces beside it that outlive an interruption.

A folder TARGET.parts holds whole segments of always as many frames, each with what the painter carries over
to the next one. An interruption adds the frames since then, lossless, so that a resumed film has exactly the
frames of one that was never interrupted. There are no frames that need later ones (B-frames), so that packets
come in the order of their times and segments join as they are.
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from styler.errors import InputError, OutputError
from styler.image.levels import to_pixels
from styler.storage import disk
from styler.storage.films import read
from styler.storage.films.footage import Footage, Frame
from styler.storage.names import display, fit_name

LONGEST, SHORTEST = 250, 12  # frames of a segment
SEGMENT_BYTES = 1 << 28  # of frames kept in memory until their segment is whole
PIECE = "nut"  # the container of segments: it takes any codec, and any time exactly
ORDER = "film.json"  # what the segments are of

State = Mapping[str, Tensor]


@dataclass(frozen=True)
class Encoding:
    """How frames are encoded; equal ones make segments that join.

    Attributes:
        codec: encoder, by its name in FFmpeg.
        pixels: pixel format, likewise.
        options: of the encoder.
        aspect: width of a pixel over its height.
        matrix: how colors are coded, as in `Footage`.
    """

    codec: str
    pixels: str
    options: Mapping[str, str]
    height: int
    width: int
    time_base: Fraction
    rate: Fraction
    aspect: Fraction
    matrix: int

    @property
    def length(self) -> int:
        """Frames of a segment."""
        planes = 3 if self.pixels == "yuv444p" else 1.5
        return int(min(LONGEST, max(SHORTEST, SEGMENT_BYTES // (self.height * self.width * planes))))

    def lossless(self) -> Encoding:
        """The same pixels, kept exactly."""
        return Encoding("ffv1", self.pixels, {}, *self.shape())

    def shape(self) -> tuple[int, int, Fraction, Fraction, Fraction, int]:
        """Whatever is not the encoder's."""
        return self.height, self.width, self.time_base, self.rate, self.aspect, self.matrix


def encoding(target: Path | str, footage: Footage, size: tuple[int, int], crf: int) -> Encoding:
    """H.264, or VP9 in WebM, of that `size` (height, width) and quality (`crf` 0 lossless to 51).

    H.264 has color at half the resolution only where both sides are even; else it gets it at the full one.
    """
    shape = (*size, footage.time_base, footage.rate, footage.aspect, footage.matrix)
    if Path(target).suffix.lower() == ".webm":
        quality = {"crf": str(round(crf * 63 / 51)), "b": "0", "deadline": "good", "cpu-used": "4"}
        if crf == 0:
            quality["lossless"] = "1"
        return Encoding("libvpx-vp9", "yuv420p", {**quality, "row-mt": "1"}, *shape)
    odd = size[0] % 2 or size[1] % 2
    # x264 looks ahead in step with what it encodes, so that timing cannot tell in what comes out.
    options = {"crf": str(crf), "x264-params": "sync-lookahead=0"}
    return Encoding("libx264", "yuv444p" if odd else "yuv420p", options, *shape)


def parts_of(target: Path | str) -> Path:
    """The folder beside `target` for what is done of it; it is there while the film is unfinished."""
    path = Path(target)
    return path.with_name(fit_name(path.name, ".parts"))


def order_of(target: Path | str) -> dict[str, Any]:
    """What the folder beside `target` is of, as `Segments` was told; empty if none is there or readable."""
    try:
        found = json.loads((parts_of(target) / ORDER).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


class Segments:
    """Takes painted frames one by one and keeps them on the disk, segment by segment.

    Attributes:
        done: how many frames there are, those of an earlier run included.
        state: what the painter carried over after the last of them, None if nothing.
    """

    def __init__(
        self, target: Path | str, made: Encoding, order: Mapping[str, Any], *, resume: bool, overwrite: bool
    ) -> None:
        """Begin, or go on where `resume` finds a folder of the same `order` (plain JSON values).

        Raises OutputError if a folder of an interrupted run is there and neither `resume` nor `overwrite`
        says what to do with it, or if it is of another film or of other options.
        """
        self.made = made
        self._frames: list[Any] = []
        self._whole = 0
        self._worker = ThreadPoolExecutor(1)
        self._pending: Future[None] | None = None
        self.state: State | None = None
        order = json.loads(json.dumps(order))
        self.folder = _claim(target, order, resume=resume, overwrite=overwrite)
        self._restore()

    @property
    def done(self) -> int:
        """How many frames there are."""
        return self._whole * self.made.length + len(self._frames)

    def add(self, frame: Frame, state: Callable[[], State | None]) -> None:
        """Put a painted frame at the end; `state` tells what the painter carries over from it.

        A whole segment is encoded and written while the next frames are painted. Raises OutputError.
        """
        if self._pending is not None and self._pending.done():
            self._settle()  # which tells at once if the disk is full
        self._frames.append(_coded(frame, self.made))
        if len(self._frames) == self.made.length:
            self._settle()
            begun = self._whole * self.made.length
            self._pending = self._worker.submit(self._write, begun, self._frames, state())
            self._frames, self._whole = [], self._whole + 1

    def interrupt(self, state: State | None) -> None:
        """Keep the frames of the segment that is not whole, for a later run."""
        self._settle()
        for old in self.folder.glob("tail-*"):
            old.unlink()
        if self._frames:
            if state is not None:
                disk.write(self._tail(".state"), save(dict(state)))
            disk.write(self._tail(f".{PIECE}"), encoded(self._frames, self.made.lossless()))

    def pieces(self) -> list[Path]:
        """The files of all frames so far, in order; the last may be of a segment that is not whole."""
        self._settle()
        begun = self._whole * self.made.length
        if self._frames:
            disk.write(self._piece(begun), encoded(self._frames, self.made))
        count = self._whole + bool(self._frames)
        return [self._piece(index * self.made.length) for index in range(count)]

    def close(self) -> None:
        """Wait for what is being written; an error in it was or is told by whatever needs it."""
        self._worker.shutdown()

    def remove(self) -> None:
        """Take the folder away: the film is finished."""
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _settle(self) -> None:
        if self._pending is not None:
            self._pending.result()
            self._pending = None

    def _write(self, begun: int, frames: Sequence[Any], state: State | None) -> None:
        """One whole segment, which counts from the moment that its second file is there."""
        data = encoded(frames, self.made)
        disk.write(self._piece(begun), data)
        disk.write(self._piece(begun).with_suffix(".state"), save(dict(state or {})))

    def _piece(self, begun: int) -> Path:
        return self.folder / f"{begun:09d}.{PIECE}"

    def _tail(self, suffix: str) -> Path:
        return self.folder / f"tail-{self._whole * self.made.length:09d}{suffix}"

    def _restore(self) -> None:
        """Find what an earlier run left: whole segments, and then the frames of one that is not."""
        while (found := self._piece(self.done).with_suffix(".state")).exists():
            self.state, self._whole = _state(found), self._whole + 1
        if self._tail(f".{PIECE}").exists():
            self._frames = list(_decoded(self._tail(f".{PIECE}"), self.made))
            state = self._tail(".state")
            self.state = _state(state) if state.exists() else None


def _claim(target: Path | str, order: Mapping[str, Any], *, resume: bool, overwrite: bool) -> Path:
    """The folder beside `target`, made if need be; see `Segments` for what is refused."""
    folder = parts_of(target)
    shown, note = display(folder), folder / ORDER
    if folder.exists() and not note.exists() and any(folder.iterdir()):
        raise OutputError(f"{shown} is in the way and not of an interrupted film: move it away")
    if note.exists() and not resume:
        if not overwrite:
            raise OutputError(f"{shown} is left of an interrupted run: add --resume to go on, or --overwrite")
        shutil.rmtree(folder)
    if note.exists():
        _compare(target, order)
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{shown} cannot be made ({error.strerror}): choose another --output") from error
    disk.write(note, json.dumps(order, indent=1).encode())
    return folder


def _compare(target: Path | str, order: Mapping[str, Any]) -> None:
    """Refuse to go on with what another command began."""
    if different := sorted(_differences(order_of(target), order)):
        raise OutputError(
            f"{display(parts_of(target))} was begun with another {', '.join(different)}: "
            "repeat that command with --resume, or start anew with --overwrite and no --resume"
        )


def _differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    """Keys, of nested mappings too, whose values differ."""
    for key in {*one, *other}:
        a, b = one.get(key), other.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            yield from _differences(a, b)
        elif a != b:
            yield key


def _state(path: Path) -> State | None:
    try:
        return load(path.read_bytes()) or None
    except (OSError, SafetensorError) as error:
        raise InputError(f"{display(path)} is damaged ({error}): start anew with --overwrite") from error


def _coded(frame: Frame, made: Encoding) -> Any:
    """A painted frame, laid on white where it is transparent, rounded and in the encoder's pixels."""
    av = read.codecs()
    image = frame.image if frame.alpha is None else frame.image * frame.alpha + (1 - frame.alpha)
    rgb = av.VideoFrame.from_ndarray(to_pixels(image), "rgb24")
    coded = rgb.reformat(
        format=made.pixels, dst_colorspace=made.matrix, dst_color_range="MPEG", interpolation=read.careful()
    )
    coded.pts, coded.time_base = frame.time, made.time_base
    return coded


def encoded(frames: Sequence[Any], made: Encoding) -> bytes:
    """A file with these frames; equal ones give equal packets."""
    buffer = io.BytesIO()
    with read.codecs().open(buffer, "w", format=PIECE) as container:
        stream = _stream(container, made)
        for frame in frames:
            frame.pict_type = 0  # what a decoder says of a frame would be an order to the encoder
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def _stream(container: Any, made: Encoding) -> Any:
    stream = container.add_stream(made.codec, rate=made.rate, options=dict(made.options))
    stream.width, stream.height, stream.pix_fmt = made.width, made.height, made.pixels
    context = stream.codec_context
    context.time_base = stream.time_base = made.time_base
    context.sample_aspect_ratio = made.aspect
    context.colorspace, context.color_range = made.matrix, 1  # the limited range, as films have
    context.color_primaries = context.color_trc = 1  # of BT.709, which are sRGB's
    context.max_b_frames = 0
    return stream


def _decoded(path: Path, made: Encoding) -> Iterator[Any]:
    with disk.open_input(path) as file, read.codecs().open(file) as container:
        for frame in container.decode(video=0):
            frame.pts = round(frame.pts * frame.time_base / made.time_base)
            frame.time_base = made.time_base
            yield frame
