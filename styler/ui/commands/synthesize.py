"""Commands that make pictures of features alone: textures and inversions."""

from __future__ import annotations

import click

from styler.options.synthesis import InvertOptions, TextureOptions
from styler.storage.styles import style_file
from styler.ui import help
from styler.ui.flags import options_of, output_option, params_option, require_inputs, talking
from styler.ui.follow import Settings, run_job


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
    from styler.jobs.see import synthesis as job

    return run_job(settings, lambda interrupt: job.invert(picture, output, options, interrupt), output)
