"""Labelled contact sheets: pictures in rows and columns on white, each fitted into its cell."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn import functional

from styler.storage.files import display

GAP = 8  # pixels around every cell and label
LABEL_CELLS = 1.5  # a row label takes at most this many cells of width

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def sheet(
    rows: Sequence[Sequence[Tensor]],
    *,
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    cell: int = 256,
) -> Tensor:
    """Lay out pictures, each [1, 3, h, w] in [0, 1], as one [1, 3, H, W] with square cells of `cell` pixels.

    Every picture keeps its aspect and touches its cell's longer side; rows may differ in length. A
    label that is too long is cut, with an ellipsis.
    """
    font = ImageFont.load_default(size=max(10, cell // 14))
    columns = max((len(row) for row in rows), default=0)
    names = [_cut(label, LABEL_CELLS * cell, font) for label in row_labels]
    heads = [_cut(label, cell, font) for label in column_labels]
    left = GAP + (max(round(font.getlength(name)) for name in names) + GAP if names else 0)
    top = GAP + (_line(font) + GAP if heads else 0)
    pitch = cell + GAP
    canvas = torch.ones(1, 3, top + len(rows) * pitch, left + columns * pitch)
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            _paste(canvas, _fit(picture, cell), left + x * pitch, top + y * pitch, cell)
    for y, name in enumerate(names):
        _write(canvas, name, GAP, top + y * pitch + (cell - _line(font)) // 2, font)
    for x, head in enumerate(heads):
        _write(canvas, head, left + x * pitch + (cell - round(font.getlength(head))) // 2, GAP, font)
    return canvas


def _fit(picture: Tensor, cell: int) -> Tensor:
    height, width = picture.shape[-2:]
    scale = cell / max(height, width)
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    image = picture.detach().float().cpu()
    return functional.interpolate(image, size=size, mode="bicubic", antialias=True).clamp(0, 1)


def _paste(canvas: Tensor, picture: Tensor, x: int, y: int, cell: int) -> None:
    """Draw a picture into the middle of the cell whose corner is (x, y)."""
    height, width = picture.shape[-2:]
    y, x = y + (cell - height) // 2, x + (cell - width) // 2
    canvas[..., y : y + height, x : x + width] = picture


def _write(canvas: Tensor, text: str, x: int, y: int, font: Font) -> None:
    """Draw one line of black text with its top left corner at (x, y), as far as it is on the canvas."""
    size = (max(1, round(font.getlength(text)) + 2), _line(font))
    ink = Image.new("L", size, 255)
    ImageDraw.Draw(ink).text((0, 0), text, fill=0, font=font)
    patch = torch.from_numpy(np.array(ink)).float().div_(255)
    place = canvas[..., y : y + size[1], x : x + size[0]]
    place.copy_(patch[: place.shape[-2], : place.shape[-1]].expand_as(place))


def _line(font: Font) -> int:
    """The height of a line with ascenders and descenders."""
    return round(font.getbbox("Ågjp|")[3]) + 2


def _plain(label: str) -> str:
    """ASCII, since Pillow's bundled font draws boxes for the rest: accents go, other scripts become "?"."""
    letters = unicodedata.normalize("NFKD", display(label))
    return "".join(c if c.isascii() else "?" for c in letters if not unicodedata.combining(c))


def _cut(label: str, width: float, font: Font) -> str:
    text = _plain(label)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."
