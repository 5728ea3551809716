"""Datasets: any layout of folders, the same crops for a seed and step, and no stop at a bad picture."""

import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from styler.errors import InputError
from styler.storage.datasets.photos import FLAT, Pictures, ahead, find, mixed


def paint(path: Path, size: tuple[int, int] = (60, 48), color: tuple[int, int, int] | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if color:
        Image.new("RGB", size, color).save(path)
    else:
        noise = np.random.default_rng(len(path.name)).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(noise).save(path)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in ("sea/a.png", "sea/deep/b.jpg", "town/c.PNG"):
        paint(tmp_path / "photos" / name)
    (tmp_path / "photos" / "sea" / "notes.csv").write_text("no picture")
    return tmp_path / "photos"


def test_finds_flat_nested_and_listed(photos: Path) -> None:
    assert [path.name for path in find(photos)] == ["a.png", "b.jpg", "c.PNG"]
    assert [path.name for path in find(photos / "town")] == ["c.PNG"]
    listing = photos.parent / "list.txt"
    listing.write_text("photos/sea\n\nphotos/town/c.PNG\n")
    assert find(listing) == find(photos)


def test_every_ending_that_is_painted_is_trained_on(photos: Path) -> None:
    for name in ("phone.HEIC", "d.jfif", "e.pgm"):
        (photos / "town" / name).write_bytes((photos / "town" / "c.PNG").read_bytes())
    assert {path.name for path in find(photos / "town")} == {"c.PNG", "phone.HEIC", "d.jfif", "e.pgm"}


def test_a_batch_is_an_image_in_range(photos: Path) -> None:
    batch = Pictures(photos).batch(0, 5, 32)
    assert batch.shape == (5, 3, 32, 32) and batch.dtype == torch.float32
    assert batch.min() >= 0 and batch.max() <= 1 and batch.std() > 0.05


def test_the_same_seed_and_step_give_the_same_crops(photos: Path) -> None:
    first, second = Pictures(photos, 3), Pictures(photos, 3, cache_bytes=0)
    second.batch(0, 2, 32)  # what came before does not matter, nor what is kept in memory
    assert torch.equal(first.batch(7, 4, 32), second.batch(7, 4, 32))
    assert not torch.equal(first.batch(7, 4, 32), first.batch(8, 4, 32))
    assert not torch.equal(first.batch(7, 4, 32), Pictures(photos, 4).batch(7, 4, 32))


def test_small_pictures_are_enlarged(tmp_path: Path) -> None:
    paint(tmp_path / "small.png", (20, 30))
    assert Pictures(tmp_path).batch(0, 1, 64).shape == (1, 3, 64, 64)


def test_a_crop_is_part_of_the_picture(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(200, dtype=np.uint8)[None, :, None], (50, 1, 3))
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    for crop in Pictures(tmp_path).batch(0, 20, 50):
        slope = (crop[0, 0].diff() * 255).round()
        assert (slope.abs() == 1).all() and slope.unique().numel() == 1


def test_large_folders_do_not_drown_small_ones(tmp_path: Path) -> None:
    paint(tmp_path / "few" / "red.png", color=(255, 0, 0))
    for i in range(16):
        paint(tmp_path / "many" / f"{i}.png", color=(0, 0, 255))
    reds = (Pictures(tmp_path).batch(0, 400, 16)[:, 0, 0, 0] > 0.5).sum()
    assert 50 <= reds <= 115  # 1 / (1 + sqrt(16)) of 400 is 80; one picture of 17 would be 24


def test_bad_pictures_are_skipped_and_named(photos: Path) -> None:
    (photos / "town" / "torn.jpg").write_bytes((photos / "sea" / "deep" / "b.jpg").read_bytes()[:300])
    (photos / "town" / "empty.png").write_bytes(b"")
    pictures = Pictures(photos)
    assert pictures.batch(0, 40, 16).shape[0] == 40
    assert sorted(Path(name).name for name in pictures.skipped) == ["empty.png", "torn.jpg"]
    assert "empty" in pictures.skipped[str(photos / "town" / "empty.png")]


def test_no_picture_at_all(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no pictures: give a folder"):
        Pictures(tmp_path)
    (tmp_path / "bad.png").write_bytes(b"")
    with pytest.raises(
        InputError, match=r"no pictures that can be read.* 1 cannot be, for example .*bad\.png is empty"
    ):
        Pictures(tmp_path).batch(0, 1, 16)
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(InputError, match="neither a folder nor a list"):
        Pictures(tmp_path / "binary.txt")


def test_mixed_takes_its_share_of_each(tmp_path: Path) -> None:
    paint(tmp_path / "a" / "red.png", color=(255, 0, 0))
    paint(tmp_path / "b" / "blue.png", color=(0, 0, 255))
    parts = [(Pictures(tmp_path / "a"), 3), (Pictures(tmp_path / "b"), 1)]
    batch = mixed(parts, 16)(5)
    assert Counter((batch[:, 0, 0, 0] > 0.5).tolist()) == {True: 3, False: 1}


def test_parts_of_a_batch_are_the_batch(photos: Path) -> None:
    pictures = Pictures(photos, 3)
    parts = [pictures.batch(2, 2, 32, first=first) for first in (0, 2)]
    assert torch.equal(torch.cat(parts), pictures.batch(2, 4, 32))


def test_pictures_are_held_out_where_there_are_enough(tmp_path: Path) -> None:
    for i in range(40):
        paint(tmp_path / f"{i}.png", (16, 16), (0, 0, 255))
    few, many = Pictures(tmp_path, hold_out=3), Pictures(tmp_path, hold_out=2)
    assert (len(few), len(few.held)) == (40, 3)
    assert (len(many), len(many.held)) == (38, 2)
    for path in many.held:
        paint(path, (16, 16), (255, 0, 0))
    assert many.batch(0, 200, 16)[:, 0].max() == 0


def test_digest_is_of_what_is_in_it(photos: Path) -> None:
    here = Pictures(photos).digest()
    assert Pictures(photos / "sea").digest() != here
    photos.rename(photos.parent / "elsewhere")
    assert Pictures(photos.parent / "elsewhere", 9).digest() == here


def test_ahead_gives_the_same_and_leaves_no_thread(photos: Path) -> None:
    pictures, before = Pictures(photos, 3), threading.active_count()
    with ahead(lambda step: pictures.batch(step, 2, 16), 2) as batches:
        for step in (0, 1, 2, 7, 3):  # in whatever order
            assert torch.equal(batches(step), Pictures(photos, 3).batch(step, 2, 16))
        assert threading.active_count() > before
    assert threading.active_count() == before


def test_ahead_works_while_its_caller_does() -> None:
    made = {step: threading.Event() for step in range(4)}
    with ahead(lambda step: made[step].set() or step if step in made else step, 2) as batches:
        assert batches(0) == 0
        assert made[1].wait(10) and made[2].wait(10)  # unasked
        assert not made[3].is_set()


def test_ahead_raises_where_the_batch_is_asked_for() -> None:
    def batch(step: int) -> int:
        if step == 1:
            raise InputError("torn")
        return step

    with ahead(batch, 2) as batches:
        assert batches(0) == 0
        with pytest.raises(InputError, match="torn"):
            batches(1)
        assert batches(2) == 2


def test_crops_of_one_color_are_passed_over(tmp_path: Path) -> None:
    """As on white paper; where there is nothing else they are taken."""
    for index in range(9):
        paint(tmp_path / f"flat{index}.png", color=(200, 200, 20 * index))
    assert Pictures(tmp_path).batch(0, 2, 16).std((2, 3)).max() < FLAT
    paint(tmp_path / "noise.png")
    assert Pictures(tmp_path).batch(0, 8, 16).std((2, 3)).amax(1).min() >= FLAT
