"""Batches of pairs: both pictures are cut alike, and all hangs on seed and step alone."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pairs import SIZE, belong, folders, opened, photo, put
from PIL import Image

from styler.errors import InputError
from styler.image.edges import Edges, draw
from styler.options.translate import TrainTranslateOptions
from styler.storage.datasets.pairs import photo_pairs

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


def test_pairs_with_recorded_labels_are_label_pictures(tmp_path):
    """Nobody needs to say --labels."""
    folders(tmp_path, count=1)
    values = np.random.default_rng(0).choice([0, 255], (9, 11, 3)).astype(np.uint8)
    put(tmp_path / "A" / "000.png", Image.fromarray(values).resize(SIZE, Image.Resampling.NEAREST))
    assert len(opened(tmp_path, jitter=2.0).batch(0, 4, 24).inputs.unique()) > 2
    (tmp_path / "pairs.json").write_text('{"labels": {"wall": "#000000", "window": "#ffffff"}}')
    assert opened(tmp_path, jitter=2.0).batch(0, 4, 24).inputs.unique().tolist() == [0, 1]
    back = opened(tmp_path, jitter=2.0, direction="BtoA").batch(0, 4, 24)
    assert len(back.inputs.unique()) > 2


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
