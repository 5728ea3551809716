"""Segments and sound joined into videos."""

from fractions import Fraction

import pytest
import torch
import videos
from videos import LIMIT, begin, decoded, make, painted, pictures, rms, rolled, written

from styler.errors import InputError, OutputError
from styler.storage.videos import parts
from styler.storage.videos.footage import Frame
from styler.storage.videos.join import join
from styler.storage.videos.read import inspect, read_recipe
from styler.ui import cli


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv", ".webm", ".avi"])
def test_every_container_gets_the_pictures(tmp_path, short, ending):
    target, shown = tmp_path / f"a{ending}", pictures(9)
    written(target, shown)
    frames = decoded(target)
    if ending != ".avi":  # its packets have no times, so that readers guess
        assert [time for time, _ in frames] == [Fraction(i, 25) for i in range(9)]
    assert max(rms(one, other) for (_, one), other in zip(frames, shown, strict=True)) < 10
    assert not parts.parts_of(target).exists()


def test_uneven_times_are_kept_over_segments(tmp_path, short):
    times = [7, 40, 41, 100, 101, 350, 360, 1000, 1001]
    target = tmp_path / "a.mp4"
    written(target, pictures(9), times)
    assert [time * 1000 for time, _ in decoded(target)] == times
    with videos.av.open(str(target)) as container:
        stream = container.streams.video[0]
        assert stream.duration * stream.time_base * 1000 == 1001 - 7 + 40


@pytest.mark.parametrize("ending", [".mp4", ".mov"])
def test_the_table_comes_first_so_that_a_film_plays_while_it_is_loaded(tmp_path, ending):
    target = tmp_path / f"a{ending}"
    written(target, pictures(30), sound=make(tmp_path / "s.mp4", pictures(30), sound="aac"))
    data = target.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    assert len(decoded(target)) == 30


def test_sound_is_copied_packet_by_packet(tmp_path, short):
    shown = pictures(9)
    source = make(tmp_path / "a.mp4", shown, sound="aac")
    assert written(tmp_path / "b.mkv", shown, sound=source) == []
    assert videos.packets(tmp_path / "b.mkv") == videos.packets(source) != []


def test_sound_that_the_container_cannot_hold_is_encoded_anew_with_a_note(tmp_path):
    shown = pictures(9)
    source = make(tmp_path / "a.mp4", shown, sound="aac")
    (note,) = written(tmp_path / "b.webm", shown, sound=source)
    assert "aac" in note and "libopus" in note
    with videos.av.open(str(tmp_path / "b.webm")) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    assert abs(samples - 0.36 * 48000) < 3000


def test_recipe_and_title_are_in_the_film_unless_unwanted(tmp_path):
    shown, recipe = pictures(2), {"command": "fast", "name": "é"}
    for ending in (".mp4", ".mkv", ".webm"):
        target = tmp_path / f"a{ending}"
        written(target, shown, recipe=recipe, credits={"title": "Cat"})
        assert read_recipe(target) == recipe
        assert inspect(target, max_pixels=LIMIT).credits == {"title": "Cat"}
    written(tmp_path / "b.mp4", shown, credits={"title": "Cat"})
    with pytest.raises(InputError, match="has no recipe"):
        read_recipe(tmp_path / "b.mp4")
    assert not inspect(tmp_path / "b.mp4", max_pixels=LIMIT).credits


def test_what_an_interruption_leaves_can_be_played(tmp_path, short):
    shown = pictures(11)
    source = make(tmp_path / "a.mp4", shown, sound="aac")
    sink = begin(tmp_path / "b.mp4", shown)
    for frame in painted(shown)[:6]:
        sink.add(frame, lambda: None)
    join(tmp_path / "b.mp4", sink.segments(), sink.encoding, sound=source, whole=False)
    assert len(decoded(tmp_path / "b.mp4")) == 6
    assert 0 < len(videos.packets(tmp_path / "b.mp4")) < len(videos.packets(source))
    assert parts.parts_of(tmp_path / "b.mp4").exists()


def test_segments_of_another_encoder_are_not_joined(tmp_path, short):
    shown = pictures(8)
    pieces = []
    for name, height in (("a", 48), ("b", 32)):
        sink = begin(tmp_path / f"{name}.mp4", [picture[:height] for picture in shown])
        for frame in painted([picture[:height] for picture in shown])[:4]:
            sink.add(frame, lambda: None)
        pieces += sink.segments()
        sink.close()
    with pytest.raises(OutputError, match="encoded in another way"):
        join(tmp_path / "c.mp4", pieces, sink.encoding)
    assert not (tmp_path / "c.mp4").exists()


def test_a_film_has_white_where_an_animation_is_transparent(tmp_path):
    frame = Frame(torch.zeros(1, 3, 48, 64), 0, 40, torch.zeros(1, 1, 48, 64))
    sink = begin(tmp_path / "a.mp4", pictures(1))
    sink.add(frame, lambda: None)
    join(tmp_path / "a.mp4", sink.segments(), sink.encoding)
    sink.remove()
    assert decoded(tmp_path / "a.mp4")[0][1].min() > 250


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
