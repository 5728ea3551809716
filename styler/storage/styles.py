"""Styles as they are named on the command line: a picture's file or the name of one of ours, and a weight."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from styler.errors import InputError
from styler.options.fields import parse_weights
from styler.plans import KINDS
from styler.storage.cards import USES
from styler.storage.models import shelf
from styler.storage.names import display, nearest, pictures, slug


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
    known, name = pictures(), slug(word)
    if found := known.get(name):
        return str(found)
    kind = next((kind for kind in map(partial(_as_network, name), shelf.names()) if kind), "no file")
    raise InputError(f"'{display(word)}' is {kind}, and no style picture{nearest(word, known)}")


def _as_network(name: str, network: shelf.Names) -> str:
    """What a name is of an installed network, with the command that takes it; "" if it is none of its."""
    if network.kind not in KINDS or name not in {network.model, *network.styles}:
        return ""
    takes = KINDS[network.kind].takes
    if takes == "photo":
        noun, command = "a trained style", "styler fast --style"
    else:
        noun, command = USES[takes]
    return f"{noun}, for {command}"


@dataclass(frozen=True)
class Asked:
    """What `--style` of a trained network asks for: styles by name, files of paintings, or both.

    Attributes:
        weights: of each, in the order in which they were given.
        paintings: those that are files, to be learned.
    """

    weights: Mapping[str, float]
    paintings: tuple[str, ...]

    @property
    def names(self) -> str:
        """The styles that have names, with weights above 0, as for `cards.shares`; "" if there are none."""
        named = [(word, weight) for word, weight in self.weights.items() if word not in self.paintings]
        return ",".join(f"{word}:{weight!r}" for word, weight in named if weight)

    @property
    def shown(self) -> str:
        """As it was given, but that files are named without their folders."""
        words = {word: Path(word).name if word in self.paintings else word for word in self.weights}
        if len(words) == 1:
            return "".join(words.values())
        return ",".join(f"{words[word]}:{weight:g}" for word, weight in self.weights.items())

    @property
    def label(self) -> str:
        """Names of all, for the names of outputs."""
        stems = {word: slug(Path(word).stem) if word in self.paintings else word for word in self.weights}
        return "-".join(stems.values())


def asked(style: str, known: Callable[[], Collection[str]]) -> Asked:
    """What `--style` of a trained network asks for; "" asks for nothing.

    Args:
        style: as for `cards.shares`, where files may stand for names; or one file, of whatever name.
        known: names of the installed styles, which go before files.

    Raises InputError as `parse_weights`.
    """
    if not style:
        return Asked({}, ())
    whole = Path(style).is_file()
    weights = {style: 1.0} if whole else parse_weights(style, "style", "wave:0.6,painting.jpg:0.4")
    files = [word for word in weights if _is_file(word)]
    names = known() if files else ()  # only then is it worth reading what is installed
    return Asked(weights, tuple(word for word in files if word not in names))


def _is_file(word: str) -> bool:
    """Whether a word is a file, or can be nothing else."""
    return os.sep in word or Path(word).suffix[1:].isalpha() or Path(word).is_file()
