"""Tiny videos that tests make for themselves."""

import struct
from fractions import Fraction

import numpy as np
import pytest
import torch

from styler.storage.videos import animation, encode
from styler.storage.videos.footage import Footage, Frame
from styler.storage.videos.join import join

av = pytest.importorskip("av")

LIMIT = 10**8
MILLISECOND = Fraction(1, 1000)
CLOCKWISE = (0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)  # a display matrix, as phones write it


def pictures(count, height=48, width=64, seed=0):
    """Smooth pictures that drift, uint8 [count, H, W, 3]."""
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.random((1, 3, 6, 8), dtype=np.float32))
    wide = torch.nn.functional.interpolate(coarse, (height, width + count), mode="bicubic").clamp(0, 1)
    values = (wide[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    return [np.ascontiguousarray(values[:, i : i + width]) for i in range(count)]


def make(path, shown, times=None, *, codec="libx264", pixels="yuv444p", sound=None, matrix=1, **tags):
    """A film of RGB pictures at `times` in milliseconds, 40 apart by itself; `sound` names an audio codec."""
    times = times or [40 * i for i in range(len(shown))]
    options = {"crf": "4", "preset": "ultrafast"} if codec == "libx264" else {}
    with av.open(str(path), "w", options={"movie_timescale": "1000"} if path.suffix == ".mp4" else {}) as out:
        out.metadata.update(tags)
        stream = out.add_stream(codec, rate=25, options=options)
        stream.height, stream.width = (shown[0] if shown else np.zeros((48, 64))).shape[:2]
        stream.pix_fmt = pixels
        stream.codec_context.time_base = MILLISECOND
        stream.codec_context.colorspace = matrix
        audio = out.add_stream(sound, rate=48000, layout="mono") if sound else None
        if not shown:
            out.start_encoding()
        for picture, time in zip(shown, times, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame = frame.reformat(format=pixels, dst_colorspace=matrix, dst_color_range="MPEG")
            frame.pts, frame.time_base = time, MILLISECOND
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if audio:
            for packet in tone(audio, times[-1] / 1000 + 0.04):
                out.mux(packet)
    return path


def tone(stream, seconds):
    """Packets of a sine."""
    wave = (np.sin(np.arange(int(48000 * seconds)) / 20) * 20000).astype(np.int16)
    for start in range(0, len(wave), 960):
        frame = av.AudioFrame.from_ndarray(wave[None, start : start + 960], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def turned(path, matrix=CLOCKWISE):
    """The same file, to be shown turned: the display matrix in its first track header is replaced."""
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 4 + 40
    data[place : place + 36] = struct.pack(">9i", *matrix)
    path.write_bytes(data)
    return path


def decoded(path):
    """All frames of a film as (seconds, RGB picture)."""
    with av.open(str(path)) as container:
        return [
            (frame.pts * frame.time_base, frame.to_ndarray(format="rgb24"))
            for frame in container.decode(video=0)
        ]


def same(path, other):
    """Whether two videos have the same frames at the same times, but for what an encoder may round."""
    pairs = list(zip(decoded(path), decoded(other), strict=True))
    times = all(one[0] == two[0] for one, two in pairs)
    return times and all(abs(one[1].astype(int) - two[1]).mean() < 1 for one, two in pairs)


def packets(path, index=0):
    """The bytes of all packets of an audio stream."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=index) if packet.size]


def stream_of(path):
    """(codec, pixel format, width, height) of the pictures."""
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        return context.codec.canonical_name, context.pix_fmt, context.width, context.height


def rms(one, other):
    """Root of the mean square difference, in levels of 255."""
    return float(np.sqrt(np.mean((np.asarray(one, float) - np.asarray(other, float)) ** 2)))


# Written by styler


def levels(frame):
    return frame.image[0].permute(1, 2, 0).mul(255).numpy()


def painted(shown, times=None, duration=40):
    times = times or [40 * i for i in range(len(shown))]
    planes = [torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255 for picture in shown]
    return [Frame(image, time, duration) for image, time in zip(planes, times, strict=True)]


def footage_of(shown, **values):
    height, width = shown[0].shape[:2]
    return Footage(height, width, MILLISECOND, Fraction(25), **values)


def begin(target, shown, *, resume=False, overwrite=False, identity=None, crf=4):
    encoding = encode.encoding_for(target, footage_of(shown), shown[0].shape[:2], crf)
    return encode.VideoWriter(
        target, encoding, identity or {"input": "a"}, resume=resume, overwrite=overwrite
    )


def written(target, shown, times=None, **options):
    sink = begin(target, shown)
    for frame in painted(shown, times):
        sink.add(frame, lambda: None)
    notes = join(target, sink.segments(), sink.encoding, last=40, **options)
    sink.remove()
    return notes


def rolled(target, frames, loop=0, recipe=None):
    writer = animation.AnimationWriter(target, animation.MILLISECOND)
    for frame in frames:
        writer.add(frame)
    writer.save(target, loop, recipe, overwrite=False)
    writer.close()
