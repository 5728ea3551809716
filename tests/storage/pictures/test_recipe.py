"""The recipe and the credits inside pictures."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import corpus
import pytest
from corpus import loaded, noise, smooth, stored
from PIL import ExifTags, Image, PngImagePlugin

from styler.errors import InputError
from styler.storage.pictures import recipe
from styler.storage.pictures.encode import FORMATS
from styler.storage.pictures.load import load_picture, read_recipe
from styler.storage.pictures.save import encode_picture, save_picture

RECIPE = {"command": "optimize", "seed": 3, "content": "Käthe 写真.jpg", "losses": {"content/relu4_2": 1.5}}
CREDITS = {"copyright": "(c) Käthe", "artist": "Käthe", "description": "A view"}
WRITTEN = sorted(set(FORMATS.values()))


@pytest.mark.parametrize("format", WRITTEN)
def test_recipe_and_credits_come_back(tmp_path: Path, format: str) -> None:
    path = tmp_path / f"a.{format.lower()}"
    save_picture(path, smooth(), recipe=RECIPE, credits=CREDITS, alpha=noise(32, 48, 1))
    assert read_recipe(path) == RECIPE
    picture = load_picture(path)
    assert picture.credits == CREDITS
    assert not picture.warnings and not picture.notes
    data = path.read_bytes()
    assert b"compositeWithTrainedAlgorithmicMedia" in data
    assert b"Software" in data or b"styler 0." in data
    assert str(tmp_path).encode() not in data


@pytest.mark.parametrize("format", WRITTEN)
def test_without_recipe_there_is_no_metadata_in_the_bytes(tmp_path: Path, format: str) -> None:
    data = encode_picture(smooth(), format, credits=CREDITS)
    for trace in (
        b"styler",
        b"Software",
        b"Exif",
        b"xmp",
        b"x:xmpmeta",
        b"iTXt",
        b"tEXt",
        b"K\xc3\xa4the",
        b"A view",
    ):
        assert trace not in data
    image = Image.open(io.BytesIO(data))
    assert not set(image.getexif()) & {*recipe.CREDITS.values(), ExifTags.Base.Software, ExifTags.IFD.Exif}
    with pytest.raises(InputError, match="no recipe"):
        read_recipe(stored(tmp_path, data))


def test_a_recipe_is_read_from_a_picture_of_any_size(tmp_path: Path) -> None:
    text = corpus.chunk(b"iTXt", b"styler\0\0\0\0\0" + json.dumps(RECIPE).encode())
    path = stored(tmp_path, corpus.png((30000, 30000), 1, 0, b"", text))
    assert read_recipe(path) == RECIPE
    with pytest.raises(InputError, match="no recipe"):  # and not "cannot be decoded": it is not tried
        read_recipe(stored(tmp_path, corpus.png((30000, 30000), 1, 0, b"")))


def test_a_recipe_is_trimmed_never_refused() -> None:
    long = {
        "seed": 1,
        "losses": {str(n): float(n) for n in range(2000)},
        "style": "s" * 9000,
        "x": float("nan"),
    }
    text = recipe.to_text(long)
    assert len(text) <= recipe.MAX_BYTES and text.isascii()
    assert json.loads(text) == {"seed": 1, "x": None, "left_out": ["losses", "style"]}


def test_a_recipe_keeps_names_that_are_not_text(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff.jpg")
    save_picture(tmp_path / "a.png", smooth(), recipe={"content": name})
    assert read_recipe(tmp_path / "a.png") == {"content": name}


@pytest.mark.parametrize("text", ["[1]", '"text"', "{", "", "[" * 50_000, '{"a": "' + "x" * 70_000 + '"}'])
def test_a_foreign_recipe_that_is_no_small_object_is_refused(tmp_path: Path, text: str) -> None:
    chunk = corpus.chunk(b"iTXt", b"styler\0\0\0\0\0" + text.encode())
    path = stored(tmp_path, corpus.png(corpus.SIZE, 1, 0, b"", chunk))
    with pytest.raises(InputError, match="recipe"):
        read_recipe(path)


def test_credits_are_carried_without_control_characters(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("Copyright", "\x1b]0;title\x07me\u202e\n")
    info.add_itxt("Author", "\x1b\x07")
    picture = loaded(tmp_path, corpus.picture(), "PNG", pnginfo=info)
    assert picture.credits == {"copyright": "]0;titleme"}


def test_credits_are_carried_from_exif_on_one_line(tmp_path: Path) -> None:
    block = Image.Exif()
    block[ExifTags.Base.Copyright] = "me\n and\x00you"
    block[ExifTags.Base.Make] = "camera"
    picture = loaded(tmp_path, corpus.picture(), "JPEG", exif=block)
    assert list(picture.credits) == ["copyright"]
    assert picture.credits["copyright"].startswith("me and")
