"""`styler texture` and `styler invert` from file to file."""

import json
import shlex

import pytest
from PIL import Image

from styler.storage.pictures.load import read_recipe

TINY = ("--network", "net.safetensors", "--steps", "2")


def size(name):
    with Image.open(name) as picture:
        return picture.size


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), (256, 256)),
        (("--size", "40x24"), (40, 24)),
        (("--size", "full"), (40, 40)),
        (("--size", "30"), (30, 30)),
    ],
)
def test_a_texture_has_the_size_that_was_asked_for(run, studio, words, expected):
    done = run("texture", "style.png", *TINY, "--coarse-steps", "2", *words)
    assert done.code == 0, done.err
    assert size("style-texture.png") == expected
    recipe = read_recipe("style-texture.png")
    assert recipe["command"] == "texture" and recipe["styles"][0]["name"] == "style.png"
    assert "parameters" in done.err


@pytest.mark.parametrize(
    "command",
    [
        ("texture", "--size", "32", "--tileable", "--seed", "3", "style.png"),
        ("texture", "--size", "32", "--sheet", "--up-to", "pool2", "--style-loss", "covariance", "style.png"),
        ("invert", "--size", "32", "--layers", "relu1_1,relu3_1", "--regularizer", "alpha", "photo.png"),
    ],
)
def test_the_command_that_show_prints_makes_the_same_bytes(run, studio, command):
    name, *words = command
    assert run(name, *TINY, *words).code == 0
    target = studio / f"{words[-1].removesuffix('.png')}-{name}.png"
    first = target.read_bytes()
    _, *again = shlex.split(run("show", target.name).lines[-1])
    target.unlink()
    assert run(*again).code == 0
    assert target.read_bytes() == first


def test_a_style_of_ours_is_found_by_name(run, studio):
    assert run("texture", "waves", *TINY, "--coarse-steps", "2", "-o", "found.png").code == 0
    assert read_recipe("found.png")["styles"][0]["name"] == "waves.jpg"


def test_a_sheet_has_a_column_for_each_depth(run, studio):
    done = run("texture", "style.png", *TINY, "--size", "32", "--sheet", "--json")
    record = json.loads(done.lines[-1])
    assert record["output"] == "style-texture.png" and record["error"] is None
    assert record["message"].count("parameters") == 5
    width, height = size("style-texture.png")
    assert width > 5 * height > 0


def test_an_inversion_has_a_row_for_each_seed_and_one_of_maps(run, studio):
    heights = []
    for seeds in (1, 2, 3):
        done = run(
            "invert",
            "photo.png",
            *TINY,
            "--size",
            "32",
            "--layers",
            "relu1_1",
            "--seeds",
            seeds,
            "-o",
            "a.png",
            "--overwrite",
        )
        assert done.code == 0, done.err
        heights.append(size("a.png")[1])
    assert heights[1] - heights[0] == 2 * (heights[2] - heights[1])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("texture", "style.png", "--up-to", "pool9"), "no layer 'pool9'"),
        (("texture", "style.png", "--size", "8"), "16 pixels is the least"),
        (("texture", "nothing.png"), "nothing.png"),
        (("texture", "style.png", "-o", "a.gif"), "must end in"),
        (("invert", "photo.png", "--layers", "relu1_1,image"), "no layer to invert"),
        (("invert", "photo.png", "--layers", ""), "no layer ''"),
        (("invert", "photo.png", "--layers", "relu9_1"), "no layer 'relu9_1'"),
        (("invert", "photo.png", "-o", "photo.png", "--overwrite"), "input"),
    ],
)
def test_what_cannot_be_is_one_line_and_nothing_is_written(run, studio, words, says):
    before = {path.name for path in studio.iterdir()}
    done = run(*words, *TINY)
    assert done.code in (1, 2) and says in done.err and "Traceback" not in done.err
    assert {path.name for path in studio.iterdir()} == before


def test_a_rate_or_strength_that_is_too_large_is_told_of(run, studio):
    adam = ("--optimizer", "adam", "--size", "32", "--parameterization", "pixels")
    done = run("texture", "style.png", *TINY, *adam, "--learning-rate", "1e9", "-o", "a.png")
    assert done.code == 0 and "the loss rose from " in done.err
    assert "--learning-rate 1e+09 is too large" in done.err
    assert "rose" not in run("texture", "style.png", *TINY, *adam, "-o", "b.png").err
    inversion = ("invert", "photo.png", *TINY, "--size", "32", "--layers", "relu2_1", "--seeds", "1")
    done = run(*inversion, "--strength", "1e9", "-o", "c.png")
    assert done.code == 0 and "relu2_1: the features are no nearer than those of noise" in done.err
    assert "--strength" in done.err and "noise" not in run(*inversion, "-o", "d.png").err
