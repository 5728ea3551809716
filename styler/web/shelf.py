"""The pictures of a session, in its private folder: what was dropped on the page, by id."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from styler.errors import InputError
from styler.image.size import Size, fit, resize, size_of
from styler.storage import disk
from styler.storage.magic import HEAD_BYTES, kind_of
from styler.storage.names import cut, one_line
from styler.storage.pictures.load import Picture, load_picture, measure, read_recipe
from styler.storage.pictures.save import encode_picture

MAX_BYTES = 50_000_000
"""Of one file."""
_SIDE = 1280
"""Longest side in pixels of what the page shows of a photo."""
_MOST = 200
"""Pictures that are kept; the oldest go first."""
_MOST_BYTES = 2_000_000_000


@dataclass(frozen=True)
class Upload:
    """A picture that was dropped on the page.

    Attributes:
        shown: what the page shows of it: a JPEG, upright, on white.
        recipe: what the file says of how it was made, which is foreign data; None for photos.
    """

    id: str
    path: Path
    size: Size
    shown: bytes
    recipe: dict[str, Any] | None
    notes: tuple[str, ...]


class Shelf:
    """Pictures in folders of their own below `folder`; an id never becomes part of a path."""

    def __init__(self, folder: Path, max_pixels: int) -> None:
        self._folder, self._max_pixels = folder, max_pixels
        self._uploads: dict[str, Upload] = {}

    def add(self, name: str, data: bytes, used: Collection[str] = ()) -> Upload:
        """Keep a picture and look at it; the oldest go if there is no room, but for those `used`.

        Raises InputError for what is no picture, or too large.
        """
        identity = secrets.token_hex(8)
        path = self._folder / identity / file_name(name, data)
        path.parent.mkdir()
        disk.write(path, data)
        try:
            size = measure(path, max_pixels=self._max_pixels)
            picture = load_picture(path, max_pixels=self._max_pixels, long_side=min(_SIDE, max(size)))
        except InputError:
            shutil.rmtree(path.parent)
            raise
        upload = Upload(identity, path, size, shown(picture), _recipe(path), picture.warnings)
        self._uploads[identity] = upload
        self._make_room(used)
        return upload

    def __getitem__(self, identity: object) -> Upload:
        """The picture of an id; raises InputError if there is none."""
        upload = self._uploads.get(identity) if isinstance(identity, str) else None
        if upload is None:
            raise InputError("this picture is no longer here: drop it once more")
        return upload

    def _make_room(self, used: Collection[str]) -> None:
        uploads = list(self._uploads.values())
        sizes = {upload.id: upload.path.stat().st_size for upload in uploads}
        for upload in uploads[:-1]:
            if len(sizes) <= _MOST and sum(sizes.values()) <= _MOST_BYTES:
                return
            if upload.id not in used:
                del self._uploads[upload.id], sizes[upload.id]
                shutil.rmtree(upload.path.parent)


def file_name(name: str, data: bytes) -> str:
    """A file's name out of what a browser calls it: its last part, letters and a few marks, real ending."""
    stem = re.sub(r"[^\w .()+-]", "_", one_line(re.split(r"[/\\]", name)[-1]))
    stem = cut(stem.rpartition(".")[0] or stem, 100).strip(" .") or "picture"
    words = (kind_of(data[:HEAD_BYTES]) or "").split()
    kind = words[1].lower() if len(words) == 3 else "png"
    return f"{stem}.{'jpg' if kind == 'jpeg' else kind}"


def shown(picture: Picture) -> bytes:
    """A picture on white as JPEG."""
    return encode_picture(picture.image, "JPEG", alpha=picture.alpha, quality=88)


def small(picture: Picture, side: int) -> bytes:
    """A picture on white as JPEG of that long side at most."""
    size = size_of(picture.image)
    image = resize(picture.image, fit(size, min(side, max(size))))
    return encode_picture(image, "JPEG", alpha=picture.alpha, quality=85)


def _recipe(path: Path) -> dict[str, Any] | None:
    try:
        return read_recipe(path)
    except InputError:
        return None
