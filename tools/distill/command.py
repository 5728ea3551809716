"""Command line of the distillation."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import click

from distill.options import DistillOptions
from styler.signals import interruptible
from styler.ui import cli
from styler.ui.flags import options_of, talking
from styler.ui.follow import Settings, console_of


def main() -> None:
    """Run the command; every way out has its exit code, as those of styler."""
    cli.main(distill)


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


@distill.command()
@click.option("--photos", required=True, metavar="FOLDER|LIST", help="Photos to paint.")
@click.option("--paintings", required=True, metavar="FOLDER|LIST", help="Paintings to paint them like.")
@click.option(
    "--painter", default="compact", show_default=True, metavar="NAME|FILE", help="Network of the loss."
)
@click.option("--runs", default=64, show_default=True, type=click.IntRange(1), help="Photos to paint.")
@click.option("--side", default=256, show_default=True, type=click.IntRange(32), help="Side in pixels.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Random seed.")
@click.option("-o", "--output", required=True, metavar="FOLDER", help="Where the pictures are written.")
@talking
@click.pass_obj
def paint(settings: Settings, /, **values: Any) -> int:
    """Write half-painted pictures for `train --painted`; goes on where it was."""
    from distill import painted

    console = console_of(settings)
    console.result(console.follow(painted.paint(**values)))
    return 0


@distill.command()
@click.argument("networks", nargs=-1, required=True, metavar="NAME|FILE...")
@click.option("--teacher", default="vgg19", show_default=True, metavar="NAME|FILE", help="Wide network.")
@click.option(
    "--painter",
    default="compact",
    show_default=True,
    metavar="NAME|FILE",
    help="Network whose optimizations the gradients are compared on.",
)
@click.option("--photos", required=True, metavar="FOLDER|LIST", help="Photos to fit the linear maps on.")
@click.option("--paintings", required=True, metavar="FOLDER|LIST", help="Paintings to fit them on.")
@click.option("--held-photos", required=True, metavar="FOLDER|LIST", help="Photos held out.")
@click.option("--held-paintings", required=True, metavar="FOLDER|LIST", help="Paintings held out.")
@click.option("--keep", is_flag=True, help="Write each network's figures into its file.")
@click.option(
    "--content-weight", type=click.FloatRange(0), help="Content weight to write into the files too."
)
def measure(
    networks: tuple[str, ...],
    teacher: str,
    painter: str,
    keep: bool,
    content_weight: float | None,
    **values: str,
) -> int:
    """Print what networks explain of the teacher, how their gradients agree with it, a photo's figures."""
    from distill import report
    from distill.measure import table

    figures = report.report(networks, teacher, painter, report.Data(**values))
    for kind in ("explained", "gradient"):
        click.echo(f"{kind}\n{table({name: figures[name][kind] for name in networks})}\n")
    for name in networks:
        click.echo(f"a photo, by {name}: variance per channel, |covariance|^2, |mean|^2")
        for layer, numbers in figures[name]["typical"].items():
            click.echo(f"  {layer} {' '.join(map(str, numbers))}")
        if keep:
            report.keep(name, figures[name], content_weight)
    return 0
