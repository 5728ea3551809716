"""Commands that show what a network sees, and that make pictures of features alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from styler.options.see import DreamOptions, FeaturesOptions, ImagineOptions, SaliencyOptions
from styler.options.synthesis import InvertOptions, TextureOptions
from styler.storage.styles import style_file
from styler.ui import help
from styler.ui.flags import (
    options_of,
    output_option,
    params_option,
    require_ending,
    require_file,
    require_inputs,
    talking,
)
from styler.ui.follow import Settings, console_of, run_batch, run_job

_COLUMNS = ("layer", "channels", "stride", "sees", "from", "smallest picture", "good for", "Gram parameters")


@click.command(cls=help.Command)
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

    \b
    styler layers
    styler layers --network vgg19

    A unit sees a square of pixels with that side; the first one's begins at "from", the next one's a stride
    later. The symmetric Gram matrix of C channels has C (C + 1) / 2 parameters.
    """
    require_file(network)
    from styler.jobs.see import layers as job

    console_of(settings).table("Layers", _COLUMNS, job.layers(network))


def _pictures(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command its pictures, and the place to write."""
    output = output_option("IMAGE-COMMAND.png, of a folder FOLDER-COMMAND")
    return click.argument("images", metavar="IMAGE...", nargs=-1, required=True)(output(command))


@click.command(cls=help.Command)
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
    require_ending(images, output)
    from styler.jobs.see import saliency as job

    return run_batch(settings, output, lambda interrupt: job.saliency(images, output, options, interrupt))


@click.command(cls=help.Command)
@_pictures
@options_of(FeaturesOptions)
@talking
@click.pass_obj
def features(settings: Settings, images: Sequence[str], output: str | None, options: FeaturesOptions) -> int:
    """Show the strongest feature maps of layers, and the pixels that excite them, on a labelled sheet.

    \b
    styler features photo.jpg
    styler features photo.jpg --layer relu3_4,relu4_4 --top 6 --method guided

    Two rows for each layer: the signal that is traced back to pixels from the map's strongest place, with the
    map's number and sum below; and the patch of the photo that this place sees. Guided and deconv show
    features, not evidence.
    """
    require_inputs(images)
    require_ending(images, output)
    from styler.jobs.see import features as job

    return run_batch(settings, output, lambda interrupt: job.features(images, output, options, interrupt))


@click.command(cls=help.Command)
@_pictures
@options_of(DreamOptions)
@talking
@click.pass_obj
def dream(settings: Settings, images: Sequence[str], output: str | None, options: DreamOptions) -> int:
    """Dream of a picture: let it excite a layer, a channel or a class of a network more and more.

    \b
    styler dream photo.jpg
    styler dream photo.jpg --layer relu3_3 --strength 0.7
    styler dream photo.jpg --class random
    styler dream photo.jpg --frames 40 --zoom 1.04 --size 320 -o dream.gif

    With --frames a video (GIF, WebP, PNG, MP4) in which each frame zooms into the one before and is dreamed
    of again. Ctrl-C saves what is there.
    """
    require_inputs([*images, *filter(None, [options.guide])])
    options.check()
    if not options.frames:
        require_ending(images, output)
    from styler.jobs.see import dream as job
    from styler.jobs.see import zoom

    begin = zoom.zoom if options.frames else job.dream
    return run_batch(settings, output, lambda interrupt: begin(images, output, options, interrupt))


@click.command(cls=help.Command)
@output_option()
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
    options.check()
    require_ending((), output)
    from styler.jobs.see import imagine as job

    return run_batch(settings, output, lambda interrupt: job.imagine(output, options, interrupt))


@click.command(cls=help.Command)
@click.argument("style")
@output_option("STYLE-texture.png")
@params_option("texture", TextureOptions)
@options_of(TextureOptions)
@talking
@click.pass_obj
def texture(settings: Settings, style: str, output: str | None, options: TextureOptions) -> int:
    """Make a texture of STYLE, a file or a picture of ours by name, of any size, from noise.

    \b
    styler texture mosaic.jpg --size 1024x512
    styler texture moss.jpg --tileable
    styler texture waves --sheet

    Its features have the statistics of the style's up to a layer, as in Gatys et al. 2015; --sheet shows a
    texture for each depth, with the number of parameters that describe it. Ctrl-C saves the texture as it
    stands.
    """
    style = style_file(style)
    require_inputs([style])
    require_ending((), output)
    from styler.jobs.see import synthesis as job

    return run_job(settings, lambda interrupt: job.texture(style, output, options, interrupt), output)


@click.command(cls=help.Command)
@click.argument("picture")
@output_option("PICTURE-invert.png")
@params_option("invert", InvertOptions)
@options_of(InvertOptions)
@talking
@click.pass_obj
def invert(settings: Settings, picture: str, output: str | None, options: InvertOptions) -> int:
    """Reconstruct PICTURE from its features at several layers: what each layer keeps of it.

    \b
    styler invert photo.jpg
    styler invert photo.jpg --layers relu2_2,relu4_1 --seeds 4

    Writes one sheet: a row for each seed, with relative errors of the features, and maps of where the
    reconstructions differ (white: a deviation of 0.25), as in Mahendran and Vedaldi 2015.
    """
    require_inputs([picture])
    require_ending((), output)
    from styler.jobs.see import synthesis as job

    return run_job(settings, lambda interrupt: job.invert(picture, output, options, interrupt), output)
