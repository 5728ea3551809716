"""Datasets of pairs: every layout, what does not fit is named, and both pictures are cut alike."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from styler.errors import InputError
from styler.image.edges import Edges, draw
from styler.options.translate import TrainTranslateOptions
from styler.storage.datasets.pairs import PairSet, open_pairs, photo_pairs

SIZE = (40, 32)


def photo(seed: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """Smooth and colored; each seed another."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def inverse(picture: Image.Image) -> Image.Image:
    return picture.point([255 - level for level in range(256)] * 3)


def put(path: Path, picture: Image.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


def photos_in(root: Path, count: int) -> None:
    for index in range(count):
        put(root / f"{index:02}.png", photo(index))


def beside(*pictures: Image.Image) -> Image.Image:
    return Image.fromarray(np.concatenate([np.asarray(picture) for picture in pictures], 1))


def folders(root: Path, first: str = "A", second: str = "B", count: int = 6, start: int = 0) -> Path:
    """Photos and their inverses, of the same names, in two folders."""
    for index in range(start, start + count):
        put(root / first / f"{index:03}.png", photo(index))
        put(root / second / f"{index:03}.png", inverse(photo(index)))
    return root


def doubles(root: Path, count: int = 6, start: int = 0) -> Path:
    """The same side by side."""
    for index in range(start, start + count):
        put(root / f"{index:03}.png", beside(photo(index), inverse(photo(index))))
    return root


def opened(root: Path, processes: int = 1, **options) -> PairSet:
    return open_pairs(
        str(root), TrainTranslateOptions(**{"crop": 32, "batch": 2, "validation": 0.0, **options}), processes
    )


def belong(pairs: PairSet, side: int = 32) -> bool:
    """Whether targets are the inverses of their inputs, pixel on pixel."""
    batch = pairs.batch(3, 4, side)
    assert batch.inputs.shape == batch.targets.shape == (4, 3, side, side)
    assert batch.inputs.dtype == batch.targets.dtype == torch.float32
    return bool((batch.inputs + batch.targets - 1).abs().max() < 0.02)


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


def test_how_styler_made_them_is_read(tmp_path):
    doubles(tmp_path)
    (tmp_path / "pairs.json").write_text('{"names": ["edges", "photo"], "condition": {"name": "edges"}}')
    pairs, back = opened(tmp_path), opened(tmp_path, direction="BtoA")
    assert pairs.names == ("edges", "photo") and pairs.condition == {"name": "edges"}
    assert back.names == ("photo", "edges") and back.condition is None
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
    assert len(pairs) == 7
    assert any("even width: odd.png" in note for note in pairs.notes)
    assert any("really two pictures side by side: tall.png" in note for note in pairs.notes)


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


# Batches


def test_batches_are_functions_of_seed_and_step(tmp_path):
    folders(tmp_path)
    first, second = opened(tmp_path), opened(tmp_path)
    second.batch(0, 2, 32)
    one, other = first.batch(5, 2, 32), second.batch(5, 2, 32)
    assert torch.equal(one.inputs, other.inputs) and torch.equal(one.targets, other.targets)
    assert not torch.equal(one.inputs, first.batch(6, 2, 32).inputs)
    assert not torch.equal(one.inputs, opened(tmp_path, seed=1).batch(5, 2, 32).inputs)


def test_processes_see_together_what_one_sees(tmp_path):
    folders(tmp_path)
    alone = opened(tmp_path, batch=4).batch(3, 4, 32)
    two = [opened(tmp_path, 2, batch=2).batch(3, 2, 32, first) for first in (0, 2)]
    assert torch.equal(alone.targets, torch.cat([part.targets for part in two]))


def test_each_pair_comes_once_before_any_comes_again(tmp_path):
    for index in range(7):  # told apart by their mean
        put(tmp_path / "A" / f"{index}.png", photo(index))
        put(tmp_path / "B" / f"{index}.png", Image.new("RGB", SIZE, (20 * index, 0, 0)))
    pairs = opened(tmp_path, batch=1)
    seen = [round(float(pairs.batch(step, 1, 32).targets[0, 0].mean()) * 255 / 20) for step in range(21)]
    turns = [seen[:7], seen[7:14], seen[14:]]
    assert all(sorted(turn) == list(range(7)) for turn in turns)
    assert turns[0] != turns[1] != turns[2]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.floats(1, 4), st.booleans(), st.sampled_from([16, 24, 48]))
def test_jitter_and_mirror_are_the_same_for_both(places, step, jitter, mirror, side):
    assert belong(opened(places, jitter=jitter, mirror=mirror, seed=step), side)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    return folders(tmp_path_factory.mktemp("places"))


def test_without_jitter_and_mirror_a_square_is_as_it_is(tmp_path):
    put(tmp_path / "A" / "x.png", photo(0, (32, 32)))
    put(tmp_path / "B" / "x.png", photo(1, (32, 32)))
    pair = opened(tmp_path, jitter=1.0, mirror=False).batch(0, 1, 32)
    assert np.array_equal(
        (pair.targets[0] * 255).round().byte().permute(1, 2, 0), np.asarray(photo(1, (32, 32)))
    )


def test_mirroring_is_for_half_of_them(tmp_path):
    put(tmp_path / "A" / "x.png", photo(0, (32, 32)))
    put(tmp_path / "B" / "x.png", photo(0, (32, 32)))
    pairs = opened(tmp_path, jitter=1.0)
    still = opened(tmp_path, jitter=1.0, mirror=False).batch(0, 1, 32).inputs
    same = sum(torch.equal(pairs.batch(step, 1, 32).inputs, still) for step in range(40))
    assert 10 <= same <= 30


def test_labels_keep_their_colors(tmp_path):
    levels = np.random.default_rng(0).choice([0, 100, 200], (12, 15, 3)).astype(np.uint8)
    labels = Image.fromarray(levels).resize(
        (1500, 1200), Image.Resampling.NEAREST
    )  # over what photos are shrunk to
    put(tmp_path / "A" / "x.png", labels)
    put(tmp_path / "B" / "x.png", photo(0, (50, 40)))
    allowed = torch.tensor([0, 100, 200]) / 255
    batch = opened(tmp_path, labels=True, jitter=2.0).batch(0, 4, 24)
    assert torch.isin(batch.inputs, allowed).all()
    assert not torch.isin(opened(tmp_path, jitter=2.0).batch(0, 4, 24).inputs, allowed).all()
    (held,) = _held(tmp_path, labels=True)
    assert torch.isin(held.inputs, allowed).all()
    back = opened(tmp_path, labels=True, direction="BtoA").batch(0, 4, 24)
    assert not torch.isin(back.inputs, allowed).all()


def _held(root: Path, **options):
    for part in "AB":
        (root / "val" / part).mkdir(parents=True)
        (root / "val" / part / "v.png").write_bytes((root / part / "x.png").read_bytes())
    return opened(root, validation=0.5, **options).held


def test_some_are_held_out_and_never_drawn(tmp_path):
    for index in range(20):
        put(tmp_path / "A" / f"{index:02}.png", photo(index))
        put(tmp_path / "B" / f"{index:02}.png", Image.new("RGB", SIZE, (10 * index, 0, 0)))
    pairs = opened(tmp_path, validation=0.2)
    held = {round(float(pair.targets.mean((2, 3))[0, 0]) * 25.5) for pair in pairs.held}
    drawn = {
        round(float(v) * 25.5) for s in range(16) for v in pairs.batch(s, 2, 16).targets[:, 0].mean((1, 2))
    }
    assert len(held) == 4 and len(pairs) == 16 and len(drawn) == 16 and not held & drawn
    assert len(opened(tmp_path, validation=0.2, validation_most=2).held) == 2
    assert len(opened(tmp_path, validation=0.01)) == 20


def test_held_pairs_are_seen_at_the_size_of_crops(tmp_path):
    put(tmp_path / "A" / "x.png", photo(0, (200, 100)))
    put(tmp_path / "B" / "x.png", photo(0, (200, 100)))
    for name, size in (("long", (600, 100)), ("small", (24, 20))):
        put(tmp_path / "val" / "A" / f"{name}.png", photo(0, size))
        put(tmp_path / "val" / "B" / f"{name}.png", photo(0, size))
    shapes = {tuple(pair.inputs.shape[-2:]) for pair in opened(tmp_path, validation=0.5).held}
    assert shapes == {(32, 64), (20, 24)}


def test_the_digest_tells_datasets_apart_wherever_they_lie(tmp_path):
    one, two = folders(tmp_path / "one"), folders(tmp_path / "two")
    assert opened(one).digest() == opened(two).digest() != opened(one, validation=0.4).digest()
    folders(two, count=1, start=30)
    assert opened(one).digest() != opened(two).digest()


def test_threads_draw_the_same(places):
    pairs, found = opened(places), {}
    work = [threading.Thread(target=lambda s=s: found.update({s: pairs.batch(s, 2, 16)})) for s in range(8)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    other = opened(places)
    assert all(torch.equal(found[step].inputs, other.batch(step, 2, 16).inputs) for step in range(8))


# Photos


def test_photos_and_their_edges(tmp_path):
    for index in range(5):
        put(tmp_path / "in" / f"{index}.jpg", photo(index, (80, 60)))
    options = TrainTranslateOptions(crop=32, batch=2, validation=0.2, sigma=(1.0, 1.0))
    pairs = photo_pairs(str(tmp_path / "in"), "edges", options)
    assert pairs.channels == (1, 3) and pairs.names == ("edges", "photo") and len(pairs) == 4
    assert pairs.condition == {"name": "edges", "sigma": "1", "strong": 90.0, "weak": 75.0, "shortest": 10}
    batch = pairs.batch(0, 2, 32)
    assert batch.inputs.shape == (2, 1, 32, 32) and batch.targets.shape == (2, 3, 32, 32)
    assert set(batch.inputs.unique().tolist()) == {0.0, 1.0}
    (held,) = pairs.held
    assert torch.equal(held.inputs, draw(held.targets, Edges((1, 1)), 1.0))
    assert torch.equal(
        batch.inputs, photo_pairs(str(tmp_path / "in"), "edges", options).batch(0, 2, 32).inputs
    )


def test_photos_of_a_list_may_share_a_name(tmp_path):
    """Held out is one file, and not all that are called so."""
    paths = [tmp_path / place / f"{index}.png" for place in ("here", "there") for index in range(5)]
    for index, path in enumerate(paths):
        put(path, photo(index))
    listed = tmp_path / "photos.txt"
    listed.write_text("".join(f"{path}\n" for path in paths))
    pairs = photo_pairs(str(listed), "edges", TrainTranslateOptions(crop=16, validation=0.2))
    assert len(pairs) == 8 and len(pairs.held) == 2


def test_each_sample_draws_its_own_sigma(tmp_path):
    put(tmp_path / "x.png", photo(0, (64, 64)))
    options = TrainTranslateOptions(
        crop=64, batch=1, validation=0.0, sigma=(1.0, 8.0), jitter=1.0, mirror=False
    )
    pairs = photo_pairs(str(tmp_path), "edges", options)
    several = {tuple(pairs.batch(step, 1, 64).inputs.flatten().tolist()) for step in range(4)}
    assert len(several) > 1


def test_mirrored_edges_lie_on_mirrored_photos(tmp_path):
    """A picture that is bright at one end only, and whose edge is there."""
    ramp = np.zeros((40, 40, 3), np.uint8)
    ramp[:, 28:] = 255
    put(tmp_path / "x.png", Image.fromarray(ramp))
    options = TrainTranslateOptions(crop=40, batch=1, validation=0.0, sigma=(1.0, 1.0), jitter=1.0)
    pairs = photo_pairs(str(tmp_path), "edges", options)
    mirrored = 0
    for step in range(12):
        pair = pairs.batch(step, 1, 40)
        line = int(pair.inputs[0, 0, 20].argmin())
        ends = pair.targets[0, 0, 20, [0, -1]].tolist()
        assert abs(line - (28 if ends[1] else 11.5)) < 2
        mirrored += ends[0] == 1
    assert 0 < mirrored < 12


def test_no_photos_is_an_error(tmp_path):
    with pytest.raises(InputError, match="holds no pictures"):
        photo_pairs(str(tmp_path), "edges", TrainTranslateOptions())
