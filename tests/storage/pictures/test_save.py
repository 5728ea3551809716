"""Saving: every format, the standard streams, full disks."""

from __future__ import annotations

import io
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from corpus import noise, smooth
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from styler.errors import OutputError
from styler.storage.pictures import modes
from styler.storage.pictures.encode import FORMATS, format_of
from styler.storage.pictures.load import load_picture
from styler.storage.pictures.save import encode_picture, save_picture

resource = pytest.importorskip("resource")  # no Windows: limits, FIFOs and sockets are tested here
RECIPE = {"command": "optimize", "seed": 3, "content": "Käthe 写真.jpg", "losses": {"content/relu4_2": 1.5}}
CREDITS = {"copyright": "(c) Käthe", "artist": "Käthe", "description": "A view"}
WRITTEN = sorted(set(FORMATS.values()))


def test_save_then_load_is_exact_for_png(tmp_path: Path) -> None:
    image, alpha = noise(), noise(channels=1)
    save_picture(tmp_path / "a.png", image, alpha=alpha, recipe=RECIPE)
    picture = load_picture(tmp_path / "a.png")
    assert picture.alpha is not None and torch.equal(picture.alpha, alpha)
    visible = (alpha * 255 >= modes.HIDDEN).expand_as(image)
    assert torch.equal(picture.image[visible], image[visible])
    save_picture(tmp_path / "b.png", image)
    assert torch.equal(load_picture(tmp_path / "b.png").image, image)


@given(st.floats(-1, 2, width=32))
def test_values_are_rounded_to_the_nearest_level(value: float) -> None:
    decoded = Image.open(io.BytesIO(encode_picture(torch.full((1, 3, 2, 2), value), "PNG")))
    level = decoded.getpixel((0, 0))[0]  # type: ignore[index]
    assert abs(level - min(max(value, 0), 1) * 255) <= 0.5001


@pytest.mark.parametrize("format", WRITTEN)
def test_every_format_has_the_picture_the_profile_and_the_same_bytes_twice(format: str) -> None:
    data = encode_picture(smooth(), format, recipe=RECIPE, credits=CREDITS)
    assert data == encode_picture(smooth(), format, recipe=RECIPE, credits=CREDITS)
    image = Image.open(io.BytesIO(data))
    assert image.info["icc_profile"] == modes.srgb_profile()
    found = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None] / 255
    assert (found - smooth()).abs().mean() < 0.01


def test_jpeg_keeps_full_color_resolution() -> None:
    image = Image.open(io.BytesIO(encode_picture(smooth(), "JPEG")))
    assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3  # type: ignore[attr-defined]


@pytest.mark.parametrize("format", WRITTEN)
def test_alpha_of_another_size_is_put_back_or_laid_on_white(tmp_path: Path, format: str) -> None:
    alpha = torch.zeros(1, 1, 8, 8)
    alpha[..., :4] = 1
    path = tmp_path / f"a.{format.lower()}"
    save_picture(path, torch.zeros(1, 3, 64, 64), alpha=alpha)
    picture = load_picture(path)
    if format == "JPEG":
        assert picture.alpha is None
        assert picture.image[..., :20].max() < 0.05 and picture.image[..., -20:].min() > 0.95
    else:
        assert picture.alpha is not None and picture.alpha.shape == (1, 1, 64, 64)
        assert picture.alpha[..., :20].min() > 0.95 and picture.alpha[..., -20:].max() < 0.05


def test_the_profile_has_no_time_in_it() -> None:
    assert modes.srgb_profile()[24:36] == bytes([7, 208, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0])


def test_save_refuses_what_exists_unless_told(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png", noise())
    with pytest.raises(OutputError, match="--overwrite"):
        save_picture(tmp_path / "a.png", smooth())
    save_picture(tmp_path / "a.png", smooth(), overwrite=True)
    assert torch.equal(load_picture(tmp_path / "a.png").image, smooth())
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.png"]


def test_endings_are_checked_and_listed() -> None:
    assert format_of("x/Photo.JPeG") == "JPEG"
    for name in ("a", "a.gif", "a.png.txt", ".png"):
        with pytest.raises(OutputError, match=r"\.avif"):
            format_of(name)


def test_a_picture_too_large_for_its_format_is_an_output_error() -> None:
    with pytest.raises(OutputError, match=r"WEBP cannot hold this 16384x1 picture.*\.png"):
        encode_picture(torch.zeros(1, 3, 1, 16384), "WEBP")


def test_dash_reads_and_writes_the_standard_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    monkeypatch.setattr(
        sys, "stdout", SimpleNamespace(isatty=lambda: False, writable=lambda: True, buffer=out)
    )
    save_picture("-", smooth(), recipe=RECIPE)
    assert Image.open(io.BytesIO(out.getvalue())).format == "PNG"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(out.getvalue())))
    picture = load_picture("-")
    assert torch.equal(picture.image, smooth()) and picture.name == "standard input"
    out.truncate(0)
    out.seek(0)
    save_picture("-", smooth(), format="jpeg")
    assert Image.open(io.BytesIO(out.getvalue())).format == "JPEG"
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(isatty=lambda: True, writable=lambda: True))
    with pytest.raises(OutputError, match="terminal"):
        save_picture("-", smooth())


def test_a_full_disk_keeps_the_old_picture(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png", smooth())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(OutputError, match="ulimit -f"):
            save_picture(tmp_path / "a.png", noise(200, 200), overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert torch.equal(load_picture(tmp_path / "a.png").image, smooth())
