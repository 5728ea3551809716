"""Whole videos and animations from file to file, with a network that is quick."""

import contextlib
import itertools
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
import videos
from safetensors.torch import save
from tasks.test_steady import MIX, made
from videos import decoded, make, pictures, same

from styler.errors import InputError, OutputError
from styler.events import Note, Stage, Step
from styler.jobs.passes import videos as filming
from styler.options.fast import FastOptions
from styler.storage import disk
from styler.storage.videos import animation, encode, parts, read
from styler.storage.videos.footage import Footage
from styler.storage.videos.video import ahead, open_video, output_size
from styler.tasks.fast import painter
from styler.tasks.onepass import OnePass


@pytest.fixture(scope="module")
def network():
    return made()


def stopping(after):
    """A wish to stop that is there from the n-th time on that it is asked for."""
    count = itertools.count(1)
    return lambda: next(count) >= after


def filmed(source, target, paint, options, recipe, stop=lambda: False):
    video = open_video(Path(source), options.size, options.max_pixels)
    recipe = {**recipe, "content": {"sha256": disk.sha256_of(source)}}
    return filming.apply(video, target, paint, options, recipe, stop)


def run(source, target, network, stop=lambda: False, **options):
    given = FastOptions(**options)
    work = filmed(source, target, painter(network, MIX, given), given, {"command": "fast"}, stop)
    events = []
    while True:
        try:
            events.append(next(work))
        except StopIteration as end:
            return events, end.value


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(encode, "LONGEST", 4)
    monkeypatch.setattr(encode, "SHORTEST", 4)


def test_frames_are_read_ahead_by_one_and_errors_come_in_their_place():
    """What is read while an earlier frame is painted is that much time saved."""
    read = []

    def numbers():
        for number in (1, 2, 3):
            read.append(number)
            yield number
        raise InputError("it breaks off")

    found = ahead(numbers())
    assert next(found) == 1
    assert next(found) == 2 and read[:2] == [1, 2]
    assert next(found) == 3
    with pytest.raises(InputError, match="breaks off"):
        next(found)
    assert list(ahead(iter(()))) == []
    early = ahead(iter((1, 2, 3)))
    assert next(early) == 1
    early.close()


def test_a_film_is_painted_frame_by_frame_with_its_sound_and_times(tmp_path, network):
    times = [0, 40, 41, 90, 200, 210]
    source = make(tmp_path / "a.mp4", pictures(6), times, sound="aac", title="Drift")
    events, record = run(source, tmp_path / "b.mp4", network)
    assert events[0] == Stage("video", 48, 64, 6)
    steps = [event for event in events if isinstance(event, Step)]
    assert [step.index for step in steps] == [1, 2, 3, 4, 5, 6] and steps[0].image.shape == (1, 3, 48, 64)
    assert record["frames"] == 6 and record["sizes"] == [[48, 64]]
    assert [time * 1000 for time, _ in decoded(tmp_path / "b.mp4")] == times
    assert videos.packets(tmp_path / "b.mp4") == videos.packets(source)
    assert read.read_recipe(tmp_path / "b.mp4") == {
        "command": "fast",
        "content": {"sha256": disk.sha256_of(source)},
        "size": [64, 48],
    }
    assert not parts.parts_of(tmp_path / "b.mp4").exists()


def test_what_is_in_the_film_is_what_was_painted(tmp_path, network):
    source = make(tmp_path / "a.mkv", pictures(3, 49, 65))  # of odd size, so with all its color
    events, _ = run(source, tmp_path / "b.mkv", network, crf=0)
    shown = [event.image[0].permute(1, 2, 0) * 255 for event in events if isinstance(event, Step)]
    frames = [picture for _, picture in decoded(tmp_path / "b.mkv")]
    assert max(videos.rms(got, image) for got, image in zip(frames, shown, strict=True)) < 2


def test_a_turned_and_odd_film_comes_out_upright_and_as_large(tmp_path, network):
    source = videos.turned(make(tmp_path / "a.mp4", pictures(2, 49, 65)))
    events, _ = run(source, tmp_path / "b.mp4", network)
    assert videos.stream_of(tmp_path / "b.mp4")[2:] == (49, 65)
    assert any("49x65 is odd" in event.text for event in events if isinstance(event, Note))


def test_size_scales_to_even_sides(tmp_path, network):
    source = make(tmp_path / "a.mp4", pictures(2, 49, 65))
    _, record = run(source, tmp_path / "b.mp4", network, size=33)
    assert record["sizes"] == [[24, 32]]
    assert videos.stream_of(tmp_path / "b.mp4")[1:] == ("yuv420p", 32, 24)
    footage = Footage(1080, 1920, Fraction(1, 25), Fraction(25))
    assert output_size(footage, 1280) == (720, 1280)
    assert output_size(footage, (700, 1280)) == (700, 1244)


@pytest.mark.parametrize("after", [2, 4, 6])
def test_a_resumed_film_is_the_uninterrupted_one(tmp_path, network, short, after):
    source = make(tmp_path / "a.mp4", pictures(9), sound="aac")
    run(source, tmp_path / "whole.mp4", network)
    target = tmp_path / "b.mp4"
    part = tmp_path / "b-partial.mp4"
    events, record = run(source, target, network, stopping(after))
    assert events[-1] == Note(f"{part} ends with frame {after}: add --resume to go on")
    assert record["output"] == str(part) and not target.exists()
    assert record["frames"] == after == len(decoded(part))
    assert read.read_recipe(part)["interrupted"] is True
    with pytest.raises(OutputError, match="is left of an interrupted run: add --resume"):
        run(source, target, network)
    run(source, target, network, stopping(1), resume=True)
    assert len(decoded(part)) == after // 4 * 4 + 1
    events, _ = run(source, target, network, resume=True)
    steps = [event.index for event in events if isinstance(event, Step)]
    assert steps == list(range(after // 4 * 4 + 1, 10))  # on from the last whole segment
    assert target.read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"a.mp4", "whole.mp4", "b.mp4"}


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".mkv"])
def test_the_same_film_has_the_same_bytes(tmp_path, network, suffix):
    source = make(tmp_path / "a.mp4", pictures(3))
    for stem in ("b", "c"):
        run(source, tmp_path / f"{stem}{suffix}", network)
    assert (tmp_path / f"b{suffix}").read_bytes() == (tmp_path / f"c{suffix}").read_bytes()


def test_a_signal_at_the_last_frame_leaves_the_whole_film(tmp_path, network, short):
    source = make(tmp_path / "a.mp4", pictures(5))
    run(source, tmp_path / "b.mp4", network, stopping(5))
    assert len(decoded(tmp_path / "b.mp4")) == 5 and "interrupted" not in read.read_recipe(tmp_path / "b.mp4")
    assert {path.name for path in tmp_path.iterdir()} == {"a.mp4", "b.mp4"}


def test_a_part_that_is_not_ours_is_kept(tmp_path, network, short):
    source = make(tmp_path / "a.mp4", pictures(5))
    (tmp_path / "b-partial.mp4").write_bytes(b"mine")
    run(source, tmp_path / "b.mp4", network, stopping(2))
    assert len(decoded(tmp_path / "b-partial-2.mp4")) == 2
    run(source, tmp_path / "b.mp4", network, resume=True)
    assert (tmp_path / "b-partial.mp4").read_bytes() == b"mine"


def animated(path, count=4):
    first, *rest = [animation.Image.fromarray(shown) for shown in pictures(count)]
    first.save(path, save_all=True, append_images=rest, duration=100)
    return path


@pytest.mark.parametrize("ending", [".gif", ".webp", ".png"])
def test_a_resumed_animation_is_the_uninterrupted_one(tmp_path, network, ending):
    source, target = animated(tmp_path / f"a{ending}"), tmp_path / f"b{ending}"
    run(source, tmp_path / f"whole{ending}", network)
    events, record = run(source, target, network, stopping(2))
    part = tmp_path / f"b-partial{ending}"
    assert record["output"] == str(part) and f"{part} ends with frame 2: add --resume" in events[-1].text
    assert len(list(animation.frames(part))) == 2 and not target.exists()
    with pytest.raises(OutputError, match="is left of an interrupted run: add --resume"):
        run(source, target, network)
    with pytest.raises(OutputError, match="begun with another input"):
        run(animated(tmp_path / f"c{ending}", 3), target, network, resume=True)
    (tmp_path / f"c{ending}").unlink()
    run(source, target, network, stopping(1), resume=True)
    assert len(list(animation.frames(part))) == 3
    events, _ = run(source, target, network, resume=True)
    assert [event.index for event in events if isinstance(event, Step)] == [4]
    assert target.read_bytes() == (tmp_path / f"whole{ending}").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {source.name, f"whole{ending}", target.name}


@pytest.mark.parametrize("frames", [0, 2, 4])
def test_an_animation_that_is_killed_goes_on_and_ends_the_same(tmp_path, network, frames):
    source, target = animated(tmp_path / "a.gif"), tmp_path / "b.gif"
    run(source, tmp_path / "whole.gif", network)
    work = filmed(source, target, painter(network, MIX, FastOptions()), FastOptions(), {"command": "fast"})
    for event in work:
        if event.index == frames if isinstance(event, Step) else not frames:
            break
    work.close()
    events, _ = run(source, target, network, resume=True)
    assert [event.index for event in events if isinstance(event, Step)] == list(range(frames + 1, 5))
    assert target.read_bytes() == (tmp_path / "whole.gif").read_bytes()


def test_a_damaged_frame_that_was_kept_is_one_line(tmp_path, network):
    source, target = animated(tmp_path / "a.gif"), tmp_path / "b.gif"
    run(source, target, network, stopping(2))
    frame = parts.parts_of(target) / "000000001.frame"
    for data in (frame.read_bytes()[:-9], save({"other": torch.ones(1)})):
        frame.write_bytes(data)
        with pytest.raises(InputError, match=r"000000001.frame is damaged .*: start anew with --overwrite"):
            run(source, target, network, resume=True)
    run(source, target, network, overwrite=True)
    assert len(list(animation.frames(target))) == 4


def test_a_run_that_is_killed_goes_on_and_ends_the_same(tmp_path, network, short):
    source = make(tmp_path / "a.mp4", pictures(9))
    run(source, tmp_path / "whole.mp4", network)
    paint = painter(network, MIX, FastOptions())
    work = filmed(source, tmp_path / "b.mp4", paint, FastOptions(), {"command": "fast"})
    for event in work:
        if isinstance(event, Step) and event.index == 7:
            break
    work.close()
    assert not (tmp_path / "b.mp4").exists()
    events, _ = run(source, tmp_path / "b.mp4", network, resume=True)
    assert [event.index for event in events if isinstance(event, Step)] == [5, 6, 7, 8, 9]
    assert same(tmp_path / "b.mp4", tmp_path / "whole.mp4")


@pytest.mark.parametrize("moment", ["identity", "last segment", "removal", "half removed"])
def test_a_kill_at_any_stage_is_gone_on_from(tmp_path, network, short, moment, monkeypatch):
    source, target = make(tmp_path / "a.mp4", pictures(8)), tmp_path / "b.mp4"
    run(source, tmp_path / "whole.mp4", network)
    folder = parts.parts_of(target)

    class Killed(BaseException):
        pass

    def kill(*_, **__):
        raise Killed

    if moment == "identity":
        folder.mkdir()
        (folder / f".{parts.IDENTITY}.0123456789abcdef.part").write_bytes(b"{")
    else:
        places = {
            "last segment": (filming, "join"),
            "removal": (encode.VideoWriter, "remove"),
            "half removed": (parts.shutil, "rmtree"),
        }
        with monkeypatch.context() as patched:
            patched.setattr(*places[moment], kill if moment != "half removed" else lambda *_, **__: None)
            with contextlib.suppress(Killed):
                run(source, target, network)
    if moment == "half removed":
        assert not folder.exists() and target.exists()
        run(source, target, network, overwrite=True)
    else:
        run(source, target, network, resume=True)
    assert target.read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"a.mp4", "whole.mp4", "b.mp4"}


def test_a_link_at_the_film_or_its_folder_is_not_followed(tmp_path, network, short):
    source, foreign = make(tmp_path / "a.mp4", pictures(5)), tmp_path / "foreign"
    (tmp_path / "b.mp4").symlink_to(foreign)
    with pytest.raises(OutputError, match="is a link"):
        run(source, tmp_path / "b.mp4", network)
    foreign.mkdir()
    parts.parts_of(tmp_path / "c.mp4").symlink_to(foreign)
    with pytest.raises(OutputError, match="is in the way"):
        run(source, tmp_path / "c.mp4", network, overwrite=True)
    assert not list(foreign.iterdir())


def test_resuming_another_film_is_refused(tmp_path, network, short):
    source = make(tmp_path / "a.mp4", pictures(9))
    run(source, tmp_path / "b.mp4", network, stopping(3))
    with pytest.raises(OutputError, match="another crf"):
        run(source, tmp_path / "b.mp4", network, resume=True, crf=30)
    make(source, pictures(9, seed=1))
    with pytest.raises(OutputError, match="another input"):
        run(source, tmp_path / "b.mp4", network, resume=True)


def test_a_film_that_is_there_is_not_replaced_unasked(tmp_path, network):
    source = make(tmp_path / "a.mp4", pictures(2))
    run(source, tmp_path / "b.mp4", network)
    with pytest.raises(OutputError, match="exists already"):
        run(source, tmp_path / "b.mp4", network)
    with pytest.raises(OutputError, match="exists already"):
        run(source, tmp_path / "b.mp4", network, resume=True)  # nothing was interrupted
    run(source, tmp_path / "b.mp4", network, overwrite=True)
    with pytest.raises(OutputError, match="is also an input"):
        run(source, source, network, overwrite=True)


def test_going_on_obeys_the_precision_that_was_measured_and_takes_other_memory(tmp_path, network, short):
    source, target = make(tmp_path / "a.mp4", pictures(6)), tmp_path / "b.mp4"

    def go(stop=lambda: False, **options):
        given = FastOptions(**options)
        recipe = {"options": {"precision": "bfloat16", **given.changed()}}
        for _ in filmed(source, target, painter(network, MIX, given), given, recipe, stop):
            pass

    assert filming.precision_begun(target, FastOptions(resume=True)) is None
    go(stopping(3))
    assert filming.precision_begun(target, FastOptions(resume=True)) == "bfloat16"
    assert filming.precision_begun(target, FastOptions(overwrite=True)) is None
    assert filming.precision_begun(target, FastOptions(resume=True, precision="float32")) is None
    go(resume=True, memory=1.0)
    assert len(decoded(target)) == 6


def test_a_film_that_breaks_off_is_painted_so_far_and_told(tmp_path, network):
    noise = np.random.default_rng(0).integers(0, 256, (20, 48, 64, 3), np.uint8)
    source = make(tmp_path / "a.mkv", list(noise))
    data = source.read_bytes()
    source.write_bytes(data[: len(data) // 2])
    events, record = run(source, tmp_path / "b.mkv", network)
    assert 0 < record["frames"] < 20
    assert any("a.mkv: the pictures end after 0." in e.text for e in events if isinstance(e, Note))
    assert len(decoded(tmp_path / "b.mkv")) == record["frames"]


def test_damage_in_the_middle_ends_the_film_with_a_note(tmp_path, network, monkeypatch):
    source, sound = make(tmp_path / "a.mp4", pictures(5)), read.frames

    def damaged(*given, **options):
        yield from itertools.islice(sound(*given, **options), 3)
        raise InputError("a.mp4 is damaged")

    monkeypatch.setattr(read, "frames", damaged)
    events, record = run(source, tmp_path / "b.mp4", network)
    assert record["frames"] == 3 == len(decoded(tmp_path / "b.mp4"))
    assert any("is damaged; used are the 3 frames" in e.text for e in events if isinstance(e, Note))


def test_steadiness_is_exact_where_nothing_moves_and_can_be_turned_off(tmp_path, network):
    torch.manual_seed(0)
    still = pictures(1, 96, 128)[0]
    source = make(tmp_path / "a.mkv", [still] * 3)
    outputs = {}
    for steady in (True, False):
        events, _ = run(source, tmp_path / f"{steady}.mkv", network, steady=steady)
        outputs[steady] = [event.image for event in events if isinstance(event, Step)]
    assert torch.allclose(outputs[True][0], outputs[False][0], atol=1e-4)
    assert len(outputs[False]) == 3


def test_animations_keep_their_format_and_films_and_animations_mix(tmp_path, network):
    source = tmp_path / "a.gif"
    first, *rest = [animation.Image.fromarray(shown) for shown in pictures(4)]
    first.save(source, save_all=True, append_images=rest, duration=[100, 200, 300, 400], loop=2)
    run(source, tmp_path / "b.gif", network)
    assert [frame.duration for frame in animation.frames(tmp_path / "b.gif")] == [100, 200, 300, 400]
    assert animation.inspect(tmp_path / "b.gif", max_pixels=10**6).loop == 2
    run(source, tmp_path / "b.mp4", network)
    assert [time * 1000 for time, _ in decoded(tmp_path / "b.mp4")] == [0, 100, 300, 600]
    run(tmp_path / "b.mp4", tmp_path / "c.webp", network, stopping(3))
    assert [frame.duration for frame in animation.frames(tmp_path / "c-partial.webp")] == [100, 200, 300]


def test_no_metadata_means_none(tmp_path, network):
    source = make(tmp_path / "a.mp4", pictures(2), title="Drift")
    run(source, tmp_path / "b.mp4", network, metadata=False)
    with pytest.raises(InputError, match="no recipe"):
        read.read_recipe(tmp_path / "b.mp4")
    assert not read.inspect(tmp_path / "b.mp4", max_pixels=10**6).credits


def test_what_is_not_painted_needs_no_statistics(tmp_path, network, monkeypatch):
    monkeypatch.setattr(OnePass, "moments", None)
    run(make(tmp_path / "a.mp4", pictures(2)), tmp_path / "b.mp4", network, strength=0.0)
