"""Commands that show what a network sees."""

from __future__ import annotations

import click

from styler.options.see import ImagineOptions
from styler.ui.flags import options_of, talking
from styler.ui.follow import Settings, console_of, run_batch

_COLUMNS = ("layer", "channels", "stride", "sees", "from", "smallest picture", "good for", "Gram parameters")


@click.command()
@click.option(
    "--network",
    default="compact",
    show_default=True,
    envvar="STYLER_NETWORK",
    metavar="NAME|FILE",
    help="Network of `styler weights list`, or a weights file; compact is built in.",
)
@talking
@click.pass_obj
def layers(settings: Settings, network: str) -> None:
    """List a network's layers: channels, stride, what a unit sees, and what each is good for.

    A unit sees a square of pixels with that side; the first one's begins at "from", the next one's a stride
    later. The symmetric Gram matrix of C channels has C (C + 1) / 2 parameters.
    """
    from styler.jobs.see import layers as job

    console_of(settings).table("Layers", _COLUMNS, job.layers(network))


@click.command()
@click.option("-o", "--output", metavar="FILE|FOLDER", help="Where to write; - is standard output.")
@options_of(ImagineOptions)
@talking
@click.pass_obj
def imagine(settings: Settings, output: str | None, options: ImagineOptions) -> int:
    """Make the picture that excites a channel of a network, or a class, the most.

    \b
    styler imagine --channel conv4_2:17
    styler imagine --class tabby

    Channels are those of `styler layers`; conv4_2:0-8 makes a labelled sheet of nine. Ctrl-C saves the
    picture as it stands.
    """
    from styler.jobs.see import imagine as job

    return run_batch(settings, output, lambda interrupt: job.imagine(output, options, interrupt))
