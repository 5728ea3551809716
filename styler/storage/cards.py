"""Cards: what the file of a trained network says of it, its styles, and what it translates."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from styler.errors import InputError
from styler.options.fields import parse_weights
from styler.plans import KINDS
from styler.storage.names import SLUG, display, nearest, slug

VGG = "vgg"
"""The kind of feature networks, which are looked through and not run."""

USES: Mapping[str, tuple[str, str]] = {
    "photo": ("a style network", "styler fast --model"),
    "noise": ("a network that makes textures", "styler fast --model"),
    "pair": ("a translator", "styler translate --checkpoint"),
    "small": ("a network that enlarges", "styler enlarge --model"),
    VGG: ("a feature network", "styler optimize --network"),
}
"""What a network is, by what it takes, and the words of the command before its name."""

Statistics = Literal["picture", "stored"]
_Direction = Literal["AtoB", "BtoA"]
_Color = Literal["rgb", "grey"]
_COLOR = re.compile("#[0-9a-fA-F]{6}")


@dataclass(frozen=True, kw_only=True)
class Translation:
    """How a generator is to be used; `asdict` of it is what stands in the file.

    Attributes:
        direction: which side of its pairs became which; None where that is unknown.
        batch: pairs in a training batch; None where that is unknown.
        statistics: which statistics its norms use by default.
        dropout: whether it was trained with dropout; None where that is unknown.
        condition: what made its inputs of photos: a name, and the parameters beside it; None if nothing did.
        inputs, outputs: what a person calls them, as in edges and photo; "" where that is unknown.
        color: of its outputs.
        tints: colors (RGB in [0, 1]) of its inputs' paper, among which a seed chooses; () for white paper.
        labels: names of the kinds of things in its inputs, with their colors as #rrggbb; the first is the
            ground of an empty drawing; {} if its inputs are no label pictures.
        margin: pixels that pictures get at the right and at the bottom, as crops did in training: those that
            have none there, for the stride divides their sides, would get a dark edge.
    """

    direction: _Direction | None = None
    batch: int | None = None
    statistics: Statistics = "picture"
    dropout: bool | None = None
    condition: Mapping[str, Any] | None = None
    inputs: str = ""
    outputs: str = ""
    color: _Color = "rgb"
    tints: Sequence[Sequence[float]] = ()
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    margin: int = 0

    def __post_init__(self) -> None:
        """Raise ValueError for what a file must not say."""
        condition = self.condition
        right = {
            "direction": self.direction in (None, *get_args(_Direction)),
            "batch": self.batch is None or (type(self.batch) is int and 0 < self.batch <= 1 << 20),
            "statistics": self.statistics in get_args(Statistics),
            "dropout": self.dropout in (None, True, False) and type(self.dropout) is not int,
            "condition": condition is None
            or (isinstance(condition, Mapping) and isinstance(condition.get("name"), str)),
            "inputs": isinstance(self.inputs, str),
            "outputs": isinstance(self.outputs, str),
            "color": self.color in get_args(_Color),
            "tints": are_tints(self.tints),
            "labels": self.labels == {} or are_labels(self.labels),
            "margin": type(self.margin) is int and 0 <= self.margin <= 1 << 12,
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


def are_tints(value: object) -> bool:
    """Whether something is a list of colors, at most 1000, with three channels in [0, 1] each."""
    return (
        isinstance(value, list | tuple)
        and len(value) <= 1000
        and all(isinstance(tint, list | tuple) and len(tint) == 3 for tint in value)
        and all(type(x) in (int, float) and 0 <= x <= 1 for tint in value for x in tint)
    )


def are_labels(value: object) -> bool:
    """Whether something is an object of 2 to 64 printable names, each with a color of its own as #rrggbb."""
    return (
        isinstance(value, Mapping)
        and 2 <= len(value) <= 64
        and all(isinstance(name, str) and 1 <= len(name) <= 40 and name.isprintable() for name in value)
        and all(isinstance(color, str) and _COLOR.fullmatch(color) for color in value.values())
        and len({color.lower() for color in value.values()}) == len(value)
    )


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

        Raises ValueError, KeyError, TypeError or AttributeError, whose text says what is wrong.
        """
        kind, network = about["kind"], about["network"]
        if kind not in (*KINDS, VGG):
            raise ValueError(f"its kind is {kind!r}, and only {', '.join(KINDS)} and {VGG} are known")
        styles = tuple(Style(**one) for one in about["styles"])
        _check_styles(styles, network["styles"] if kind != VGG and KINDS[kind].styles else 0)
        licence, information, seal = about["licence"], dict(about["information"]), about["sha256"]
        if not (isinstance(licence, str) and isinstance(seal, str)):
            raise ValueError("its licence or its seal is no text")
        if kind != VGG and KINDS[kind].takes == "pair":
            Translation.of(information)
        return cls(kind, network, styles, licence, information, seal)

    @property
    def takes(self) -> str:
        """Key of what it is for in `USES`."""
        return VGG if self.kind == VGG else KINDS[self.kind].takes

    @property
    def summary(self) -> str:
        """The names of the styles, what is translated, or how much is enlarged."""
        if KINDS[self.kind].takes == "pair":
            return str(Translation.of(self.information))
        if KINDS[self.kind].takes == "small":
            return f"enlarges x{self.network['factor']}"
        return ", ".join(style.name for style in self.styles)


def _check_styles(styles: tuple[Style, ...], count: int) -> None:
    if not all(isinstance(text, str) for style in styles for text in asdict(style).values()):
        raise ValueError("what it says of a style is no text")
    names = [style.name for style in styles]
    if len(names) != count or len(set(names)) < count:
        raise ValueError(f"it has {count} styles, named {', '.join(names) or 'nothing'}")
    if strange := [name for name in names if not SLUG.fullmatch(name)]:
        raise ValueError(f"style '{strange[0]}' is not written like {slug(strange[0])}")


# Blends


def shares(card: Card, style: str) -> list[float]:
    """Weights [S] of a model's styles that sum to 1, from `waves:0.6,ink:0.4`; no number means 1.

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
    row = [given.get(name, 0.0) for name in names]
    return [weight / sum(row) for weight in row]


def weights(style: str) -> dict[str, float]:
    """`waves:0.6,ink` -> {"waves": 0.6, "ink": 1.0}; raises InputError."""
    return parse_weights(style, "style", "waves:0.6,ink:0.4")
