"""Fields of options classes, with help and bounds; layers, weights, sizes and ranges as text and back."""

from __future__ import annotations

import dataclasses
import math
import re
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self, TypeVar

from styler.errors import InputError

T = TypeVar("T")

LEAST_WEIGHT, MOST_WEIGHT = 1e-9, 1e9
"""Bounds of what the weights of a loss do in float32."""

Layers = tuple[tuple[str, float], ...]
"""Layer names with their weights: `relu1_1:0.5,relu2_1` as text (no number means 1)."""

OutputSize = int | tuple[int, int] | None
"""Long side, or (height, width), in pixels, or None for the input's own: `512`, `800x600`, `full` as text."""

TileSide = int | Literal["auto", "off"]
"""Side of tiles in pixels: `512`, `auto`, `off` as text."""

Numbers = tuple[float, ...]
"""One number or several: `1,0.5` as text."""

Files = tuple[str, ...]
"""Files, as a flag that may come several times."""

Range = tuple[float, float]
"""Lowest and highest value: `1-3` as text, or `2` where both are the same."""

LEAST_TILE = 64
"""The shortest side of a tile in pixels; its margin is wider already."""

SMALLEST = 16
"""The shortest side in pixels that a VGG can look at down to its fifth block."""


LARGEST = 999_999
"""The longest side in pixels that can be asked for."""


def opt(
    default: T,
    text: str,
    *,
    low: float | None = None,
    high: float | None = None,
    metavar: str | None = None,
    recipe: bool = True,
) -> T:
    """A field of an options class: its default, its line of help and its bounds (inclusive).

    `recipe=False` marks what does not change the picture and so stays out of its recipe.
    """
    metadata = {"help": text, "low": low, "high": high, "metavar": metavar, "recipe": recipe}
    made: T = field(default=default, metadata=metadata)
    return made


def weight(default: float, text: str) -> float:
    """A field that weighs a term of a loss."""
    return opt(default, text, low=0, high=MOST_WEIGHT)


def require_weight(weights: Iterable[float]) -> None:
    """Raise InputError if all of a loss's weights are 0."""
    if not any(weights):
        raise InputError(
            "all weights are 0, so there is nothing to work towards: give one of them a larger value, 1 is "
            "the usual one"
        )


def again(parent: type[Options], name: str, default: T, text: str | None = None) -> T:
    """A parent's field with another default, and another line of help if `text` is given."""
    (known,) = (f for f in dataclasses.fields(parent) if f.name == name)
    made: T = field(default=default, metadata={**known.metadata, "help": text or known.metadata["help"]})
    return made


@dataclass(frozen=True, kw_only=True)
class Options:
    """Parent of all options classes: checks values when built, and gives them as plain data."""

    def __post_init__(self) -> None:
        """Raise InputError for the first value outside its choices or bounds."""
        hints = typing.get_type_hints(type(self))
        for f in dataclasses.fields(self):
            check(f, hints[f.name], getattr(self, f.name), f.name)

    def plain(self) -> dict[str, Any]:
        """All options as JSON has them: numbers, truth values, and text as on the command line."""
        hints = typing.get_type_hints(type(self))
        return {f.name: plain(getattr(self, f.name), hints[f.name]) for f in dataclasses.fields(self)}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Options from plain data; the rest is at its default. Raises InputError, which names flags."""
        hints = typing.get_type_hints(cls)
        found = {name: _unplain(value, hints[name]) for name, value in values.items()}
        for f in dataclasses.fields(cls):
            if f.name in found:
                check(f, hints[f.name], found[f.name], flag_of(f.name))
        return cls(**found)

    def changed(self) -> dict[str, Any]:
        """The recipe, as plain data: options that differ from their default and that change the picture."""
        fields = {f.name: f for f in dataclasses.fields(self)}
        return {
            name: value
            for name, value in self.plain().items()
            if fields[name].metadata["recipe"] and getattr(self, name) != fields[name].default
        }


def fields_of(kind: type[Options]) -> dict[dataclasses.Field[Any], Any]:
    """Fields with their types: a class's own before its parents', which are less often wanted."""
    hints = typing.get_type_hints(kind)
    parents = [vars(parent).get("__annotations__", {}) for parent in kind.__mro__]
    depths = {f: next(i for i, own in enumerate(parents) if f.name in own) for f in dataclasses.fields(kind)}
    return {f: hints[f.name] for f in sorted(depths, key=depths.__getitem__)}


def check(f: dataclasses.Field[Any], hint: Any, value: Any, flag: str) -> None:
    """Raise InputError if `value` is not one of a Literal's choices or is outside the field's bounds.

    `flag` is the field's name for the message: a flag's or an argument's.
    """
    if typing.get_origin(hint) is Literal and value not in typing.get_args(hint):
        raise InputError(f"{flag} is '{value}'; choose one of {', '.join(typing.get_args(hint))}")
    if hint in TEXT_FORMS:
        try:
            _unplain(plain(value, hint), hint)
        except InputError as error:
            raise InputError(f"{flag}: {error}") from error
    for number in value if hint in (Range, Numbers) else (value,):
        _check_bounds(flag, number, f.metadata["low"], f.metadata["high"])
    if f.name.endswith("_weight") and 0 < value < LEAST_WEIGHT:
        raise InputError(f"{flag} is {value:g}, which counts as 0: give 0, or {LEAST_WEIGHT:g} or more")


def _check_bounds(flag: str, value: Any, low: float | None, high: float | None) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return
    fits = (low is None or value >= low) and (high is None or value <= high)
    if not (fits and math.isfinite(value)):
        named = [(word, b) for word, b in (("at least", low), ("at most", high)) if b is not None]
        bounds = "".join(f", {word} {_exact(bound)}" for word, bound in named)
        raise InputError(f"{flag} is {_exact(value)}; it must be a finite number{bounds}")


def _exact(value: float) -> str:
    """A number in few digits if those say all of it, else in full."""
    short = f"{value:g}"
    return short if float(short) == value or math.isnan(value) else repr(value)


def flag_of(name: str) -> str:
    """The command-line flag of a field's name; `class_` is --class."""
    return "--" + name.rstrip("_").replace("_", "-")


# Values as text


def parse_layers(text: str) -> Layers:
    """`relu1_1:0.5,relu2_1` -> (("relu1_1", 0.5), ("relu2_1", 1.0)).

    Raises InputError as `parse_weights`.
    """
    return tuple(parse_weights(text, "layer", "relu1_1:0.5,relu2_1").items())


def parse_weights(text: str, kind: str, example: str) -> dict[str, float]:
    """`a:0.5,b` -> {"a": 0.5, "b": 1.0}.

    Raises InputError if a weight is no number, is negative or not finite, if a name is empty or comes twice,
    or if the weights have no sum to take shares of.
    """
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, colon, number = part.strip().partition(":")
        try:
            weight = float(number if colon else 1)
        except ValueError:
            weight = -1.0
        if not name or not 0 <= weight < math.inf:
            raise InputError(f"'{part}' is no {kind} with a weight: write for example {example}")
        if name in weights:
            raise InputError(f"{kind} {name} is given twice: give it once, with one weight")
        weights[name] = weight
    if not 0 < sum(weights.values()) < math.inf:
        raise InputError(f"the weights of '{text}' sum to nothing usable: give a {kind} one above 0")
    return weights


def format_layers(layers: Layers) -> str:
    """The inverse of `parse_layers`."""
    return ",".join(name if weight == 1 else f"{name}:{weight!r}" for name, weight in layers)


def parse_size(text: str) -> OutputSize:
    """`512` -> 512, `800x600` -> (600, 800), `full` -> None; InputError for anything else."""
    if text == "full":
        return None
    match = re.fullmatch("([0-9]{1,18})(?:x([0-9]{1,18}))?", text)
    sides = [int(side) for side in match.groups() if side] if match else []
    if sides and max(sides) > LARGEST:
        raise InputError(f"'{text}' is too large a size: {LARGEST} pixels is the most of a side")
    if not sides or min(sides) < SMALLEST:
        raise InputError(
            f"'{text}' is no size: write the long side in pixels, as 512, width and height, as 800x600, or "
            f"full; {SMALLEST} pixels is the least"
        )
    return sides[0] if len(sides) == 1 else (sides[1], sides[0])


def format_size(size: OutputSize) -> str:
    """The inverse of `parse_size`."""
    if size is None:
        return "full"
    return str(size) if isinstance(size, int) else f"{size[1]}x{size[0]}"


def parse_tile(text: str) -> TileSide:
    """`512` -> 512; `auto` and `off` as they are; InputError for anything else."""
    if text == "auto":
        return "auto"
    if text == "off":
        return "off"
    if not re.fullmatch("[0-9]{1,6}", text) or int(text) < LEAST_TILE:
        raise InputError(
            f"'{text}' is no tile: write its side in pixels, as 512, {LEAST_TILE} at least, or auto or off"
        )
    return int(text)


def parse_numbers(text: str) -> Numbers:
    """`1,0.5` -> (1.0, 0.5); InputError for anything else."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"'{text}' is no list of numbers: write one, as 1, or several, as 1,0.5") from error
    for number in numbers:
        if not math.isfinite(number):
            raise InputError(f"{number} is not a finite number")
    return numbers


def format_numbers(numbers: Numbers) -> str:
    """The inverse of `parse_numbers`."""
    return ",".join(repr(number).removesuffix(".0") for number in numbers)


def parse_range(text: str) -> Range:
    """`1-3` -> (1.0, 3.0), `2` -> (2.0, 2.0); InputError for anything else, and for `3-1`."""
    match = re.fullmatch(r"\s*(\d*\.?\d+)\s*(?:-\s*(\d*\.?\d+)\s*)?", text)
    low, high = (float(match[1]), float(match[2] or match[1])) if match else (1.0, 0.0)
    if low > high:
        raise InputError(f"'{text}' is no range: write one number, as 2, or two, as 1-3")
    return low, high


def format_range(ends: Range) -> str:
    """The inverse of `parse_range`."""
    return "-".join(repr(end).removesuffix(".0") for end in dict.fromkeys(ends))


@dataclass(frozen=True)
class TextForm:
    """How values of a type are written: on the command line, in recipes and in README."""

    metavar: str
    parse: Callable[[str], Any]
    format: Callable[[Any], str]


TEXT_FORMS: dict[object, TextForm] = {
    Layers: TextForm("LAYER[:WEIGHT],...", parse_layers, format_layers),
    OutputSize: TextForm("PIXELS|WxH|full", parse_size, format_size),
    TileSide: TextForm("auto|PIXELS|off", parse_tile, str),
    Numbers: TextForm("NUMBER,...", parse_numbers, format_numbers),
    Range: TextForm("NUMBER|LOW-HIGH", parse_range, format_range),
}
"""By the type of a field; values of all other types are plain already."""


def plain(value: Any, hint: Any) -> Any:
    """A field's value as text if its type has a form as text, files as a list, all else as it is."""
    if hint == Files:
        return list(value)
    return TEXT_FORMS[hint].format(value) if hint in TEXT_FORMS else value


def _unplain(value: Any, hint: Any) -> Any:
    """The inverse of `plain`; what is no text stays as it is."""
    if hint == Files:
        return tuple(value)
    return TEXT_FORMS[hint].parse(value) if hint in TEXT_FORMS and isinstance(value, str) else value
