"""The command line: the group of all commands, and exit codes."""

from __future__ import annotations

import errno
import io
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar

import click
from click.core import ParameterSource

from styler.errors import DeviceError, OutputError, StylerError, is_shortage
from styler.signals import Interrupted, interruptible
from styler.storage.names import display
from styler.ui import help
from styler.ui.commands import machine, models, paint, see, train
from styler.ui.flags import talking, variable_of
from styler.ui.follow import Settings, console_of
from styler.version import __version__


def main(command: click.Command | None = None) -> None:
    """Run the command line, or another group of commands; every way out has its exit code.

    0 done, 1 failed, 2 wrong usage, 130 Ctrl-C, 143 SIGTERM, 129 SIGHUP.
    """
    # torch reads it when it is loaded: what Apple's GPU lacks then runs on the CPU instead of failing.
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")
    settings: Settings = {}
    _fill_streams()
    try:
        with interruptible(), warnings.catch_warnings(), _loading(settings):
            if not sys.warnoptions:  # those of torch and Pillow say nothing to a user
                warnings.simplefilter("ignore")
            code = (command or styler).main(standalone_mode=False, obj=settings)
    except click.ClickException as error:
        name_variable(error)
        shown = io.StringIO()
        error.show(shown)  # with words of the command line, as names of files
        click.echo("\n".join(map(display, shown.getvalue().splitlines())), err=True)
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt, Interrupted) as stopped:
        console_of(settings).note("stopped at once: what was not finished is not saved")
        code = stopped.exit_code if isinstance(stopped, Interrupted) else 130
    except BrokenPipeError:
        _drop_stdout()  # the reader went away (`| head`)
        code = 1
    except (SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # what a library in Rust raises is no Exception
        if settings.get("debug"):
            raise
        code = report(error, settings)
    sys.exit(code)


class _Announcer:
    """A finder of modules that finds none, and says so before the one that takes seconds."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Print a line before torch is loaded."""
        if name == "torch":
            console_of(self._settings).note("Loading ...")


@contextmanager
def _loading(settings: Settings) -> Iterator[None]:
    """Let the first import of torch be announced, on standard error."""
    announcer = _Announcer(settings)
    sys.meta_path.insert(0, announcer)
    try:
        yield
    finally:
        sys.meta_path.remove(announcer)


def _fill_streams() -> None:
    """Open what of the standard streams is closed, or files would get their numbers and what is printed.

    Writing to a standard output that was closed fails then, as it should.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)  # takes the lowest number that is free
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, closefd=False)


def _drop_stdout() -> None:
    """Send the rest of standard output nowhere: Python must not try to write it at exit either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def name_variable(error: click.ClickException) -> None:
    """Let the error about a bad value name the environment variable that it came from, if it did."""
    if not isinstance(error, click.BadParameter) or not (error.ctx and error.param):
        return
    if error.ctx.get_parameter_source(error.param.name or "") is ParameterSource.ENVIRONMENT:
        error.param_hint = f"'{variable_of(error.param, error.ctx)}' in the environment"


def report(error: BaseException, settings: Settings) -> int:
    """Print an error in one line; returns the exit code."""
    expected = error if isinstance(error, StylerError) else unexpected(error)
    if _is_of_stdout(error):
        _drop_stdout()
        settings = {}  # what --json would print is lost
    try:
        console_of(settings).error(expected)
    except MemoryError:  # there may be none left even for this
        os.write(2, b"Error: out of memory\n")
    return expected.exit_code


def _is_of_stdout(error: BaseException) -> bool:
    """Whether writing to standard output failed: of files the name would be there, or an OutputError."""
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EIO) and not error.filename
    return full or isinstance(error, io.UnsupportedOperation)


def unexpected(error: BaseException) -> StylerError:
    """The one-line error for one that nobody raised on purpose."""
    text = str(error)
    if _is_of_stdout(error):
        reason = getattr(error, "strerror", None) or "it is closed"
        return OutputError(f"standard output cannot be written: {reason}. Use > FILE")
    if isinstance(error, ModuleNotFoundError) and error.name == "torch":
        return StylerError(
            "torch is not installed: pip install torch torchvision; pictures in trained styles need none, "
            "with styler fast --engine onnx"
        )
    if is_shortage(error):
        return DeviceError("out of memory: close other programs, or use a machine with more")
    return StylerError(f"{type(error).__name__}: {text}. This is a bug in styler; --debug shows where")


class _Styler(help.Group):
    """All commands, in the order in which people come to need them."""

    sections: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "Paint": {
            "fast": "paint photos, folders and videos in a second, by a trained style",
            "optimize": "repaint a photo in the style of any picture",
            "grid": "paint many versions on one sheet",
            "translate": "turn drawings into pictures, by a trained network",
            "enlarge": "enlarge pictures, folders and videos",
            "texture": "make a texture of a style, of any size",
            "web": "paint and draw in the browser, on this machine",
            "show": "print how a picture was made",
        },
        "Train": {
            "train-fast": "train a network for styles of your own",
            "train-translate": "train a network that turns one kind of picture into another",
            "train-enlarge": "train a network that enlarges",
            "pairs": "make pairs to train on out of photos",
        },
        "Look inside": {
            "layers": "list a network's layers",
            "features": "show the strongest feature maps of a photo",
            "saliency": "show which pixels count",
            "imagine": "make the picture that excites a channel or a class",
            "dream": "let a picture excite a layer more and more",
            "invert": "reconstruct a picture from its features",
        },
        "Networks and this machine": {
            "models": "list, show, add, convert and export trained networks",
            "weights": "list, fetch, check and add feature networks",
            "doctor": "check the installation",
        },
    }


_TRY = """Neural style transfer: repaint a photo in the style of another picture. Try:

  styler fast photo.jpg --style wave       in a second, in a style that comes trained
  styler optimize photo.jpg painting.jpg   in half a minute, in the style of any picture
  styler --help                            all commands
"""


@click.group(
    cls=_Styler,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "STYLER"},
)
@click.version_option(__version__, "-V", "--version", message="%(prog)s %(version)s")
@talking
@click.pass_context
def styler(ctx: click.Context) -> None:
    """Neural style transfer: repaint a photo in the style of another picture.

    \b
    styler fast photo.jpg --style wave
    styler optimize photo.jpg painting.jpg
    """
    if ctx.invoked_subcommand is None:
        click.echo(_TRY, nl=False)


for command in (
    paint.optimize,
    paint.grid,
    paint.fast,
    paint.translate,
    paint.enlarge,
    see.texture,
    see.invert,
    machine.web,
    paint.show,
    paint.pairs,
    see.layers,
    see.saliency,
    see.features,
    see.imagine,
    see.dream,
    train.train_fast,
    train.train_translate,
    train.train_enlarge,
    machine.weights,
    models.models,
    machine.doctor,
):
    styler.add_command(command)
