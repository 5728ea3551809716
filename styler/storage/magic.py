"""Identify a file by its magic bytes, and videos and animations by the endings of their names as well."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from styler.errors import StylerError
from styler.storage import disk

HEAD_BYTES = 512  # enough for every rule below
GIF = "a GIF picture"
HEIC = "a HEIC picture"
PICTURES = {f"a {name} picture" for name in ("PNG", "JPEG", "GIF", "TIFF", "WebP", "BMP")} | {
    HEIC,
    "an AVIF picture",
}

_TORCH7 = "a file of Torch7 (Lua), which PyTorch does not read"

# In order: the first match wins.
_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"GIF8", GIF),
    (0, b"II*\0", "a TIFF picture"),
    (0, b"MM\0*", "a TIFF picture"),
    (8, b"WEBP", "a WebP picture"),
    (4, b"ftypavi", "an AVIF picture"),
    (4, b"ftyphei", HEIC),
    (4, b"ftyphev", HEIC),
    (4, b"ftypmif1", HEIC),
    (4, b"ftypmsf1", HEIC),
    (4, b"ftyp", "an MP4 or QuickTime video"),
    (0, b"\xff\x0a", "a JPEG XL picture"),
    (4, b"JXL ", "a JPEG XL picture"),
    (4, b"jP  ", "a JPEG 2000 picture"),
    (0, b"8BPS", "a Photoshop file"),
    (0, b"%!PS", "a PostScript file"),
    (0, b"%PDF", "a PDF"),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR picture"),
    (8, b"AVI ", "an AVI video"),
    (8, b"WAVE", "a WAV sound"),
    (0, b"\x1a\x45\xdf\xa3", "a Matroska or WebM video"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"BZh", "a bzip2 archive"),
    (0, b"\xfd7zXZ\0", "an xz archive"),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"Rar!", "a RAR archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"\x03\0\0\0\x01\0\0\0", _TORCH7),
    (0, b"\x04\0\0\0\x01\0\0\0", _TORCH7),
    (0, b"4\n1\n3\nV ", _TORCH7),
    (0, b"version https://git-lfs", "a Git LFS pointer, in place of the file that 'git lfs pull' gets"),
    (0, b"\x80\x02", "a Python pickle, perhaps an old PyTorch checkpoint"),
    (0, b"\x7fELF", "a program"),
    (0, b"MZ", "a Windows program"),
    (0, b"BM", "a BMP picture"),
)


def kind_of(head: bytes) -> str | None:
    """The kind of a file by its first bytes, with an article ("a PNG picture"), or None if unknown."""
    if head.startswith(b"PK\x03\x04"):
        return "a PyTorch checkpoint" if b"/data.pkl" in head[:256] else "a ZIP archive"
    for offset, magic, kind in _MAGIC:
        if head.startswith(magic, offset):
            return kind
    if head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") < 1 << 40:
        return "a safetensors file"
    return _text_kind(head)


def _text_kind(head: bytes) -> str | None:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "an HTML page"
    if text.startswith((b"<svg", b"<?xml")):
        return "an SVG or XML file"
    if text.startswith((b"{", b"[")):
        return "a JSON file"
    return None


# Videos and animations

ANIMATIONS = {".gif": "GIF", ".webp": "WEBP", ".png": "PNG", ".apng": "PNG"}
"""The format of an animation that is written, by the ending of the file's name."""
CONTAINERS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
    ".avi": "avi",
}
"""The container of a video that is written, by the ending of the file's name."""


def is_video(path: Path | str) -> bool:
    """Whether this is a video or an animation: by the ending of its name, else by its first bytes.

    A GIF, WebP or PNG with one frame is a picture. Whatever cannot be opened is none.
    """
    ending = Path(path).suffix.lower()
    if ending in CONTAINERS:
        return True
    if ending in ANIMATIONS:
        return is_animated(path)
    try:
        return (kind_at(path) or "").endswith("video")
    except StylerError:
        return False


def is_animated(path: Path | str) -> bool:
    """Whether this is a GIF, WebP or PNG of several frames; what cannot be opened is not."""
    try:
        with disk.open_input(path) as file, Image.open(file, formats=[*set(ANIMATIONS.values())]) as image:
            return bool(getattr(image, "is_animated", False))
    except Exception:  # foreign bytes: Pillow raises half a dozen kinds
        return False


def kind_at(path: Path | str) -> str | None:
    """The kind of a file by its first bytes, None if unknown; raises InputError if it cannot be read."""
    with disk.open_input(path) as file:
        return kind_of(file.read(HEAD_BYTES))


def has_comment(source: Path | str) -> bool:
    """Whether this is a video or a GIF, whose recipe is in the comment."""
    kind = kind_at(source) or ""
    return kind == GIF or kind.endswith("video")
