"""Commands that paint, translate, make pairs to learn from, and show how a picture was made."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from styler.errors import InputError
from styler.options.enlarge import EnlargeOptions
from styler.options.fast import FastOptions
from styler.options.optimize import INITS, OPTIMIZE_PRESETS, GridOptions, OptimizeOptions, all_masks
from styler.options.translate import PairsOptions, TranslateOptions
from styler.storage import names
from styler.storage.models import shelf
from styler.storage.names import display
from styler.storage.styles import asked, weighted
from styler.ui import completion, help
from styler.ui.flags import (
    options_of,
    output_option,
    params_option,
    preset_option,
    recipe_in,
    require_ending,
    require_inputs,
    talking,
)
from styler.ui.follow import Settings, console_of, run_batch, run_job
from styler.ui.remake import command_line

KINDS = {
    "edges": "The inputs are the photos' edges, as black lines on white.",
    "grey": "The inputs are the photos without color.",
    "blur": "The inputs are the photos blurred.",
    "low-resolution": "The inputs are the photos shrunk and enlarged again.",
    "palette": "The inputs are the photos in few colors.",
    "segments": "The inputs are areas of few colors with smooth outlines.",
}
"""Kinds of input with what `--help` says of them; `conditions.CONDITIONS` has the same names."""


def _writing(pictures: Sequence[str]) -> Callable[[str], str]:
    """Advice on the last of several pictures: that it may be what is to be written."""
    last = pictures[-1] if len(pictures) > 2 and Path(pictures[-1]).suffix[1:].isalnum() else ""
    return lambda word: f"if it is to be written, -o {display(word)}" if word == last else ""


def _meaning_style(word: str) -> str:
    """Advice on an input that there is not: that it is the name of a style."""
    return f"it is a style: add --style {word}" if word in shelf.styles() else ""


def _require_start(init: str) -> None:
    """Raise InputError for an `--init` that is neither one of its words nor a file."""
    if init not in INITS and not Path(init).suffix and not Path(init).exists():
        raise InputError(
            f"--init is '{display(init)}'; choose one of {', '.join(INITS)}, or the file of a picture"
        )


_BUILT_IN = (
    "This was painted by the built-in network. VGG-19 paints finer, in five times the time: --network vgg19 "
    "says how to get it. (This note comes once.)"
)


@click.command(cls=help.Command)
@click.argument("pictures", metavar="CONTENT... [STYLE...]", nargs=-1, required=True)
@click.option(
    "--style",
    "styles",
    metavar="FILE",
    multiple=True,
    help="Style; several are blended. All else is content.",
)
@output_option("CONTENT-STYLE.png, of a folder FOLDER-STYLE")
@preset_option(OPTIMIZE_PRESETS, "Defaults of styler, or those of Gatys et al. 2016.")
@params_option("optimize", OptimizeOptions)
@options_of(OptimizeOptions)
@talking
@click.pass_obj
def optimize(
    settings: Settings,
    pictures: Sequence[str],
    styles: Sequence[str],
    output: str | None,
    options: OptimizeOptions,
) -> int:
    """Paint CONTENT in the style of STYLE, or of several styles blended.

    \b
    styler optimize photo.jpg painting.jpg
    styler optimize photo.jpg waves
    styler optimize a.jpg b.jpg holiday/ --style waves.jpg --style ink.jpg -o painted/

    A style may be one of the pictures that come with styler: dots, gold, ink, mosaic, stained-glass, swirls,
    waves. STYLE:0.3 gives it a weight among several. Several contents, or a folder of them, need their
    styles named by --style. Ctrl-C saves the picture in hand as it stands. For many photos, or a video,
    `styler fast --style painting.jpg` learns the style once; `styler grid` shows several styles on one sheet.
    """
    if len(pictures) == 1 and not styles:
        raise click.UsageError("Missing argument 'STYLE...': name a style, or several.")
    contents = pictures if styles else pictures[:1]
    _require_start(options.init)
    require_inputs([*contents, *(weighted(word)[0] for word in styles or pictures[1:])], _writing(pictures))
    require_inputs([*all_masks(options), *filter(None, [options.resume])])
    require_ending(contents, output)
    from styler.jobs import optimize as job

    code = run_batch(
        settings, output, lambda interrupt: job.optimize(pictures, styles, output, options, interrupt)
    )
    if not code and options.network == "compact" and names.first_time("built-in-network"):
        console_of(settings).note(_BUILT_IN)
    return code


@click.command(cls=help.Command)
@click.argument("pictures", metavar="CONTENT... [STYLE]", nargs=-1, required=True)
@click.option(
    "--style", "styles", metavar="FILE", multiple=True, help="Style; several are the columns of the grid."
)
@click.option("-o", "--output", metavar="FILE|FOLDER", help="The sheet. [default: CONTENT-STYLE-grid.png]")
@preset_option(OPTIMIZE_PRESETS, "Defaults of styler, or those of Gatys et al. 2016.")
@options_of(GridOptions)
@talking
@click.pass_obj
def grid(
    settings: Settings,
    pictures: Sequence[str],
    styles: Sequence[str],
    output: str | None,
    options: GridOptions,
) -> int:
    """Paint CONTENT in STYLE many times, on one labeled sheet: by ratio, two options, or pictures.

    \b
    styler grid photo.jpg waves.jpg
    styler grid photo.jpg waves.jpg --columns style-weight=0.3,1,3 --rows color=style,photo,histogram
    styler grid a.jpg b.jpg --style waves.jpg --style ink.jpg

    Finished cells are kept in OUTPUT.cells, so a grid that was stopped goes on, and one with more values
    paints those alone. Of several --shard parts the last one to end makes the sheet.
    """
    if not styles:
        if len(pictures) != 2:
            raise click.UsageError("Name one content and one style, or the styles by --style.")
        pictures, styles = pictures[:1], pictures[1:]
    require_inputs([*pictures, *(weighted(word)[0] for word in styles), *all_masks(options)])
    require_ending((), output)
    from styler.jobs import grid as job

    return run_job(settings, lambda interrupt: job.grid(pictures, styles, output, options, interrupt))


@click.command(cls=help.Command)
@click.argument("inputs", metavar="[INPUT]...", nargs=-1)
@output_option("INPUT-STYLE.png, of a folder FOLDER-STYLE")
@params_option("fast", FastOptions)
@options_of(FastOptions, {"style": completion.styles, "model": completion.painters})
@talking
@click.pass_obj
def fast(settings: Settings, inputs: Sequence[str], output: str | None, options: FastOptions) -> int:
    """Paint pictures, folders and videos at once with a trained network, each in one pass.

    \b
    styler fast photo.jpg --style wave
    styler fast photo.jpg --style painting.jpg
    styler fast photo.jpg --style all
    styler fast holiday/ --style starry-night -o painted/

    A painting is learned first, on what is to be painted, in about a minute; the next time it is known.
    Ctrl-C paints with what was learned until then. For one photo `styler optimize` takes as long and is
    better; for many, or a video, take this. A network of textures needs no INPUT: it paints --size WxH from
    noise. Pictures in trained styles need no torch, with --engine onnx.
    """
    require_inputs(inputs, _meaning_style)
    require_ending(inputs, output)
    paintings = asked(options.style, shelf.styles).paintings if options.engine == "torch" else ()
    require_inputs(filter(None, [options.protect, *paintings]))
    styles = [] if options.style or options.model else shelf.styles()
    if len(styles) > 1:
        raise click.UsageError(
            f"Missing option '--style': choose from {', '.join(styles)}, or give a painting's file, as in "
            "--style painting.jpg. --style all shows them all on one sheet."
        )
    if options.engine == "onnx":
        from styler.jobs.onnx import fast as job
    else:
        from styler.jobs.fast import fast as job
    return run_batch(settings, output, lambda interrupt: job(inputs, output, options, interrupt))


@click.command(cls=help.Command)
@click.argument("inputs", metavar="INPUT...", nargs=-1)
@output_option("INPUT-NAME.png, of a folder FOLDER-NAME")
@options_of(TranslateOptions, {"checkpoint": completion.translators})
@talking
@click.pass_obj
def translate(
    settings: Settings, inputs: Sequence[str], output: str | None, options: TranslateOptions
) -> int:
    """Translate pictures, folders and videos with a generator that was trained on pairs.

    \b
    styler translate sketch.png --checkpoint edges2cat
    styler translate cat.jpg --checkpoint edges2cat --from-photo
    """
    require_inputs(inputs)
    require_ending(inputs, output)
    from styler.jobs import translate as job

    return run_batch(settings, output, lambda interrupt: job.translate(inputs, output, options, interrupt))


@click.command()
@click.argument("inputs", metavar="INPUT...", nargs=-1)
@output_option("INPUT-x4.png, of a folder FOLDER-x4")
@params_option("enlarge", EnlargeOptions)
@options_of(EnlargeOptions, {"model": completion.enlargers})
@talking
@click.pass_obj
def enlarge(settings: Settings, inputs: Sequence[str], output: str | None, options: EnlargeOptions) -> int:
    """Enlarge pictures, folders and videos with networks that were trained to.

    \b
    styler enlarge painting.png
    styler enlarge scans/ --size 3840 --clean 0.7 -o large/

    What is larger than asked for already is shrunk.
    """
    require_inputs(inputs)
    require_ending(inputs, output)
    from styler.jobs import enlarge as job

    return run_batch(settings, output, lambda interrupt: job.enlarge(inputs, output, options, interrupt))


def kinds(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command a flag for each kind of input."""
    for name, text in reversed(KINDS.items()):
        names = ("--gray", "--grey", "grey") if name == "grey" else (f"--{name}",)
        command = click.option(*names, is_flag=True, help=text)(command)
    return command


@click.command(cls=help.Command)
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
    styler pairs photos/ --edges -o lines/

    Writes one PNG for each photo, the input left and the photo right, and pairs.json, which tells how. What
    is there already is left alone.
    """
    require_inputs(photos)
    given = [name for name in KINDS if flags[name.replace("-", "_")]]
    if len(given) != 1:
        raise click.UsageError(f"Give one of {', '.join('--' + name for name in KINDS)}.")
    (kind,) = given
    from styler.jobs.training import pairs as job

    return run_batch(settings, output, lambda interrupt: job.pairs(photos, output, kind, options, interrupt))


@click.command(cls=help.Command)
@click.argument("picture")
@talking
@click.pass_obj
@click.pass_context
def show(ctx: click.Context, settings: Settings, picture: str) -> None:
    """Print the recipe inside PICTURE, which may be a video, and the command that remakes it.

    \b
    styler show painting.png
    styler show painting.png --json
    """
    require_inputs([picture])
    console, recipe = console_of(settings), recipe_in(picture)
    console.text(json.dumps(recipe, indent=None if settings.get("json") else 2, ensure_ascii=False))
    if not settings.get("json"):
        group = ctx.find_root().command
        remake = command_line(recipe, group.commands if isinstance(group, click.Group) else {})
        console.text(remake.line)
        if remake.note:
            console.note(remake.note)
