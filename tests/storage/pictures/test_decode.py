"""Pillow's limits, warnings and standard error, among threads."""

from __future__ import annotations

import logging
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import corpus
import pytest
from corpus import stored
from PIL import Image

from styler.errors import InputError
from styler.storage.pictures import decode
from styler.storage.pictures.decode import SETTINGS
from styler.storage.pictures.load import load_picture


def test_codecs_print_nothing_about_a_bad_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    packed = bytearray(corpus.encoded(corpus.picture(), "TIFF", compression="tiff_adobe_deflate"))
    packed[12:40] = bytes(28)  # libtiff complains in C
    deep = bytearray(corpus.encoded(corpus.picture(), "TIFF"))
    place = deep.index(b"\x15\x01\x03\x00\x01\x00\x00\x00\x03")
    deep[place + 8 : place + 10] = b"\xff\xff"  # Pillow logs too many samples per pixel
    for data in (packed, deep):
        with pytest.raises(InputError):
            load_picture(stored(tmp_path, bytes(data)))
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("PIL").handlers, "Python would print the log itself, if not under pytest"


def test_the_pixel_limit_is_ours_alone_and_can_be_raised(tmp_path: Path) -> None:
    path = stored(tmp_path, corpus.encoded(corpus.picture(), "PNG"))
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(InputError, match="--max-pixels"):
        load_picture(path, max_pixels=48 * 32 - 1)
    assert before == Image.MAX_IMAGE_PIXELS
    assert load_picture(path, max_pixels=48 * 32).image.shape == (1, 3, 32, 48)


def test_more_than_pillow_allows_is_read_when_the_limit_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # Pillow raises above twice that
    path = stored(tmp_path, corpus.encoded(corpus.picture(), "PNG"))
    assert load_picture(path, max_pixels=2000).warnings == ()


def test_threads_take_turns_since_pillows_limit_is_global(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = stored(tmp_path, corpus.encoded(corpus.picture(), "PNG"))
    limits, limit, opened = [], Image.MAX_IMAGE_PIXELS, decode._opened

    def slow(file: BinaryIO, head: bytes) -> Image.Image:
        time.sleep(0.01)
        limits.append(Image.MAX_IMAGE_PIXELS)
        return opened(file, head)

    monkeypatch.setattr(decode, "_opened", slow)
    wanted = range(10_000, 10_008)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda maximum: load_picture(path, max_pixels=maximum), wanted))
    assert sorted(limits) == list(wanted)
    assert limit == Image.MAX_IMAGE_PIXELS


def test_threads_with_one_limit_decode_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what another thread warns of meanwhile is not taken for the picture's."""
    path = stored(tmp_path, corpus.encoded(corpus.picture(), "PNG"))
    both, opened, limit = threading.Barrier(2), decode._opened, Image.MAX_IMAGE_PIXELS
    told: list[str] = []

    def met(file: BinaryIO, head: bytes) -> Image.Image:
        both.wait(10)
        warnings.warn("of this thread", UserWarning, stacklevel=1)
        return opened(file, head)

    monkeypatch.setattr(decode, "_opened", met)
    monkeypatch.setattr(warnings, "showwarning", lambda message, *_: told.append(str(message)))
    with ThreadPoolExecutor(2) as pool:
        for picture in pool.map(load_picture, [path, path]):
            assert picture.warnings == ("of this thread",)
    assert (told, Image.MAX_IMAGE_PIXELS) == ([], limit)
    with SETTINGS.used(100), ThreadPoolExecutor(1) as pool:
        pool.submit(warnings.warn, "of another", UserWarning).result()
    assert told == ["of another"]
