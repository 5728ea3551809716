"""A recipe as the command that makes its picture again; the recipe may be foreign, and says what it likes."""

from __future__ import annotations

import shlex
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import click

from styler.errors import InputError
from styler.options.fields import TEXT_FORMS, Files, Options, fields_of, flag_of
from styler.options.shared import OutputOptions
from styler.storage.names import display
from styler.ui.help import class_of

_LACKS = "the recipe lacks parts, so no command remakes this picture"


class Remake(NamedTuple):
    """The words of a command, quoted on one line, and a note on what of the recipe is not in it, or ""."""

    line: str
    note: str


def command_line(recipe: Mapping[str, Any], commands: Mapping[str, click.Command]) -> Remake:
    """The command that makes a picture again, from its recipe; inputs have their base names, and no output.

    `commands` are styler's. Raises InputError for a recipe that lacks parts, as it was too long for its
    picture, and for one of no command that makes pictures.
    """
    try:
        name = str(recipe["command"])
        # Grids are made of several pictures, textures of nothing.
        inputs = [recipe["content"]] if "content" in recipe else list(recipe.get("contents", []))
        names, styles = ([_named(entry) for entry in group] for group in (inputs, recipe["styles"]))
        options = dict(recipe["options"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(_LACKS) from error
    if name not in commands or not issubclass(class_of(commands[name]), OutputOptions):
        raise InputError(f"no command of styler that makes pictures is called '{display(name)}'")
    command = commands[name]
    given = {option: words_of(command, option, value) for option, value in options.items()}
    words = ["styler", name, *(word for flags in given.values() for word in flags)]
    blends = any(parameter.name == "styles" for parameter in command.params)
    if blends and not (names and styles):
        raise InputError(_LACKS)
    if blends and max(len(styles), len(names)) > 1:
        words += [word for style in styles for word in _option("--style", style)]
    else:
        names += styles
    words += [_beside_flags(name) for name in names]
    return Remake(" ".join(map(quoted, words)), _note(command, given))


def _beside_flags(name: str) -> str:
    """A file's name as no flag, and so that flags may follow it, as the -o that people add."""
    return f"./{name}" if name.startswith("-") and len(name) > 1 else name


def _note(command: click.Command, given: Mapping[str, list[str]]) -> str:
    """What is not in a command: options that the recipe has, and an output if it must have one."""
    needed = [parameter for parameter in command.params if parameter.name == "output" and parameter.required]
    unused = [option for option, words in given.items() if not words and not (needed and option == "output")]
    notes = [f"left out of the command: {', '.join(map(display, unused))}"] if unused else []
    notes += [f"add -o {parameter.metavar} to the command" for parameter in needed]
    return "; ".join(notes)


def _named(entry: Mapping[str, Any]) -> str:
    """An input as on the command line: the base name of its file, and its weight if it has one."""
    weight = entry.get("weight")
    return _base(entry["name"]) + (f":{weight!r}" if isinstance(weight, float) else "")


def _base(name: object) -> str:
    """The base name of a file, as recipes have it."""
    base = Path(name).name if isinstance(name, str) else ""
    if not base:
        raise ValueError("no name")
    return base


def words_of(command: click.Command, name: str, value: object) -> list[str]:
    """An option of a recipe as words of a command line; none if it is no option of that command's recipes."""
    kind, flag = class_of(command), flag_of(name)
    hints = {f.name: hint for f, hint in fields_of(kind).items() if f.metadata["recipe"]}
    if name not in hints:
        return [flag] if value is True and name in _kinds(command, kind) else []
    if not _is_of(value, hints[name]):
        return []
    try:
        kind.of({name: value})
    except InputError:
        return []
    if isinstance(value, bool):
        return [flag if value else f"--no-{flag[2:]}"]
    return [
        word for text in (value if isinstance(value, list) else [value]) for word in _option(flag, str(text))
    ]


def _kinds(command: click.Command, kind: type[Options]) -> set[str]:
    """The flags of a command that are beside its options, as --edges of `styler pairs`."""
    fields = {f.name for f in fields_of(kind)}
    flags = (
        one for one in command.params if isinstance(one, click.Option) and one.is_flag and one.expose_value
    )
    return {str(flag.name) for flag in flags} - fields


def _is_of(value: object, hint: Any) -> bool:
    """Whether a value of a recipe is of a field's type; of text, that it names no path."""
    if hint in (bool, bool | None):
        return isinstance(value, bool)
    if hint in (int, float):
        return isinstance(value, int if hint is int else int | float) and not isinstance(value, bool)
    if hint == Files:
        return isinstance(value, list) and all(_is_of(file, str) for file in value)
    textual = hint is str or hint in TEXT_FORMS or typing.get_origin(hint) is Literal
    return textual and isinstance(value, str) and Path(value).name in (value, "")


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
