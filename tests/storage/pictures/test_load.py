"""Pictures in and out: every mode, orientation and profile, every bad file, and the recipe inside."""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO

import corpus
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms, ImageOps

from styler.errors import InputError, OutputError
from styler.storage import magic
from styler.storage.pictures import load, modes, recipe
from styler.storage.pictures.codec import SETTINGS

resource = pytest.importorskip("resource")  # no Windows: limits, FIFOs and sockets are tested here
ROOT = Path(__file__).parents[3]
RECIPE = {"command": "optimize", "seed": 3, "content": "Käthe 写真.jpg", "losses": {"content/relu4_2": 1.5}}
CREDITS = {"copyright": "(c) Käthe", "artist": "Käthe", "description": "A view"}
WRITTEN = sorted(set(load.FORMATS.values()))
BAD = corpus.bad_files()
ODD = corpus.odd_files()
GENTLE = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def stored(folder: Path, data: bytes, name: str = "a.png") -> Path:
    (folder / name).write_bytes(data)
    return folder / name


def loaded(folder: Path, image: Image.Image, format: str = "PNG", **options: object) -> load.Picture:
    return load.load(stored(folder, corpus.encoded(image, format, **options)))


def noise(height: int = 24, width: int = 40, channels: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (1, channels, height, width), generator=generator) / 255


def smooth() -> torch.Tensor:
    levels = torch.from_numpy(np.array(corpus.picture())).permute(2, 0, 1)[None]
    return levels.float().div(255).contiguous()


# Bad and odd files


@pytest.mark.parametrize("case", BAD, ids=[case.name for case in BAD])
def test_a_bad_file_is_refused_in_one_line_that_tells_what_it_is(tmp_path: Path, case: corpus.Case) -> None:
    with pytest.raises(InputError) as refusal:
        load.load(stored(tmp_path, case.data, case.name))
    message = str(refusal.value)
    assert case.name in message and case.says in message
    assert message.isprintable()


def test_codecs_print_nothing_about_a_bad_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    packed = bytearray(corpus.encoded(corpus.picture(), "TIFF", compression="tiff_adobe_deflate"))
    packed[12:40] = bytes(28)  # libtiff complains in C
    deep = bytearray(corpus.encoded(corpus.picture(), "TIFF"))
    place = deep.index(b"\x15\x01\x03\x00\x01\x00\x00\x00\x03")
    deep[place + 8 : place + 10] = b"\xff\xff"  # Pillow logs too many samples per pixel
    for data in (packed, deep):
        with pytest.raises(InputError):
            load.load(stored(tmp_path, bytes(data)))
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("PIL").handlers, "Python would print the log itself, if not under pytest"


@pytest.mark.parametrize("case", ODD, ids=[case.name for case in ODD])
def test_an_odd_file_is_taken_and_its_oddity_told(tmp_path: Path, case: corpus.Case) -> None:
    picture = load.load(stored(tmp_path, case.data, case.name))
    assert picture.image.dtype == torch.float32 and picture.image.is_contiguous()
    assert picture.image.min() >= 0 and picture.image.max() <= 1
    told = picture.warnings + picture.notes
    assert any(case.says in line for line in told) if case.says else not told


@pytest.mark.parametrize("name", [case.name for case in ODD if case.says == "several frames"])
def test_the_first_frame_of_an_animation_is_used(tmp_path: Path, name: str) -> None:
    case = next(case for case in ODD if case.name == name)
    picture = load.load(stored(tmp_path, case.data, case.name))
    assert (picture.image - smooth()).abs().mean() < 0.05  # GIF has 256 colors, WebP loses


@GENTLE
@given(data=st.data())
def test_no_bytes_make_the_loader_raise_anything_else(tmp_path: Path, data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(ODD[:12] + BAD[2:9]))
    broken = bytearray(case.data)
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, min(len(broken), 2000) - 1))
        broken[place] = data.draw(st.integers(0, 255))
    path = stored(tmp_path, bytes(broken[: data.draw(st.integers(0, len(broken)))]))
    for read in (load.load, load.read_recipe):
        try:
            read(path)
        except InputError as error:
            assert str(error).isprintable()


def test_every_kind_of_picture_that_is_read_is_told_by_its_first_bytes() -> None:
    for format in ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"):
        assert magic.kind_of(corpus.encoded(corpus.picture(), format)) in magic.PICTURES


def test_a_heic_picture_is_read_or_says_what_to_install(tmp_path: Path) -> None:
    path = stored(tmp_path, b"\0\0\0\x18ftypheic" + bytes(40), "phone.heic")
    with pytest.raises(InputError, match=r"HEIC picture that|styler\[heif\]"):
        load.load(path)


@pytest.mark.timeout(5)
def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(tmp_path)  # the name of a socket must be short
        server.bind("socket")
        for path in (tmp_path / "pipe", tmp_path / "socket", tmp_path, Path("/dev/null"), tmp_path / "none"):
            with pytest.raises(InputError):
                load.load(path)
    os.chdir(ROOT)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems restrict file names")
def test_every_file_name_is_read_and_shown_safely(tmp_path: Path) -> None:
    for path in corpus.write_names(tmp_path):
        assert load.load(path).name == path.name
        path.write_bytes(b"no picture")
        with pytest.raises(InputError) as refusal:
            load.load(path)
        assert str(refusal.value).isprintable()


# ru_maxrss would not do: a child begins with that of its parent.
PEAK = """
import sys
from pathlib import Path
from styler.errors import InputError
from styler.storage.pictures import load as images

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
"""

BOMBS = """
before = peak()
for path in sys.argv[1:]:
    try:
        images.load(path)
    except InputError:
        continue
    raise SystemExit(f"{path} was taken")
print(peak() - before)
"""


def kilobytes(code: str, *paths: Path) -> int:
    """What the code prints, in a new process: by how much its peak of memory rose."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PEAK + code, *map(str, paths)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_bombs_are_refused_in_little_memory(tmp_path: Path) -> None:
    bombs = [case for case in BAD if "bomb" in case.name or "00 pixels" in case.says]
    assert len(bombs) == 5
    assert kilobytes(BOMBS, *corpus.write_all(tmp_path, bombs)) < 300_000


def test_the_pixel_limit_is_ours_alone_and_can_be_raised(tmp_path: Path) -> None:
    path = stored(tmp_path, corpus.encoded(corpus.picture(), "PNG"))
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(InputError, match="--max-pixels"):
        load.load(path, max_pixels=48 * 32 - 1)
    assert before == Image.MAX_IMAGE_PIXELS
    assert load.load(path, max_pixels=48 * 32).image.shape == (1, 3, 32, 48)


def test_more_than_pillow_allows_is_read_when_the_limit_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # Pillow raises above twice that
    path = stored(tmp_path, corpus.encoded(corpus.picture(), "PNG"))
    assert load.load(path, max_pixels=2000).warnings == ()


def test_threads_take_turns_since_pillows_limit_is_global(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = stored(tmp_path, corpus.encoded(corpus.picture(), "PNG"))
    limits, limit, opened = [], Image.MAX_IMAGE_PIXELS, load._opened

    def slow(file: BinaryIO, head: bytes) -> Image.Image:
        time.sleep(0.01)
        limits.append(Image.MAX_IMAGE_PIXELS)
        return opened(file, head)

    monkeypatch.setattr(load, "_opened", slow)
    wanted = range(10_000, 10_008)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda maximum: load.load(path, max_pixels=maximum), wanted))
    assert sorted(limits) == list(wanted)
    assert limit == Image.MAX_IMAGE_PIXELS


def test_threads_with_one_limit_decode_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what another thread warns of meanwhile is not taken for the picture's."""
    path = stored(tmp_path, corpus.encoded(corpus.picture(), "PNG"))
    both, opened, limit = threading.Barrier(2), load._opened, Image.MAX_IMAGE_PIXELS
    told: list[str] = []

    def met(file: BinaryIO, head: bytes) -> Image.Image:
        both.wait(10)
        warnings.warn("of this thread", UserWarning, stacklevel=1)
        return opened(file, head)

    monkeypatch.setattr(load, "_opened", met)
    monkeypatch.setattr(warnings, "showwarning", lambda message, *_: told.append(str(message)))
    with ThreadPoolExecutor(2) as pool:
        for picture in pool.map(load.load, [path, path]):
            assert picture.warnings == ("of this thread",)
    assert (told, Image.MAX_IMAGE_PIXELS) == ([], limit)
    with SETTINGS.used(100), ThreadPoolExecutor(1) as pool:
        pool.submit(warnings.warn, "of another", UserWarning).result()
    assert told == ["of another"]


def test_levels_are_those_of_load(tmp_path: Path) -> None:
    for mode, format in (("RGB", "JPEG"), ("I;16", "PNG"), ("RGBA", "PNG")):
        path = stored(tmp_path, corpus.encoded(corpus.picture(mode), format))
        wanted = (load.load(path, long_side=30).on_white[0] * 255).round().to(torch.uint8)
        assert torch.equal(load.load_levels(path, 30), wanted)


# Orientation


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_all_eight_orientations_give_the_same_picture(tmp_path: Path, format: str) -> None:
    undo = {5: 5, 6: 8, 7: 7, 8: 6}
    for orientation in range(1, 9):
        turn = modes.TURNS.get(undo.get(orientation, orientation))
        image = corpus.picture() if turn is None else corpus.picture().transpose(turn)
        block = Image.Exif()
        block[ExifTags.Base.Orientation] = orientation
        picture = loaded(tmp_path, image, format, exif=block)
        reference = ImageOps.exif_transpose(Image.open(tmp_path / "a.png")).convert("RGB")
        assert picture.image.shape == (1, 3, 32, 48)
        assert (picture.image - smooth()).abs().mean() < 0.02
        assert np.array_equal(as_levels(picture.image), np.array(reference))
        assert load.measure(tmp_path / "a.png") == (32, 48)


def test_measuring_decodes_nothing_and_refuses_what_the_header_shows(tmp_path: Path) -> None:
    data = corpus.encoded(corpus.picture(), "PNG")
    cut = stored(tmp_path, data[: data.index(b"IDAT") + 8])
    assert load.measure(cut) == (32, 48)
    with pytest.raises(InputError, match="limit"):
        load.measure(cut, max_pixels=100)
    with pytest.raises(InputError, match="not a picture"):
        load.measure(stored(tmp_path, b"no"))


def as_levels(image: torch.Tensor) -> np.ndarray:
    return (image[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()


@pytest.mark.parametrize("value", [0, 9, 99, 65535])
def test_an_impossible_orientation_is_ignored(tmp_path: Path, value: int) -> None:
    block = Image.Exif()
    block[ExifTags.Base.Orientation] = value
    assert torch.equal(loaded(tmp_path, corpus.picture(), exif=block).image, smooth())


def test_alpha_turns_with_the_picture_and_shrinks_with_it(tmp_path: Path) -> None:
    image = corpus.picture("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(corpus.SIZE))
    block = Image.Exif()
    block[ExifTags.Base.Orientation] = 6
    path = stored(tmp_path, corpus.encoded(image, "PNG", exif=block))
    picture = load.load(path, long_side=24)
    assert picture.image.shape == (1, 3, 24, 16) and picture.alpha is not None
    assert picture.alpha.shape == (1, 1, 24, 16)
    assert picture.alpha[..., 0].mean() > 0.9 > 0.1 > picture.alpha[..., -1].mean()  # the top is on the right


# Modes


def ramp_files() -> dict[str, bytes]:
    """A horizontal ramp from black to white in every mode that a file can have."""
    grey = Image.fromarray(np.tile(np.linspace(0, 255, 64).astype(np.uint8), (16, 1)))
    deep = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (16, 1))
    unit = np.tile(np.linspace(0, 1, 64).astype(np.float32), (16, 1))
    plain = {mode: corpus.encoded(grey.convert(mode), "PNG") for mode in ("1", "L", "LA", "P", "RGB", "RGBA")}
    cmyk = Image.merge("CMYK", [Image.new("L", grey.size)] * 3 + [ImageOps.invert(grey)])
    lab = Image.merge("LAB", [grey, Image.new("L", grey.size, 128), Image.new("L", grey.size, 128)])
    tiff = {"CMYK": cmyk, "LAB": lab, "YCbCr": grey.convert("YCbCr"), "PA": grey.convert("P").convert("PA")}
    tiff |= {
        "I;16": Image.fromarray(deep),
        "I": Image.fromarray(deep.astype(np.int32)),
        "F": Image.fromarray(unit),
    }
    tiff |= {"I stretched": Image.fromarray(deep.astype(np.int32) * 1000 - 7)}
    tiff |= {"F stretched": Image.fromarray(unit * 300 - 20)}
    header = b"P5 64 16 65535\n"
    return {
        **plain,
        **{f"TIFF {mode}": corpus.encoded(image, "TIFF") for mode, image in tiff.items()},
        "TIFF I;16B": corpus.encoded(Image.fromarray(deep.astype(">u2")), "TIFF"),
        "PNG I;16": corpus.encoded(Image.fromarray(deep), "PNG"),
        "PPM I": header + deep.astype(">u2").tobytes(),
        "PFM F": b"Pf 64 16 -1.0\n" + unit.tobytes(),
        "JPEG L": corpus.encoded(grey, "JPEG"),
        "JPEG CMYK": corpus.encoded(cmyk, "JPEG"),
        "BMP": corpus.encoded(grey, "BMP"),
        "GIF": corpus.encoded(grey, "GIF"),
        **{f"PNG 16 bits x{n}": corpus.deep_png(n) for n in (1, 3)},
    }


RAMPS = ramp_files()


@pytest.mark.parametrize("name", RAMPS)
def test_a_ramp_stays_a_ramp_in_every_mode(tmp_path: Path, name: str) -> None:
    image = load.load(stored(tmp_path, RAMPS[name])).image
    columns = image.mean(dim=(0, 1, 2))
    if name == "1":
        assert set(image.unique().tolist()) == {0.0, 1.0}
        return
    assert columns[0] < 0.02 and columns[-1] > 0.98
    assert (columns.diff() >= -0.004).all()  # JPEG may ripple by one level
    if name != "TIFF LAB":  # its ramp is even in lightness, not in light
        assert (columns - torch.linspace(0, 1, len(columns))).abs().max() < 0.02


def test_16_bit_grey_keeps_its_65536_levels(tmp_path: Path) -> None:
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    image = loaded(tmp_path, Image.fromarray(levels)).image
    assert image.unique().numel() == 65536
    assert torch.allclose(image[0, 0], torch.from_numpy(levels.astype(np.float32)) / 65535, atol=1e-7)


def test_float_grey_that_is_not_finite_is_told(tmp_path: Path) -> None:
    values = np.full((16, 16), 0.5, np.float32)
    values[0, :2] = np.nan, np.inf
    picture = loaded(tmp_path, Image.fromarray(values), "TIFF")
    assert picture.image[0, 0, 0, :3].tolist() == [0, 0, 0.5]
    assert "not finite" in picture.warnings[0]


# Transparency


def test_alpha_is_kept_beside_and_hidden_colors_do_not_leak(tmp_path: Path) -> None:
    values = np.zeros((32, 32, 4), np.uint8)
    values[:, :16] = (10, 200, 30, 255)
    values[:, 16:] = (255, 0, 255, 0)
    picture = loaded(tmp_path, Image.fromarray(values))
    assert picture.alpha is not None and picture.alpha[0, 0, 0].tolist() == [1.0] * 16 + [0.0] * 16
    assert torch.equal(as_pixel(picture.image), torch.tensor([10, 200, 30]) / 255)
    small = load.load(tmp_path / "a.png", long_side=17)
    assert (small.image - torch.tensor([10, 200, 30]).view(1, 3, 1, 1) / 255).abs().max() < 0.01


def as_pixel(image: torch.Tensor) -> torch.Tensor:
    """The one color of a picture that has only one."""
    assert (image.amax(dim=(2, 3)) == image.amin(dim=(2, 3))).all()
    return image[0, :, 0, 0]


def test_hidden_parts_take_the_nearest_visible_color_on_large_pictures_too() -> None:
    rgb = np.zeros((40, 3000, 3), np.uint8)
    alpha = np.zeros((40, 3000), np.uint8)
    rgb[:, :100], rgb[:, -100:] = 50, 250
    alpha[:, :100] = alpha[:, -100:] = 255
    filled = modes.fill_hidden(rgb, alpha)
    assert (filled[:, :1400] == 50).all() and (filled[:, 1600:] == 250).all()
    assert (rgb[:, 100:-100] == 0).all(), "the argument was changed"


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_picture_without_anything_visible_becomes_grey(dtype: type) -> None:
    filled = modes.fill_hidden(np.ones((20, 20, 3), dtype), np.zeros((20, 20), np.uint8))
    assert filled.dtype == dtype
    assert filled.shape == (20, 20, 3) and np.allclose(filled, 128 if dtype == np.uint8 else 0.5)


@pytest.mark.parametrize("mode", ["P", "L", "RGB", "1", "I;16"])
def test_a_transparent_color_becomes_alpha(tmp_path: Path, mode: str) -> None:
    values = np.zeros((16, 32), np.uint8)
    values[:, 16:] = 255
    image = Image.fromarray(values).convert("L")
    if mode == "I;16":
        image = Image.fromarray(values.astype(np.uint16) * 257)
    elif mode == "P":
        image = image.quantize(2)
    else:
        image = image.convert(mode)
    white = {"P": image.getpixel((31, 0)), "RGB": (255, 255, 255), "I;16": 65535}.get(mode, 255)
    picture = loaded(tmp_path, image, transparency=1 if mode == "1" else white)
    assert picture.alpha is not None
    assert picture.alpha[0, 0, 0].tolist() == [1.0] * 16 + [0.0] * 16


def test_a_transparent_16_bit_color_is_not_sought_among_8_bit_ones(tmp_path: Path) -> None:
    rows = (b"\0" + b"\x00\x3c" * 48 + b"\x3c\x00" * 48) * 32  # 60 and 15360 of 65535: 0 and 60 of 255
    mark = corpus.chunk(b"tRNS", b"\x00\x3c" * 3)
    picture = load.load(stored(tmp_path, corpus.png((32, 32), 16, 2, rows, mark)))
    assert picture.alpha is None and "16 bits" in picture.warnings[0]


def test_opaque_alpha_is_no_alpha(tmp_path: Path) -> None:
    assert loaded(tmp_path, corpus.picture("RGBA")).alpha is None


# Color profiles


def swapped_profile() -> bytes:
    """An sRGB profile whose red and green primaries change places: what it does cannot be overlooked."""
    data = bytearray(modes.srgb_profile())
    tags = {bytes(data[i : i + 4]): i for i in range(132, 132 + 12 * int.from_bytes(data[128:132]), 12)}
    red, green = tags[b"rXYZ"], tags[b"gXYZ"]
    data[red : red + 4], data[green : green + 4] = data[green : green + 4], data[red : red + 4]
    return bytes(data)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "WEBP", "AVIF"])
def test_a_profile_is_honoured(tmp_path: Path, format: str) -> None:
    red = Image.new("RGB", (32, 32), (255, 0, 0))
    picture = loaded(tmp_path, red, format, icc_profile=swapped_profile())
    assert (picture.image.mean(dim=(0, 2, 3)) - torch.tensor([0.0, 1.0, 0.0])).abs().max() < 0.03
    assert not picture.warnings


def test_a_profile_is_as_imagecms_reads_it(tmp_path: Path) -> None:
    source = ImageCms.ImageCmsProfile(io.BytesIO(swapped_profile()))
    wanted = ImageCms.profileToProfile(
        corpus.picture(), source, ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    found = as_levels(loaded(tmp_path, corpus.picture(), icc_profile=swapped_profile()).image)
    assert np.abs(found.astype(int) - np.array(wanted)).mean() < 2


def cmyk_profile() -> bytes:
    """A small CMYK profile: an A2B0 table of 2 points a side from ink to Lab, made by hand."""
    table = []
    for index in range(16):
        c, m, y, k = (index >> shift & 1 for shift in (3, 2, 1, 0))
        lightness = 100 * (1 - k) * (1 - 0.3 * c) * (1 - 0.4 * m) * (1 - 0.1 * y)
        table += [lightness / 100 * 255, 128 + 60 * (m - c), 128 + 80 * y - 40 * c]
    ramps = bytes([0, 255])
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0])
    lut += b"".join(int(v * 65536).to_bytes(4) for v in (1, 0, 0, 0, 1, 0, 0, 0, 1))
    steps = bytes(range(256))
    lut += steps * 4 + bytes(max(0, min(255, round(v))) for v in table) + steps * 3
    assert len(ramps) == 2
    white = b"XYZ " + bytes(4) + b"".join(int(v * 65536).to_bytes(4) for v in (0.9642, 1.0, 0.8249))
    start = 128 + 4 + 2 * 12
    body = lut + bytes(-len(lut) % 4) + white
    tags = (2).to_bytes(4) + b"A2B0" + start.to_bytes(4) + len(lut).to_bytes(4)
    tags += b"wtpt" + (start + len(body) - len(white)).to_bytes(4) + len(white).to_bytes(4)
    header = bytearray(128)
    header[0:4] = (start + len(body)).to_bytes(4)
    header[8:12], header[12:24] = bytes.fromhex("02400000"), b"prtrCMYKLab "
    header[36:40], header[68:80] = b"acsp", white[8:]
    return bytes(header) + tags + body


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_goes_through_its_profile(tmp_path: Path, format: str) -> None:
    x, y = np.meshgrid(np.linspace(0, 255, 48), np.linspace(0, 255, 32))
    inks = np.stack([x, y, 255 - x, (x + y) / 4], axis=2).astype(np.uint8)
    image = Image.fromarray(inks, "CMYK")
    options = {"quality": 100} if format == "JPEG" else {}
    picture = loaded(tmp_path, image, format, icc_profile=cmyk_profile(), **options)
    source = ImageCms.ImageCmsProfile(io.BytesIO(cmyk_profile()))
    wanted = np.array(
        ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    )
    assert np.abs(as_levels(picture.image).astype(int) - wanted).mean() < 2
    assert np.abs(np.array(image.convert("RGB")).astype(int) - wanted).mean() > 10, "the test shows nothing"
    assert not picture.warnings


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_profile_that_does_not_fit_is_ignored_and_told(tmp_path: Path, mode: str) -> None:
    picture = loaded(tmp_path, corpus.picture(mode), icc_profile=cmyk_profile())
    assert "CMYK and does not fit" in picture.warnings[0]
    assert torch.equal(picture.image, loaded(tmp_path, corpus.picture(mode)).image)


def test_deep_grey_goes_through_its_profile_without_banding(tmp_path: Path) -> None:
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    picture = loaded(tmp_path, Image.fromarray(levels), icc_profile=swapped_profile())
    shallow = loaded(tmp_path, Image.fromarray((levels >> 8).astype(np.uint8)), icc_profile=swapped_profile())
    assert (picture.image - shallow.image).abs().max() < 2 / 255
    assert picture.image.unique().numel() > 10_000


# Size and memory


def test_a_long_side_shrinks_but_never_enlarges(tmp_path: Path) -> None:
    for format in ("PNG", "JPEG"):
        path = stored(tmp_path, corpus.encoded(corpus.picture(size=(1000, 601)), format))
        assert load.load(path, long_side=100).image.shape == (1, 3, 60, 100)
        assert load.load(path, long_side=4000).image.shape == (1, 3, 601, 1000)
    assert (load.load(path, long_side=100).image.mean() - load.load(path).image.mean()).abs() < 0.01


def test_a_long_side_keeps_the_short_one_usable(tmp_path: Path) -> None:
    path = stored(tmp_path, corpus.encoded(corpus.picture(size=(1000, 20)), "PNG"))
    assert load.load(path, long_side=100).image.shape == (1, 3, 16, 800)


SHRINK = """
images.load(sys.argv[1], long_side=64)
before = peak()
images.load(sys.argv[2], long_side=512)
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_50_megapixel_jpeg_is_shrunk_in_little_memory(tmp_path: Path) -> None:
    small = stored(tmp_path, corpus.encoded(corpus.picture(), "JPEG"), "small.jpg")
    large = stored(tmp_path, corpus.encoded(Image.new("RGB", (8660, 5774)), "JPEG"), "large.jpg")
    assert kilobytes(SHRINK, small, large) < 60_000  # whole it would be 150 MB of bytes and 600 MB of floats


# Saving


def test_save_then_load_is_exact_for_png(tmp_path: Path) -> None:
    image, alpha = noise(), noise(channels=1)
    load.save(tmp_path / "a.png", image, alpha=alpha, recipe=RECIPE)
    picture = load.load(tmp_path / "a.png")
    assert picture.alpha is not None and torch.equal(picture.alpha, alpha)
    visible = (alpha * 255 >= modes.HIDDEN).expand_as(image)
    assert torch.equal(picture.image[visible], image[visible])
    load.save(tmp_path / "b.png", image)
    assert torch.equal(load.load(tmp_path / "b.png").image, image)


@given(st.floats(-1, 2, width=32))
def test_values_are_rounded_to_the_nearest_level(value: float) -> None:
    decoded = Image.open(io.BytesIO(load.encode(torch.full((1, 3, 2, 2), value), "PNG")))
    level = decoded.getpixel((0, 0))[0]  # type: ignore[index]
    assert abs(level - min(max(value, 0), 1) * 255) <= 0.5001


@pytest.mark.parametrize("format", WRITTEN)
def test_every_format_has_the_picture_the_profile_and_the_same_bytes_twice(format: str) -> None:
    data = load.encode(smooth(), format, recipe=RECIPE, credits=CREDITS)
    assert data == load.encode(smooth(), format, recipe=RECIPE, credits=CREDITS)
    image = Image.open(io.BytesIO(data))
    assert image.info["icc_profile"] == modes.srgb_profile()
    found = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None] / 255
    assert (found - smooth()).abs().mean() < 0.01


def test_jpeg_keeps_full_color_resolution() -> None:
    image = Image.open(io.BytesIO(load.encode(smooth(), "JPEG")))
    assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3  # type: ignore[attr-defined]


@pytest.mark.parametrize("format", WRITTEN)
def test_alpha_of_another_size_is_put_back_or_laid_on_white(tmp_path: Path, format: str) -> None:
    alpha = torch.zeros(1, 1, 8, 8)
    alpha[..., :4] = 1
    path = tmp_path / f"a.{format.lower()}"
    load.save(path, torch.zeros(1, 3, 64, 64), alpha=alpha)
    picture = load.load(path)
    if format == "JPEG":
        assert picture.alpha is None
        assert picture.image[..., :20].max() < 0.05 and picture.image[..., -20:].min() > 0.95
    else:
        assert picture.alpha is not None and picture.alpha.shape == (1, 1, 64, 64)
        assert picture.alpha[..., :20].min() > 0.95 and picture.alpha[..., -20:].max() < 0.05


def test_the_profile_has_no_time_in_it() -> None:
    assert modes.srgb_profile()[24:36] == bytes([7, 208, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0])


def test_save_refuses_what_exists_unless_told(tmp_path: Path) -> None:
    load.save(tmp_path / "a.png", noise())
    with pytest.raises(OutputError, match="--overwrite"):
        load.save(tmp_path / "a.png", smooth())
    load.save(tmp_path / "a.png", smooth(), overwrite=True)
    assert torch.equal(load.load(tmp_path / "a.png").image, smooth())
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.png"]


def test_endings_are_checked_and_listed() -> None:
    assert load.format_of("x/Photo.JPeG") == "JPEG"
    for name in ("a", "a.gif", "a.png.txt", ".png"):
        with pytest.raises(OutputError, match=r"\.avif"):
            load.format_of(name)


def test_a_picture_too_large_for_its_format_is_an_output_error() -> None:
    with pytest.raises(OutputError, match=r"WEBP cannot hold this 16384x1 picture.*\.png"):
        load.encode(torch.zeros(1, 3, 1, 16384), "WEBP")


def test_dash_reads_and_writes_the_standard_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(isatty=lambda: False, buffer=out))
    load.save("-", smooth(), recipe=RECIPE)
    assert Image.open(io.BytesIO(out.getvalue())).format == "PNG"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(out.getvalue())))
    picture = load.load("-")
    assert torch.equal(picture.image, smooth()) and picture.name == "standard input"
    out.truncate(0)
    out.seek(0)
    load.save("-", smooth(), format="jpeg")
    assert Image.open(io.BytesIO(out.getvalue())).format == "JPEG"
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(isatty=lambda: True))
    with pytest.raises(OutputError, match="terminal"):
        load.save("-", smooth())


def test_a_full_disk_keeps_the_old_picture(tmp_path: Path) -> None:
    load.save(tmp_path / "a.png", smooth())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(OutputError, match="no space"):
            load.save(tmp_path / "a.png", noise(200, 200), overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert torch.equal(load.load(tmp_path / "a.png").image, smooth())


# Recipe and metadata


@pytest.mark.parametrize("format", WRITTEN)
def test_recipe_and_credits_come_back(tmp_path: Path, format: str) -> None:
    path = tmp_path / f"a.{format.lower()}"
    load.save(path, smooth(), recipe=RECIPE, credits=CREDITS, alpha=noise(32, 48, 1))
    assert load.read_recipe(path) == RECIPE
    picture = load.load(path)
    assert picture.credits == CREDITS
    assert not picture.warnings and not picture.notes
    data = path.read_bytes()
    assert b"compositeWithTrainedAlgorithmicMedia" in data
    assert b"Software" in data or b"styler 0." in data
    assert str(tmp_path).encode() not in data


@pytest.mark.parametrize("format", WRITTEN)
def test_without_recipe_there_is_no_metadata_in_the_bytes(tmp_path: Path, format: str) -> None:
    data = load.encode(smooth(), format, credits=CREDITS)
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
        load.read_recipe(stored(tmp_path, data))


def test_a_recipe_is_read_from_a_picture_of_any_size(tmp_path: Path) -> None:
    text = corpus.chunk(b"iTXt", b"styler\0\0\0\0\0" + json.dumps(RECIPE).encode())
    path = stored(tmp_path, corpus.png((30000, 30000), 1, 0, b"", text))
    assert load.read_recipe(path) == RECIPE
    with pytest.raises(InputError, match="no recipe"):  # and not "cannot be decoded": it is not tried
        load.read_recipe(stored(tmp_path, corpus.png((30000, 30000), 1, 0, b"")))


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
    load.save(tmp_path / "a.png", smooth(), recipe={"content": name})
    assert load.read_recipe(tmp_path / "a.png") == {"content": name}


@pytest.mark.parametrize("text", ["[1]", '"text"', "{", "", "[" * 50_000, '{"a": "' + "x" * 70_000 + '"}'])
def test_a_foreign_recipe_that_is_no_small_object_is_refused(tmp_path: Path, text: str) -> None:
    chunk = corpus.chunk(b"iTXt", b"styler\0\0\0\0\0" + text.encode())
    path = stored(tmp_path, corpus.png(corpus.SIZE, 1, 0, b"", chunk))
    with pytest.raises(InputError, match="recipe"):
        load.read_recipe(path)


def test_credits_are_carried_from_exif_on_one_line(tmp_path: Path) -> None:
    block = Image.Exif()
    block[ExifTags.Base.Copyright] = "me\n and\x00you"
    block[ExifTags.Base.Make] = "camera"
    picture = loaded(tmp_path, corpus.picture(), "JPEG", exif=block)
    assert list(picture.credits) == ["copyright"]
    assert picture.credits["copyright"].startswith("me and")


def test_sha256_is_that_of_the_file(tmp_path: Path) -> None:
    picture = loaded(tmp_path, corpus.picture())
    assert picture.sha256 == load.disk.sha256_of(tmp_path / "a.png")
    assert picture.name == "a.png"


# Sheets


def test_a_sheet_has_a_cell_for_each_picture_and_keeps_aspects() -> None:
    wide = torch.zeros(1, 3, 10, 40)
    tall = torch.zeros(1, 3, 40, 10)
    canvas = load.sheet([[wide, tall], [wide]], cell=64)
    assert canvas.shape == (1, 3, 8 + 2 * 72, 8 + 2 * 72)
    dark = canvas[0, 0] < 0.5
    assert dark[8 : 8 + 64, 8 : 8 + 64].sum() == 16 * 64
    assert dark[8 + 24, 8 : 8 + 64].all(), "the wide picture fills the width, in the middle"
    assert dark[8 : 8 + 64, 80 + 24].all(), "the tall picture fills the height"
    assert not dark[80:, 80:].any(), "the missing picture is white"


def test_a_sheet_writes_its_labels_outside_of_the_pictures() -> None:
    grey = torch.full((1, 3, 32, 32), 0.5)
    rows = [[grey] * 3] * 2
    plain = load.sheet(rows, cell=128)
    labelled = load.sheet(
        rows, cell=128, row_labels=["lr 0.1", "lr\n1.0"], column_labels=["a", "b" * 300, ""]
    )
    down, right = (labelled.shape[d] - plain.shape[d] for d in (2, 3))
    assert down > 0 and right > 0
    assert torch.equal(labelled[..., 8 + down :, 8 + right :], plain[..., 8:, 8:])
    assert labelled[..., : 8 + down, 8 + right :].min() < 0.2, "column labels are there"
    assert labelled[..., 8 + down :, : 8 + right].min() < 0.2, "row labels are there"


def test_a_label_that_the_font_cannot_draw_is_spelled_out() -> None:
    grey = torch.full((1, 3, 32, 32), 0.5)
    one, other = (load.sheet([[grey]], column_labels=[label]) for label in ("Käthe 写", "Kathe ?"))
    assert torch.equal(one, other)


def test_an_empty_sheet_is_white() -> None:
    assert (load.sheet([]) == 1).all()
