"""`styler dream` as it is typed."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from corpus import picture
from narrow import saved, squeezed
from PIL import Image

from styler.events import result_of
from styler.jobs.see.zoom import zoom
from styler.options.see import DreamOptions
from styler.storage.models import install

TINY = ("dream", "photo.png", "--network", "net.safetensors", "--steps", "2", "--octaves", "2")


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def recipe_of(run, path):
    return json.loads("\n".join(run("show", path).lines[:-1]))


def test_a_dream_and_its_recipe(run, studio):
    done = run(*TINY, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.lines[0])["output"] == "photo-dream.png"
    assert pixels("photo-dream.png").shape == pixels("photo.png").shape
    again = run(*run("show", "photo-dream.png").lines[-1].split()[1:], "-o", "again.png")
    assert again.code == 0, again.err
    assert (studio / "again.png").read_bytes() == (studio / "photo-dream.png").read_bytes()
    assert run(*TINY, "--seed", "1", "-o", "other.png").code == 0
    assert (pixels("other.png") != pixels("again.png")).any()


def test_no_steps_give_the_input_exactly(run, studio):
    clear = picture("RGB", (70, 60))
    clear.putalpha(picture("L", (70, 60)).point(lambda level: 100 + level // 2))
    clear.save("alpha.png")
    for name in ("photo.png", "alpha.png"):
        assert run("dream", name, "--steps", "0", "--octaves", "3", "-o", "out.png", "--overwrite").code == 0
        assert np.array_equal(pixels("out.png"), pixels(name))


def test_random_classes_are_logged_and_the_same_again(run, studio):
    install.add("squeezenet", saved(studio / "squeezenet.pth", squeezed(classes=50)))
    words = ("dream", "photo.png", "--class", "random", "--steps", "3", "--octaves", "1", "-v")
    done = run(*words, "-o", "one.png")
    assert done.code == 0, done.err
    classes = recipe_of(run, "one.png")["classes"]
    assert len(classes) == 3 and all(name in done.err for name in classes)
    assert run(*words, "-o", "two.png").code == 0
    assert recipe_of(run, "two.png")["classes"] == classes
    assert (studio / "one.png").read_bytes() == (studio / "two.png").read_bytes()
    assert run(*words, "-o", "three.png", "--seed", "5").code == 0
    assert recipe_of(run, "three.png")["classes"] != classes
    assert run("dream", "photo.png", "--class", "7", "--steps", "1", "-o", "four.png").code == 0


def test_a_guide_and_a_channel(run, studio):
    assert run(*TINY, "--guide", "style.png", "--layer", "relu2_1", "-o", "guided.png").code == 0
    assert recipe_of(run, "guided.png")["guide"]["name"] == "style.png"
    assert run(*TINY, "--channel", "conv3_1:2", "-o", "channel.png").code == 0
    assert (pixels("guided.png") != pixels("channel.png")).any()


def test_a_picture_of_sixteen_bits_is_dreamed_of_in_eight(run, studio):
    """With no steps each value is the nearest of 256; an upright photo stays upright."""
    levels = np.linspace(0, 65535, 64 * 48).reshape(48, 64).astype(np.uint16)
    Image.fromarray(levels).save("deep.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    picture("RGB", (64, 48)).save("turned.jpg", exif=turned.tobytes(), quality=95)
    assert run("dream", "deep.png", "--steps", "0", "-o", "deep-0.png").code == 0
    assert np.abs(pixels("deep-0.png")[..., 0].astype(float) - levels / 257).max() <= 0.51
    assert run("dream", "turned.jpg", "--steps", "0", "-o", "upright.png").code == 0
    assert pixels("upright.png").shape == (64, 48, 3)


@pytest.mark.parametrize("ending", ["gif", "webp", "mp4"])
def test_a_film_of_dreams_within_dreams(run, studio, ending):
    if ending == "mp4":
        pytest.importorskip("av")
    words = (*TINY, "--frames", "3", "--zoom", "1.2", "-o", f"film.{ending}")
    done = run(*words)
    assert done.code == 0, done.err
    assert recipe_of(run, f"film.{ending}")["options"]["frames"] == 3
    assert "exists already" in run(*words).err
    assert [path.name for path in studio.iterdir() if path.name.startswith("film")] == [f"film.{ending}"]
    if ending != "mp4":
        with Image.open(f"film.{ending}") as film:
            assert film.n_frames == 3 and film.size == (64, 48) and film.info["loop"] == 0


def test_a_film_is_a_gif_by_default_and_a_dry_run_writes_nothing(run, studio):
    dry = run(*TINY, "--frames", "2", "--dry-run")
    assert dry.code == 0 and "photo-dream.gif" in dry.err and "2 frames" in dry.err
    assert not (studio / "photo-dream.gif").exists()
    assert run(*TINY, "--frames", "1").code == 0 and (studio / "photo-dream.gif").exists()
    assert run(*TINY, "--frames", "1", "-o", "new/").code == 0 and (studio / "new/photo-dream.gif").exists()


def test_bad_input_is_one_line_and_nothing_is_written(run, studio, monkeypatch):
    before = set(studio.iterdir())
    for words, text in (
        (("--channel", "conv3_1:1", "--class", "3"), "give one"),
        (("--layer", "relu3_1", "--channel", "conv3_1:1"), "give one"),
        (("--channel", "conv3_1:1-3"), "one channel at a time"),
        (("--layer", "relu7_1"), "no layer"),
        (("--guide", "nothing.png"), "nothing.png"),
        (("--class", "random"), "convolutions only"),
        (("--frames", "2", "-o", "x.jpg"), "must end in"),
        (("style.png", "--frames", "2"), "one picture"),
    ):
        done = run(*TINY, *words)
        assert done.code == 1 and text in done.err and len(done.err.splitlines()) == 1, (words, done.err)
    monkeypatch.setitem(sys.modules, "av", None)
    done = run(*TINY, "--frames", "2", "-o", "x.mp4")
    assert done.code == 1 and "pip install 'av>=14'" in done.err
    assert set(studio.iterdir()) == before


def test_a_film_that_is_stopped_has_the_frames_that_are_done(run, studio):
    asked = iter([False] * 6 + [True] * 99)
    options = DreamOptions(network="net.safetensors", steps=2, octaves=1, frames=9)
    result_of(zoom(["photo.png"], "film.gif", options, lambda: next(asked)))
    with Image.open("film.gif") as film:
        assert 1 < film.n_frames < 9
    assert recipe_of(run, "film.gif")["interrupted"] is True
