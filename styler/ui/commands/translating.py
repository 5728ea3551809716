"""The command that translates pictures."""

from __future__ import annotations

from collections.abc import Sequence

import click

from styler.options.translate import TranslateOptions
from styler.ui import completion
from styler.ui.flags import options_of, talking
from styler.ui.follow import Settings, run_batch


@click.command()
@click.argument("inputs", metavar="INPUT...", nargs=-1)
@click.option(
    "-o",
    "--output",
    metavar="FILE|FOLDER",
    help="Where to write; - is standard output. [default: INPUT-NAME.png, of a folder FOLDER-NAME]",
)
@options_of(TranslateOptions, {"checkpoint": completion.translators})
@talking
@click.pass_obj
def translate(
    settings: Settings, inputs: Sequence[str], output: str | None, options: TranslateOptions
) -> int:
    """Translate pictures, folders and films with a generator that was trained on pairs.

    \b
    styler translate sketch.png --checkpoint edges2photo
    styler translate photo.jpg --checkpoint edges2photo --from-photo
    """
    from styler.jobs import translate as translating

    return run_batch(
        settings, output, lambda interrupt: translating.translate(inputs, output, options, interrupt)
    )
