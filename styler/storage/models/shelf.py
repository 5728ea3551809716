"""Names of installed networks, read from the headers of their files in milliseconds, without torch."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from styler.errors import StylerError
from styler.storage import disk
from styler.storage.names import bundled, user_folder

_HEADER_BYTES = 1 << 20


class Names(NamedTuple):
    """What a header says: the model's name, its kind, the names of its styles, and a summary."""

    model: str
    kind: str
    styles: tuple[str, ...]
    summary: str


def names() -> list[Names]:
    """Names of all networks that are installed; a file that cannot be read is left out.

    Nothing is proved here, as in `library`, and this is for what a shell offers only.
    """
    folders = filter(None, (bundled(), user_folder("data", "models")))
    files = [sorted(folder.glob("*.safetensors"), key=lambda path: path.stem) for folder in folders]
    return [found for path in itertools.chain(*files) for found in _of(path)]


def styles() -> list[str]:
    """Names of the styles of all installed networks that paint photos."""
    return sorted({style for entry in names() if entry.kind == "transform" for style in entry.styles})


def _of(path: Path) -> Iterator[Names]:
    try:
        with disk.open_input(path) as file:
            size = int.from_bytes(file.read(8), "little")
            metadata = json.loads(file.read(min(size, _HEADER_BYTES)))["__metadata__"]
        card = json.loads(metadata["styler"])
        styles = tuple(str(style["name"]) for style in card["styles"])
        way = card["information"].get("translation", {})
        summary = ", ".join(styles) or f"{way.get('inputs')} -> {way.get('outputs')}"
        if card["kind"] == "enlarge":
            summary = f"enlarges x{card['network']['factor']}"
        yield Names(path.stem, str(card["kind"]), styles, summary)
    except (StylerError, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return
