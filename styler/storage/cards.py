"""What a model's file says of itself: which network it is, and its styles, alone or blended."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from styler.errors import InputError
from styler.networks.kinds import KINDS, empty
from styler.options.fields import weighted
from styler.storage import format
from styler.storage.names import SLUG, display, nearest, slug
from styler.storage.translation import Translation

THUMBNAIL_SIDE = 512  # pixels
THUMBNAILS = "thumbnails"

_DTYPES = {"F16", "BF16", "F32"}


@dataclass(frozen=True)
class Style:
    """One style of a model: `name` is what the user types (starry-night), the rest is for credits."""

    name: str
    title: str = ""
    author: str = ""
    licence: str = ""
    source: str = ""


@dataclass(frozen=True)
class Card:
    """What a model's file says of itself.

    Attributes:
        kind: one of `kinds.KINDS`.
        network: the fields of its configuration.
        styles: one for each row of the network's norms.
        licence: of the trained network.
        information: whatever its writer added: how it was trained, ...
        sha256: the file's seal, "" before it is written; of a foreign file that of all bytes.
    """

    kind: str
    network: Mapping[str, Any]
    styles: tuple[Style, ...]
    licence: str = ""
    information: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    sha256: str = ""

    @property
    def summary(self) -> str:
        """The names of its styles, or what it translates."""
        if not KINDS[self.kind].styles:
            return str(Translation.of(self.information))
        return ", ".join(style.name for style in self.styles)


# What a file must be


def card_of(header: format.Header) -> Card:
    """The card in a header, checked against the tensors' entries.

    Raises ValueError, KeyError, TypeError or AttributeError, whose text tells what is wrong.
    """
    about = header.about or {}
    kind, network = about["kind"], about["network"]
    if kind not in KINDS:
        raise ValueError(f"its kind is {kind!r}, and only {' and '.join(KINDS)} are known")
    entries = header.entries()
    _check_entries(entries, empty(kind, network))
    rows = network["styles"] if KINDS[kind].styles else 0
    if THUMBNAILS in entries:
        _check_thumbnails(entries[THUMBNAILS], rows)
    styles = tuple(Style(**given) for given in about["styles"])
    _check_styles(styles, rows)
    licence, information, seal = about["licence"], dict(about["information"]), about["sha256"]
    if not (isinstance(licence, str) and isinstance(seal, str)):
        raise ValueError("its licence or its seal is no text")
    if KINDS[kind].takes == "pair":
        Translation.of(information)
    return Card(kind, network, styles, licence, information, seal)


def _check_entries(entries: Mapping[str, format.Entry], network: nn.Module) -> None:
    """Raise ValueError unless the tensors are those of the network and maybe thumbnails."""
    wanted = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    shapes = {key: entry.shape for key, entry in entries.items() if key != THUMBNAILS}
    if odd := sorted(wanted.keys() ^ shapes.keys()) or sorted(k for k in wanted if wanted[k] != shapes[k]):
        raise ValueError(f"its network should have other tensors: {odd[0]} does not fit")
    if odd := sorted(key for key in shapes if entries[key].dtype not in _DTYPES):
        raise ValueError(f"{odd[0]} is of type {entries[odd[0]].dtype}")


def _check_styles(styles: tuple[Style, ...], count: int) -> None:
    if not all(isinstance(text, str) for style in styles for text in asdict(style).values()):
        raise ValueError("what it says of a style is no text")
    names = [style.name for style in styles]
    if len(names) != count or len(set(names)) < count:
        raise ValueError(f"it has {count} styles, named {', '.join(names) or 'nothing'}")
    if strange := [name for name in names if not SLUG.fullmatch(name)]:
        raise ValueError(f"style '{strange[0]}' is not written like {slug(strange[0])}")


def _check_thumbnails(entry: format.Entry, styles: int) -> None:
    fits = entry.dtype == "U8" and len(entry.shape) == 4 and entry.shape[:2] == (styles, 3)
    if not (fits and all(0 < side <= THUMBNAIL_SIDE for side in entry.shape[2:])):
        raise ValueError(f"its thumbnails are {entry.dtype} {list(entry.shape)}")


# Blends


def mix(card: Card, style: str) -> Tensor:
    """Weights [1, S] of a model's styles that sum to 1, from `waves:0.6,ink:0.4`; no number means 1.

    "" means the only style.

    Raises:
        InputError: if that is not said clearly, or a style is unknown: then with the nearest names.
    """
    names = [known.name for known in card.styles]
    if not style and len(names) > 1:
        raise InputError(f"the network has {len(names)} styles: choose with --style from {', '.join(names)}")
    given = weights(style) if style else {names[0]: 1.0}
    for name in given:
        if name not in names:
            raise InputError(f"the network has no style '{display(name)}'{nearest(name, names)}")
    row = torch.tensor([[given.get(name, 0.0) for name in names]], dtype=torch.float64)
    return (row / row.sum()).float()


def weights(style: str) -> dict[str, float]:
    """`waves:0.6,ink` -> {"waves": 0.6, "ink": 1.0}; raises InputError."""
    try:
        found = weighted(style)
    except ValueError as error:
        part = display(str(error))
        raise InputError(
            f"'{part}' is no style with a weight: write for example waves:0.6,ink:0.4"
        ) from error
    if not 0 < sum(found.values()) < math.inf:
        raise InputError(f"the weights of '{display(style)}' sum to nothing usable: give one above 0")
    return found
