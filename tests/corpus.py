"""Small bad and odd files, made on the fly: each names what a loader of pictures must do with it."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from styler.storage.pictures.load import Picture, load_picture

SIZE = (48, 32)  # width, height


@dataclass(frozen=True)
class Case:
    """`says` is a part of the refusal (for a bad file) or of a warning or note ("" for none wanted)."""

    name: str
    data: bytes
    says: str = ""


def picture(mode: str = "RGB", size: tuple[int, int] = SIZE) -> Image.Image:
    """A smooth picture without symmetry, so that turns and channel swaps show."""
    x, y = np.meshgrid(np.linspace(0, 1, size[0]), np.linspace(0, 1, size[1]))
    rgb = np.stack([x, y, x * y], axis=2)
    return Image.fromarray((rgb * 255).astype(np.uint8)).convert(mode)


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def stored(folder: Path, data: bytes, name: str = "a.png") -> Path:
    (folder / name).write_bytes(data)
    return folder / name


def noise(height: int = 24, width: int = 40, channels: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (1, channels, height, width), generator=generator) / 255


def smooth() -> torch.Tensor:
    levels = torch.from_numpy(np.array(picture())).permute(2, 0, 1)[None]
    return levels.float().div(255).contiguous()


def loaded(folder: Path, image: Image.Image, format: str = "PNG", **options: object) -> Picture:
    return load_picture(stored(folder, encoded(image, format, **options)))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(size: tuple[int, int], depth: int, color: int, raw: bytes, *more: bytes) -> bytes:
    """A PNG from its parts: bit depth, color type, filtered rows, further chunks before the data."""
    header = struct.pack(">IIBBBBB", *size, depth, color, 0, 0, 0)
    body = (
        chunk(b"IHDR", header) + b"".join(more) + chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b"")
    )
    return b"\x89PNG\r\n\x1a\n" + body


def deep_png(channels: int, size: tuple[int, int] = SIZE) -> bytes:
    """16 bits a channel, a ramp from 0 to 65535 in every channel: grey, grey+alpha, RGB or RGBA."""
    ramp = np.linspace(0, 65535, size[0]).astype(">u2")
    row = b"\0" + np.repeat(ramp[:, None], channels, axis=1).tobytes()
    return png(size, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], row * size[1])


def _torch_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("model/data.pkl", b"\x80\x02}.")
    return buffer.getvalue()


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("photo.jpg", b"x" * 100)
    return buffer.getvalue()


def _safetensors() -> bytes:
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(4)


def _zero_rows(size: tuple[int, int]) -> bytes:
    return bytes((size[0] // 8 + 1) * size[1])


def bad_files() -> list[Case]:
    """Files that are no usable pictures; a loader refuses each with one line that contains `says`."""
    good = encoded(picture(), "PNG")
    photo = encoded(picture(), "JPEG")
    middle = len(good) // 2
    flipped = good[:middle] + bytes([good[middle] ^ 0xFF]) + good[middle + 1 :]
    return [
        Case("empty.jpg", b"", "empty"),
        Case("one-byte.png", b"\x89", "not a picture"),
        Case("cut.png", good[:-200], "a PNG picture that"),
        Case("cut.jpg", photo[: len(photo) // 2], "a JPEG picture that"),
        Case("cut.webp", encoded(picture(), "WEBP")[:100], "a WebP picture that"),
        Case("cut.gif", encoded(picture(), "GIF")[:60], "a GIF picture that"),
        Case("cut.tif", encoded(picture(), "TIFF")[:300], "a TIFF picture that"),
        Case("cut.bmp", encoded(picture(), "BMP")[:100], "a BMP picture that"),
        Case("cut.avif", encoded(picture(), "AVIF")[:-50], "an AVIF picture that"),
        Case("header-only.png", good[:33], "a PNG picture that"),
        Case("flipped.png", flipped, "a PNG picture that"),
        Case("wrong-magic.png", b"X" + good[1:], "not a picture"),
        Case("noise.jpg", bytes(range(256)) * 8, "not a picture"),
        Case("page.jpg", b"\n<!DOCTYPE html><html><body>404</body></html>", "an HTML page"),
        Case("paper.png", b"%PDF-1.7\n%%EOF", "a PDF"),
        Case("drawing.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG"),
        Case("script.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "a PostScript file"),
        Case("photos.zip", _zip(), "a ZIP archive"),
        Case("photos.tar", b"photo.jpg".ljust(257, b"\0") + b"ustar\x0000" + bytes(1000), "a tar archive"),
        Case("photo.jpg.gz", b"\x1f\x8b\x08" + bytes(50), "a gzip archive"),
        Case("network.pth", _torch_zip(), "a PyTorch checkpoint"),
        Case("old.pth", b"\x80\x02}q\x00.", "a Python pickle"),
        Case("network.safetensors", _safetensors(), "a safetensors file"),
        Case("film.mp4", b"\0\0\0\x18ftypisom" + bytes(40), "video"),
        Case("psd.png", b"8BPS\0\1" + bytes(40), "a Photoshop file"),
        Case("options.json", b'{"seed": 1}', "a JSON file"),
        Case("1x1.png", encoded(picture(size=(1, 1)), "PNG"), "1x1, under 16 pixels"),
        Case("1x4096.png", encoded(picture(size=(1, 4096)), "PNG"), "under 16 pixels"),
        Case("15x15.png", encoded(picture(size=(15, 15)), "PNG"), "under 16 pixels"),
        Case("huge.png", png((30000, 30000), 1, 0, b"", chunk(b"tEXt", b"a\0b")), "over 200,000,000 pixels"),
        Case("header.png", png((2**31 - 1, 2**31 - 1), 8, 2, b""), "over 200,000,000 pixels"),
        Case("large.png", png((12000, 10000), 1, 0, b""), "12000x10000 pixels and the limit is 100,000,000"),
        Case("zero.png", png((0, 0), 8, 2, b""), "a PNG picture that"),
        Case("icc-bomb.png", png(SIZE, 1, 0, _zero_rows(SIZE), text_bomb(b"iCCP")), "a PNG picture that"),
        Case("text-bomb.png", png(SIZE, 1, 0, _zero_rows(SIZE), text_bomb(b"zTXt")), "a PNG picture that"),
    ]


def text_bomb(kind: bytes, size: int = 64 << 20) -> bytes:
    """A chunk of a few kB that unpacks to 64 MB."""
    return chunk(kind, b"bomb\0\0" + zlib.compress(bytes(size), 9))


def odd_files() -> list[Case]:
    """Files that are unusual but good; a loader takes each, with a warning or note that contains `says`."""
    frames = [picture(), picture().transpose(Image.Transpose.ROTATE_180)]
    animated = {"save_all": True, "append_images": frames[1:]}
    return [
        Case("wrong-ending.jpg", encoded(picture(), "PNG"), "PNG in spite"),
        Case("no-ending", encoded(picture(), "PNG")),
        Case("leading-pixels.ppm", encoded(picture(), "PPM")),
        Case("animated.gif", encoded(frames[0], "GIF", **animated), "several frames"),
        Case("animated.png", encoded(frames[0], "PNG", **animated), "several frames"),
        Case("animated.webp", encoded(frames[0], "WEBP", **animated), "several frames"),
        Case("pages.tif", encoded(frames[0], "TIFF", **animated), "several frames"),
        Case("phone.jpg", encoded(frames[0], "MPO", **animated)),
        Case(
            "broken-exif.jpg",
            encoded(picture(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01"),
            "EXIF",
        ),
        Case("broken-icc.jpg", encoded(picture(), "JPEG", icc_profile=b"garbage"), "profile is broken"),
        Case("deep.png", deep_png(3), "16 bits"),
        Case("plain-cmyk.jpg", encoded(picture("CMYK"), "JPEG"), "CMYK"),
        Case("thin.png", encoded(picture(size=(2048, 16)), "PNG")),
        Case("progressive.jpg", encoded(picture(), "JPEG", progressive=True)),
    ]


def file_names() -> list[bytes]:
    """Names that break careless programs; bytes, because a file name need not be text."""
    return [
        "Käthe 写真 😀.png".encode(),
        b"with space.png",
        b"new\nline.png",
        b"-leading-dash.png",
        b"100%d %s.png",
        b"{brace} {0}.png",
        b"x[/red].png",  # a folder and a file, which rich's markup would take for a tag
        b"\x1b[31mescape.png",
        b"not-utf8-\xff\xfe.png",
        b"n" * 240 + b".png",
    ]


def write_all(folder: Path, cases: list[Case]) -> list[Path]:
    """Write cases into `folder`; their paths in order."""
    for case in cases:
        (folder / case.name).write_bytes(case.data)
    return [folder / case.name for case in cases]


def write_names(folder: Path) -> list[Path]:
    """One good picture under every odd name that the file system takes."""
    data = encoded(picture(), "PNG")
    paths = [folder / os.fsdecode(name) for name in file_names()]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    return paths
