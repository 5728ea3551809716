"""Videos read: pictures, times, turns, colors, damage."""

import sys

import numpy as np
import pytest
import torch
import videos
from PIL import Image
from videos import LIMIT, levels, make, pictures, rms

from styler.errors import InputError
from styler.storage.magic import is_video
from styler.storage.videos.read import BT601, BT709, frames, inspect


def read(path, skip=0):
    footage = inspect(path, max_pixels=LIMIT)
    return footage, list(frames(path, footage, skip=skip))


def test_frames_are_the_pictures_at_their_times(tmp_path):
    shown, times = pictures(5), [0, 40, 50, 200, 333]
    footage, frames = read(make(tmp_path / "a.mp4", shown, times))
    assert (footage.height, footage.width, footage.frames) == (48, 64, 5)
    assert [frame.time * footage.time_base * 1000 for frame in frames] == times
    assert max(rms(levels(frame), picture) for frame, picture in zip(frames, shown, strict=True)) < 3


def test_reading_on_from_a_frame_gives_the_same_as_reading_all(tmp_path):
    path = make(tmp_path / "a.mkv", pictures(6))
    _, frames = read(path)
    _, later = read(path, skip=4)
    assert [frame.time for frame in later] == [frame.time for frame in frames[4:]]
    assert torch.equal(later[0].image, frames[4].image)


def test_a_turned_film_is_read_upright(tmp_path):
    shown = pictures(2)
    footage, frames = read(videos.turned(make(tmp_path / "a.mp4", shown)))
    assert (footage.height, footage.width) == (64, 48)
    assert rms(levels(frames[0]), np.rot90(shown[0], -1)) < 3


@pytest.mark.parametrize("matrix", [BT601, BT709])
def test_colors_are_decoded_by_what_the_film_says(tmp_path, matrix):
    color = np.full((48, 64, 3), (200, 40, 90), np.uint8)
    footage, frames = read(make(tmp_path / "a.mp4", [color], matrix=matrix))
    assert footage.matrix == matrix
    assert np.abs(levels(frames[0]) - color).max() < 3


def test_a_film_that_does_not_tell_is_bt601_when_small(tmp_path):
    color = np.full((48, 64, 3), (200, 40, 90), np.uint8)
    path = tmp_path / "a.avi"
    make(path, [color], codec="mpeg4", pixels="yuv420p", matrix=BT601)
    footage, frames = read(path)
    assert footage.matrix == BT601
    assert np.abs(levels(frames[0]) - color).max() < 5


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "damaged, cut off or no video"),
        (b"hello there, this is text" * 100, "damaged, cut off or no video"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "a PNG picture"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "damaged, cut off or no video"),
    ],
)
def test_what_is_no_film_gets_one_line(tmp_path, content, words):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_a_film_whose_end_is_cut_off_gets_one_line(tmp_path):
    path = make(tmp_path / "a.mp4", pictures(5))
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match="damaged, cut off"):
        read(path)


def test_sound_alone_is_no_film(tmp_path):
    path = tmp_path / "a.mp4"
    with videos.av.open(str(path), "w") as out:
        for packet in videos.tone(out.add_stream("aac", rate=48000, layout="mono"), 0.2):
            out.mux(packet)
    with pytest.raises(InputError, match="sound and no pictures"):
        read(path)


def test_a_film_without_frames_gets_one_line(tmp_path):
    with pytest.raises(InputError, match="has no pictures"):
        read(make(tmp_path / "a.mp4", []))


def test_sizes_are_checked(tmp_path):
    path = make(tmp_path / "a.mp4", pictures(1))
    with pytest.raises(InputError, match="--max-pixels"):
        inspect(path, max_pixels=100)
    with pytest.raises(InputError, match="under 16 pixels"):
        read(make(tmp_path / "b.mp4", pictures(1, 10, 64)))


def test_the_extra_is_named_where_it_is_missing(tmp_path, monkeypatch):
    path = make(tmp_path / "a.mp4", pictures(1))
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match=r"pip install 'av>=14'"):
        inspect(path, max_pixels=LIMIT)


def test_films_are_told_from_pictures(tmp_path):
    make(tmp_path / "a.mp4", pictures(1)).rename(tmp_path / "a")
    still, moving = tmp_path / "still.gif", tmp_path / "moving.gif"
    first, second = (Image.fromarray(picture) for picture in pictures(2))
    first.save(still)
    first.save(moving, save_all=True, append_images=[second])
    names = ("a", "still.gif", "moving.gif", "b.mkv", "c.gif")
    assert [is_video(tmp_path / name) for name in names] == [True, False, True, True, False]
