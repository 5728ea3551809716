"""Segments of videos, and what is left of an interruption."""

from dataclasses import replace
from fractions import Fraction

import pytest
import torch
import videos
from videos import begin, decoded, painted, pictures, rms, written

from styler.errors import OutputError
from styler.storage.videos import encode, parts
from styler.storage.videos.footage import Footage
from styler.storage.videos.join import join


@pytest.mark.parametrize(("ending", "pixels"), [(".mp4", "yuv444p"), (".webm", "yuv420p")])
def test_odd_sizes_are_kept(tmp_path, ending, pixels):
    target, shown = tmp_path / f"a{ending}", pictures(3, 49, 63)
    written(target, shown)
    assert videos.stream_of(target)[1:] == (pixels, 63, 49)
    assert rms(decoded(target)[1][1], shown[1]) < 6


def test_even_sizes_play_everywhere(tmp_path):
    written(tmp_path / "a.mp4", pictures(2))
    assert videos.stream_of(tmp_path / "a.mp4") == ("h264", "yuv420p", 64, 48)


def test_crf_trades_size_for_quality(tmp_path):
    shown, sizes = pictures(6), []
    for crf in (0, 40):
        sink = begin(tmp_path / f"{crf}.mp4", shown, crf=crf)
        for frame in painted(shown):
            sink.add(frame, lambda: None)
        sizes.append(sink.segments()[0].stat().st_size)
        sink.close()
    assert sizes[0] > 2 * sizes[1]


def test_a_resumed_film_is_the_same_to_the_byte(tmp_path, short):
    shown, state = pictures(11), {"n": torch.arange(3)}
    written(tmp_path / "whole.mp4", shown)
    target = tmp_path / "a.mp4"
    for first, last in ((0, 6), (4, 7), (4, 8), (8, 11)):
        sink = begin(target, shown, resume=True)
        assert sink.done == first
        assert first == 0 or torch.equal(sink.state["n"], state["n"])
        for frame in painted(shown)[first:last]:
            sink.add(frame, lambda: state)
        assert sink.done == last
        join(target, sink.segments(), sink.encoding, last=40, overwrite=True)  # also when interrupted
        sink.close()
    assert target.read_bytes() == (tmp_path / "whole.mp4").read_bytes()


def test_a_killed_run_goes_on_after_its_last_whole_segment(tmp_path, short):
    shown = pictures(11)
    sink = begin(tmp_path / "a.mp4", shown)
    for frame in painted(shown)[:10]:
        sink.add(frame, lambda time=frame.time: {"n": torch.tensor(time)})
    sink.close()  # nothing was told of the interruption
    again = begin(tmp_path / "a.mp4", shown, resume=True)
    assert again.done == 8 and int(again.state["n"]) == 7 * 40


def test_parts_of_another_identity_are_refused_and_parts_are_not_lost_by_accident(tmp_path):
    shown, target = pictures(2), tmp_path / "a.mp4"
    begin(target, shown, identity={"input": "a", "crf": 1}).close()
    with pytest.raises(OutputError, match="another crf"):
        begin(target, shown, identity={"input": "a", "crf": 2}, resume=True)
    assert parts.identity_of(target) == {"input": "a", "crf": 1}
    nested = [{"options": {"precision": "float32", "threads": n}} for n in (1, 2)]
    begin(target, shown, identity=nested[0], overwrite=True).close()
    with pytest.raises(OutputError, match="with another threads: repeat"):
        begin(target, shown, identity=nested[1], resume=True)
    with pytest.raises(OutputError, match="--resume to go on, or --overwrite"):
        begin(target, shown)
    begin(target, shown, identity={"input": "b"}, overwrite=True).close()
    (parts.parts_of(target) / parts.IDENTITY).unlink()
    (parts.parts_of(target) / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="in the way"):
        begin(target, shown, overwrite=True)


def test_memory_of_a_segment_is_bounded():
    encoding = encode.encoding_for("a.mp4", Footage(16, 16, videos.MILLISECOND, Fraction(25)), (16, 16), 18)
    assert encoding.length == encode.LONGEST
    assert replace(encoding, height=1080, width=1920).length * 1080 * 1920 * 1.5 <= encode.SEGMENT_BYTES
    assert replace(encoding, height=10000, width=10000).length == encode.SHORTEST
