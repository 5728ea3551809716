"""Options classes as command-line flags."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import re
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import click
from click.core import ParameterSource

from styler.errors import DeviceError, InputError, StylerError, is_shortage
from styler.options.fields import TEXT_FORMS, Files, Options, TextForm, fields_of, flag_of, plain
from styler.storage import disk
from styler.storage.names import display
from styler.ui import completion
from styler.ui.help import CLASS, Option

Kind = TypeVar("Kind", bound=Options)
Command = Callable[..., Any]
_Completions = Mapping[str, Callable[[click.Context, click.Parameter, str], list[Any]]]
"""Shell completions of options, by field name."""

_USUAL: _Completions = {
    "network": completion.feature_networks,
    "loss_network": completion.feature_networks,
}
_SPARING = ("size", "crop", "batch", "history")
"""Options that take less memory the smaller they are."""
_NAMES = re.compile(r"[a-z0-9-]+(:[\d.]+)?(,[a-z0-9-]+(:[\d.]+)?)*")
"""Names, with weights or without, that name no file."""
_FILE = "NAME|FILE"
"""Metavar of options that a file may be given to."""


class _TextType(click.ParamType):  # type: ignore[type-arg]
    """Values that have a form as text: layers, sizes, ranges."""

    def __init__(self, form: TextForm) -> None:
        self.form, self.name = form, form.metavar

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Text is checked and stays text, as `full` would become None, which click takes for no value."""
        try:
            return self.form.format(self.form.parse(value) if isinstance(value, str) else value)
        except InputError as error:
            self.fail(str(error), param, ctx)


class _WholeRange(click.IntRange):
    """A whole number of the range."""

    name = "whole number"


class _FiniteRange(click.FloatRange):
    """A number of the range; no infinity, and no NaN, which click would let through."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Numbers are checked against the range, and for being numbers."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{number} is not a finite number", param, ctx)
        return number


def _type_of(field: dataclasses.Field[Any], hint: Any) -> Any:
    """The click type of an options field: its choices, its range or its parser."""
    low, high = field.metadata["low"], field.metadata["high"]
    if typing.get_origin(hint) is Literal:
        return click.Choice(typing.get_args(hint))
    if hint in (bool, bool | None):
        return None
    if hint in TEXT_FORMS:
        return _TextType(TEXT_FORMS[hint])
    if hint is int:
        return _WholeRange(low, high)
    return _FiniteRange(low, high) if hint is float else str


def _option_of(field: dataclasses.Field[Any], hint: Any, completions: _Completions) -> Option:
    """The flag of an options field."""
    flag, default = flag_of(field.name), plain(field.default, hint)
    # The same in every command; click's own names would have the command in them.
    shared = {"envvar": f"STYLER_{field.name.rstrip('_').upper()}", "help": field.metadata["help"]}
    if hint in (bool, bool | None):  # None: neither was given
        return Option([field.name, f"{flag}/--no-{flag[2:]}"], default=default, **shared)
    return Option(
        [field.name, flag],
        multiple=hint == Files,
        type=_type_of(field, hint),
        default=default,
        show_default=True,
        metavar=field.metadata["metavar"] or (TEXT_FORMS[hint].metavar if hint in TEXT_FORMS else None),
        shell_complete=(completions.get(field.name) or _USUAL.get(field.name)),
        **shared,
    )


def preset_option(
    presets: Mapping[str, Mapping[str, Any]], text: str, *aliases: str
) -> Callable[[Command], Command]:
    """--preset, whose values take the place of defaults; the first is the default, and what is given wins."""

    def choose(ctx: click.Context, param: click.Parameter, name: str) -> None:
        ctx.default_map = {**(ctx.default_map or {}), **presets[name]}

    return click.option(
        "--preset",
        *aliases,
        type=click.Choice(tuple(presets)),
        default=next(iter(presets)),
        show_default=True,
        is_eager=True,
        expose_value=False,
        callback=choose,
        help=text,
    )


def output_option(default: str = "") -> Callable[[Command], Command]:
    """-o of commands that write a picture, or one for each input; `default` is its name without the flag."""
    shown = f" [default: {default}]" if default else ""
    return click.option(
        "-o", "--output", metavar="FILE|FOLDER", help=f"Where to write; - is standard output.{shown}"
    )


def params_option(name: str, kind: type[Options]) -> Callable[[Command], Command]:
    """--params-from, a picture whose recipe takes the place of the defaults of command `name`.

    A recipe is foreign data: its values are checked like flags, and what would name a file is left out.
    """

    def choose(ctx: click.Context, param: click.Parameter, picture: str | None) -> None:
        if picture:
            found = recipe_defaults(recipe_in(picture), picture, name, kind)
            ctx.default_map = {**(ctx.default_map or {}), **found}

    return click.option(
        "--params-from",
        metavar="PICTURE",
        is_eager=True,
        expose_value=False,
        callback=choose,
        help="Take the options of a picture that this command made, but for files that they name; flags win.",
    )


def recipe_in(picture: str) -> Mapping[str, Any]:
    """The recipe inside a picture or a video; raises InputError if there is none."""
    from styler.storage import magic

    if picture != "-" and magic.has_comment(picture):
        from styler.storage.videos.read import read_recipe
    else:
        from styler.storage.pictures.decode import read_recipe
    return read_recipe(picture)


def recipe_defaults(
    recipe: Mapping[str, Any], picture: str, command: str, kind: type[Options]
) -> dict[str, Any]:
    """Options of a recipe by field name, those left out that name files or that change no picture.

    Raises InputError for the recipe of another command.
    """
    from styler.storage.names import display

    options = recipe.get("options")
    if recipe.get("command") != command or not isinstance(options, Mapping):
        raise InputError(f"{display(picture)} was not made by styler {command}: its options are others")
    found = {}
    for f in dataclasses.fields(kind):
        value = options.get(f.name)
        metavar = f.metadata["metavar"] or ""
        named = "MASK" in metavar or ("FILE" in metavar and not _NAMES.fullmatch(str(value)))
        if f.metadata["recipe"] and isinstance(value, str | int | float) and not named:
            found[f.name] = value
    return found


@contextlib.contextmanager
def _telling_shortage(names: Collection[str]) -> Iterator[None]:
    """Tell that memory ran out, with what of a command's options, by field name, would help."""
    try:
        yield
    except (MemoryError, RuntimeError, OSError, SystemError) as error:
        if not is_shortage(error):
            raise
        helpful = [flag_of(name) for name in _SPARING if name in names]
        advice = f"use a smaller {' or '.join(helpful)}" if helpful else "close other programs"
        raise DeviceError(f"out of memory: {advice}") from error


def options_of(kind: type[Kind], completions: _Completions = _USUAL) -> Callable[[Command], Command]:
    """Give a command a flag for each field of an options class; it gets `options`, built of them."""
    fields = fields_of(kind)

    def decorate(command: Command) -> Command:
        def called(*args: Any, **values: Any) -> Any:
            chosen = {f.name: values.pop(f.name) for f in fields}
            with _naming_variables(), _telling_shortage({f.name for f in fields}):
                for f in fields:
                    if (f.metadata["metavar"] or "").endswith(_FILE):
                        require_file(chosen[f.name])
                return command(*args, options=kind.of(chosen), **values)

        called.__name__, called.__doc__ = command.__name__, command.__doc__
        vars(called)[CLASS] = kind
        flags = [_option_of(f, hint, completions) for f, hint in reversed(fields.items())]
        vars(called)["__click_params__"] = [*flags, *vars(command).get("__click_params__", [])]
        return called

    return decorate


@contextlib.contextmanager
def _naming_variables() -> Iterator[None]:
    """Let an error about an option that the environment has set name its variable."""
    try:
        yield
    except StylerError as error:
        ctx, text = click.get_current_context(), str(error)
        for parameter in ctx.command.params:
            name = parameter.name or ""
            if ctx.get_parameter_source(name) is not ParameterSource.ENVIRONMENT:
                continue
            value = str(ctx.params.get(name))
            if flag_of(name) in text or any(
                f"'{part}'" in text for part in {value, *re.split("[:,=]", value)}
            ):
                error.args = (f"{text} ({variable_of(parameter, ctx)} is set in the environment)",)
        raise


def variable_of(parameter: click.Parameter, ctx: click.Context) -> str:
    """The environment variable of an option: the one for all commands if it is set, else the command's."""
    own = parameter.envvar
    if isinstance(own, str) and os.environ.get(own):
        return own
    return f"{ctx.auto_envvar_prefix}_{(parameter.name or '').upper()}"


def require_file(name: str) -> None:
    """Raise InputError if a NAME|FILE can only be a file, and there is none."""
    if os.sep in name or Path(name).suffix[1:].isalpha():
        disk.open_input(name).close()


def require_inputs(words: Iterable[str], advice: Callable[[str], str] = lambda word: "") -> None:
    """Raise InputError for the first word that is no file, folder, pattern or "-"; loads nothing.

    `advice` on a word, if there is any, takes the place of a message that there is no such file.
    """
    for word in words:
        if word != "-" and not disk.is_folder(word) and not set(word) & set("*?["):
            if not Path(word).exists() and (better := advice(word)):
                raise InputError(f"there is no file {display(word)}: {better}")
            disk.open_input(word).close()


def require_ending(inputs: Sequence[str], output: str | None) -> None:
    """Raise OutputError where the output of one picture has the ending of none; loads no torch."""
    from styler.storage import magic
    from styler.storage.inputs import STREAM, is_several, picture_target

    video = any(word != STREAM and not is_several(word) and magic.is_video(word) for word in inputs)
    if len(inputs) < 2 and not video and not any(map(is_several, inputs)):
        picture_target(output, "-")


def talking(command: Command) -> Command:
    """Give a command -q, -v, --json and --debug, which are noted in the settings that it gets."""

    def remember(ctx: click.Context, param: click.Parameter, value: bool) -> None:
        if value and param.name:
            ctx.ensure_object(dict)[param.name] = True

    texts = {
        "--debug": "Show a traceback where something fails.",
        "--json": "Write results as JSON lines to standard output.",
        "-v/--verbose": "Write all losses.",
        "-q/--quiet": "Write errors only.",
    }
    for names, text in texts.items():
        flag = click.option(
            *names.split("/"), is_flag=True, is_eager=True, expose_value=False, callback=remember, help=text
        )
        command = flag(command)
    return command
