"""The styles that are installed, as a gallery."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, overload

from torch import Tensor

from styler.image.levels import to_unit
from styler.storage.models import library
from styler.storage.names import pictures
from styler.storage.pictures.load import load_picture
from styler.storage.pictures.save import encode_picture

_SIDE = 128


@dataclass(frozen=True, eq=False)
class StyleEntry:
    """A style that has a name.

    Attributes:
        name: as `paint` takes it if `kind` is "picture", as `fast` does if it is "trained".
        thumbnail: Image [1, 3, h, w] in [0, 1] of the style, None where a network brings none.
    """

    name: str
    kind: Literal["picture", "trained"]
    thumbnail: Tensor | None

    def __repr__(self) -> str:
        return f"<{self.name}: {'paint' if self.kind == 'picture' else 'fast'}>"

    def _repr_html_(self) -> str:
        function, image = "paint" if self.kind == "picture" else "fast", ""
        if self.thumbnail is not None:
            data = base64.b64encode(encode_picture(self.thumbnail, "JPEG", quality=85)).decode()
            image = f'<img alt="" height="{_SIDE}" src="data:image/jpeg;base64,{data}"><br>'
        name = html.escape(self.name)
        return f'<figure style="display:inline-block;margin:4px">{image}{name} ({function})</figure>'


class Styles(Sequence[StyleEntry]):
    """All styles: a sequence, a gallery in a notebook; `names` for one kind."""

    def __init__(self, entries: Sequence[StyleEntry]) -> None:
        self._entries = tuple(entries)

    @overload
    def __getitem__(self, index: int) -> StyleEntry: ...
    @overload
    def __getitem__(self, index: slice) -> Styles: ...
    def __getitem__(self, index: int | slice) -> StyleEntry | Styles:
        return Styles(self._entries[index]) if isinstance(index, slice) else self._entries[index]

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[StyleEntry]:
        return iter(self._entries)

    def names(self, kind: Literal["picture", "trained"]) -> list[str]:
        """Names of the style pictures, for `paint`, or of the trained styles, for `fast`."""
        return [entry.name for entry in self if entry.kind == kind]

    def __repr__(self) -> str:
        return f"paint: {', '.join(self.names('picture'))}\nfast: {', '.join(self.names('trained'))}"

    def _repr_html_(self) -> str:
        return "".join(entry._repr_html_() for entry in self)


def styles() -> Styles:
    """Styles that have a name: the trained ones, for `fast`, and the pictures, for `paint`."""
    trained = [
        StyleEntry(style.name, "trained", None if thumbnails is None else to_unit(thumbnails[index][None]))
        for entry in library.installed()
        if entry.card and entry.card.styles
        for thumbnails in [library.read_thumbnails(entry.path)]
        for index, style in enumerate(entry.card.styles)
    ]
    shipped = [
        StyleEntry(name, "picture", load_picture(path, long_side=_SIDE).image)
        for name, path in pictures().items()
    ]
    return Styles([*trained, *shipped])
