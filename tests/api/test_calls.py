"""styler.paint, painting, fast, translate and styles: pictures of every kind in, pictures out."""

import dataclasses
import io
import typing
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close

import styler
from styler.api import keywords
from styler.options.fast import LEARNING_STEPS
from styler.options.optimize import OptimizeOptions

TINY = {"network": "net.safetensors", "size": 32, "steps": 2, "precision": "float32", "progress": False}


def kinds(path):
    """The same pixels in every form that is taken."""
    image = Image.open(path)
    pixels = np.asarray(image)
    planes = torch.from_numpy(pixels.copy()).permute(2, 0, 1)
    return {
        "path": path,
        "pillow": image,
        "bytes": pixels,
        "floats": pixels / 255.0,
        "planes": planes,
        "batch": planes[None].float() / 255,
        "picture": styler.Picture(planes[None].float() / 255),
    }


def test_all_kinds_of_pictures_are_painted_alike(studio):
    photos, styles = kinds("photo.png"), kinds("style.png")
    paintings = {name: styler.paint(photos[name], styles[name], **TINY) for name in photos}
    for name, painting in paintings.items():
        assert_close(painting.tensor, paintings["path"].tensor, rtol=0, atol=0, msg=name)


def test_paint_is_the_command(studio, paint):
    """To the byte, with the recipe."""
    assert paint("-o", "command.png").code == 0
    painting = styler.paint("photo.png", "style.png", **TINY)
    painting.save("python.png")
    assert Path("command.png").read_bytes() == Path("python.png").read_bytes()


def test_the_picture_that_comes_back(studio):
    painting = styler.paint("photo.png", "style.png", **TINY)
    assert painting.size == (32, 24) and painting.tensor.shape == (1, 3, 24, 32)
    assert painting.numpy().shape == (24, 32, 3) and painting.pil.size == (32, 24)
    assert Image.open(io.BytesIO(painting._repr_png_())).size == (32, 24)
    assert painting.recipe["command"] == "optimize" and painting.recipe["content"]["name"] == "photo.png"
    assert repr(painting) == "<styler.Picture 32 x 24>"
    painting.save("plain.png", metadata=False)
    with Image.open("plain.png") as image:
        assert set(image.info) == {"icc_profile"}


def test_large_pictures_are_shown_smaller():
    assert Image.open(io.BytesIO(styler.Picture(torch.rand(1, 3, 30, 3000))._repr_png_())).size == (1024, 10)


def test_transparency_stays(studio):
    pixels = np.full((48, 64, 4), 128, np.uint8)
    pixels[:, :32, 3] = 0
    painting = styler.paint(pixels, "style.png", **TINY)
    assert painting.pil.mode == "RGBA" and painting.numpy()[:, 2, 3].max() == 0


def test_a_pillow_image_lies_as_its_file_does(studio):
    image = Image.open("photo.png")
    exif = image.getexif()
    exif[0x0112] = 6  # a quarter turn
    image.save("turned.png", exif=exif)
    painting = styler.paint(Image.open("turned.png"), "style.png", **TINY)
    assert painting.size == styler.paint("turned.png", "style.png", **TINY).size == (24, 32)


def test_styles_have_weights_and_names(studio):
    painting = styler.paint("photo.png", ["waves", ("style.png", 0.3)], style_scale=0.5, **TINY)
    assert [style.get("weight") for style in painting.recipe["styles"]] == [None, 0.3]
    assert painting.recipe["styles"][0]["name"] == "waves"


def test_a_run_event_by_event(studio):
    tiny = {name: value for name, value in TINY.items() if name != "progress"}
    run = styler.painting("photo.png", "style.png", **{**tiny, "steps": 50})
    assert run.picture is None
    seen = []
    for event in run:
        seen.append(type(event).__name__)
        if seen.count("Step") == 3:
            assert run.picture and run.losses
            run.stop()
    assert seen.count("Step") == 3 and set(seen) <= {"Stage", "Step", "Note"}
    assert run.result() is run.picture and run.result().recipe["interrupted"] is True
    assert any("step 3 of 50" in note for note in run.notes)


def test_nothing_is_left_behind(studio, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    styler.paint(np.zeros((32, 32, 3), np.uint8), "style.png", **TINY)
    with pytest.raises(styler.StylerError):
        styler.paint("photo.png", "nothing.png", **TINY)
    run = styler.painting("photo.png", "style.png", network="net.safetensors", size=32)
    next(iter(run))
    del run
    assert list((tmp_path / "home").iterdir()) == []


def test_fast_and_translate(studio):
    painting = styler.fast("photo.png", "wave", strength=0.5, size=32, progress=False)
    assert painting.size == (32, 24) and painting.recipe["options"]["strength"] == 0.5
    drawing = np.full((48, 64), 255, np.uint8)
    drawing[20:22, 10:50] = 0
    colored = styler.translate(drawing, "edges2cat", progress=False)
    assert colored.recipe["command"] == "translate" and colored.size == (64, 48)


def test_fast_learns_a_painting_of_any_kind(studio, monkeypatch, tmp_path):
    monkeypatch.setenv("STYLER_HOME", str(tmp_path))
    monkeypatch.setitem(LEARNING_STEPS, "fast", 2)
    options = {"learn": "fast", "size": 32, "progress": False}
    first = styler.fast("photo.png", "style.png", **options)
    assert first.size == (32, 24) and first.recipe["options"]["style"] == "style.png"
    for name, painting in kinds("style.png").items():
        assert np.array_equal(styler.fast("photo.png", painting, **options).numpy(), first.numpy()), name
    with pytest.raises(styler.StylerError, match="style is of type list"):
        styler.fast("photo.png", ["style.png"], **options)


def test_styles_are_a_gallery():
    found = styler.styles()
    assert "wave" in found.names("trained") and "waves" in found.names("picture")
    assert repr(found).startswith("paint: dots, ") and "fast: cypresses, " in repr(found)
    assert found._repr_html_().count("<img ") == len(found) == len(list(found))


PHOTO = np.zeros((48, 64, 3), np.uint8)


@pytest.mark.parametrize(
    ("photo", "text"),
    [
        (PHOTO.transpose(2, 0, 1), r"photo has the shape \(3, 48, 64\).*transpose\(1, 2, 0\)"),
        (torch.zeros(48, 64, 3), r"photo has the shape \(48, 64, 3\).*permute\(2, 0, 1\)"),
        (torch.zeros(2, 3, 48, 64), r"photo has the shape \(2, 3, 48, 64\)"),
        (PHOTO + 200.0, r"photo has floats from 200 to 200.*divide by 255"),
        (torch.full((3, 48, 64), torch.nan), "photo has floats from nan"),
        (PHOTO.astype(np.int64), "photo holds int64; give bytes"),
        (PHOTO[:4], "photo is 64 x 4 pixels; 16 a side is the least"),
        (Image.new("RGB", (64, 4)), "photo is 64 x 4 pixels; 16 a side is the least"),
        (3, "photo is of type int"),
        ("-", "photo is '-'"),
        (".", "photo is '.'"),
        ("nothing.png", "nothing.png cannot be read: no such file"),
    ],
)
def test_what_is_no_picture_is_named(photo, text):
    with pytest.raises(styler.StylerError, match=f"^{text}"):
        styler.paint(photo, PHOTO, **TINY)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"size": 5}, "size: '5' is no size"),
        ({"size": "big"}, "size: 'big' is no size"),
        ({"style_weight": -1}, "style_weight is -1; it must be a finite number, at least 0"),
        ({"style_weight": "much"}, "style_weight is 'much'; it must be a number"),
        ({"steps": 1.5}, "steps is 1.5; it must be a whole number"),
        ({"steps": True}, "steps is True; it must be a whole number"),
        ({"color": "photos"}, "color is 'photos'; choose one of style, photo"),
        ({"colors_only": True, "color": "photo"}, "colors_only with color photo would leave"),
        ({"preset": "best"}, "preset is 'best'; choose one of styler, gatys"),
        ({"style": []}, "style is an empty list"),
        ({"style": ("waves", -1)}, "the weight of style is -1"),
        ({"style": "wave"}, "'wave' is a trained style, for styler.fast, and no style picture"),
    ],
)
def test_errors_name_arguments_and_no_flags(options, text):
    with pytest.raises(styler.StylerError) as caught:
        styler.paint(PHOTO, **{"style": "waves", **TINY, **options})
    assert str(caught.value).startswith(text) and "--" not in str(caught.value)


def test_an_unknown_argument_is_pythons_error():
    with pytest.raises(TypeError, match=r"paint\(\) got .* 'stile_weight'; did you mean 'style_weight'\?"):
        styler.paint(PHOTO, "waves", stile_weight=2)


def test_a_file_that_exists_is_kept(studio):
    with pytest.raises(styler.StylerError, match=r"^photo.png exists already: .* overwrite=True"):
        styler.Picture(torch.zeros(1, 3, 16, 16)).save("photo.png")
    with pytest.raises(styler.StylerError, match="overwrite=True"):
        styler.save("photo.png", torch.zeros(1, 3, 16, 16))


def test_experts_arguments_are_checked_at_the_door():
    image = torch.zeros(1, 3, 32, 32)
    for content, styles, text in (
        (image[0], [image], r"content is torch.float32 \(3, 32, 32\)"),
        (PHOTO, [image], "content is a ndarray"),
        (image, image, "styles must be a list"),
        (image, [image + 2], r"styles\[0\] has values outside"),
    ):
        with pytest.raises(styler.StylerError, match=f"^{text}"):
            styler.optimize(content, styles, None, OptimizeOptions())


def test_all_names_are_seen():
    assert {"paint", "painting", "fast", "translate", "styles", "Picture"} <= set(dir(styler))
    assert [name for name in dir(styler) if not hasattr(styler, name)] == []


def test_keywords_are_fields():
    for name in ("PaintKeywords", "FastKeywords", "TranslateKeywords"):
        assert typing.get_type_hints(getattr(keywords, name))
    fields = {field.name for field in dataclasses.fields(OptimizeOptions)}
    assert set(keywords.PaintKeywords.__annotations__) <= fields
