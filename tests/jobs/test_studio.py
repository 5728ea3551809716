"""Weights, scales and masks of styles, from the command line to the picture."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from styler.jobs.studio import remarks
from styler.options.optimize import mask_files
from styler.storage.names import pictures
from styler.storage.pictures.load import load_picture, read_recipe
from styler.storage.styles import style_file, weighted


def write_mask(name: str, left: object, right: object, size: tuple[int, int] = (64, 48)) -> str:
    """A picture of two halves, of gray levels or colors."""
    halves = [Image.new("RGB", (size[0] // 2, size[1]), left), Image.new("RGB", size, right)]
    halves[1].paste(halves[0])
    halves[1].save(name)
    return name


def fails(done, *parts, code=1):
    assert done.code == code
    (line,) = [line for line in done.err.splitlines() if line.startswith("Error: ")]
    for part in parts:
        assert part in line, line


@pytest.fixture
def other(studio):
    return write_mask("other.jpg", "orange", "navy", (50, 40))


def test_a_weight_stands_after_the_file(studio):
    assert weighted("waves.jpg:0.3") == ("waves.jpg", 0.3) and weighted("waves.jpg") == ("waves.jpg", 1.0)
    assert weighted("C:waves.jpg") == ("C:waves.jpg", 1.0) and weighted("a:b:2") == ("a:b", 2.0)
    Path("x:2").touch()
    assert weighted("x:2") == ("x:2", 1.0)
    assert "share" in remarks(["a.jpg"], [0.3])[0] and not remarks(["a.jpg", "b.jpg"], [0.3, 1])


def test_weights_blend_and_are_remade(paint, run, studio, other):
    assert paint(inputs=("photo.png", "style.png:0.3", f"{other}:0.7")).code == 0
    first = (studio / "photo-style-other.png").read_bytes()
    recipe = read_recipe("photo-style-other.png")
    assert [entry["weight"] for entry in recipe["styles"]] == [0.3, 0.7]
    command = shlex.split(run("show", "photo-style-other.png").lines[-1])[1:]
    assert run(*command, "--overwrite").code == 0
    assert (studio / "photo-style-other.png").read_bytes() == first
    assert paint("-o", "even.png", inputs=("photo.png", "style.png", other)).code == 0
    assert (load_picture("even.png").image - load_picture("photo-style-other.png").image).abs().max() > 0


def test_weights_that_leave_nothing_or_change_nothing(paint, studio, other):
    fails(paint(inputs=("photo.png", "style.png:0", f"{other}:0")), "all weights of the styles are 0")
    done = paint(inputs=("photo.png", "style.png:3"))
    assert done.code == 0 and "of one alone use --style-weight" in done.err


def test_a_scale_for_each_style(paint, studio, other):
    inputs = ("photo.png", "style.png", other)
    assert paint("--style-scale", "1,0.6", "--size", "48", inputs=inputs).code == 0
    assert read_recipe("photo-style-other.png")["options"]["style_scale"] == "1,0.6"
    fails(paint("--style-scale", "1,0.5,2", "--overwrite", inputs=inputs), "3 numbers", "styles is 2")
    fails(paint("--style-scale", "1,x", inputs=inputs), "'1,x' is no list of numbers", code=2)
    fails(paint("--style-scale", "1,99", inputs=inputs), "--style-scale is 99", "at most 20")


def test_the_photo_stays_where_it_is_protected(paint, studio):
    write_mask("keep.png", "white", "black")
    assert paint("--size", "full", "--steps", "8", "--protect", "keep.png", "-o", "out.png").code == 0
    photo, painted = (load_picture(name).image for name in ("photo.png", "out.png"))
    assert torch.equal(painted[..., :31], photo[..., :31])
    assert (painted[..., 40:] - photo[..., 40:]).abs().max() > 0.02
    assert read_recipe("out.png")["options"]["protect"] == "keep.png"


def test_each_style_where_its_mask_is(paint, run, studio, other):
    for name, halves in (("a.png", ("white", "black")), ("b.png", ("black", "white"))):
        write_mask(name, *halves)
    words = ("--style-mask", "a.png", "--style-mask", "b.png")
    assert paint(*words, "-o", "out.png", inputs=("photo.png", "style.png", other)).code == 0
    recipe = read_recipe("out.png")
    assert recipe["options"]["style_mask"] == ["a.png", "b.png"] and len(recipe["masks"]) == 2
    first = Path("out.png").read_bytes()
    command = shlex.split(run("show", "out.png").lines[-1])[1:]
    assert run(*command, "-o", "again.png").code == 0 and Path("again.png").read_bytes() == first


def test_the_rest_is_where_the_others_are_black(paint, run, studio, other):
    """The very picture that its own mask makes."""
    write_mask("a.png", "white", "black")
    write_mask("b.png", "black", "white")
    inputs = ("photo.png", "style.png", other)
    assert paint("--style-mask", "a.png", "--style-mask", "rest", "-o", "rest.png", inputs=inputs).code == 0
    assert paint("--style-mask", "a.png", "--style-mask", "b.png", "-o", "two.png", inputs=inputs).code == 0
    assert torch.equal(load_picture("rest.png").image, load_picture("two.png").image)
    assert read_recipe("rest.png")["options"]["style_mask"] == ["a.png", "rest"]
    first = Path("rest.png").read_bytes()
    command = shlex.split(run("show", "rest.png").lines[-1])[1:]
    assert run(*command, "-o", "again.png").code == 0 and Path("again.png").read_bytes() == first
    assert mask_files("rest") == []
    Path("rest").touch()
    assert mask_files("rest") == ["rest"]


@pytest.mark.parametrize(
    ("masks", "part"),
    [
        (("rest", "rest"), "--style-mask rest is for one style"),
        (("all.png", "rest"), "the other masks leave nothing to --style-mask rest"),
    ],
)
def test_a_rest_of_nothing_is_refused(paint, studio, other, masks, part):
    write_mask("all.png", "white", "white")
    words = [word for mask in masks for word in ("--style-mask", mask)]
    fails(paint(*words, inputs=("photo.png", "style.png", other)), part)
    write_mask("a.png", "white", "black")
    fails(paint("--style-mask", "rest", inputs=("photo.png", "style.png")), "is for one style")


def test_regions_of_one_color_take_after_each_other(paint, studio):
    write_mask("a.png", "red", "blue")
    write_mask("b.png", "blue", "red", (20, 20))
    assert paint("--style-mask", "a.png=b.png", "-o", "out.png").code == 0
    assert read_recipe("out.png")["options"]["style_mask"] == ["a.png=b.png"]
    assert mask_files("a.png=b.png") == ["a.png", "b.png"]


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("--style-mask", "wide.png"), ("wide.png is 90 x 30 pixels and photo.png 64 x 48:", "same shape")),
        (("--protect", "wide.png"), ("wide.png is 90 x 30 pixels",)),
        (("--style-mask", "black.png"), ("black.png is black everywhere",)),
        (("--protect", "white.png"), ("white.png protects the whole photo",)),
        (("--style-mask", "colors.png"), ("colors.png has colors", "colors.png=REGIONS")),
        (("--style-mask", "colors.png=square.png"), ("is a region of the content and not of the style",)),
        (("--style-mask", "half.png", "--style-mask", "half.png"), ("given 2 times", "styles is 1")),
        (("--style-mask", "gone.png"), ("gone.png", "no such file")),
        (("--style-mask", "half.png", "--colors-only"), ("--colors-only paints no regions",)),
    ],
)
def test_masks_that_cannot_be_right(paint, studio, words, parts):
    write_mask("wide.png", "white", "black", (90, 30))
    write_mask("half.png", "white", "black")
    write_mask("colors.png", "red", "blue")
    for name in ("black", "white"):
        Image.new("RGB", (64, 48), name).save(f"{name}.png")
    Image.new("RGB", (20, 20), "white").save("square.png")
    fails(paint(*words), *parts)
    assert not Path("photo-style.png").exists()


def test_a_mask_is_not_overwritten(paint, studio):
    write_mask("half.png", "white", "black")
    before = Path("half.png").read_bytes()
    assert paint("--protect", "half.png", "-o", "half.png", "--overwrite").code == 1
    assert Path("half.png").read_bytes() == before


def test_alpha_is_a_mask_too(paint, studio):
    values = np.full((48, 64, 4), 255, np.uint8)
    values[:, 32:, 3] = 0
    Image.fromarray(values).save("cut.png")
    assert paint("--protect", "cut.png", "--size", "full", "-o", "out.png").code == 0
    photo, painted = (load_picture(name).image for name in ("photo.png", "out.png"))
    assert torch.equal(painted[..., :31], photo[..., :31]) and not torch.equal(painted, photo)


def test_pictures_of_ours_have_names(paint, run, studio):
    assert {"waves", "ink", "stained-glass"} <= pictures().keys()
    done = paint(inputs=("photo.png", "waves"))
    assert done.code == 0 and "waves is the style picture that comes with styler" in done.err
    first = Path("photo-waves.png").read_bytes()
    command = shlex.split(run("show", "photo-waves.png").lines[-1])[1:]
    assert command[-1] == "waves"
    assert run(*command, "--overwrite").code == 0 and Path("photo-waves.png").read_bytes() == first
    assert weighted("stained_glass:0.5") == (str(pictures()["stained-glass"]), 0.5)


def test_a_file_of_that_name_comes_first(studio):
    Path("waves").touch()
    assert style_file("waves") == "waves" and style_file("waves.jpg") == "waves.jpg"


def test_pictures_and_networks_are_not_mixed_up(paint, run, studio):
    fails(paint(inputs=("photo.png", "wave")), "'wave' is a trained style, for styler fast", "mean waves?")
    fails(paint(inputs=("photo.png", "tiger")), "'tiger' is a trained style, for styler fast --style, and no")
    large = "'enlarge-x4' is a network that enlarges, for styler enlarge --model, and no style picture"
    fails(paint(inputs=("photo.png", "enlarge-x4")), large)
    fails(paint(inputs=("photo.png", "wabes")), "'wabes' is no file, and no style picture", "mean waves?")
    done = run("fast", "photo.png", "--style", "waves")
    fails(done, "'waves', which is a style picture for styler optimize; did you mean wave")
