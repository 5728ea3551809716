"""Find the pairs of a dataset by the names and sizes of its files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from styler.errors import InputError
from styler.image.size import Size
from styler.storage.cards import are_labels, are_tints
from styler.storage.datasets.photos import find, is_picture, lines, relative
from styler.storage.disk import write
from styler.storage.names import display, is_private
from styler.storage.pictures.load import measure

RECORD = "pairs.json"
"""The file in which `styler pairs` records how it made a dataset."""
_RECORD_BYTES = 1 << 16
_VALIDATION = ("val", "valid", "validation", "test")
"""Names of the part of a dataset that is not trained on; the first that exists is used."""
SIDES = ("a", "b")
_NAMED = 3
"""Pictures that are named of all those with the same fault."""
LAYOUTS = "give pictures A|B side by side, or two folders A and B, trainA and trainB, or any two"

_NARROW = "left out, for two pictures side by side are wider than high (of tall ones make folders A and B)"

Folders = tuple[Path, ...]
"""One folder of pictures side by side, or two folders."""


@dataclass(frozen=True)
class PairFiles:
    """A pair of a dataset: its name there, and its one file, side by side, or its two files."""

    name: str
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class _PairListing:
    """The pairs of a dataset.

    Attributes:
        training: pairs to train on.
        validation: pairs to validate with, if the dataset has a part for that.
        names: of A and B.
        notes: what does not fit, one sentence for each kind of fault.
        condition: how `styler pairs` made A of B, if it did.
        tints: colors of the paper of A, as in `Translation`, if the record has some.
        labels: names and colors of the kinds of things in A, as in `Translation`, if the record has some.
    """

    training: Sequence[PairFiles]
    validation: Sequence[PairFiles]
    names: tuple[str, str]
    notes: Sequence[str]
    condition: Mapping[str, Any] | None = None
    tints: Sequence[Sequence[float]] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


def find_pairs(dataset: str) -> _PairListing:
    """The pairs of a folder or list; only the headers of their files are read.

    Pictures side by side; or two folders A and B, trainA and trainB, or any two, matched by their names
    without ending. Folders train and val, or test, may lie in those or around them. A list has one picture
    side by side on a line, or two with a tab between.

    Raises:
        InputError: if there is no dataset, its layout is none of these, or none of its pairs fits.
    """
    root, faults = Path(dataset), _Faults()
    if root.is_dir():
        training, validation, names = _search(root, faults)
    else:
        training, validation, names = _listed(root), [], ("A", "B")
    record = read_record(root)
    ours = record.get("layout") == "side-by-side"
    training, validation = (
        [pair for pair in part if _fits(pair, faults, ours)] for part in (training, validation)
    )
    if not training:
        raise InputError(f"{display(root)} has no pair that can be used: {faults.first or LAYOUTS}")
    recorded, condition = record.get("names"), record.get("condition")
    if isinstance(recorded, list) and len(recorded) == 2:
        names = (str(recorded[0]), str(recorded[1]))
    condition = condition if isinstance(condition, dict) else None
    tints = record.get("tints", ())
    tints = tints if are_tints(tints) else ()
    labels = record.get("labels", {})
    labels = labels if are_labels(labels) else {}
    return _PairListing(training, validation, names, faults.notes, condition, tints, labels)


def _search(root: Path, faults: _Faults) -> tuple[list[PairFiles], list[PairFiles], tuple[str, str]]:
    """The pairs in a folder to train on, those to validate with, and the names of the sides."""
    folders = _locate(root, "train") or _locate(root, "")
    if folders is None:
        raise InputError(f"{display(root)} holds no pairs: {LAYOUTS}")
    others = next(filter(None, (_locate(root, split) for split in _VALIDATION)), None)
    training = _pairs_in(folders, root, faults)
    validation = _pairs_in(others, root, faults) if others and others != folders else []
    shared = set(validation)  # a folder may lie in another
    return [pair for pair in training if pair not in shared], validation, _names(folders)


class _Faults:
    """Names of pairs and pictures by fault."""

    def __init__(self) -> None:
        self.names: dict[str, list[str]] = {}

    def add(self, fault: str, name: str) -> None:
        """Note that the picture or pair of that name has that fault."""
        self.names.setdefault(fault, []).append(display(name))

    @property
    def notes(self) -> list[str]:
        """A sentence for each fault, with some names."""
        return [_sentence(fault, names) for fault, names in self.names.items()]

    @property
    def first(self) -> str:
        """The first sentence, "" if there is none."""
        return self.notes[0] if self.names else ""


def _sentence(fault: str, names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{fault}: {', '.join(names[:_NAMED])}{more}"


# Folders


def _locate(folder: Path, split: str) -> Folders | None:
    """The folders of a split ("train", "val", or "" for all) in a folder, None if there are none."""
    inside = _folders(folder)
    if split:
        begun = [path for name, path in inside.items() if name.startswith(split) and name != split]
        if len(begun) == 2:
            return begun[0], begun[1]  # trainA and trainB, train_label and train_photo
        if split in inside:
            return _locate(inside[split], "")
        if all(side in inside for side in SIDES):
            parts = [_folders(inside[side]).get(split) for side in SIDES]
            return (parts[0], parts[1]) if parts[0] and parts[1] else None
        return None
    if all(side in inside for side in SIDES):
        return inside["a"], inside["b"]
    if _has_pictures(folder):
        return (folder,)
    holding = [path for path in inside.values() if any(map(is_picture, path.rglob("*")))]
    if len(holding) == 1:
        return _locate(holding[0], "train") or _locate(holding[0], "")
    if len(holding) > 2:
        names = ", ".join(display(path.name) for path in holding[:_NAMED])
        raise InputError(f"{display(folder)} holds {len(holding)} folders ({names}, ...): {LAYOUTS}")
    return (holding[0], holding[1]) if holding else None


def _folders(folder: Path) -> dict[str, Path]:
    """The folders in a folder by their names in lower case, sorted; hidden and private ones left out."""
    found = sorted(path for path in folder.iterdir() if path.is_dir() and not is_private(path.name))
    return {path.name.lower(): path for path in found}


def _has_pictures(folder: Path) -> bool:
    return any(map(is_picture, folder.iterdir()))


def _names(folders: Folders) -> tuple[str, str]:
    """The names of the two sides."""
    if len(folders) == 1:
        return "left", "right"
    first, second = folders
    if first.name == second.name:  # A/train and B/train
        first, second = first.parent, second.parent
    return first.name, second.name


def read_record(root: Path) -> dict[str, Any]:
    """The record of `styler pairs` in a dataset; {} if there is none that can be read."""
    path = root / RECORD
    try:
        if not path.is_file() or path.stat().st_size > _RECORD_BYTES:
            return {}
        record = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def write_record(root: Path, record: Mapping[str, Any]) -> None:
    """Write how a dataset is made into its folder, unless it says so already."""
    if read_record(root) != record:
        write(root / RECORD, (json.dumps(record, indent=2) + "\n").encode())


def pictures_in(root: Path, ending: str) -> set[Path]:
    """The pictures with that ending in a folder and below."""
    return {path for path in root.rglob(f"*{ending}") if is_picture(path)}


# Pairs


def _listed(source: Path) -> list[PairFiles]:
    """The pairs of a list; names are relative to the list's own folder."""
    rows = [line.split("\t") for line in lines(source)]
    for row in rows:
        if len(row) > 2:
            raise InputError(f"{display(source)} has a line of {len(row)} pictures: write one or two")
    return [PairFiles(row[0], tuple(source.parent / name.strip() for name in row)) for row in rows]


def _pairs_in(folders: Folders, root: Path, faults: _Faults) -> list[PairFiles]:
    """The pairs in one or two folders."""
    if len(folders) == 1:
        return [PairFiles(relative(path, root), (path,)) for path in find(folders[0])]
    first, second = (_by_stem(find(side), side, faults) for side in folders)
    for one, other, side in ((first, second, folders[1]), (second, first, folders[0])):
        for stem in sorted(one.keys() - other.keys()):
            faults.add(f"no partner in {display(side.name)}", relative(one[stem], root))
    both = sorted(first.keys() & second.keys())
    return [PairFiles(relative(first[stem], root), (first[stem], second[stem])) for stem in both]


def _by_stem(paths: Iterable[Path], side: Path, faults: _Faults) -> dict[str, Path]:
    """Pictures by their path below a folder, without ending."""
    found: dict[str, Path] = {}
    for path in paths:
        if found.setdefault(str(path.relative_to(side).with_suffix("")), path) is not path:
            faults.add("left out, for another has its name", path.name)
    return found


def find_photos(photos: str) -> tuple[list[PairFiles], list[str]]:
    """The photos of a folder or list that can be used, by their headers, and notes on the others.

    Raises InputError if there is none.
    """
    root, faults = Path(photos), _Faults()
    entries = [PairFiles(relative(path, root), (path,)) for path in find(root)]
    fitting = [pair for pair in entries if _sizes(pair, faults)]
    if not fitting:
        raise InputError(f"{display(root)} has no photo that can be used: {faults.first}")
    return fitting, faults.notes


def _sizes(pair: PairFiles, faults: _Faults) -> list[Size]:
    """The sizes of a pair's pictures, by their headers; [] if one cannot be read."""
    try:
        return [measure(path) for path in pair.paths]
    except InputError as error:
        faults.add("left out, for it cannot be read", f"{pair.name} ({error})")
        return []


def _fits(pair: PairFiles, faults: _Faults, ours: bool) -> bool:
    """Whether a pair can be used; if not, the reason is noted.

    One picture that is no wider than high is no two side by side, unless it is `ours`, of `styler pairs`.
    """
    sizes = _sizes(pair, faults)
    if not sizes:
        return False
    if len(sizes) == 1:
        height, width = sizes[0]
        if width % 2:
            faults.add("left out, for two pictures side by side have an even width", pair.name)
        elif width <= height and not ours:
            faults.add(_NARROW, pair.name)
            return False
        return width % 2 == 0
    (h, w), (k, v) = sizes
    sizes_text = f"{pair.name} ({w}x{h} and {v}x{k})"
    if abs(h * v - k * w) > max(h, w, k, v):  # more than rounding to whole pixels makes
        faults.add("left out, for its pictures have different shapes", sizes_text)
        return False
    if sizes[0] != sizes[1]:
        faults.add("the larger picture is shrunk to the smaller one's size", sizes_text)
    return True
