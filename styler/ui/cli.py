"""The command line: the group of all commands, and exit codes."""

from __future__ import annotations

import io
import os
import sys
import warnings

import click
from click.core import ParameterSource

from styler.errors import DeviceError, StylerError
from styler.signals import Interrupted, interruptible
from styler.storage.names import display
from styler.ui.commands import models, paint, see, synthesize, train, weights
from styler.ui.flags import variable_of
from styler.ui.follow import Settings, console_of
from styler.version import __version__


def main(command: click.Command | None = None) -> None:
    """Run the command line, or another group of commands; every way out has its exit code.

    0 done, 1 failed, 2 wrong usage, 130 Ctrl-C, 143 SIGTERM, 129 SIGHUP.
    """
    # torch reads it when it is loaded: what Apple's GPU lacks then runs on the CPU instead of failing.
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")
    settings: Settings = {}
    try:
        with interruptible(), warnings.catch_warnings():
            if not sys.warnoptions:  # those of torch and Pillow say nothing to a user
                warnings.simplefilter("ignore")
            code = (command or styler).main(standalone_mode=False, obj=settings)
    except click.ClickException as error:
        name_variable(error)
        shown = io.StringIO()
        error.show(shown)  # with words of the command line, as names of files
        click.echo("\n".join(map(display, shown.getvalue().splitlines())), err=True)
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


def name_variable(error: click.ClickException) -> None:
    """Let the error about a bad value name the environment variable that it came from, if it did."""
    if not isinstance(error, click.BadParameter) or not (error.ctx and error.param):
        return
    if error.ctx.get_parameter_source(error.param.name or "") is ParameterSource.ENVIRONMENT:
        error.param_hint = f"'{variable_of(error.param, error.ctx)}' in the environment"


def report(error: Exception, settings: Settings) -> int:
    """Print an error in one line; returns the exit code."""
    expected = error if isinstance(error, StylerError) else unexpected(error)
    console_of(settings).error(expected)
    return expected.exit_code


def _is_shortage(error: Exception) -> bool:
    from styler.device import is_shortage

    return is_shortage(error)


def unexpected(error: Exception) -> StylerError:
    """The one-line error for one that nobody raised on purpose."""
    text = str(error)
    if isinstance(error, MemoryError) or ("torch" in sys.modules and _is_shortage(error)):
        return DeviceError("out of memory: close other programs, or use a machine with more")
    return StylerError(f"{type(error).__name__}: {text}. This is a bug in styler; --debug shows where")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "STYLER"})
@click.version_option(__version__, "-V", "--version", message="%(prog)s %(version)s")
def styler() -> None:
    """Neural style transfer: paint a photo in the style of a picture.

    \b
    styler optimize photo.jpg painting.jpg
    """


for command in (
    paint.optimize,
    paint.grid,
    paint.fast,
    paint.translate,
    synthesize.texture,
    synthesize.invert,
    paint.show,
    paint.pairs,
    see.layers,
    see.saliency,
    see.features,
    see.imagine,
    see.dream,
    train.train_fast,
    train.train_translate,
    weights.weights,
    models.models,
    weights.doctor,
):
    styler.add_command(command)
