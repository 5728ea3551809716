"""What a model's file says of itself: which network it is, and its styles, alone or blended."""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args, get_type_hints

import torch
from torch import Tensor, nn

from styler.errors import InputError
from styler.networks import pix2pix
from styler.networks.pix2pix import GeneratorArchitecture
from styler.networks.texture import TextureArchitecture, TextureNetwork
from styler.networks.transform import Architecture, TransformNetwork
from styler.options.fields import parse_weights
from styler.storage import disk, format
from styler.storage.translation import Translation

Kind = Literal["transform", "texture", "translate"]
Made = Architecture | TextureArchitecture | GeneratorArchitecture
ARCHITECTURES: dict[str, type[Made]] = {
    "transform": Architecture,
    "texture": TextureArchitecture,
    "translate": GeneratorArchitecture,
}

LIMITS: dict[str, tuple[float, float]] = {
    **{"width": (1, 512), "styles": (1, 1000), "scales": (1, 12), "channels": (1, 256), "eps": (1e-12, 1)},
    **{"inputs": (1, 64), "outputs": (1, 64), "halvings": (1, 12), "blocks": (0, 64), "dropout": (1, 12)},
    "slope": (0, 1),
}
"""Least and largest values of architectures' fields: a header that lies must not make us build for hours."""
THUMBNAIL_SIDE = 512  # pixels
THUMBNAILS = "thumbnails"

SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
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
        kind: what sort of network it is.
        network: fields of its Architecture or TextureArchitecture.
        styles: one for each row of the network's norms.
        licence: of the trained network.
        information: whatever its writer added: how it was trained, ...
        sha256: the file's seal, "" before it is written; of a foreign file that of all bytes.
    """

    kind: Kind
    network: Mapping[str, Any]
    styles: tuple[Style, ...]
    licence: str = ""
    information: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    sha256: str = ""

    @property
    def summary(self) -> str:
        """The names of its styles, or what it translates."""
        if self.kind == "translate":
            return str(Translation.of(self.information))
        return ", ".join(style.name for style in self.styles)


def slug(text: str) -> str:
    """`Starry Night` -> `starry-night`; "style" where nothing is left."""
    return "-".join(re.findall(r"[a-z0-9]+", text.lower())) or "style"


# What a file must be


def card_of(header: format.Header) -> Card:
    """The card in a header, checked against the tensors' entries.

    Raises ValueError, KeyError, TypeError or AttributeError, whose text tells what is wrong.
    """
    about = header.about or {}
    kind, network = about["kind"], about["network"]
    if kind not in get_args(Kind):
        raise ValueError(f"its kind is {kind!r}, and only {' and '.join(get_args(Kind))} are known")
    entries = header.entries()
    _check_entries(entries, empty(kind, network))
    rows = 0 if kind == "translate" else network["styles"]
    if THUMBNAILS in entries:
        _check_thumbnails(entries[THUMBNAILS], rows)
    styles = tuple(Style(**given) for given in about["styles"])
    _check_styles(styles, rows)
    licence, information, seal = about["licence"], dict(about["information"]), about["sha256"]
    if not (isinstance(licence, str) and isinstance(seal, str)):
        raise ValueError("its licence or its seal is no text")
    if kind == "translate":
        Translation.of(information)
    return Card(kind, network, styles, licence, information, seal)


def empty(kind: Kind, fields: Mapping[str, Any]) -> nn.Module:
    """The network that the fields describe, without values; raises ValueError or TypeError."""
    made = ARCHITECTURES[kind](**{key: _tuples(value) for key, value in fields.items()})
    allowed = get_type_hints(type(made))
    for field in dataclasses.fields(made):
        _check_field(field.name, getattr(made, field.name), field.default, get_args(allowed[field.name]))
    with torch.device("meta"):
        if isinstance(made, GeneratorArchitecture):
            return pix2pix.build(made)
        return TextureNetwork(made) if isinstance(made, TextureArchitecture) else TransformNetwork(made)


def _tuples(value: Any) -> Any:
    """JSON has lists where architectures have tuples."""
    return tuple(value) if isinstance(value, list) else value


def _check_field(name: str, value: object, default: object, allowed: tuple[object, ...]) -> None:
    """Raise ValueError for what is no value of an architecture's field with that default.

    `allowed` are the texts that it may be if it is one.
    """
    if isinstance(default, str):
        fits = value in allowed
    elif isinstance(default, tuple):
        numbers = value if isinstance(value, tuple) else (None,)
        fits = all(_fits(name, number, int) for number in numbers) and len(set(numbers)) == len(numbers)
    else:
        fits = _fits(name, value, type(default))
    if not fits:
        raise ValueError(f"{name} is {value!r}")


def _fits(name: str, value: object, kind: type) -> bool:
    """Whether it is a number or a truth value of that type, in the field's bounds."""
    if kind is bool:
        return isinstance(value, bool)
    low, high = LIMITS[name]
    return type(value) is kind and isinstance(value, int | float) and low <= value <= high


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
            raise InputError(f"the network has no style '{disk.display(name)}'{nearest(name, names)}")
    row = torch.tensor([[given.get(name, 0.0) for name in names]], dtype=torch.float64)
    return (row / row.sum()).float()


def nearest(name: str, names: Iterable[str]) -> str:
    """The end of a sentence on an unknown name: the known ones most like it, or the first ones."""
    known = sorted(set(names))
    if near := difflib.get_close_matches(name, known, 3, 0.5):
        return f"; did you mean {' or '.join(near)}?"
    return f"; there are {', '.join(known[:12])}{', ...' * bool(known[12:])}" if known else "; there is none"


def weights(style: str) -> dict[str, float]:
    """`waves:0.6,ink` -> {"waves": 0.6, "ink": 1.0}; raises InputError."""
    try:
        found = parse_weights(style)
    except ValueError as error:
        part = disk.display(str(error))
        raise InputError(
            f"'{part}' is no style with a weight: write for example waves:0.6,ink:0.4"
        ) from error
    if not 0 < sum(found.values()) < math.inf:
        raise InputError(f"the weights of '{disk.display(style)}' sum to nothing usable: give one above 0")
    return found
