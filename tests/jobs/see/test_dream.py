"""`styler dream` as it is typed."""

from __future__ import annotations

import itertools
import json
import sys

import numpy as np
import pytest
from corpus import picture
from narrow import saved, squeezed
from PIL import Image
from runs import ended

from styler.errors import OutputError
from styler.events import Note
from styler.jobs.see.dream import dream
from styler.jobs.see.zoom import zoom
from styler.options.see import DreamOptions
from styler.storage.models import install
from styler.storage.videos import encode

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
    """But for colors that nobody sees, under less than 4 of 255 of alpha."""
    clear = picture("RGB", (70, 60))
    clear.putalpha(picture("L", (70, 60)).point(lambda level: 100 + level // 2))
    clear.save("alpha.png")
    clear.putalpha(Image.linear_gradient("L").resize((70, 60)))
    clear.save("clear.png")
    for name in ("photo.png", "alpha.png", "clear.png"):
        done = run("dream", name, "--steps", "0", "--octaves", "3", "-o", "out.png", "--overwrite")
        assert done.code == 0 and f"{name}: the result is the input, to the last level" in done.err
        seen = name == "photo.png" or pixels(name)[..., 3:] >= 4
        assert np.array_equal(pixels("out.png") * seen, pixels(name) * seen)
        assert np.array_equal(pixels("out.png")[..., 3:], pixels(name)[..., 3:])


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
    guide = ("--guide", str(studio / "style.png"), "--layer", "relu2_1")
    assert run(*TINY, *guide, "-o", "guided.png").code == 0
    for made, more in (("guided.png", ()), ("guided.gif", ("--frames", "2"))):
        assert run(*TINY, *guide, *more, "-o", made, "--overwrite").code == 0
        words = run("show", made).lines[-1].split()
        assert words[words.index("--guide") + 1] == "style.png"
        assert run(*words[1:], "-o", f"again-{made}").code == 0
        assert (studio / f"again-{made}").read_bytes() == (studio / made).read_bytes()
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


def stopping(after):
    """A wish to stop that is there from the n-th time on that it is asked for."""
    count = itertools.count(1)
    return lambda: next(count) >= after


def dreamed(target, stop=lambda: False, **options):
    chosen = DreamOptions(network="net.safetensors", steps=2, octaves=1, frames=5, **options)
    return ended(zoom(["photo.png"], target, chosen, stop), [])


@pytest.mark.parametrize("ending", ["gif", "webp", "mp4"])
def test_a_film_that_is_stopped_is_a_part_and_goes_on(run, studio, monkeypatch, ending):
    """Each frame asks in its middle and at its end; one that was left half dreamed is not in the part."""
    if ending == "mp4":
        pytest.importorskip("av")
    monkeypatch.setattr(encode, "LONGEST", 2)
    monkeypatch.setattr(encode, "SHORTEST", 2)
    dreamed(f"whole.{ending}")
    events, _ = dreamed(f"film.{ending}", stopping(7))
    part = f"film-partial.{ending}"
    assert events[-2] == Note(f"{part} ends with frame 3: add --resume to go on")
    assert recipe_of(run, part)["interrupted"] is True and not (studio / f"film.{ending}").exists()
    with pytest.raises(OutputError, match="is left of an interrupted run"):
        dreamed(f"film.{ending}")
    with pytest.raises(OutputError, match="begun with another strength"):
        dreamed(f"film.{ending}", resume=True, strength=0.5)
    events, _ = dreamed(f"film.{ending}", resume=True)
    frames = 2 if ending == "mp4" else 3  # of two frames is a segment
    assert f"goes on after frame {frames}" in next(e.text for e in events if isinstance(e, Note))
    assert (studio / f"film.{ending}").read_bytes() == (studio / f"whole.{ending}").read_bytes()
    left = {path.name for path in studio.iterdir() if "film" in path.name}
    assert left == {f"film.{ending}"}


def test_a_film_that_is_stopped_in_its_first_or_after_its_last_frame(run, studio):
    events, _ = dreamed("film.gif", stopping(1))
    assert events[-1].record["message"] == "stopped in the first frame"
    assert not list(studio.glob("film*"))
    dreamed("film.gif", stopping(10))  # not asked for any more
    assert "interrupted" not in recipe_of(run, "film.gif") and len(list(studio.glob("film*"))) == 1


def test_a_film_of_random_classes_goes_on_with_the_next_ones(run, studio):
    install.add("squeezenet", saved(studio / "squeezenet.pth", squeezed(classes=50)))

    def go(target, stop=lambda: False, **options):
        chosen = DreamOptions(class_="random", steps=2, octaves=1, frames=4, **options)
        ended(zoom(["photo.png"], target, chosen, stop), [])

    go("whole.gif")
    go("film.gif", stopping(4))
    go("film.gif", resume=True)
    assert (studio / "film.gif").read_bytes() == (studio / "whole.gif").read_bytes()


def test_of_many_a_dream_that_is_stopped_is_a_part(run, studio):
    """Else the next run would take it for done. A signal after the last step leaves it whole."""
    options = DreamOptions(network="net.safetensors", steps=2, octaves=1)
    pictures = ["photo.png", "style.png"]
    ended(dream(pictures, "out", options), [])
    whole = {path.name: path.read_bytes() for path in (studio / "out").iterdir()}
    ended(dream(pictures, "late", options, stopping(3)), [])
    assert {path.name: path.read_bytes() for path in (studio / "late").iterdir()} == {
        "photo.png": whole["photo.png"]
    }
    ended(dream(pictures, "again", options, stopping(2)), [])
    assert [path.name for path in (studio / "again").iterdir()] == ["photo-partial.png"]
    assert recipe_of(run, "again/photo-partial.png")["interrupted"] is True
    ended(dream(pictures, "again", options), [])
    assert all((studio / "again" / name).read_bytes() == data for name, data in whole.items())


def test_a_strength_that_drives_all_colors_to_their_limits_is_told_of(run, studio):
    wild = ("--strength", "100", "--steps", "6")
    done = run(*TINY, *wild, "-o", "a.png")
    assert done.code == 0 and "photo.png: most colors went to their limits" in done.err, done.err
    assert "use a smaller --strength than 100" in done.err
    done = run(*TINY, *wild, "--frames", "2", "-o", "a.gif")
    assert done.err.count("limits") == 1, done.err


@pytest.mark.parametrize("killed", [False, True])
def test_a_whole_film_is_done_already(run, studio, killed):
    """Also where a kill came while its parts were removed, of which nothing stays."""
    words = (*TINY, "--frames", "2", "-o", "a.gif")
    assert run(*words).code == 0
    whole, left = (studio / "a.gif").read_bytes(), studio / ".a.gif.parts.removed"
    if killed:
        left.mkdir()
        (left / "0.safetensors").write_bytes(b"part")
    assert run(*words, "--resume", "--dry-run").code == 0 and left.exists() == killed
    done = run(*words, "--resume")
    assert done.code == 0 and "a.gif is done already" in done.err
    assert (studio / "a.gif").read_bytes() == whole and not left.exists()
    assert run(*words).code == 1  # without --resume it is in the way
