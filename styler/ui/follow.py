"""The console that goes with the flags, and running a job to its exit code."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from styler.signals import Interrupt, interruptible

if TYPE_CHECKING:
    from styler.events import Event
    from styler.jobs.batch import Summary
    from styler.ui.console import Console

T = TypeVar("T")

Settings = dict[str, bool]
"""Which of -q, -v, --json and --debug were given."""

_Begin = Callable[[Interrupt], Generator["Event", None, T]]
"""Starts a job, which asks the Interrupt whether to stop."""


def console_of(settings: Settings) -> Console:
    """The console as -q, -v and --json want it."""
    from styler.ui.console import Console

    quiet, verbose, json_lines = (settings.get(name, False) for name in ("quiet", "verbose", "json"))
    return Console(quiet, verbose, json_lines)


def run_batch(settings: Settings, output: str | None, begin: _Begin[Summary]) -> int:
    """Follow a job on many inputs to its summary; returns the exit code."""
    from styler.jobs.batch import Summary

    _check_output(settings, output)
    console = console_of(settings)
    with interruptible() as interrupt:
        summary = console.follow(begin(interrupt))
    if summary != Summary(done=1):
        console.note(str(summary))
    return interrupt.exit_code or summary.exit_code


def run_job(settings: Settings, begin: _Begin[dict[str, Any] | None], output: str | None = None) -> int:
    """Follow a job to its record, and print that unless it is empty; returns the exit code.

    Of several processes only the first has a record to print.
    """
    _check_output(settings, output)
    console = console_of(settings)
    with interruptible() as interrupt:
        if record := console.follow(begin(interrupt)):
            console.result(record)
    return interrupt.exit_code


def _check_output(settings: Settings, output: str | None) -> None:
    if output == "-" and settings.get("json"):
        raise click.UsageError("--json and --output - would both write to standard output")
