"""Modes, orientation, transparency and color profiles."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import corpus
import numpy as np
import pytest
import torch
from corpus import loaded, smooth, stored
from PIL import ExifTags, Image, ImageCms, ImageOps

from styler.storage.pictures import modes
from styler.storage.pictures.load import load_picture, measure


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
        assert measure(tmp_path / "a.png") == (32, 48)


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
    picture = load_picture(path, long_side=24)
    assert picture.image.shape == (1, 3, 24, 16) and picture.alpha is not None
    assert picture.alpha.shape == (1, 1, 24, 16)
    assert picture.alpha[..., 0].mean() > 0.9 > 0.1 > picture.alpha[..., -1].mean()  # the top is on the right


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
    image = load_picture(stored(tmp_path, RAMPS[name])).image
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


def test_alpha_is_kept_beside_and_hidden_colors_do_not_leak(tmp_path: Path) -> None:
    values = np.zeros((32, 32, 4), np.uint8)
    values[:, :16] = (10, 200, 30, 255)
    values[:, 16:] = (255, 0, 255, 0)
    picture = loaded(tmp_path, Image.fromarray(values))
    assert picture.alpha is not None and picture.alpha[0, 0, 0].tolist() == [1.0] * 16 + [0.0] * 16
    assert torch.equal(as_pixel(picture.image), torch.tensor([10, 200, 30]) / 255)
    small = load_picture(tmp_path / "a.png", long_side=17)
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
    picture = load_picture(stored(tmp_path, corpus.png((32, 32), 16, 2, rows, mark)))
    assert picture.alpha is None and "16 bits" in picture.warnings[0]


def test_opaque_alpha_is_no_alpha(tmp_path: Path) -> None:
    assert loaded(tmp_path, corpus.picture("RGBA")).alpha is None


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


# Gamma, primaries and HDR of PNG


def with_chunks(*chunks: bytes, image: Image.Image | None = None) -> bytes:
    """A PNG with chunks behind its header."""
    data = corpus.encoded(image or corpus.picture(), "PNG")
    return data[:33] + b"".join(chunks) + data[33:]


def gama(gamma: float) -> bytes:
    return corpus.chunk(b"gAMA", struct.pack(">I", round(gamma * 100_000)))


def chrm(*points: float) -> bytes:
    return corpus.chunk(b"cHRM", struct.pack(">8I", *(round(100_000 * point) for point in points)))


SRGB = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
P3 = (0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)


@pytest.mark.parametrize("gamma", [0.35, 0.6, 1.0])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_pngs_of_one_picture_with_other_gammas_look_alike(tmp_path: Path, gamma: float, mode: str) -> None:
    """The same light, written as light to the power of the gamma."""
    right = np.array(corpus.picture().convert(mode))
    light = np.where(right <= 10, right / 255 / 12.92, ((right / 255 + 0.055) / 1.055) ** 2.4)
    stretched = Image.fromarray(np.round(255 * light**gamma).astype(np.uint8))
    loaded = load_picture(stored(tmp_path, with_chunks(gama(gamma), image=stretched)))
    off = as_levels(loaded.image).astype(int) - np.array(corpus.picture().convert(mode).convert("RGB"))
    assert np.abs(off).mean() < 3 and loaded.warnings == ()


def test_deep_gray_has_a_gamma_too(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 48).astype(">u2").tobytes()
    data = corpus.png((48, 32), 16, 0, (b"\0" + ramp) * 32, gama(1.0))
    image = load_picture(stored(tmp_path, data)).image
    assert image[0, 0, 0, 24] == pytest.approx(0.735, abs=0.01)  # half the light


@pytest.mark.parametrize(
    "chunks",
    [
        (gama(0.45455),),
        (gama(0.44),),
        (gama(1.0), corpus.chunk(b"sRGB", b"\0")),
        (gama(0.45455), chrm(*SRGB)),
        (chrm(*SRGB),),
    ],
)
def test_what_is_srgb_or_says_so_is_left_as_it_is(tmp_path: Path, chunks: tuple[bytes, ...]) -> None:
    plain = load_picture(stored(tmp_path, with_chunks())).image
    assert torch.equal(load_picture(stored(tmp_path, with_chunks(*chunks))).image, plain)


def test_other_primaries_are_brought_to_srgb(tmp_path: Path) -> None:
    """White and grays stay; a color of wider primaries is stronger than the same values of sRGB."""
    for color, right in (((200, 80, 60), (215, 71, 50)), ((90, 90, 90), (90, 90, 90))):
        data = with_chunks(chrm(*P3), image=Image.new("RGB", (32, 32), color))
        shown = as_levels(load_picture(stored(tmp_path, data)).image)[0, 0]
        assert shown.tolist() == pytest.approx(right, abs=6)


@pytest.mark.parametrize(
    ("chunk", "says"),
    [
        (gama(0), "gamma is 0, which cannot be"),
        (chrm(*8 * (0.3,)), "primaries cannot be"),
        (chrm(*8 * (0.0,)), "primaries cannot be"),
        (corpus.chunk(b"cICP", bytes([9, 16, 0, 1])), "it is HDR"),
    ],
)
def test_what_cannot_be_honored_is_told(tmp_path: Path, chunk: bytes, says: str) -> None:
    plain = load_picture(stored(tmp_path, with_chunks())).image
    picture = load_picture(stored(tmp_path, with_chunks(chunk)))
    assert torch.equal(picture.image, plain) and says in " ".join(picture.warnings)


def test_hdr_in_avif_is_told(tmp_path: Path) -> None:
    data = corpus.encoded(corpus.picture(), "AVIF")
    at = data.index(b"colrnclx") + 8
    assert load_picture(stored(tmp_path, data)).warnings == ()
    pq = data[:at] + bytes([0, 9, 0, 16]) + data[at + 4 :]
    assert any("it is HDR" in text for text in load_picture(stored(tmp_path, pq)).warnings)
