"""Commands that show what a network sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from styler.options.see import ImagineOptions, SaliencyOptions
from styler.ui.flags import options_of, require_file, require_inputs, talking
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
    require_file(network)
    from styler.jobs.see import layers as job

    console_of(settings).table("Layers", _COLUMNS, job.layers(network))


def _pictures(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command its pictures, and the place to write."""
    text = "Where to write; - is standard output. [default: IMAGE-COMMAND.png, of a folder FOLDER-COMMAND]"
    output = click.option("-o", "--output", metavar="FILE|FOLDER", help=text)
    return click.argument("images", metavar="IMAGE...", nargs=-1, required=True)(output(command))


@click.command()
@_pictures
@options_of(SaliencyOptions)
@talking
@click.pass_obj
def saliency(settings: Settings, images: Sequence[str], output: str | None, options: SaliencyOptions) -> int:
    """Show which pixels raise and lower the score of a class, or a layer, on a labelled sheet.

    \b
    styler saliency photo.jpg
    styler saliency photo.jpg --class tabby
    styler saliency photo.jpg --layer relu4_2 --method guided

    Rows: gradient, guided backpropagation, deconvnet; of each the largest magnitude of the channels, the
    positive part and the negative part. Guided and deconv show features that the network sees, not evidence:
    they look much the same for every class.
    """
    require_inputs(images)
    from styler.jobs.see import saliency as job

    return run_batch(settings, output, lambda interrupt: job.saliency(images, output, options, interrupt))


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
