"""Cards: what the file of a trained network says of it, its styles, and what it translates."""

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
from styler.options.fields import weighted
from styler.storage import disk

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

STYLED = ("transform", "texture")
"""Kinds of networks whose norms have rows of gains and offsets, one for each style."""
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")

Statistics = Literal["picture", "stored"]
Direction = Literal["AtoB", "BtoA"]
Color = Literal["rgb", "grey"]


@dataclass(frozen=True, kw_only=True)
class Translation:
    """How a generator is to be used; `asdict` of it is what stands in the file.

    Attributes:
        direction: which side of its pairs became which; None where another tool's file does not tell.
        batch: pairs in a training batch; None where that is unknown.
        statistics: which statistics its norms use by default.
        dropout: whether it was trained with dropout; None where that is unknown.
        condition: what made its inputs of photos: a name, and the parameters beside it; None if nothing did.
        inputs, outputs: what a person calls them, as in edges and photo; "" where that is unknown.
        color: of its outputs.
    """

    direction: Direction | None = None
    batch: int | None = None
    statistics: Statistics = "picture"
    dropout: bool | None = None
    condition: Mapping[str, Any] | None = None
    inputs: str = ""
    outputs: str = ""
    color: Color = "rgb"

    def __post_init__(self) -> None:
        """Raise ValueError for what a file must not say."""
        condition = self.condition
        right = {
            "direction": self.direction in (None, *get_args(Direction)),
            "batch": self.batch is None or (type(self.batch) is int and 0 < self.batch <= 1 << 20),
            "statistics": self.statistics in get_args(Statistics),
            "dropout": self.dropout in (None, True, False) and type(self.dropout) is not int,
            "condition": condition is None
            or (isinstance(condition, Mapping) and isinstance(condition.get("name"), str)),
            "inputs": isinstance(self.inputs, str),
            "outputs": isinstance(self.outputs, str),
            "color": self.color in get_args(Color),
        }
        for name, fits in right.items():
            if not fits:
                raise ValueError(f"its {name} is {getattr(self, name)!r}")

    @classmethod
    def of(cls, information: Mapping[str, Any]) -> Translation:
        """That in a card's information; raises KeyError, TypeError or ValueError where there is none."""
        return cls(**information["translation"])

    @property
    def information(self) -> dict[str, Any]:
        """To put into a card's information."""
        return {"translation": asdict(self)}

    def __str__(self) -> str:
        """`edges -> photo`."""
        return f"{self.inputs or 'picture'} -> {self.outputs or 'picture'}"


@dataclass(frozen=True)
class Style:
    """A style of a network: `name` is what the user types (starry-night), the rest is for credits."""

    name: str
    title: str = ""
    author: str = ""
    licence: str = ""
    source: str = ""


@dataclass(frozen=True)
class Card:
    """The description of a network in its file.

    Attributes:
        kind: a name in the table of kinds, or "vgg" for a feature network.
        network: fields of the kind's architecture.
        styles: one for each row of the network's norms.
        licence: of the trained network.
        information: free: how it was trained, what it translates, its layers' figures, ...
        sha256: the seal, "" before the file is written; of another tool's file that of all bytes.
    """

    kind: str
    network: Mapping[str, Any]
    styles: tuple[Style, ...] = ()
    licence: str = ""
    information: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    sha256: str = ""

    @classmethod
    def of(cls, about: Mapping[str, Any]) -> Card:
        """Make the card of a header's JSON; what it says of its network's fields is not checked.

        Raises ValueError, KeyError, TypeError or AttributeError, whose text tells what is wrong.
        """
        kind, network = about["kind"], about["network"]
        if kind not in (*ARCHITECTURES, "vgg"):
            raise ValueError(f"its kind is {kind!r}, and only {', '.join(ARCHITECTURES)} and vgg are known")
        styles = tuple(Style(**one) for one in about["styles"])
        _check_styles(styles, network["styles"] if kind in STYLED else 0)
        licence, information, seal = about["licence"], dict(about["information"]), about["sha256"]
        if not (isinstance(licence, str) and isinstance(seal, str)):
            raise ValueError("its licence or its seal is no text")
        if kind == "translate":
            Translation.of(information)
        return cls(kind, network, styles, licence, information, seal)

    @property
    def summary(self) -> str:
        """The names of the styles, or what is translated."""
        if self.kind == "translate":
            return str(Translation.of(self.information))
        return ", ".join(style.name for style in self.styles)


def _check_styles(styles: tuple[Style, ...], count: int) -> None:
    if not all(isinstance(text, str) for style in styles for text in asdict(style).values()):
        raise ValueError("what it says of a style is no text")
    names = [style.name for style in styles]
    if len(names) != count or len(set(names)) < count:
        raise ValueError(f"it has {count} styles, named {', '.join(names) or 'nothing'}")
    if strange := [name for name in names if not SLUG.fullmatch(name)]:
        raise ValueError(f"style '{strange[0]}' is not written like {slug(strange[0])}")


def slug(text: str) -> str:
    """`Starry Night` -> `starry-night`; "style" where nothing is left."""
    return "-".join(re.findall(r"[a-z0-9]+", text.lower())) or "style"


# Networks


def empty(kind: str, fields: Mapping[str, Any]) -> nn.Module:
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
        found = weighted(style)
    except ValueError as error:
        part = disk.display(str(error))
        raise InputError(
            f"'{part}' is no style with a weight: write for example waves:0.6,ink:0.4"
        ) from error
    if not 0 < sum(found.values()) < math.inf:
        raise InputError(f"the weights of '{disk.display(style)}' sum to nothing usable: give one above 0")
    return found
