"""The trained networks that come with styler: whole, small, credited, and they paint."""

from pathlib import Path

import pytest
import torch

from styler.storage import images, models
from styler.tasks import faults

GALLERY = [entry for entry in models.installed() if entry.bundled and entry.card.kind == "transform"]
PHOTO = Path(__file__).parents[1] / "examples" / "harbour.jpg"


def test_there_are_some_and_they_are_small():
    assert len(GALLERY) >= 8
    assert sum(entry.path.stat().st_size for entry in GALLERY) < 12e6
    names = [style.name for entry in GALLERY for style in entry.card.styles]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("entry", GALLERY, ids=lambda entry: entry.name)
def test_each_is_whole_and_says_whom_it_owes_what(entry):
    model = models.read(entry.path)
    assert not entry.problem and model.thumbnails is not None
    assert model.card.licence == "MIT"
    training = model.card.information["training"]
    assert training["credits"] and training["command"] == "train-fast"
    for style in model.card.styles:
        assert style.title and style.author and style.source
        assert style.licence in ("public domain", "MIT")


@pytest.mark.parametrize("entry", GALLERY, ids=lambda entry: entry.name)
def test_each_paints_a_photo_in_its_colors(entry):
    model, photo = models.read(entry.path), images.load(PHOTO, long_side=192).image
    for index, mix in enumerate(torch.eye(len(model.card.styles)).split(1)):
        with torch.inference_mode():
            painted = model.network(photo, mix).clamp(0, 1)
        style = model.thumbnails[index][None] / 255
        assert faults.found([photo], [painted], style) == ""
        assert (painted.mean((2, 3)) - style.mean((2, 3))).abs().max() < 0.2


def test_a_style_that_ships_is_found_by_its_name(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = GALLERY[0].card.styles[0].name
    done = run("fast", PHOTO, "--style", name, "--size", "64")
    assert (done.code, [path.name for path in tmp_path.glob("*.png")]) == (0, [f"harbour-{name}.png"])
    assert done.err.startswith("Wrote harbour-")
