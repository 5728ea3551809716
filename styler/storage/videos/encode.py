"""Encode the frames of a video in segments that outlive an interruption.

A folder TARGET.parts holds segments of equally many frames, each with the painter's state after it. A resumed
run goes on after the last whole segment, and its video has exactly the frames of an uninterrupted one. There
are no frames that need later ones (B-frames), so that packets come in the order of their times and segments
join as they are.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from styler.errors import InputError
from styler.image.levels import to_pixels
from styler.image.size import Size
from styler.storage import disk
from styler.storage.names import display
from styler.storage.videos import parts, read
from styler.storage.videos.footage import Footage, Frame

LONGEST, SHORTEST = 250, 12
"""Frames of a segment, at most and at least."""
SEGMENT_BYTES = 1 << 28
"""Bytes of frames that are kept in memory until their segment is whole."""
_SEGMENT = "nut"
"""The container of segments: it takes any codec, and any time exactly."""
_LAST = "last duration"
"""Key of the last frame's duration among the tensors of a segment's state."""

_State = Mapping[str, Tensor]


@dataclass(frozen=True)
class Encoding:
    """The encoder and its settings; segments of equal encodings join.

    Attributes:
        codec: name of the encoder in FFmpeg.
        pixels: name of the pixel format in FFmpeg.
        options: of the encoder.
        aspect: width of a pixel over its height.
        matrix: color matrix, see `Footage`.
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


def encoding_for(target: Path | str, footage: Footage, size: Size, crf: int) -> Encoding:
    """VP9 for WebM, else H.264, at a size and a quality (`crf` from 0, lossless, to 51).

    H.264 has color at half the resolution where both sides are even, and else at the full one.
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


class VideoWriter:
    """Takes the painted frames of a video one by one and keeps them on the disk, segment by segment.

    Attributes:
        done: number of frames, those of an earlier run included.
        state: the painter's state after the last whole segment of an earlier run, None if there is none.
        last: duration of the last frame so far, None if there is none.
    """

    def __init__(
        self,
        target: Path | str,
        encoding: Encoding,
        identity: Mapping[str, Any],
        *,
        resume: bool,
        overwrite: bool,
    ) -> None:
        """Begin, or with `resume` go on with the segments of an interrupted run.

        `identity` is what a resumed run must share with the interrupted one. Raises as `parts.claim`.
        """
        self.encoding = encoding
        self.state: _State | None = None
        self.last: int | None = None
        self._frames: list[Any] = []
        self._whole = 0
        self.folder = parts.claim(target, identity, resume=resume, overwrite=overwrite)
        while (file := self._segment(self._whole).with_suffix(".state")).exists():
            self.state, self.last = _load_state(file)
            self._whole += 1

    @property
    def done(self) -> int:
        """The number of frames so far."""
        return self._whole * self.encoding.length + len(self._frames)

    def add(self, frame: Frame, state: Callable[[], _State | None]) -> None:
        """Append a painted frame; `state` returns the painter's state after it.

        A whole segment is encoded and written at once: x264 made other bytes now and then when
        the next frames were painted meanwhile. Raises OutputError.
        """
        self._frames.append(_coded(frame, self.encoding))
        self.last = frame.duration
        if len(self._frames) == self.encoding.length:
            self._write(self._whole, self._frames, state(), frame.duration)
            self._frames, self._whole = [], self._whole + 1

    def segments(self) -> list[Path]:
        """The files of all frames so far, in order; the last segment may not be whole."""
        if self._frames:
            disk.write(self._segment(self._whole), encoded(self._frames, self.encoding))
        return [self._segment(index) for index in range(self._whole + bool(self._frames))]

    def close(self) -> None:
        """Leave the segments for a run that goes on."""

    def remove(self) -> None:
        """Remove the folder: the video is finished."""
        parts.remove(self.folder)

    def _write(self, index: int, frames: Sequence[Any], state: _State | None, last: int) -> None:
        """Write a whole segment, which counts from the moment that its second file is there."""
        disk.write(self._segment(index), encoded(frames, self.encoding))
        disk.write(
            self._segment(index).with_suffix(".state"), save({**(state or {}), _LAST: torch.tensor(last)})
        )

    def _segment(self, index: int) -> Path:
        return self.folder / f"{index * self.encoding.length:09d}.{_SEGMENT}"


def _load_state(path: Path) -> tuple[_State | None, int | None]:
    """The painter's state after a segment, and its last frame's duration."""
    try:
        state = load(path.read_bytes())
    except (OSError, SafetensorError) as error:
        advice = "start anew with --overwrite and no --resume"
        raise InputError(f"{display(path)} is damaged ({error}): {advice}") from error
    last = state.pop(_LAST, None)
    return state or None, None if last is None else int(last)


def _coded(frame: Frame, encoding: Encoding) -> Any:
    """A frame in the encoder's pixel format, rounded, on white where it is transparent."""
    av = read.codecs()
    image = frame.image if frame.alpha is None else frame.image * frame.alpha + (1 - frame.alpha)
    rgb = av.VideoFrame.from_ndarray(to_pixels(image), "rgb24")
    coded = rgb.reformat(
        format=encoding.pixels,
        dst_colorspace=encoding.matrix,
        dst_color_range="MPEG",
        interpolation=read.careful(),
    )
    coded.pts, coded.time_base = frame.time, encoding.time_base
    return coded


def encoded(frames: Sequence[Any], encoding: Encoding) -> bytes:
    """The bytes of a segment of frames; equal frames give equal packets."""
    buffer = io.BytesIO()
    with read.codecs().open(buffer, "w", format=_SEGMENT) as container:
        stream = _stream(container, encoding)
        for frame in frames:
            frame.pict_type = 0  # what a decoder says of a frame would be an order to the encoder
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def _stream(container: Any, encoding: Encoding) -> Any:
    stream = container.add_stream(encoding.codec, rate=encoding.rate, options=dict(encoding.options))
    stream.width, stream.height, stream.pix_fmt = encoding.width, encoding.height, encoding.pixels
    context = stream.codec_context
    context.time_base = stream.time_base = encoding.time_base
    context.sample_aspect_ratio = encoding.aspect
    context.colorspace, context.color_range = encoding.matrix, 1  # the limited range, as videos have
    context.color_primaries = context.color_trc = 1  # of BT.709, which are sRGB's
    context.max_b_frames = 0
    return stream
