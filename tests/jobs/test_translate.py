"""`styler translate`: what is written, refused and told, with tiny generators; as a function and as typed."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.shell_completion import BashComplete
from corpus import bad_files, deep_png, encoded, picture, write_all
from jobs.test_fast import animate, shoot
from nets import architecture, stirred
from PIL import Image

from styler.jobs import translate as translating
from styler.networks.kinds import build, described
from styler.networks.layers import Mode
from styler.networks.residual import ResidualNetwork
from styler.options.translate import TranslateOptions
from styler.plans import ResidualArchitecture
from styler.storage import disk
from styler.storage.models import find, library
from styler.storage.models.library import Card, Model, Style, Translation
from styler.storage.pictures.encode import FORMATS
from styler.storage.pictures.load import load_picture, read_recipe
from styler.ui import cli
from styler.ui.remake import command_line

EDGES = {"name": "edges", "sigma": "1-3", "strong": 90.0, "weak": 75.0, "shortest": 4}


def generator(name, made=None, **about):
    """Install a generator of random weights."""
    made = made or architecture(width=4, halvings=4)
    told = Translation(**{"direction": "AtoB", "batch": 1, "dropout": True, **about})
    card = Card("translate", described(made), (), "MIT", told.information)
    library.folder().mkdir(parents=True, exist_ok=True)
    library.write(library.folder() / f"{name}.safetensors", Model(stirred(build(made)), card))


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """The current folder with photos; the generators `maps`, and `lines`, which takes edges."""
    monkeypatch.setattr(find, "_bundled", lambda: None)
    monkeypatch.setattr("styler.storage.models.shelf.bundled", lambda: None)
    folder = tmp_path / "here"
    (folder / "in" / "deep").mkdir(parents=True)
    monkeypatch.chdir(folder)
    generator("maps", inputs="map", outputs="photo")
    lines = architecture(inputs=1, width=4, halvings=3, norm="instance")
    generator("lines", lines, condition=EDGES, inputs="edges", outputs="photo")
    for name in ("photo.png", "in/a.png", "in/deep/b.jpg"):
        picture(size=(40, 24)).save(name)
    return folder


@pytest.fixture
def translate(run):
    """`styler translate --checkpoint maps` with more words."""

    def translate(*words, checkpoint="maps", stdin=b""):
        return run("translate", "--checkpoint", checkpoint, *words, stdin=stdin)

    return translate


def names(folder="."):
    return {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file()}


def decoded(path):
    """The frames of a film."""
    from videos import decoded  # which needs PyAV

    return [frame.astype(int) for _, frame in decoded(Path(path))]


def loaded(name):
    return load_picture(name).image


# One picture


def test_one_picture_with_its_recipe(translate):
    before = names()
    done = translate("photo.png", "--seed", "7")
    assert done.code == 0 and "Wrote photo-maps.png (40 x 24)" in done.err
    assert names() - before == {"photo-maps.png"}
    recipe = read_recipe("photo-maps.png")
    assert recipe["command"] == "translate" and recipe["size"] == [40, 24]
    assert recipe["options"] == {
        "checkpoint": "maps",
        "dropout": True,
        "precision": "float32",
        "seed": 7,
        "statistics": "picture",
        "threads": 1,
    }
    card = library.read_card(library.folder() / "maps.safetensors")
    assert recipe["model"] == {"name": "maps", "sha256": card.sha256}
    assert recipe["content"] == {"name": "photo.png", "sha256": disk.sha256_of("photo.png")}


def test_the_recipes_command_makes_the_same_picture(run, translate):
    translate("photo.png", "--no-dropout", "-o", "a.png")
    program, *words = command_line(read_recipe("a.png"), cli.styler.commands).line.split()
    assert program == "styler" and "--no-dropout" in words
    run(*words, "-o", "b.png")
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


def test_it_is_the_networks_picture(translate):
    translate("photo.png", "--seed", "3", "--precision", "float32")
    network = library.read(library.folder() / "maps.safetensors").network
    with torch.no_grad():
        wanted = network(loaded("photo.png"), Mode(dropout=3))
    assert (loaded("photo-maps.png") - wanted).abs().max() < 1 / 255


def test_the_seed_makes_the_difference_unless_there_is_no_dropout(translate):
    for name, words in (
        ("a", ()),
        ("b", ("--seed", "1")),
        ("c", ("--no-dropout",)),
        ("d", ("--no-dropout", "--seed", "1")),
    ):
        translate("photo.png", "-o", f"{name}.png", *words)
    a, b, c, d = (loaded(f"{name}.png") for name in "abcd")
    assert not torch.equal(a, b) and not torch.equal(a, c) and torch.equal(c, d)


def test_stored_statistics_are_another_way(translate):
    translate("photo.png", "-o", "a.png")
    translate("photo.png", "-o", "b.png", "--statistics", "stored")
    assert not torch.equal(loaded("a.png"), loaded("b.png"))
    assert read_recipe("b.png")["options"]["statistics"] == "stored"


def test_statistics_are_by_default_those_of_the_training(translate):
    generator("four", batch=4, statistics="stored")
    translate("photo.png", checkpoint="four")
    assert read_recipe("photo-four.png")["options"]["statistics"] == "stored"


@pytest.mark.parametrize("size", [(16, 16), (17, 90), (101, 33)])
def test_the_output_is_as_large_as_the_input(translate, size):
    picture(size=size).save("odd.png")
    assert translate("odd.png").code == 0
    with Image.open("odd-maps.png") as made:
        assert made.size == size


def test_transparency_orientation_and_depth_are_as_everywhere(translate):
    glass = picture("RGBA", (40, 24))
    glass.putalpha(Image.linear_gradient("L").resize((40, 24)))
    glass.save("glass.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    picture(size=(40, 24)).save("turned.jpg", exif=exif)
    for channels in (1, 2, 3, 4):
        Path(f"deep{channels}.png").write_bytes(deep_png(channels))
    picture("L", (40, 24)).save("gray.png")
    picture("P", (40, 24)).save("palette.png")
    sources = sorted(names() - {"photo.png", "in/a.png", "in/deep/b.jpg"})
    for checkpoint in ("maps", "lines"):
        assert translate(*sources, "-o", checkpoint, checkpoint=checkpoint).code == 0
    assert torch.equal(load_picture("maps/glass.png").alpha, load_picture("glass.png").alpha)
    with Image.open("maps/turned.jpg") as made:
        assert made.size == (24, 40)
    assert names("maps") == names("lines") == set(sources)


def test_drawings_on_nothing_are_drawings_on_paper(translate):
    """As drawing programs save them: black wherever there is no stroke, and that transparent."""
    glass = Image.new("RGBA", (64, 48), (0, 0, 0, 0))
    glass.paste((0, 0, 0, 255), (20, 0, 23, 48))
    paper = Image.new("RGBA", glass.size, "white")
    paper.alpha_composite(glass)
    glass.save("glass.png"), paper.convert("RGB").save("paper.png")
    for words in ((), ("--from-sketch",), ("--from-photo",)):
        assert "is no drawing" not in translate("glass.png", "-o", "a.png", *words, checkpoint="lines").err
        translate("paper.png", "-o", "b.png", *words, checkpoint="lines")
        made, wanted = load_picture("a.png"), load_picture("b.png")
        assert (made.alpha is None) == ("--from-photo" not in words)
        if made.alpha is None:
            assert torch.equal(made.image, wanted.image)
        Path("a.png").unlink(), Path("b.png").unlink()


def test_of_photos_cut_out_the_outline_is_drawn():
    from styler.tasks.translate import Preparation

    cut = Image.new("RGBA", (64, 64), (200, 30, 30, 0))
    cut.paste((200, 30, 30, 255), (16, 16, 48, 48))
    cut.save("cut.png")
    seen = Preparation(1, "photo", EDGES)(load_picture("cut.png").on_white)
    assert 40 < (seen < 0.5).sum() < 400


def test_from_stream_to_stream(translate):
    done = translate("-", "-o", "-", stdin=Path("photo.png").read_bytes())
    assert done.code == 0
    with Image.open(io.BytesIO(done.out)) as made:
        assert made.size == (40, 24)


def test_the_only_translator_needs_no_name(run, here):
    refused = run("translate", "photo.png")
    assert refused.code == 1 and "--checkpoint" in refused.err and "lines, maps" in refused.err
    (library.folder() / "lines.safetensors").unlink()
    assert run("translate", "photo.png").code == 0 and "photo-maps.png" in names()


# Drawings and photos


def test_a_photo_becomes_what_the_network_takes(translate):
    Image.fromarray(np.kron([[30, 220], [200, 90]], np.ones((20, 20))).astype(np.uint8)).save("photo.png")
    plain = translate("photo.png", "-o", "a.png", checkpoint="lines")
    drawn = translate("photo.png", "-o", "b.png", "--from-photo", checkpoint="lines")
    assert plain.code == drawn.code == 0
    assert (
        "does not look like a line drawing" in plain.err
        and "--from-photo" in plain.err
        and "drawing" not in drawn.err
    )
    assert not torch.equal(loaded("a.png"), loaded("b.png"))
    assert read_recipe("b.png")["options"]["from_photo"] is True


@pytest.mark.parametrize("flag", ["--from-photo", "--from-sketch"])
def test_where_no_line_is_found_it_is_told(translate, flag):
    Image.new("RGB", (40, 40), (120, 130, 140)).save("fog.png")
    done = translate("fog.png", flag, checkpoint="lines")
    assert done.code == 0 and "fog.png: no lines were found in it" in done.err


@pytest.mark.parametrize("checkpoint", ["lines", "maps"])
def test_a_drawing_is_cleaned(translate, checkpoint):
    page = Image.new("RGB", (60, 60), (240, 235, 225))
    page.paste((60, 60, 70), (10, 20, 50, 23))
    page.save("sketch.jpg")
    done = translate("sketch.jpg", "--from-sketch", checkpoint=checkpoint)
    assert done.code == 0 and "drawing" not in done.err


# Samples


def test_samples_are_a_sheet_and_each_comes_alone_by_its_seed(translate):
    picture(size=(200, 150)).save("large.png")
    assert translate("large.png", "--samples", "4", "--seed", "5").code == 0
    sheet = loaded("large-maps.png")
    assert read_recipe("large-maps.png")["options"]["samples"] == 4
    height, width = sheet.shape[2:]
    assert width == 8 + 3 * 208 and height > 2 * 150
    translate("large.png", "--seed", "6", "-o", "alone.png")
    alone, y, x = loaded("alone.png"), 8, 8 + 2 * 208  # where the third cell is
    assert (sheet[..., y : y + 150, x : x + 200] - alone).abs().max() < 2 / 255


def test_samples_of_a_network_with_tints_are_on_papers_of_their_seeds(translate):
    """Without dropout the paper alone differs."""
    config = architecture(width=4, halvings=3, norm="instance", dropout=())
    tints = [[0.9, 0.5, 0.2], [0.1, 0.1, 0.2], [0.4, 0.8, 0.4]]
    generator("coats", config, dropout=False, condition=EDGES, inputs="drawing", outputs="cat", tints=tints)
    page = Image.new("RGB", (64, 64), "white")
    page.paste((0, 0, 0), (10, 20, 50, 22))
    page.save("sketch.png")
    for seed in ("0", "1", "3"):
        assert translate("sketch.png", "--seed", seed, "-o", f"{seed}.png", checkpoint="coats").code == 0
    assert torch.equal(loaded("0.png"), loaded("3.png")) and not torch.equal(loaded("0.png"), loaded("1.png"))
    assert translate("sketch.png", "--samples", "2", "-o", "sheet.png", checkpoint="coats").code == 0
    sheet, y, x = loaded("sheet.png"), 8, 8 + 136
    assert (
        sheet[..., y : y + 128, x : x + 128].mean((2, 3)) - loaded("0.png").mean((2, 3))
    ).abs().max() < 0.01


LABELS = {"wall": "#0000ff", "window": "#0055ff", "door": "#00aaff", "cornice": "#00ffff"}
WALL, CORNICE = (0, 0, 255), (0, 255, 255)


@pytest.fixture
def facades(monkeypatch):
    """The generator `facades`, which knows four labels; gives what it was shown."""
    made = architecture(width=4, halvings=3, norm="instance", dropout=())
    generator("facades", made, dropout=False, inputs="labels", outputs="facade", labels=LABELS)
    seen, sown = [], translating.Preparation.sown
    monkeypatch.setattr(
        translating.Preparation, "sown", lambda self, x, n=0: seen.append(x) or sown(self, x, n)
    )
    return seen


def colors_of(image):
    return {tuple(round(255 * value) for value in color) for color in image[0].flatten(1).T.tolist()}


def facade(mode="RGB"):
    """A cornice on a wall, whose blend is the color of windows and doors."""
    house = Image.new(mode, (160, 120), WALL)
    house.paste(CORNICE, (22, 22, 110, 61))
    return house


@pytest.mark.parametrize("words", [(), ("--size", "31"), ("--size", "70"), ("--samples", "2")])
@pytest.mark.parametrize("name", ["house.png", "house.jpg"])
def test_pictures_of_labels_are_seen_in_their_colors_alone(translate, facades, words, name):
    generator("facades", dropout=True, labels=LABELS)
    facade().resize((53, 40), Image.Resampling.LANCZOS).save(name, quality=75)
    assert translate(name, "-o", "out.png", *words, checkpoint="facades").code == 0
    assert all(colors_of(x) == {WALL, CORNICE} for x in facades)
    assert "--samples" in words or max(facades[-1].shape) == int(words[1] if words else 53)


def test_what_is_transparent_is_the_first_label(translate, facades):
    glass = facade("RGBA")
    glass.paste((0, 255, 255, 0), (0, 0, 160, 22))
    glass.save("glass.png")
    facade().save("house.png")
    for name in ("glass", "house"):
        assert translate(f"{name}.png", "-o", f"{name}-out.png", checkpoint="facades").code == 0
    assert torch.equal(*facades) and load_picture("glass-out.png").alpha is None
    assert torch.equal(loaded("glass-out.png"), loaded("house-out.png"))


def test_frames_of_labels_are_seen_in_their_colors_alone(translate, facades):
    frames = [facade().rotate(angle, Image.Resampling.BICUBIC, fillcolor=WALL) for angle in (0, 10)]
    frames[0].save("house.gif", save_all=True, append_images=frames[1:], duration=100)
    done = translate("house.gif", "--size", "50", "-o", "out.gif", checkpoint="facades")
    assert done.code == 0 and "label" not in done.err
    assert len(facades) >= 2 and all(colors_of(x) == {WALL, CORNICE} for x in facades if x.shape[3] == 50)


@pytest.mark.parametrize("video", [False, True])
def test_a_photo_is_no_picture_of_labels(translate, facades, video):
    name = "photo.png"
    if video:
        animate(name := "wave.gif")
    done = translate(name, "-o", f"out{Path(name).suffix}", checkpoint="facades")
    assert done.code == 0 and facades
    said = " ".join(done.err.split())
    assert said.count("of the pixels have about the color of a label, and facades takes pictures of") == 1
    assert "nothing but wall, window, door, cornice" in said


@pytest.mark.parametrize("flag", ["--from-photo", "--from-sketch"])
def test_labels_are_no_lines(translate, facades, flag):
    done = translate("photo.png", flag, checkpoint="facades")
    assert done.code == 1 and f"(wall, window, door, cornice): leave out {flag}" in " ".join(done.err.split())


def test_samples_of_a_network_of_some_grain_differ_by_it(translate):
    config = architecture(width=4, halvings=3, norm="instance", dropout=(), grain=0.1)
    generator("furs", config, dropout=False, inputs="drawing", outputs="cat")
    for seed in ("0", "0", "1"):
        assert (
            translate("photo.png", "--seed", seed, "-o", f"{seed}.png", "--overwrite", checkpoint="furs").code
            == 0
        )
    difference = (loaded("0.png") - loaded("1.png")).abs().mean()
    assert difference > 1 / 255
    assert translate("photo.png", "--samples", "2", "-o", "sheet.png", checkpoint="furs").code == 0


def test_samples_of_what_is_transparent_are_a_sheet_that_is_not(translate):
    glass = picture("RGBA", (40, 24))
    glass.putalpha(Image.linear_gradient("L").resize((40, 24)))
    glass.save("glass.png")
    assert translate("glass.png", "--samples", "2").code == 0
    assert load_picture("glass-maps.png").alpha is None


def test_a_film_has_no_samples_and_the_others_have(translate):
    animate("in/wave.gif")
    done = translate("in", "-o", "out", "--samples", "2")
    assert done.code == 1 and "2 done, 1 failed" in done.err and "wave.gif is a video" in done.err
    assert names("out") == {"a.png", "deep/b.jpg"}


# Many, and videos


def test_a_folder_is_mirrored_and_a_second_run_skips(translate):
    Path("in/bad.png").write_bytes(b"no")
    done = translate("in", "-o", "out", "--json")
    records = [json.loads(line) for line in done.lines]
    assert done.code == 1 and [record["error"] for record in records] == [None, "InputError", None]
    assert names("out") == {"a.png", "deep/b.jpg"}
    again = translate("in", "-o", "out")
    assert again.code == 1 and "0 done, 2 skipped (their outputs exist), 1 failed" in again.err


def test_bad_files_each_get_one_line(translate):
    bad = [case for case in bad_files() if Path(case.name).suffix in {".png", ".jpg", ".webp", ".tif"}]
    write_all(Path("in"), bad)
    done = translate("in", "-o", "out", "--json")
    failed = [record for line in done.lines if (record := json.loads(line))["error"]]
    assert len(failed) == len(bad) and {record["error"] for record in failed} == {"InputError"}


def test_shards_and_globs(translate):
    for shard in ("1/2", "2/2"):
        assert "1 of 2 inputs are in this part" in translate("in/**/*.*", "-o", "out", "--shard", shard).err
    assert names("out") == {"a.png", "deep/b.jpg"}


def test_a_dry_run_writes_nothing_and_tells_all(translate, here):
    before = sorted(here.rglob("*"))
    done = translate("in", "--samples", "3", "--dry-run")
    assert done.code == 0 and sorted(here.rglob("*")) == before
    assert "in/a.png -> in-maps/a.png: 40 x 24, a sheet of 3 such, whole, " in done.err


def test_an_animation_is_translated_as_one(translate):
    animate("wave.gif")
    assert translate("wave.gif").code == 0
    with Image.open("wave-maps.gif") as made:
        assert made.n_frames == 3 and made.size == (32, 24)


def test_a_still_film_stands_still(translate):
    """All frames have the same dropout."""
    shoot("film.mp4")
    assert translate("film.mp4").code == 0
    shown = decoded("film-maps.mp4")
    assert len(shown) == 5 and shown[0].shape == (32, 48, 3) and shown[0].std() > 5
    assert max(abs(frame - shown[0]).mean() for frame in shown) < 1.5


def test_a_film_that_was_interrupted_is_gone_on_with(run, translate):
    shoot("film.mp4")
    asked = iter([False, False, False])
    options = TranslateOptions(checkpoint="maps", overwrite=True)
    run_of = translating.translate(["film.mp4"], "film-maps.mp4", options, lambda: next(asked, True))
    assert any("add --resume to go on" in str(event) for event in run_of)
    assert len(decoded("film-maps-partial.mp4")) < 5
    assert translate("film.mp4", "--resume").code == 0
    assert len(decoded("film-maps.mp4")) == 5


# Refusals


@pytest.mark.parametrize(
    ("checkpoint", "words", "says"),
    [
        (
            "maps",
            ("photo.png", "--direction", "BtoA"),
            "was trained AtoB (map -> photo), and --direction is BtoA",
        ),
        ("lines", ("photo.png", "--statistics", "stored"), "stored no statistics"),
        ("maps", ("photo.png", "--from-photo"), "leave out --from-photo"),
        ("lines", ("photo.png", "--from-photo", "--from-sketch"), "either a photo or a drawing"),
        ("plain", ("photo.png", "--dropout"), "was trained without dropout: leave out --dropout"),
        ("plain", ("photo.png", "--samples", "2"), "they would all be the same"),
        ("maps", ("photo.png", "--samples", "2", "--no-dropout"), "leave out --no-dropout or --samples"),
        ("small", ("photo.png", "--from-sketch"), "takes low-resolution, not drawings"),
        ("secret", ("photo.png",), "add --direction AtoB or --direction BtoA, and --dropout or --no-dropout"),
        ("secret", ("photo.png", "--direction", "AtoB"), "how it was trained: add --dropout or --no-dropout"),
        ("four", ("photo.png",), "takes 4 channels, and pictures have 1 or 3"),
        ("maps", (), "no input given: name a picture"),
        ("map", ("photo.png",), "no model is called 'map'; did you mean maps"),
        ("styles", ("photo.png",), "is a style network"),
        ("photo.png", ("photo.png",), "photo.png is a PNG picture"),
        ("maps", ("none.png",), "no such file"),
        ("maps", ("photo.png", "-o", "a.xyz"), "must end in one of .png"),
        ("maps", ("photo.png", "-o", "photo.png", "--overwrite"), "is also an input"),
        ("maps", ("photo.png", "--memory", "1e-6"), "too large to paint here"),
    ],
)
def test_what_is_wrong_is_told_in_one_line_and_nothing_is_written(translate, here, checkpoint, words, says):
    generator("plain", architecture(width=4, halvings=3, dropout=()), dropout=False)
    generator("small", condition={"name": "low-resolution", "factor": 4})
    generator("secret", direction=None, dropout=None)
    generator("four", architecture(inputs=4, width=4, halvings=3))
    card = Card("transform", described(ResidualArchitecture(width=4, styles=1)), (Style("ink"),))
    library.write(
        library.folder() / "styles.safetensors",
        Model(ResidualNetwork(ResidualArchitecture(width=4, styles=1)), card),
    )
    before = names()
    done = translate(*words, checkpoint=checkpoint)
    assert (done.code, done.out) == (1, b"") and says in done.err and done.err.count("\n") == 1, done.err
    assert names() == before


def test_what_the_file_does_not_tell_is_obeyed_when_said(translate):
    generator("secret", direction=None, dropout=None)
    assert translate("photo.png", "--direction", "BtoA", "--no-dropout", checkpoint="secret").code == 0
    options = read_recipe("photo-secret.png")["options"]
    assert options["direction"] == "BtoA" and options["dropout"] is False


def test_a_style_network_paints_and_a_translator_does_not(run):
    done = run("fast", "photo.png", "--model", "maps")
    assert done.code == 1 and "styler translate" in done.err and done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "incomplete", "offers"),
    [
        (["translate", "--checkpoint"], "", ["lines", "maps"]),
        (["translate", "--checkpoint"], "m", ["maps"]),
        (["fast", "--model"], "m", ["m"]),
        (["models", "show"], "m", ["maps"]),
    ],
)
def test_the_shell_completes_checkpoints(words, incomplete, offers):
    shell = BashComplete(cli.styler, {}, "styler", "_STYLER_COMPLETE")
    found = shell.get_completions(words, incomplete)
    assert [item.value for item in found] == offers
    assert offers != ["maps"] or found[0].help == "map -> photo"


def test_encoded_pictures_of_every_format_come_back(translate):
    for ending, format in FORMATS.items():
        Path(f"in/x{ending}").write_bytes(encoded(picture(size=(40, 24)), format))
    assert translate("in", "-o", "out").code == 0
    assert {f"x{ending}" for ending in FORMATS} <= names("out")
