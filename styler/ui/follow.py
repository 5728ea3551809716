"""What the commands that work on many inputs have in common."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

import click

from styler.signals import Interrupt, interruptible
from styler.ui.settings import Settings, console_of

if TYPE_CHECKING:
    from styler.events import Event
    from styler.jobs.batch import Summary


def follow(
    settings: Settings, output: str | None, begin: Callable[[Interrupt], Generator[Event, None, Summary]]
) -> int:
    """Tell of a run that ends with a summary; returns the exit code."""
    from styler.jobs.batch import Summary

    if output == "-" and settings.get("json"):
        raise click.UsageError("--json and --output - would both write to standard output")
    console = console_of(settings)
    with interruptible() as interrupt:
        summary = console.follow(begin(interrupt))
    if summary != Summary(done=1):
        console.note(str(summary))
    return interrupt.exit_code or summary.exit_code
