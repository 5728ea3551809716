"""Commands about this machine."""

from __future__ import annotations

import click

from styler.options.fast import BenchOptions
from styler.signals import interruptible
from styler.ui import completion
from styler.ui.flags import options_of, talking
from styler.ui.settings import Settings, console_of


@click.command()
@talking
@click.pass_obj
def doctor(settings: Settings) -> int:
    """Tell versions, devices, memory, codecs and weights, and what is wrong with them."""
    from styler.storage import doctor as health

    findings = health.report()
    rows = [(finding.level, finding.area, finding.text) for finding in findings]
    console_of(settings).table("styler doctor", ("", "area", "finding"), rows)
    return int(any(finding.level == "bad" for finding in findings))


@click.command()
@options_of(BenchOptions, {"model": completion.networks})
@talking
@click.pass_obj
def bench(settings: Settings, options: BenchOptions) -> int:
    """Measure how fast this machine paints with feed-forward networks, and in how much memory."""
    from styler.jobs import bench as benching

    console = console_of(settings)
    with interruptible() as interrupt:
        rows = console.follow(benching.bench(options, interrupt))
    console.table("styler bench", benching.COLUMNS, rows)
    return interrupt.exit_code
