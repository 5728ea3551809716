"""A recipe as the command that makes its picture again; the recipe may be foreign, and says what it likes."""

from __future__ import annotations

import shlex
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from styler.errors import InputError
from styler.options.fast import FastOptions
from styler.options.fields import TEXT_FORMS, Options, fields_of, flag_of
from styler.options.optimize import OptimizeOptions
from styler.options.translate import PairsOptions, TranslateOptions
from styler.storage.names import display

OPTIONS: Mapping[str, type[Options]] = {
    "optimize": OptimizeOptions,
    "fast": FastOptions,
    "translate": TranslateOptions,
    "pairs": PairsOptions,
}
"""The commands that write recipes, with their options."""
_PLACES = ("output", "overwrite")
"""Options that say where to write, which no picture decides."""


class Remake(NamedTuple):
    """The words of a command, quoted on one line, and a note on what of the recipe is not in it, or ""."""

    line: str
    note: str


def command_line(recipe: Mapping[str, Any], kinds: typing.Collection[str] = ()) -> Remake:
    """The command that makes a picture again, from its recipe; inputs have their base names, and no output.

    `kinds` are flags of `styler pairs`. Raises InputError for a recipe that lacks parts, as it was too long
    for its picture, and for one of no command of ours.
    """
    try:
        command = str(recipe["command"])
        inputs = [recipe["content"]] if "content" in recipe else []  # textures are made of nothing
        names, styles = ([_base(entry["name"]) for entry in group] for group in (inputs, recipe["styles"]))
        options = dict(recipe["options"])
        if command == "optimize" and not (names and styles):
            raise ValueError("no content or no style")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError("the recipe lacks parts, so no command remakes this picture") from error
    if command not in OPTIONS:
        raise InputError(f"no command of styler that makes pictures is called '{display(command)}'")
    given = {name: words_of(command, name, value, kinds) for name, value in options.items()}
    words = ["styler", command, *(word for flags in given.values() for word in flags)]
    if command == "optimize" and len(styles) > 1:
        words += [word for name in styles for word in _option("--style", name)]
    elif command == "optimize":
        names += styles
    if any(name.startswith("-") for name in names):  # it would be taken for a flag
        words.append("--")
    unused = [
        name for name, flags in given.items() if not flags and not (command == "pairs" and name == "output")
    ]
    return Remake(" ".join(map(quoted, [*words, *names])), _note(command, unused))


def _note(command: str, unused: list[str]) -> str:
    """What is not in a command: options that the recipe had, and the folder of pairs."""
    notes = [f"left out of the command: {', '.join(map(display, unused))}"] if unused else []
    if command == "pairs":
        notes.append("add -o FOLDER to the command: where the pair goes")
    return "; ".join(notes)


def _base(name: object) -> str:
    """The base name of a file, as recipes have it."""
    base = Path(name).name if isinstance(name, str) else ""
    if not base:
        raise ValueError("no name")
    return base


def words_of(command: str, name: str, value: object, kinds: typing.Collection[str] = ()) -> list[str]:
    """An option of a recipe as words of a command line; none if it is no option of that command's recipes."""
    if command == "pairs" and name.replace("_", "-") in kinds and value is True:
        return [flag_of(name)]
    hints = {f.name: hint for f, hint in fields_of(OPTIONS[command]).items() if f.metadata["recipe"]}
    if name not in hints or name in _PLACES or not _is_of(value, hints[name]):
        return []
    try:
        OPTIONS[command].of({name: value})
    except InputError:
        return []
    flag = flag_of(name)
    if isinstance(value, bool):
        return [flag if value else f"--no-{flag[2:]}"]
    return _option(flag, str(value))


def _is_of(value: object, hint: Any) -> bool:
    """Whether a value of a recipe is of a field's type; of text, that it names no path."""
    if hint in (bool, bool | None):
        return isinstance(value, bool)
    if hint in (int, float):
        return isinstance(value, int if hint is int else int | float) and not isinstance(value, bool)
    assert hint is str or hint in TEXT_FORMS or typing.get_origin(hint) is Literal
    return isinstance(value, str) and Path(value).name in (value, "")


def _option(flag: str, value: str) -> list[str]:
    return [f"{flag}={value}"] if value.startswith("-") else [flag, value]


def quoted(word: str) -> str:
    """A word as bash and zsh read it back, on one line and without control characters."""
    if word.isprintable():
        return shlex.quote(word)
    return "$'" + "".join(map(_escaped, word)) + "'"


def _escaped(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    code = ord(character)
    if character.isprintable():
        return character
    if 0xDC80 <= code <= 0xDCFF or code < 0x80:  # a byte of a name that is no text in the system's encoding
        return f"\\x{code & 0xFF:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
