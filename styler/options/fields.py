"""What options classes are made of: fields with a default, a line of help and bounds."""

from __future__ import annotations

import dataclasses
import math
import typing
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from styler.errors import InputError

T = TypeVar("T")

Layers = tuple[tuple[str, float], ...]
"""Layer names with their weights, written `relu1_1:0.5,relu2_1` on the command line (no number means 1)."""


def opt(
    default: T,
    text: str,
    *,
    low: float | None = None,
    high: float | None = None,
    metavar: str | None = None,
    short: str | None = None,
    recipe: bool = True,
) -> T:
    """A field of an options class: its default, its line of help and its bounds (inclusive).

    `recipe=False` marks what does not change the picture and so stays out of its recipe.
    """  # fmt: skip
    metadata = {"help": text, "low": low, "high": high, "metavar": metavar, "short": short, "recipe": recipe}
    made: T = field(default=default, metadata=metadata)
    return made


@dataclass(frozen=True, kw_only=True)
class Options:
    """Parent of all: checks choices and bounds when built, and knows what differs from the defaults."""

    def __post_init__(self) -> None:
        """Raise InputError for the first value outside its choices or bounds."""
        hints = typing.get_type_hints(type(self))
        for f in dataclasses.fields(self):
            check(f, hints[f.name], getattr(self, f.name))

    def changed(self) -> dict[str, Any]:
        """The recipe: options that differ from their default and that change the picture."""
        return {
            f.name: getattr(self, f.name)
            for f in dataclasses.fields(self)
            if f.metadata["recipe"] and getattr(self, f.name) != f.default
        }


def check(f: dataclasses.Field[Any], hint: Any, value: Any) -> None:
    """Raise InputError if `value` is not one of a Literal's choices or is outside the field's bounds."""
    flag = flag_of(f.name)
    if typing.get_origin(hint) is Literal and value not in typing.get_args(hint):
        raise InputError(f"{flag} is '{value}'; choose one of {', '.join(typing.get_args(hint))}")
    low, high = f.metadata["low"], f.metadata["high"]
    if not isinstance(value, int | float) or isinstance(value, bool):
        return
    fits = (low is None or value >= low) and (high is None or value <= high)
    if not (fits and math.isfinite(value)):
        bounds = "".join(f", {word} {bound:g}" for word, bound in _bounds(low, high))
        raise InputError(f"{flag} is {value:g}; it must be a finite number{bounds}")


def _bounds(low: float | None, high: float | None) -> list[tuple[str, float]]:
    return [(word, b) for word, b in (("at least", low), ("at most", high)) if b is not None]


def flag_of(name: str) -> str:
    """The command-line flag of a field's name."""
    return "--" + name.replace("_", "-")


def parse_layers(text: str) -> Layers:
    """`relu1_1:0.5,relu2_1` -> (("relu1_1", 0.5), ("relu2_1", 1.0)).

    Raises InputError if a weight is no number, is negative or not finite, or if a layer comes twice.
    """
    try:
        return tuple(weighted(text).items())
    except ValueError as error:
        raise InputError(
            f"'{error}' is no layer with a weight; write for example relu1_1:0.5,relu2_1"
        ) from error


def weighted(text: str) -> dict[str, float]:
    """`a:0.5,b` -> {"a": 0.5, "b": 1.0}.

    Raises ValueError, with the part that is wrong, if a weight is no number, is negative or not finite, or if
    a name is empty or comes twice.
    """
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, number = part.strip().partition(":")
        try:
            weight = float(number or 1)
        except ValueError:
            weight = -1.0
        if not name or name in found or not 0 <= weight < math.inf:
            raise ValueError(part)
        found[name] = weight
    return found


def format_layers(layers: Layers) -> str:
    """The inverse of `parse_layers`."""
    return ",".join(name if weight == 1 else f"{name}:{weight!r}" for name, weight in layers)
