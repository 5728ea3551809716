"""Errors for Python: messages name arguments where the command line has flags."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from styler.errors import StylerError

P = ParamSpec("P")
R = TypeVar("R")

_FLAG = re.compile(r"--(no-)?([a-z][a-z0-9-]*)(?: (\d+x\d+|\d+(?:\.\d+)?\b|[A-Z]+\b))?")
_COMMAND = re.compile(r"\bstyler (optimize|fast|translate)\b(?: --[a-z]+(?! [A-Za-z0-9]))?")
_SWITCHES = ("overwrite", "from_photo", "from_sketch", "dropout")
"""Arguments that are True or False."""


def as_arguments(text: str) -> str:
    """A message in which flags are arguments: `--size 21` -> `size=21`, `--no-dropout` -> `dropout=False`."""

    def argument(match: re.Match[str]) -> str:
        name, value = match[2].replace("-", "_"), match[3]
        if match[1] or name in _SWITCHES:
            return f"{name}={not match[1]}" + (f" {value}" if value else "")
        if value is None:
            return name
        return f"{name}={repr(value) if 'x' in value else value}"

    functions = {"optimize": "paint"}
    text = _COMMAND.sub(lambda match: f"styler.{functions.get(match[1], match[1])}", text)
    return _FLAG.sub(argument, text)


@contextmanager
def naming_arguments() -> Iterator[None]:
    """Let errors name arguments, not flags."""
    try:
        yield
    except StylerError as error:
        error.args = (as_arguments(str(error)), *error.args[1:])
        raise


def for_python(function: Callable[P, R]) -> Callable[P, R]:
    """The function, with errors that name arguments."""

    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        with naming_arguments():
            return function(*args, **kwargs)

    return called
