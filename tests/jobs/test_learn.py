"""`styler fast --style FILE`: what is learned, kept, found again and left alone, with a tiny network."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from runs import ended
from trained import filled, model
from videos import make, pictures

from styler.errors import CheckpointError, DeviceError, InputError, OutputError
from styler.events import Note, Stage, TrainStep
from styler.jobs import fast as job
from styler.jobs.training import learn as learning
from styler.jobs.training.styles import read_start
from styler.networks.kinds import described
from styler.networks.layers import Mode
from styler.networks.residual import ResidualNetwork
from styler.options.fast import LEARNING, LEARNING_STEPS, FastOptions
from styler.plans import ResidualArchitecture
from styler.storage import disk
from styler.storage.cards import Card, Style
from styler.storage.models import find, library
from styler.storage.pictures.load import load_picture, read_recipe


def start(name, style, width=4):
    """A trained network with one style, as if it had come with styler."""
    network = ResidualNetwork(ResidualArchitecture(width=width, blocks=1, styles=1))
    library.write(
        library.folder() / f"{name}.safetensors",
        filled(network, Card("transform", described(network.config), (Style(style),)), False),
    )


def noise(seed):
    """A picture of smooth noise, 48 x 40."""
    draw = np.random.default_rng(seed).integers(256, size=(5, 6, 3), dtype=np.uint8)
    return Image.fromarray(draw).resize((48, 40), Image.Resampling.BICUBIC)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """The current folder with photos and two paintings; six steps of 32 pixels, from a tiny network."""
    folder = tmp_path / "here"
    (folder / "in").mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(find, "_bundled", lambda: None)
    monkeypatch.setattr(find, "START", "mosaic")
    monkeypatch.setitem(LEARNING, "crop", 32)
    monkeypatch.setitem(LEARNING, "average", 0.0)  # which follows every eighth step only
    for length, steps in {"fast": 2, "normal": 4, "long": 6}.items():
        monkeypatch.setitem(LEARNING_STEPS, length, steps)
    library.folder().mkdir(parents=True)
    start("tiles", "mosaic")
    for index, name in enumerate(("photo.png", "other.png", "in/a.png", "in/b.png", "My Painting.png")):
        noise(index).save(name)
    return folder


def fast(*sources, style="My Painting.png", output=None, stop=lambda: False, **options):
    """Run it to its end: events, and what it returns."""
    return ended(job.fast(sources, output, FastOptions(style=style, **options), stop), [])


def notes(events):
    return " | ".join(event.text for event in events if isinstance(event, Note))


def kept():
    return sorted(library.learned_folder().glob("*")) if library.learned_folder().exists() else []


def is_learning(event):
    return isinstance(event, Stage) and event.name.startswith("learning")


def steps(events):
    return [event for event in events if isinstance(event, TrainStep)]


def test_a_painting_is_learned_on_the_photo_and_paints_it():
    events, summary = fast("photo.png")
    assert summary.done == 1 and Path("photo-my-painting.png").exists()
    assert [event.name for event in events if isinstance(event, Stage)] == ["learning my-painting"]
    assert len(steps(events)) == 4 and all(event.preview is not None for event in steps(events))
    (file,) = kept()
    assert file.name.startswith("my-painting-")


def test_the_second_time_it_is_known_and_paints_the_same_bytes():
    fast("photo.png", output="one.png")
    events, _ = fast("photo.png", output="two.png")
    assert not steps(events) and "learned before; --relearn" in notes(events)
    assert Path("one.png").read_bytes() == Path("two.png").read_bytes()


def test_another_photo_is_painted_with_what_was_learned_unless_it_is_learned_anew():
    fast("photo.png")
    (before,) = (file.read_bytes() for file in kept())
    events, _ = fast("other.png", output="known.png")
    assert not steps(events)
    events, _ = fast("other.png", output="anew.png", relearn=True)
    assert len(steps(events)) == 4
    (after,) = (file.read_bytes() for file in kept())
    assert after != before and Path("known.png").read_bytes() != Path("anew.png").read_bytes()


def test_the_painting_counts_and_not_its_name():
    fast("photo.png")
    shutil.copy("My Painting.png", "copy.png")
    fast("photo.png", style="copy.png")  # another name of the style, so another file
    noise(9).save("My Painting.png")
    events, _ = fast("photo.png", output="other-style.png")
    assert len(steps(events)) == 4 and len(kept()) == 3


@pytest.mark.parametrize("change", [{"learn": "long"}, {"seed": 1}])
def test_what_is_learned_depends_on_the_options(change):
    fast("photo.png")
    events, _ = fast("photo.png", output="again.png", **change)
    assert steps(events) and len(kept()) == 2


def test_the_usual_start_may_be_one_of_several_styles(monkeypatch):
    """That of its name, in whatever network; without it, any."""
    library.write(library.folder() / "pair.safetensors", model())
    first, second = (style.name for style in model().card.styles)
    pair, tiles = (library.locate(name, "") for name in ("pair", "tiles"))
    assert library.locate_start() == (tiles, "mosaic")
    monkeypatch.setattr(find, "START", "none of these")
    assert library.locate_start() == (pair, first)
    monkeypatch.setattr(find, "START", second)
    assert library.locate_start() == (pair, second)
    fast("photo.png")
    (learned,) = kept()
    assert len(library.read(learned).card.styles) == 1


def test_the_start_counts():
    fast("photo.png")
    start("tiles", "mosaic", width=6)
    events, _ = fast("photo.png", output="again.png")
    assert steps(events) and len(kept()) == 2


def test_the_card_names_nothing_of_the_users():
    Path("deep").mkdir()
    shutil.copy("photo.png", "deep/anna.png")
    fast("deep/anna.png")
    (file,) = kept()
    card = library.read_card(file)
    assert [style.name for style in card.styles] == ["my-painting"] and card.information["training"]
    for word in (b"anna", b"deep", b"here", str(Path.cwd()).encode(), disk.sha256_of("photo.png").encode()):
        assert word not in file.read_bytes()


def test_the_recipe_names_the_painting_and_its_hash():
    fast("photo.png", learn="long")
    recipe = read_recipe("photo-my-painting.png")
    assert recipe["options"]["style"] == "My Painting.png" and recipe["options"]["learn"] == "long"
    assert recipe["model"]["painting"] == disk.sha256_of("My Painting.png")
    assert "interrupted" not in recipe["model"]


def test_an_interrupted_learning_paints_and_keeps_nothing():
    asked = iter([False, True])
    events, summary = fast("in", stop=lambda: next(asked, True))
    assert summary.done == 2 and len(steps(events)) == 2 and not kept()
    assert "stopped after 2 of 4 steps" in notes(events)
    assert read_recipe("in-my-painting/a-partial.png")["model"]["steps"] == 2


def test_the_next_run_does_what_an_interrupted_learning_painted():
    asked = iter([False, True])
    fast("in", stop=lambda: next(asked, True))
    _, summary = fast("in")
    assert (summary.done, summary.skipped) == (2, 0) and len(kept()) == 1
    assert "interrupted" not in read_recipe("in-my-painting/a.png")["model"]


def test_memory_that_runs_out_while_a_painting_is_learned_is_told_as_that(monkeypatch):
    def fail(*_):
        raise RuntimeError("could not create a primitive")
        yield

    monkeypatch.setattr(learning, "_train", fail)
    with pytest.raises(DeviceError, match="out of memory while my-painting is learned"):
        fast("photo.png")
    assert not kept()


def test_a_folder_is_learned_from_all_its_pictures(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "styler.jobs.training.learn.load_levels", lambda *args: seen.append(args[0]) or LEVELS
    )
    _, summary = fast("in")
    assert summary.done == 2 and seen == ["in/a.png", "in/b.png"]


LEVELS = torch.randint(256, (3, 48, 40), dtype=torch.uint8)


def test_a_picture_that_cannot_be_read_stops_nothing():
    Path("in/bad.png").write_bytes(b"no")
    _, summary = fast("in")
    assert summary.done == 2 and summary.failed == 1


def test_a_damaged_network_is_learned_again():
    fast("photo.png")
    (file,) = kept()
    good = file.read_bytes()
    file.write_bytes(good[:-50])
    events, _ = fast("photo.png", output="again.png")
    assert "is damaged" in notes(events) and file.read_bytes() == good


def test_where_nothing_can_be_kept_it_is_painted_all_the_same(tmp_path):
    library.learned_folder().parent.mkdir(parents=True, exist_ok=True)
    library.learned_folder().write_text("in the way")
    events, summary = fast("photo.png")
    assert summary.done == 1 and "my-painting is learned for this time only" in notes(events)
    assert "this time only" in notes(events[: events.index(next(filter(is_learning, events)))])
    assert "Set STYLER_HOME to another folder" in notes(events) and "--output" not in notes(events)


def test_what_is_refused_is_refused_before_anything_is_learned():
    Path("there.png").write_bytes(b"mine")
    for words, style, output, says, kind in (
        (("photo.png",), "My Painting.png", "there.png", "exists already", OutputError),
        (("photo.png",), "none.jpg", None, "no such file", InputError),
        (
            ("photo.png",),
            "My Painting.png:0.6,cubes:0.4",
            None,
            "no installed network has style",
            CheckpointError,
        ),
        (("photo.png",), "My Painting.png:0.6,none.jpg:0.4", None, "no such file", InputError),
        (("photo.png",), "My Painting.png:a", None, "is no style with a weight", InputError),
        ((), "My Painting.png", None, "give a picture", InputError),
        (("-",), "My Painting.png", "a.png", "read only once", InputError),
    ):
        with pytest.raises(kind, match=says):
            fast(*words, style=style, output=output)
    with pytest.raises(OutputError, match="also an input"):
        fast("photo.png", output="My Painting.png", overwrite=True)
    with pytest.raises(InputError, match="leave it out to learn"):
        fast("photo.png", model="tiles")
    assert not kept()


def test_a_dry_run_learns_nothing():
    events, summary = fast("photo.png", dry_run=True)
    assert not steps(events) and not kept() and "would be learned" in notes(events)
    assert not Path("photo-my-painting.png").exists() and summary.done == 1


def test_a_name_goes_before_a_file():
    Path("mosaic").write_bytes(Path("photo.png").read_bytes())
    events, _ = fast("photo.png", style="mosaic")
    assert not steps(events) and Path("photo-mosaic.png").exists()


def test_a_video_is_learned_from_frames_of_all_of_it(monkeypatch):
    make(Path("clip.mp4"), pictures(8))
    _, summary = fast("clip.mp4")
    assert summary.done == 1 and Path("clip-my-painting.mp4").exists()
    (file,) = kept()
    assert library.read_card(file).information["training"]["pictures"] == 4


# Blends


def weights_of(style):
    """The network that paints in a blend, by the names of its weights."""
    made = []
    with pytest.MonkeyPatch.context() as patch:
        real = job.mean_of
        patch.setattr(job, "mean_of", lambda *parts: made.append(real(*parts)) or made[-1])
        fast("photo.png", style=style, overwrite=True)
    return {name: value.clone() for name, value in made[0].state_dict().items()}


def test_two_paintings_are_learned_from_one_network_and_blended():
    shutil.copy("other.png", "Second.png")
    _, summary = fast("photo.png", style="My Painting.png:0.25,Second.png:0.75")
    assert summary.done == 1 and len(kept()) == 2 and Path("photo-my-painting-second.png").exists()
    recipe = read_recipe("photo-my-painting-second.png")
    assert recipe["options"]["style"] == "My Painting.png:0.25,Second.png:0.75"
    hashes = [disk.sha256_of("My Painting.png"), disk.sha256_of("Second.png")]
    assert [part["painting"] for part in recipe["model"]["blend"]] == hashes
    one, two, both = map(weights_of, ("My Painting.png", "Second.png", "My Painting.png:1,Second.png:3"))
    for name, value in both.items():
        torch.testing.assert_close(value, 0.25 * one[name] + 0.75 * two[name])


def test_a_painting_is_learned_from_the_style_that_it_is_blended_with():
    start("dots", "dots")
    events, _ = fast("photo.png", style="dots:1,My Painting.png:1")
    assert len(steps(events)) == 4 and Path("photo-dots-my-painting.png").exists()
    (file,) = kept()
    learned, dots = (library.read(path).network.state_dict() for path in (file, library.locate("dots", "")))
    for name, value in weights_of("dots:1,My Painting.png:1").items():
        torch.testing.assert_close(value, (learned[name] + dots[name]) / 2)
    events, _ = fast("photo.png", style="My Painting.png")  # from the usual start
    assert len(steps(events)) == 4 and len(kept()) == 2


def test_a_style_of_a_network_of_several_is_blended_too():
    library.write(library.folder() / "pair.safetensors", model())
    network, styles = library.read(library.locate("pair", "")), model().card.styles
    alone = read_start(library.locate("pair", ""), f"{styles[1].name}:1").network
    photo = load_picture("photo.png").image
    with torch.inference_mode():
        expected = network.network(photo, Mode(mix=torch.tensor([[0.0, 1.0]])))
        torch.testing.assert_close(alone(photo, Mode(mix=torch.ones(1, 1))), expected)
    events, summary = fast("photo.png", style=f"My Painting.png,{styles[1].name}")
    assert summary.done == 1 and len(steps(events)) == 4


def test_a_style_without_weight_beside_a_painting_is_left_out():
    start("dots", "dots")
    alone, beside = map(weights_of, ("My Painting.png", "My Painting.png:1,dots:0"))
    for name, value in beside.items():
        torch.testing.assert_close(value, alone[name], rtol=0, atol=0)


def test_a_painting_without_weight_is_not_learned():
    events, summary = fast("photo.png", style="My Painting.png:0,mosaic:1")
    assert summary.done == 1 and not steps(events)


# Protection


def test_what_is_protected_stays():
    mask = Image.new("L", (48, 40), 0)
    mask.paste(255, (0, 0, 24, 40))
    mask.save("mask.png")
    fast("photo.png", style="mosaic", protect="mask.png")
    photo, painted = (load_picture(name).image for name in ("photo.png", "photo-mosaic.png"))
    assert torch.equal(photo[..., :24], painted[..., :24])
    assert not torch.equal(photo[..., 24:], painted[..., 24:])
    assert read_recipe("photo-mosaic.png")["options"]["protect"] == "mask.png"


def test_a_mask_has_the_shape_of_the_photo_and_leaves_something():
    Image.new("L", (40, 48), 0).save("turned.png")
    Image.new("L", (48, 40), 255).save("white.png")
    with pytest.raises(InputError, match="same shape"):
        fast("photo.png", style="mosaic", protect="turned.png")
    with pytest.raises(InputError, match="protects the whole photo"):
        fast("photo.png", style="mosaic", protect="white.png")


# A sheet of all styles


def test_all_styles_are_on_one_sheet():
    start("dots", "dots")
    library.write(library.folder() / "pair.safetensors", model())
    _, summary = fast("photo.png", style="all", size=96)
    assert summary.done == 1
    with Image.open("photo-all.png") as sheet:  # the photo, mosaic, dots, ink and big-waves: 3 x 2 cells
        assert sheet.size[0] > 2 * 96 and sheet.size[1] > 2 * 80
    assert read_recipe("photo-all.png")["options"]["style"] == "all"
    with pytest.raises(InputError, match="one picture in all styles"):
        fast("photo.png", "other.png", style="all")


# The commands


def test_what_is_learned_is_listed_kept_and_removed(run):
    fast("photo.png")
    (file,) = kept()
    assert f"{file.stem}\tmy-painting\ttransform" in run("models", "list").out.decode()
    assert "\tlearned\n" in run("models", "list").out.decode()
    assert run("models", "add", file.stem).code == 0
    assert (library.folder() / "my-painting.safetensors").read_bytes() == file.read_bytes()
    assert run("models", "remove", file.stem).code == 0 and not kept()
    assert run("fast", "photo.png", "--style", "my-painting", "--overwrite").code == 0
    gone = run("models", "remove", "nothing")
    assert gone.code == 1 and "no model of yours is called 'nothing'" in gone.err


def test_without_a_style_it_says_what_to_do(run):
    start("dots", "dots")
    done = run("fast", "photo.png")
    assert done.code == 2
    for words in ("mosaic", "--style painting.jpg", "--style all"):
        assert words in " ".join(done.err.split())


def test_a_killed_learning_leaves_nothing_half_written(tmp_path):
    code = (
        "from styler.options import fast\n"
        "fast.LEARNING['crop'], fast.LEARNING_STEPS['normal'] = 32, 400\n"
        "from styler.storage.models import find; find._bundled = lambda: None\n"
        "from styler.ui.cli import main; main()"
    )
    words = [sys.executable, "-c", code, "fast", "photo.png", "--style", "My Painting.png", "-v"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if "step 40 " in line:
                break
        process.kill()
    assert not kept() and not Path("photo-my-painting.png").exists()
    assert not [path for path in Path.cwd().rglob("*") if path.suffix in {".part", ".training"}]
