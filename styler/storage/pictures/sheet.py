"""Contact sheets: pictures in rows and columns on white, with labels."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from styler.image.levels import to_unit
from styler.image.size import Size, resize
from styler.storage.names import display

GAP = 8  # pixels around every cell and label
_LABEL_CELLS = 1.5  # a row label takes at most this many cells of width

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def sheet(
    rows: Sequence[Sequence[Tensor]],
    *,
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    captions: Sequence[Sequence[str]] = (),
    cell: int | Size = 256,
    letters: int = 0,
) -> Tensor:
    """Lay out pictures, each [1, 3, h, w] in [0, 1], as one [1, 3, H, W] of cells.

    `cell` is the side of square ones in pixels, or height and width. Every picture keeps its aspect and is as
    large as fits into its cell; rows may differ in length. `letters` is the size of the font in pixels, 0 for
    one that suits the cells.
    `captions`, if there are any, stand under each picture, of several lines if they have any or are too long
    for one. A word or a label that is too long is cut, with an ellipsis.
    """
    high, wide = (cell, cell) if isinstance(cell, int) else cell
    font = ImageFont.load_default(size=letters or max(10, min(max(high, wide) // 14, wide // 9)))
    captions = [[_wrapped(text, wide, font) for text in row] for row in captions]
    columns = max((len(row) for row in rows), default=0)
    names = [_cut(label, _LABEL_CELLS * wide, font) for label in row_labels]
    left = GAP + (max(round(font.getlength(name)) for name in names) + GAP if names else 0)
    top = GAP + (_line(font) + GAP if column_labels else 0)
    lines = [max((text.count("\n") + 1 for text in row if text), default=0) for row in captions]
    lines += [0] * (len(rows) - len(lines))
    right, downs = wide + GAP, [high + GAP + count * _line(font) for count in lines]
    tops = [top, *(top + end for end in itertools.accumulate(downs))]
    canvas = torch.ones(1, 3, tops[-1], left + columns * right)
    for y, row in zip(tops, rows, strict=False):
        for x, picture in enumerate(row):
            _paste(canvas, _fit(picture, (high, wide)), left + x * right, y, (high, wide))
    for y, name in zip(tops, names, strict=False):
        _write(canvas, name, GAP, y + (high - _line(font)) // 2, font)
    for x, head in enumerate(column_labels):
        _center(canvas, head, left + x * right, GAP, wide, font)
    for y, texts in zip(tops, captions, strict=False):
        for x, caption in enumerate(texts):
            for index, text in enumerate(caption.split("\n")):
                _center(canvas, text, left + x * right, y + high + index * _line(font), wide, font)
    return canvas


def _fit(picture: Tensor, cell: tuple[int, int]) -> Tensor:
    height, width = picture.shape[-2:]
    scale = min(cell[0] / height, cell[1] / width)
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    return resize(picture.detach().float().cpu(), size)


def _paste(canvas: Tensor, picture: Tensor, x: int, y: int, cell: tuple[int, int]) -> None:
    """Draw a picture into the middle of the cell whose corner is (x, y)."""
    height, width = picture.shape[-2:]
    y, x = y + (cell[0] - height) // 2, x + (cell[1] - width) // 2
    canvas[..., y : y + height, x : x + width] = picture


def _center(canvas: Tensor, label: str, x: int, y: int, wide: int, font: _Font) -> None:
    """Draw a label above or below a cell so wide whose left edge is `x`, with its top at `y`."""
    text = _cut(label, wide, font)
    _write(canvas, text, x + (wide - round(font.getlength(text))) // 2, y, font)


def _write(canvas: Tensor, text: str, x: int, y: int, font: _Font) -> None:
    """Draw one line of black text with its top left corner at (x, y), as far as it is on the canvas."""
    if not text:
        return  # its white ground would lie on what is there
    size = (max(1, round(font.getlength(text)) + 2), _line(font))
    ink = Image.new("L", size, 255)
    ImageDraw.Draw(ink).text((0, 0), text, fill=0, font=font)
    patch = to_unit(torch.from_numpy(np.array(ink)))
    area = canvas[..., y : y + size[1], x : x + size[0]]
    area.copy_(patch[: area.shape[-2], : area.shape[-1]].expand_as(area))


def _line(font: _Font) -> int:
    """The height of a line with ascenders and descenders."""
    return round(font.getbbox("Ågjp|")[3]) + 2


def _wrapped(text: str, width: float, font: _Font) -> str:
    """A text in lines that are no longer than `width`, as far as words allow."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        lines.append("")
        for word in paragraph.split(" "):
            longer = f"{lines[-1]} {word}" if lines[-1] else word
            if lines[-1] and font.getlength(_plain(longer)) > width:
                lines.append(word)
            else:
                lines[-1] = longer
    return "\n".join(lines)


def _plain(label: str) -> str:
    """ASCII, since Pillow's bundled font draws boxes for the rest: accents go, other scripts become "?"."""
    letters = unicodedata.normalize("NFKD", display(label))
    return "".join(c if c.isascii() else "?" for c in letters if not unicodedata.combining(c))


def _cut(label: str, width: float, font: _Font) -> str:
    text = _plain(label)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."
