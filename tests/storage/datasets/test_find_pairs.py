"""Datasets of pairs: every layout is found, and what does not fit is named."""

from __future__ import annotations

import json

import pytest
import torch
from pairs import belong, doubles, folders, inverse, opened, photo, photos_in, put
from PIL import Image

from styler.errors import InputError
from styler.options.translate import TrainTranslateOptions
from styler.storage.datasets.pairs import open_pairs, photo_pairs

# Layouts


LAYOUTS = {
    "A, B": lambda root: folders(root),
    "a, b in train": lambda root: folders(root / "train", "a", "b"),
    "trainA, trainB": lambda root: folders(root, "trainA", "trainB"),
    "train_label, train_photo": lambda root: folders(root, "train_label", "train_photo"),
    "train in A, B": lambda root: folders(root, "A/train", "B/train"),
    "any two": lambda root: folders(root, "drawings", "photos"),
    "nested": lambda root: folders(root, "A/x/y", "B/x/y"),
    "side by side": lambda root: doubles(root),
    "side by side in train": lambda root: doubles(root / "train"),
    "one folder too deep": lambda root: doubles(root / "facades" / "train"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_found(tmp_path, layout):
    LAYOUTS[layout](tmp_path)
    pairs = opened(tmp_path)
    assert len(pairs) == 6 and pairs.channels == (3, 3) and not pairs.notes
    assert belong(pairs)
    back = opened(tmp_path, direction="BtoA")
    assert torch.equal(back.batch(0, 2, 32).inputs, pairs.batch(0, 2, 32).targets)
    assert back.names == pairs.names[::-1] and len(set(pairs.names)) == 2


@pytest.mark.parametrize(
    ("train", "held"),
    [
        (lambda r: doubles(r / "train"), lambda r: doubles(r / "val", 3, 50)),
        (lambda r: doubles(r / "train"), lambda r: doubles(r / "test", 3, 50)),
        (lambda r: folders(r, "trainA", "trainB"), lambda r: folders(r, "testA", "testB", 3, 50)),
        (lambda r: folders(r, "A/train", "B/train"), lambda r: folders(r, "A/val", "B/val", 3, 50)),
        (lambda r: folders(r), lambda r: folders(r / "val", count=3, start=50)),
    ],
)
def test_a_validation_part_is_held_out(tmp_path, train, held):
    train(tmp_path)
    held(tmp_path)
    pairs = opened(tmp_path, validation=0.1)
    assert len(pairs) == 6 and len(pairs.held) == 3
    assert len(opened(tmp_path, validation=0.1, validation_most=2).held) == 2
    assert opened(tmp_path).held == []
    for pair in pairs.held:
        assert (pair.inputs + pair.targets - 1).abs().max() < 0.02


def test_val_is_preferred_to_test(tmp_path):
    for part, count in (("train", 5), ("test", 4), ("val", 2)):
        doubles(tmp_path / part, count)
    assert len(opened(tmp_path, validation=0.1).held) == 2


def test_lists_name_one_picture_a_line_or_two(tmp_path):
    folders(tmp_path / "there", "x", "y", 3)
    doubles(tmp_path / "double", 1, 9)
    lines = [f"there/x/{i:03}.png\tthere/y/{i:03}.png" for i in range(3)]
    (tmp_path / "pairs.txt").write_text("\n".join([*lines, "", "double/009.png"]))
    pairs = opened(tmp_path / "pairs.txt")
    assert len(pairs) == 4 and belong(pairs)
    (tmp_path / "three.txt").write_text("a\tb\tc")
    with pytest.raises(InputError, match="a line of 3 pictures"):
        opened(tmp_path / "three.txt")


def test_endings_do_not_matter(tmp_path):
    for index in range(3):
        put(tmp_path / "A" / f"{index}.JPG", photo(index))
        put(tmp_path / "B" / f"{index}.png", photo(index))
    assert len(opened(tmp_path)) == 3


NO_LABELS = (
    None,
    7,
    [["wall", "#0000ff"], ["window", "#0055ff"]],
    {"wall": "#0000ff"},
    {"wall": "#0000ff", "window": "blue"},
    {"wall": "#0000ff", "window": "#00f"},
    {"wall": "#0000ff", "window": "#0000FF"},
    {"wall": "#0000ff", "": "#0055ff"},
    {"wall": "#0000ff", "w" * 41: "#0055ff"},
    {"wall": "#0000ff", "win\ndow": "#0055ff"},
    {f"label {n}": f"#{n:06x}" for n in range(65)},
)


def test_how_styler_made_them_is_read(tmp_path):
    doubles(tmp_path)
    (tmp_path / "pairs.json").write_text('{"names": ["edges", "photo"], "condition": {"name": "edges"}}')
    pairs, back = opened(tmp_path), opened(tmp_path, direction="BtoA")
    assert pairs.names == ("edges", "photo") and pairs.condition == {"name": "edges"}
    assert back.names == ("photo", "edges") and back.condition is None
    assert list(pairs.tints) == []
    (tmp_path / "pairs.json").write_text('{"tints": [[0, 0.5, 1]]}')
    assert opened(tmp_path).tints == [[0, 0.5, 1]] and opened(tmp_path, direction="BtoA").tints == ()
    for wrong in ("[[0, 2, 1]]", "[[0, 1]]", "7", '[["a", "b", "c"]]'):
        (tmp_path / "pairs.json").write_text(f'{{"tints": {wrong}}}')
        assert opened(tmp_path).tints == ()
    labels = {"wall": "#0000ff", "window": "#0055FF"}
    (tmp_path / "pairs.json").write_text(json.dumps({"labels": labels}))
    assert opened(tmp_path).labels == labels and opened(tmp_path, direction="BtoA").labels == {}
    assert list(opened(tmp_path).labels) == ["wall", "window"]
    for bad in NO_LABELS:
        (tmp_path / "pairs.json").write_text(json.dumps({"labels": bad}))
        assert opened(tmp_path).labels == {}
    (tmp_path / "pairs.json").write_text("[")
    assert opened(tmp_path).condition is None


# What does not fit


def test_mismatches_are_named(tmp_path):
    folders(tmp_path)
    put(tmp_path / "A" / "lonely.png", photo(1))
    put(tmp_path / "B" / "widow.png", photo(1))
    put(tmp_path / "A" / "wide.png", photo(1, (60, 32)))
    put(tmp_path / "B" / "wide.png", photo(1))
    put(tmp_path / "A" / "large.png", photo(1, (80, 64)))
    put(tmp_path / "B" / "large.png", inverse(photo(1)))
    put(tmp_path / "A" / "torn.png", photo(1))
    (tmp_path / "B" / "torn.png").write_bytes(b"no picture")
    put(tmp_path / "A" / "000.jpg", photo(1))
    pairs = opened(tmp_path)
    told = "\n".join(pairs.notes)
    assert len(pairs) == 7
    assert "no partner in B: A/lonely.png" in told.replace("\\", "/")
    assert "no partner in A: B/widow.png" in told.replace("\\", "/")
    assert "different shapes" in told and "wide.png (60x32 and 40x32)" in told
    assert "shrunk to the smaller" in told and "large.png (80x64 and 40x32)" in told
    assert "cannot be read" in told and "torn.png" in told
    assert "another has its name: 000" in told


def test_many_mismatches_are_counted(tmp_path):
    folders(tmp_path)
    for index in range(10, 20):
        put(tmp_path / "A" / f"{index}.png", photo(0))
    (note,) = opened(tmp_path).notes
    assert "and 7 more" in note


def test_odd_and_high_pictures_side_by_side_are_told(tmp_path):
    doubles(tmp_path)
    put(tmp_path / "odd.png", photo(0, (81, 32)))
    put(tmp_path / "tall.png", photo(0, (32, 64)))
    pairs = opened(tmp_path)
    assert len(pairs) == 6
    assert any("even width: odd.png" in note for note in pairs.notes)
    assert any("side by side are wider than high" in n and n.endswith(": tall.png") for n in pairs.notes)


def test_square_pictures_are_no_pairs_unless_styler_made_them(tmp_path):
    """Photos that somebody took for pairs were learned as halves of themselves."""
    for index in range(3):
        put(tmp_path / f"{index}.png", photo(index, (32, 32)))
    with pytest.raises(InputError, match=r"no pair that can be used: left out, for two .* wider than high"):
        opened(tmp_path)
    (tmp_path / "pairs.json").write_text('{"layout": "side-by-side"}')
    assert len(opened(tmp_path)) == 3


NO_PICTURES = (
    "._00.png",
    ".cache/00.png",
    "m.safetensors.training/pairs.png",
    "m.safetensors.training/deep/x.png",
)


@pytest.mark.parametrize("layout", ["photos", "beside", "folders"])
def test_hidden_files_and_what_trainings_keep_are_no_pictures(tmp_path, layout):
    """So a training whose output lies among its pictures finds the same ones when it goes on."""
    if layout == "photos":
        photos_in(tmp_path, 4)
    else:
        (doubles if layout == "beside" else folders)(tmp_path, count=4)
    options = TrainTranslateOptions(crop=16, validation=0.0)

    def digest():
        if layout == "photos":
            return photo_pairs(str(tmp_path), "edges", options).digest()
        return open_pairs(str(tmp_path), options).digest()

    before = digest()
    for name in NO_PICTURES:
        put(tmp_path / name, photo(9))
    assert digest() == before


def test_one_pair_at_least_is_drawn(tmp_path):
    for count in (1, 2):
        pairs = opened(doubles(tmp_path / str(count), count), validation=0.9)
        assert (len(pairs), len(pairs.held)) == (1, count - 1)
        assert pairs.batch(0, 2, 16).inputs.shape == (2, 3, 16, 16)


def test_photos_that_cannot_be_read_are_told_before(tmp_path):
    photos_in(tmp_path, 4)
    (tmp_path / "empty.png").touch()
    put(tmp_path / "tiny.png", photo(0, (5, 5)))
    pairs = photo_pairs(str(tmp_path), "edges", TrainTranslateOptions(crop=16, validation=0.5))
    assert (len(pairs), pairs.held_count, len(pairs.held)) == (2, 2, 2)
    assert "left out" in pairs.notes[0] and "empty.png" in pairs.notes[0] and "tiny.png" in pairs.notes[0]
    for path in tmp_path.glob("0*.png"):
        path.unlink()
    with pytest.raises(InputError, match="no photo that can be used: left out"):
        photo_pairs(str(tmp_path), "edges", TrainTranslateOptions())


def test_what_is_transparent_is_white(tmp_path):
    """As `styler pairs` lays it, whatever color the file has there."""
    glass = Image.new("RGBA", (32, 32), (200, 30, 30, 0))
    glass.paste((0, 0, 0, 255), (0, 0, 8, 32))
    put(tmp_path / "A" / "x.png", glass)
    put(tmp_path / "B" / "x.png", photo(0, (32, 32)))
    pairs = opened(tmp_path, batch=1, jitter=1.0, mirror=False)
    inputs = pairs.batch(0, 1, 32).inputs
    assert inputs[..., :8].max() == 0 and inputs[..., 8:].min() == 1


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda root: root.mkdir(), "holds no pairs: give pictures A|B"),
        (lambda root: None, "no such file"),
        (lambda root: [put(root / n / "x.png", photo(0)) for n in "xyz"], "holds 3 folders"),
        (
            lambda root: [put(root / "A" / "x_a.png", photo(0)), put(root / "B" / "x_b.png", photo(0))],
            "no partner in B: A.x_a",
        ),
        (lambda root: put(root / "odd.png", photo(0, (81, 32))), "even width: odd.png"),
        (lambda root: (put(root / "A" / "x.png", photo(0)), (root / "B").mkdir()), "holds no pictures"),
    ],
)
def test_no_pairs_is_an_error(tmp_path, make, says):
    make(tmp_path / "set")
    with pytest.raises(InputError, match=says.replace("|", r"\|")):
        opened(tmp_path / "set")


def test_pictures_that_turn_out_torn_are_passed_over(tmp_path):
    doubles(tmp_path, 4)
    whole = (tmp_path / "001.png").read_bytes()
    (tmp_path / "001.png").write_bytes(whole[: len(whole) - 200])  # its header is well
    pairs = opened(tmp_path)
    for step in range(4):
        pairs.batch(step, 2, 32)
    assert len(pairs.skipped) == 1 and "001.png" in next(iter(pairs.skipped))
    for path in tmp_path.glob("*.png"):
        path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match="none of the 4 pairs can be read"):
        opened(tmp_path).batch(0, 1, 32)
