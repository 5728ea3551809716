"""`styler imagine` as it is typed."""

from __future__ import annotations

import json

import numpy as np
from PIL import Image

TINY = ("imagine", "--network", "net.safetensors", "--size", "32", "--steps", "3")


def test_a_channel_and_its_recipe(run, studio):
    done = run(*TINY, "--channel", "conv4_2:1", "--json")
    assert done.code == 0, done.err
    record = json.loads(done.lines[0])
    assert record["output"] == "conv4-2-1.png" and record["sizes"] == [[32, 32]]
    shown = run("show", "conv4-2-1.png")
    command = shown.lines[-1]
    assert command.startswith("styler imagine") and "--channel conv4_2:1" in command
    again = run(*command.split()[1:], "-o", "again.png")
    assert again.code == 0, again.err
    assert (studio / "again.png").read_bytes() == (studio / "conv4-2-1.png").read_bytes()


def test_several_channels_are_a_sheet(run, studio):
    assert run(*TINY, "--channel", "conv2_1:0-2", "--plain", "-o", "sheet.png").code == 0
    picture = np.asarray(Image.open(studio / "sheet.png"))
    assert picture.shape[0] > 64 and picture.shape[1] > 64


def test_bad_input_is_one_line_and_nothing_is_written(run, studio):
    before = set(studio.iterdir())
    for words, text in (
        ((), "--channel conv4_2:17"),
        (("--channel", "conv4_2:1", "--class", "tabby"), "--channel or --class, not both"),
        (("--channel", "conv4_2:999"), "channels 0 to 5"),
        (("--channel", "conv9_1:1"), "no layer"),
        (("--channel", "conv4_2:1", "--size", "full"), "give pixels"),
        (("--channel", "conv4_2:1", "-o", "x.bmp"), "must end in"),
        (("--channel", "conv4_2:1", "-o", "photo.png"), "exists already"),
        (("--class", "tabby"), "convolutions only"),
    ):
        done = run(*TINY, *words)
        assert done.code == 1 and text in done.err and len(done.err.splitlines()) == 1, (words, done.err)
    done = run("imagine", "--class", "tabby")
    assert done.code == 1 and "styler weights fetch squeezenet" in done.err
    assert set(studio.iterdir()) == before


def test_a_rate_that_drives_all_colors_to_their_limits_is_told_of(run, studio):
    done = run(*TINY, "--channel", "conv4_2:1", "--learning-rate", "1e9", "-o", "a.png")
    assert done.code == 0 and "conv4_2:1: most colors went to their limits" in done.err
    assert "use a smaller --learning-rate than 1e+09" in done.err
    assert "limits" not in run(*TINY, "--channel", "conv4_2:1", "-o", "b.png").err
