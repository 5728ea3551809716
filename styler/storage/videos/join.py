"""Join segments and sound into one video, packet by packet, without encoding the pictures again."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

from styler.errors import OutputError
from styler.storage import disk
from styler.storage.magic import CONTAINERS
from styler.storage.names import display
from styler.storage.pictures.recipe import to_text
from styler.storage.videos.encode import Encoding
from styler.storage.videos.read import codecs, opened

_FALLBACK = {"webm": "libopus"}
"""Codecs, by container, for sound whose own codec the container does not take; else AAC."""
_OPUS_RATE = 48_000  # hertz, the one that Opus works in


def join(
    target: Path | str,
    segments: Sequence[Path],
    encoding: Encoding,
    *,
    sound: Path | str | None = None,
    last: int | None = None,
    credits: Mapping[str, str] | None = None,
    recipe: Mapping[str, object] | None = None,
    whole: bool = True,
    overwrite: bool = False,
) -> list[str]:
    """Write a video, whole or not at all; returns notes on sound that was changed.

    Args:
        segments: files of a `VideoWriter`, all of one `encoding`.
        sound: video whose audio streams are copied, packet by packet where the container takes their codecs.
        last: duration of the last frame in units of the time base; None for what its packet says.
        credits: title and the like.
        recipe: goes into the comment; with None the file has neither recipe nor credits.
        whole: False ends the sound where the pictures end.

    Raises OutputError if it cannot be written, or if segments do not fit together.
    """
    with disk.atomic(target, overwrite=overwrite) as file, ExitStack() as stack:
        out = stack.enter_context(_opened(file, CONTAINERS[Path(target).suffix.lower()], encoding))
        out.metadata.update(_tags(credits or {}, recipe))
        pictures = _pictures(out, segments, encoding, last, stack)
        end = None if whole else _end(segments, encoding)
        streams, notes = _sounds(out, sound, end, stack)
        for packet in heapq.merge(pictures, *streams, key=lambda packet: packet.dts * packet.time_base):
            out.mux_one(packet)
    return notes


def _opened(file: BinaryIO, format: str, encoding: Encoding) -> Any:
    """A container to write; the table of an MP4 goes to the front, so that it plays while it is loaded."""
    options = {"fflags": "+bitexact"}  # Matroska's identifiers would be random
    if format in {"mp4", "mov"}:
        options["movflags"] = "faststart"
        # The unit of the time at which a stream starts; milliseconds by default.
        options["movie_timescale"] = str(encoding.time_base.denominator)
    return codecs().open(file, "w", format=format, options=options, io_open=lambda *_: _again(file))


def _again(file: BinaryIO) -> BinaryIO:
    """A second handle, which FFmpeg reads through while it moves what it has written."""
    file.flush()
    return Path(file.name).open("rb")


def _tags(credits: Mapping[str, str], recipe: Mapping[str, object] | None) -> dict[str, str]:
    return {} if recipe is None else {**credits, "comment": to_text(recipe)}


def _pictures(
    out: Any, segments: Sequence[Path], encoding: Encoding, last: int | None, stack: ExitStack
) -> Iterator[Any]:
    """Add a stream for the segments to `out`; returns their packets, each lasting until the next one."""
    first = stack.enter_context(codecs().open(str(segments[0])))
    stream = out.add_stream_from_template(first.streams.video[0])
    stream.time_base = encoding.time_base
    stream.codec_context.sample_aspect_ratio = encoding.aspect
    return _lasting(_packets(segments, encoding), stream, last)


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


def _packets(segments: Sequence[Path], encoding: Encoding) -> Iterator[Any]:
    """The packets of all segments, in units of `encoding.time_base`; raises OutputError if headers differ."""
    header: tuple[Path, bytes | None] | None = None
    for segment in segments:
        with codecs().open(str(segment)) as container:
            stream = container.streams.video[0]
            header = header or (segment, stream.codec_context.extradata)
            if stream.codec_context.extradata != header[1]:
                raise OutputError(
                    f"{display(segment)} was encoded in another way than what is before it: "
                    "start anew with --overwrite and no --resume"
                )
            for packet in container.demux(stream):
                if packet.pts is not None:
                    yield _rescaled(packet, packet.time_base / encoding.time_base, encoding)


def _rescaled(packet: Any, factor: Fraction, encoding: Encoding) -> Any:
    packet.pts = packet.dts = round(packet.pts * factor)
    packet.duration = round(packet.duration * factor)
    packet.time_base = encoding.time_base
    return packet


def _end(segments: Sequence[Path], encoding: Encoding) -> float:
    """Seconds at which the last frame is over."""
    final = list(_packets(segments[-1:], encoding))[-1]
    return float((final.pts + final.duration) * encoding.time_base)


def _sounds(
    out: Any, sound: Path | str | None, end: float | None, stack: ExitStack
) -> tuple[list[Iterator[Any]], list[str]]:
    """The packets of each audio stream of the file `sound`, and notes on streams that are encoded anew."""
    if sound is None:
        return [], []
    with opened(sound) as container:
        count = len(container.streams.audio)
    streams: list[Iterator[Any]] = []
    notes: list[str] = []
    for index in range(count):
        # Each has the file for itself, so that it is read at its own pace.
        source = stack.enter_context(codecs().open(stack.enter_context(disk.open_input(sound))))
        stream = source.streams.audio[index]
        name = stream.codec_context.codec.canonical_name
        if name in out.supported_codecs:
            copy = out.add_stream_from_template(stream)
            streams.append(_copied(_sound(source.demux(stream), notes), copy, end))
        else:
            codec = _FALLBACK.get(out.format.name, "aac")
            notes.append(f"{out.format.name} cannot hold {name} sound, so it was encoded anew, as {codec}")
            rate = _OPUS_RATE if codec == "libopus" else stream.rate
            anew = out.add_stream(codec, rate=rate, layout=stream.layout.name)
            streams.append(_encoded(_sound(source.decode(stream), notes), anew, end))
    return streams, notes


def _sound(items: Iterator[Any], notes: list[str]) -> Iterator[Any]:
    """Packets or frames until the sound ends or is damaged, which is noted."""
    try:
        yield from items
    except codecs().error.FFmpegError as error:
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
