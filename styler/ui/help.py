"""Help: examples first, options in groups, the experts' half behind --help-all, bounds in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import click

from styler.options.fields import Options

CLASS = "options_class"
"""Attribute of a command's function: the class of its options."""
_ALL = "styler.help_all"
"""Key of a context's notes: all options are wanted."""
_MOST = 100_000
"""Bounds from here on say nothing to a person."""

_GROUPS = {
    "LossOptions": "Losses",
    "DegradationOptions": "Training",
    "SolverOptions": "Optimizer",
    "TrainingOptions": "Training",
    "AverageOptions": "Training",
    "EdgeOptions": "Edges",
    "NetworkOptions": "Network",
    "LossNetworkOptions": "Network",
    "SeeOptions": "Network",
    "MachineOptions": "Machine",
    "OutputOptions": "Output",
    "BatchOptions": "Output",
    "WatchOptions": "Output",
}
"""Group of the options of a class; all others are the command's own."""
_NAMED = {
    **dict.fromkeys(("size", "style_weight", "content_weight", "steps"), "Options"),
    **dict.fromkeys(("memory", "precision", "tile"), "Machine"),
    **dict.fromkeys(("output", "overwrite", "metadata", "quality", "crf", "resume", "credits"), "Output"),
    **dict.fromkeys(("quiet", "verbose", "json", "debug", "help_all"), "Messages"),
}
"""Group of single options, by name."""
_ORDER = ("Options", "Losses", "Optimizer", "Training", "Edges", "Network", "Machine", "Output", "Messages")

_EXPERT = {
    *("parameterization", "precision", "scales", "tile", "threads", "max_pixels", "shard", "params_from"),
    *("tv_weight", "style_loss", "style_layers", "content_loss", "content_layers", "coarse_steps"),
    *("pooling", "padding", "optimizer", "history", "learning_rate", "save_every", "log", "plot"),
    *("checkpoint_every", "steady", "crf", "debug", "statistics", "direction", "dropout", "samples"),
    *("style_crops", "stable_weight", "grid_weight", "range_weight", "grain", "norm_rate", "warmup", "decay"),
    *("clip", "report", "save", "average", "validation", "validation_most", "keep", "conditional", "field"),
    *("discriminator_width", "discriminator_rate", "spectral", "feature_weight", "perceptual_weight", "gan"),
    *("gan_weight", "l1_weight", "blocks", "halvings", "norm", "upsampling", "jitter", "mirror", "strong"),
    *("clean_pairs", "blur", "noise", "jpeg", "shrink", "discriminator", "perceptual_layers"),
    *("weak", "shortest", "beta", "regularizer", "octaves", "octave_scale", "raw", "unit", "plain_"),
}
"""Options that few people ever turn."""


class Option(click.Option):
    """An option whose help has its bounds in words, and yes or no as a default."""

    def get_help_extra(self, ctx: click.Context) -> click.types.OptionHelpExtra:
        """Default and bounds."""
        extra = super().get_help_extra(ctx)
        if extra.pop("range", None) and (bounds := _bounds(self.type)):
            extra["range"] = bounds
        if self.secondary_opts and isinstance(self.default, bool):
            extra["default"] = "yes" if self.default else "no"
        if extra.get("default") in ('""', ""):
            del extra["default"]
        return extra


def _bounds(kind: click.ParamType[Any]) -> str:
    """`0 to 1`, `at least 16`; "" where nothing within reason is out of bounds."""
    low, high = getattr(kind, "min", None), getattr(kind, "max", None)
    low = None if low is None or low <= 1e-6 else low
    if high is not None and high < _MOST:
        return f"{low or 0:g} to {high:g}"
    return "" if low is None or low <= 1 else f"at least {low:g}"


class Command(click.Command):
    """A command whose help has groups; with many options, --help shows those that people turn first."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if any(parameter.name in _EXPERT - {"debug"} for parameter in self.params):
            every = click.Option(
                ["--help-all"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_show_all,
                help="Show all options and exit.",
            )
            self.params.append(every)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Options in groups, the rarely used ones only if all are wanted."""
        every = ctx.meta.get(_ALL, False) or not any(p.name == "help_all" for p in self.params)
        groups: dict[str, list[tuple[str, str]]] = {name: [] for name in _ORDER}
        hidden = 0
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record and (every or parameter.name not in _EXPERT):
                group = "Messages" if "--help" in parameter.opts else _group(self, parameter.name or "")
                groups[group].append(record)
            elif record:
                hidden += 1
        for name, records in groups.items():
            if records:
                with formatter.section(name):
                    formatter.write_dl(records)
        if hidden:
            formatter.write_paragraph()
            formatter.write_text(f"{hidden} more options: {ctx.command_path} --help-all")


def _show_all(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        ctx.meta[_ALL] = True
        click.echo(ctx.get_help(), color=ctx.color)
        ctx.exit()


def class_of(command: click.Command) -> type[Options]:
    """The options class whose fields are a command's flags; that of no options for one without."""
    kind: type[Options] = vars(command.callback).get(CLASS, Options)
    return kind


def _group(command: click.Command, name: str) -> str:
    """The group of an option: its own, or that of the class that it comes from."""
    if name in _NAMED:
        return _NAMED[name]
    parents = reversed(class_of(command).__mro__)
    origin = next((parent for parent in parents if name in vars(parent).get("__annotations__", {})), None)
    return _GROUPS.get(origin.__name__, "Options") if origin else "Options"


class Group(click.Group):
    """A group of such commands, which `--help` lists in sections and in the order of use."""

    command_class = Command
    sections: ClassVar[Mapping[str, Mapping[str, str]]] = {}
    """Names of commands with a few words on each, by section."""

    def list_commands(self, ctx: click.Context) -> Sequence[str]:  # type: ignore[override]
        """In the order in which they were added."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Each section; what is in none comes last."""
        told = {name for section in self.sections.values() for name in section}
        rest = {name: "" for name in self.commands if name not in told}
        for title, section in {**self.sections, "More commands" if told else "Commands": rest}.items():
            found = {name: text for name, text in section.items() if name in self.commands}
            if found:
                with formatter.section(title):
                    formatter.write_dl(
                        [
                            (name, text or self.commands[name].get_short_help_str(60))
                            for name, text in found.items()
                        ]
                    )
