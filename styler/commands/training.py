"""Commands that train networks."""

from __future__ import annotations

from typing import Any

import click

from styler.commands import completion
from styler.commands.settings import Settings, console_of
from styler.flags import options_of, talking
from styler.interrupt import interruptible
from styler.options import RECIPES, DistillOptions, TrainFastOptions


def recipe(ctx: click.Context, param: click.Parameter, name: str) -> None:
    """Let a recipe's values take the place of the defaults; flags and the environment overrule them."""
    ctx.default_map = {**(ctx.default_map or {}), **RECIPES[name]}


@click.command("train-fast")
@click.option(
    "--style",
    "styles",
    required=True,
    multiple=True,
    metavar="[NAME=]FILE",
    help="Picture to learn the style of; several make one network for all.",
)
@click.option("--dataset", metavar="FOLDER|LIST", help="Photos to learn on; textures need none.")
@click.option("-o", "--output", required=True, metavar="FILE", help="The trained network, as .safetensors.")
@click.option(
    "--add-to",
    metavar="NAME|FILE",
    help="Trained network to add the styles to; its own stay as they are.",
    shell_complete=completion.networks,
)
@click.option("--credits", default="", metavar="TEXT", help="Whom the pictures' licences ask to name.")
@click.option("--resume", is_flag=True, help="Go on where an interrupted run was.")
@click.option("--overwrite", is_flag=True, help="Replace an output that exists.")
@click.option(
    "--recipe",
    type=click.Choice(tuple(RECIPES)),
    default="laptop",
    show_default=True,
    is_eager=True,
    expose_value=False,
    callback=recipe,
    help="Defaults for a machine without a GPU, or those of Johnson et al. 2016 for one with a GPU.",
)
@options_of(TrainFastOptions)
@talking
@click.pass_obj
def train_fast(settings: Settings, /, options: TrainFastOptions, dataset: str | None, **values: Any) -> int:
    """Learn styles once, to paint any photo in them in one pass with `styler fast`.

    Writes the network, and beside it the folder OUTPUT.training with previews, loss curves, a log and, while
    it is not done, the training state. Ctrl-C saves the state. Under torchrun all processes train together.
    """
    from styler.workflows import fast_training

    if dataset is None and options.network == "transform":
        raise click.UsageError("Missing option '--dataset': the photos to learn on.")
    console = console_of(settings)
    with interruptible() as interrupt:
        run = fast_training.train_fast(dataset=dataset or "", options=options, stop=interrupt, **values)
        record = console.follow(run)
    if record:  # of several processes only the first tells what was done
        console.result(record)
    return interrupt.exit_code


@click.command()
@click.option("--dataset", required=True, metavar="FOLDER|LIST", help="Photos to learn on.")
@click.option("--artworks", metavar="FOLDER|LIST", help="Paintings to learn on as well.")
@click.option(
    "--teacher",
    "teachers",
    required=True,
    multiple=True,
    metavar="NAME|FILE",
    help="Network to learn from; of several, each layer is learned from the first that has it.",
)
@click.option("-o", "--output", required=True, metavar="FILE", help="The narrow network, as .safetensors.")
@click.option("--credits", default="", metavar="TEXT", help="Whom the pictures' licences ask to name.")
@click.option("--resume", is_flag=True, help="Go on where an interrupted run was.")
@click.option("--overwrite", is_flag=True, help="Replace an output that exists.")
@options_of(DistillOptions)
@talking
@click.pass_obj
def distill(settings: Settings, /, options: DistillOptions, **values: Any) -> int:
    """Make a narrow VGG that sees as a wide one does; the built-in network was made so.

    Writes the network, and while it is not done its training state beside it. Ctrl-C saves the state.
    """
    from styler.workflows import distillation

    console = console_of(settings)
    with interruptible() as interrupt:
        console.result(console.follow(distillation.distill(options=options, stop=interrupt, **values)))
    return interrupt.exit_code
