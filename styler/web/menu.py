"""What the page offers: commands, styles and translators; its wishes, checked, become jobs."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from styler.errors import InputError, StylerError
from styler.events import Event
from styler.image.levels import to_unit
from styler.image.size import fit
from styler.jobs.enlarge import enlarge
from styler.jobs.fast import fast
from styler.jobs.optimize import optimize
from styler.jobs.translate import translate
from styler.options.enlarge import EnlargeOptions
from styler.options.fast import FastOptions
from styler.options.fields import TEXT_FORMS, Options
from styler.options.optimize import OptimizeOptions
from styler.options.translate import TranslateOptions
from styler.options.web import WebOptions
from styler.plans import KINDS
from styler.storage.cards import Translation
from styler.storage.models import library
from styler.storage.names import display, fit_name, pictures, slug
from styler.storage.pictures.load import Picture, load_picture
from styler.tasks import optimize as task
from styler.web.shelf import Shelf, Upload, small

Begin = Callable[[str, Callable[[], bool]], Generator[Event, None, object]]
"""Starts a job that writes to a file, with a function that says whether to stop."""
_THUMBNAIL = 256

ALLOWED: dict[str, tuple[type[Options], tuple[str, ...]]] = {
    "optimize": (OptimizeOptions, ("size", "style_weight", "style_scale", "color", "steps", "seed")),
    "fast": (FastOptions, ("size", "strength", "color", "learn", "seed")),
    "translate": (TranslateOptions, ("size", "from_photo", "from_sketch", "samples", "seed")),
    "enlarge": (EnlargeOptions, ("scale", "detail")),
}
"""The commands of the page, and which of their options it may set: none that names a file."""
_SCALES = (2, 4)
"""How many times the page offers to enlarge a picture."""


@dataclass(frozen=True)
class Style:
    """A style that has a name: of a trained network, or a picture that comes with styler."""

    name: str
    kind: Literal["trained", "picture"]
    thumbnail: bytes | None


@dataclass(frozen=True)
class Order:
    """A wish of the page that was checked.

    Attributes:
        label: the style or the translator, as a person calls it.
        name: of the file that is written.
        uses: ids of the pictures that it needs.
        costs: steps and relative cost of a step, of each stage; empty for one pass.
    """

    command: str
    label: str
    content: Upload
    name: str
    begin: Begin
    uses: tuple[str, ...]
    costs: tuple[tuple[int, int], ...] = ()


class Menu:
    """All that can be asked for on this machine; read once, when the page is started."""

    def __init__(self, options: WebOptions) -> None:
        self._fixed = {name: getattr(options, name) for name in ("device", "threads", "max_pixels")}
        self.styles = {(style.kind, style.name): style for style in (*_trained(), *_shipped())}
        self.translators = dict(_translators())

    def plain(self) -> dict[str, object]:
        """As the page gets it."""
        styles = [{"name": style.name, "kind": style.kind} for style in self.styles.values()]
        colors = typing.get_args(typing.get_type_hints(FastOptions)["color"])
        scales = _SCALES if library.cards("small") else ()
        return {
            "styles": styles,
            "translators": list(self.translators.values()),
            "colors": colors,
            "scales": scales,
            "most": self._fixed["max_pixels"],
        }

    def order(self, wish: Mapping[str, Any], shelf: Shelf) -> Order:
        """Check a wish; raises InputError for what is unknown or out of bounds."""
        command = wish.get("command")
        if not isinstance(command, str) or command not in ALLOWED:
            raise InputError("there is no such command on this page")
        content, style = shelf[wish.get("content")], wish.get("style")
        values = wish.get("options", {})
        if not isinstance(values, Mapping):
            raise InputError("options are an object")
        kind, allowed = ALLOWED[command]
        if unknown := [name for name in values if name not in allowed]:
            raise InputError(f"{display(str(unknown[0]))} cannot be set on this page")
        if wrong := [name for name, value in values.items() if not fits(kind, name, value)]:
            raise InputError(f"{wrong[0]} has a value of the wrong type")
        given = {**values, **self._fixed}
        if command == "optimize":
            return self._optimize(content, style, wish.get("painting"), OptimizeOptions.of(given), shelf)
        if command == "fast":
            return self._fast(content, style, wish.get("painting"), given, shelf)
        if command == "enlarge":
            return _larger(content, EnlargeOptions.of(given))
        self._require(style, self.translators)
        chosen = TranslateOptions.of({**given, "checkpoint": style})
        return _order(command, content, str(style), partial(_translate, content, chosen))

    def _fast(
        self, content: Upload, style: object, painting: object, given: Mapping[str, Any], shelf: Shelf
    ) -> Order:
        """A trained style, or a painting that was dropped, which is learned first."""
        if painting is None:
            self._require(style, self._named("trained"))
            options = FastOptions.of({**given, "style": style})
            return _order("fast", content, str(style), partial(_fast, content, options))
        dropped = shelf[painting]
        options = FastOptions.of({**given, "style": str(dropped.path)})
        return _order("fast", content, dropped.path.stem, partial(_fast, content, options), (dropped.id,))

    def _optimize(
        self, content: Upload, style: object, painting: object, options: OptimizeOptions, shelf: Shelf
    ) -> Order:
        uses: tuple[str, ...] = ()
        if painting is not None:
            dropped = shelf[painting]
            word, label, uses = str(dropped.path), dropped.path.stem, (dropped.id,)
        else:
            self._require(style, self._named("picture"))
            word = label = str(style)
        scales = task.sizes(fit(content.size, options.size), options)
        steps = task.steps_of(options, len(scales))
        costs = tuple((count, height * width) for count, (height, width) in zip(steps, scales, strict=True))
        order = _order("optimize", content, label, partial(_paint, content, word, options), uses)
        return dataclasses.replace(order, costs=costs)

    def _named(self, kind: str) -> list[str]:
        return [name for of, name in self.styles if of == kind]

    def _require(self, name: object, known: typing.Container[str]) -> None:
        """Raise InputError for a name that is none of those: it could be a path."""
        if not isinstance(name, str) or name not in known:
            raise InputError("there is no such style on this page")

    def settings(self, recipe: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """What of a recipe the page can fill in, None if nothing; a recipe is foreign data."""
        command, found = (recipe or {}).get("command"), (recipe or {}).get("options")
        if not recipe or not isinstance(command, str) or not isinstance(found, Mapping):
            return None
        if command not in ALLOWED or command == "enlarge":
            return None
        kind, allowed = ALLOWED[command]
        options = {name: found[name] for name in allowed if name in found and _valid(kind, name, found[name])}
        names = [found.get("style"), found.get("checkpoint"), *_names(recipe.get("styles"))]
        known = {"optimize": self._named("picture"), "fast": self._named("trained")}.get(
            command, list(self.translators)
        )
        style = next((slug(Path(n).stem) for n in names if isinstance(n, str) and n), "")
        content = next(iter(_names([recipe.get("content")])), "")
        style = {slug(name): name for name in known}.get(style, "")
        return {"command": command, "style": style, "options": options, "content": content}


def fits(kind: type[Options], name: str, value: object) -> bool:
    """Whether a value of JSON is of an option's type; bounds and forms are checked by the options."""
    hint = typing.get_type_hints(kind)[name]
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint in (bool, int):
        return type(value) is hint
    return isinstance(value, str) and (hint in TEXT_FORMS or typing.get_origin(hint) is Literal)


def _valid(kind: type[Options], name: str, value: object) -> bool:
    try:
        return fits(kind, name, value) and bool(kind.of({name: value}))
    except InputError:
        return False


def _names(entries: object) -> list[str]:
    """Base names of the inputs in a recipe."""
    listed = entries if isinstance(entries, list) else []
    names = [entry.get("name") for entry in listed if isinstance(entry, Mapping)]
    return [display(Path(name).name)[:200] for name in names if isinstance(name, str)]


def _order(command: str, content: Upload, label: str, begin: Begin, uses: tuple[str, ...] = ()) -> Order:
    name = fit_name(f"{content.path.stem}-{label}", ".png")
    return Order(command, label, content, name, begin, (content.id, *uses))


def _larger(content: Upload, options: EnlargeOptions) -> Order:
    order = _order("enlarge", content, f"x{options.scale:g}", partial(_enlarge, content, options))
    return dataclasses.replace(order, label=f"enlarged {options.scale:g} times")


# Jobs


def _paint(
    content: Upload, style: str, options: OptimizeOptions, target: str, stop: Callable[[], bool]
) -> Generator[Event, None, object]:
    return optimize([str(content.path)], [style], target, options, stop)


def _fast(
    content: Upload, options: FastOptions, target: str, stop: Callable[[], bool]
) -> Generator[Event, None, object]:
    return fast([str(content.path)], target, options, stop)


def _translate(
    content: Upload, options: TranslateOptions, target: str, stop: Callable[[], bool]
) -> Generator[Event, None, object]:
    return translate([str(content.path)], target, options, stop)


def _enlarge(
    content: Upload, options: EnlargeOptions, target: str, stop: Callable[[], bool]
) -> Generator[Event, None, object]:
    return enlarge([str(content.path)], target, options, stop)


# What is installed


def _cards() -> typing.Iterator[tuple[library.Entry, library.Card]]:
    """The networks that a name finds: a painting that was learned is found by the painting."""
    found = (entry for entry in library.installed() if entry.origin != "learned")
    return ((entry, entry.card) for entry in found if entry.card)


def _trained() -> typing.Iterator[Style]:
    """Styles of networks, each of one network alone, so that its name finds it."""
    found: dict[str, Style | None] = {}
    for entry, card in _cards():
        if KINDS[card.kind].takes != "photo":
            continue
        try:
            thumbnails = library.read_thumbnails(entry.path)
        except StylerError:
            continue
        for index, style in enumerate(card.styles):
            image = None if thumbnails is None else to_unit(thumbnails[index][None])
            drawn = None if image is None else small(Picture(image, None, "", ""), _THUMBNAIL)
            found[style.name] = None if style.name in found else Style(style.name, "trained", drawn)
    return (style for _, style in sorted(found.items()) if style)


def _shipped() -> typing.Iterator[Style]:
    for name, path in pictures().items():
        yield Style(name, "picture", small(load_picture(path, long_side=2 * _THUMBNAIL), _THUMBNAIL))


def _translators() -> typing.Iterator[tuple[str, dict[str, object]]]:
    """Translators by name; those of lines are made of edges, those of labels have some, in their order."""
    for entry, card in _cards():
        if KINDS[card.kind].takes == "pair":
            about = Translation.of(card.information)
            made_by = (about.condition or {"name": ""})["name"]
            noise = about.dropout is not False and card.network.get("dropout")
            facts = {
                "name": entry.name,
                "inputs": about.inputs,
                "outputs": about.outputs,
                "lines": made_by == "edges",
                "labels": list(about.labels.items()),
                "from_photo": bool(made_by),
                "guesses": bool(noise or card.network.get("grain") or about.tints),
            }
            yield entry.name, facts
