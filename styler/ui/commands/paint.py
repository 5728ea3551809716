"""Commands that paint, and that tell how a picture was painted."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from styler.options.fast import FastOptions
from styler.options.optimize import OptimizeOptions
from styler.ui import completion
from styler.ui.flags import command_line, options_of, talking
from styler.ui.follow import Settings, check_output, console_of, run_batch, run_job


@click.command()
@click.argument("content")
@click.argument("styles", metavar="STYLE...", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    metavar="FILE|FOLDER",
    help="Where to write; - is standard output. [default: CONTENT-STYLE.png]",
)
@options_of(OptimizeOptions)
@talking
@click.pass_obj
def optimize(
    settings: Settings, content: str, styles: Sequence[str], output: str | None, options: OptimizeOptions
) -> int:
    """Paint CONTENT in the manner of STYLE, or of several styles blended.

    Writes one picture and nothing else. Ctrl-C saves the picture as it stands.
    """
    from styler.jobs import optimize as painting

    check_output(settings, output)
    return run_job(settings, lambda interrupt: painting.optimize(content, styles, output, options, interrupt))


@click.command()
@click.argument("inputs", metavar="[INPUT]...", nargs=-1)
@click.option(
    "-o",
    "--output",
    metavar="FILE|FOLDER",
    help="Where to write; - is standard output. [default: INPUT-STYLE.png, of a folder FOLDER-STYLE]",
)
@options_of(FastOptions, {"style": completion.styles, "model": completion.painters})
@talking
@click.pass_obj
def fast(settings: Settings, inputs: Sequence[str], output: str | None, options: FastOptions) -> int:
    """Paint pictures, folders and films at once with a trained network, each in one pass.

    \b
    styler fast photo.jpg --style wave
    styler fast holiday/ --style starry-night -o painted/

    A network of textures needs no INPUT: it paints --size WxH from noise.
    """
    from styler.jobs import fast as stylizing

    return run_batch(settings, output, lambda interrupt: stylizing.fast(inputs, output, options, interrupt))


@click.command()
@click.argument("picture")
@talking
@click.pass_obj
def show(settings: Settings, picture: str) -> None:
    """Print the recipe inside PICTURE, which may be a film, and the command that remakes it."""
    from styler.storage.films import read as video
    from styler.storage.pictures.load import read_recipe

    read = video.read_recipe if picture != "-" and video.has_comment(picture) else read_recipe
    console, recipe = console_of(settings), read(picture)
    console.text(json.dumps(recipe, indent=None if settings.get("json") else 2, ensure_ascii=False))
    if not settings.get("json"):
        console.text(command_line(recipe))
