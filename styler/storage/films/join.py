"""Segments and sound into one film, by their packets: nothing that is encoded is encoded again."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

from styler.errors import OutputError
from styler.storage import disk
from styler.storage.films import read as video
from styler.storage.films.encode import Encoding
from styler.storage.names import display
from styler.storage.pictures import recipe as recipes

FALLBACK = {"webm": "libopus"}  # what sound is encoded as where its own codec is not taken
OTHERWISE = "aac"
OPUS_RATE = 48_000  # hertz, the one that Opus works in


def join(
    target: Path | str,
    pieces: Sequence[Path],
    made: Encoding,
    *,
    sound: Path | str | None = None,
    last: int | None = None,
    credits: Mapping[str, str] | None = None,
    recipe: Mapping[str, object] | None = None,
    whole: bool = True,
    overwrite: bool = False,
) -> list[str]:
    """Write a film of the segments, whole or not at all; returns notes on what of the sound changed.

    Args:
        pieces: files that `Segments.pieces` named, of `made`.
        sound: film whose audio streams come along, packet by packet where the container takes them.
        last: how long the last frame is shown, in units of the time base.
        credits: title and the like.
        recipe: goes into the comment; None for neither recipe nor credits.
        whole: False ends the sound where the pictures end.

    Raises OutputError if it cannot be written, or if segments do not fit together.
    """
    with disk.atomic(target, overwrite=overwrite) as file, ExitStack() as stack:
        out = stack.enter_context(_opened(file, video.CONTAINERS[Path(target).suffix.lower()], made))
        out.metadata.update(_tags(credits or {}, recipe))
        pictures = _pictures(out, pieces, made, last, stack)
        end = None if whole else _end(pieces, made)
        streams, notes = _sounds(out, sound, end, stack)
        for packet in heapq.merge(pictures, *streams, key=lambda packet: packet.dts * packet.time_base):
            out.mux_one(packet)
    return notes


def _opened(file: BinaryIO, format: str, made: Encoding) -> Any:
    """A container to write; the table of an MP4 goes to its front, so that it plays while it is loaded."""
    options = {"movflags": "faststart"} if format in {"mp4", "mov"} else {}
    if options:  # it tells when a stream starts in these units, and by itself only in milliseconds
        options["movie_timescale"] = str(made.time_base.denominator)
    # FFmpeg opens what it has written once more, to move it.
    return video.codecs().open(file, "w", format=format, options=options, io_open=lambda *_: _Again(file))


class _Again:
    """A second place to read at in a file that is being written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._place = 0

    def read(self, size: int = -1) -> bytes:
        """What comes next."""
        kept = self._file.tell()
        self._file.seek(self._place)
        data = self._file.read(size)
        self._file.seek(kept)
        self._place += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to another place, as files do."""
        kept = self._file.tell()
        self._file.seek(self._place)
        self._place = self._file.seek(offset, whence)
        self._file.seek(kept)
        return self._place

    def tell(self) -> int:
        """The place, in bytes."""
        return self._place

    def close(self) -> None:
        """Leave the file to whoever writes it."""


def _tags(credits: Mapping[str, str], recipe: Mapping[str, object] | None) -> dict[str, str]:
    return {} if recipe is None else {**credits, "comment": recipes.to_text(recipe)}


def _pictures(
    out: Any, pieces: Sequence[Path], made: Encoding, last: int | None, stack: ExitStack
) -> Iterator[Any]:
    """The stream for the segments in `out`, and then their packets, each as long as to the next one."""
    first = stack.enter_context(video.codecs().open(str(pieces[0])))
    stream = out.add_stream_from_template(first.streams.video[0])
    stream.time_base = made.time_base
    stream.codec_context.sample_aspect_ratio = made.aspect
    return _lasting(_packets(pieces, made), stream, last)


def _lasting(packets: Iterator[Any], stream: Any, last: int | None) -> Iterator[Any]:
    before = None
    for packet in packets:
        packet.stream = stream
        if before is not None:
            before.duration = packet.pts - before.pts
            yield before
        before = packet
    if before is not None:
        before.duration = last or before.duration
        yield before


def _packets(pieces: Sequence[Path], made: Encoding) -> Iterator[Any]:
    """The packets of all segments, in units of `made.time_base`; raises OutputError if headers differ."""
    header: tuple[Path, bytes | None] | None = None
    for piece in pieces:
        with video.codecs().open(str(piece)) as container:
            stream = container.streams.video[0]
            header = header or (piece, stream.codec_context.extradata)
            if stream.codec_context.extradata != header[1]:
                raise OutputError(
                    f"{display(piece)} was encoded in another way than what is before it: "
                    "start anew with --overwrite and no --resume"
                )
            for packet in container.demux(stream):
                if packet.pts is not None:
                    yield _rescaled(packet, packet.time_base / made.time_base, made)


def _rescaled(packet: Any, factor: Fraction, made: Encoding) -> Any:
    packet.pts = packet.dts = round(packet.pts * factor)
    packet.duration = round(packet.duration * factor)
    packet.time_base = made.time_base
    return packet


def _end(pieces: Sequence[Path], made: Encoding) -> float:
    """Seconds at which the last frame is over."""
    final = list(_packets(pieces[-1:], made))[-1]
    return float((final.pts + final.duration) * made.time_base)


def _sounds(
    out: Any, sound: Path | str | None, end: float | None, stack: ExitStack
) -> tuple[list[Iterator[Any]], list[str]]:
    """For each audio stream of the file `sound` its packets, and notes on those that are encoded anew."""
    if sound is None:
        return [], []
    with video.opened(sound) as container:
        count = len(container.streams.audio)
    streams: list[Iterator[Any]] = []
    notes: list[str] = []
    for index in range(count):
        # Each has the file for itself, so that it is read at its own pace.
        source = stack.enter_context(video.codecs().open(stack.enter_context(disk.open_input(sound))))
        stream = source.streams.audio[index]
        name = stream.codec_context.codec.canonical_name
        if name in out.supported_codecs:
            copy = out.add_stream_from_template(stream)
            streams.append(_copied(_sound(source.demux(stream), notes), copy, end))
        else:
            codec = FALLBACK.get(out.format.name, OTHERWISE)
            notes.append(f"{out.format.name} cannot hold {name} sound, so it was encoded anew, as {codec}")
            rate = OPUS_RATE if codec == "libopus" else stream.rate
            anew = out.add_stream(codec, rate=rate, layout=stream.layout.name)
            streams.append(_encoded(_sound(source.decode(stream), notes), anew, end))
    return streams, notes


def _sound(found: Iterator[Any], notes: list[str]) -> Iterator[Any]:
    """Packets or frames up to where the sound is damaged."""
    try:
        yield from found
    except video.codecs().error.FFmpegError as error:
        notes.append(f"the sound breaks off, as it is damaged ({error.strerror})")


def _copied(packets: Iterator[Any], stream: Any, end: float | None) -> Iterator[Any]:
    for packet in packets:
        if packet.dts is None:
            continue  # the end of the file
        if end is not None and packet.dts * packet.time_base >= end:
            return
        packet.stream = stream
        yield packet


def _encoded(frames: Iterator[Any], stream: Any, end: float | None) -> Iterator[Any]:
    for frame in frames:
        if end is not None and frame.pts is not None and frame.pts * frame.time_base >= end:
            break
        yield from stream.encode(frame)
    yield from stream.encode(None)
