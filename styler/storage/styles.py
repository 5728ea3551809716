"""Styles as they are named on the command line: a picture's file or the name of one of ours, and a weight."""

from __future__ import annotations

import re
from pathlib import Path

from styler.errors import InputError
from styler.storage.names import bundled, display, nearest, slug


def weighted(word: str) -> tuple[str, float]:
    """File and weight of STYLE or STYLE:WEIGHT; a file that exists under the whole name has weight 1.

    Raises InputError for a name that is neither a file's nor one of our pictures'.
    """
    match = re.fullmatch(r"(.+):(\d+(?:\.\d*)?|\.\d+)", word, re.DOTALL)
    if match is None or Path(word).exists():
        return style_file(word), 1.0
    return style_file(match[1]), float(match[2])


def style_file(word: str) -> str:
    """The file of a style: the word itself, or our picture of that name if it is no file's."""
    if word == "-" or Path(word).exists() or not re.fullmatch(r"[\w-]+", word):
        return word
    known = pictures()
    if found := known.get(slug(word)):
        return str(found)
    kind = "a trained network, for styler fast --style" if slug(word) in _networks() else "no file"
    raise InputError(f"'{display(word)}' is {kind}, and no style picture{nearest(word, known)}")


def picture_name(file: str) -> str | None:
    """The name of the style picture of ours that a file is, None for other files."""
    return next((name for name, path in pictures().items() if str(path) == file), None)


def pictures() -> dict[str, Path]:
    """Style pictures that come with styler, by name."""
    return {slug(path.stem): path for path in _files(".jpg")}


def _networks() -> set[str]:
    return {path.stem for path in _files(".safetensors")}


def _files(suffix: str) -> list[Path]:
    folder = bundled()
    return sorted(path for path in folder.iterdir() if path.suffix == suffix) if folder else []
