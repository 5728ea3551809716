"""The command line: one short function per command, and exit codes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from styler import __version__
from styler.errors import DeviceError, StylerError
from styler.flags import command_line, options_of, talking
from styler.interrupt import Interrupted, interruptible
from styler.options import DistillOptions, OptimizeOptions

if TYPE_CHECKING:
    from styler.console import Console

Settings = dict[str, bool]


def main() -> None:
    """Run the command line; every way out has its exit code.

    0 done, 1 failed, 2 wrong usage, 130 Ctrl-C, 143 SIGTERM, 129 SIGHUP.
    """
    # torch reads it when it is loaded: what Apple's GPU lacks then runs on the CPU instead of failing.
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")
    settings: Settings = {}
    try:
        code = styler.main(standalone_mode=False, obj=settings)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = 130
    except Interrupted as interrupted:
        code = interrupted.exit_code
    except BrokenPipeError:
        # The reader went away (`| head`). Python must not try to flush at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except Exception as error:
        if settings.get("debug"):
            raise
        code = report(error, settings)
    sys.exit(code)


def report(error: Exception, settings: Settings) -> int:
    """Tell an error in one line; returns the exit code."""
    told = error if isinstance(error, StylerError) else unexpected(error)
    console_of(settings).error(told)
    return told.exit_code


def unexpected(error: Exception) -> StylerError:
    """What to tell of an error that nobody raised on purpose."""
    text = str(error)
    # torch raises a plain RuntimeError when the CPU's memory is out.
    if isinstance(error, MemoryError) or "out of memory" in text or "DefaultCPUAllocator" in text:
        return DeviceError("out of memory: use a smaller --size or --history")
    return StylerError(f"{type(error).__name__}: {text}. This is a bug in styler; --debug shows where")


def console_of(settings: Settings) -> Console:
    """The console as -q, -v and --json want it."""
    from styler.console import Console

    quiet, verbose, json_lines = (settings.get(name, False) for name in ("quiet", "verbose", "json"))
    return Console(quiet, verbose, json_lines)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "STYLER"})
@click.version_option(__version__, "-V", "--version", message="%(prog)s %(version)s")
def styler() -> None:
    """Neural style transfer: paint a photo in the manner of a picture.

    \b
    styler optimize photo.jpg painting.jpg
    """


# Painting


@styler.command()
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
    from styler import painting

    if output == "-" and settings.get("json"):
        raise click.UsageError("--json and --output - would both write to standard output")
    console = console_of(settings)
    with interruptible() as interrupt:
        console.result(console.follow(painting.optimize(content, styles, output, options, interrupt)))
    return interrupt.exit_code


@styler.command()
@click.argument("picture")
@talking
@click.pass_obj
def show(settings: Settings, picture: str) -> None:
    """Print the recipe inside PICTURE, and the command that remakes it."""
    from styler.storage import images

    console, recipe = console_of(settings), images.read_recipe(picture)
    console.text(json.dumps(recipe, indent=None if settings.get("json") else 2, ensure_ascii=False))
    if not settings.get("json"):
        console.text(command_line(recipe))


# Networks


@styler.group()
def weights() -> None:
    """List, fetch, check and add network weights."""


@weights.command("list")
@talking
@click.pass_obj
def list_weights(settings: Settings) -> None:
    """List the networks that styler knows and what is here of them."""
    from styler.storage import weights

    rows = [
        (name, weights.describe(name), f"{known.bytes / 1e6:.0f} MB" if known.bytes else "", known.licence)
        for name, known in weights.WEIGHTS.items()
    ]
    console_of(settings).table("Network weights", ("name", "here", "download", "licence"), rows)


@weights.command()
@click.argument("name")
@talking
@click.pass_obj
def path(settings: Settings, name: str) -> None:
    """Print the file that NAME is read from."""
    from styler.storage import weights

    console_of(settings).text(str(weights.locate(name)))


@weights.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@talking
@click.pass_obj
def verify(settings: Settings, names: Sequence[str]) -> int:
    """Check the hashes and values of weights; of all that are here if no NAME is given."""
    from styler.storage import weights

    states = {name: weights.verify(name) for name in names or weights.WEIGHTS}
    found = {name: state for name, state in states.items() if names or state != "missing"}
    console_of(settings).table("Network weights", ("name", "state"), list(found.items()))
    return int(any(state != "ok" for state in found.values()))


@weights.command()
@click.argument("name")
@click.option("--url", help="Another place for the same file.")
@click.option("--offline", is_flag=True, help="Refuse to use the network.")
@talking
@click.pass_obj
def fetch(settings: Settings, name: str, url: str | None, offline: bool) -> None:
    """Download the weights NAME, check them and keep the convolutions."""
    from styler.storage import weights

    console = console_of(settings)
    console.note(f"{name} is in {console.follow(weights.fetch(name, url=url, offline=offline))}")


@weights.command()
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@talking
@click.pass_obj
def add(settings: Settings, name: str, file: Path) -> None:
    """Take the weights NAME from a FILE that you have: torchvision's, Caffe's converted, or styler's own."""
    from styler.storage import weights

    console_of(settings).note(f"{name} is in {weights.add(name, file)}")


# Training


@styler.command()
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
    from styler import training

    console = console_of(settings)
    with interruptible() as interrupt:
        console.result(console.follow(training.distill(options=options, stop=interrupt, **values)))
    return interrupt.exit_code


# The machine


@styler.command()
@talking
@click.pass_obj
def doctor(settings: Settings) -> int:
    """Tell versions, devices, memory, codecs and weights, and what is wrong with them."""
    from styler.storage import health

    findings = health.report()
    rows = [(finding.level, finding.area, finding.text) for finding in findings]
    console_of(settings).table("styler doctor", ("", "area", "finding"), rows)
    return int(any(finding.level == "bad" for finding in findings))
