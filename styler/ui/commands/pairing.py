"""The command that makes pairs of photos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from styler.options.translate import PairsOptions
from styler.ui.flags import options_of, talking
from styler.ui.follow import Settings, run_batch

KINDS = {
    "edges": "The inputs are the photos' edges, as black lines on white.",
    "grey": "The inputs are the photos without color.",
    "blur": "The inputs are the photos blurred.",
    "low-resolution": "The inputs are the photos shrunk and enlarged again.",
    "palette": "The inputs are the photos in few colors.",
    "segments": "The inputs are areas of few colors with smooth outlines.",
}
"""Kinds of input with what `--help` says of them; `conditions.CONDITIONS` has the same names."""


def kinds(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command a flag for each kind of input."""
    for name, text in reversed(KINDS.items()):
        command = click.option(f"--{name}", is_flag=True, help=text)(command)
    return command


@click.command()
@click.argument("photos", metavar="PHOTO...", nargs=-1, required=True)
@click.option("-o", "--output", required=True, metavar="FOLDER", help="Where the pairs go.")
@kinds
@options_of(PairsOptions)
@talking
@click.pass_obj
def pairs(
    settings: Settings, /, photos: Sequence[str], output: str, options: PairsOptions, **flags: bool
) -> int:
    """Make pairs of an input and a photo out of photos, to train on with `styler train-translate`.

    \b
    styler pairs photos/ --edges -o edges2photo/

    Writes one PNG for each photo, the input left and the photo right, and pairs.json, which tells how. What
    is there already is left alone.
    """
    from styler.jobs import pairs as pairing

    given = [name for name in KINDS if flags[name.replace("-", "_")]]
    if len(given) != 1:
        raise click.UsageError(f"Give one of {', '.join('--' + name for name in KINDS)}.")
    (kind,) = given
    return run_batch(
        settings, output, lambda interrupt: pairing.pairs(photos, output, kind, options, interrupt)
    )
