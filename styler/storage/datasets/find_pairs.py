"""Where the pictures of a dataset of pairs lie, which of them belong together, and which do not fit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from styler.errors import InputError
from styler.image.size import Size
from styler.storage.datasets import photos as data
from styler.storage.names import display, is_private
from styler.storage.pictures.load import measure

RECORD = "pairs.json"
"""The file in which `styler pairs` tells how it made a dataset."""
RECORD_BYTES = 1 << 16
VALIDATION = ("val", "valid", "validation", "test")
"""What the part of a dataset that is not trained on is called; the first that is there is used."""
SIDES = ("a", "b")
NAMED = 3
"""How many of the pictures that have the same fault are named."""
LAYOUTS = "give pictures A|B side by side, or two folders A and B, trainA and trainB, or any two"

Place = tuple[Path, ...]
"""Where pairs lie: a folder of pictures side by side, or two folders."""


@dataclass(frozen=True)
class Entry:
    """A pair that was found: its name in the dataset, and its one picture, side by side, or its two."""

    name: str
    paths: Place


@dataclass(frozen=True)
class Found:
    """The pairs of a dataset to train on and those to validate with, what A and B are called, and notes."""

    entries: Sequence[Entry]
    validation: Sequence[Entry]
    names: tuple[str, str]
    notes: Sequence[str]
    condition: Mapping[str, Any] | None = None


def find_pairs(dataset: str) -> Found:
    """The pairs of a folder or list, without decoding any; their headers are read.

    Pictures side by side; or two folders A and B, trainA and trainB, or any two, matched by their names
    without ending. Folders train and val, or test, may lie in those or around them. A list has one picture
    side by side on a line, or two with a tab between.

    Raises:
        InputError: if there is no dataset, its layout is none of these, or none of its pairs fits.
    """
    root, faults = Path(dataset), _Faults()
    if not root.is_dir():
        entries, validation, names = _listed(root), list[Entry](), ("A", "B")
    else:
        place = _located(root, "train") or _located(root, "")
        if place is None:
            raise InputError(f"{display(root)} holds no pairs: {LAYOUTS}")
        held = next(filter(None, (_located(root, split) for split in VALIDATION)), None)
        entries, names = _entries(place, root, faults), _names(place)
        validation = _entries(held, root, faults) if held and held != place else []
        kept = set(validation)  # a folder may lie in another
        entries = [entry for entry in entries if entry not in kept]
    fitting, more = ([entry for entry in part if _fits(entry, faults)] for part in (entries, validation))
    if not fitting:
        raise InputError(f"{display(root)} has no pair that can be used: {faults.first or LAYOUTS}")
    record = read_record(root)
    called = record.get("names")
    if isinstance(called, list) and len(called) == 2:
        names = (str(called[0]), str(called[1]))
    condition = record.get("condition")
    return Found(fitting, more, names, faults.notes, condition if isinstance(condition, dict) else None)


class _Faults:
    """What does not fit, by kind of fault."""

    def __init__(self) -> None:
        self.found: dict[str, list[str]] = {}

    def add(self, fault: str, name: str) -> None:
        """The picture or pair of that name has that fault."""
        self.found.setdefault(fault, []).append(display(name))

    @property
    def notes(self) -> list[str]:
        """A sentence for each fault, with some of those that have it."""
        return [_told(fault, names) for fault, names in self.found.items()]

    @property
    def first(self) -> str:
        """The first of them."""
        return self.notes[0] if self.found else ""


def _told(fault: str, names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{fault}: {', '.join(names[:NAMED])}{more}"


# Where they lie


def _located(folder: Path, split: str) -> Place | None:
    """Where the pairs of a split ("train", "val", or "" for all) lie in a folder, None if nowhere."""
    inside = _folders(folder)
    if split:
        begun = [path for name, path in inside.items() if name.startswith(split) and name != split]
        if len(begun) == 2:
            return begun[0], begun[1]  # trainA and trainB, train_label and train_photo
        if split in inside:
            return _located(inside[split], "")
        if all(side in inside for side in SIDES):
            parts = [_folders(inside[side]).get(split) for side in SIDES]
            return (parts[0], parts[1]) if parts[0] and parts[1] else None
        return None
    if all(side in inside for side in SIDES):
        return inside["a"], inside["b"]
    if _has_pictures(folder):
        return (folder,)
    holding = [path for path in inside.values() if any(map(data.is_picture, path.rglob("*")))]
    if len(holding) == 1:
        return _located(holding[0], "train") or _located(holding[0], "")
    if len(holding) > 2:
        shown = ", ".join(display(path.name) for path in holding[:NAMED])
        raise InputError(f"{display(folder)} holds {len(holding)} folders ({shown}, ...): {LAYOUTS}")
    return (holding[0], holding[1]) if holding else None


def _folders(folder: Path) -> dict[str, Path]:
    """The folders in a folder by their names in lower case, sorted; hidden and private ones left out."""
    found = sorted(path for path in folder.iterdir() if path.is_dir() and not is_private(path.name))
    return {path.name.lower(): path for path in found}


def _has_pictures(folder: Path) -> bool:
    return any(map(data.is_picture, folder.iterdir()))


def _names(place: Place) -> tuple[str, str]:
    """What a person calls the two sides."""
    if len(place) == 1:
        return "left", "right"
    first, second = place
    if first.name == second.name:  # A/train and B/train
        first, second = first.parent, second.parent
    return first.name, second.name


def read_record(root: Path) -> dict[str, Any]:
    """How `styler pairs` made a dataset, as far as it tells; {} for others."""
    path = root / RECORD
    try:
        if not path.is_file() or path.stat().st_size > RECORD_BYTES:
            return {}
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


# What belongs together


def _listed(source: Path) -> list[Entry]:
    """The pairs of a list; names are relative to the list's own folder."""
    rows = [line.split("\t") for line in data.lines(source)]
    for row in rows:
        if len(row) > 2:
            raise InputError(f"{display(source)} has a line of {len(row)} pictures: write one or two")
    return [Entry(row[0], tuple(source.parent / name.strip() for name in row)) for row in rows]


def _entries(place: Place, root: Path, faults: _Faults) -> list[Entry]:
    """The pairs at a place."""
    if len(place) == 1:
        return [Entry(data.relative(path, root), (path,)) for path in data.find(place[0])]
    first, second = (_by_stem(data.find(side), side, faults) for side in place)
    for one, other, side in ((first, second, place[1]), (second, first, place[0])):
        for stem in sorted(one.keys() - other.keys()):
            faults.add(f"no partner in {display(side.name)}", data.relative(one[stem], root))
    both = sorted(first.keys() & second.keys())
    return [Entry(data.relative(first[stem], root), (first[stem], second[stem])) for stem in both]


def _by_stem(paths: Iterable[Path], side: Path, faults: _Faults) -> dict[str, Path]:
    """Pictures by their path below a folder, without ending."""
    found: dict[str, Path] = {}
    for path in paths:
        if found.setdefault(str(path.relative_to(side).with_suffix("")), path) is not path:
            faults.add("left out, for another has its name", path.name)
    return found


def find_photos(photos: str) -> tuple[list[Entry], list[str]]:
    """The photos of a folder or list that can be used, by their headers, and notes on the others.

    Raises InputError if there is none.
    """
    root, faults = Path(photos), _Faults()
    entries = [Entry(data.relative(path, root), (path,)) for path in data.find(root)]
    fitting = [entry for entry in entries if _sizes(entry, faults)]
    if not fitting:
        raise InputError(f"{display(root)} has no photo that can be used: {faults.first}")
    return fitting, faults.notes


def _sizes(entry: Entry, faults: _Faults) -> list[Size]:
    """The sizes of an entry's pictures, by the headers of their files; [] if one cannot be read."""
    try:
        return [measure(path) for path in entry.paths]
    except InputError as error:
        faults.add("left out, for it cannot be read", f"{entry.name} ({error})")
        return []


def _fits(entry: Entry, faults: _Faults) -> bool:
    """Whether a pair can be used; else the reason is kept."""
    sizes = _sizes(entry, faults)
    if not sizes:
        return False
    if len(sizes) == 1:
        height, width = sizes[0]
        if width % 2:
            faults.add("left out, for two pictures side by side have an even width", entry.name)
        elif width <= height:
            faults.add("no wider than high: are these really two pictures side by side", entry.name)
        return width % 2 == 0
    (h, w), (k, v) = sizes
    shown = f"{entry.name} ({w}x{h} and {v}x{k})"
    if abs(h * v - k * w) > max(h, w, k, v):  # more than rounding to whole pixels makes
        faults.add("left out, for its pictures have different shapes", shown)
        return False
    if sizes[0] != sizes[1]:
        faults.add("the larger picture is shrunk to the smaller one's size", shown)
    return True
