"""Command line of the distillation."""

from __future__ import annotations

import sys
from dataclasses import fields
from typing import Any

import click

from distill.options import DistillOptions
from styler.errors import StylerError
from styler.signals import Interrupted, interruptible
from styler.ui.flags import options_of, talking
from styler.ui.settings import Settings, console_of


def main() -> None:
    """Run the command; every way out has its exit code, as those of styler."""
    settings: Settings = {}
    try:
        code = distill.main(standalone_mode=False, obj=settings)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = 130
    except Interrupted as interrupted:
        code = interrupted.exit_code
    except StylerError as error:
        if settings.get("debug"):
            raise
        console_of(settings).error(error)
        code = error.exit_code
    sys.exit(code)


@click.group("distill", context_settings={"help_option_names": ["-h", "--help"]})
def distill() -> None:
    """Make a narrow VGG whose features predict those of a wide one, as the built-in network was made."""


@distill.command()
@click.option("--photos", required=True, metavar="FOLDER|LIST", help="Photos to learn on.")
@click.option("--paintings", default="", metavar="FOLDER|LIST", help="Paintings as well.")
@click.option("--painted", default="", metavar="FOLDER", help="Half-painted pictures as well.")
@click.option("--teacher", default="vgg19", show_default=True, metavar="NAME|FILE", help="Wide network.")
@click.option("--start", default="", metavar="NAME|FILE", help="Narrow network whose first layers are kept.")
@click.option("--cache", required=True, metavar="FOLDER", help="Where crops and features are kept.")
@click.option("-o", "--output", required=True, metavar="FILE", help="The narrow network, as .safetensors.")
@click.option("--credits", default="", metavar="TEXT", help="Whom the pictures' licences ask to name.")
@click.option("--resume", is_flag=True, help="Go on where an interrupted run was.")
@click.option("--overwrite", is_flag=True, help="Replace an output that exists.")
@options_of(DistillOptions)
@talking
@click.pass_obj
def train(settings: Settings, /, options: DistillOptions, cache: str, output: str, **values: Any) -> int:
    """Train a network, and write its training state beside it until it is done. Ctrl-C saves the state."""
    from distill import job

    sources = job.Sources(**{f.name: values.pop(f.name) for f in fields(job.Sources)})
    console = console_of(settings)
    with interruptible() as interrupt:
        events = job.distill(sources, cache, output, options, stop=interrupt, **values)
        console.result(console.follow(events))
    return interrupt.exit_code
