"""Where trained networks are, and which of them a name or a style means; their headers are read at most."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from styler.errors import CheckpointError, StylerError
from styler.plans import KINDS
from styler.storage.cards import USES, VGG, Card, weights
from styler.storage.header import SUFFIX, read_card, sealed
from styler.storage.names import bundled as _bundled
from styler.storage.names import display, nearest, pictures, user_folder

START = "cypresses"
"""The style from which paintings are learned: of those that come with styler, few steps lead farthest."""
Shelf = Literal["styler", "you", "learned"]
"""Where a model is from: it came with styler, was added by the user, or was learned by `styler fast`."""


@dataclass(frozen=True)
class Entry:
    """A model that is installed; `card` is None and `problem` says why where its file cannot be used."""

    name: str
    path: Path
    card: Card | None
    origin: Shelf
    problem: str = ""

    @property
    def bundled(self) -> bool:
        """Whether it came with styler."""
        return self.origin == "styler"


def folder() -> Path:
    """Where the user's models are kept: $STYLER_HOME/models, or the platform's place for data."""
    return user_folder("data", "models")


def learned_folder() -> Path:
    """Where networks are that `styler fast` has learned: $STYLER_HOME/learned, or the place for caches."""
    return user_folder("cache", "learned")


def files() -> Iterator[tuple[Path, Shelf]]:
    """The files of all models, and where they are from, sorted by name within each folder."""
    places: tuple[tuple[Path | None, Shelf], ...] = (
        (_bundled(), "styler"),
        (folder(), "you"),
        (learned_folder(), "learned"),
    )
    for place, shelf in places:
        for path in sorted(place.glob(f"*{SUFFIX}"), key=lambda path: path.stem) if place else ():
            yield path, shelf


def entry(path: Path, shelf: Shelf, read: Callable[[Path], Card] = read_card) -> Entry:
    """A model as `read` finds it."""
    try:
        return Entry(path.stem, path, read(path), shelf)
    except (StylerError, OSError) as error:
        return Entry(path.stem, path, None, shelf, str(error))


def styles() -> list[str]:
    """Names of the styles of all installed networks that paint photos."""
    return sorted({style.name for card in cards("photo").values() for style in card.styles})


def cards(takes: str) -> dict[Path, Card]:
    """The cards of the models that take such input, from their headers; those that are learned have no name.

    A painting that was learned is found by the painting.
    """
    entries = (entry(path, shelf) for path, shelf in files() if shelf != "learned")
    usable = {one.path: one.card for one in entries if one.card and one.card.kind != VGG}
    return {path: card for path, card in usable.items() if KINDS[card.kind].takes == takes}


def _is_whole(path: Path) -> bool:
    """Whether a file of ours is as it was written."""
    try:
        sealed(path)
    except (StylerError, OSError):
        return False
    return True


def called(path: Path | str) -> str:
    """By what a model is found again: its name if it is installed, else its path."""
    path = Path(path)
    return display(path.stem if path.parent in (folder(), learned_folder(), _bundled()) else path)


def require_use(path: Path | str, card: Card, wanted: Literal["photo", "pair", "small"]) -> None:
    """Raise CheckpointError, which names the right command, for a network that takes something else."""
    if card.takes != wanted:
        kind, command = USES[card.takes]
        raise CheckpointError(
            f"{display(Path(path).name)} is {kind}, not {USES[wanted][0]}: {command} {called(path)} takes it"
        )


def locate(model: str, style: str) -> Path:
    """Find the file of a model's name or path; without one, of the only network that has all the styles.

    `style` is as for `mix`. Without either it is the only network that is installed.
    Headers are read at most; of several networks with the styles, damaged ones do not count.

    Raises:
        CheckpointError: if there is none, with the nearest names, or more than one.
    """
    if model:
        return named(model, [path.stem for path, _ in files()])
    usable = cards("photo")
    if not usable:
        raise CheckpointError(
            "no style network is installed: styler train-fast makes one, or give --model FILE"
        )
    if not style and len(usable) > 1:
        raise CheckpointError(f"there are several styles: choose with --style from {', '.join(styles())}")
    names = weights(style).keys() if style else set()
    fitting = [path for path, card in usable.items() if names <= {known.name for known in card.styles}]
    if not fitting:
        raise CheckpointError(_unheld(names, usable.values()))
    if style and len(fitting) > 1:
        fitting = [path for path in fitting if _is_whole(path)] or fitting[:1]
    if style and len(fitting) > 1:
        listed = ", ".join(path.stem for path in fitting)
        raise CheckpointError(f"several networks have style {style}: choose with --model one of {listed}")
    return fitting[0]


def locate_start(name: str = "") -> tuple[Path, str]:
    """Find the network whose weights a training begins with, and the style of it that is meant, "" for all.

    Args:
        name: of a network, a path, or of a style; without it, the style is `START`, or any.

    Raises:
        CheckpointError: if there is none, with the nearest names.
    """
    networks = [path.stem for path, _ in files()]
    if name and (name in networks or name not in styles()):
        return named(name, networks), ""
    if name:
        return locate("", name), name
    known = [(path, style.name) for path, card in cards("photo").items() for style in card.styles]
    if known:
        return min(known, key=lambda one: one[1] != START)
    raise CheckpointError("no style network is installed to start from: styler train-fast makes one")


def locate_generator(checkpoint: str) -> Path:
    """Find the file of a translator's name or path; without one, the only translator that is installed.

    Raises:
        CheckpointError: if there is none, with the nearest names, or more than one.
    """
    usable = [path.stem for path in cards("pair")]
    if checkpoint:
        return named(checkpoint, usable)
    if len(usable) == 1:
        return named(usable[0], usable)
    raise CheckpointError(
        f"there are several translators: choose with --checkpoint one of {', '.join(usable)}"
        if usable
        else "no translator is installed: styler train-translate makes one, or give --checkpoint FILE"
    )


def named(model: str, likely: Iterable[str]) -> Path:
    """The file of that name or path; if there is none, CheckpointError names `likely` ones."""
    for path, _ in files():
        if path.stem == model:
            return path
    if Path(model).suffix or Path(model).is_file():
        return Path(model)
    raise CheckpointError(f"no model is called '{display(model)}'{nearest(model, likely)}")


def _other_use(name: str) -> str:
    """What a name is that is no style's, in a part of a message."""
    if name in pictures():
        return ", which is a style picture for styler optimize"
    for path, shelf in files():
        card = entry(path, shelf).card
        if path.stem == name and card and card.takes != "photo":
            kind, command = USES[card.takes]
            return f", which is {kind} for {command} {name}"
    return ""


def _unheld(names: Iterable[str], usable: Iterable[Card]) -> str:
    """Why no network has the styles: one that none has, or no network that has all."""
    known = [style.name for card in usable for style in card.styles]
    for name in names:
        if name not in known:
            return f"no installed network has style '{display(name)}'{_other_use(name)}{nearest(name, known)}"
    return (
        f"no one network has all of {', '.join(names)}, and only styles of one can be blended: styler models"
    )
