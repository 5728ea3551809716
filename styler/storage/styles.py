"""Styles as they are named on the command line: a picture's file or the name of one of ours, and a weight."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection
from pathlib import Path

from styler.errors import InputError
from styler.options.fields import parse_weights
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


def painting_in(style: str, known: Callable[[], Collection[str]]) -> str:
    """The file of a painting in `--style` of a trained network, "" where all that it has are names.

    Args:
        style: as for `mix`, or a file, even with a weight.
        known: names of the installed styles, which go before files.

    Raises InputError for a file beside other styles.
    """
    if not style:
        return ""
    words = [style] if Path(style).is_file() else list(parse_weights(style, "style", "wave:0.6,ink:0.4"))
    files = [word for word in words if _is_file(word)]
    if files:  # only then is it worth reading what is installed
        names = known()
        files = [word for word in files if word not in names]
    if files and len(words) > 1:
        raise InputError(
            f"{display(files[0])} is learned as a network of its own, which has no other style to blend: "
            "name it alone, or train both into one network with styler train-fast --style A --style B"
        )
    return files[0] if files else ""


def _is_file(word: str) -> bool:
    """Whether a word is a file, or can be nothing else."""
    return os.sep in word or Path(word).suffix[1:].isalpha() or Path(word).is_file()


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
