"""Commands that train networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import click
from click.core import ParameterSource

from styler.options.enlarge import ENLARGE_PRESETS, TrainEnlargeOptions
from styler.options.fast import FAST_PRESETS, TrainFastOptions
from styler.options.translate import TRANSLATE_PRESETS, TrainTranslateOptions
from styler.storage.names import file_of
from styler.ui import completion, help
from styler.ui.flags import Command, options_of, preset_option, require_file, require_inputs, talking
from styler.ui.follow import Settings, run_job

_GIVEN = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
"""Sources of a value that somebody has chosen."""

_FILES = (
    click.option(
        "-o", "--output", required=True, metavar="FILE|FOLDER", help="The network, as .safetensors."
    ),
    click.option("--credits", default="", metavar="TEXT", help="Names that the pictures' licences ask for."),
    click.option("--resume", is_flag=True, help="Go on where an interrupted run was."),
    click.option("--overwrite", is_flag=True, help="Replace an output that exists."),
)
"""Flags of every training beside its options."""


def training(presets: Mapping[str, Mapping[str, Any]], text: str) -> Callable[[Command], Command]:
    """Give a command `_FILES` and --preset, whose values take the place of defaults; what is given wins."""

    def decorate(command: Command) -> Command:
        flags: list[Callable[[Command], Command]] = [
            preset_option(presets, text, "--recipe"),
            *reversed(_FILES),
        ]
        for flag in flags:
            command = flag(command)
        return command

    return decorate


@click.command("train-fast", cls=help.Command)
@click.option(
    "--style",
    "styles",
    required=True,
    multiple=True,
    metavar="[NAME=]FILE",
    help="Picture to learn the style of; several make one network for all.",
)
@click.option("--dataset", metavar="FOLDER|LIST", help="Photos to learn on; textures need none.")
@click.option(
    "--add-to",
    metavar="NAME|FILE",
    help="Trained network to add the styles to; its own stay as they are.",
    shell_complete=completion.painters,
)
@click.option(
    "--start-from",
    metavar="NAME|FILE",
    help="Network to train further, for as many styles as it has; or a style, for one or several from it.",
    shell_complete=completion.starts,
)
@training(FAST_PRESETS, "Defaults for a machine without a GPU, or of Johnson et al. 2016 for one with a GPU.")
@options_of(TrainFastOptions)
@talking
@click.pass_obj
def train_fast(settings: Settings, /, options: TrainFastOptions, dataset: str | None, **values: Any) -> int:
    """Train a network for one style or several, to paint any photo in a second with `styler fast`.

    \b
    styler train-fast --style painting.jpg --dataset photos/ -o painting.safetensors
    styler models add painting.safetensors
    styler fast photo.jpg --style painting

    Writes the network, and beside it the folder OUTPUT.training with previews, loss curves, a log and, while
    it is not done, the training state. Ctrl-C saves the state. Under torchrun all processes train together.
    """
    if dataset is None and options.network == "transform":
        raise click.UsageError("Missing option '--dataset': the photos to learn on.")
    if values["add_to"] and values["start_from"]:
        raise click.UsageError("--add-to keeps a network, --start-from trains it further: give one.")
    require_inputs([*map(file_of, values["styles"]), *filter(None, [dataset])])
    require_file(values["add_to"] or values["start_from"] or "")
    from styler.jobs.training import fast

    return run_job(
        settings,
        lambda interrupt: fast.train_fast(dataset=dataset or "", options=options, stop=interrupt, **values),
    )


@click.command("train-translate", cls=help.Command)
@click.option(
    "--dataset",
    metavar="FOLDER|LIST",
    help="Pairs to learn: pictures A|B side by side, or two folders of pictures with the same names.",
)
@click.option(
    "--edges", metavar="FOLDER|LIST", help="Photos to learn from their edges, in place of --dataset."
)
@click.option(
    "--init",
    metavar="NAME|FILE",
    help="Trained network to start from.",
    shell_complete=completion.translators,
)
@training(
    TRANSLATE_PRESETS,
    "Defaults for a machine without a GPU, those of Isola et al. 2017, or the best for one with a GPU.",
)
@options_of(TrainTranslateOptions)
@talking
@click.pass_obj
@click.pass_context
def train_translate(
    ctx: click.Context,
    settings: Settings,
    /,
    options: TrainTranslateOptions,
    dataset: str | None,
    edges: str | None,
    **values: Any,
) -> int:
    """Train a network that turns one kind of picture into another, for `styler translate`.

    \b
    styler train-translate --dataset pairs/ -o my.safetensors
    styler train-translate --edges photos/ -o lines.safetensors
    styler translate sketch.png --checkpoint lines.safetensors

    Writes the network, and beside it the folder OUTPUT.training with previews, loss curves, a log
    and, while it is not done, the training state. Ctrl-C saves the state. Under torchrun all processes train
    together.
    """
    if (dataset is None) == (edges is None):
        raise click.UsageError("Give either --dataset, pairs to learn, or --edges, photos to make them of.")
    require_inputs(filter(None, [dataset, edges]))
    require_file(values["init"] or "")
    from styler.jobs.training import translate

    options, dataset, edges = _steps_or_epochs(ctx, options), dataset or "", edges or ""
    return run_job(
        settings,
        lambda interrupt: translate.train_translate(
            dataset, options=options, edges=edges, stop=interrupt, **values
        ),
    )


@click.command("train-enlarge")
@click.option("--dataset", required=True, metavar="FOLDER|LIST", help="Photos to learn on.")
@click.option(
    "--start-from",
    metavar="NAME|FILE",
    help="Trained network to train further; the file itself stays as it is.",
    shell_complete=completion.enlargers,
)
@training(
    ENLARGE_PRESETS,
    "Defaults for a machine without a GPU; to train such a network further towards detail; those of Johnson "
    "et al. 2016, or of Ledig et al. 2017.",
)
@options_of(TrainEnlargeOptions)
@talking
@click.pass_obj
def train_enlarge(settings: Settings, /, options: TrainEnlargeOptions, dataset: str, **values: Any) -> int:
    """Learn from photos to enlarge pictures with `styler enlarge`.

    \b
    styler train-enlarge --dataset photos/ -o mine.safetensors

    Writes the network, and beside it the folder OUTPUT.training with previews, loss curves, a log and, while
    it is not done, the training state. Ctrl-C saves the state. Under torchrun all processes train together.
    """
    require_inputs([dataset])
    require_file(values["start_from"] or "")
    from styler.jobs.training import enlarge

    return run_job(
        settings,
        lambda interrupt: enlarge.train_enlarge(dataset, options=options, stop=interrupt, **values),
    )


def _steps_or_epochs(ctx: click.Context, options: TrainTranslateOptions) -> TrainTranslateOptions:
    """The options without a preset's epochs if steps are given, for those would overrule them."""
    given = {name for name in ("steps", "epochs") if ctx.get_parameter_source(name) in _GIVEN}
    if len(given) == 2 and options.epochs:
        raise click.UsageError("Give either --steps or --epochs.")
    return replace(options, epochs=0.0) if given == {"steps"} else options
