"""Films and animations in and out: pictures, times, sound, and what is left of an interruption."""

import sys
from dataclasses import replace
from fractions import Fraction

import films
import numpy as np
import pytest
import torch
from films import decoded, make, pictures, rms
from PIL import Image

from styler.errors import InputError, OutputError
from styler.storage.films import animation, encode, join
from styler.storage.films import read as video
from styler.storage.films.footage import Footage, Frame
from styler.ui import cli

LIMIT = 10**8


def read(path, skip=0):
    footage = video.inspect(path, max_pixels=LIMIT)
    return footage, list(video.frames(path, footage, skip=skip))


def levels(frame):
    return frame.image[0].permute(1, 2, 0).mul(255).numpy()


# Read


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
    footage, frames = read(films.turned(make(tmp_path / "a.mp4", shown)))
    assert (footage.height, footage.width) == (64, 48)
    assert rms(levels(frames[0]), np.rot90(shown[0], -1)) < 3


@pytest.mark.parametrize("matrix", [video.BT601, video.BT709])
def test_colors_are_decoded_by_what_the_film_says(tmp_path, matrix):
    color = np.full((48, 64, 3), (200, 40, 90), np.uint8)
    footage, frames = read(make(tmp_path / "a.mp4", [color], matrix=matrix))
    assert footage.matrix == matrix
    assert np.abs(levels(frames[0]) - color).max() < 3


def test_a_film_that_does_not_tell_is_bt601_when_small(tmp_path):
    color = np.full((48, 64, 3), (200, 40, 90), np.uint8)
    path = tmp_path / "a.avi"
    make(path, [color], codec="mpeg4", pixels="yuv420p", matrix=video.BT601)
    footage, frames = read(path)
    assert footage.matrix == video.BT601
    assert np.abs(levels(frames[0]) - color).max() < 5


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "damaged, cut off or no film"),
        (b"hello there, this is text" * 100, "damaged, cut off or no film"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "a PNG picture"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "damaged, cut off or no film"),
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
    with films.av.open(str(path), "w") as out:
        for packet in films.tone(out.add_stream("aac", rate=48000, layout="mono"), 0.2):
            out.mux(packet)
    with pytest.raises(InputError, match="sound and no pictures"):
        read(path)


def test_a_film_without_frames_gets_one_line(tmp_path):
    with pytest.raises(InputError, match="has no pictures"):
        read(make(tmp_path / "a.mp4", []))


def test_sizes_are_checked(tmp_path):
    path = make(tmp_path / "a.mp4", pictures(1))
    with pytest.raises(InputError, match="--max-pixels"):
        video.inspect(path, max_pixels=100)
    with pytest.raises(InputError, match="under 16 pixels"):
        read(make(tmp_path / "b.mp4", pictures(1, 10, 64)))


def test_the_extra_is_named_where_it_is_missing(tmp_path, monkeypatch):
    path = make(tmp_path / "a.mp4", pictures(1))
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match=r"pip install 'styler\[video\]'"):
        video.inspect(path, max_pixels=LIMIT)


def test_films_are_told_from_pictures(tmp_path):
    make(tmp_path / "a.mp4", pictures(1)).rename(tmp_path / "a")
    still, moving = tmp_path / "still.gif", tmp_path / "moving.gif"
    first, second = (Image.fromarray(picture) for picture in pictures(2))
    first.save(still)
    first.save(moving, save_all=True, append_images=[second])
    names = ("a", "still.gif", "moving.gif", "b.mkv", "c.gif")
    assert [video.is_film(tmp_path / name) for name in names] == [True, False, True, True, False]


# Written


def painted(shown, times=None, duration=40):
    times = times or [40 * i for i in range(len(shown))]
    planes = [torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255 for picture in shown]
    return [Frame(image, time, duration) for image, time in zip(planes, times, strict=True)]


def footage_of(shown, **values):
    height, width = shown[0].shape[:2]
    return Footage(height, width, films.MILLISECOND, Fraction(25), **values)


def begin(target, shown, *, resume=False, overwrite=False, order=None, crf=4):
    made = encode.encoding(target, footage_of(shown), shown[0].shape[:2], crf)
    return encode.Segments(target, made, order or {"input": "a"}, resume=resume, overwrite=overwrite)


def written(target, shown, times=None, **options):
    sink = begin(target, shown)
    for frame in painted(shown, times):
        sink.add(frame, lambda: None)
    notes = join.join(target, sink.pieces(), sink.made, last=40, **options)
    sink.remove()
    return notes


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(encode, "LONGEST", 4)
    monkeypatch.setattr(encode, "SHORTEST", 4)


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv", ".webm", ".avi"])
def test_every_container_gets_the_pictures(tmp_path, short, ending):
    target, shown = tmp_path / f"a{ending}", pictures(9)
    written(target, shown)
    frames = decoded(target)
    if ending != ".avi":  # its packets have no times, so that readers guess
        assert [time for time, _ in frames] == [Fraction(i, 25) for i in range(9)]
    assert max(rms(one, other) for (_, one), other in zip(frames, shown, strict=True)) < 10
    assert not encode.parts_of(target).exists()


def test_uneven_times_are_kept_over_segments(tmp_path, short):
    times = [7, 40, 41, 100, 101, 350, 360, 1000, 1001]
    target = tmp_path / "a.mp4"
    written(target, pictures(9), times)
    assert [time * 1000 for time, _ in decoded(target)] == times
    with films.av.open(str(target)) as container:
        stream = container.streams.video[0]
        assert stream.duration * stream.time_base * 1000 == 1001 - 7 + 40


@pytest.mark.parametrize(("ending", "pixels"), [(".mp4", "yuv444p"), (".webm", "yuv420p")])
def test_odd_sizes_are_kept(tmp_path, ending, pixels):
    target, shown = tmp_path / f"a{ending}", pictures(3, 49, 63)
    written(target, shown)
    assert films.stream_of(target)[1:] == (pixels, 63, 49)
    assert rms(decoded(target)[1][1], shown[1]) < 6


def test_even_sizes_play_everywhere(tmp_path):
    written(tmp_path / "a.mp4", pictures(2))
    assert films.stream_of(tmp_path / "a.mp4") == ("h264", "yuv420p", 64, 48)


@pytest.mark.parametrize("ending", [".mp4", ".mov"])
def test_the_table_comes_first_so_that_a_film_plays_while_it_is_loaded(tmp_path, ending):
    target = tmp_path / f"a{ending}"
    written(target, pictures(30), sound=make(tmp_path / "s.mp4", pictures(30), sound="aac"))
    data = target.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    assert len(decoded(target)) == 30


def test_crf_trades_size_for_quality(tmp_path):
    shown, sizes = pictures(6), []
    for crf in (0, 40):
        sink = begin(tmp_path / f"{crf}.mp4", shown, crf=crf)
        for frame in painted(shown):
            sink.add(frame, lambda: None)
        sizes.append(sink.pieces()[0].stat().st_size)
        sink.close()
    assert sizes[0] > 2 * sizes[1]


def test_sound_is_copied_packet_by_packet(tmp_path, short):
    shown = pictures(9)
    source = make(tmp_path / "a.mp4", shown, sound="aac")
    assert written(tmp_path / "b.mkv", shown, sound=source) == []
    assert films.packets(tmp_path / "b.mkv") == films.packets(source) != []


def test_sound_that_the_container_cannot_hold_is_encoded_anew_with_a_note(tmp_path):
    shown = pictures(9)
    source = make(tmp_path / "a.mp4", shown, sound="aac")
    (note,) = written(tmp_path / "b.webm", shown, sound=source)
    assert "aac" in note and "libopus" in note
    with films.av.open(str(tmp_path / "b.webm")) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    assert abs(samples - 0.36 * 48000) < 3000


def test_recipe_and_title_are_in_the_film_unless_unwanted(tmp_path):
    shown, recipe = pictures(2), {"command": "fast", "name": "é"}
    for ending in (".mp4", ".mkv", ".webm"):
        target = tmp_path / f"a{ending}"
        written(target, shown, recipe=recipe, credits={"title": "Cat"})
        assert video.read_recipe(target) == recipe
        assert video.inspect(target, max_pixels=LIMIT).credits == {"title": "Cat"}
    written(tmp_path / "b.mp4", shown, credits={"title": "Cat"})
    with pytest.raises(InputError, match="has no recipe"):
        video.read_recipe(tmp_path / "b.mp4")
    assert not video.inspect(tmp_path / "b.mp4", max_pixels=LIMIT).credits


# Interrupted


def test_a_resumed_film_is_the_same_to_the_byte(tmp_path, short):
    shown, state = pictures(11), {"n": torch.arange(3)}
    written(tmp_path / "whole.mp4", shown)
    target = tmp_path / "a.mp4"
    for first, last in ((0, 6), (6, 7), (7, 11)):
        sink = begin(target, shown, resume=True)
        assert sink.done == first
        assert first == 0 or torch.equal(sink.state["n"], state["n"])
        for frame in painted(shown)[first:last]:
            sink.add(frame, lambda: state)
        sink.interrupt(state)
        sink.close()
    join.join(target, sink.pieces(), sink.made, last=40)
    assert target.read_bytes() == (tmp_path / "whole.mp4").read_bytes()


def test_what_an_interruption_leaves_can_be_played(tmp_path, short):
    shown = pictures(11)
    source = make(tmp_path / "a.mp4", shown, sound="aac")
    sink = begin(tmp_path / "b.mp4", shown)
    for frame in painted(shown)[:6]:
        sink.add(frame, lambda: None)
    sink.interrupt(None)
    join.join(tmp_path / "b.mp4", sink.pieces(), sink.made, sound=source, whole=False)
    assert len(decoded(tmp_path / "b.mp4")) == 6
    assert 0 < len(films.packets(tmp_path / "b.mp4")) < len(films.packets(source))
    assert encode.parts_of(tmp_path / "b.mp4").exists()


def test_a_killed_run_goes_on_after_its_last_whole_segment(tmp_path, short):
    shown = pictures(11)
    sink = begin(tmp_path / "a.mp4", shown)
    for frame in painted(shown)[:10]:
        sink.add(frame, lambda time=frame.time: {"n": torch.tensor(time)})
    sink.close()  # nothing was told of the interruption
    again = begin(tmp_path / "a.mp4", shown, resume=True)
    assert again.done == 8 and int(again.state["n"]) == 7 * 40


def test_parts_of_another_order_are_refused_and_parts_are_not_lost_by_accident(tmp_path):
    shown, target = pictures(2), tmp_path / "a.mp4"
    begin(target, shown, order={"input": "a", "crf": 1}).close()
    with pytest.raises(OutputError, match="another crf"):
        begin(target, shown, order={"input": "a", "crf": 2}, resume=True)
    assert encode.order_of(target) == {"input": "a", "crf": 1}
    nested = [{"options": {"precision": "float32", "threads": n}} for n in (1, 2)]
    begin(target, shown, order=nested[0], overwrite=True).close()
    with pytest.raises(OutputError, match="with another threads: repeat"):
        begin(target, shown, order=nested[1], resume=True)
    with pytest.raises(OutputError, match="--resume to go on, or --overwrite"):
        begin(target, shown)
    begin(target, shown, order={"input": "b"}, overwrite=True).close()
    (encode.parts_of(target) / encode.ORDER).unlink()
    (encode.parts_of(target) / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="in the way"):
        begin(target, shown, overwrite=True)


def test_segments_of_another_encoder_are_not_joined(tmp_path, short):
    shown = pictures(8)
    pieces = []
    for name, height in (("a", 48), ("b", 32)):
        sink = begin(tmp_path / f"{name}.mp4", [picture[:height] for picture in shown])
        for frame in painted([picture[:height] for picture in shown])[:4]:
            sink.add(frame, lambda: None)
        pieces += sink.pieces()
        sink.close()
    with pytest.raises(OutputError, match="encoded in another way"):
        join.join(tmp_path / "c.mp4", pieces, sink.made)
    assert not (tmp_path / "c.mp4").exists()


def test_memory_of_a_segment_is_bounded():
    made = encode.encoding("a.mp4", Footage(16, 16, films.MILLISECOND, Fraction(25)), (16, 16), 18)
    assert made.length == encode.LONGEST
    assert replace(made, height=1080, width=1920).length * 1080 * 1920 * 1.5 <= encode.SEGMENT_BYTES
    assert replace(made, height=10000, width=10000).length == encode.SHORTEST


# Animations


def animated(path, shown, times, **options):
    first, *rest = [Image.fromarray(picture) for picture in shown]
    first.save(path, save_all=True, append_images=rest, duration=times, **options)
    return path


def rolled(target, frames, loop=0, recipe=None):
    roll = animation.Roll(target, animation.MILLISECOND)
    for frame in frames:
        roll.add(frame)
    roll.save(target, loop, recipe, overwrite=False)
    roll.close()


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


def test_a_film_has_white_where_an_animation_is_transparent(tmp_path):
    frame = Frame(torch.zeros(1, 3, 48, 64), 0, 40, torch.zeros(1, 1, 48, 64))
    sink = begin(tmp_path / "a.mp4", pictures(1))
    sink.add(frame, lambda: None)
    join.join(tmp_path / "a.mp4", sink.pieces(), sink.made)
    sink.remove()
    assert decoded(tmp_path / "a.mp4")[0][1].min() > 250


def test_a_gif_has_its_recipe_in_the_comment(tmp_path):
    rolled(tmp_path / "a.gif", painted(pictures(2)), recipe={"command": "fast"})
    assert video.read_recipe(tmp_path / "a.gif") == {"command": "fast"}


@pytest.mark.parametrize("ending", [".mp4", ".gif", ".webp", ".png"])
def test_show_prints_the_recipe_of_films_and_animations(tmp_path, ending, capsys):
    target, shown = tmp_path / f"a{ending}", pictures(2)
    recipe = {"command": "fast", "options": {"style": "waves"}, "content": {"name": "b.mp4"}, "styles": []}
    if ending == ".mp4":
        written(target, shown, recipe=recipe)
    else:
        rolled(target, painted(shown), recipe=recipe)
    cli.styler.main(["show", str(target)], standalone_mode=False, obj={})
    assert capsys.readouterr().out.splitlines()[-1] == "styler fast --style waves b.mp4"


def test_a_damaged_animation_gets_one_line(tmp_path):
    path = tmp_path / "a.gif"
    path.write_bytes(b"GIF89a" + bytes(30))
    with pytest.raises(InputError, match="no animation that can be read"):
        animation.inspect(path, max_pixels=LIMIT)
