"""The trained networks that come with styler: whole, small, credited, and they paint."""

from functools import partial
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw

from styler.image.degrade import shrunk
from styler.image.size import resize
from styler.losses.metrics import enlarging_scores, phase_spread
from styler.networks.layers import Mode
from styler.storage.models import enlargers, library, vgg
from styler.storage.pictures.load import load_picture
from styler.tasks.train_fast import fault_of

SHIPPED = [entry for entry in library.installed() if entry.bundled]
GALLERY = [entry for entry in SHIPPED if entry.card.kind == "transform"]
TRANSLATOR, LABELED = "edges2cat", "labels2facade"
PHOTO = Path(__file__).parents[1] / "examples" / "harbour.jpg"


def test_there_are_some_and_they_are_small():
    assert sum(len(entry.card.styles) for entry in GALLERY) >= 16
    assert sum(entry.path.stat().st_size for entry in GALLERY) < 12e6
    assert all(entry.path.stat().st_size <= 1.5e6 for entry in SHIPPED if entry.card.kind == "enlarge")
    names = [style.name for entry in GALLERY for style in entry.card.styles]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("entry", GALLERY, ids=lambda entry: entry.name)
def test_each_is_whole_and_says_whom_it_owes_what(entry):
    model = library.read(entry.path)
    assert not entry.problem and model.thumbnails is not None
    assert model.card.licence == "MIT"
    training = model.card.information["training"]
    assert training["credits"] and training["command"] == "train-fast"
    for style in model.card.styles:
        assert style.title and style.author and style.source
        assert style.licence in ("public domain", "MIT")


@pytest.mark.parametrize("entry", GALLERY, ids=lambda entry: entry.name)
def test_each_paints_a_photo_in_its_colors(entry):
    model, photo = library.read(entry.path), load_picture(PHOTO, long_side=192).image
    for index, mix in enumerate(torch.eye(len(model.card.styles)).split(1)):
        with torch.inference_mode():
            painted = model.network(photo, Mode(mix=mix)).clamp(0, 1)
        style = model.thumbnails[index][None] / 255
        assert fault_of([photo], [painted], style) == ""
        assert (painted.mean((2, 3)) - style.mean((2, 3))).abs().max() < 0.2


def test_a_style_that_ships_is_found_by_its_name(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = GALLERY[0].card.styles[0].name
    done = run("fast", PHOTO, "--style", name, "--size", "64")
    assert (done.code, [path.name for path in tmp_path.glob("*.png")]) == (0, [f"harbour-{name}.png"])
    assert done.err.startswith("Wrote harbour-")


def test_translators_are_whole_and_say_whom_they_owe_what():
    entries = {entry.name: entry for entry in SHIPPED if entry.card.kind == "translate"}
    assert sorted(entries) == [TRANSLATOR, LABELED]
    for name, least in ((TRANSLATOR, 21), (LABELED, 12)):
        entry = entries[name]
        assert not entry.problem and entry.path.stat().st_size < 8e6
        information = library.read_generator(entry.path).card.information
        assert entry.card.licence == "MIT" and information["training"]["credits"]
        assert information["validation"]["pairs"] >= least
    assert entries[TRANSLATOR].card.information["translation"]["condition"]["name"] == "edges"
    assert len(entries[LABELED].card.information["translation"]["labels"]) == 20


def test_a_drawn_cat_becomes_one_with_two_eyes_where_they_were_drawn(run, tmp_path, monkeypatch):
    """Eyes have contrast and other colors than the fur between the ears; coats differ by the seed."""
    monkeypatch.chdir(tmp_path)
    sketch = Image.new("L", (256, 256), "white")
    pen = ImageDraw.Draw(sketch)
    pen.ellipse((60, 80, 196, 206), outline="black", width=3)
    for side in (-1, 1):
        x = 128 + 30 * side
        pen.ellipse((x - 14, 126, x + 14, 154), outline="black", width=3)
        pen.ellipse((x - 4, 130, x + 4, 150), fill="black")
        pen.line([(128 + s * side, y) for s, y in ((62, 115), (58, 40), (18, 84))], fill="black", width=3)
    pen.line((122, 164, 134, 164, 128, 172, 122, 164), fill="black", width=3)
    sketch.save("sketch.png")
    for seed in ("0", "1"):
        words = ("--seed", seed, "-o", f"{seed}.png")
        assert run("translate", "sketch.png", "--checkpoint", TRANSLATOR, *words).code == 0
    one, other = (load_picture(f"{seed}.png").image for seed in ("0", "1"))
    assert one.shape == (1, 3, 256, 256)
    brow = one[..., 92:112, 118:138]
    for x in (98, 158):
        eye = one[..., 128:152, x - 12 : x + 12]
        assert eye.mean(1).std() > 3 * brow.mean(1).std() and eye.mean() < brow.mean() - 0.05
    assert (
        one[..., 80:200, 70:186].mean((2, 3)) - other[..., 80:200, 70:186].mean((2, 3))
    ).abs().max() > 0.05


def test_labels_become_what_they_name(run, tmp_path, monkeypatch):
    """Bricks are red, leaves green, the sky bright; a door and panes are darker than walls."""
    monkeypatch.chdir(tmp_path)
    boxes = {
        "#0000aa": (0, 0, 256, 256),  # sky
        "#808080": (0, 232, 256, 256),  # street
        "#aa00ff": (40, 60, 128, 232),  # brick
        "#0000ff": (128, 60, 216, 232),  # wall
        "#0055ff": (150, 90, 190, 140),  # window
        "#00aaff": (60, 160, 100, 232),  # door
        "#00aa00": (220, 180, 256, 232),  # plants
    }
    drawing = Image.new("RGB", (256, 256))
    for color, (left, top, right, bottom) in boxes.items():
        ImageDraw.Draw(drawing).rectangle((left, top, right - 1, bottom - 1), fill=color)
    drawing.save("house.png")
    assert run("translate", "house.png", "--checkpoint", LABELED, "-o", "made.png").code == 0
    made = load_picture("made.png").image[0]
    sky, street, brick, wall, window, door, plants = (
        made[:, top + 8 : bottom - 8, left + 8 : right - 8].mean((1, 2))
        for left, top, right, bottom in (
            (0, 0, 256, 50),
            (0, 228, 256, 260),
            (40, 70, 128, 150),
            (128, 60, 216, 90),
            (150, 90, 190, 140),
            (60, 160, 100, 232),
            (220, 190, 256, 228),
        )
    )
    assert brick[0] > brick[2] + 0.15 and sky[2] > 0.5 and plants[1] > plants[0] + 0.05
    assert wall.mean() > 0.5 and max(window.mean(), door.mean()) < wall.mean() - 0.2
    assert 0.25 < street.mean() < 0.75


@pytest.mark.parametrize("factor", [2, 4])
def test_those_that_enlarge_do_better_than_bicubic_at_each_detail(factor):
    """Detail costs little of the likeness, is nearer in what a network sees, and leaves no grid."""
    photo, extractor = load_picture(PHOTO, long_side=256).image[..., :160, :256], vgg.load("compact")
    small, path = shrunk(photo, factor), enlargers.locate(f"enlarge-x{factor}")
    ways = {"bicubic": lambda small: resize(small, (160, 256))}
    for detail in (0, 1):
        ways[detail] = partial(enlargers.mixture(path, detail, 0).network, mode=Mode("stored"))
    with torch.inference_mode():
        made = {name: way(small).clamp(0, 1) for name, way in ways.items()}
    scores = {name: enlarging_scores(image, photo, extractor) for name, image in made.items()}
    assert scores[0]["psnr"] > scores["bicubic"]["psnr"] + 0.5
    assert scores[1]["psnr"] > scores["bicubic"]["psnr"] - 0.5
    assert scores[1]["perceptual"] < scores[0]["perceptual"] < scores["bicubic"]["perceptual"]
    spreads = {name: phase_spread(image, photo, factor) for name, image in made.items()}
    assert spreads[1] < spreads["bicubic"] + 0.2
