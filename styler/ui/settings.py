"""What -q, -v, --json and --debug were, and the console that goes with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from styler.ui.console import Console

Settings = dict[str, bool]
"""Which of -q, -v, --json and --debug were given."""


def console_of(settings: Settings) -> Console:
    """The console as -q, -v and --json want it."""
    from styler.ui.console import Console

    quiet, verbose, json_lines = (settings.get(name, False) for name in ("quiet", "verbose", "json"))
    return Console(quiet, verbose, json_lines)
