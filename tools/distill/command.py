"""Command line of the distillation."""

from __future__ import annotations

import sys
from typing import Any

import click

from distill.options import DistillOptions
from styler.errors import StylerError
from styler.signals import Interrupted, interruptible
from styler.ui.flags import options_of, talking
from styler.ui.follow import Settings, console_of


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


@click.command("distill", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--dataset", required=True, metavar="FOLDER|LIST", help="Photos to learn on.")
@click.option("--artworks", metavar="FOLDER|LIST", help="Paintings to learn on as well.")
@click.option(
    "--teacher", default="vgg19", show_default=True, metavar="NAME|FILE", help="Network to imitate."
)
@click.option("-o", "--output", required=True, metavar="FILE", help="The narrow network, as .safetensors.")
@click.option("--credits", default="", metavar="TEXT", help="Whom the pictures' licences ask to name.")
@click.option("--resume", is_flag=True, help="Go on where an interrupted run was.")
@click.option("--overwrite", is_flag=True, help="Replace an output that exists.")
@options_of(DistillOptions)
@talking
@click.pass_obj
def distill(settings: Settings, /, options: DistillOptions, **values: Any) -> int:
    """Make a narrow VGG whose features predict those of a wide one; the built-in network was made so.

    Writes the network, and while it is not done its training state beside it. Ctrl-C saves the state.
    """
    from distill import job

    console = console_of(settings)
    with interruptible() as interrupt:
        console.result(console.follow(job.distill(options=options, stop=interrupt, **values)))
    return interrupt.exit_code
