"""Animations in and out."""

import struct

import numpy as np
import pytest
import torch
from PIL import Image
from videos import LIMIT, levels, painted, pictures, rms, rolled

from styler.errors import InputError
from styler.storage.magic import is_animated
from styler.storage.videos import animation
from styler.storage.videos.footage import Frame
from styler.storage.videos.read import frames, inspect, read_recipe


def read(path, skip=0):
    footage = inspect(path, max_pixels=LIMIT)
    return footage, list(frames(path, footage, skip=skip))


def animated(path, shown, times, **options):
    first, *rest = [Image.fromarray(picture) for picture in shown]
    first.save(path, save_all=True, append_images=rest, duration=times, **options)
    return path


@pytest.mark.parametrize("ending", [".gif", ".webp", ".png"])
def test_an_animation_keeps_durations_loop_and_pictures(tmp_path, ending):
    shown, times = pictures(3), [100, 250, 50]
    source = animated(tmp_path / f"a{ending}", shown, times, loop=3)
    footage = animation.inspect(source, max_pixels=LIMIT)
    assert (footage.frames, footage.loop) == (3, 3)
    frames = list(animation.frames(source))
    assert [frame.duration for frame in frames] == times
    assert [frame.time for frame in frames] == [0, 100, 350]
    target = tmp_path / f"b{ending}"
    rolled(target, frames, loop=footage.loop)
    again = list(animation.frames(target))
    assert [frame.duration for frame in again] == times
    assert animation.inspect(target, max_pixels=LIMIT).loop == 3
    assert all(rms(levels(a), levels(b)) < 12 for a, b in zip(again, frames, strict=True))


def test_a_gif_that_is_played_once_stays_so(tmp_path):
    source = animated(tmp_path / "a.gif", pictures(2), 100)
    assert animation.inspect(source, max_pixels=LIMIT).loop is None
    rolled(tmp_path / "b.gif", animation.frames(source), loop=None)
    assert animation.inspect(tmp_path / "b.gif", max_pixels=LIMIT).loop is None


def test_partial_frames_are_put_together(tmp_path):
    base = np.full((32, 32, 3), (250, 0, 0), np.uint8)
    second = base.copy()
    second[8:12, 8:12] = (0, 0, 250)  # Pillow stores this small square alone
    source = animated(tmp_path / "a.gif", [base, second], 100)
    frames = list(animation.frames(source))
    assert rms(levels(frames[1]), second) < 2


@pytest.mark.parametrize("ending", [".gif", ".webp", ".png"])
def test_transparency_is_kept(tmp_path, ending):
    alpha = torch.ones(32, 32).triu()[None, None]
    moved = alpha.flip(-1)
    colors = [torch.full((1, 3, 32, 32), 0.8), torch.full((1, 3, 32, 32), 0.2)]
    target = tmp_path / f"a{ending}"
    rolled(target, [Frame(colors[0], 0, 100, alpha), Frame(colors[1], 100, 100, moved)])
    frames = list(animation.frames(target))
    assert torch.equal(frames[0].alpha, alpha) and torch.equal(frames[1].alpha, moved)
    assert abs(float(frames[1].image[..., 2, :8].mean()) - 0.2) < 0.05


def test_a_gif_has_its_recipe_in_the_comment(tmp_path):
    rolled(tmp_path / "a.gif", painted(pictures(2)), recipe={"command": "fast"})
    assert read_recipe(tmp_path / "a.gif") == {"command": "fast"}


def test_a_damaged_animation_gets_one_line(tmp_path):
    path = tmp_path / "a.gif"
    path.write_bytes(b"GIF89a" + bytes(30))
    with pytest.raises(InputError, match="no animation that can be read"):
        animation.inspect(path, max_pixels=LIMIT)


def test_an_animation_of_a_million_frames_is_refused(tmp_path):
    """23 bytes a frame, of one pixel each; the limit itself is fine."""
    head = b"GIF89a" + struct.pack("<HHBBB", 64, 48, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"\x21\xf9\x04\x04\x0a\0\0\0" + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02D\1\0"
    for count, name in ((10_000, "long.gif"), (10_001, "longer.gif")):
        (tmp_path / name).write_bytes(head + frame * count + b";")
    assert is_animated(tmp_path / "longer.gif")
    assert animation.inspect(tmp_path / "long.gif", max_pixels=10**8).frames == 10_000
    with pytest.raises(InputError, match=r"has 10,001 frames, over the limit of 10,000 of an animation"):
        animation.inspect(tmp_path / "longer.gif", max_pixels=10**8)
