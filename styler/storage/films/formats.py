"""Formats of videos and animations, and which files are such; nothing is decoded."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from styler.errors import StylerError
from styler.storage import disk
from styler.storage.magic import GIF, HEAD_BYTES, kind_of

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


def is_film(path: Path | str) -> bool:
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
