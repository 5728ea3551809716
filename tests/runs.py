"""Generators of events, run to their end or broken off."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from styler.events import Event, TrainStep

Run = Generator[Event, None, Any]


def ended(run: Run, events: list[Any]) -> tuple[list[Any], Any]:
    """All events, which are in `events` as soon as they come, and what the run returns."""
    while True:
        try:
            events.append(next(run))
        except StopIteration as end:
            return events, end.value


def steps(events: list[Any]) -> list[int]:
    """The training steps among events."""
    return [event.index for event in events if isinstance(event, TrainStep)]
